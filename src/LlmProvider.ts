/**
 * Whoever answers requests: one attempt at a time, without any policy. Timeouts, retries, caching and logging are the
 * client's; limits, breakers and fallbacks wrap a provider in another one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LlmError } from "./domain/LlmError.js"
import type { LlmEvent } from "./domain/LlmEvent.js"
import type { LlmRequest } from "./domain/LlmRequest.js"
import type { LlmResponse, Usage } from "./domain/LlmResponse.js"
import * as StreamPart from "./domain/StreamPart.js"

/**
 * A dialect of JSON Schema: what a provider accepts of it. A constraint without a keyword in the dialect is sent in
 * words, in the description; a schema that the dialect cannot express fails with `UnsupportedFeature`.
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
   * Whether a tool can be `strict`, so that the model is held to its schema. Tools are then strict by default, and those
   * that the dialect cannot express are sent as plain JSON Schema, not strict.
   */
  readonly strictTools: boolean
  /**
   * Which schemas may refer to themselves: any, none, or only those with something absent, null or empty on the way
   * (`escapable`).
   */
  readonly recursion: "any" | "none" | "escapable"
  /** Whether `enum` is a keyword for values of a type: "string", "number", "boolean" ... */
  readonly enumerates: (type: string) => boolean
  /** Whether the dialect has a constraint, such as `minLength` or `format`, with this value. */
  readonly constrains: (keyword: string, value: unknown) => boolean
}

/**
 * The dialects that have a name: OpenAI's strict mode, which other services follow; Anthropic's; Gemini's; and all of
 * JSON Schema (`plain`). A provider with another one brings a `Dialect`.
 *
 * @since 0.1.0
 * @category models
 */
export type SchemaDialect = "openai" | "anthropic" | "gemini" | "plain"

/**
 * How a model is asked for JSON that fits a schema: by the provider, which takes the schema and holds the model to it
 * (`native`); by a tool that it has to call, whose parameters are the schema (`tool`); by the provider's mode for any
 * JSON, with the schema in words (`json`); or in words only (`prompt`).
 *
 * @since 0.1.0
 * @category models
 */
export type OutputMode = "native" | "tool" | "json" | "prompt"

/**
 * What a provider can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The provider's name, as telemetry and cache keys have it: "openai", "anthropic" ... */
  readonly name: string
  /** The address that requests go to. Two endpoints never share cached answers. */
  readonly endpoint: string
  /**
   * The dialect of JSON Schema for the `outputSchema` of requests and for tools. Default: the provider takes no
   * `outputSchema`, and `LlmClient.object` describes the answer to the model in words.
   */
  readonly schemaDialect?: SchemaDialect | Dialect | undefined
  /**
   * How a model is best asked for a value. Default: `native` where the provider has a `schemaDialect`, else `prompt`.
   */
  readonly outputMode?: ((model: string) => OutputMode) | undefined
  /** Sends the request once and reads the whole answer. Interrupting it aborts the request. */
  readonly call: (request: LlmRequest) => Effect.Effect<LlmResponse, LlmError>
  /**
   * Sends the request once and gives the answer as it comes: exactly one `Finish`, last, or a failure. Closing the
   * stream aborts the request.
   */
  readonly stream: (request: LlmRequest) => Stream.Stream<StreamPart.StreamPart, LlmError>
}

/**
 * Whoever answers requests.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmProvider extends Context.Tag("effect-llm/LlmProvider")<LlmProvider, Service>() {}

/**
 * What a request was billed. Every `LlmResponse` is one of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spend {
  readonly provider: string
  readonly model: string
  readonly usage: Usage
  /** In US dollars. Default: whoever knows prices on the way to the client finds it out from the usage. */
  readonly cost?: number | undefined
}

/**
 * What a policy around a provider may know of the attempt it takes part in, and tell about it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt {
  /** Whose call it is: what keeps the answers of one tenant from another. */
  readonly namespace?: string | undefined
  /** The labels of the call. */
  readonly tags?: { readonly [name: string]: string } | undefined
  /** Reports an event, with the tags of the call. Never fails, and never takes long. */
  readonly report: (event: LlmEvent) => Effect.Effect<void>
  /** How long it is until the attempt is given up. */
  readonly left: Effect.Effect<Duration.Duration>
  /** How long it is until the whole call is given up: the longest that a wait for a turn may be. */
  readonly untilDeadline: Effect.Effect<Duration.Duration>
  /** Whether the attempt was interrupted because its time had passed, and not because its caller had left. */
  readonly expired: Effect.Effect<boolean>
  /** Waits for a turn. Meanwhile the attempt's time stands still; the call's deadline does not. */
  readonly queued: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Counts a request beyond the first of the attempt. */
  readonly countRequest: Effect.Effect<void>
  /**
   * Tells of what was billed beyond the answer: for an answer that another one beat, or one that broke off after its
   * tokens had been counted. The response's `cost` includes it, and is unknown where its cost is. To be told once.
   */
  readonly spent: (spend: Spend) => Effect.Effect<void>
}

/**
 * The attempt under way. The client provides it to `call`, and to `stream` until its first part; a policy reads it once,
 * at the start. Without a client there is no limit, and nobody to report to.
 *
 * @since 0.1.0
 * @category references
 */
export class CurrentAttempt extends Context.Reference<CurrentAttempt>()("effect-llm/LlmProvider/CurrentAttempt", {
  defaultValue: (): Attempt => ({
    report: () => Effect.void,
    left: Effect.succeed(Duration.infinity),
    untilDeadline: Effect.succeed(Duration.infinity),
    expired: Effect.succeed(false),
    queued: (wait) => wait,
    countRequest: Effect.void,
    spent: () => Effect.void
  })
}) {}

/**
 * Makes a provider. One without `stream` streams each answer once it is whole.
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
 * Provides a provider of your own making.
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
 * Wraps the provider of a layer in another one. All policies are made with it, and so is a policy of your own
 * (`Policy.around`). The wrapper may be an Effect; a scope that it needs is open as long as the layer is.
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
