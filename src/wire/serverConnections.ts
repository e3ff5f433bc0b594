import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import { hasProperty, isFunction } from "effect/Predicate"

/** The part of a socket's server that is used here. Only Node gives access to it. */
interface Server {
  readonly closeAllConnections: () => void
}

const isServer = (value: unknown): value is Server =>
  hasProperty(value, "closeAllConnections") && isFunction(value.closeAllConnections)

/** The socket of a request, if the platform gives access to it. */
export const socketOf = ({ source }: HttpServerRequest.HttpServerRequest): unknown =>
  hasProperty(source, "socket") ? source.socket : undefined

/** The connections of the server behind the requests. */
export interface Connections {
  /** Finds the server by a request. */
  readonly learn: (request: HttpServerRequest.HttpServerRequest) => void
  /**
   * Closes idle connections, including those that never had a request: Node does not count those as idle, so that a
   * closing server would wait until the client gives them up.
   */
  readonly close: Effect.Effect<void>
}

/** Makes the connections of a server that has had no request yet. */
export const make = (): Connections => {
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
