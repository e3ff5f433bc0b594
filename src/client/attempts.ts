import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as Money from "../internal/money.js"
import type * as LlmProvider from "../LlmProvider.js"
import type * as RetryPolicy from "../policy/retry/RetryPolicy.js"
import type * as AttemptClock from "../runtime/attemptClock.js"
import * as Elapsed from "../runtime/elapsed.js"
import { type Call, type Environment, reported, requestsOf, type Run, timedOut } from "./callState.js"
import * as Reports from "./reports.js"

/** The attempts of calls: counted, and reported as they start, succeed, fail, and end for good. */
export interface Attempts {
  /** Starts an attempt, if there is time for one. */
  readonly start: (run: Run) => Effect.Effect<void, LlmError>
  /** The time of an attempt, or of a part of it. */
  readonly limits: (run: Run, part: "attempt" | "firstPart") => AttemptClock.Options
  /** Completes the answer of the attempt with the facts that the provider cannot know. */
  readonly succeed: (run: Run, answer: LlmResponse.LlmResponse) => Effect.Effect<LlmResponse.LlmResponse>
  readonly fail: (call: Call, decision: RetryPolicy.Decision) => Effect.Effect<void>
  /** Reports that the call failed for good. */
  readonly giveUp: (call: Call, error: LlmError) => Effect.Effect<void>
  /** Reports that the caller has left. */
  readonly leave: (call: Call) => Effect.Effect<void>
  /** Reports the end of a call that has no answer. */
  readonly watched: (call: Call) => <A, R>(self: Effect.Effect<A, LlmError, R>) => Effect.Effect<A, LlmError, R>
  /** The facts about a run that its retry policy needs. */
  readonly retrying: (run: Run) => RetryPolicy.Run
}

/** Makes the attempts of a client. */
export const make = (environment: Environment): Attempts => {
  const { isListening, log, provider } = environment

  const pastDeadline = (run: Run): LlmError => {
    run.isPastDeadline = true
    return timedOut(run.call, "total")
  }

  const start: Attempts["start"] = (run) =>
    Effect.clockWith((clock) => {
      const { call } = run
      const now = Elapsed.unsafeNow(clock)
      if (now >= run.deadline) return pastDeadline(run)
      run.firstStarted ??= now
      run.chunks.start(clock, call.progress.queuedFor)
      run.answer.clear()
      call.progress.attempts++
      call.progress.attemptStarted = now
      return log(
        LlmEvent.CallStarted({ attempt: call.progress.attempts, ...call.common, ...reported(environment, call) })
      )
    })

  const current = (run: Run): LlmProvider.Attempt => {
    const { common, prefersTool, progress, settings } = run.call
    const untilDeadline = Effect.map(Elapsed.now, (now) => Duration.millis(run.deadline - now))
    return {
      namespace: settings.namespace,
      tags: settings.tags,
      prefersTool,
      asked: run.asked,
      untilDeadline,
      left: untilDeadline,
      expired: Effect.sync(() => progress.isStalled),
      queued: (wait) => wait,
      isListening,
      // Policies also report from finalizers, in which a hanging logger must not hold up an interruption.
      report: (event) => Reports.briefly(log({ ...event, callId: common.callId, tags: common.tags })),
      working: (id) =>
        Effect.sync(() => {
          progress.responseId = id
        }),
      countRequest: Effect.sync(() => {
        progress.extraRequests++
      }),
      spent: ({ cost }) =>
        Effect.sync(() => {
          progress.spent = Money.add(progress.spent, cost)
        })
    }
  }

  const limits: Attempts["limits"] = (run, part) => ({
    limit: part === "attempt" ? run.call.settings.timeout : run.call.settings.firstPartTimeout,
    deadline: () => run.deadline,
    attempt: current(run),
    onTimeout: (phase) => phase === "total" ? pastDeadline(run) : timedOut(run.call, part),
    onQueued: (millis) => {
      run.call.progress.queuedFor += millis
    }
  })

  const complete = (call: Call, answer: LlmResponse.LlmResponse, now: number): LlmResponse.LlmResponse => {
    const { progress: { queuedFor, spent }, started } = call
    const response = LlmResponse.update(answer, {
      attempts: requestsOf(call),
      latency: Duration.millis(now - started),
      ...(spent !== 0 && { cost: Money.add(spent, answer.cost) }),
      ...(queuedFor > 0 && { queuedFor: Duration.millis(queuedFor) })
    })
    // Other callers may get it, from the cache or a shared run.
    return LlmResponse.freeze(response)
  }

  const succeed: Attempts["succeed"] = (run, answer) =>
    Elapsed.nowWith((now) => {
      const { call, chunks, firstStarted = call.started } = run
      const { common, progress: { attemptStarted, attempts } } = call
      const response = complete(call, answer, now)
      call.progress.spent = 0
      const event = LlmEvent.CallOk({
        attempt: attempts,
        latency: Duration.millis(now - attemptStarted),
        // The body may repeat the prompt, and does not belong in a log.
        response: LlmResponse.withoutRaw(response),
        elapsed: Duration.millis(now - firstStarted),
        endpoint: provider.endpoint,
        chunks: chunks.times(),
        ...common
      })
      return Effect.map(log(event), () => {
        run.answer.clear()
        return response
      })
    })

  const fail: Attempts["fail"] = ({ common, progress }, decision) =>
    Elapsed.sinceWith(
      progress.attemptStarted,
      (latency) => log(LlmEvent.CallFailed({ ...common, attempt: progress.attempts, latency, ...decision }))
    )

  const giveUp: Attempts["giveUp"] = ({ common, progress, started }, error) =>
    Reports.briefly(
      Elapsed.sinceWith(started, (latency) =>
        log(LlmEvent.CallGaveUp({
          ...common,
          attempts: error.attempts,
          latency,
          error,
          attempted: progress.attempts > 0,
          endpoint: provider.endpoint
        })))
    )

  const leave: Attempts["leave"] = (call) =>
    Reports.briefly(
      Elapsed.sinceWith(call.started, (latency) =>
        log(LlmEvent.CallInterrupted({ ...call.common, attempts: requestsOf(call), latency })))
    )

  const watched: Attempts["watched"] = (call) => (self) =>
    isListening
      ? Effect.onError(self, (cause) =>
        Option.match(Cause.failureOption(cause), {
          onNone: () => Cause.isInterruptedOnly(cause) ? leave(call) : Effect.void,
          onSome: (error) => giveUp(call, error)
        }))
      : self

  const retrying: Attempts["retrying"] = (run) => ({
    key: `${provider.name}/${run.call.request.model}`,
    deadline: () => run.deadline,
    onDecision: (decision) => run.isPastDeadline ? Effect.void : fail(run.call, decision)
  })

  return { start, limits, succeed, fail, giveUp, leave, watched, retrying }
}
