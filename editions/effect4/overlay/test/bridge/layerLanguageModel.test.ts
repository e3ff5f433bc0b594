// In place of declarations: an AiError of Effect 4 has a reason, usage another form, and calls keep encoded parameters.
import type * as AiError from "effect/ai/AiError"

const kindOf = (error: AiError.AiError): string => error.reason._tag

/** The errors of `effect/ai` for ours, with words of their messages. */
const kinds: ReadonlyArray<readonly [reason: LlmError.Reason, kind: string, words: string]> = [
  [LlmError.InvalidRequest.make({ field: "top_k" }), "InvalidRequestError", "parameter 'top_k'"],
  [LlmError.ContextLengthExceeded.make({}), "InvalidRequestError", "ContextLengthExceeded"],
  [LlmError.ModelNotFound.make({}), "InvalidRequestError", "parameter 'model'"],
  [LlmError.UnsupportedFeature.make({ feature: "f" }), "InvalidRequestError", "UnsupportedFeature"],
  [LlmError.AuthenticationFailed.make({}), "AuthenticationError", "InvalidKey"],
  [LlmError.PermissionDenied.make({}), "AuthenticationError", "InsufficientPermissions"],
  [LlmError.QuotaExhausted.make({}), "QuotaExhaustedError", "Quota exhausted"],
  [LlmError.RateLimited.make({ retryAfter: "1 hour" }), "RateLimitError", "Retry after 1h"],
  [LlmError.Overloaded.make({ retryAfter: "1 hour" }), "InternalProviderError", "Overloaded"],
  [LlmError.ContentFiltered.make({}), "ContentPolicyError", "ContentFiltered"],
  [LlmError.BudgetExceeded.make({}), "UnknownError", "BudgetExceeded"]
]

/** The same for failures of answers. */
const answerKinds = {
  invalidOutput: "StructuredOutputError",
  unknownTool: "ToolParameterValidationError",
  unsupported: "InvalidRequestError",
  interrupted: "InvalidResponseError"
}

/** The usage of the sealed answer, as `effect/ai` has it. */
const sealedUsage: object = {
  inputTokens: { uncached: 5, total: 10, cacheRead: 4, cacheWrite: 1 },
  outputTokens: { total: 5, text: 3, reasoning: 2 }
}

/** A name that an answer gives. */
const given = (name: string): unknown => name

/** The parameters of the measuring call in an answer. */
const measuredParams: object = measured

/** The parts after a call that is run while its stream goes on. */
const afterCall = ["response-metadata", "tool-result c1", "finish"]
