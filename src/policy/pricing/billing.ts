import type { LlmError } from "../../domain/LlmError.js"
import type { Spend } from "../../LlmProvider.js"

/** The known bills of a failure: an answer that broke off may have reported its tokens. */
export const spendsOf = (
  error: LlmError,
  asked: { readonly provider: string; readonly model: string }
): ReadonlyArray<Spend> => {
  const { partial, reason } = error
  if (reason._tag === "AllProvidersFailed") return reason.errors.flatMap((error) => spendsOf(error, asked))
  return partial?.usage === undefined
    ? []
    : [{ provider: error.provider ?? asked.provider, model: error.model ?? asked.model, usage: partial.usage }]
}

/** Codes of connections that were never made, so that no request went over them. */
const neverConnected =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_)/

/** Statuses of servers that waited in vain for an answer that may still have been made. */
const gaveUpWaiting: ReadonlyArray<number | undefined> = [408, 504, 524]

/**
 * Whether a failed request may have an unknown bill. A request that was not sent, or that the provider answered with an
 * error, has none; one whose answer did not come, came in part, or was not understood, may have one.
 */
export const hasUnknownBill = (error: LlmError): boolean => {
  const { attempts, partial, reason, status } = error
  if (reason._tag === "AllProvidersFailed") return reason.errors.some(hasUnknownBill)
  if (attempts === 0) return false
  if (partial !== undefined) return partial.usage === undefined
  if (gaveUpWaiting.includes(status)) return true
  if (status !== undefined && status >= 400) return false
  switch (reason._tag) {
    case "StreamInterrupted":
      return true
    case "TimedOut":
      return reason.phase !== "queue"
    case "NetworkFailed":
      return !neverConnected.test(reason.code ?? "")
    case "ContentFiltered":
    case "MalformedResponse":
    case "OutputInvalid":
    case "OutputTruncated":
    case "Refused":
    case "ToolArgumentsInvalid":
      return true
    default:
      return false
  }
}
