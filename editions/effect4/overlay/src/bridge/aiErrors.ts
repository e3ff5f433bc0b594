// In place of the file: an AiError of Effect 4 is of one class, and has one of many reasons.
import * as AiError from "effect/ai/AiError"
import * as Option from "effect/Option"
import * as LlmError from "../domain/LlmError.js"
import { scrub } from "../internal/scrub.js"
import { classify } from "../wire/classify.js"
import * as Json from "../wire/json.js"
import { networkFailure, unsendable } from "../wire/networkFailure.js"
import type { HeaderFields } from "../wire/retryAfter.js"

// ---------------------------------------------------------------------------------------------------------------------
// Our errors as theirs
// ---------------------------------------------------------------------------------------------------------------------

const reasonFor = (
  { message: description, provider = "unknown", reason }: LlmError.LlmError
): AiError.AiErrorReason => {
  switch (reason._tag) {
    case "InvalidRequest":
      return new AiError.InvalidRequestError({ parameter: reason.field, description })
    case "ModelNotFound":
      return new AiError.InvalidRequestError({ parameter: "model", description })
    case "ContextLengthExceeded":
    case "UnsupportedFeature":
    case "ReasoningRejected":
      return new AiError.InvalidRequestError({ description })
    case "AuthenticationFailed":
      return new AiError.AuthenticationError({ kind: "InvalidKey", description })
    case "PermissionDenied":
      return new AiError.AuthenticationError({ kind: "InsufficientPermissions", description })
    case "QuotaExhausted":
      return new AiError.QuotaExhaustedError({})
    case "RateLimited":
      return new AiError.RateLimitError({ retryAfter: reason.retryAfter })
    case "Overloaded":
    case "ServerFailed":
      return new AiError.InternalProviderError({ description })
    case "NetworkFailed":
      return new AiError.NetworkError({
        reason: "TransportError",
        method: "POST",
        // The address of a request is not part of our error.
        url: `effect-llm:${provider}`,
        description
      })
    case "ContentFiltered":
    case "Refused":
      return new AiError.ContentPolicyError({ description })
    case "MalformedResponse":
    case "StreamInterrupted":
      return new AiError.InvalidResponseError({ description })
    case "OutputInvalid":
    case "OutputTruncated":
      return new AiError.StructuredOutputError({ description, responseText: reason.text })
    case "ToolArgumentsInvalid":
      return new AiError.ToolParameterValidationError({ toolName: reason.name ?? "", description })
    case "TimedOut":
    case "BudgetExceeded":
    case "CircuitOpen":
    case "AllProvidersFailed":
      return new AiError.UnknownError({ description })
  }
}

/** The error of `effect/ai` for one of ours, which is the cause of its reason. */
export const toAiError = (method: string) => (error: LlmError.LlmError): AiError.AiError =>
  AiError.make({ module: "EffectAi", method, reason: Object.assign(reasonFor(error), { cause: error }) })

/** The error of ours behind one of theirs. */
export const causeOf = ({ reason: { cause } }: AiError.AiError): Option.Option<LlmError.LlmError> =>
  LlmError.isLlmError(cause) ? Option.some(cause) : Option.none()

// ---------------------------------------------------------------------------------------------------------------------
// Their errors as ours
// ---------------------------------------------------------------------------------------------------------------------

/** The facts that reading a failure needs. */
export interface Circumstances {
  /** The time from which a Retry-After date counts, in epoch milliseconds. */
  readonly nowMillis: number
  /** The texts of the request, which no error may quote. */
  readonly sources: ReadonlyArray<string>
}

/** The facts about a failure. */
export interface Failure {
  readonly reason: LlmError.Reason
  readonly requestId?: string | undefined
  readonly shouldRetry?: boolean | undefined
  readonly status?: number | undefined
}

/** The error of ours for a failure. */
export const toLlmError = (
  { reason, requestId, shouldRetry, status }: Failure,
  facts: Pick<LlmError.LlmError, "attempts" | "operation"> & { readonly provider: string; readonly model: string }
): LlmError.LlmError =>
  new LlmError.LlmError({
    ...facts,
    reason,
    ...(requestId !== undefined && { requestId }),
    ...(shouldRetry !== undefined && { shouldRetry }),
    ...(status !== undefined && { status })
  })

/** Secret ones are not texts. */
const readable = (headers: { readonly [name: string]: unknown }): HeaderFields =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => typeof value === "string" ? [[name, value]] : [])
  )

/** Where the response is not known, or does not say it. */
const named = (reason: AiError.AiErrorReason, message: string): LlmError.Reason => {
  switch (reason._tag) {
    case "RateLimitError":
      return LlmError.RateLimited.make({ message, retryAfter: reason.retryAfter })
    case "QuotaExhaustedError":
      return LlmError.QuotaExhausted.make({ message })
    case "AuthenticationError":
      return reason.kind === "InsufficientPermissions"
        ? LlmError.PermissionDenied.make({ message })
        : LlmError.AuthenticationFailed.make({ message })
    case "ContentPolicyError":
      return LlmError.ContentFiltered.make({ message })
    case "UnsupportedSchemaError":
      return LlmError.UnsupportedFeature.make({ feature: "outputSchema", message })
    case "InvalidRequestError":
    case "InvalidUserInputError":
    case "ToolConfigurationError":
    case "ToolkitRequiredError":
      return LlmError.InvalidRequest.make({ message })
    case "NetworkError":
      return reason.reason === "TransportError" ? networkFailure(reason.cause) : unsendable()
    case "InvalidResponseError":
    case "InvalidOutputError":
    case "StructuredOutputError":
    case "ToolNotFoundError":
    case "ToolParameterValidationError":
    case "InvalidToolResultError":
    case "ToolResultEncodingError":
      return LlmError.MalformedResponse.make({ message })
    case "InternalProviderError":
    case "UnknownError":
      return LlmError.ServerFailed.make({ message })
  }
}

/** Whether a reason says more than a status and a body do. */
const isTelling = ({ _tag }: AiError.AiErrorReason): boolean =>
  _tag === "QuotaExhaustedError" || _tag === "ContentPolicyError"

/** Reads a failure of theirs. */
export const read = (error: AiError.AiError, { nowMillis, sources }: Circumstances): Failure => {
  const cause = causeOf(error)
  if (Option.isSome(cause)) return cause.value
  const { reason } = error
  const description = "description" in reason ? reason.description : undefined
  const known = named(reason, scrub(description ?? reason.message, { sources }))
  const http = "http" in reason ? reason.http : undefined
  if (http?.response === undefined) return { reason: known }
  const { headers, status } = http.response
  const fields = readable(headers)
  const facts = { status, requestId: Json.name(fields["x-request-id"] ?? fields["request-id"]) }
  if (isTelling(reason)) return { ...facts, reason: known }
  const read = classify({ status, headers: fields, body: http.body ?? description ?? "" }, { nowMillis, sources })
  // The wait may have been read already.
  const isKnown = read._tag === "RateLimited" && read.retryAfter === undefined && known._tag === "RateLimited"
  return { ...facts, reason: isKnown ? known : read }
}
