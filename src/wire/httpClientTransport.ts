import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import type { Predicate } from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { MalformedResponse, type Reason } from "../domain/LlmError.js"
import { networkFailure, unsendable } from "./networkFailure.js"
import { type Headers, type Incoming, type Outgoing, readUpTo, type Text, type Transport } from "./transport.js"

const reasonOf = (error: HttpClientError.HttpClientError): Reason => {
  if (error.reason === "Encode" || error.reason === "InvalidUrl") return unsendable()
  // How `fetch` tells of status 204, which allows no body.
  if (error.reason === "EmptyBody") return MalformedResponse.make({ message: "the answer is empty" })
  return networkFailure(error.cause)
}

const isStatusError = (error: HttpClientError.HttpClientError): error is HttpClientError.ResponseError =>
  error._tag === "ResponseError" && error.reason === "StatusCode"

/** A body whose length is given in advance cannot be longer; compressed, it can. */
const knownToFit = (headers: Headers, limit: number): boolean => {
  const length = headers["content-length"]
  const encoding = headers["content-encoding"]
  return length !== undefined && Number(length) <= limit && (encoding === undefined || encoding === "identity")
}

/** An answer of the client. */
class ClientAnswer implements Incoming {
  /** Whether the body has been read to its end: there is nothing left to abort. */
  ended = false
  readonly status: number
  readonly headers: Headers

  constructor(readonly response: HttpClientResponse.HttpClientResponse, readonly scope: Scope.Scope) {
    this.status = response.status
    this.headers = response.headers
  }

  readonly text: Incoming["text"] = (limit) => {
    const read = knownToFit(this.headers, limit)
      ? Effect.mapBoth(this.response.text, {
        onSuccess: (text): Text => ({ text, whole: true }),
        onFailure: reasonOf
      })
      : readUpTo(this.pull, limit)
    return Effect.map(read, (text) => {
      this.ended = text.whole
      return text
    })
  }

  readonly pull: Incoming["pull"] = Effect.suspend(() => this.opened ?? this.openBody)

  private opened: Incoming["pull"] | undefined

  private get openBody(): Incoming["pull"] {
    // What the runtime logs of a body that fails is a reason: an error of the client holds the request and its headers.
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

/** Carries requests over the program's `HttpClient`, with all that the program has put around it. */
export const make = (
  httpClient: HttpClient.HttpClient,
  requestInit: RequestInit | undefined
): Transport => {
  const client = HttpClient.withScope(httpClient)
  const fetchOptions: RequestInit = { ...requestInit, redirect: "manual" }
  let last = { url: "", headers: {}, request: HttpClientRequest.post("") }

  const requestOf = ({ body, headers, url }: Outgoing): HttpClientRequest.HttpClientRequest => {
    // A provider goes to the same address with the same headers again and again.
    if (last.url !== url || last.headers !== headers) {
      last = { url, headers, request: HttpClientRequest.setHeaders(HttpClientRequest.post(url), headers) }
    }
    return HttpClientRequest.bodyText(last.request, body, "application/json")
  }

  const send = (outgoing: Outgoing, scope: Scope.Scope): Effect.Effect<ClientAnswer, Reason> =>
    Effect.matchEffect(told(client.execute(requestOf(outgoing)), scope, fetchOptions), {
      onSuccess: (response) => Effect.succeed(new ClientAnswer(response, scope)),
      // A client that fails on a status has the answer at hand.
      onFailure: (error) =>
        isStatusError(error)
          ? Effect.succeed(new ClientAnswer(error.response, scope))
          : Effect.fail(reasonOf(error))
    })

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

/**
 * Runs what the client does with what it has to be told: its scope, options for `fetch`, and to leave the tracing to the
 * client of the model, whose span needs none on top that dumps all headers. All at once: a region of its own for each
 * would cost more than the request.
 */
const told = <A, E>(
  execute: Effect.Effect<A, E, Scope.Scope>,
  scope: Scope.Scope,
  fetchOptions: RequestInit
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((fiber) => {
      const before = [
        fiber.currentContext,
        fiber.getFiberRef(HttpClient.currentTracerDisabledWhen),
        fiber.getFiberRef(HttpClient.currentTracerPropagation)
      ] as const
      const context = before[0].pipe(
        Context.add(Scope.Scope, scope),
        Context.add(FetchHttpClient.RequestInit, fetchOptions)
      )
      // The scope is in the context from here on.
      const run = execute as Effect.Effect<A, E>
      return Effect.zipRight(
        tell(context, always, false),
        Effect.onExit(restore(run), () => tell(...before))
      )
    })
  )

const always = () => true

const tell = (
  context: Context.Context<never>,
  tracerDisabled: Predicate<HttpClientRequest.HttpClientRequest>,
  tracerPropagates: boolean
): Effect.Effect<void> =>
  Effect.zipRight(
    FiberRef.set(FiberRef.currentContext, context),
    Effect.zipRight(
      FiberRef.set(HttpClient.currentTracerDisabledWhen, tracerDisabled),
      FiberRef.set(HttpClient.currentTracerPropagation, tracerPropagates)
    )
  )
