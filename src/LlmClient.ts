/**
 * The client: one `call` in front of every provider. It decodes the request, asks the cache, keeps to a deadline,
 * shares the run of equal calls, retries, limits each attempt, and keeps the answer.
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
import * as ClientBatches from "./client/batches.js"
import * as CallPipeline from "./client/call.js"
import * as CallAll from "./client/callAll.js"
import * as CallState from "./client/callState.js"
import * as Counting from "./client/countTokens.js"
import * as EmbedPipeline from "./client/embed.js"
import * as Models from "./client/models.js"
import * as ObjectPipeline from "./client/object.js"
import type { OutputOptions } from "./client/objectOutput.js"
import * as ObjectStreamPipeline from "./client/objectStream.js"
import * as ClientOptions from "./client/options.js"
import * as ResponseCache from "./client/responseCache.js"
import * as StreamPipeline from "./client/stream.js"
import type * as ToolOptions from "./client/toolOptions.js"
import type * as ToolRuns from "./client/toolRun.js"
import * as Tools from "./client/tools.js"
import * as Turns from "./client/turns.js"
import type * as Embedding from "./domain/Embedding.js"
import type { LlmError } from "./domain/LlmError.js"
import type * as LlmRequest from "./domain/LlmRequest.js"
import type * as LlmResponse from "./domain/LlmResponse.js"
import type * as StreamPart from "./domain/StreamPart.js"
import { type EffectOrStream, provided, type With } from "./internal/effectOrStream.js"
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
 * The options of a client. A mistake is a defect that names the option, when the client is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends ClientOptions.Options {}

/**
 * The options of one call, or with `withOptions` of a region of a program. A mistake fails the call with
 * `InvalidRequest`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions extends ClientOptions.CallOptions {}

/**
 * The options of a call that asks for a value.
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
 * The options of a run of tools. The type parameters are those of its tools and its answer; leave them out.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunToolsOptions<
  in Tool extends LlmTool.Any = LlmTool.Any,
  A = undefined,
  I = unknown,
  R = never,
  E1 = never,
  R1 = never,
  E2 = never,
  R2 = never
> extends ToolOptions.RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2> {}

/**
 * The state of a run of tools before a turn of the model, for `prepareStep`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepState extends ToolOptions.StepState {}

/**
 * Settings of one turn of a run of tools, from `prepareStep`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepSettings extends ToolOptions.StepSettings {}

/**
 * The result of `runTools`, with the value of its `output`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolRun<out A = undefined> extends ToolRuns.ToolRun<A> {}

/**
 * One turn of a run of tools.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolStep extends ToolRuns.ToolStep {}

/**
 * One part of `streamTools`: every part of every turn, each of which ends with its `Finish { response }`; the
 * `ToolResult` of each call as it ends; and at the end one `Finish { run }`, which `"run" in part` recognizes.
 *
 * @since 0.1.0
 * @category models
 */
export type ToolPart<A = undefined> = ToolRuns.ToolPart<A>

/**
 * The options of a stream of a value.
 *
 * @since 0.1.0
 * @category models
 */
export interface StreamObjectOptions extends OutputOptions {}

/**
 * A value that is not whole yet: fields of objects may be missing at any depth, and elements of lists are whole.
 *
 * @since 0.1.0
 * @category models
 */
export type DeepPartial<T> = Partials.DeepPartial<T>

/**
 * One part of a streamed value of type `A`, whose schema decodes from type `I`. `Partial` has the value so far, in the
 * form that the schema decodes from; `Finish` has the value, decoded and checked, and the answer that it was read from.
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
 * The options of a call for embeddings.
 *
 * @since 0.1.0
 * @category models
 */
export interface EmbedOptions extends EmbedPipeline.EmbedOptions {}

/**
 * The batch API of a client's provider, with the requests as the client would send them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batches extends ClientBatches.Batches {}

/**
 * A request of a batch for a value, and the way to read its answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectRequest<A> extends ClientBatches.ObjectRequest<A> {}

/**
 * The input tokens of a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenCount extends Counting.TokenCount {}

/**
 * The interface of a client. The functions of this module describe its methods.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Asks a model for its whole answer. */
  readonly call: (
    request: LlmRequest.Input,
    options?: CallOptions
  ) => Effect.Effect<LlmResponse.LlmResponse, LlmError>
  /**
   * Asks a model, and emits its answer as it arrives: exactly one `Finish`, last, or a failure. It retries until the
   * first content has arrived; a later failure is final, so that no part arrives twice.
   */
  readonly stream: (
    request: LlmRequest.Input,
    options?: CallOptions
  ) => Stream.Stream<StreamPart.StreamPart, LlmError>
  /** The text of a streamed answer, as it arrives. */
  readonly streamText: (
    request: LlmRequest.Input,
    options?: CallOptions
  ) => Stream.Stream<string, LlmError>
  /**
   * Asks a model for a value of a schema's type. An answer that does not fit is sent back with its issues, `reask`
   * times; then the call fails with `OutputInvalid`.
   */
  readonly object: <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    request: LlmRequest.Input,
    options?: ObjectOptions
  ) => Effect.Effect<ObjectResponse<A>, LlmError, R>
  /** Compiles tools for this client's provider. */
  readonly toolkit: <Tool extends LlmTool.Any>(
    tools: ReadonlyArray<Tool>
  ) => Effect.Effect<LlmTool.Toolkit<Tool>, LlmError>
  /** Asks a model, runs the tools that it calls, and sends it their results, until it answers without a call. */
  readonly runTools: <
    Tool extends LlmTool.AnyHandled,
    A = undefined,
    I = unknown,
    R = never,
    E1 = never,
    R1 = never,
    E2 = never,
    R2 = never
  >(
    request: LlmRequest.Input,
    tools: ReadonlyArray<Tool | LlmRequest.ProviderTool>,
    options?: RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2>
  ) => Effect.Effect<
    ToolRun<A | undefined>,
    LlmError | LlmTool.Failure<Tool> | E1 | E2,
    LlmTool.Context<Tool> | R | R1 | R2
  >
  /** The same as a stream: all parts of all turns as they come, the results of the tools as they end, and the run. */
  readonly streamTools: <
    Tool extends LlmTool.AnyHandled,
    A = undefined,
    I = unknown,
    R = never,
    E1 = never,
    R1 = never,
    E2 = never,
    R2 = never
  >(
    request: LlmRequest.Input,
    tools: ReadonlyArray<Tool | LlmRequest.ProviderTool>,
    options?: RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2>
  ) => Stream.Stream<
    ToolPart<A | undefined>,
    LlmError | LlmTool.Failure<Tool> | E1 | E2,
    LlmTool.Context<Tool> | R | R1 | R2
  >
  /**
   * Asks a model for a value of a schema's type, and emits partial values as they arrive, then exactly one `Finish`
   * with the value, last; or a failure. It retries until the first content has arrived, and never asks again for an
   * answer that does not fit.
   */
  readonly streamObject: <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    request: LlmRequest.Input,
    options?: StreamObjectOptions
  ) => Stream.Stream<ObjectPart<A, I>, LlmError, R>
  /** Makes many calls, and emits the result of each as it ends. A failure does not stop the others. */
  readonly callAll: (
    requests: Iterable<LlmRequest.Input>,
    options: CallAllOptions
  ) => Stream.Stream<CallResult>
  /** Asks a model for the vectors of texts, in their order. */
  readonly embed: (
    request: Embedding.Input,
    options?: EmbedOptions
  ) => Effect.Effect<Embedding.Response, LlmError>
  /**
   * For programs that order many calls themselves, such as durable jobs: each call waits for its turn before its
   * deadline begins, like the calls of `callAll`. A call that still waits when `ended` comes is interrupted.
   */
  readonly inTurn: (ended: Effect.Effect<void>) => Pick<Service, "call" | "object" | "embed">
  /** Counts the input tokens of a request, without an answer. */
  readonly countTokens: (
    request: LlmRequest.Input,
    options?: CallOptions
  ) => Effect.Effect<TokenCount, LlmError>
  /** Lists the models that the provider offers, page by page. */
  readonly models: (options?: CallOptions) => Stream.Stream<LlmProvider.Model, LlmError>
  /**
   * The batch API of the provider, for `LlmBatch`: its requests bypass the cache, limits, budgets and other policies.
   * Absent if the provider has none.
   */
  readonly batches?: Batches | undefined
  /** The price of usage in US dollars, by `Pricing` around the provider. Absent without `Pricing`. */
  readonly price?: LlmProvider.Service["price"]
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
 * Makes a client. A mistake in the options is a defect that names the option. Runs that are under way when the scope
 * closes are interrupted.
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
    const object = ObjectPipeline.make(environment, { answer, attempts, cache })
    const embed = yield* EmbedPipeline.make(environment, { attempts, cache })
    return {
      call,
      stream,
      streamText: (request, options) => textOf(stream(request, options)),
      object,
      streamObject: ObjectStreamPipeline.make(environment, { attempts, cache }),
      callAll: CallAll.make(environment, call),
      countTokens: Counting.make(environment, attempts),
      models: Models.make(environment, attempts),
      embed,
      inTurn: (ended) => {
        const turn = Turns.make(environment, ended)
        return {
          call: (request, options) => call(request, options, turn),
          object: (schema, request, options) => object(schema, request, options, turn),
          embed: (request, options) => embed(request, options, turn)
        }
      },
      toolkit: (tools) => LlmTool.toolkit(tools, { dialect: environment.provider.schemaDialect }),
      batches: ClientBatches.make(environment),
      price: environment.provider.price,
      ...Tools.make(environment, { call, stream })
    }
  })

const textOf = <E>(parts: Stream.Stream<StreamPart.StreamPart, E>): Stream.Stream<string, E> =>
  Stream.filterMap(parts, (part) => part._tag === "TextDelta" ? Option.some(part.text) : Option.none())

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A client with the provider, the cache and the logger of the program. Provide it once: it holds the runs that equal
 * calls share, and the retry budget.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<LlmClient, never, LlmProvider.LlmProvider | LlmCache.LlmCache | LlmLogger.LlmLogger> =>
  Layer.scoped(LlmClient, make(options))

/**
 * The layers of `layerDefault` that a program replaces.
 *
 * @since 0.1.0
 * @category models
 */
export interface DefaultLayers<CacheError = never, CacheNeeds = never, LoggerError = never, LoggerNeeds = never> {
  /** Default: `LlmCache.layerMemory()`. */
  readonly cache?: Layer.Layer<LlmCache.LlmCache, CacheError, CacheNeeds> | undefined
  /** Default: `LlmLogger.layer`, which logs through Effect's logger. */
  readonly logger?: Layer.Layer<LlmLogger.LlmLogger, LoggerError, LoggerNeeds> | undefined
}

/**
 * A client that keeps its answers in memory, logs through Effect's logger, and needs only a provider. Another cache or
 * logger takes the place of either.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Config, Layer } from "effect"
 * import { LlmClient, LlmLogger, OpenAiChat } from "effect-llm"
 *
 * const Live = LlmClient.layerDefault({ timeout: "20 seconds" }, { logger: LlmLogger.layerPretty }).pipe(
 *   Layer.provide(OpenAiChat.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const layerDefault = <E1 = never, R1 = never, E2 = never, R2 = never>(
  options?: Options,
  layers: DefaultLayers<E1, R1, E2, R2> = {}
): Layer.Layer<LlmClient, E1 | E2, LlmProvider.LlmProvider | R1 | R2> =>
  Layer.provide(layer(options), [layers.cache ?? LlmCache.layerMemory(), layers.logger ?? LlmLogger.layer])

// ---------------------------------------------------------------------------------------------------------------------
// Use
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Asks a model for its whole answer.
 *
 * In this order: it decodes the request (a mistake fails with `InvalidRequest`), asks the cache, keeps to `deadline`
 * (after it, fails with `TimedOut` of phase `total`), joins the run of an equal call or starts one, retries what
 * `isRetryable` allows, limits each attempt to `timeout` (`TimedOut` of phase `attempt`), and keeps a whole answer in
 * the cache. Truncated and refused answers are answers: look at `finishReason`. Interruption aborts the request, unless
 * another caller waits for it.
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
 * Asks a model, and emits its answer as it arrives: deltas, then exactly one `Finish` with the whole response; or a
 * failure. An answer from the cache is also streamed, and a finished stream fills the cache: `call` and `stream` share
 * their keys.
 *
 * It retries until the first content has arrived. A later failure is final, so that no part arrives twice:
 * `StreamInterrupted` has the answer up to the break, and `TimedOut` of phase `idle` follows an `idleTimeout`. Stopping
 * early aborts the request. Streams share no runs.
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
 * The text of a streamed answer, as it arrives. It fails as `stream` does.
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
  Stream.unwrap(Effect.map(LlmClient, (client) => client.streamText(request, options)))

/**
 * Asks a model for a value of a schema's type. The provider gets the schema in the JSON Schema that it takes, with the
 * descriptions, titles and examples of its annotations, or the model gets it in words; the answer is decoded and
 * checked. All turns share one deadline.
 *
 * It fails with `UnsupportedFeature`, before anything is sent, if the provider's JSON Schema cannot express the schema.
 * A declined, filtered or truncated answer fails with `Refused`, `ContentFiltered` or `OutputTruncated`. An answer that
 * is not JSON, or does not fit, is sent back with its issues, once by default; then the call fails with
 * `OutputInvalid`, whose `issues` (at most 100) have the places and the expectations. The response has the usage of all
 * its turns. Only an answer that fits is kept in the cache.
 *
 * Providers that require all fields (OpenAI) send null in place of an absent field. It counts as absent if the field
 * does not take null; a field that is both optional and nullable is then null, never absent.
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
 * Compiles tools for this client's provider: their definitions in the JSON Schema that it takes, for the `tools` of a
 * request, and a reader of the calls of an answer. For a program with its own loop; `runTools` is a ready one.
 * It fails with `UnsupportedFeature` if the provider's JSON Schema cannot express the parameters of a tool.
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
 * Asks a model, runs the tools that it calls, sends it their results, and asks again, until it answers without a call
 * or has taken `maxSteps` turns (default: 8). Each turn is a `call`, with its cache, retries and deadline;
 * `runDeadline` limits the run. The results of a turn are in the order of its calls, even if these run at the same
 * time. Interrupting the run interrupts the handlers.
 *
 * - Arguments that are not JSON or do not fit and unknown names of tools are reported to the model, `reask` times in a
 *   row (default: 1); then the run fails with `ToolArgumentsInvalid`. No call of such a turn is run before that is
 *   decided.
 * - A handler's failure fails the run, except a `LlmTool.ToolFailure`, which is sent to the model. So is the end of
 *   `toolTimeout`.
 * - With the schema `output` the answer is the `value` of the run. An answer that does not fit is asked for again, as
 *   `object` does it, and counts for `reask`, too; then the run fails with `OutputInvalid`.
 * - With `approve` a program decides on each call. The run ends with the calls that are left `pending`; a run on its
 *   `messages` asks for them again. Conversations can be stored between the two: see `Message.Message`.
 * - As with `call`, an answer that was cut short or refused is an answer: look at its `finishReason`. (As a value it is
 *   a failure: `OutputTruncated`, `Refused`.) After `maxSteps` it is `tool_calls`, and these calls were not run; a run
 *   on `messages` continues with them.
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
 *   const { response, steps, value } = yield* LlmClient.runTools(
 *     { model: "gpt-4o-mini", prompt: "How long is the Elbe?" },
 *     [RiverLength],
 *     {
 *       maxSteps: 4,
 *       concurrency: "unbounded",
 *       toolTimeout: "10 seconds",
 *       output: Schema.Struct({ kilometers: Schema.Number })
 *     }
 *   )
 *   yield* Effect.log(`${value?.kilometers} (${steps.length} turns, ${response.usage.outputTokens} tokens)`)
 * })
 * ```
 */
export const runTools = <
  Tool extends LlmTool.AnyHandled,
  A = undefined,
  I = unknown,
  R = never,
  E1 = never,
  R1 = never,
  E2 = never,
  R2 = never
>(
  request: LlmRequest.Input,
  tools: ReadonlyArray<Tool | LlmRequest.ProviderTool>,
  options?: RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2>
): Effect.Effect<
  ToolRun<A | undefined>,
  LlmError | LlmTool.Failure<Tool> | E1 | E2,
  LlmClient | LlmTool.Context<Tool> | R | R1 | R2
> => Effect.flatMap(LlmClient, (client) => client.runTools(request, tools, options))

/**
 * `runTools` as a stream: each turn is a `stream`, whose parts are emitted as they come, its `Finish { response }`
 * included; then the `ToolResult` of each of its calls, as they end; and at the end one `Finish { run }`, with the
 * result of `runTools`; or a failure.
 *
 * It takes the options of `runTools`, and fails as that and `stream` do. A turn that fails before its first content is
 * retried; a later failure ends the run. A turn whose calls the provider could not read has no `Finish`, as it has no
 * answer: the model is asked again. A consumer sets the pace: no tool is run before the parts of its turn are taken,
 * and a consumer that stops early interrupts the request and the tools.
 *
 * @since 0.1.0
 * @category tools
 * @example
 * ```ts
 * import { Console, Effect, Schema, Stream } from "effect"
 * import { LlmClient, LlmTool } from "effect-llm"
 *
 * const RiverLength = LlmTool.make("river_length", {
 *   parameters: Schema.Struct({ river: Schema.String }),
 *   handler: ({ river }) => river === "Elbe" ? Effect.succeed(1094) : LlmTool.failure("no such river")
 * })
 *
 * const program = LlmClient.streamTools({ model: "gpt-4o-mini", prompt: "How long is the Elbe?" }, [RiverLength]).pipe(
 *   Stream.runForEach((part) => {
 *     switch (part._tag) {
 *       case "TextDelta":
 *         return Effect.sync(() => process.stdout.write(part.text))
 *       case "ToolResult":
 *         return Console.log(part.name, part.result)
 *       case "Finish":
 *         return "run" in part ? Console.log(part.run.response.usage) : Effect.void
 *       default:
 *         return Effect.void
 *     }
 *   })
 * )
 * ```
 */
export const streamTools = <
  Tool extends LlmTool.AnyHandled,
  A = undefined,
  I = unknown,
  R = never,
  E1 = never,
  R1 = never,
  E2 = never,
  R2 = never
>(
  request: LlmRequest.Input,
  tools: ReadonlyArray<Tool | LlmRequest.ProviderTool>,
  options?: RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2>
): Stream.Stream<
  ToolPart<A | undefined>,
  LlmError | LlmTool.Failure<Tool> | E1 | E2,
  LlmClient | LlmTool.Context<Tool> | R | R1 | R2
> => Stream.unwrap(Effect.map(LlmClient, (client) => client.streamTools(request, tools, options)))

/**
 * Asks a model for a value of a schema's type, and emits it as it arrives: at most one `Partial` for each piece from
 * the network, and none if nothing is new; then exactly one `Finish` with the value; or a failure.
 *
 * A partial value has the form that the schema decodes from (`ObjectPart<A, I>`), as filters and transformations run at
 * the end only. Fields that have not arrived are absent, and a text grows. Numbers, literals, tuples and the elements
 * of lists appear once they are whole, and a union once its tags decide its member or it is whole. Anything of another
 * type is left out. A partial value never changes after it was emitted. The work is linear in the answer, however many
 * pieces it arrives in; for this, new elements of a list with thousands (or of a dictionary with a hundred) appear
 * several at a time.
 *
 * It fails as `stream` and `object` do, except that an answer that does not fit is not asked for again, as its parts
 * were already shown. It shares its cache keys with `object`. An answer from the cache is one `Partial` with all of it,
 * and its `Finish`.
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
 * Makes many calls, `concurrency` at a time, and emits the result of each as it ends, with the index of its request. A
 * failure does not stop the others. Stopping early interrupts the calls under way.
 *
 * Where a `RateLimit` holds the provider back, each call waits for its turn, one call at a time, after it has looked in the
 * cache and before its time begins: neither its deadline nor its latency counts the wait. Thousands of calls with
 * `concurrency: "unbounded"` therefore keep to the limit, and none times out in its queue.
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
 * Asks a model for the vectors of texts, in their order. Texts of any number are split into requests that keep to the
 * provider's limits (OpenAI: 2,048 texts and 300,000 tokens; Gemini: 100 texts; Ollama: 512 texts), `concurrency` at a time.
 * A text that is there twice is sent once; no texts at all are no request.
 *
 * It goes through the steps of `call`: the cache, which has an entry for each text; one deadline for all; runs that equal
 * requests share; retries and a limit for each attempt; rate limits, budgets, prices, spans and the logger. The provider
 * of a `Fallback` is its first one. Requests that came through stay in the cache when another one fails.
 *
 * It fails as `call` does; with `UnsupportedFeature` where the provider has no embeddings (Anthropic); and with
 * `MalformedResponse` where an answer does not have exactly one vector of finite numbers for each text, all of one length.
 * Gemini's vectors are normalised only where the service does so.
 *
 * @see https://platform.openai.com/docs/api-reference/embeddings
 * @see https://ai.google.dev/api/embeddings
 * @see https://docs.ollama.com/api/embed
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Embedding, LlmClient } from "effect-llm"
 *
 * const program = Effect.gen(function*() {
 *   const { embeddings: [query = [], ...rivers] } = yield* LlmClient.embed({
 *     model: "text-embedding-3-small",
 *     input: ["Which river flows into the Baltic Sea?", "The Elbe flows into the North Sea.", "The Oder flows north."]
 *   })
 *   yield* Effect.log(rivers.map((river) => Embedding.similarity(query, river)))
 * })
 * ```
 */
export const embed = (
  request: Embedding.Input,
  options?: EmbedOptions
): Effect.Effect<Embedding.Response, LlmError, LlmClient> =>
  Effect.flatMap(LlmClient, (client) => client.embed(request, options))

/**
 * Counts the input tokens of a request, without an answer: by the provider's own endpoint (OpenAI's Responses, Anthropic,
 * Gemini), whose count is exact, or else by the `TokenEstimator` of the context or a third of the bytes, which is rather too
 * high. `source` says which. The provider is asked within the deadline, with the retries and the limit of an attempt;
 * rate limits, budgets and other policies do not see it. Counts are neither cached nor shared.
 *
 * It fails as `call` does, even where an estimate would do: a service that is down gives no count.
 *
 * @see https://docs.anthropic.com/en/api/messages-count-tokens
 * @see https://ai.google.dev/api/tokens
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const program = Effect.gen(function*() {
 *   const { source, tokens } = yield* LlmClient.countTokens({ model: "claude-sonnet-4-5", prompt: "Name three rivers." })
 *   yield* Effect.log(`${tokens} tokens (${source})`)
 * })
 * ```
 */
export const countTokens = (
  request: LlmRequest.Input,
  options?: CallOptions
): Effect.Effect<TokenCount, LlmError, LlmClient> =>
  Effect.flatMap(LlmClient, (client) => client.countTokens(request, options))

/**
 * Lists the models that the provider offers, as its own list states them. A page is asked for when the one before it has
 * been read, each with the deadline, the retries and the limit of an attempt of a call; policies do not see it. It fails as
 * `call` does, and with `UnsupportedFeature` where the provider has no list.
 *
 * @since 0.1.0
 * @category calls
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { LlmClient } from "effect-llm"
 *
 * const program = LlmClient.models().pipe(
 *   Stream.runForEach(({ id, inputTokenLimit }) => Effect.log(id, inputTokenLimit ?? "unknown"))
 * )
 * ```
 */
export const models = (options?: CallOptions): Stream.Stream<LlmProvider.Model, LlmError, LlmClient> =>
  Stream.unwrap(Effect.map(LlmClient, (client) => client.models(options)))

/**
 * Sets call options for a region of a program: an effect or a stream. The options of a call, and those of an inner region, take precedence;
 * tags add up.
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
  (options: CallOptions): <Self extends EffectOrStream>(self: Self) => With<Self>
  <Self extends EffectOrStream>(self: Self, options: CallOptions): With<Self>
} = dual(
  2,
  (self: EffectOrStream, options: CallOptions): EffectOrStream =>
    provided(
      self,
      ClientOptions.RegionOptions,
      Effect.map(ClientOptions.RegionOptions, (outer) => ClientOptions.merge(outer, options))
    )
)
