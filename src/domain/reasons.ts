import * as Schema from "effect/Schema"
import { type NamedStructOfDurations, withDurations } from "../internal/durationFields.js"
import type { NamedStruct } from "../internal/namedStruct.js"
import { Usage } from "./LlmResponse.js"
import { ResponsePart } from "./Message.js"

/** The field that every reason has. */
export const explained = {
  /** The words of the provider or of this library: at most 500 characters, without keys, prompts or answers. */
  message: Schema.optional(Schema.String)
}

const postponed = {
  ...explained,
  /** How long the provider asks to wait before the next request. */
  retryAfter: Schema.optional(Schema.DurationFromMillis)
}

const issues = Schema.Array(Schema.Struct({ path: Schema.String, expected: Schema.String }))

const authenticationFailedFields = Schema.TaggedStruct("AuthenticationFailed", explained)

/**
 * The key is missing, wrong or revoked.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface AuthenticationFailed extends Schema.Schema.Type<typeof authenticationFailedFields> {}

/**
 * The key is missing, wrong or revoked.
 *
 * @since 0.1.0
 * @category reasons
 */
export const AuthenticationFailed: NamedStruct<AuthenticationFailed, typeof authenticationFailedFields.fields> =
  authenticationFailedFields

const permissionDeniedFields = Schema.TaggedStruct("PermissionDenied", explained)

/**
 * The key is valid, but does not allow this request.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface PermissionDenied extends Schema.Schema.Type<typeof permissionDeniedFields> {}

/**
 * The key is valid, but does not allow this request.
 *
 * @since 0.1.0
 * @category reasons
 */
export const PermissionDenied: NamedStruct<PermissionDenied, typeof permissionDeniedFields.fields> =
  permissionDeniedFields

const quotaExhaustedFields = Schema.TaggedStruct("QuotaExhausted", explained)

/**
 * The account has no credit left, or has reached a spend limit or a daily quota: waiting a minute does not help.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface QuotaExhausted extends Schema.Schema.Type<typeof quotaExhaustedFields> {}

/**
 * The account has no credit left, or has reached a spend limit or a daily quota: waiting a minute does not help.
 *
 * @since 0.1.0
 * @category reasons
 */
export const QuotaExhausted: NamedStruct<QuotaExhausted, typeof quotaExhaustedFields.fields> = quotaExhaustedFields

const rateLimitedFields = Schema.TaggedStruct("RateLimited", postponed)

/**
 * Too many requests or tokens at the moment.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface RateLimited extends Schema.Schema.Type<typeof rateLimitedFields> {}

/**
 * Too many requests or tokens at the moment.
 *
 * @since 0.1.0
 * @category reasons
 */
export const RateLimited: NamedStructOfDurations<RateLimited, typeof rateLimitedFields.fields> = withDurations<
  RateLimited,
  typeof rateLimitedFields.fields,
  typeof rateLimitedFields.Encoded
>(rateLimitedFields)

const overloadedFields = Schema.TaggedStruct("Overloaded", postponed)

/**
 * The provider has too much work at the moment.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface Overloaded extends Schema.Schema.Type<typeof overloadedFields> {}

/**
 * The provider has too much work at the moment.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Overloaded: NamedStructOfDurations<Overloaded, typeof overloadedFields.fields> = withDurations<
  Overloaded,
  typeof overloadedFields.fields,
  typeof overloadedFields.Encoded
>(overloadedFields)

const invalidRequestFields = Schema.TaggedStruct("InvalidRequest", {
  ...explained,
  /** The field that is wrong. */
  field: Schema.optional(Schema.String),
  /** The provider's code for the mistake. */
  code: Schema.optional(Schema.String)
})

/**
 * The request is wrong, and stays wrong however often it is sent.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface InvalidRequest extends Schema.Schema.Type<typeof invalidRequestFields> {}

/**
 * The request is wrong, and stays wrong however often it is sent.
 *
 * @since 0.1.0
 * @category reasons
 */
export const InvalidRequest: NamedStruct<InvalidRequest, typeof invalidRequestFields.fields> = invalidRequestFields

const contextLengthExceededFields = Schema.TaggedStruct("ContextLengthExceeded", explained)

/**
 * The input is longer than the model's context.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface ContextLengthExceeded extends Schema.Schema.Type<typeof contextLengthExceededFields> {}

/**
 * The input is longer than the model's context.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ContextLengthExceeded: NamedStruct<ContextLengthExceeded, typeof contextLengthExceededFields.fields> =
  contextLengthExceededFields

const reasoningRejectedFields = Schema.TaggedStruct("ReasoningRejected", explained)

/**
 * The provider cannot read the encrypted or signed reasoning of the conversation, which another account or model made, or
 * which belongs to another conversation. A provider is asked once more without the reasoning: this is the failure of a
 * request that has none, or none that can be left out.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface ReasoningRejected extends Schema.Schema.Type<typeof reasoningRejectedFields> {}

/**
 * The provider cannot read the encrypted or signed reasoning of the conversation, which another account or model made, or
 * which belongs to another conversation. A provider is asked once more without the reasoning: this is the failure of a
 * request that has none, or none that can be left out.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ReasoningRejected: NamedStruct<ReasoningRejected, typeof reasoningRejectedFields.fields> =
  reasoningRejectedFields

const modelNotFoundFields = Schema.TaggedStruct("ModelNotFound", explained)

/**
 * The provider does not know the model, or does not offer it to this account.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface ModelNotFound extends Schema.Schema.Type<typeof modelNotFoundFields> {}

/**
 * The provider does not know the model, or does not offer it to this account.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ModelNotFound: NamedStruct<ModelNotFound, typeof modelNotFoundFields.fields> = modelNotFoundFields

const contentFilteredFields = Schema.TaggedStruct("ContentFiltered", explained)

/**
 * A content filter stopped the request or the answer.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface ContentFiltered extends Schema.Schema.Type<typeof contentFilteredFields> {}

/**
 * A content filter stopped the request or the answer.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ContentFiltered: NamedStruct<ContentFiltered, typeof contentFilteredFields.fields> = contentFilteredFields

const refusedFields = Schema.TaggedStruct("Refused", explained)

/**
 * The model declined to answer.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface Refused extends Schema.Schema.Type<typeof refusedFields> {}

/**
 * The model declined to answer.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Refused: NamedStruct<Refused, typeof refusedFields.fields> = refusedFields

const serverFailedFields = Schema.TaggedStruct("ServerFailed", postponed)

/**
 * The provider failed: HTTP 5xx, 408, 409 and the like.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface ServerFailed extends Schema.Schema.Type<typeof serverFailedFields> {}

/**
 * The provider failed: HTTP 5xx, 408, 409 and the like.
 *
 * @since 0.1.0
 * @category reasons
 */
export const ServerFailed: NamedStructOfDurations<ServerFailed, typeof serverFailedFields.fields> = withDurations<
  ServerFailed,
  typeof serverFailedFields.fields,
  typeof serverFailedFields.Encoded
>(serverFailedFields)

/**
 * The limit that passed: the wait for a permit, or for the service to come to a request of a batch (`queue`), one attempt
 * (`attempt`), the first part of a stream (`firstPart`), the next part of a stream (`idle`), or the deadline of the whole
 * call (`total`).
 *
 * @since 0.1.0
 * @category reasons
 */
export const TimedOutPhase = Schema.Literal("queue", "attempt", "firstPart", "idle", "total")

/**
 * The limit that passed: the wait for a permit, or for the service to come to a request of a batch (`queue`), one attempt
 * (`attempt`), the first part of a stream (`firstPart`), the next part of a stream (`idle`), or the deadline of the whole
 * call (`total`).
 *
 * @since 0.1.0
 * @category reasons
 */
export type TimedOutPhase = typeof TimedOutPhase.Type

const timedOutFields = Schema.TaggedStruct("TimedOut", {
  ...explained,
  phase: TimedOutPhase,
  /** The limit that passed. */
  limit: Schema.optional(Schema.DurationFromMillis)
})

/**
 * A time limit passed.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface TimedOut extends Schema.Schema.Type<typeof timedOutFields> {}

/**
 * A time limit passed.
 *
 * @since 0.1.0
 * @category reasons
 */
export const TimedOut: NamedStructOfDurations<TimedOut, typeof timedOutFields.fields> = withDurations<
  TimedOut,
  typeof timedOutFields.fields,
  typeof timedOutFields.Encoded
>(timedOutFields)

const networkFailedFields = Schema.TaggedStruct("NetworkFailed", {
  ...explained,
  /** The system's code: `ECONNREFUSED`, `ENOTFOUND`, `UND_ERR_SOCKET` ... */
  code: Schema.optional(Schema.String)
})

/**
 * The provider could not be reached, or the connection broke.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface NetworkFailed extends Schema.Schema.Type<typeof networkFailedFields> {}

/**
 * The provider could not be reached, or the connection broke.
 *
 * @since 0.1.0
 * @category reasons
 */
export const NetworkFailed: NamedStruct<NetworkFailed, typeof networkFailedFields.fields> = networkFailedFields

const malformedResponseFields = Schema.TaggedStruct("MalformedResponse", explained)

/**
 * The answer does not follow the protocol: truncated JSON, HTML, or an empty body.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface MalformedResponse extends Schema.Schema.Type<typeof malformedResponseFields> {}

/**
 * The answer does not follow the protocol: truncated JSON, HTML, or an empty body.
 *
 * @since 0.1.0
 * @category reasons
 */
export const MalformedResponse: NamedStruct<MalformedResponse, typeof malformedResponseFields.fields> =
  malformedResponseFields

const partialFields = Schema.Struct({
  /** The text so far. */
  text: Schema.String,
  /** All parts so far; an unfinished tool call is marked `incomplete`. */
  parts: Schema.Array(ResponsePart),
  usage: Schema.optional(Usage)
})

/**
 * The part of an answer that arrived before it broke off.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface Partial extends Schema.Schema.Type<typeof partialFields> {}

/**
 * The part of an answer that arrived before it broke off.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Partial: NamedStruct<Partial, typeof partialFields.fields> = partialFields

const streamInterruptedFields = Schema.TaggedStruct("StreamInterrupted", {
  ...explained,
  /** The answer up to the break. */
  partial: Partial
})

/**
 * A stream broke off before its end.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface StreamInterrupted extends Schema.Schema.Type<typeof streamInterruptedFields> {}

/**
 * A stream broke off before its end.
 *
 * @since 0.1.0
 * @category reasons
 */
export const StreamInterrupted: NamedStruct<StreamInterrupted, typeof streamInterruptedFields.fields> =
  streamInterruptedFields

const outputInvalidFields = Schema.TaggedStruct("OutputInvalid", {
  ...explained,
  /** The answer. */
  text: Schema.String,
  /** The places that do not fit, at most 100, and the expectation there; never the values. */
  issues,
  /** The number of further places. */
  omittedIssues: Schema.optional(Schema.NonNegativeInt)
})

/**
 * The answer does not fit the schema.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface OutputInvalid extends Schema.Schema.Type<typeof outputInvalidFields> {}

/**
 * The answer does not fit the schema.
 *
 * @since 0.1.0
 * @category reasons
 */
export const OutputInvalid: NamedStruct<OutputInvalid, typeof outputInvalidFields.fields> = outputInvalidFields

const outputTruncatedFields = Schema.TaggedStruct("OutputTruncated", {
  ...explained,
  /** The answer up to the cut. */
  text: Schema.String
})

/**
 * The token limit cut a structured answer short.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface OutputTruncated extends Schema.Schema.Type<typeof outputTruncatedFields> {}

/**
 * The token limit cut a structured answer short.
 *
 * @since 0.1.0
 * @category reasons
 */
export const OutputTruncated: NamedStruct<OutputTruncated, typeof outputTruncatedFields.fields> = outputTruncatedFields

const toolArgumentsInvalidFields = Schema.TaggedStruct("ToolArgumentsInvalid", {
  ...explained,
  /** The name of the called tool. */
  name: Schema.optional(Schema.String),
  /** The arguments, as the model wrote them. */
  raw: Schema.String,
  /** The places that do not fit the tool's schema, at most 100, and the expectation there; never the values. */
  issues: Schema.optional(issues),
  /** The number of further places. */
  omittedIssues: Schema.optional(Schema.NonNegativeInt),
  /** The names of the existing tools, if the model called another. */
  available: Schema.optional(Schema.Array(Schema.String))
})

/**
 * The model called a tool with arguments that are not JSON or do not fit the tool's schema (`issues`), or called an
 * unknown tool (`available`).
 *
 * @since 0.1.0
 * @category reasons
 */
export interface ToolArgumentsInvalid extends Schema.Schema.Type<typeof toolArgumentsInvalidFields> {}

/**
 * The model called a tool with arguments that are not JSON or do not fit the tool's schema (`issues`), or called an
 * unknown tool (`available`).
 *
 * @since 0.1.0
 * @category reasons
 */
export const ToolArgumentsInvalid: NamedStruct<ToolArgumentsInvalid, typeof toolArgumentsInvalidFields.fields> =
  toolArgumentsInvalidFields

const unsupportedFeatureFields = Schema.TaggedStruct("UnsupportedFeature", {
  ...explained,
  /** The missing feature. */
  feature: Schema.String
})

/**
 * The provider cannot do what the request asks for.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface UnsupportedFeature extends Schema.Schema.Type<typeof unsupportedFeatureFields> {}

/**
 * The provider cannot do what the request asks for.
 *
 * @since 0.1.0
 * @category reasons
 */
export const UnsupportedFeature: NamedStruct<UnsupportedFeature, typeof unsupportedFeatureFields.fields> =
  unsupportedFeatureFields

const budgetExceededFields = Schema.TaggedStruct("BudgetExceeded", {
  ...explained,
  /** The name of the budget's scope. */
  scope: Schema.optional(Schema.String)
})

/**
 * A budget of tokens or money does not allow the call.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface BudgetExceeded extends Schema.Schema.Type<typeof budgetExceededFields> {}

/**
 * A budget of tokens or money does not allow the call.
 *
 * @since 0.1.0
 * @category reasons
 */
export const BudgetExceeded: NamedStruct<BudgetExceeded, typeof budgetExceededFields.fields> = budgetExceededFields

const circuitOpenFields = Schema.TaggedStruct("CircuitOpen", {
  ...explained,
  /** How long until the provider is called again. */
  retryAfter: Schema.DurationFromMillis
})

/**
 * The provider failed so often that it is not called for a while.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface CircuitOpen extends Schema.Schema.Type<typeof circuitOpenFields> {}

/**
 * The provider failed so often that it is not called for a while.
 *
 * @since 0.1.0
 * @category reasons
 */
export const CircuitOpen: NamedStructOfDurations<CircuitOpen, typeof circuitOpenFields.fields> = withDurations<
  CircuitOpen,
  typeof circuitOpenFields.fields,
  typeof circuitOpenFields.Encoded
>(circuitOpenFields)

/** Any reason but `AllProvidersFailed`, which holds errors. */
export const OfOneProvider = Schema.Union(
  AuthenticationFailed,
  PermissionDenied,
  QuotaExhausted,
  RateLimited,
  Overloaded,
  InvalidRequest,
  ContextLengthExceeded,
  ModelNotFound,
  ContentFiltered,
  Refused,
  ServerFailed,
  TimedOut,
  NetworkFailed,
  MalformedResponse,
  StreamInterrupted,
  OutputInvalid,
  OutputTruncated,
  ToolArgumentsInvalid,
  UnsupportedFeature,
  BudgetExceeded,
  CircuitOpen,
  ReasoningRejected
)

/** Any reason but `AllProvidersFailed`, which holds errors. */
export type OfOneProvider = typeof OfOneProvider.Type
