/**
 * A local HTTP server that speaks the protocols of the providers and follows a plan of faults, for clients in any
 * language.
 *
 * It speaks five protocols, streamed and not, with the embeddings of three and the batches of four, under any prefix of
 * the path:
 *
 * - OpenAI Chat Completions: `…/chat/completions`
 * - OpenAI Responses: `…/responses`, which stores its latest thousand answers unless `store` is false. Background
 *   answers are at `…/responses/{id}`, streamed after an event (`?stream=true&starting_after=3`) or whole, and are
 *   stopped at `…/responses/{id}/cancel`
 * - Anthropic Messages: `…/v1/messages`, and on Vertex `…/publishers/anthropic/models/{model}:rawPredict` and
 *   `:streamRawPredict`
 * - Gemini: `…/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`
 * - Ollama: `…/api/chat`
 * - Embeddings: `…/embeddings` (OpenAI), `…/models/{model}:embedContent` and `:batchEmbedContents` (Gemini), `…/api/embed`
 *   (Ollama)
 * - Models: `GET …/models` (OpenAI, Anthropic, Gemini), `GET …/api/tags` (Ollama)
 * - Token counts: `…/responses/input_tokens`, `…/v1/messages/count_tokens` (on Vertex
 *   `…/models/count-tokens:rawPredict`), `…/models/{model}:countTokens`
 * - Batches: `…/files` and `…/batches` (OpenAI, for Responses, Chat Completions and embeddings), `…/v1/messages/batches`
 *   (Anthropic), `…/models/{model}:batchGenerateContent`, `…/batches` and the files for them (Gemini). Each request of a batch
 *   meets the fault that the plan has for it: an error of the service is its result, `silence` makes it expire, and any other
 *   is an error 500
 *
 * `GET /_simulator/log` gives the received requests as JSON. Pages of any origin may use the simulator (CORS).
 *
 * It checks requests as the services do, and answers invalid ones with their errors. A streamed answer is the whole answer
 * in pieces: texts are cut at words, and the JSON of tool calls is cut where the service cuts it. Its model is
 * deterministic; it answers
 *
 * 1. with calls of the tools that the request requires or that the last user message names, whose arguments fit their
 *    schemas;
 * 2. with JSON that fits the schema of a structured answer;
 * 3. to a prompt that begins with `Echo:`, with the rest of the prompt;
 * 4. otherwise with a summary: the one or two sentences of the prompt whose words are the most frequent.
 *
 * A service runs its own tool that the request requires, or those that the last user message names, in each protocol
 * that has them: `web_search`, `web_fetch` (Messages, Gemini; a page whose address is in the message),
 * `code_execution`, `file_search` (Responses), `mcp` (Responses, Messages). The answer comes with the call and its
 * result, and cites what was found. A call of an MCP tool waits for the program's approval if the service does
 * (Responses).
 *
 * The vectors of texts with common words are close to each other.
 *
 * One token is four bytes of UTF-8, rounded up; an image or a file counts as 256 tokens. If a request makes the model
 * think, it has one short thought. All waits are on the Clock that the layer was built with.
 *
 * @since 0.1.0
 */
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Check from "../internal/check.js"
import * as ServerConnections from "../wire/serverConnections.js"
import * as Plans from "./simulator/faultPlans.js"
import * as Journal from "./simulator/journal.js"
import * as Model from "./simulator/model.js"
import type * as Prompts from "./simulator/prompt.js"
import { counting, makeApp } from "./simulator/server.js"
import type * as ServerTools from "./simulator/serverTools.js"

export { always, type Attempt, type FaultPlan, none, perPrompt, random, sequence } from "./simulator/faultPlans.js"

export {
  byteByByte,
  crlfLines,
  cut,
  cutStream,
  describe,
  doneWithoutFinish,
  duplicateStart,
  emptyBody,
  endStream,
  errorEvent,
  type Fault,
  faults,
  halfJson,
  html,
  keepAlives,
  noTerminalMarker,
  ok,
  quota,
  redirect,
  reset,
  silence,
  slowBody,
  stalledBody,
  stalledStream,
  status,
  type StatusOptions,
  type StreamPlace,
  toolError
} from "./simulator/faults.js"

/**
 * A request that the simulator received.
 *
 * @since 0.1.0
 * @category models
 */
export type ReceivedRequest = Journal.ReceivedRequest

/**
 * How a request ended.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = Journal.Outcome

/**
 * A valid request in any protocol, for an `answer` function.
 *
 * @since 0.1.0
 * @category models
 */
export type Prompt = Prompts.Prompt

/**
 * The answer of a model. The stop texts and the token limit of the request are applied to it.
 *
 * @since 0.1.0
 * @category models
 */
export type Answer = Prompts.Answer

/**
 * A tool that the service ran, and its result.
 *
 * @since 0.1.0
 * @category models
 */
export type ServerRun = ServerTools.ServerRun

/**
 * The service of a running simulator.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Its address, without a slash at the end: `http://127.0.0.1:49152`. */
  readonly url: string
  /** The requests that it received, in order. */
  readonly requests: Effect.Effect<ReadonlyArray<ReceivedRequest>>
  /** Waits until a predicate holds for the requests. (A server may notice a closed connection later than its client.) */
  readonly awaitRequests: (
    predicate: (requests: ReadonlyArray<ReceivedRequest>) => boolean
  ) => Effect.Effect<ReadonlyArray<ReceivedRequest>>
  /** Follows another plan from now on. Its counts start at 0. */
  readonly setFaults: (plan: Plans.FaultPlan) => Effect.Effect<void>
  /** Clears all requests and stored answers, and restarts the plan of the layer's options. */
  readonly reset: Effect.Effect<void>
}

/**
 * A running simulator.
 *
 * @since 0.1.0
 * @category services
 */
export class Simulator extends Context.Tag("effect-llm/testing/Simulator")<Simulator, Service>() {}

/**
 * The behaviour of a simulator.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The plan of faults. Default: none. */
  readonly faults?: Plans.FaultPlan | undefined
  /** The wait before an answer or a fault. Default: none. */
  readonly latency?: Duration.DurationInput | undefined
  /** The wait before each event of a streamed answer. Default: none, they are sent at once. */
  readonly pace?: Duration.DurationInput | undefined
  /**
   * The time until a background answer is ready, if it is asked for whole. Default: none, it is ready when it is first
   * asked for.
   */
  readonly background?: Duration.DurationInput | undefined
  /**
   * The duration of a batch, during which its requests are answered one after the other. Default: none, it has ended
   * when it is first asked for.
   */
  readonly batch?: Duration.DurationInput | undefined
  /** The key that requests must have. Default: any key, or none. */
  readonly apiKey?: Redacted.Redacted | string | undefined
  /** The model. Default: `answer`. */
  readonly answer?: ((prompt: Prompt) => string | Answer) | undefined
  /** The number of latest requests that it records. Default: 10,000. */
  readonly history?: number | undefined
}

/**
 * The default model, for use in an `answer` function.
 *
 * @since 0.1.0
 * @category models
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({
 *   answer: (prompt) => prompt.text.includes("lake") ? "Müritz" : Simulator.answer(prompt)
 * })
 * ```
 */
export const answer: (prompt: Prompt) => Answer = Model.answer

const urlOf = (address: HttpServer.Address): Effect.Effect<string> => {
  if (address._tag === "UnixAddress") {
    return Effect.dieMessage("The simulator needs a server that listens on a TCP port")
  }
  const { hostname, port } = address
  const host = hostname === "0.0.0.0" || hostname === "::" || hostname === "localhost" ? "127.0.0.1" : hostname
  return Effect.succeed(`http://${host.includes(":") ? `[${host}]` : host}:${port}`)
}

/**
 * Starts a simulator on the `HttpServer` of the environment. When its scope closes, open connections are reset. An
 * invalid option is a defect.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Simulator } from "effect-llm/testing"
 *
 * const url = Effect.map(Simulator.make({ latency: "20 millis" }), (simulator) => simulator.url)
 * ```
 */
export const make = (
  options: Options = {}
): Effect.Effect<Service, never, HttpServer.HttpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* HttpServer.HttpServer
    const url = yield* urlOf(server.address)
    const journal = Journal.make(Check.integer("history", options.history ?? 10_000, 1))
    const closed = yield* Deferred.make<void>()
    const connections = ServerConnections.make()
    const plan = options.faults ?? Plans.none
    let decide = counting(plan)
    const { app, forget } = makeApp({
      answer: options.answer ?? answer,
      apiKey: typeof options.apiKey === "string" ? Redacted.make(options.apiKey) : options.apiKey,
      closed: Deferred.await(closed),
      connections,
      decide: (prompt) => decide(prompt),
      journal,
      latency: Check.duration("latency", options.latency ?? 0),
      pace: Check.duration("pace", options.pace ?? 0),
      background: Check.duration("background", options.background ?? 0),
      batch: Check.duration("batch", options.batch ?? 0)
    })
    yield* server.serve(app)
    yield* Effect.addFinalizer(() =>
      Deferred.succeed(closed, undefined).pipe(
        // Requests in flight reset their own connections.
        Effect.zipRight(Effect.yieldNow()),
        Effect.zipRight(connections.close)
      )
    )
    const setFaults = (plan: Plans.FaultPlan) =>
      Effect.sync(() => {
        decide = counting(plan)
      })
    return {
      url,
      requests: journal.requests,
      awaitRequests: journal.await,
      setFaults,
      reset: Effect.all([journal.clear, forget, setFaults(plan)], { discard: true })
    }
  })

/**
 * Runs a simulator on the `HttpServer` of the environment, for as long as the layer lives. An invalid option is a
 * defect.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Simulator } from "effect-llm/testing"
 * import { createServer } from "node:http"
 *
 * const SimulatorLive = Simulator.layer({
 *   faults: Simulator.perPrompt([Simulator.status(429, { retryAfter: "1 second" }), Simulator.reset]),
 *   latency: "20 millis"
 * }).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const simulator = yield* Simulator.Simulator
 *   yield* Effect.log(`Point an OpenAI client at ${simulator.url}/v1, any other at ${simulator.url}`)
 *   return yield* simulator.requests
 * }).pipe(Effect.provide(SimulatorLive))
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<Simulator, never, HttpServer.HttpServer> =>
  Layer.scoped(Simulator, make(options)).pipe(
    // Its spans would mix with those of the program under test.
    HttpMiddleware.withTracerDisabledWhen(() => true)
  )

/**
 * The requests that the simulator received, in order.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Simulator } from "effect-llm/testing"
 *
 * const faults = Effect.map(Simulator.requests, (requests) => requests.map((request) => request.fault))
 * ```
 */
export const requests: Effect.Effect<ReadonlyArray<ReceivedRequest>, never, Simulator> = Effect.flatMap(
  Simulator,
  (simulator) => simulator.requests
)

/**
 * Makes the simulator follow another plan from now on. Its counts start at 0.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const outage = Simulator.setFaults(Simulator.always(Simulator.status(503)))
 * ```
 */
export const setFaults = (plan: Plans.FaultPlan): Effect.Effect<void, never, Simulator> =>
  Effect.flatMap(Simulator, (simulator) => simulator.setFaults(plan))
