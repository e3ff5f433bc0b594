import type * as Reasons from "./reasons.js"

/** The consequences of a failure. */
export interface Verdict {
  /** Whether the same request may be sent again. */
  readonly retry: boolean
  /** Whether another provider may be asked. */
  readonly failOver: boolean
  /** Whether the provider is to blame. */
  readonly breaker: boolean
}

/** A reason, without the errors that `AllProvidersFailed` holds. */
type Reason = Reasons.OfOneProvider | { readonly _tag: "AllProvidersFailed" }

const verdict = (retry: boolean, failOver: boolean, breaker: boolean): Verdict => ({ retry, failOver, breaker })

/** For each reason: send it again? ask another provider? is the provider to blame? */
const verdicts: { readonly [Tag in Reason["_tag"]]: Verdict } = {
  AuthenticationFailed: verdict(false, true, false),
  PermissionDenied: verdict(false, true, false),
  QuotaExhausted: verdict(false, true, false),
  RateLimited: verdict(true, true, false),
  Overloaded: verdict(true, true, true),
  InvalidRequest: verdict(false, false, false),
  ContextLengthExceeded: verdict(false, false, false),
  ReasoningRejected: verdict(false, true, false),
  ModelNotFound: verdict(false, true, false),
  ContentFiltered: verdict(false, false, false),
  Refused: verdict(false, false, false),
  ServerFailed: verdict(true, true, true),
  TimedOut: verdict(true, true, true),
  NetworkFailed: verdict(true, true, true),
  MalformedResponse: verdict(true, true, true),
  StreamInterrupted: verdict(false, false, true),
  OutputInvalid: verdict(false, false, false),
  OutputTruncated: verdict(false, false, false),
  ToolArgumentsInvalid: verdict(false, false, false),
  UnsupportedFeature: verdict(false, true, false),
  BudgetExceeded: verdict(false, false, false),
  CircuitOpen: verdict(false, true, false),
  AllProvidersFailed: verdict(false, false, false)
}

/** Network failures that another attempt would meet again: an unknown host name, an invalid certificate. */
const permanentNetworkCode = /^(?:ENOTFOUND|ERR_TLS_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_)/

/** The verdict on a failure by its reason. */
export const verdictOf = (reason: Reason): Verdict => {
  switch (reason._tag) {
    case "TimedOut":
      switch (reason.phase) {
        case "queue":
          return verdict(false, true, false)
        case "idle":
          return verdict(false, false, true)
        case "total":
          return verdict(false, false, false)
        case "attempt":
        case "firstPart":
          // The next attempt has its own limit.
          return verdicts.TimedOut
      }
    case "NetworkFailed":
      return permanentNetworkCode.test(reason.code ?? "") ? verdict(false, true, true) : verdicts.NetworkFailed
    case "StreamInterrupted":
      // Nothing has arrived: another attempt repeats nothing.
      return reason.partial.parts.length === 0 ? verdict(true, true, true) : verdicts.StreamInterrupted
    default:
      return verdicts[reason._tag]
  }
}
