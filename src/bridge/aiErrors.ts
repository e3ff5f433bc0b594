import * as AiError from "@effect/ai/AiError"
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

/** The error of `@effect/ai` for one of ours, which is its cause. */
export const toAiError = (method: string) => (error: LlmError.LlmError): AiError.AiError => {
  const fields = { module: "EffectAi", method, description: error.message, cause: error }
  switch (error.reason._tag) {
    case "InvalidRequest":
    case "ContextLengthExceeded":
    case "UnsupportedFeature":
      return new AiError.MalformedInput(fields)
    case "MalformedResponse":
    case "OutputInvalid":
    case "OutputTruncated":
    case "ToolArgumentsInvalid":
      return new AiError.MalformedOutput(fields)
    default:
      return new AiError.UnknownError(fields)
  }
}

/** Our error behind one of theirs. */
export const causeOf = (error: AiError.AiError): Option.Option<LlmError.LlmError> =>
  "cause" in error && LlmError.isLlmError(error.cause) ? Option.some(error.cause) : Option.none()

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

/** Our error for a failure. */
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

/** Secret headers are not texts. */
const readable = (headers: { readonly [name: string]: unknown }): HeaderFields =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => typeof value === "string" ? [[name, value]] : [])
  )

/** A missing body was printed as `undefined`. */
const bodyOf = ({ body, description }: AiError.HttpResponseError): string =>
  body === undefined || body === "undefined" ? description ?? "" : body

/** Reads a failure of theirs. */
export const read = (error: AiError.AiError, { nowMillis, sources }: Circumstances): Failure => {
  const cause = causeOf(error)
  if (Option.isSome(cause)) return cause.value
  const message = scrub(("description" in error ? error.description : undefined) ?? error.message, { sources })
  switch (error._tag) {
    case "HttpRequestError":
      return { reason: error.reason === "Transport" ? networkFailure(error.cause) : unsendable() }
    case "HttpResponseError": {
      const { headers, status } = error.response
      const fields = readable(headers)
      const reason = classify({ status, headers: fields, body: bodyOf(error) }, { nowMillis, sources })
      return { reason, status, requestId: Json.name(fields["x-request-id"] ?? fields["request-id"]) }
    }
    case "MalformedInput":
      return { reason: LlmError.InvalidRequest.make({ message }) }
    case "MalformedOutput":
      return { reason: LlmError.MalformedResponse.make({ message }) }
    case "UnknownError":
      return { reason: LlmError.ServerFailed.make({ message }) }
  }
}
