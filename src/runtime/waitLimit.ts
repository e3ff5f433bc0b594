import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Feed } from "./feed.js"
import { clockOf, schedule } from "./fiber.js"

/** How long a reader may wait. */
export interface Limits<A, E> {
  /** For the next parts. */
  readonly idleTimeout: Duration.Duration
  /** For any, in epoch milliseconds. */
  readonly deadline: () => number
  /** What comes of a wait that took too long, for the one or the other. */
  readonly onTimeout: (phase: "idle" | "total") => Effect.Effect<A, E>
}

/**
 * Takes what a feed has, and waits where that is nothing yet, but not for too long. The reader's own fiber waits, and one
 * timer serves the whole feed, where `Effect.timeoutFail` would take two fibers and a timer for each wait: it is set anew
 * only when it goes off, and has been outrun by then.
 */
export const make = <A, E>(
  feed: Feed<Effect.Effect<A, E>>,
  limits: Limits<A, E>
): Effect.Effect<Effect.Effect<A, E>, never, Scope.Scope> =>
  Effect.withFiberRuntime((owner) => {
    const clock = clockOf(owner)
    const idleMillis = Duration.toMillis(limits.idleTimeout)
    let ended: Effect.Effect<A, E> | undefined
    let waitingSince = 0
    // What ends the wait under way, if there is one. One that was given up hears nothing, and changes nothing.
    let expire: (() => void) | undefined
    let stopTimer: (() => void) | undefined

    const due = () => Math.min(waitingSince + idleMillis, limits.deadline())

    const setTimer = (now: number): void => {
      stopTimer = schedule(owner, Math.max(due() - now, 0), () => {
        stopTimer = undefined
        if (expire === undefined) return
        const now = clock.unsafeCurrentTimeMillis()
        if (now < due()) return setTimer(now)
        expire()
        expire = undefined
      })
    }

    const late: Effect.Effect<A, E> = Effect.suspend(() => {
      const phase = waitingSince + idleMillis < limits.deadline() ? "idle" : "total"
      return Effect.zipRight(
        feed.stop,
        Effect.suspend(() => ended = limits.onTimeout(phase))
      )
    })

    const wait = Effect.async<A, E>((resume) => {
      expire = () => resume(late)
      if (stopTimer === undefined) setTimer(waitingSince)
      feed.whenReady(() => {
        expire = undefined
        resume(again)
      })
    })

    // What wakes the reader without having anything for it, a comment say, does not begin another wait.
    const again: Effect.Effect<A, E> = Effect.suspend(() => feed.take() ?? wait)

    const next: Effect.Effect<A, E> = Effect.suspend(() => {
      const taken = ended ?? feed.take()
      if (taken !== undefined) return taken
      waitingSince = clock.unsafeCurrentTimeMillis()
      return wait
    })

    const stop = Effect.suspend(() => {
      if (stopTimer === undefined) return Effect.void
      stopTimer()
      // A clock that is not the usual one has a fiber sleep, which ends in a turn of its own.
      return Effect.yieldNow()
    })

    return Effect.as(Effect.addFinalizer(() => stop), next)
  })
