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

const socketOf = ({ source }: HttpServerRequest.HttpServerRequest): unknown =>
  hasProperty(source, "socket") ? source.socket : undefined

/** Breaks a request's connection. False where the server gives no access to it. */
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

/** What is needed of the server behind a socket. Only Node gives it away. */
interface Server {
  readonly closeAllConnections: () => void
}

const isServer = (value: unknown): value is Server =>
  hasProperty(value, "closeAllConnections") && isFunction(value.closeAllConnections)

/** The connections of the server that requests come to. */
export interface Connections {
  /** Learns from a request which server it is. */
  readonly learn: (request: HttpServerRequest.HttpServerRequest) => void
  /**
   * Closes those that are kept alive, and those that a client opened to have one at hand: Node does not take the latter
   * for idle, so that a server which closes would wait until their client gives them up.
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
