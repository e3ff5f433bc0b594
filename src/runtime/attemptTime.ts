import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmProvider from "../LlmProvider.js"
import { clockOf, schedule, start } from "./fiber.js"
import type { Flight } from "./flight.js"
import * as TimeLimit from "./timeLimit.js"

/** A timer that stands still while somebody waits for a turn. */
export interface AttemptTime {
  /** Waits until the time has passed. */
  readonly passed: Effect.Effect<void>
  readonly left: Effect.Effect<Duration.Duration>
  readonly queued: LlmProvider.Attempt["queued"]
}

/** Its time runs from the beginning on, whether anybody counts it down or not. */
class Stopwatch implements Omit<AttemptTime, "passed"> {
  private readonly clock: Clock.Clock
  private end: number
  private waiting = 0
  private stoppedAt = 0
  private cancel: (() => void) | undefined
  /** Set while a countdown has come to its end, but not the time, which stood still meanwhile. */
  private recount: (() => void) | undefined

  constructor(owner: Fiber.RuntimeFiber<unknown, unknown>, private readonly limit: Duration.Duration) {
    this.clock = clockOf(owner)
    this.end = this.clock.unsafeCurrentTimeMillis() + Duration.toMillis(limit)
  }

  /** From now on it is all of the time. */
  restart(): void {
    this.end = this.clock.unsafeCurrentTimeMillis() + Duration.toMillis(this.limit)
  }

  readonly left = Effect.sync(() => Duration.millis(this.millisLeft()))

  queued<A, E, R>(wait: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.stop()),
      () => wait,
      () => Effect.sync(() => this.goOn())
    )
  }

  /** Gives word when the time has passed; what it gives ends that. */
  countDown(fiber: Fiber.RuntimeFiber<unknown, unknown>, expired: () => void): () => void {
    const count = (): void => {
      this.recount = undefined
      this.cancel = schedule(fiber, Math.max(this.millisLeft(), 0), () => {
        // The end may have moved, but never to an earlier time.
        if (this.waiting > 0) this.recount = count
        else if (this.millisLeft() > 0) count()
        else expired()
      })
    }
    count()
    return () => {
      this.recount = undefined
      this.cancel?.()
    }
  }

  private millisLeft(): number {
    return this.end - (this.waiting === 0 ? this.clock.unsafeCurrentTimeMillis() : this.stoppedAt)
  }

  private stop(): void {
    if (this.waiting++ === 0) this.stoppedAt = this.clock.unsafeCurrentTimeMillis()
  }

  private goOn(): void {
    if (--this.waiting > 0) return
    this.end += this.clock.unsafeCurrentTimeMillis() - this.stoppedAt
    this.recount?.()
  }
}

/** Starts a timer. */
export const make = (limit: Duration.Duration): Effect.Effect<AttemptTime> =>
  Effect.withFiberRuntime((owner) => {
    const time = new Stopwatch(owner, limit)
    const passed = Effect.withFiberRuntime<void>((fiber) =>
      Effect.async((resume) => Effect.sync(time.countDown(fiber, () => resume(Effect.void))))
    )
    return Effect.succeed({ passed, left: time.left, queued: (wait) => time.queued(wait) })
  })

/** An attempt, or a part of one, as it is seen from within its limit. */
const within = (
  attempt: LlmProvider.Attempt,
  time: Stopwatch,
  isExpired: () => boolean
): LlmProvider.Attempt => ({
  ...attempt,
  left: Effect.zipWith(time.left, attempt.left, Duration.min),
  expired: Effect.suspend(() => isExpired() ? Effect.succeed(true) : attempt.expired),
  queued: (wait) => time.queued(attempt.queued(wait))
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
        const time = new Stopwatch(parent, limit)
        let isExpired = false
        const inner = within(attempt, time, () => isExpired)
        const child = start(parent, self, Context.add(context, LlmProvider.CurrentAttempt, inner))
        return child.unsafePoll() ??
          TimeLimit.join(
            parent,
            child,
            (fiber, onExpiry) =>
              time.countDown(fiber, () => {
                isExpired = true
                onExpiry()
              }),
            onTimeout
          )
      })
    )

/**
 * Gives its time to the attempt that a flight begins with, as `limited` does, but in the flight's own fiber: what takes
 * longer is interrupted, and the flight goes on with `onTimeout` in its place. To be made before the flight begins.
 */
export const limitedIn = <B, E>(
  flight: Flight<B, E>,
  options: {
    readonly limit: Duration.Duration
    /** The attempt as seen from outside of this limit. */
    readonly attempt: LlmProvider.Attempt
    readonly onTimeout: () => Effect.Effect<B, E>
  }
) => {
  const { attempt, limit, onTimeout } = options
  const time = new Stopwatch(flight.owner, limit)
  let isExpired = false
  flight.provide(LlmProvider.CurrentAttempt, within(attempt, time, () => isExpired))

  return <A, R>(self: Effect.Effect<A, LlmError, R>): Effect.Effect<A, LlmError, R> =>
    Exit.isExit(self) ? self : Effect.suspend(() => {
      time.restart()
      flight.whenWaiting(() =>
        time.countDown(flight.owner, () => {
          isExpired = true
          flight.divert(Effect.suspend(onTimeout))
        })
      )
      const over = (exit: Effect.Effect<A, LlmError>): Effect.Effect<A, LlmError> => {
        flight.whenWaiting(undefined)
        return exit
      }
      return Effect.matchCauseEffect(self, {
        onFailure: (cause) => over(Effect.failCause(cause)),
        onSuccess: (value) => over(Effect.succeed(value))
      })
    })
}
