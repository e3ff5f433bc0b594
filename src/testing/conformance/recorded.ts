import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LlmRequest from "../../domain/LlmRequest.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import { canonicalJson } from "../../internal/canonicalJson.js"
import * as LlmCache from "../../LlmCache.js"
import * as LlmClient from "../../LlmClient.js"
import * as LlmLogger from "../../LlmLogger.js"
import * as LlmProvider from "../../LlmProvider.js"
import { decode, expect, finished, run, same, show, Violation } from "./check.js"

/**
 * A recorded answer of a service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recording {
  /** A few words for the names of the checks. */
  readonly name: string
  /** The request that was answered. */
  readonly request: LlmRequest.Input
  /** The body of the answer in one piece. */
  readonly body: { readonly [field: string]: unknown }
  /** The body of the same answer as a stream: server-sent events, or JSON by lines. Default: no stream is checked. */
  readonly stream?: string | undefined
  /** The blocks that have to be in the next request, each with the same JSON as in the answer, in this order. */
  readonly blocks: ReadonlyArray<unknown>
}

/**
 * A check of a recorded answer. It needs no network.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecordedCheck {
  /** The promise, in a few words. */
  readonly name: string
  readonly check: Effect.Effect<void, Violation>
}

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

const pieceLength = 7

/** A body in pieces that ignore all boundaries. */
const inPieces = (text: string): ReadableStream<Uint8Array> => {
  const bytes = new TextEncoder().encode(text)
  let from = 0
  return new ReadableStream({
    pull: (controller) => {
      if (from >= bytes.length) return controller.close()
      controller.enqueue(bytes.slice(from, from + pieceLength))
      from += pieceLength
    }
  })
}

const streamResponse = (text: string): Response =>
  new Response(inPieces(text), {
    headers: { "content-type": text.trimStart().startsWith("{") ? "application/x-ndjson" : "text/event-stream" }
  })

const wholeResponse = (body: unknown): Response =>
  new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } })

/** A service that gives one answer again and again, and remembers the bodies of requests. */
const service = (answer: () => Response) => {
  const sent: Array<unknown> = []
  const client = HttpClient.make((request) =>
    Effect.sync(() => {
      const { body } = request
      sent.push(body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(body.body)) : undefined)
      return HttpClientResponse.fromWeb(request, answer())
    })
  )
  return { sent, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

const comparable = (value: unknown): string => canonicalJson(JSON.parse(JSON.stringify(value) ?? "null"))

/** The blocks that are not in a value, in their order. */
const missing = (value: unknown, blocks: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  const left = blocks.map(comparable)
  const look = (value: unknown): void => {
    if (left.length > 0 && comparable(value) === left[0]) left.shift()
    else if (typeof value === "object" && value !== null) { for (const inner of Object.values(value)) look(inner) }
  }
  look(value)
  return left
}

const failed = (error: { readonly message: string }): Violation =>
  new Violation({ expected: "an answer", actual: error.message })

/** The conversation after an answer. */
const after = (request: LlmRequest.LlmRequest, response: LlmResponse.LlmResponse): LlmRequest.Input => {
  const { prompt: _, ...fields } = request
  const results = response.toolCalls.map(({ id, name }) => ({ _tag: "ToolResult" as const, id, name, result: "done" }))
  const [first, ...others] = results
  return {
    ...fields,
    messages: [
      ...request.messages,
      response.message,
      first === undefined
        ? { role: "user", content: "Go on." }
        : { role: "tool", content: [first, ...others] }
    ]
  }
}

const withProvider = <A>(
  layer: ProviderLayer,
  answer: () => Response,
  use: (provider: LlmProvider.Service, sent: ReadonlyArray<unknown>) => Effect.Effect<A, Violation>
): Effect.Effect<A, Violation> =>
  Effect.scoped(Effect.suspend(() => {
    const { layer: http, sent } = service(answer)
    return Effect.flatMap(
      Layer.build(Layer.provide(layer, http)),
      (context) => use(Context.get(context, LlmProvider.LlmProvider), sent)
    )
  }))

/**
 * The checks of a recorded answer, for the provider whose service gave it: over a call and over a stream, which comes in
 * pieces of a few bytes, each block that came goes back equal as JSON and in its place; both have the same parts; and a
 * cache holds the answer with all of its blocks, or not at all.
 *
 * @since 0.1.0
 * @category checks
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Redacted } from "effect"
 * import { OpenAi } from "effect-llm"
 * import { Conformance } from "effect-llm/testing"
 *
 * const search = { type: "web_search_call", id: "ws_1", status: "completed" }
 *
 * const checks = Conformance.recorded(OpenAi.layer({ apiKey: Redacted.make("sk-none") }), {
 *   name: "a search",
 *   request: { model: "gpt-5.6", prompt: "Which river?" },
 *   body: { id: "resp_1", status: "completed", output: [search] },
 *   blocks: [search]
 * })
 *
 * for (const { check, name } of checks) it.effect(name, () => check)
 * ```
 */
export const recorded = (provider: ProviderLayer, recording: Recording): ReadonlyArray<RecordedCheck> => {
  const { blocks, body, name, request, stream } = recording

  const called = withProvider(
    provider,
    () => wholeResponse(body),
    (provider) => Effect.flatMap(decode(request), provider.call).pipe(Effect.mapError(failed))
  )

  const streamedFrom = (text: string) =>
    withProvider(
      provider,
      () => streamResponse(text),
      (provider) =>
        Effect.flatMap(decode(request), (request) => Effect.flatMap(run(provider.stream(request)), finished))
    )

  /** Continues the conversation, and inspects the request. */
  const goesBack = (response: LlmResponse.LlmResponse) =>
    withProvider(provider, () => wholeResponse(body), (provider, sent) =>
      Effect.gen(function*() {
        const next = yield* decode(after(yield* decode(request), response))
        yield* Effect.mapError(provider.call(next), failed)
        const [first] = missing(sent[0], blocks)
        yield* expect(first === undefined, `each block in the next request, and this one next: ${first}`, show(sent[0]))
      }))

  const kept = withProvider(provider, () => wholeResponse(body), (provider, sent) =>
    Effect.gen(function*() {
      const context = yield* Layer.build(
        LlmClient.layer().pipe(
          Layer.provide([
            Layer.succeed(LlmProvider.LlmProvider, provider),
            LlmCache.layerMemory(),
            LlmLogger.layerSilent
          ])
        )
      )
      const { call } = Context.get(context, LlmClient.LlmClient)
      const first = yield* Effect.mapError(call(request), failed)
      const second = yield* Effect.mapError(call(request), failed)
      yield* same("the parts of the second answer", second.parts, first.parts)
      const isWhole = LlmResponse.isComplete(first)
      yield* same("the requests", sent.length, isWhole ? 1 : 2)
      yield* expect(second.raw === undefined || !isWhole, "no raw body in a cache", second.raw)
      yield* goesBack(second)
    }).pipe(Effect.scoped))

  return [
    { name: `call: each block of ${name} goes back as it came`, check: Effect.flatMap(called, goesBack) },
    { name: `cache: holds ${name} with each of its blocks, or not at all`, check: kept },
    ...stream === undefined ? [] : [
      {
        name: `stream: each block of ${name} goes back as it came`,
        check: Effect.flatMap(streamedFrom(stream), goesBack)
      },
      {
        name: `stream: gives the parts of ${name} that call gives`,
        check: Effect.flatMap(
          Effect.all([streamedFrom(stream), called]),
          ([streamed, called]) => same("the parts", streamed.parts, called.parts)
        )
      }
    ]
  ]
}
