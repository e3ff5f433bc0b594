import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmProvider from "../LlmProvider.js"
import { clockOf, schedule, start } from "./fiber.js"
import * as TimeLimit from "./timeLimit.js"

/** A timer that stands still while somebody waits for a turn. */
export interface AttemptTime {
  /** Waits until the time has passed. */
  readonly passed: Effect.Effect<void>
  readonly left: Effect.Effect<Duration.Duration>
  readonly queued: LlmProvider.Attempt["queued"]
}

interface Stopwatch extends Omit<AttemptTime, "passed"> {
  readonly countdown: TimeLimit.Countdown
}

/** Its time runs from now on, whether anybody counts it down or not. */
const stopwatch = (owner: Fiber.RuntimeFiber<unknown, unknown>, limit: Duration.Duration): Stopwatch => {
  const clock = clockOf(owner)
  const now = () => clock.unsafeCurrentTimeMillis()
  let end = now() + Duration.toMillis(limit)
  let waiting = 0
  let stoppedAt = 0
  // Set while a countdown has come to its end, but not the time, which stood still meanwhile.
  let recount: (() => void) | undefined

  const left = () => end - (waiting === 0 ? now() : stoppedAt)

  const stop = Effect.sync(() => {
    if (waiting++ === 0) stoppedAt = now()
  })

  const goOn = Effect.sync(() => {
    if (--waiting > 0) return
    end += now() - stoppedAt
    recount?.()
  })

  return {
    left: Effect.sync(() => Duration.millis(left())),
    queued: (wait) => Effect.acquireUseRelease(stop, () => wait, () => goOn),
    countdown: (fiber, expired) => {
      let cancel = () => {}
      const count = (): void => {
        recount = undefined
        cancel = schedule(fiber, Math.max(left(), 0), () => {
          // The end may have moved, but never to an earlier time.
          if (waiting > 0) recount = count
          else if (left() > 0) count()
          else expired()
        })
      }
      count()
      return () => {
        recount = undefined
        cancel()
      }
    }
  }
}

/** Starts a timer. */
export const make = (limit: Duration.Duration): Effect.Effect<AttemptTime> =>
  Effect.withFiberRuntime((owner) => {
    const { countdown, left, queued } = stopwatch(owner, limit)
    const passed = Effect.withFiberRuntime<void>((fiber) =>
      Effect.async((resume) => Effect.sync(countdown(fiber, () => resume(Effect.void))))
    )
    return Effect.succeed({ passed, left, queued })
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
  Exit.isExit(self) ?
    self :
    Effect.contextWithEffect((context: Context.Context<R>) =>
      Effect.withFiberRuntime((parent) => {
        const { attempt, limit, onTimeout } = options
        const time = stopwatch(parent, limit)
        let expired = false
        const inner: LlmProvider.Attempt = {
          ...attempt,
          left: Effect.zipWith(time.left, attempt.left, Duration.min),
          expired: Effect.map(attempt.expired, (outer) => outer || expired),
          queued: (wait) => time.queued(attempt.queued(wait))
        }
        const child = start(parent, self, Context.add(context, LlmProvider.CurrentAttempt, inner))
        return child.unsafePoll() ??
          TimeLimit.join(
            parent,
            child,
            (fiber, onExpiry) =>
              time.countdown(fiber, () => {
                expired = true
                onExpiry()
              }),
            onTimeout
          )
      })
    )
