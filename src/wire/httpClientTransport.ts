import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { MalformedResponse, type Reason } from "../domain/LlmError.js"
import { networkFailure, unsendable } from "./networkFailure.js"
import { decodeUtf8, type Incoming, type Outgoing, type Text, type Transport } from "./transport.js"

const reasonOf = (error: HttpClientError.HttpClientError): Reason => {
  if (error.reason === "Encode" || error.reason === "InvalidUrl") return unsendable()
  // How `fetch` tells of status 204, which allows no body.
  if (error.reason === "EmptyBody") return MalformedResponse.make({ message: "the answer is empty" })
  return networkFailure(error.cause)
}

const isStatusError = (error: HttpClientError.HttpClientError): error is HttpClientError.ResponseError =>
  error._tag === "ResponseError" && error.reason === "StatusCode"

/** A body whose length is given in advance cannot be longer; compressed, it can. */
const knownToFit = ({ headers }: HttpClientResponse.HttpClientResponse, limit: number): boolean => {
  const length = headers["content-length"]
  const encoding = headers["content-encoding"]
  return length !== undefined && Number(length) <= limit && (encoding === undefined || encoding === "identity")
}

/** Reads a body up to a limit, and says whether it ended before it. */
const readUpTo = <E>(body: Stream.Stream<Uint8Array, E>, limit: number): Effect.Effect<Text, E> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    return Stream.runForEachWhile(body, (chunk) =>
      Effect.sync(() => {
        bytes += chunk.length
        chunks.push(chunk)
        return bytes <= limit
      })).pipe(
        Effect.map(() => ({ text: decodeUtf8(chunks, limit), whole: bytes <= limit }))
      )
  })

/** An answer of the client. */
class ClientAnswer implements Incoming {
  /** Whether the body has been read to its end: there is nothing left to abort. */
  ended = false
  readonly status: number
  readonly headers: Incoming["headers"]

  constructor(readonly response: HttpClientResponse.HttpClientResponse, readonly scope: Scope.Scope) {
    this.status = response.status
    this.headers = response.headers
  }

  readonly text: Incoming["text"] = (limit) => {
    const read = knownToFit(this.response, limit)
      ? Effect.mapBoth(this.response.text, {
        onSuccess: (text): Text => ({ text, whole: true }),
        onFailure: reasonOf
      })
      : readUpTo(this.bytes, limit)
    return Effect.map(read, (text) => {
      this.ended = text.whole
      return text
    })
  }

  readonly pull: Incoming["pull"] = Effect.suspend(() => this.opened ?? this.openBody)

  /** What the runtime logs of a body that fails is a reason: an error of the client holds the request and its headers. */
  private get bytes(): Stream.Stream<Uint8Array, Reason> {
    return Stream.mapError(this.response.stream, reasonOf)
  }

  private opened: Incoming["pull"] | undefined

  private get openBody(): Incoming["pull"] {
    return Effect.flatMap(
      Scope.extend(Stream.toPull(this.bytes), this.scope),
      (pull) =>
        this.opened = Effect.matchEffect(pull, {
          onSuccess: (chunk) => Effect.succeed(Chunk.toReadonlyArray(chunk)),
          onFailure: (error) => error._tag === "None" ? Effect.succeed(undefined) : Effect.fail(error.value)
        })
    )
  }
}

/** Carries requests over the program's `HttpClient`, with all that the program has put around it. */
export const make = (
  httpClient: HttpClient.HttpClient,
  requestInit: RequestInit | undefined
): Transport => {
  // The request's span is the client's: one that dumps all headers is not wanted on top.
  const client = httpClient.pipe(
    HttpClient.withTracerPropagation(false),
    HttpClient.withTracerDisabledWhen(() => true),
    HttpClient.withScope
  )
  const fetchOptions: RequestInit = { ...requestInit, redirect: "manual" }

  const send = ({ body, headers, url }: Outgoing, scope: Scope.Scope): Effect.Effect<ClientAnswer, Reason> =>
    HttpClientRequest.post(url).pipe(
      HttpClientRequest.setHeaders(headers),
      HttpClientRequest.bodyText(body, "application/json"),
      client.execute,
      // A client that fails on a status has the answer at hand.
      Effect.catchAll((error) => isStatusError(error) ? Effect.succeed(error.response) : Effect.fail(reasonOf(error))),
      Effect.provideService(FetchHttpClient.RequestInit, fetchOptions),
      Scope.extend(scope),
      Effect.map((response) => new ClientAnswer(response, scope))
    )

  return {
    exchange: (outgoing, use) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Scope.make(), (scope) => {
          let answer: ClientAnswer | undefined
          return Effect.onExit(
            restore(Effect.flatMap(send(outgoing, scope), (incoming) => use(answer = incoming))),
            (exit) => Exit.isSuccess(exit) && answer?.ended === true ? Effect.void : Scope.close(scope, exit)
          )
        })
      ),
    open: (outgoing) => Effect.flatMap(Effect.scope, (scope) => send(outgoing, scope))
  }
}
