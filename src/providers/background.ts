import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type LlmError, type Reason, TimedOut, update } from "../domain/LlmError.js"
import * as LlmProvider from "../LlmProvider.js"
import type { Answer } from "../wire/http.js"

/** An answer that a service works on in the background. */
export interface Job {
  readonly id: string
  /** Asks for it once. */
  readonly poll: Effect.Effect<Answer, LlmError>
  /** Whether it is not ready yet. */
  readonly isPending: (answer: Answer) => boolean
  /** Makes the service stop. It never fails. */
  readonly cancel: Effect.Effect<void>
  readonly fail: (reason: Reason) => LlmError
}

/** The waits between two polls, in milliseconds: each one longer than the one before, up to a limit. */
const shortestWait = 500
const longestWait = 5_000
const growth = 1.5

/** The number of polls in a row that may fail, if it makes sense to ask again. */
const maxFailures = 3

/** The state of the polls. */
interface State {
  readonly wait: number
  readonly failures: number
}

/**
 * Asks for an answer until it is ready. Meanwhile the clock of the attempt stands still, and the time that it had left
 * limits each exchange. An interruption makes the service stop. If the deadline passes, the service goes on.
 */
export const answerOf = (job: Job): Effect.Effect<Answer, LlmError> =>
  Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
    const polled = (limit: Duration.Duration): Effect.Effect<Answer, LlmError> =>
      Effect.timeoutFail(job.poll, {
        duration: limit,
        onTimeout: () => job.fail(TimedOut.make({ phase: "attempt", limit }))
      })

    const ask = (limit: Duration.Duration, { failures, wait }: State): Effect.Effect<Answer, LlmError> =>
      Effect.matchEffect(Effect.zipRight(Effect.sleep(wait), polled(limit)), {
        onSuccess: (answer) =>
          job.isPending(answer)
            ? ask(limit, { wait: Math.min(longestWait, wait * growth), failures: 0 })
            : Effect.succeed(answer),
        onFailure: (error) =>
          error.isRetryable && failures + 1 < maxFailures
            ? ask(limit, { wait: Math.max(wait, waitOf(error)), failures: failures + 1 })
            : Effect.fail(error)
      })

    const isLate = Effect.zipWith(
      attempt.expired,
      attempt.untilDeadline,
      (isExpired, left) => isExpired || Duration.toMillis(left) <= 0
    )

    return Effect.flatMap(attempt.left, (limit) =>
      Effect.zipRight(
        attempt.working?.(job.id) ?? Effect.void,
        attempt.queued(ask(limit, { wait: shortestWait, failures: 0 }))
      )).pipe(
        Effect.onInterrupt(() => Effect.flatMap(isLate, (isLate) => isLate ? Effect.void : job.cancel))
      )
  })

const waitOf = ({ retryAfter }: LlmError): number => retryAfter === undefined ? 0 : Duration.toMillis(retryAfter)

/** A failure after the work has begun: it has the id, and the request is not sent again. */
export const begun = (id: string) => (error: LlmError): LlmError =>
  update(error, { responseId: id, shouldRetry: false })
