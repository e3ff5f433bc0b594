/**
 * A service that answers requests, one attempt at a time and without any policy. The client adds timeouts, retries,
 * caching and logging; rate limits, circuit breakers and fallbacks wrap a provider in another one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Embedding from "./domain/Embedding.js"
import type { LlmError } from "./domain/LlmError.js"
import type { LlmEvent } from "./domain/LlmEvent.js"
import type { LlmRequest } from "./domain/LlmRequest.js"
import type { LlmResponse, Usage } from "./domain/LlmResponse.js"
import * as StreamPart from "./domain/StreamPart.js"

/**
 * A dialect of JSON Schema: the part of it that a provider accepts. A constraint without a keyword in the dialect is
 * sent in words, in the description; a schema that the dialect cannot express fails with `UnsupportedFeature`.
 *
 * @since 0.1.0
 * @category models
 * @example
 * ```ts
 * import type { LlmProvider } from "effect-llm"
 *
 * // Any JSON Schema without references to itself, and with no constraints but these.
 * const dialect: LlmProvider.Dialect = {
 *   name: "acme",
 *   closed: false,
 *   allRequired: false,
 *   open: true,
 *   examples: true,
 *   strictTools: false,
 *   recursion: "none",
 *   enumerates: (type) => type === "string",
 *   constrains: (keyword) => keyword === "minimum" || keyword === "maximum"
 * }
 * ```
 */
export interface Dialect {
  /** Its name, for messages. */
  readonly name: string
  /**
   * Whether objects have only the properties that their schema names. Dictionaries are then lists of pairs, and tuples
   * are objects.
   */
  readonly closed: boolean
  /** Whether every property has to be required. Optional ones are then nullable. */
  readonly allRequired: boolean
  /** Whether a schema may accept any value. */
  readonly open: boolean
  /** Whether `examples` is a keyword. Otherwise examples are part of the description. */
  readonly examples: boolean
  /**
   * Whether a tool can be `strict`, so that the model is held to its schema. Tools are then strict by default, and
   * those that the dialect cannot express are sent as plain JSON Schema, not strict.
   */
  readonly strictTools: boolean
  /**
   * The schemas that may refer to themselves: any, none, or only those with something absent, null or empty on the way
   * (`escapable`).
   */
  readonly recursion: "any" | "none" | "escapable"
  /** Whether `enum` is a keyword for values of a type: "string", "number", "boolean" ... */
  readonly enumerates: (type: string) => boolean
  /** Whether the dialect has a constraint, such as `minLength` or `format`, with this value. */
  readonly constrains: (keyword: string, value: unknown) => boolean
}

/**
 * The named dialects: OpenAI's strict mode, which other services follow; Anthropic's; Gemini's; and all of JSON Schema
 * (`plain`). A provider with another dialect sets a `Dialect`.
 *
 * @since 0.1.0
 * @category models
 */
export type SchemaDialect = "openai" | "anthropic" | "gemini" | "plain"

/**
 * How a model gets the schema of an answer: from the provider, which holds it to the schema (`native`); as the
 * parameters of a tool that it has to call (`tool`); in words, with the provider's mode for any JSON (`json`); or in
 * words only (`prompt`).
 *
 * @since 0.1.0
 * @category models
 */
export type OutputMode = "native" | "tool" | "json" | "prompt"

/**
 * A model that a provider offers, with what its list states of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model {
  /** The name for the `model` of a request. */
  readonly id: string
  /** The name of the provider. */
  readonly provider: string
  /** The name for people. */
  readonly name?: string | undefined
  /** The most input tokens of a request. */
  readonly inputTokenLimit?: number | undefined
  /** The most output tokens of an answer. */
  readonly outputTokenLimit?: number | undefined
  /** The entry of the list, as the provider sent it. */
  readonly metadata: { readonly [field: string]: unknown }
}

/**
 * A page of the list of models.
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelPage {
  readonly models: ReadonlyArray<Model>
  /** The token of the next page. Absent: this is the last one. */
  readonly next?: string | undefined
}

/**
 * A request of a batch.
 *
 * @since 0.1.0
 * @category models
 */
export interface BatchRequest {
  /** A name that no other request of the batch has: 1 to 64 letters, digits, `_` and `-`. */
  readonly id: string
  readonly request: LlmRequest
  /** The names of settings that are not sent, nor a default for them: those of `refused`. Default: none. */
  readonly omitted?: ReadonlyArray<string> | undefined
}

/**
 * The state of a batch: the service works on it, or it has ended. With an end each request has a result, unless the batch
 * as a whole was refused.
 *
 * @since 0.1.0
 * @category models
 */
export interface BatchState {
  readonly status: "running" | "ended"
  /** The reason why the batch as a whole was refused: then none of its requests has a result. */
  readonly error?: LlmError | undefined
  /** How many requests were answered, as far as the service states it. */
  readonly succeeded?: number | undefined
  /** How many requests failed, as far as the service states it. */
  readonly failed?: number | undefined
}

/**
 * The result of a request of a batch.
 *
 * @since 0.1.0
 * @category models
 */
export interface BatchResult {
  /** The name of the request. */
  readonly id: string
  /**
   * Reads the answer to the request, which the service does not send back: the one that a call gives, or its failure. A
   * request that the service did not get to fails with `TimedOut`, and a cancelled one with `InvalidRequest`, code
   * `cancelled`. `omitted` is that of the `BatchRequest`: the answer has a warning for each of these settings. If the
   * service has refused the request for a setting, `refused` knows it afterwards.
   */
  readonly read: (request: LlmRequest, omitted?: ReadonlyArray<string>) => Effect.Effect<LlmResponse, LlmError>
}

/**
 * The batch API of a service: it answers many requests within a day, for half the price. No policy sees it but `Pricing`.
 * It retries nothing and has no time limits; its own failures have the operation `batch`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batches {
  /** The most that one batch may have: requests, and bytes of them as they are sent. */
  readonly limits: { readonly requests: number; readonly bytes: number }
  /** The bytes of a request within a batch, or why it cannot be sent in one. */
  readonly size: (request: BatchRequest) => Effect.Effect<number, LlmError>
  /**
   * The names of the settings that a call would leave out of a request, as the service has refused them for its model
   * within the last hour. Default: none are known.
   */
  readonly refused?: ((request: LlmRequest) => Effect.Effect<ReadonlyArray<string>>) | undefined
  /**
   * Hands a batch over, and gives the id under which the service works on it. Its requests have one model. The service
   * keeps the name of the batch where it can.
   */
  readonly submit: (batch: {
    readonly name: string
    readonly requests: ReadonlyArray<BatchRequest>
  }) => Effect.Effect<string, LlmError>
  /**
   * Finds a batch by its name, for a program that died between `submit` and keeping its id. Default: the service keeps no
   * names.
   */
  readonly find?: ((name: string) => Effect.Effect<string | undefined, LlmError>) | undefined
  /** Asks once for the state of a batch. */
  readonly state: (id: string) => Effect.Effect<BatchState, LlmError>
  /**
   * Reads the results of a batch that has ended, as they come, in any order. One that breaks off fails after all that
   * had come, and may be read again from its start. A result that cannot be read is left out: its request has none.
   */
  readonly results: (id: string) => Stream.Stream<BatchResult, LlmError>
  /** Stops the work on a batch. Requests that were answered by then have a result, and are billed. */
  readonly cancel: (id: string) => Effect.Effect<void, LlmError>
}

/**
 * The interface of a provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The provider's name in telemetry and cache keys: "openai", "anthropic" ... */
  readonly name: string
  /** The address that requests go to. Two endpoints never share cached answers. */
  readonly endpoint: string
  /** The account whose reasoning it reads, if the program has named it. */
  readonly account?: string | undefined
  /**
   * The dialect of JSON Schema for the `outputSchema` of requests and for tools. Default: the provider takes no
   * `outputSchema`, and `LlmClient.object` describes the answer to the model in words.
   */
  readonly schemaDialect?: SchemaDialect | Dialect | undefined
  /**
   * The best mode for a model, and, with `besideTools`, for one that is to call tools before it answers. Default:
   * `native` if the provider has a `schemaDialect`, else `prompt`.
   */
  readonly outputMode?: ((model: string, besideTools?: boolean) => OutputMode) | undefined
  /** Sends the request once and reads the whole answer. Interrupting it aborts the request. */
  readonly call: (request: LlmRequest) => Effect.Effect<LlmResponse, LlmError>
  /**
   * Sends the request once and emits the answer as it arrives: exactly one `Finish`, last, or a failure. Closing the
   * stream aborts the request.
   */
  readonly stream: (request: LlmRequest) => Stream.Stream<StreamPart.StreamPart, LlmError>
  /**
   * Sends the texts once, all in one request, and reads their vectors, in their order. The client keeps to `embedLimits`.
   * Interrupting it aborts the request. Default: the provider has no embeddings (`UnsupportedFeature`).
   */
  readonly embed?: ((request: Embedding.Request) => Effect.Effect<Embedding.Response, LlmError>) | undefined
  /**
   * Asks the service for the input tokens of a request, once and without an answer of a model. It costs nothing, and policies
   * do not see it. Default: the provider cannot count, and the client estimates.
   */
  readonly countTokens?: ((request: LlmRequest) => Effect.Effect<number, LlmError>) | undefined
  /**
   * Asks once for a page of the list of models: the first one, or that of a token. Default: the provider has no list
   * (`UnsupportedFeature`).
   */
  readonly models?: ((page: string | undefined) => Effect.Effect<ModelPage, LlmError>) | undefined
  /**
   * Waits until a request would get its turn, as far as this process can foresee, and takes nothing: `callAll` and durable
   * jobs let their calls wait here, where their deadlines do not run yet. It never fails. `RateLimit` has it, and policies
   * pass on that of their provider. Default: every request has its turn at once.
   */
  readonly ready?: ((request: LlmRequest) => Effect.Effect<void>) | undefined
  /** The batch API of the service. Default: it has none. */
  readonly batches?: Batches | undefined
  /**
   * The price of an answer with this usage in US dollars; none where it is unknown. It sends nothing. `Pricing` adds it, and
   * policies pass it on. Default: no price is known.
   */
  readonly price?: ((answer: Pick<Spend, "model" | "usage">) => Effect.Effect<Option.Option<number>>) | undefined
  /** The most that a request of `embed` may have, for a model. Default: no limit. */
  readonly embedLimits?: ((model: string) => Embedding.Limits) | undefined
}

/**
 * The provider of a client.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmProvider extends Context.Tag("effect-llm/LlmProvider")<LlmProvider, Service>() {}

/**
 * The bill of a request. Every `LlmResponse` is one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spend {
  readonly provider: string
  readonly model: string
  readonly usage: Usage
  /** In US dollars. Default: `Pricing` between provider and client derives it from the usage. */
  readonly cost?: number | undefined
}

/**
 * The targets that were asked for an answer, and have not given it: those of any policy that has several, which are known
 * to it alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface AskedTargets extends Map<object, "underWay" | "failed"> {}

/**
 * An attempt of a call, for the policies around the provider: they report about it, and let it wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt {
  /** The namespace of the call, which keeps the answers of one tenant from another. */
  readonly namespace?: string | undefined
  /** The labels of the call. */
  readonly tags?: { readonly [name: string]: string } | undefined
  /**
   * The name of the account that is asked, where a policy has several: `Balance` names each of its targets. A provider marks
   * the reasoning in its answers with it, unless it has an `account` of its own.
   */
  readonly account?: string | undefined
  /**
   * Whether the tool choice is the client's own: `object` forces the tool that carries its answer, and reads one in words,
   * too. A provider may be asked without a choice that it refuses. Default: false, the choice is the program's.
   */
  readonly prefersTool?: boolean | undefined
  /**
   * The targets that were asked for the same answer by this attempt, the ones before it, and the other requests of a hedge:
   * a policy with several keeps it up to date, and asks another one. Default: nothing is known of other attempts.
   */
  readonly asked?: AskedTargets | undefined
  /**
   * Reports an event, with the `callId` and the tags of the call. It never fails, and takes at most 500 milliseconds.
   */
  readonly report: (event: LlmEvent) => Effect.Effect<void>
  /**
   * Whether anybody receives what is reported: where nobody does, a policy need not make an event that costs something. A
   * policy that replaces `report` to learn of events sets it to true. Default: true.
   */
  readonly isListening?: boolean | undefined
  /** The time left until the attempt ends. */
  readonly left: Effect.Effect<Duration.Duration>
  /** The time left until the whole call ends: the longest possible wait for a turn. */
  readonly untilDeadline: Effect.Effect<Duration.Duration>
  /** Whether the attempt was interrupted because its time had passed, and not because its caller had left. */
  readonly expired: Effect.Effect<boolean>
  /** Waits for a turn. The attempt's clock stands still meanwhile; the call's deadline does not. */
  readonly queued: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /**
   * Reports the service's id of an answer that goes on without a connection: the failure of a call whose time passes
   * has it. Default: the id is dropped.
   */
  readonly working?: ((id: string) => Effect.Effect<void>) | undefined
  /** Counts a request beyond the first of the attempt. */
  readonly countRequest: Effect.Effect<void>
  /**
   * Adds a bill beyond that of the answer: for an answer that came too late, or one that broke off after its tokens had
   * been counted. The response's `cost` includes it, and is absent if the cost of the bill is. Report each bill once.
   */
  readonly spent: (spend: Spend) => Effect.Effect<void>
}

/**
 * The attempt under way. The client provides it to `call`, and to `stream` until its first part; a policy reads it
 * once, at the start. Without a client it has no limits, and its reports are dropped.
 *
 * @since 0.1.0
 * @category references
 */
export class CurrentAttempt extends Context.Reference<CurrentAttempt>()("effect-llm/LlmProvider/CurrentAttempt", {
  defaultValue: (): Attempt => ({
    report: () => Effect.void,
    isListening: false,
    left: Effect.succeed(Duration.infinity),
    untilDeadline: Effect.succeed(Duration.infinity),
    expired: Effect.succeed(false),
    queued: (wait) => wait,
    countRequest: Effect.void,
    spent: () => Effect.void
  })
}) {}

/**
 * Makes a provider. Without `stream`, it streams each answer once it is whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Omit<Service, "stream"> & { readonly stream?: Service["stream"] | undefined }
): Service => ({
  ...options,
  stream: options.stream ??
    ((request) =>
      Stream.flattenIterables(Stream.map(Stream.fromEffect(options.call(request)), StreamPart.fromResponse)))
})

/**
 * A provider of your own, as a layer. Without `stream`, it streams each answer once it is whole.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmProvider, LlmResponse, Message } from "effect-llm"
 *
 * const Shouting = LlmProvider.layer({
 *   name: "shouting",
 *   endpoint: "memory:",
 *   call: (request) =>
 *     Effect.succeed(LlmResponse.make({
 *       parts: [Message.Text.make({ text: request.prompt.toUpperCase() })],
 *       finishReason: "stop",
 *       model: request.model,
 *       provider: "shouting"
 *     }))
 * })
 * ```
 */
export const layer = (options: Parameters<typeof make>[0]): Layer.Layer<LlmProvider> =>
  Layer.succeed(LlmProvider, make(options))

/**
 * Wraps the provider of a layer in another one. The library's policies are made with it, and so is a policy of your own
 * (`Policy.around`). The wrapper may be an Effect; its scope is open as long as the layer is.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Effect } from "effect"
 * import { LlmProvider, OpenAi } from "effect-llm"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   LlmProvider.transform((provider) => ({
 *     ...provider,
 *     call: (request) => Effect.tap(provider.call(request), ({ model }) => Effect.logDebug(`${model} answered`))
 *   }))
 * )
 * ```
 */
export const transform: {
  <E2 = never, R2 = never>(
    wrap: (provider: Service) => Service | Effect.Effect<Service, E2, R2>
  ): <E, R>(
    self: Layer.Layer<LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider, E | E2, R | Exclude<R2, Scope.Scope>>
  <E, R, E2 = never, R2 = never>(
    self: Layer.Layer<LlmProvider, E, R>,
    wrap: (provider: Service) => Service | Effect.Effect<Service, E2, R2>
  ): Layer.Layer<LlmProvider, E | E2, R | Exclude<R2, Scope.Scope>>
} = dual(
  2,
  <E, R, E2, R2>(
    self: Layer.Layer<LlmProvider, E, R>,
    wrap: (provider: Service) => Service | Effect.Effect<Service, E2, R2>
  ): Layer.Layer<LlmProvider, E | E2, R | Exclude<R2, Scope.Scope>> =>
    Layer.flatMap(self, (context) =>
      Layer.scoped(
        LlmProvider,
        Effect.suspend(() => {
          const wrapped = wrap(Context.get(context, LlmProvider))
          return Effect.isEffect(wrapped) ? wrapped : Effect.succeed(wrapped)
        })
      ))
)
