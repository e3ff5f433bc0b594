/**
 * What a model answered, and what is known about how: finish reason, usage, who answered, after how many attempts.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { copy } from "../internal/copy.js"
import * as Message from "./Message.js"

/**
 * Why the model stopped: at its natural end or a stop text (`stop`), at the token limit (`length`), to have tools run
 * (`tool_calls`), because a filter cut in (`content_filter`), because it declined (`refusal`), to be sent on
 * (`pause`), because the context was full (`context_window`), or for a reason that this library has no name for.
 *
 * @since 0.1.0
 * @category models
 */
export const FinishReason = Schema.Literal(
  "stop",
  "length",
  "tool_calls",
  "content_filter",
  "refusal",
  "pause",
  "context_window",
  "other"
)

/**
 * @since 0.1.0
 * @category models
 */
export type FinishReason = typeof FinishReason.Type

const count = Schema.optional(Schema.NonNegative)

/**
 * Tokens, as the provider counted them. What the provider did not say is absent, never 0.
 *
 * @since 0.1.0
 * @category models
 */
export const Usage = Schema.Struct({
  /** All input, including what was read from or written to the provider's prompt cache. */
  inputTokens: count,
  /** The part of the input that was read from the provider's prompt cache. */
  cachedInputTokens: count,
  /** The part of the input that was written to the provider's prompt cache. */
  cacheWriteTokens: count,
  /** All output, including reasoning. */
  outputTokens: count,
  /** The part of the output that was reasoning. */
  reasoningTokens: count
})

/**
 * @since 0.1.0
 * @category models
 */
export type Usage = typeof Usage.Type

const Limit = Schema.Struct({
  /** How much the window allows. */
  limit: count,
  /** How much of it is left. */
  remaining: count,
  /** How long until the window is full again. */
  resetAfter: Schema.optional(Schema.DurationFromMillis)
})

/**
 * What the provider's headers said about its limits. What they did not say is absent.
 *
 * @since 0.1.0
 * @category models
 */
export const RateLimit = Schema.Struct({
  requests: Schema.optional(Limit),
  tokens: Schema.optional(Limit),
  inputTokens: Schema.optional(Limit),
  outputTokens: Schema.optional(Limit)
})

/**
 * @since 0.1.0
 * @category models
 */
export type RateLimit = typeof RateLimit.Type

/**
 * Where an answer came from: the provider, the cache, or the run of an equal call that was already under way.
 *
 * @since 0.1.0
 * @category models
 */
export const Origin = Schema.Literal("provider", "cache", "shared")

/**
 * @since 0.1.0
 * @category models
 */
export type Origin = typeof Origin.Type

const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: () => NoInfer<A>) =>
  Schema.propertySignature(schema).pipe(Schema.withConstructorDefault(value))

/**
 * A complete answer. `make` derives `text` from the parts.
 *
 * @since 0.1.0
 * @category models
 */
export class LlmResponse extends Schema.Class<LlmResponse>("effect-llm/LlmResponse")({
  /** The text of the answer: its `Text` parts, joined. */
  text: Schema.String,
  /** Everything that the model answered, in its order. */
  parts: withDefault(Schema.Array(Message.ResponsePart), () => []),
  finishReason: FinishReason,
  /** What this answer was billed: nothing when it came from the cache or a shared run. */
  usage: withDefault(Usage, () => ({})),
  /** What the answer cost when it was made, for one that came from the cache or a shared run. */
  originalUsage: Schema.optional(Usage),
  /** The model that answered, as the provider names it. */
  model: Schema.String,
  /** The name of the provider that answered. */
  provider: Schema.String,
  /** The provider's id of the answer. */
  id: Schema.optional(Schema.String),
  /** The provider's id of the HTTP request, for its support. */
  requestId: Schema.optional(Schema.String),
  origin: withDefault(Origin, () => "provider" as const),
  /** How many requests were sent for this answer: 0 when it came from the cache or a shared run. */
  attempts: withDefault(Schema.NonNegativeInt, () => 1),
  /** From the call to the answer, as this caller saw it. */
  latency: withDefault(Schema.DurationFromMillis, () => Duration.zero),
  /** The part of it in which the call waited for its turn, where it had to: none, when it came from elsewhere. */
  queuedFor: Schema.optional(Schema.DurationFromMillis),
  /** In US dollars, where a price is known. */
  cost: Schema.optional(Schema.Number),
  rateLimit: Schema.optional(RateLimit),
  /** What was asked for and could not be sent: a setting that the model does not take, for example. */
  warnings: withDefault(Schema.Array(Schema.String), () => []),
  /** What the provider said beyond all this, in its own words. */
  providerMetadata: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
}) {
  /** The tool calls among the parts. */
  get toolCalls(): ReadonlyArray<Message.ToolCall> {
    return this.parts.filter((part) => part._tag === "ToolCall")
  }

  /** The answer as the next turn of the conversation. */
  get message(): Message.AssistantMessage {
    return { role: "assistant", content: this.parts }
  }
}

type Fields = ConstructorParameters<typeof LlmResponse>[0]

/** What an answer is that nothing is known of. To check it would compile the schema for whoever only imports this. */
const blank = new LlmResponse({ text: "", finishReason: "other", model: "", provider: "" }, { disableValidation: true })

/**
 * Makes a response whose `text` is what its `Text` parts say.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { LlmResponse, Message } from "effect-llm"
 *
 * const response = LlmResponse.make({
 *   parts: [Message.Text.make({ text: "Elbe, " }), Message.Text.make({ text: "Oder" })],
 *   finishReason: "stop",
 *   model: "gpt-4o-mini",
 *   provider: "openai"
 * })
 *
 * response.text // => "Elbe, Oder"
 * ```
 */
export const make = (
  fields: Omit<Fields, "text" | "parts"> & { readonly parts: ReadonlyArray<Message.ResponsePart> }
): LlmResponse => copy(blank, { ...fields, text: Message.text({ role: "assistant", content: fields.parts }) })

/**
 * The same answer with some fields changed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const update = (response: LlmResponse, fields: Partial<Fields>): LlmResponse => copy(response, fields)

/**
 * Whether an answer is whole, so that it may be kept and given to others: the model came to its natural end or asks
 * for tools. Truncated, filtered, refused and paused answers are not.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isComplete = (response: LlmResponse): boolean =>
  (response.finishReason === "stop" || response.finishReason === "tool_calls") &&
  !response.parts.some((part) => part._tag === "Refusal")

/**
 * The same answer as somebody gets it who did not cause it: billed nothing, with the original usage beside.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reuse = (
  response: LlmResponse,
  options: {
    /** Where it came from. */
    readonly origin: "cache" | "shared"
    /** From the call to the answer. */
    readonly latency: Duration.Duration
  }
): LlmResponse =>
  update(response, {
    origin: options.origin,
    attempts: 0,
    latency: options.latency,
    usage: { inputTokens: 0, outputTokens: 0 },
    originalUsage: response.originalUsage ?? response.usage,
    ...(response.queuedFor !== undefined && { queuedFor: undefined }),
    ...(response.cost !== undefined && { cost: 0 })
  })
