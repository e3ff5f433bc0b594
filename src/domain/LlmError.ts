/**
 * The error of this library: `LlmError`. Its `reason` is a tagged union of all failures between a program and a model.
 *
 * Three questions have answers of their own: may the same request be sent again (`isRetryable`), may another provider be
 * asked (`canFailOver`), is the provider to blame (`countsAgainstBreaker`).
 *
 * @since 0.1.0
 */
export { catchReason, catchReasons } from "./catchReason.js"

export { AllProvidersFailed, fail, isLlmError, LlmError, make, Operation, Reason, update } from "./error.js"

export type { Facts, ReasonInput, ReasonOf, ReasonTag } from "./error.js"

export {
  AuthenticationFailed,
  BudgetExceeded,
  CircuitOpen,
  ContentFiltered,
  ContextLengthExceeded,
  InvalidRequest,
  MalformedResponse,
  ModelNotFound,
  NetworkFailed,
  OutputInvalid,
  OutputTruncated,
  Overloaded,
  Partial,
  PermissionDenied,
  QuotaExhausted,
  RateLimited,
  ReasoningRejected,
  Refused,
  ServerFailed,
  StreamInterrupted,
  TimedOut,
  TimedOutPhase,
  ToolArgumentsInvalid,
  UnsupportedFeature
} from "./reasons.js"
