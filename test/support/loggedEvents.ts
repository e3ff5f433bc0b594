import * as LlmError from "effect-llm/LlmError"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Duration from "effect/Duration"
import type * as LogLevel from "effect/LogLevel"

export const common = { provider: "openai", model: "gpt-4o-mini" } as const
export const secret = "the answer's words"
export const request = { model: "gpt-4o-mini", prompt: "Name three rivers." } as const

export const response = LlmResponse.make({
  parts: [Message.Text.make({ text: secret })],
  finishReason: "stop",
  usage: { inputTokens: 20, outputTokens: 12 },
  model: "gpt-4o-mini-2024-07-18",
  provider: "openai",
  requestId: "req_1",
  cost: 0.01
})

export const error = new LlmError.LlmError({
  ...common,
  operation: "call",
  attempts: 2,
  status: 503,
  requestId: "req_2",
  reason: LlmError.OutputTruncated.make({ text: secret })
})

export const latency = Duration.millis(1234.56)

/** For each event, its form in the log. A new event does not compile until it is here. */
export const table: {
  readonly [Tag in LlmEvent.LlmEvent["_tag"]]: readonly [
    event: LlmEvent.EventOf<Tag>,
    name: string,
    level: LogLevel.LogLevel["_tag"],
    fields: Record<string, unknown>
  ]
} = {
  CacheHit: [
    LlmEvent.CacheHit({ ...common, latency, response }),
    "llm_cache_hit",
    "Info",
    {
      model: "gpt-4o-mini",
      latency_s: 1.235,
      attempt: 0,
      provider: "openai",
      request_id: "req_1",
      finish_reason: "stop",
      input_tokens: 20,
      output_tokens: 12,
      cost: 0.01
    }
  ],
  CacheMiss: [
    LlmEvent.CacheMiss({ ...common, latency }),
    "llm_cache_miss",
    "Debug",
    { ...common, latency_s: 1.235 }
  ],
  CacheFailed: [
    LlmEvent.CacheFailed({ ...common, operation: "get", problem: "it hangs" }),
    "llm_cache_failed",
    "Warning",
    { ...common, operation: "get", problem: "it hangs" }
  ],
  CallStarted: [
    LlmEvent.CallStarted({ ...common, attempt: 2 }),
    "llm_call_started",
    "Debug",
    { ...common, attempt: 2 }
  ],
  CallOk: [
    LlmEvent.CallOk({ ...common, attempt: 2, latency, response }),
    "llm_call_ok",
    "Info",
    {
      model: "gpt-4o-mini",
      latency_s: 1.235,
      attempt: 2,
      provider: "openai",
      request_id: "req_1",
      finish_reason: "stop",
      input_tokens: 20,
      output_tokens: 12,
      cost: 0.01
    }
  ],
  CallFailed: [
    LlmEvent.CallFailed({ ...common, attempt: 1, latency, error, willRetry: true, delay: Duration.millis(1500) }),
    "llm_call_failed",
    "Warning",
    {
      model: "gpt-4o-mini",
      latency_s: 1.235,
      attempt: 1,
      provider: "openai",
      request_id: "req_2",
      status: 503,
      reason: "OutputTruncated",
      error: error.message,
      will_retry: true,
      delay_s: 1.5
    }
  ],
  CallGaveUp: [
    LlmEvent.CallGaveUp({ ...common, attempts: 3, latency, error }),
    "llm_call_gave_up",
    "Error",
    {
      model: "gpt-4o-mini",
      latency_s: 1.235,
      attempt: 3,
      provider: "openai",
      request_id: "req_2",
      status: 503,
      reason: "OutputTruncated",
      error: error.message
    }
  ],
  CallInterrupted: [
    LlmEvent.CallInterrupted({ ...common, attempts: 2, latency }),
    "llm_call_interrupted",
    "Info",
    { ...common, latency_s: 1.235, attempt: 2 }
  ],
  CallShared: [
    LlmEvent.CallShared({ ...common, latency, followerId: "a-2" }),
    "llm_call_shared",
    "Info",
    { ...common, latency_s: 1.235, attempt: 0, follower_id: "a-2" }
  ],
  Hedged: [
    LlmEvent.Hedged({ ...common, after: Duration.seconds(3) }),
    "llm_hedged",
    "Info",
    { ...common, after_s: 3 }
  ],
  RequestCorrected: [
    LlmEvent.RequestCorrected({ ...common, correction: "setting", setting: "temperature", error }),
    "llm_request_corrected",
    "Warning",
    {
      ...common,
      correction: "setting",
      setting: "temperature",
      request_id: "req_2",
      status: 503,
      reason: "OutputTruncated",
      error: error.message
    }
  ],
  FellBack: [
    LlmEvent.FellBack({ ...common, to: "anthropic", error }),
    "llm_fell_back",
    "Warning",
    {
      ...common,
      to: "anthropic",
      request_id: "req_2",
      status: 503,
      reason: "OutputTruncated",
      error: error.message
    }
  ],
  RateLimitQueued: [
    LlmEvent.RateLimitQueued({ ...common, ahead: 4 }),
    "llm_rate_limit_queued",
    "Debug",
    { ...common, ahead: 4 }
  ],
  RateLimitWaited: [
    LlmEvent.RateLimitWaited({ ...common, waited: Duration.seconds(2) }),
    "llm_rate_limit_waited",
    "Info",
    { ...common, waited_s: 2 }
  ],
  RateLimitUsed: [
    LlmEvent.RateLimitUsed({
      ...common,
      running: 2,
      concurrency: 8,
      left: {
        requests: { limit: 60, remaining: 12, resetAfter: Duration.seconds(48) },
        tokens: { limit: 90_000, remaining: -500 }
      }
    }),
    "llm_rate_limit_used",
    "Debug",
    { ...common, running: 2, concurrency: 8, requests_left: 12, tokens_left: -500 }
  ],
  CircuitOpened: [
    LlmEvent.CircuitOpened({ ...common, openFor: Duration.seconds(10) }),
    "llm_circuit_opened",
    "Warning",
    { ...common, open_for_s: 10 }
  ],
  CircuitHalfOpened: [LlmEvent.CircuitHalfOpened(common), "llm_circuit_half_opened", "Info", common],
  CircuitClosed: [LlmEvent.CircuitClosed(common), "llm_circuit_closed", "Info", common],
  OutputRejected: [
    LlmEvent.OutputRejected({ ...common, attempt: 1, issues: 3, willRetry: false }),
    "llm_output_rejected",
    "Warning",
    { ...common, attempt: 1, issues: 3, will_retry: false }
  ],
  BudgetSpent: [
    LlmEvent.BudgetSpent({ ...common, scope: "tenant-1", tokens: 32, cost: undefined }),
    "llm_budget_spent",
    "Debug",
    { ...common, scope: "tenant-1", tokens: 32 }
  ],
  StoreUnavailable: [
    LlmEvent.StoreUnavailable({ ...common, store: "budgets", problem: "connect ECONNREFUSED" }),
    "llm_store_unavailable",
    "Warning",
    { ...common, store: "budgets", problem: "connect ECONNREFUSED" }
  ]
}
