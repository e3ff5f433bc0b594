import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Reason } from "../domain/LlmError.js"
import * as Utf8 from "./utf8.js"

/** The header fields of an answer, by their names in lower case. */
export type Headers = { readonly [name: string]: string | undefined }

/** A request to post, or one without a body to get. */
export interface Outgoing {
  readonly url: string
  /** Of one with a body, `content-type` is the type of that. */
  readonly headers: { readonly [name: string]: string }
  readonly body: string | undefined
}

/** The answer, from its first byte on. Its body is read once, in one way or the other. */
export interface Incoming {
  readonly status: number
  readonly headers: Headers
  /** Reads the body up to so many bytes, and says whether it ended before them. One that is longer is not read further. */
  readonly text: (limit: number) => Effect.Effect<Text, Reason>
  /** Waits for more of the body, and gives all that has come since the last time: never nothing, `undefined` at its end. */
  readonly pull: Effect.Effect<Bytes, Reason>
  /** All that counts has come: its connection may be kept for others, if it comes to its end soon. */
  readonly complete?: (() => void) | undefined
}

/** Some of a body, in the pieces in which it came; `undefined` at its end. */
export type Bytes = ReadonlyArray<Uint8Array> | undefined

/** The text of a body, as far as it was read. */
export interface Text {
  readonly text: string
  readonly whole: boolean
}

/**
 * Carries one request to a service and its answer back: once, without redirects (they would carry the key elsewhere) and
 * without trace headers (they are not the service's business). It fails only where the connection does: any status is an
 * answer.
 */
export interface Transport {
  /**
   * Sends a request, and hands over the answer. When the one that takes it has ended, however it has, so has the request:
   * a body that was not read to its end is aborted.
   */
  readonly exchange: <A, E, R>(
    outgoing: Outgoing,
    use: (incoming: Incoming) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | Reason, R>
  /** Sends a request, and gives the answer, until the scope closes. */
  readonly open: (outgoing: Outgoing) => Effect.Effect<Incoming, Reason, Scope.Scope>
}

const carried = Symbol.for("effect-llm/Transport")

/**
 * Marks a client as one that is, underneath, this transport: what is sent to a provider may then take the short way. The
 * mark is the object's own, so that every client that is made from it with a combinator (`mapRequest`, `transform`, ...)
 * has none, and all that it does is done.
 */
export const carry = (client: HttpClient.HttpClient, transport: Transport): HttpClient.HttpClient =>
  Object.defineProperty(client, carried, { value: transport })

/** The transport that a client is underneath, if it is one and nothing else. */
export const carriedBy = (client: HttpClient.HttpClient & { readonly [carried]?: Transport }): Transport | undefined =>
  Object.hasOwn(client, carried) ? client[carried] : undefined

/** Reads a body up to so many bytes, and says whether it ended before them. */
export const readUpTo = <E>(
  pull: Effect.Effect<Bytes, E>,
  limit: number
): Effect.Effect<Text, E> =>
  Effect.suspend(() => {
    const read: Array<Uint8Array> = []
    let bytes = 0
    const more = (chunks: Bytes): Effect.Effect<Text, E> => {
      for (const chunk of chunks ?? []) {
        read.push(chunk)
        bytes += chunk.length
      }
      const whole = bytes <= limit
      return whole && chunks !== undefined
        ? Effect.flatMap(pull, more)
        : Effect.succeed({ text: Utf8.decode(read, limit), whole })
    }
    return Effect.flatMap(pull, more)
  })
