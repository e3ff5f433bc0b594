/**
 * A local HTTP server that speaks the protocols of the providers and follows a plan of faults: any client, in any
 * language, can be pointed at it.
 *
 * It speaks five protocols behind any prefix, each whole and streamed:
 *
 * - OpenAI Chat Completions: `…/chat/completions`
 * - OpenAI Responses: `…/responses`, which remembers its latest thousand answers unless `store` is false
 * - Anthropic Messages: `…/v1/messages`
 * - Gemini: `…/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`
 * - Ollama: `…/api/chat`
 *
 * `GET /_simulator/log` gives the requests that it received, as JSON.
 *
 * It checks requests as the services do, and answers wrong ones with their errors. A streamed answer is the whole one in
 * pieces: its texts are cut at words, the JSON of tool calls in fragments where the service does so. Its model is
 * deterministic: the same prompt always gets the same answer, namely
 *
 * 1. calls of the tools that the request requires or that the last user message names, with arguments that fit their
 *    schemas;
 * 2. JSON that fits the schema of a structured answer;
 * 3. for a prompt that begins with `Echo:`, the rest of the prompt;
 * 4. otherwise a summary: the one or two sentences of the prompt whose words are the most frequent.
 *
 * One token is four bytes of UTF-8, rounded up; an image or a file counts 256 tokens. A model that is to think has one
 * short thought. Whatever takes time takes it on the Clock that the layer was built with.
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
import { makeConnections } from "./simulator/connection.js"
import * as Plans from "./simulator/faultPlans.js"
import * as Journal from "./simulator/journal.js"
import * as Model from "./simulator/model.js"
import type * as Prompts from "./simulator/prompt.js"
import { counting, makeApp } from "./simulator/server.js"

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
  type StreamPlace
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
 * A valid request, whatever its protocol: what an `answer` function is given.
 *
 * @since 0.1.0
 * @category models
 */
export type Prompt = Prompts.Prompt

/**
 * What a model answers. Stop texts and the token limit of the request are applied to it.
 *
 * @since 0.1.0
 * @category models
 */
export type Answer = Prompts.Answer

/**
 * What a running simulator offers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Where it listens, without a slash at the end: `http://127.0.0.1:49152`. Base URLs are made of it. */
  readonly url: string
  /** The requests that it received, in their order. */
  readonly requests: Effect.Effect<ReadonlyArray<ReceivedRequest>>
  /** Waits until the requests are as wanted: a server may notice later than its client that a connection is gone. */
  readonly awaitRequests: (
    predicate: (requests: ReadonlyArray<ReceivedRequest>) => boolean
  ) => Effect.Effect<ReadonlyArray<ReceivedRequest>>
  /** Follows another plan from now on. Its counts begin anew. */
  readonly setFaults: (plan: Plans.FaultPlan) => Effect.Effect<void>
  /** Forgets all requests and answers, and begins the plan of the layer's options anew. */
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
 * How a simulator behaves.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** What goes wrong. Default: nothing. */
  readonly faults?: Plans.FaultPlan | undefined
  /** How long it thinks before it answers or fails. Default: not at all. */
  readonly latency?: Duration.DurationInput | undefined
  /** How long each event of a streamed answer takes. Default: they come all at once. */
  readonly pace?: Duration.DurationInput | undefined
  /** The key that requests must bring. Default: none is asked for. */
  readonly apiKey?: Redacted.Redacted | string | undefined
  /** What the model answers. Default: see `answer`. */
  readonly answer?: ((prompt: Prompt) => string | Answer) | undefined
  /** How many requests it remembers, the latest ones. Default: 10,000. */
  readonly history?: number | undefined
}

/**
 * What the model answers when nothing else is asked for, for use in an `answer` function of your own.
 *
 * @since 0.1.0
 * @category models
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
 * Starts a simulator on the `HttpServer` of the environment. Whatever is still open when its scope closes is cut off.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Service, never, HttpServer.HttpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* HttpServer.HttpServer
    const url = yield* urlOf(server.address)
    const journal = Journal.make(Check.integer("history", options.history ?? 10_000, 1))
    const closed = yield* Deferred.make<void>()
    const connections = makeConnections()
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
      pace: Check.duration("pace", options.pace ?? 0)
    })
    yield* server.serve(app)
    yield* Effect.addFinalizer(() =>
      Deferred.succeed(closed, undefined).pipe(
        // What is under way breaks its own connection.
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
 * Starts a simulator on the `HttpServer` of the environment, for as long as the layer lives.
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
    // Its spans would stand among those of the program that is being tested.
    HttpMiddleware.withTracerDisabledWhen(() => true)
  )

/**
 * The requests that the simulator received, in their order.
 *
 * @since 0.1.0
 * @category accessors
 */
export const requests: Effect.Effect<ReadonlyArray<ReceivedRequest>, never, Simulator> = Effect.flatMap(
  Simulator,
  (simulator) => simulator.requests
)

/**
 * Has the simulator follow another plan from now on.
 *
 * @since 0.1.0
 * @category accessors
 */
export const setFaults = (plan: Plans.FaultPlan): Effect.Effect<void, never, Simulator> =>
  Effect.flatMap(Simulator, (simulator) => simulator.setFaults(plan))
