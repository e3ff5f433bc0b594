/**
 * The client: one `call` that a program can trust. It checks the request, keeps to a deadline, asks the cache, shares
 * the run of equal calls, retries what can be retried, limits each attempt, and keeps the answer.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Attempts from "./client/attempts.js"
import * as CallPipeline from "./client/call.js"
import * as CallAll from "./client/callAll.js"
import * as CallState from "./client/callState.js"
import * as ObjectPipeline from "./client/object.js"
import type { OutputOptions } from "./client/objectOutput.js"
import * as ObjectStreamPipeline from "./client/objectStream.js"
import * as ClientOptions from "./client/options.js"
import * as ResponseCache from "./client/responseCache.js"
import * as StreamPipeline from "./client/stream.js"
import * as ToolLoop from "./client/tools.js"
import type { LlmError } from "./domain/LlmError.js"
import type * as LlmRequest from "./domain/LlmRequest.js"
import type * as LlmResponse from "./domain/LlmResponse.js"
import type * as StreamPart from "./domain/StreamPart.js"
import * as LlmCache from "./LlmCache.js"
import * as LlmLogger from "./LlmLogger.js"
import type * as LlmProvider from "./LlmProvider.js"
import type * as Partials from "./output/deepPartial.js"
import * as LlmTool from "./output/LlmTool.js"
import type * as StandardSchema from "./output/StandardSchema.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What can be set for a client.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends ClientOptions.Options {}

/**
 * What can be set for one call, or with `withOptions` for a region of a program.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions extends ClientOptions.CallOptions {}

/**
 * What can be set for a call that asks for a value.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectOptions extends ObjectPipeline.ObjectOptions {}

/**
 * A value, and the answer that it was read from.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectResponse<A> extends ObjectPipeline.ObjectResponse<A> {}

/**
 * What can be set for a run of tools.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunToolsOptions extends ToolLoop.RunToolsOptions {}

/**
 * What came of a run of tools.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolRun extends ToolLoop.ToolRun {}

/**
 * A turn of a run of tools.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolStep extends ToolLoop.ToolStep {}

/**
 * What can be set for a stream of a value.
 *
 * @since 0.1.0
 * @category models
 */
export interface StreamObjectOptions extends OutputOptions {}

/**
 * What may have come of a value that is not whole: fields of objects may be missing at any depth, and elements of lists
 * are whole.
 *
 * @since 0.1.0
 * @category models
 */
export type DeepPartial<T> = Partials.DeepPartial<T>

/**
 * One part of a streamed value of type `A`, whose schema decodes from type `I`. `Partial` is what has come so far, in the
 * form that the schema decodes from; `Finish` is the value, decoded and checked, and the answer that it was read from.
 *
 * @since 0.1.0
 * @category models
 */
export type ObjectPart<A, I = A> = ObjectStreamPipeline.ObjectPart<A, I>

/**
 * The options of many calls at once.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallAllOptions extends CallAll.CallAllOptions {}

/**
 * The progress of many calls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress extends CallAll.Progress {}

/**
 * The result of one of many calls.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallResult extends CallAll.CallResult {}

/**
 * What a client can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Asks a model, and gives its whole answer. */
  readonly call: (
    request: LlmRequest.Input,
    options?: CallOptions
  ) => Effect.Effect<LlmResponse.LlmResponse, LlmError>
  /**
   * Asks a model, and gives its answer as it comes: exactly one `Finish`, last, or a failure. It retries until the first
   * content has come; after that a failure is final, and no part comes twice.
   */
  readonly stream: (
    request: LlmRequest.Input,
    options?: CallOptions
  ) => Stream.Stream<StreamPart.StreamPart, LlmError>
  /**
   * Asks a model for a value of a schema's type. An answer that does not fit is sent back, with what was wrong, as often
   * as `reask` says; then it fails with `OutputInvalid`.
   */
  readonly object: <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    request: LlmRequest.Input,
    options?: ObjectOptions
  ) => Effect.Effect<ObjectResponse<A>, LlmError, R>
  /** Puts tools to the client's provider. */
  readonly toolkit: <Tool extends LlmTool.Any>(
    tools: ReadonlyArray<Tool>
  ) => Effect.Effect<LlmTool.Toolkit<Tool>, LlmError>
  /** Asks a model, runs the tools that it calls, and tells it their results, until it answers without calling any. */
  readonly runTools: <Tool extends LlmTool.AnyHandled>(
    request: LlmRequest.Input,
    tools: ReadonlyArray<Tool>,
    options?: RunToolsOptions
  ) => Effect.Effect<ToolRun, LlmError | LlmTool.Failure<Tool>, LlmTool.Context<Tool>>
  /**
   * Asks a model for a value of a schema's type, and gives what there is of it as it comes, then exactly one `Finish` with
   * the value, last; or a failure. It retries until the first content has come, and never asks again.
   */
  readonly streamObject: <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    request: LlmRequest.Input,
    options?: StreamObjectOptions
  ) => Stream.Stream<ObjectPart<A, I>, LlmError, R>
  /** Makes many calls, and gives what came of each as it ends. One that fails does not stop the others. */
  readonly callAll: (
    requests: Iterable<LlmRequest.Input>,
    options: CallAllOptions
  ) => Stream.Stream<CallResult>
}

/**
 * The client.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmClient extends Context.Tag("effect-llm/LlmClient")<LlmClient, Service>() {}

// ---------------------------------------------------------------------------------------------------------------------
// The pipeline
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Makes a client. Options that make no sense are a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<
  Service,
  never,
  LlmProvider.LlmProvider | LlmCache.LlmCache | LlmLogger.LlmLogger | Scope.Scope
> =>
  Effect.gen(function*() {
    const environment = yield* CallState.makeEnvironment(options)
    const attempts = Attempts.make(environment)
    const cache = ResponseCache.make(environment)
    const { collect, stream } = StreamPipeline.make(environment, { attempts, cache })
    const { answer, call } = yield* CallPipeline.make(environment, { attempts, cache, collect })
    return {
      call,
      stream,
      object: ObjectPipeline.make(environment, { answer, attempts, cache }),
      streamObject: ObjectStreamPipeline.make(environment, { attempts, cache }),
      callAll: CallAll.make(call),
      toolkit: (tools) => LlmTool.toolkit(tools, { dialect: environment.provider.schemaDialect }),
      runTools: ToolLoop.make(environment, call)
    }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A client on the provider, the cache and the logger that the program provides.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<LlmClient, never, LlmProvider.LlmProvider | LlmCache.LlmCache | LlmLogger.LlmLogger> =>
  Layer.scoped(LlmClient, make(options))

/**
 * A client that keeps its answers in memory, reports through Effect's logger, and needs only a provider.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Config, Layer } from "effect"
 * import { LlmClient, OpenAiChat } from "effect-llm"
 *
 * const Live = LlmClient.layerDefault({ timeout: "20 seconds" }).pipe(
 *   Layer.provide(OpenAiChat.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const layerDefault = (options?: Options): Layer.Layer<LlmClient, never, LlmProvider.LlmProvider> =>
  Layer.provide(layer(options), [LlmCache.layerMemory(), LlmLogger.layer])

// ---------------------------------------------------------------------------------------------------------------------
// Use
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Asks a model, and gives its whole answer.
 *
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const program = Effect.gen(function*() {
 *   const response = yield* LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." })
 *   yield* Effect.log(response.text)
 * })
 * ```
 */
export const call = (
  request: LlmRequest.Input,
  options?: CallOptions
): Effect.Effect<LlmResponse.LlmResponse, LlmError, LlmClient> =>
  Effect.flatMap(LlmClient, (client) => client.call(request, options))

/**
 * Asks a model, and gives its answer as it comes: deltas, then exactly one `Finish` with the whole response; or a
 * failure. An answer from the cache is streamed likewise, and a finished stream fills the cache: `call` and `stream`
 * share their keys.
 *
 * It retries until the first content has come. What fails after that is told (`StreamInterrupted`, with what had come;
 * `TimedOut` in phase `idle`), and no part comes twice. Who stops early aborts the request.
 *
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const program = LlmClient.stream({ model: "gpt-4o-mini", prompt: "Tell a story." }).pipe(
 *   Stream.runForEach((part) => {
 *     switch (part._tag) {
 *       case "TextDelta":
 *         return Effect.sync(() => process.stdout.write(part.text))
 *       case "Finish":
 *         return Effect.log(part.response.usage)
 *       default:
 *         return Effect.void
 *     }
 *   })
 * )
 * ```
 */
export const stream = (
  request: LlmRequest.Input,
  options?: CallOptions
): Stream.Stream<StreamPart.StreamPart, LlmError, LlmClient> =>
  Stream.unwrap(Effect.map(LlmClient, (client) => client.stream(request, options)))

/**
 * The text of a streamed answer, as it comes.
 *
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const program = LlmClient.streamText({ model: "gpt-4o-mini", prompt: "Tell a story." }).pipe(
 *   Stream.runForEach((text) => Effect.sync(() => process.stdout.write(text)))
 * )
 * ```
 */
export const streamText = (
  request: LlmRequest.Input,
  options?: CallOptions
): Stream.Stream<string, LlmError, LlmClient> =>
  Stream.filterMap(
    stream(request, options),
    (part) => part._tag === "TextDelta" ? Option.some(part.text) : Option.none()
  )

/**
 * Asks a model for a value of a schema's type. The provider is told the schema in the JSON Schema that it takes
 * (descriptions, titles and examples of the schema's annotations included), or the model is told in words; the answer
 * is decoded, and checked.
 *
 * It fails with `UnsupportedFeature`, before anything is sent, where JSON Schema as the provider takes it cannot say
 * what the schema says. An answer that is none fails with `Refused`, `ContentFiltered` or `OutputTruncated`. One that is
 * not JSON, or does not fit, is sent back with what was wrong, once by default, and then fails with `OutputInvalid`,
 * whose `issues` tell where, and what was expected. The response has the usage of all its turns. Only an answer that
 * fits is kept in the cache.
 *
 * What may be absent, and does not take null, may come as null. A field that is both optional and nullable comes as
 * null, never absent, from a provider that requires all fields (OpenAI).
 *
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const River = Schema.Struct({
 *   name: Schema.String,
 *   lengthInKm: Schema.Number.pipe(Schema.positive()),
 *   mouth: Schema.optional(Schema.String.annotations({ description: "the sea or river that it flows into" }))
 * })
 *
 * const program = Effect.gen(function*() {
 *   const { value } = yield* LlmClient.object(Schema.Array(River), {
 *     model: "gpt-4o-mini",
 *     prompt: "Name three rivers."
 *   })
 *   yield* Effect.log(value.map((river) => river.name))
 * })
 * ```
 */
export const object = <A, I = unknown, R = never>(
  schema: StandardSchema.AnySchema<A, I, R>,
  request: LlmRequest.Input,
  options?: ObjectOptions
): Effect.Effect<ObjectResponse<A>, LlmError, LlmClient | R> =>
  Effect.flatMap(LlmClient, (client) => client.object(schema, request, options))

/**
 * Puts tools to the client's provider: their definitions in the JSON Schema that it takes, for the `tools` of a request,
 * and what reads the calls of an answer. For a program that runs its tools itself; `runTools` is the loop.
 *
 * @since 0.1.0
 * @category tools
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { LlmClient, LlmTool } from "effect-llm"
 *
 * const Forecast = LlmTool.make("forecast", { parameters: Schema.Struct({ city: Schema.String }) })
 * const Traffic = LlmTool.make("traffic", { parameters: Schema.Struct({ road: Schema.String, day: Schema.Date }) })
 *
 * const program = Effect.gen(function*() {
 *   const { definitions, toolCalls } = yield* LlmClient.toolkit([Forecast, Traffic])
 *   const response = yield* LlmClient.call({ model: "gpt-4o-mini", prompt: "Bike or car?", tools: definitions })
 *   for (const call of yield* toolCalls(response)) {
 *     yield* Effect.log(call.name === "forecast" ? call.arguments.city : call.arguments.day.toISOString())
 *   }
 * })
 * ```
 */
export const toolkit = <Tool extends LlmTool.Any>(
  tools: ReadonlyArray<Tool>
): Effect.Effect<LlmTool.Toolkit<Tool>, LlmError, LlmClient> =>
  Effect.flatMap(LlmClient, (client) => client.toolkit(tools))

/**
 * Asks a model, runs the tools that it calls, tells it their results, and asks again: until it answers without calling
 * any, or `maxSteps` turns were taken. Each turn is a `call`, with all that belongs to one. The results of a turn are in
 * the order of its calls, however many run at the same time. Interrupting the run interrupts the handlers.
 *
 * - Arguments that do not fit, and names of tools that there are not, are told to the model, as often in a row as
 *   `reask` says; then the run fails with `ToolArgumentsInvalid`. Nothing of that turn is run before this is decided.
 * - What a handler fails with is a failure of the run, but for a `LlmTool.ToolFailure`, which is told to the model.
 * - As with `call`, an answer that was cut short or refused is an answer: look at its `finishReason`. At the limit of
 *   `maxSteps` it is `tool_calls`, and these calls were not run; a run on `messages` goes on with them.
 * - A `toolChoice` that forces a call forces it in the first turn.
 *
 * @since 0.1.0
 * @category tools
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { LlmClient, LlmTool } from "effect-llm"
 *
 * const RiverLength = LlmTool.make("river_length", {
 *   description: "The length of a river in kilometers.",
 *   parameters: Schema.Struct({ river: Schema.String }),
 *   handler: ({ river }) => river === "Elbe" ? Effect.succeed(1094) : LlmTool.failure("no such river")
 * })
 *
 * const program = Effect.gen(function*() {
 *   const { response, steps } = yield* LlmClient.runTools(
 *     { model: "gpt-4o-mini", prompt: "How long is the Elbe?" },
 *     [RiverLength],
 *     { maxSteps: 4, concurrency: "unbounded" }
 *   )
 *   yield* Effect.log(`${response.text} (${steps.length} turns, ${response.usage.outputTokens} tokens)`)
 * })
 * ```
 */
export const runTools = <Tool extends LlmTool.AnyHandled>(
  request: LlmRequest.Input,
  tools: ReadonlyArray<Tool>,
  options?: RunToolsOptions
): Effect.Effect<ToolRun, LlmError | LlmTool.Failure<Tool>, LlmClient | LlmTool.Context<Tool>> =>
  Effect.flatMap(LlmClient, (client) => client.runTools(request, tools, options))

/**
 * Asks a model for a value of a schema's type, and gives what there is of it as it comes: at most one `Partial` for each
 * piece that the network brings, and none where nothing is new; then exactly one `Finish` with the value; or a failure.
 *
 * A partial value is typed, and of its type: fields that have not come are absent, a text grows, and numbers, literals,
 * tuples and the elements of lists are there once they are whole, as is a union before its tags tell which member it is.
 * What is of another type is left out. Filters are checked, and transformations done, at the end only: a partial value
 * has the form that the schema decodes from (`ObjectPart<A, I>`). It is the program's to keep, and never changes. The
 * work is linear in the answer, however many pieces it comes in; to keep it so, of a list with thousands of elements (or
 * a dictionary with a hundred) several new ones are shown at a time.
 *
 * Failures are those of `stream` and of `object`, but that an answer that does not fit is not asked for again: what was
 * shown cannot be taken back. `stream` and `object` say what is retried, and what is kept in the cache, under the key
 * that `object` has, too. An answer from the cache comes as one `Partial` with all of it, and its `Finish`.
 *
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Console, Effect, Schema, Stream } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const River = Schema.Struct({ name: Schema.String, lengthInKm: Schema.Number })
 *
 * const program = LlmClient.streamObject(Schema.Array(River), { model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   Stream.runForEach((part) =>
 *     part._tag === "Partial"
 *       ? Console.log(`${part.value.length} rivers so far`)
 *       : Console.log(part.value.map((river) => river.name).join(", "))
 *   )
 * )
 * ```
 */
export const streamObject = <A, I = unknown, R = never>(
  schema: StandardSchema.AnySchema<A, I, R>,
  request: LlmRequest.Input,
  options?: StreamObjectOptions
): Stream.Stream<ObjectPart<A, I>, LlmError, LlmClient | R> =>
  Stream.unwrap(Effect.map(LlmClient, (client) => client.streamObject(schema, request, options)))

/**
 * Makes many calls, `concurrency` at a time, and gives what came of each as it ends: in the order in which they end,
 * with the place of the request. One that fails does not stop the others.
 *
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const answers = LlmClient.callAll(
 *   ["Elbe", "Oder", "Rhine"].map((river) => ({ model: "gpt-4o-mini", prompt: `Where does the ${river} rise?` })),
 *   { concurrency: 2, onProgress: ({ completed }) => Effect.log(`${completed} of 3`) }
 * ).pipe(Stream.runCollect)
 * ```
 */
export const callAll = (
  requests: Iterable<LlmRequest.Input>,
  options: CallAllOptions
): Stream.Stream<CallResult, never, LlmClient> =>
  Stream.unwrap(Effect.map(LlmClient, (client) => client.callAll(requests, options)))

/**
 * Sets call options for a region of a program. What a call sets itself wins, and so does what an inner region sets.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { LlmClient } from "effect-llm"
 *
 * const fresh = LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   LlmClient.withOptions({ cache: "refresh", tags: { job: "nightly" } })
 * )
 * ```
 */
export const withOptions: {
  (options: CallOptions): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, options: CallOptions): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, options: CallOptions): Effect.Effect<A, E, R> =>
    Effect.flatMap(
      ClientOptions.RegionOptions,
      (outer) => Effect.provideService(self, ClientOptions.RegionOptions, ClientOptions.merge(outer, options))
    )
)
