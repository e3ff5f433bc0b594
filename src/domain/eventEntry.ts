import * as Duration from "effect/Duration"
import type { LlmError } from "./LlmError.js"
import * as LlmEvent from "./LlmEvent.js"
import type { LlmResponse } from "./LlmResponse.js"

const seconds = (duration: Duration.Duration): number => Math.round(Duration.toMillis(duration)) / 1000

const ofResponse = (response: LlmResponse) => ({
  request_id: response.requestId,
  finish_reason: response.finishReason,
  input_tokens: response.usage.inputTokens,
  output_tokens: response.usage.outputTokens,
  cost: response.cost
})

const ofError = (error: LlmError) => ({
  request_id: error.requestId,
  status: error.status,
  reason: error.reason._tag,
  error: error.message
})

interface Entry {
  readonly name: string
  readonly fields: Record<string, unknown>
}

const entry = (name: string, fields: Entry["fields"] = {}): Entry => ({ name, fields })

/** The levels of events, by the names that Effect has for them. */
type Level = "Debug" | "Info" | "Warning" | "Error"

const levels: { readonly [Tag in LlmEvent.LlmEvent["_tag"]]: Level } = {
  CacheHit: "Info",
  CacheMiss: "Debug",
  CacheFailed: "Warning",
  CallStarted: "Debug",
  CallOk: "Info",
  CallFailed: "Warning",
  CallGaveUp: "Error",
  CallInterrupted: "Info",
  CallShared: "Info",
  FellBack: "Warning",
  Hedged: "Info",
  RequestCorrected: "Warning",
  RateLimitQueued: "Debug",
  RateLimitWaited: "Info",
  RateLimitUsed: "Debug",
  CircuitOpened: "Warning",
  CircuitHalfOpened: "Info",
  CircuitClosed: "Info",
  OutputRejected: "Warning",
  BudgetSpent: "Debug",
  StoreUnavailable: "Warning"
}

/** The names and fields in the log. The first three are those of the Python client that this one grew from. */
const toEntry: (event: LlmEvent.LlmEvent) => Entry = LlmEvent.match({
  CacheHit: (event) =>
    entry("llm_cache_hit", { latency_s: seconds(event.latency), attempt: 0, ...ofResponse(event.response) }),
  CallOk: (event) =>
    entry("llm_call_ok", {
      latency_s: seconds(event.latency),
      attempt: event.attempt,
      ...ofResponse(event.response)
    }),
  CallFailed: (event) =>
    entry("llm_call_failed", {
      latency_s: seconds(event.latency),
      attempt: event.attempt,
      ...ofError(event.error),
      will_retry: event.willRetry,
      delay_s: event.delay && seconds(event.delay)
    }),
  CallGaveUp: (event) =>
    entry("llm_call_gave_up", {
      latency_s: seconds(event.latency),
      attempt: event.attempts,
      ...ofError(event.error)
    }),
  CallInterrupted: (event) =>
    entry("llm_call_interrupted", { latency_s: seconds(event.latency), attempt: event.attempts }),
  CacheMiss: (event) => entry("llm_cache_miss", { latency_s: event.latency && seconds(event.latency) }),
  CacheFailed: (event) => entry("llm_cache_failed", { operation: event.operation, problem: event.problem }),
  CallStarted: (event) => entry("llm_call_started", { attempt: event.attempt }),
  CallShared: (event) =>
    entry("llm_call_shared", { latency_s: seconds(event.latency), attempt: 0, follower_id: event.followerId }),
  FellBack: ({ answer, error, to }) =>
    entry("llm_fell_back", { to, ...(error && ofError(error)), ...(answer && ofResponse(answer)) }),
  RequestCorrected: (event) =>
    entry("llm_request_corrected", {
      correction: event.correction,
      setting: event.setting,
      ...ofError(event.error)
    }),
  Hedged: (event) => entry("llm_hedged", { after_s: seconds(event.after) }),
  RateLimitQueued: (event) => entry("llm_rate_limit_queued", { ahead: event.ahead }),
  RateLimitWaited: (event) => entry("llm_rate_limit_waited", { waited_s: seconds(event.waited) }),
  RateLimitUsed: ({ concurrency, left, running }) =>
    entry("llm_rate_limit_used", {
      running,
      concurrency,
      requests_left: left.requests?.remaining,
      tokens_left: left.tokens?.remaining,
      input_tokens_left: left.inputTokens?.remaining,
      output_tokens_left: left.outputTokens?.remaining
    }),
  CircuitOpened: (event) => entry("llm_circuit_opened", { open_for_s: seconds(event.openFor) }),
  CircuitHalfOpened: () => entry("llm_circuit_half_opened"),
  CircuitClosed: () => entry("llm_circuit_closed"),
  OutputRejected: (event) =>
    entry("llm_output_rejected", {
      attempt: event.attempt,
      issues: event.issues,
      will_retry: event.willRetry
    }),
  BudgetSpent: (event) =>
    entry("llm_budget_spent", {
      scope: event.scope,
      tokens: event.tokens,
      cost: event.cost,
      tokens_left: event.tokensLeft,
      cost_left: event.costLeft
    }),
  StoreUnavailable: (event) => entry("llm_store_unavailable", { store: event.store, problem: event.problem })
})

const present = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/**
 * The name of an event on the log, and its fields: `model` and, where they apply, `latency_s` and `attempt` first.
 *
 * @since 0.1.0
 * @category formatting
 */
export const format = (event: LlmEvent.LlmEvent): {
  /** `llm_call_ok`, `llm_call_failed`, `llm_cache_hit` ... */
  readonly name: string
  /** The level that `layer` logs it at. */
  readonly level: Level
  /** Numbers and names; unknown ones are absent. */
  readonly fields: Readonly<Record<string, unknown>>
} => {
  const { fields: { attempt, latency_s, ...others }, name } = toEntry(event)
  const { callId, model, provider, tags } = event
  const own = present({ model, latency_s, attempt, provider, call_id: callId, ...others })
  // Spread twice, so that they are first and no tag replaces them.
  return { name, level: levels[event._tag], fields: { ...own, ...tags, ...own } }
}
