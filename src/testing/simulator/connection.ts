import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import { hasProperty, isFunction } from "effect/Predicate"
import { socketOf } from "../../wire/serverConnections.js"

/** The part of a request's socket that is used here. Only Node gives access to it. */
interface Socket {
  /** Closes after all data is written. */
  readonly destroySoon: () => void
  /** Closes with a TCP reset. */
  readonly resetAndDestroy: () => void
}

const isSocket = (value: unknown): value is Socket =>
  hasProperty(value, "destroySoon") && isFunction(value.destroySoon) &&
  hasProperty(value, "resetAndDestroy") && isFunction(value.resetAndDestroy)

/** Breaks a request's connection. Gives false if the server gives no access to it. */
export const hangUp = (
  request: HttpServerRequest.HttpServerRequest,
  how: keyof Socket
): Effect.Effect<boolean> =>
  Effect.sync(() => {
    const socket = socketOf(request)
    if (!isSocket(socket)) return false
    socket[how]()
    return true
  })
