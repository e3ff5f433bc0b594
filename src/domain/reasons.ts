import * as Schema from "effect/Schema"
import { Usage } from "./LlmResponse.js"
import { ResponsePart } from "./Message.js"

/** What the provider or this library says about it: at most 500 characters, without keys, prompts or answers. */
export const message = Schema.optional(Schema.String)
const retryAfter = Schema.optional(Schema.DurationFromMillis)

/**
 * The key is missing, wrong or revoked.
 *
 * @since 0.1.0
 * @category reasons
 */
export const AuthenticationFailed = Schema.TaggedStruct("AuthenticationFailed", { message })

/**
 * The key is good, but may not do this.
 *
 * @since 0.1.0
 * @category reasons
 */
export const PermissionDenied = Schema.TaggedStruct("PermissionDenied", { message })

/**
 * The account has no credit left, or reached a spend limit or a daily quota: waiting a minute does not help.
 *
 * @since 0.1.0
 * @category reasons
 */
export const QuotaExhausted = Schema.TaggedStruct("QuotaExhausted", { message })

/**
 * Too many requests or tokens just now.
 *
 * @since 0.1.0
 * @category reasons
 */
export const RateLimited = Schema.TaggedStruct("RateLimited", { message, retryAfter })

/**
 * The provider has more work than it can do just now.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Overloaded = Schema.TaggedStruct("Overloaded", { message, retryAfter })

/**
 * The request is wrong, and stays wrong however often it is sent.
 *
 * @since 0.1.0
 * @category reasons
 */
export const InvalidRequest = Schema.TaggedStruct("InvalidRequest", {
  message,
  /** The field that is wrong. */
  field: Schema.optional(Schema.String),
  /** The provider's code for what is wrong. */
  code: Schema.optional(Schema.String)
})

/**
 * The input is longer than the model's context.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ContextLengthExceeded = Schema.TaggedStruct("ContextLengthExceeded", { message })

/**
 * The provider does not know the model, or does not offer it to this account.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ModelNotFound = Schema.TaggedStruct("ModelNotFound", { message })

/**
 * A content filter stopped the request.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ContentFiltered = Schema.TaggedStruct("ContentFiltered", { message })

/**
 * The model declined to answer.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Refused = Schema.TaggedStruct("Refused", { message })

/**
 * The provider failed: HTTP 5xx, 408, 409 and the like.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ServerFailed = Schema.TaggedStruct("ServerFailed", { message, retryAfter })

/**
 * Which limit passed: waiting for a permit (`queue`), one attempt (`attempt`), the first part of a stream
 * (`firstPart`), the next part of a stream (`idle`), or the deadline of the whole call (`total`).
 *
 * @since 0.1.0
 * @category reasons
 */
export const TimedOutPhase = Schema.Literal("queue", "attempt", "firstPart", "idle", "total")

/**
 * A time limit passed.
 *
 * @since 0.1.0
 * @category reasons
 */
export const TimedOut = Schema.TaggedStruct("TimedOut", {
  message,
  phase: TimedOutPhase,
  /** The limit that passed. */
  limit: Schema.optional(Schema.DurationFromMillis)
})

/**
 * The provider could not be reached, or the connection broke.
 *
 * @since 0.1.0
 * @category reasons
 */
export const NetworkFailed = Schema.TaggedStruct("NetworkFailed", {
  message,
  /** The system's code: `ECONNREFUSED`, `ENOTFOUND`, `UND_ERR_SOCKET` ... */
  code: Schema.optional(Schema.String)
})

/**
 * The answer is not what the protocol says: HTML, half a JSON, nothing.
 *
 * @since 0.1.0
 * @category reasons
 */
export const MalformedResponse = Schema.TaggedStruct("MalformedResponse", { message })

/**
 * What had come of an answer when it broke off.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Partial = Schema.Struct({
  /** The text so far. */
  text: Schema.String,
  /** All parts so far; a tool call that was not whole is marked `incomplete`. */
  parts: Schema.Array(ResponsePart),
  usage: Schema.optional(Usage)
})

/**
 * A stream broke off before its end.
 *
 * @since 0.1.0
 * @category reasons
 */
export const StreamInterrupted = Schema.TaggedStruct("StreamInterrupted", { message, partial: Partial })

/** Where a value does not fit its schema and what was expected there; never what stood there. */
const issues = Schema.Array(Schema.Struct({ path: Schema.String, expected: Schema.String }))

/**
 * The answer does not fit the schema.
 *
 * @since 0.1.0
 * @category reasons
 */
export const OutputInvalid = Schema.TaggedStruct("OutputInvalid", {
  message,
  /** The answer. */
  text: Schema.String,
  /** Where it does not fit and what was expected there; never what stood there. */
  issues
})

/**
 * The token limit cut a structured answer short.
 *
 * @since 0.1.0
 * @category reasons
 */
export const OutputTruncated = Schema.TaggedStruct("OutputTruncated", {
  message,
  /** What came of the answer. */
  text: Schema.String
})

/**
 * The model asked for a tool with arguments that are not JSON or do not fit the tool's schema (`issues`), or for a tool
 * that there is not (`available`).
 *
 * @since 0.1.0
 * @category reasons
 */
export const ToolArgumentsInvalid = Schema.TaggedStruct("ToolArgumentsInvalid", {
  message,
  /** The tool that was asked for. */
  name: Schema.optional(Schema.String),
  /** The arguments, as the model wrote them. */
  raw: Schema.String,
  /** Where they do not fit the tool's schema and what was expected there; never what stood there. */
  issues: Schema.optional(issues),
  /** The tools that there are, where the model asked for another. */
  available: Schema.optional(Schema.Array(Schema.String))
})

/**
 * The provider cannot do what was asked for.
 *
 * @since 0.1.0
 * @category reasons
 */
export const UnsupportedFeature = Schema.TaggedStruct("UnsupportedFeature", {
  message,
  /** What it cannot do. */
  feature: Schema.String
})

/**
 * A budget of tokens or money does not allow the call.
 *
 * @since 0.1.0
 * @category reasons
 */
export const BudgetExceeded = Schema.TaggedStruct("BudgetExceeded", {
  message,
  /** What the budget is for. */
  scope: Schema.optional(Schema.String)
})

/**
 * The provider failed so often that it is left alone for a while.
 *
 * @since 0.1.0
 * @category reasons
 */
export const CircuitOpen = Schema.TaggedStruct("CircuitOpen", { message, retryAfter: Schema.DurationFromMillis })
