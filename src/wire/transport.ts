import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Reason } from "../domain/LlmError.js"
import * as Utf8 from "./utf8.js"

/** The header fields of an answer, by their names in lower case. */
export type Headers = { readonly [name: string]: string | undefined }

/** A POST request with a body, or a GET request without one. */
export interface Outgoing {
  readonly url: string
  /** For a request with a body, `content-type` is its type. */
  readonly headers: { readonly [name: string]: string }
  readonly body: string | undefined
}

/** The answer, from its first byte on. Its body is read once, in one of these ways. */
export interface Incoming {
  readonly status: number
  readonly headers: Headers
  /**
   * Reads the body up to a number of bytes, and says whether it ended before them. A longer one is not read further.
   */
  readonly text: (limit: number) => Effect.Effect<Text, Reason>
  /** Waits for more of the body, and gives all bytes since the last time: never none, `undefined` at its end. */
  readonly pull: Effect.Effect<Bytes, Reason>
  /** The rest does not matter: the connection may be kept for others, if the body ends soon. */
  readonly complete?: (() => void) | undefined
}

/** Some of a body, in the pieces in which it arrived; `undefined` at its end. */
export type Bytes = ReadonlyArray<Uint8Array> | undefined

/** The text of a body, as far as it was read. */
export interface Text {
  readonly text: string
  readonly whole: boolean
}

/**
 * Carries one request to a service and its answer back: once, without redirects (they would carry the key elsewhere)
 * and without trace headers (they do not concern the service). It fails only if the connection does: any status is an
 * answer.
 */
export interface Transport {
  /**
   * Sends a request, and hands over the answer. The request ends with the effect that takes the answer, in whatever
   * way: a body that was not read to its end is aborted.
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
 * Marks a client as one over this transport: requests to a provider may then use the transport directly. The mark
 * belongs to the object itself, so a client that is made from it with a combinator (`mapRequest`, `transform`, ...) has
 * none, and the combinator takes effect.
 */
export const carry = (client: HttpClient.HttpClient, transport: Transport): HttpClient.HttpClient =>
  Object.defineProperty(client, carried, { value: transport })

/** The transport under a client, if the client adds nothing to it. */
export const carriedBy = (client: HttpClient.HttpClient & { readonly [carried]?: Transport }): Transport | undefined =>
  Object.hasOwn(client, carried) ? client[carried] : undefined

/** Reads a body up to a number of bytes, and says whether it ended before them. */
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
