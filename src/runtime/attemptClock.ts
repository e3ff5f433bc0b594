import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Elapsed from "./elapsed.js"
import { withExpiry } from "./expiry.js"
import { clockOf } from "./forkNow.js"
import { setTimer } from "./timer.js"

/** How long an attempt has. */
export interface Options {
  /** The attempt's own time, which stands still while the attempt waits in a queue. */
  readonly limit: Duration.Duration
  /** The moment of `Elapsed` that ends the attempt in any case. It may be postponed. Default: never. */
  readonly deadline?: (() => number) | undefined
  /** The attempt outside this limit. */
  readonly attempt: LlmProvider.Attempt
  /** The failure when the attempt's own time ("attempt") or the deadline ("total") has passed. */
  readonly onTimeout: (phase: Phase) => LlmError
  /** Receives each time in milliseconds in which at least one part of the attempt waited in a queue. */
  readonly onQueued?: ((millis: number) => void) | undefined
}

/** The limit that has ended an attempt. */
export type Phase = "attempt" | "total"

/** A clock that stands still while at least one part of its attempt waits in a queue. */
class AttemptClock {
  private readonly clock: Clock.Clock
  private end: number
  private waiting = 0
  private pausedAt = 0
  private cancelTimer: (() => void) | undefined
  private recount: (() => void) | undefined
  expired: Phase | undefined

  constructor(private readonly owner: Fiber.RuntimeFiber<unknown, unknown>, private readonly options: Options) {
    this.clock = clockOf(owner)
    this.end = this.now() + Duration.toMillis(options.limit)
  }

  private now(): number {
    return Elapsed.unsafeNow(this.clock)
  }

  private millisLeft(): number {
    return this.end - (this.waiting === 0 ? this.now() : this.pausedAt)
  }

  /** The attempt inside the limit. */
  get attempt(): LlmProvider.Attempt {
    const { attempt } = this.options
    return {
      ...attempt,
      left: Effect.zipWith(Effect.sync(() => Duration.millis(this.millisLeft())), attempt.left, Duration.min),
      // Past the call's deadline its caller has left: that says nothing about the provider.
      expired: Effect.suspend(() => this.expired === "attempt" ? Effect.succeed(true) : attempt.expired),
      queued: (wait) =>
        Effect.acquireUseRelease(
          Effect.sync(() => this.pause()),
          () => attempt.queued(wait),
          () => Effect.sync(() => this.goOn())
        )
    }
  }

  private pause(): void {
    if (this.waiting++ === 0) this.pausedAt = this.now()
  }

  private goOn(): void {
    if (--this.waiting > 0) return
    const pausedFor = this.now() - this.pausedAt
    this.end += pausedFor
    this.options.onQueued?.(pausedFor)
    this.recount?.()
  }

  /** Calls back when the time has passed. */
  countDown(expired: () => void): () => void {
    const count = (): void => {
      const untilDeadline = (this.options.deadline?.() ?? Infinity) - this.now()
      // A postponed deadline or a pause may have given the attempt more time.
      const millis = this.waiting > 0 ? untilDeadline : Math.min(untilDeadline, this.millisLeft())
      if (millis > 0) {
        this.cancelTimer = setTimer(this.owner, millis, count)
        return
      }
      this.expired = untilDeadline > 0 ? "attempt" : "total"
      expired()
    }
    const stop = (): void => {
      this.recount = undefined
      this.cancelTimer?.()
    }
    this.recount = () => {
      this.cancelTimer?.()
      count()
    }
    count()
    return stop
  }
}

/**
 * Gives an attempt its time: `Effect.timeoutFail`, except that the time stands still while the attempt waits in a
 * queue. An attempt that takes longer is interrupted, and its end is awaited. Its policies see their time in
 * `CurrentAttempt`.
 */
export const limited = (options: Options) => <A>(self: Effect.Effect<A, LlmError>): Effect.Effect<A, LlmError> =>
  Effect.withFiberRuntime((owner) => {
    const clock = new AttemptClock(owner, options)
    return withExpiry(self, {
      context: Context.add(owner.currentContext, LlmProvider.CurrentAttempt, clock.attempt),
      countdown: (_, expired) => clock.countDown(expired),
      leave: ({ fiber }) => Effect.asVoid(Fiber.interrupt(fiber)),
      onExpiry: Effect.suspend(() => options.onTimeout(clock.expired ?? "attempt"))
    })
  })
