import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as Money from "../internal/money.js"
import type * as LlmProvider from "../LlmProvider.js"
import type * as RetryPolicy from "../policy/retry/RetryPolicy.js"
import { type Call, type Environment, since } from "./callState.js"

/** The life of the attempts of a call: counted, and reported as they begin, succeed, fail and end for good. */
export interface Attempts {
  /** Counts an attempt. What reports do is done on the spot, or else by what is given. */
  readonly begin: (call: Call, now: number) => Effect.Effect<void> | undefined
  /** What the policies around the provider have to know of the last attempt. */
  readonly current: (call: Call, deadline: () => number) => LlmProvider.Attempt
  /** Completes an answer with what the provider cannot know. */
  readonly complete: (call: Call, answer: LlmResponse.LlmResponse, now: number) => LlmResponse.LlmResponse
  /** The attempt succeeded. */
  readonly succeed: (call: Call, response: LlmResponse.LlmResponse, now: number) => Effect.Effect<void> | undefined
  /** The attempt failed. */
  readonly fail: (call: Call, decision: RetryPolicy.Decision) => Effect.Effect<void>
  /** The call failed. */
  readonly giveUp: (call: Call, error: LlmError) => Effect.Effect<void>
  /** What the retry policy has to know of a call. */
  readonly run: (call: Call, deadline: () => number) => RetryPolicy.Run
}

/** How long a report may take that must not hold back what it reports. */
const lastWord = Duration.millis(500)

/** The time counts in which at least one part of the call waits for a turn. */
const beginWait = (call: Call) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    if (call.waiting === 0) call.waitingSince = now
    call.waiting++
  })

const endWait = (call: Call) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    call.waiting--
    if (call.waiting === 0) call.queuedFor += now - call.waitingSince
  })

/** Makes what reports the attempts of a client. */
export const make = ({ log, provider, tell }: Environment): Attempts => {
  const fail: Attempts["fail"] = (call, decision) =>
    Effect.flatMap(
      since(call.attemptStarted),
      (latency) => log(LlmEvent.CallFailed({ ...call.common, attempt: call.attempts, latency, ...decision }))
    )

  return {
    begin: (call, now) => {
      call.attempts++
      call.attemptStarted = now
      return tell(() => LlmEvent.CallStarted({ ...call.common, attempt: call.attempts }))
    },
    current: (call, deadline) => {
      const untilDeadline = Effect.map(Clock.currentTimeMillis, (now) => Duration.millis(deadline() - now))
      return {
        namespace: call.settings.namespace,
        tags: call.settings.tags,
        untilDeadline,
        // Policies report from finalizers, too: a logger that hangs must not hold an interruption back.
        report: (event) =>
          Effect.interruptible(log({ ...event, tags: call.common.tags })).pipe(
            Effect.timeoutOption(lastWord),
            Effect.asVoid
          ),
        left: untilDeadline,
        expired: Effect.sync(() => call.stalled),
        queued: (wait) => Effect.acquireUseRelease(beginWait(call), () => wait, () => endWait(call)),
        countRequest: Effect.sync(() => {
          call.extraRequests++
        }),
        spent: ({ cost }) =>
          Effect.sync(() => {
            call.spent = Money.add(call.spent, cost)
          })
      }
    },
    complete: (call, answer, now) => {
      const response = LlmResponse.update(answer, {
        attempts: call.attempts + call.extraRequests,
        latency: Duration.millis(now - call.started),
        ...(call.spent !== 0 && { cost: Money.add(call.spent, answer.cost) }),
        ...(call.queuedFor > 0 && { queuedFor: Duration.millis(call.queuedFor) })
      })
      call.spent = 0
      return response
    },
    succeed: (call, response, now) =>
      tell(() =>
        LlmEvent.CallOk({
          ...call.common,
          attempt: call.attempts,
          latency: Duration.millis(now - call.attemptStarted),
          response
        })
      ),
    fail,
    giveUp: (call, error) =>
      Effect.flatMap(
        since(call.started),
        (latency) => log(LlmEvent.CallGaveUp({ ...call.common, attempts: error.attempts, latency, error }))
      ).pipe(
        // The deadline may have passed: a logger that hangs must not hold the failure back.
        Effect.timeoutOption(lastWord),
        Effect.asVoid
      ),
    run: (call, deadline) => ({
      key: `${provider.name}/${call.request.model}`,
      deadline,
      onDecision: (decision) => fail(call, decision)
    })
  }
}
