import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as CacheKey from "effect-llm/CacheKey"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type Protocol, protocols, type Recording } from "../support/recordings.js"
import { overSockets } from "./bytes.js"
import { alone, mixed, named } from "./requests.js"
import { schemas, tools } from "./schemas.js"
import { failures, type Service, services } from "./services.js"

/** What is compared: by its name, the key of a request, what a service got, and what the library made of its answer. */
export interface Line {
  readonly name: string
  readonly value: unknown
}

// ---------------------------------------------------------------------------------------------------------------------
// A service that keeps what it gets
// ---------------------------------------------------------------------------------------------------------------------

/** Headers of the platform's own spans, by chance. */
const ofSpans = ["b3", "traceparent"]

const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest): unknown =>
  body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : body._tag

const keeping = (answer: () => Response) => {
  const sent: Array<unknown> = []
  const client = HttpClient.make((request, url) => {
    sent.push({
      method: request.method,
      url: url.href,
      headers: Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !ofSpans.includes(name)).sort(([a], [b]) => a < b ? -1 : 1)
      ),
      body: bodyOf(request)
    })
    return Effect.sync(() => HttpClientResponse.fromWeb(request, answer()))
  })
  return { sent, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) => () =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", ...headers }
  })

const stream = ({ contentType }: Protocol, { stream }: Recording) => () =>
  new Response(stream, { headers: { "content-type": contentType } })

// ---------------------------------------------------------------------------------------------------------------------
// Outcomes as JSON
// ---------------------------------------------------------------------------------------------------------------------

const encodeResponse = Schema.encodeSync(LlmResponse.LlmResponse)
const encodeError = Schema.encodeSync(LlmError.LlmError)

/** Without the time that it took. */
const response = (response: LlmResponse.LlmResponse): unknown => {
  const { latency: _, ...fields } = encodeResponse(response)
  return fields
}

const error = (error: LlmError.LlmError): unknown => ({
  ...encodeError(error),
  message: error.message,
  isRetryable: error.isRetryable,
  canFailOver: error.canFailOver
})

const outcome = <A, R>(effect: Effect.Effect<A, LlmError.LlmError, R>, write: (value: A) => unknown) =>
  Effect.match(effect, { onFailure: (failure) => ({ failure: error(failure) }), onSuccess: write })

const parts = <R>(stream: Stream.Stream<{ readonly _tag: string }, LlmError.LlmError, R>) =>
  Effect.gen(function*() {
    const parts: Array<unknown> = []
    const ended = yield* outcome(
      Stream.runForEach(stream, (part) =>
        Effect.sync(() => {
          parts.push(
            "response" in part ? { ...part, response: response(part.response as LlmResponse.LlmResponse) } : part
          )
        })),
      () => "ended"
    )
    return { parts, ended }
  })

// ---------------------------------------------------------------------------------------------------------------------
// The transcript
// ---------------------------------------------------------------------------------------------------------------------

const lines: Array<Line> = []

const line = (value: unknown, ...name: ReadonlyArray<string>) =>
  Effect.sync(() => {
    lines.push({ name: name.join(" | "), value })
  })

const protocolOf = ({ protocol }: Service): Protocol => protocols.find(({ name }) => name === protocol)!

/** A provider on a service that gives one answer, and on the client over it. */
const on = (service: Service, answer: () => Response) =>
  Effect.gen(function*() {
    const { layer, sent } = keeping(answer)
    const context = yield* Layer.build(
      LlmClient.layer({ retry: false }).pipe(
        Layer.provideMerge(service.layer),
        Layer.provide([layer, LlmCache.layerNone, LlmLogger.layerSilent])
      )
    )
    const taken = Effect.sync(() => sent.splice(0))
    return {
      client: Context.get(context, LlmClient.LlmClient),
      provider: Context.get(context, LlmProvider.LlmProvider),
      taken
    }
  })

/** The key, or why there is none. */
const keyOf = (request: LlmRequest.LlmRequest, scope: CacheKey.Scope): string => {
  try {
    return CacheKey.make(request, scope)
  } catch (error) {
    return String(error)
  }
}

const called = Effect.fnUntraced(function*(service: Service, requests: ReadonlyArray<readonly [string, object]>) {
  const protocol = protocolOf(service)
  const { client, provider, taken } = yield* on(service, json(protocol.recordings[0]!.body))
  return yield* Effect.forEach(requests, ([name, fields]) =>
    Effect.gen(function*() {
      const request = { model: service.model, ...fields } as LlmRequest.Input
      const key = yield* outcome(
        LlmRequest.decode(request),
        (decoded) => keyOf(decoded, { provider: provider.name, endpoint: provider.endpoint, namespace: "n" })
      )
      const answer = yield* outcome(client.call(request), response)
      return { name, value: { key, sent: yield* taken, answer } }
    }))
})

const ofRequests = (name: string, service: Service) =>
  Effect.gen(function*() {
    const requests = [
      ...Object.entries(named),
      ...alone,
      ...mixed(60).map((request, n) => [`mixed ${n + 1}`, request] as const)
    ]
    for (const { name: request, value } of yield* called(service, requests)) yield* line(value, name, request)
  })

const ofAnswers = (name: string, service: Service) =>
  Effect.gen(function*() {
    const request = { model: service.model, prompt: "Go." }
    const protocol = protocolOf(service)
    for (const recording of protocol.recordings) {
      const whole = yield* on(service, json(recording.body, 200, { "x-request-id": "req_1" }))
      const answer = yield* Effect.option(whole.client.call(request))
      if (answer._tag === "Some") {
        yield* line(response(answer.value), name, "answer", recording.name)
        yield* whole.taken
        // What goes back of it with the next turn.
        const next = [
          { role: "user" as const, content: "Go." },
          answer.value.message,
          ...answer.value.toolCalls.map(({ id, name }) => ({
            role: "tool" as const,
            content: [{ _tag: "ToolResult" as const, id, name, result: "done" }] as const
          })),
          { role: "user" as const, content: "Go on." }
        ]
        yield* Effect.option(whole.client.call({ model: service.model, messages: next }))
        yield* line(yield* whole.taken, name, "next turn", recording.name)
      }
      const streamed = yield* on(service, stream(protocol, recording))
      const ended = yield* parts(streamed.client.stream(request))
      yield* line({ sent: yield* streamed.taken, ended }, name, "stream", recording.name)
      // Cut in the middle: what came of it is in the error.
      const cut = { ...recording, stream: recording.stream.slice(0, recording.stream.length / 2) }
      const broken = yield* on(service, stream(protocol, cut))
      yield* line(yield* parts(broken.client.stream(request)), name, "a stream that is cut", recording.name)
    }
    for (const [n, [status, body, headers]] of failures.entries()) {
      const failing = yield* on(service, json(body, status, headers))
      yield* line(yield* outcome(failing.client.call(request), response), name, `failure ${n + 1}`)
    }
  })

const ofSchemas = (name: string, service: Service) =>
  Effect.gen(function*() {
    const { client, taken } = yield* on(service, json(protocolOf(service).recordings[0]!.body))
    const request = { model: service.model, prompt: "Go." }
    for (const [schema, value] of Object.entries(schemas)) {
      const outcomes = []
      for (const mode of ["auto", "native", "tool", "json", "prompt"] as const) {
        const options = mode === "auto" ? { reask: 0 } : { reask: 0, mode }
        const failed = yield* outcome(
          Effect.asVoid(client.object(value, request, options)),
          () => "a value"
        )
        outcomes.push({ mode, sent: yield* taken, failed: tagOf(failed) })
      }
      yield* line(outcomes, name, "schema", schema)
    }
    yield* Effect.ignore(client.runTools(request, tools, { maxSteps: 1 }))
    yield* line(yield* taken, name, "tools")
  })

/** The texts of issues are those of each Effect. */
const tagOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "failure" in value
    ? (value.failure as { readonly reason: { readonly _tag: string } }).reason._tag
    : value

const ofOthers = (name: string, service: Service) =>
  Effect.gen(function*() {
    const { client, taken } = yield* on(service, json({ id: "x" }))
    const { embeddingModel: model } = service
    if (model !== undefined) {
      yield* Effect.ignore(client.embed({ model, input: ["Elbe", "Grüße, 世界"], dimensions: 8 }))
      yield* line(yield* taken, name, "embed")
    }
    yield* Effect.ignore(client.countTokens({ model: service.model, prompt: "Go.", system: "Be terse." }))
    yield* line(yield* taken, name, "countTokens")
    yield* Effect.ignore(Stream.runDrain(client.models()))
    yield* line(yield* taken, name, "models")
  })

/** All lines, of every service. */
export const transcript: Effect.Effect<ReadonlyArray<Line>> = Effect.gen(function*() {
  for (const [name, service] of Object.entries(services)) {
    for (const section of [ofRequests, ofAnswers, ofSchemas, ofOthers]) {
      yield* Effect.scoped(section(name, service))
    }
  }
  for (const [name, requests] of yield* overSockets) yield* line(requests, name)
  return lines
})
