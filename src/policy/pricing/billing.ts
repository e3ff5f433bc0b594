import type { LlmError } from "../../domain/LlmError.js"
import type { Spend } from "../../LlmProvider.js"

/** What is known to have been billed before a failure: an answer that broke off may tell its tokens. */
export const spendsOf = (
  error: LlmError,
  asked: { readonly provider: string; readonly model: string }
): ReadonlyArray<Spend> => {
  const { reason } = error
  switch (reason._tag) {
    case "StreamInterrupted":
      return reason.partial.usage === undefined
        ? []
        : [{
          provider: error.provider ?? asked.provider,
          model: error.model ?? asked.model,
          usage: reason.partial.usage
        }]
    case "AllProvidersFailed":
      return reason.errors.flatMap((error) => spendsOf(error, asked))
    default:
      return []
  }
}

/** Codes of connections that never were, so that no request went over them. */
const neverConnected =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_)/

/** Statuses of servers that waited in vain for an answer that may still have been made. */
const gaveUpWaiting: ReadonlyArray<number | undefined> = [408, 504, 524]

/**
 * Whether a request that failed may have been billed, and nobody knows how much. One that was not sent was not, nor one
 * that the provider answered with an error; where the answer did not come, or was not understood, it may have been.
 */
export const hasUnknownBill = (error: LlmError): boolean => {
  const { attempts, reason, status } = error
  if (reason._tag === "AllProvidersFailed") return reason.errors.some(hasUnknownBill)
  if (attempts === 0) return false
  if (gaveUpWaiting.includes(status)) return true
  if (status !== undefined && status >= 400) return false
  switch (reason._tag) {
    case "StreamInterrupted":
      return reason.partial.usage === undefined
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
