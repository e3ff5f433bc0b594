import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import { hasProperty, isFunction } from "effect/Predicate"

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

const socketOf = ({ source }: HttpServerRequest.HttpServerRequest): unknown =>
  hasProperty(source, "socket") ? source.socket : undefined

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

/** The part of a socket's server that is used here. Only Node gives access to it. */
interface Server {
  readonly closeAllConnections: () => void
}

const isServer = (value: unknown): value is Server =>
  hasProperty(value, "closeAllConnections") && isFunction(value.closeAllConnections)

/** The connections of the server behind the requests. */
export interface Connections {
  /** Finds the server by a request. */
  readonly learn: (request: HttpServerRequest.HttpServerRequest) => void
  /**
   * Closes idle connections, also those that never had a request: Node does not count those as idle, so that a closing
   * server would wait until the client gives them up.
   */
  readonly close: Effect.Effect<void>
}

export const makeConnections = (): Connections => {
  let server: Server | undefined
  return {
    learn: (request) => {
      if (server !== undefined) return
      const socket = socketOf(request)
      if (hasProperty(socket, "server") && isServer(socket.server)) server = socket.server
    },
    close: Effect.sync(() => server?.closeAllConnections())
  }
}
