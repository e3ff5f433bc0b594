import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import { hasProperty, isFunction } from "effect/Predicate"

/** What is needed of the socket behind a request. Only Node gives it away. */
interface Socket {
  /** Closes once everything is written. */
  readonly destroySoon: () => void
  /** Closes with a TCP reset. */
  readonly resetAndDestroy: () => void
}

const isSocket = (value: unknown): value is Socket =>
  hasProperty(value, "destroySoon") && isFunction(value.destroySoon) &&
  hasProperty(value, "resetAndDestroy") && isFunction(value.resetAndDestroy)

/** Breaks a request's connection. False where the server gives no access to it. */
export const hangUp = (
  request: HttpServerRequest.HttpServerRequest,
  how: keyof Socket
): Effect.Effect<boolean> =>
  Effect.sync(() => {
    const { source } = request
    const socket = hasProperty(source, "socket") ? source.socket : undefined
    if (!isSocket(socket)) return false
    socket[how]()
    return true
  })
