import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

export { namedSse, sse } from "./events.js"

// ---------------------------------------------------------------------------------------------------------------------
// A service with a given answer
// ---------------------------------------------------------------------------------------------------------------------

type Json = { readonly [field: string]: unknown }

/** A request as the service received it. */
export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: Json
}

/** What the service answers: always the same, or by the request. */
export type Answer = Response | Effect.Effect<Response, HttpClientError.HttpClientError>
export type Service = Answer | ((sent: Sent, request: HttpClientRequest.HttpClientRequest) => Answer)

/** A service without a network, and what was sent to it. */
export const service = (answer: Service) => {
  const sent: Array<Sent> = []
  const client = HttpClient.make((request, url) => {
    const { body } = request
    assert(body._tag === "Uint8Array", "a request has a body of bytes")
    const received: Sent = {
      method: request.method,
      url: url.href,
      headers: { ...request.headers },
      body: JSON.parse(new TextDecoder().decode(body.body))
    }
    sent.push(received)
    const answered = typeof answer === "function"
      ? answer(received, request)
      : answer instanceof Response
      ? again(answer)
      : answer
    return Effect.map(
      answered instanceof Response ? Effect.succeed(answered) : answered,
      (response) => HttpClientResponse.fromWeb(request, response)
    )
  })
  return { sent, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

// A `Response` can be read once, and a clone of one cannot be left before its end: it is made again.
const recipes = new WeakMap<Response, () => Response>()

const again = (response: Response): Response => recipes.get(response)?.() ?? response.clone()

const repeatable = (make: () => Response): Response => {
  const response = make()
  recipes.set(response, make)
  return response
}

/** An answer of JSON. A `status` or headers can be given. */
export const json = (body: unknown, init?: ResponseInit): Response =>
  repeatable(() =>
    new Response(typeof body === "string" ? body : JSON.stringify(body), {
      ...init,
      headers: { "content-type": "application/json", ...init?.headers }
    })
  )

/** A network failure, as `fetch` of Node reports it. */
export const networkFailure = (
  request: HttpClientRequest.HttpClientRequest,
  code: string
): HttpClientError.RequestError =>
  new HttpClientError.RequestError({
    request,
    reason: "Transport",
    cause: new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) })
  })

// ---------------------------------------------------------------------------------------------------------------------
// Streams
// ---------------------------------------------------------------------------------------------------------------------

const encoder = new TextEncoder()

export const bytes = (text: string): Uint8Array => encoder.encode(text)

/** A stream that comes in these chunks and then ends; with `cut`, it breaks instead; with `open`, it stays silent. */
export const streaming = (
  chunks: ReadonlyArray<string | Uint8Array>,
  options: { readonly end?: "close" | "cut" | "open"; readonly contentType?: string; readonly headers?: Json } = {}
): Response => {
  const { contentType = "text/event-stream", end = "close", headers } = options
  const body = () => {
    let next = 0
    return new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const chunk = chunks[next++]
        if (chunk !== undefined) return controller.enqueue(typeof chunk === "string" ? bytes(chunk) : chunk)
        if (end === "close") return controller.close()
        if (end === "open") return new Promise(() => {})
        const broken = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" })
        return controller.error(new TypeError("terminated", { cause: broken }))
      }
      // Pulled ahead of the reader, an error would discard the chunk before it.
    }, { highWaterMark: 0 })
  }
  const init = { headers: { "content-type": contentType, ...headers } as Record<string, string> }
  return repeatable(() => new Response(body(), init))
}

// ---------------------------------------------------------------------------------------------------------------------
// A provider on such a service
// ---------------------------------------------------------------------------------------------------------------------

/** What came of a stream: its parts, and the failure that ended it, if one did. */
export interface Streamed {
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
  readonly error: LlmError.LlmError | undefined
}

export interface Provider {
  readonly sent: ReadonlyArray<Sent>
  readonly provider: LlmProvider.Service
  readonly call: (request: LlmRequest.Input) => Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>
  readonly stream: (request: LlmRequest.Input) => Effect.Effect<Streamed>
}

/** A service for each way in which a call can end. */
export const ends: { readonly [how: string]: Service } = {
  "succeeds": () =>
    Response.json({
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }]
    }),
  "fails on a status": () => Response.json({}, { status: 500 }),
  "fails in the connection": (_, request) => Effect.fail(networkFailure(request, "ECONNRESET")),
  "dies": () => Effect.die("a bug"),
  "is interrupted": () => Effect.interrupt
}

/** The provider of a layer, on a service with a given answer. */
export const provider = (
  layer: Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>,
  answer: Service
): Effect.Effect<Provider> =>
  Effect.gen(function*() {
    const fake = service(answer)
    const context = yield* Layer.build(Layer.provide(layer, fake.layer))
    const provider = Context.get(context, LlmProvider.LlmProvider)
    return {
      sent: fake.sent,
      provider,
      call: (request: LlmRequest.Input) => Effect.flatMap(LlmRequest.decode(request), provider.call),
      stream: (request: LlmRequest.Input) =>
        Effect.gen(function*() {
          const parts: Array<StreamPart.StreamPart> = []
          const exit = yield* Stream.fromEffect(LlmRequest.decode(request)).pipe(
            Stream.flatMap(provider.stream),
            Stream.runForEach((part) => Effect.sync(() => parts.push(part))),
            Effect.exit
          )
          if (Exit.isSuccess(exit)) return { parts, error: undefined }
          assert(exit.cause._tag === "Fail", `not a failure: ${exit.cause}`)
          return { parts, error: exit.cause.error }
        })
    }
  }).pipe(Effect.scoped)

/** The one `Finish` of a stream that came to its end. */
export const finished = ({ error, parts }: Streamed): LlmResponse.LlmResponse => {
  assert.isUndefined(error, `the stream failed: ${error?.message}`)
  assert.deepStrictEqual(parts.filter((part) => part._tag === "Finish").length, 1)
  const last = parts.at(-1)
  assert(last?._tag === "Finish")
  return last.response
}

/** The text that a stream gave before it ended, however it ended. */
export const textOf = ({ parts }: Streamed): string =>
  parts.map((part) => part._tag === "TextDelta" ? part.text : "").join("")

/** The reason of a failure, which must be of this kind. */
export const reasonOf = <Tag extends LlmError.ReasonTag>(
  error: LlmError.LlmError | undefined,
  tag: Tag
): LlmError.ReasonOf<Tag> => {
  assert.deepStrictEqual(error?.reason._tag, tag, error?.message)
  return error?.reason as LlmError.ReasonOf<Tag>
}
