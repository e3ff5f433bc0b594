import * as LlmError from "effect-llm/LlmError"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as Duration from "effect/Duration"
import type { Stamped } from "../../src/inspector/timeline.js"
import { respond } from "../support/samples.js"

/** The wall clock's time at moment 0. */
export const epoch = Date.UTC(2026, 10, 29, 12)

export const at = (moment: number, event: LlmEvent.LlmEvent): Stamped => ({ at: moment, wall: epoch + moment, event })

export const common = (callId: string) => ({ callId, provider: "openai", model: "gpt-4o-mini" }) as const

export const failed = (reason: LlmError.Reason) =>
  new LlmError.LlmError({ operation: "call", attempts: 1, provider: "openai", model: "gpt-4o-mini", reason })

export const overloaded = failed(LlmError.Overloaded.make({}))

export const queueTimedOut = failed(LlmError.TimedOut.make({ phase: "queue" }))

export const missed = (id: string, latency = 0) =>
  LlmEvent.CacheMiss({ ...common(id), latency: Duration.millis(latency) })

export const started = (id: string, attempt = 1) => LlmEvent.CallStarted({ ...common(id), attempt })

export const answered = (id: string, attempt = 1, cost?: number) =>
  LlmEvent.CallOk({
    ...common(id),
    attempt,
    latency: Duration.millis(1),
    response: respond("Elbe", { provider: "openai", ...(cost !== undefined && { cost }) })
  })

export const failing = (id: string, attempt: number, willRetry = true, error = overloaded) =>
  LlmEvent.CallFailed({ ...common(id), attempt, latency: Duration.millis(1), error, willRetry })

export const gaveUp = (id: string, latency = 0, attempted = true, error = overloaded) =>
  LlmEvent.CallGaveUp({ ...common(id), attempts: 1, latency: Duration.millis(latency), error, attempted })

export const interrupted = (id: string, latency = 0) =>
  LlmEvent.CallInterrupted({ ...common(id), attempts: 1, latency: Duration.millis(latency) })

export const queued = (id: string, provider = "openai") =>
  LlmEvent.RateLimitQueued({ ...common(id), provider, ahead: 0 })

export const waited = (id: string, millis: number) =>
  LlmEvent.RateLimitWaited({ ...common(id), waited: Duration.millis(millis) })

export const fellBack = (id: string, to: string, error = overloaded) => LlmEvent.FellBack({ ...common(id), to, error })

export const hedged = (id: string) => LlmEvent.Hedged({ ...common(id), after: Duration.millis(1) })
