import * as LlmError from "effect-llm/LlmError"
import * as Message from "effect-llm/Message"
import * as Duration from "effect/Duration"
import { failure } from "./errors.js"

/** A stream that broke off. */
export const interrupted = (partial: Partial<typeof LlmError.Partial.Type> = {}) =>
  LlmError.StreamInterrupted.make({ partial: { text: "", parts: [], ...partial } })

/** One reason of each kind. A new one does not compile until it is here. */
export const samples: { readonly [Tag in LlmError.ReasonTag]: LlmError.ReasonOf<Tag> } = {
  AuthenticationFailed: LlmError.AuthenticationFailed.make({}),
  PermissionDenied: LlmError.PermissionDenied.make({}),
  QuotaExhausted: LlmError.QuotaExhausted.make({}),
  RateLimited: LlmError.RateLimited.make({ retryAfter: Duration.seconds(7) }),
  Overloaded: LlmError.Overloaded.make({}),
  InvalidRequest: LlmError.InvalidRequest.make({ field: "temperature" }),
  ContextLengthExceeded: LlmError.ContextLengthExceeded.make({}),
  ReasoningRejected: LlmError.ReasoningRejected.make({}),
  ModelNotFound: LlmError.ModelNotFound.make({}),
  ContentFiltered: LlmError.ContentFiltered.make({}),
  Refused: LlmError.Refused.make({}),
  ServerFailed: LlmError.ServerFailed.make({}),
  TimedOut: LlmError.TimedOut.make({ phase: "attempt" }),
  NetworkFailed: LlmError.NetworkFailed.make({ code: "ECONNRESET" }),
  MalformedResponse: LlmError.MalformedResponse.make({}),
  StreamInterrupted: interrupted({ text: "a", parts: [Message.Text.make({ text: "a" })] }),
  OutputInvalid: LlmError.OutputInvalid.make({ text: "{}", issues: [{ path: "age", expected: "a number" }] }),
  OutputTruncated: LlmError.OutputTruncated.make({ text: "{" }),
  ToolArgumentsInvalid: LlmError.ToolArgumentsInvalid.make({ raw: "{" }),
  UnsupportedFeature: LlmError.UnsupportedFeature.make({ feature: "images" }),
  BudgetExceeded: LlmError.BudgetExceeded.make({}),
  CircuitOpen: LlmError.CircuitOpen.make({ retryAfter: Duration.seconds(3) }),
  AllProvidersFailed: LlmError.AllProvidersFailed.make({ errors: [failure(LlmError.Overloaded.make({}))] })
}
