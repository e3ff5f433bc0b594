import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmProvider from "../LlmProvider.js"

/** A timer that stands still while somebody waits for a turn. */
export interface AttemptTime {
  /** Waits until the time has passed. To be run at once. */
  readonly passed: Effect.Effect<void>
  readonly left: Effect.Effect<Duration.Duration>
  readonly queued: LlmProvider.Attempt["queued"]
}

/** Starts a timer. */
export const make = (limit: Duration.Duration): Effect.Effect<AttemptTime> =>
  Effect.map(Clock.currentTimeMillis, (started) => {
    const running = Effect.unsafeMakeLatch(true)
    let end = started + Duration.toMillis(limit)
    let waiting = 0
    let stopped = 0

    const left = Effect.map(
      Clock.currentTimeMillis,
      (now) => Duration.millis(end - (waiting === 0 ? now : stopped))
    )

    const stop = Effect.map(Clock.currentTimeMillis, (now) => {
      waiting++
      if (waiting > 1) return
      stopped = now
      running.unsafeClose()
    })

    const goOn = Effect.map(Clock.currentTimeMillis, (now) => {
      waiting--
      if (waiting > 0) return
      end += now - stopped
      running.unsafeOpen()
    })

    // The end may move during each sleep, but never to an earlier time.
    const rest: Effect.Effect<void> = Effect.flatMap(
      Effect.zipRight(running.await, left),
      (left) => Duration.greaterThan(left, Duration.zero) ? Effect.zipRight(Effect.sleep(left), rest) : Effect.void
    )

    const passed = Effect.zipRight(Effect.sleep(limit), rest)

    return { passed, left, queued: (wait) => Effect.acquireUseRelease(stop, () => wait, () => goOn) }
  })

/**
 * Gives an attempt, or a part of one, its time. What takes longer is interrupted and awaited, and can tell from
 * `CurrentAttempt` that its time had passed.
 */
export const limited = (options: {
  readonly limit: Duration.Duration
  /** The attempt as seen from outside of this limit. */
  readonly attempt: LlmProvider.Attempt
  readonly onTimeout: () => LlmError
}) =>
<A, R>(self: Effect.Effect<A, LlmError, R>): Effect.Effect<A, LlmError, R> =>
  Effect.flatMap(make(options.limit), (time) => {
    const { attempt, onTimeout } = options
    let expired = false
    const inner: LlmProvider.Attempt = {
      ...attempt,
      left: Effect.zipWith(time.left, attempt.left, Duration.min),
      expired: Effect.map(attempt.expired, (outer) => outer || expired),
      queued: (wait) => time.queued(attempt.queued(wait))
    }
    // As `Effect.timeoutFail` does it: an interruption from outside reaches both fibers, and is over when they are.
    return Effect.uninterruptibleMask((restore) =>
      Effect.raceWith(
        Effect.exit(restore(Effect.provideService(self, LlmProvider.CurrentAttempt, inner))),
        Effect.interruptible(time.passed),
        {
          onSelfDone: (exit, timer) => Effect.zipRight(Fiber.interrupt(timer), Exit.flatten(exit)),
          onOtherDone: (exit, fiber) => {
            expired = Exit.isSuccess(exit)
            return Effect.zipRight(Fiber.interrupt(fiber), Effect.zipRight(exit, Effect.failSync(onTimeout)))
          }
        }
      )
    )
  })
