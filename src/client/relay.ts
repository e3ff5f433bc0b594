import type * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { clockOf, schedule, start } from "../policy/fiber.js"

/** Gives the next parts, fails, or fails with `None` at the end: the way in which `Stream.toPull` has it. */
export type Pull<A, E, R = never> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>, R>

/** How long its consumer may wait. */
export interface Limits<E> {
  /** For the next parts. */
  readonly idleTimeout: Duration.Duration
  /** For any, in epoch milliseconds. */
  readonly deadline: () => number
  /** The failure of a wait that took too long, and which of the two it was. */
  readonly onTimeout: (phase: "idle" | "total") => E
}

/**
 * Has a fiber draw the parts of a stream, each chunk when the program wants it, so that a wait that takes too long can be
 * ended. One fiber and one timer serve the whole stream, where `Effect.timeoutFail` would take two fibers and a timer for
 * each chunk: the timer is set anew only when it goes off, and has been outrun by then.
 */
export const make = <A, E>(source: Pull<A, E>, limits: Limits<E>): Effect.Effect<Pull<A, E>, never, Scope.Scope> =>
  Effect.flatMap(Effect.context<Scope.Scope>(), (context) =>
    Effect.withFiberRuntime((owner) => {
      const clock = clockOf(owner)
      const idleMillis = Duration.toMillis(limits.idleTimeout)
      // Once it is there, it stays.
      let end: Pull<A, E> | undefined
      let kept: Pull<A, E> | undefined
      let consume: ((result: Pull<A, E>) => void) | undefined
      let waitingSince = 0
      let want: (() => void) | undefined
      let stopTimer: (() => void) | undefined

      const due = () => Math.min(waitingSince + idleMillis, limits.deadline())

      const setTimer = (now: number): void => {
        stopTimer = schedule(owner, Math.max(due() - now, 0), () => {
          stopTimer = undefined
          if (consume === undefined) return
          const now = clock.unsafeCurrentTimeMillis()
          if (now < due()) return setTimer(now)
          const phase = waitingSince + idleMillis < limits.deadline() ? "idle" : "total"
          consume(
            Effect.zipRight(Fiber.interrupt(drawing), Effect.failSync(() => Option.some(limits.onTimeout(phase))))
          )
          consume = undefined
        })
      }

      const offer = (drawn: Exit.Exit<Chunk.Chunk<A>, Option.Option<E>>): void => {
        if (Exit.isFailure(drawn)) {
          end = drawn
          stopTimer?.()
        }
        // Its consumer may have given the wait up.
        if (consume === undefined) kept = drawn
        consume?.(drawn)
        consume = undefined
      }

      const wanted = Effect.async<void>((resume) => {
        if (consume !== undefined) return resume(Effect.void)
        want = () => resume(Effect.void)
      })

      const draw: Effect.Effect<void> = Effect.flatMap(Effect.zipRight(wanted, Effect.exit(source)), (drawn) => {
        offer(drawn)
        return Exit.isSuccess(drawn) ? draw : Effect.void
      })

      const next: Pull<A, E> = Effect.suspend(() => {
        const drawn = kept ?? end
        kept = undefined
        return drawn ?? Effect.async((resume) => {
          waitingSince = clock.unsafeCurrentTimeMillis()
          consume = resume
          if (stopTimer === undefined) setTimer(waitingSince)
          want?.()
          want = undefined
          return Effect.sync(() => {
            consume = undefined
          })
        })
      })

      const drawing = start(owner, draw, context)
      return Effect.as(
        Effect.addFinalizer(() => {
          stopTimer?.()
          return Fiber.interrupt(drawing)
        }),
        next
      )
    }))
