import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { MalformedResponse, type Reason } from "../domain/LlmError.js"
import * as FiberSettings from "../runtime/fiberSettings.js"
import { networkFailure, unsendable } from "./networkFailure.js"
import { type Headers, type Incoming, type Outgoing, readUpTo, type Text, type Transport } from "./transport.js"

const reasonOf = (error: HttpClientError.HttpClientError): Reason => {
  if (error.reason === "Encode" || error.reason === "InvalidUrl") return unsendable()
  // The client's error for status 204, which allows no body.
  if (error.reason === "EmptyBody") return MalformedResponse.make({ message: "the answer is empty" })
  return networkFailure(error.cause)
}

const isStatusError = (error: HttpClientError.HttpClientError): error is HttpClientError.ResponseError =>
  error._tag === "ResponseError" && error.reason === "StatusCode"

/** Whether the headers limit the body: its length is known in advance, unless it is compressed. */
const knownToFit = (headers: Headers, limit: number): boolean => {
  const length = headers["content-length"]
  const encoding = headers["content-encoding"]
  return length !== undefined && Number(length) <= limit && (encoding === undefined || encoding === "identity")
}

/** An answer of the client. */
class ClientAnswer implements Incoming {
  /** Whether the body has been read to its end, so that there is nothing left to abort. */
  ended = false
  readonly status: number
  readonly headers: Headers

  constructor(private readonly response: HttpClientResponse.HttpClientResponse, private readonly scope: Scope.Scope) {
    this.status = response.status
    this.headers = response.headers
  }

  text(limit: number): Effect.Effect<Text, Reason> {
    if (!knownToFit(this.headers, limit)) {
      return Effect.map(readUpTo(this.pull, limit), (text) => {
        this.ended = text.whole
        return text
      })
    }
    return Effect.matchEffect(this.response.text, {
      onSuccess: (text) => {
        this.ended = true
        return Effect.succeed({ text, whole: true })
      },
      onFailure: (error) => Effect.fail(reasonOf(error))
    })
  }

  get pull(): Incoming["pull"] {
    return Effect.suspend(() => this.opened ?? this.openBody)
  }

  private opened: Incoming["pull"] | undefined

  private get openBody(): Incoming["pull"] {
    // Mapped first, as the runtime may log a failure of the body: a client's error holds the request and its headers.
    const bytes = Stream.mapError(this.response.stream, reasonOf)
    return Effect.flatMap(
      Scope.extend(Stream.toPull(bytes), this.scope),
      (pull) =>
        this.opened = Effect.matchEffect(pull, {
          onSuccess: (chunk) => Effect.succeed(Chunk.toReadonlyArray(chunk)),
          onFailure: (error) => error._tag === "None" ? Effect.succeed(undefined) : Effect.fail(error.value)
        })
    )
  }
}

/** Sends requests over the program's `HttpClient`, with everything that the program has added to it. */
export const make = (
  httpClient: HttpClient.HttpClient,
  requestInit: RequestInit | undefined
): Transport => {
  const client = HttpClient.withScope(httpClient)
  const services = Context.make(FetchHttpClient.RequestInit, { ...requestInit, redirect: "manual" })
  let last = { url: "", headers: {}, request: HttpClientRequest.post("") }

  const requestOf = ({ body, headers, url }: Outgoing): HttpClientRequest.HttpClientRequest => {
    if (body === undefined) return HttpClientRequest.setHeaders(HttpClientRequest.get(url), headers)
    // A provider sends most requests to the same address with the same headers.
    if (last.url !== url || last.headers !== headers) {
      last = { url, headers, request: HttpClientRequest.setHeaders(HttpClientRequest.post(url), headers) }
    }
    return HttpClientRequest.bodyText(last.request, body, headers["content-type"])
  }

  /** Has to run in an uninterruptible region; `restore` lets the request be interrupted. */
  const send = (outgoing: Outgoing, scope: Scope.Scope, restore: Restore): Effect.Effect<ClientAnswer, Reason> => {
    // The settings provide the scope.
    const execute = client.execute(requestOf(outgoing)) as Executed
    return FiberSettings.matchWith(restore(execute), {
      services: Context.add(services, Scope.Scope, scope),
      refs: untraced,
      onSuccess: (response) => Effect.succeed(new ClientAnswer(response, scope)),
      onFailure: (cause) =>
        Effect.catchAll(Effect.failCause(cause), (error) =>
          // The error of a client that fails on a status has the answer.
          isStatusError(error)
            ? Effect.succeed(new ClientAnswer(error.response, scope))
            : Effect.fail(reasonOf(error)))
    })
  }

  return {
    exchange: (outgoing, use) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Scope.make(), (scope) => {
          let answer: ClientAnswer | undefined
          return Effect.matchCauseEffect(
            Effect.flatMap(send(outgoing, scope, restore), (incoming) => restore(use(answer = incoming))),
            {
              onSuccess: (value) =>
                answer?.ended === true
                  ? Effect.succeed(value)
                  : Effect.as(Scope.close(scope, Exit.succeed(value)), value),
              onFailure: (cause) => Effect.zipRight(Scope.close(scope, Exit.failCause(cause)), Effect.failCause(cause))
            }
          )
        })
      ),
    open: (outgoing) =>
      Effect.uninterruptibleMask((restore) => Effect.flatMap(Effect.scope, (scope) => send(outgoing, scope, restore)))
  }
}

type Executed = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

type Restore = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

// The client's span for the model needs none inside it that records all headers.
const untraced = [
  FiberSettings.setting(HttpClient.currentTracerDisabledWhen, () => true),
  FiberSettings.setting(HttpClient.currentTracerPropagation, false)
]
