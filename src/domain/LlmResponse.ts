/**
 * A model's answer, with its finish reason, usage, provider, and number of attempts.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { freezePlain } from "../internal/freeze.js"
import { copy, instance } from "../internal/instance.js"
import type { NamedStruct } from "../internal/namedStruct.js"
import * as Message from "./Message.js"
import { wellFormedParts } from "./wellFormedParts.js"

/**
 * Why the model stopped: at its natural end or a stop text (`stop`), at the token limit (`length`), to have tools run
 * (`tool_calls`), because a filter intervened (`content_filter`), because it declined (`refusal`), to be continued
 * (`pause`), because the context was full (`context_window`), or for a reason unknown to this library (`other`).
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
 * Why the model stopped.
 *
 * @since 0.1.0
 * @category models
 */
export type FinishReason = typeof FinishReason.Type

const count = Schema.optional(Schema.NonNegative)

const usageFields = Schema.Struct({
  /** All input, including tokens read from or written to the provider's prompt cache. */
  inputTokens: count,
  /** The part of the input that was read from the provider's prompt cache. */
  cachedInputTokens: count,
  /** The part of the input that was written to the provider's prompt cache. */
  cacheWriteTokens: count,
  /** All output, including reasoning. */
  outputTokens: count,
  /** The part of the output that was reasoning. */
  reasoningTokens: count,
  /** The part of `cacheWriteTokens` that the provider's prompt cache keeps for 5 minutes. */
  cacheWrite5mTokens: count,
  /** The part of `cacheWriteTokens` that the provider's prompt cache keeps for an hour. */
  cacheWrite1hTokens: count,
  /** The part of `cacheWriteTokens` that the provider's prompt cache keeps for at least 12 hours. */
  cacheWrite12hTokens: count,
  /**
   * The number of times that the provider ran each of its own tools, by the provider's names: `{ web_search_requests: 2
   * }`.
   */
  serverToolUse: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.NonNegative })),
  /** The tier that served the request, by the provider's name. Absent for the ordinary one ("default", "standard"). */
  serviceTier: Schema.optional(Schema.String)
})

/**
 * Tokens, as the provider counted them. Token counts that the provider did not report are absent, never 0.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage extends Schema.Schema.Type<typeof usageFields> {}

/**
 * Tokens, as the provider counted them. Token counts that the provider did not report are absent, never 0.
 *
 * @since 0.1.0
 * @category models
 */
export const Usage: NamedStruct<Usage, typeof usageFields.fields> = usageFields

const tokenChoiceFields = Schema.Struct({
  /** The token. */
  token: Schema.String,
  /** The natural logarithm of its probability. */
  logprob: Schema.Number,
  /** Its bytes in UTF-8: a token need not be whole characters. */
  bytes: Schema.optional(Schema.Array(Schema.Number))
})

/**
 * A token that the model could choose, and its probability.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenChoice extends Schema.Schema.Type<typeof tokenChoiceFields> {}

/**
 * A token that the model could choose, and its probability.
 *
 * @since 0.1.0
 * @category models
 */
export const TokenChoice: NamedStruct<TokenChoice, typeof tokenChoiceFields.fields> = tokenChoiceFields

const logprobFields = Schema.Struct({
  ...tokenChoiceFields.fields,
  /** The likeliest tokens at this place. Absent if they were not asked for. */
  top: Schema.optional(Schema.Array(TokenChoice))
})

/**
 * A token of the answer, and its probability.
 *
 * @since 0.1.0
 * @category models
 */
export interface Logprob extends Schema.Schema.Type<typeof logprobFields> {}

/**
 * A token of the answer, and its probability.
 *
 * @since 0.1.0
 * @category models
 */
export const Logprob: NamedStruct<Logprob, typeof logprobFields.fields> = logprobFields

const limitFields = Schema.Struct({
  /** The size of the window. */
  limit: count,
  /** How much of it is left. */
  remaining: count,
  /** How long until the window is full again. */
  resetAfter: Schema.optional(Schema.DurationFromMillis),
  /** The length of the window; "unknown" if neither the headers nor their names state it. Absent: a minute. */
  window: Schema.optional(Schema.Union(Schema.DurationFromMillis, Schema.Literal("unknown")))
})

/**
 * One of the provider's limits, as its headers state it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limit extends Schema.Schema.Type<typeof limitFields> {}

/**
 * One of the provider's limits, as its headers state it.
 *
 * @since 0.1.0
 * @category models
 */
export const Limit: NamedStruct<Limit, typeof limitFields.fields> = limitFields

const rateLimitFields = Schema.Struct({
  /** Requests in the window. */
  requests: Schema.optional(Limit),
  /** Tokens in the window, input and output together. */
  tokens: Schema.optional(Limit),
  /** Input tokens in the window. */
  inputTokens: Schema.optional(Limit),
  /** Output tokens in the window. */
  outputTokens: Schema.optional(Limit)
})

/**
 * The provider's limits, as its headers state them. Limits that they do not mention are absent.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit extends Schema.Schema.Type<typeof rateLimitFields> {}

/**
 * The provider's limits, as its headers state them. Limits that they do not mention are absent.
 *
 * @since 0.1.0
 * @category models
 */
export const RateLimit: NamedStruct<RateLimit, typeof rateLimitFields.fields> = rateLimitFields

/**
 * The origin of an answer: the provider, the cache, or the run of an equal call that had already started.
 *
 * @since 0.1.0
 * @category models
 */
export const Origin = Schema.Literal("provider", "cache", "shared")

/**
 * The origin of an answer.
 *
 * @since 0.1.0
 * @category models
 */
export type Origin = typeof Origin.Type

/** The defaults of fields that the provider does not set. */
const defaults = freezePlain(
  {
    parts: [],
    usage: {},
    origin: "provider",
    attempts: 1,
    latency: Duration.zero,
    warnings: []
  } as const
)

const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>) =>
  Schema.propertySignature(schema).pipe(Schema.withConstructorDefault(() => value))

/** A field for this process only: encoding leaves it out, and decoding ignores it. */
const neverEncoded = Schema.optionalToOptional(Schema.Unknown, Schema.Unknown, {
  decode: () => Option.none(),
  encode: () => Option.none()
})

/**
 * A complete answer. `make` derives `text` from the parts.
 *
 * @since 0.1.0
 * @category models
 */
export class LlmResponse extends Schema.Class<LlmResponse>("effect-llm/LlmResponse")({
  /** The text of the answer: its `Text` parts, joined. */
  text: Schema.String,
  /** All parts of the answer, in order. */
  parts: withDefault(Schema.Array(Message.ResponsePart), defaults.parts),
  /** Why the model stopped. */
  finishReason: FinishReason,
  /** The billed tokens: none if the answer came from the cache or a shared run. */
  usage: withDefault(Usage, defaults.usage),
  /** The usage of the original request, if the answer came from the cache or a shared run. */
  originalUsage: Schema.optional(Usage),
  /** The model that answered, as the provider names it. */
  model: Schema.String,
  /** The name of the provider that answered. */
  provider: Schema.String,
  /** The provider's id of the answer. */
  id: Schema.optional(Schema.String),
  /** The provider's id of the HTTP request, for its support. */
  requestId: Schema.optional(Schema.String),
  /** The origin of the answer. */
  origin: withDefault(Origin, defaults.origin),
  /** The number of requests sent for this answer: 0 if it came from the cache or a shared run. */
  attempts: withDefault(Schema.NonNegativeInt, defaults.attempts),
  /** The time from the call to the answer, for this caller. */
  latency: withDefault(Schema.DurationFromMillis, defaults.latency),
  /** The part of the latency that the call spent in a queue. Absent if it did not wait, or sent no request. */
  queuedFor: Schema.optional(Schema.DurationFromMillis),
  /** The cost in US dollars, if the price is known. */
  cost: Schema.optional(Schema.Number),
  /** The provider's limits, as the headers of the answer state them. */
  rateLimit: Schema.optional(RateLimit),
  /**
   * Parts of the request that could not be sent (a setting that the model does not support, for example), and the kinds of
   * blocks in the answer that were kept as `Opaque`.
   */
  warnings: withDefault(Schema.Array(Schema.String), defaults.warnings),
  /** Further fields of the provider's answer, as it sent them. */
  providerMetadata: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** The tokens of the answer with their probabilities, if the request asked for them. */
  logprobs: Schema.optional(Schema.Array(Logprob)),
  /**
   * The body of the provider's answer, as parsed JSON. Present only if the provider answered a call in one piece. It is
   * never cached, given to another caller, or encoded.
   */
  raw: neverEncoded
}) {
  /** The tool calls among the parts. */
  get toolCalls(): ReadonlyArray<Message.ToolCall> {
    return this.parts.filter((part) => part._tag === "ToolCall")
  }

  /** The sources among the parts: citations, grounding, search results. */
  get sources(): ReadonlyArray<Message.Source> {
    return this.parts.filter((part) => part._tag === "Source")
  }

  /** The answer as the next turn of the conversation. */
  get message(): Message.AssistantMessage {
    return { role: "assistant", content: this.parts }
  }
}

type Fields = ConstructorParameters<typeof LlmResponse>[0]

/**
 * Makes a response. Its `text` is that of its `Text` parts. U+FFFD takes the place of a lone surrogate in a part: such a
 * part could not go back to a model.
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
): LlmResponse => {
  const parts = wellFormedParts(fields.parts)
  return instance(LlmResponse, {
    ...defaults,
    ...fields,
    parts,
    text: Message.text({ role: "assistant", content: parts })
  })
}

/**
 * The same answer with some fields changed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const update = (response: LlmResponse, fields: Partial<Fields>): LlmResponse => copy(response, fields)

/**
 * Whether an answer may be cached and shared: the model came to its natural end with a text, or called tools.
 * Truncated, filtered, refused, paused and empty answers may not, nor may those with a part that could not be read
 * whole.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isComplete = (response: LlmResponse): boolean => {
  const { finishReason, parts, text } = response
  const isWhole = finishReason === "stop"
    ? text.trim() !== ""
    : finishReason === "tool_calls" && parts.some((part) => part._tag === "ToolCall")
  return isWhole && !parts.some((part) => part._tag === "Refusal" || (part._tag === "Opaque" && part.partial === true))
}

/**
 * The same answer without `raw`, as it is kept for others.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withoutRaw = (response: LlmResponse): LlmResponse => {
  if (response.raw === undefined) return response
  const { raw: _, ...fields } = response
  return instance(LlmResponse, fields)
}

/**
 * The same answer for a caller that did not cause the request: nothing is billed, and `originalUsage` has the original
 * usage.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reuse = (
  response: LlmResponse,
  options: {
    /** The origin of the answer. */
    readonly origin: "cache" | "shared"
    /** The time from the call to the answer. */
    readonly latency: Duration.Duration
  }
): LlmResponse =>
  update(withoutRaw(response), {
    origin: options.origin,
    attempts: 0,
    latency: options.latency,
    usage: { inputTokens: 0, outputTokens: 0 },
    originalUsage: response.originalUsage ?? response.usage,
    ...(response.queuedFor !== undefined && { queuedFor: undefined }),
    ...(response.cost !== undefined && { cost: 0 })
  })

/**
 * Freezes the plain data of an answer at any depth (`parts` with the arguments of tool calls, `usage`, `rateLimit`,
 * `warnings`, `providerMetadata`, `raw`), and returns the answer, so that no receiver can change it for another. The answer
 * itself stays extensible, as Effect keeps its hash in it; so do Durations and other instances of classes.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { LlmResponse, Message } from "effect-llm"
 *
 * const response = LlmResponse.freeze(LlmResponse.make({
 *   parts: [Message.ToolCall.make({ id: "call_1", name: "river_length", arguments: { rivers: ["Elbe"] } })],
 *   finishReason: "tool_calls",
 *   model: "gpt-4o-mini",
 *   provider: "openai"
 * }))
 *
 * Object.isFrozen(response.toolCalls[0]?.arguments) // => true
 * ```
 */
export const freeze = (response: LlmResponse): LlmResponse => {
  for (const field of Object.values(response)) freezePlain(field)
  return response
}
