import type * as HttpClient from "@effect/platform/HttpClient"
import { assert } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { client, serve, type Transport, transports } from "./overHttp.js"

/** An answer of a service: its JSON, or its events as text. A text of JSON is sent as it is. */
export interface Odd {
  readonly json?: unknown
  readonly events?: string
  readonly status?: number
  readonly contentType?: string
}

type Outcome = Either.Either<LlmResponse.LlmResponse, LlmError.LlmError>

/** The outcomes of a call and of a stream, and of the same call once more, which the cache may answer. */
export interface Outcomes {
  readonly call: Outcome
  readonly again: Outcome
  readonly stream: Outcome
  /** How many requests each of the first two calls took. */
  readonly requests: readonly [call: number, again: number]
  readonly bodies: ReadonlyArray<{ readonly [field: string]: unknown }>
}

const body = ({ events, json }: Odd): string => events ?? (typeof json === "string" ? json : JSON.stringify(json))

/** Asks a service that answers calls and streams in an odd way, over real HTTP and without retries. */
export const outcomesOf = (
  providerAt: (url: string) => Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>,
  request: LlmRequest.Input,
  answers: { readonly call: Odd; readonly stream?: Odd },
  transport: Transport = "fetch"
): Effect.Effect<Outcomes> =>
  Effect.gen(function*() {
    const server = yield* serve((response, received) => {
      const streams = received.url.includes("alt=sse") || JSON.parse(received.body).stream === true
      const answer = streams ? answers.stream ?? answers.call : answers.call
      const type = answer.contentType ?? (answer.events === undefined ? "application/json" : "text/event-stream")
      response.writeHead(answer.status ?? 200, { "content-type": type }).end(body(answer))
    })
    const made = yield* client({
      provider: providerAt(server.url),
      transport: transports[transport],
      client: { retry: { times: 0 } }
    })
    const call = yield* Effect.either(made.client.call(request))
    const first = server.requests.length
    const again = yield* Effect.either(made.client.call(request))
    const second = server.requests.length - first
    const parts = yield* Effect.either(Stream.runCollect(made.client.stream(request, { cache: "bypass" })))
    const stream = Either.map(parts, (parts) => {
      const last = [...parts].at(-1)
      assert(last?._tag === "Finish")
      return last.response
    })
    return {
      call,
      again,
      stream,
      requests: [first, second] as const,
      bodies: server.requests.map(({ body }) => JSON.parse(body))
    }
  }).pipe(Effect.scoped)

/** The answer, which is the same over a call and a stream. */
export const sameAnswer = ({ call, stream }: Outcomes): LlmResponse.LlmResponse => {
  assert(Either.isRight(call), `the call failed: ${Either.isLeft(call) ? call.left.message : ""}`)
  assert(Either.isRight(stream), `the stream failed: ${Either.isLeft(stream) ? stream.left.message : ""}`)
  assert.deepStrictEqual(stream.right.parts, call.right.parts)
  assert.strictEqual(stream.right.finishReason, call.right.finishReason)
  return call.right
}

/** The reason of the failure, which is the same over a call and a stream. */
export const sameFailure = ({ call, stream }: Outcomes): LlmError.Reason => {
  assert(Either.isLeft(call), "the call succeeded")
  assert(Either.isLeft(stream), "the stream succeeded")
  assert.strictEqual(stream.left.reason._tag, call.left.reason._tag, stream.left.message)
  return call.left.reason
}
