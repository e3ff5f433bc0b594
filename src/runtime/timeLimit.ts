import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import { clockOf, schedule, start } from "./fiber.js"

/** Begins to count the time, and says how to stop. */
export type Countdown = (parent: Fiber.RuntimeFiber<unknown, unknown>, expired: () => void) => () => void

/**
 * Waits for a fiber that was started here, unless its time passes before: then it is interrupted and awaited, and
 * `onTimeout` says what comes of it. So is it where the caller is interrupted.
 */
export const join = <A, E, E2>(
  parent: Fiber.RuntimeFiber<unknown, unknown>,
  child: Fiber.RuntimeFiber<A, E>,
  countdown: Countdown,
  onTimeout: () => E2
): Effect.Effect<A, E | E2> =>
  Effect.async((resume) => {
    // Only the first word counts.
    const stop = countdown(
      parent,
      () => resume(Effect.zipRight(Fiber.interrupt(child), Effect.failSync(onTimeout)))
    )
    child.addObserver((exit) => {
      stop()
      resume(exit)
    })
    return Effect.suspend(() => {
      stop()
      return Effect.asVoid(Fiber.interrupt(child))
    })
  })

interface Limit<E> {
  readonly duration: Duration.Duration
  readonly onTimeout: () => E
}

/**
 * As `Effect.timeoutFail`, for a fraction of its cost: what is there already, or ends without waiting, needs no timer,
 * and what waits needs no second fiber to count its time.
 */
export const timeoutFail: {
  <E2>(limit: Limit<E2>): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2, R>
  <A, E, R, E2>(self: Effect.Effect<A, E, R>, limit: Limit<E2>): Effect.Effect<A, E | E2, R>
} = dual(
  2,
  <A, E, R, E2>(self: Effect.Effect<A, E, R>, { duration, onTimeout }: Limit<E2>): Effect.Effect<A, E | E2, R> =>
    limited(self, () => Duration.toMillis(duration), onTimeout)
)

/** The same, up to a moment in epoch milliseconds. */
export const deadlineFail = <A, E, R, E2>(
  self: Effect.Effect<A, E, R>,
  { deadline, onTimeout }: { readonly deadline: number; readonly onTimeout: () => E2 }
): Effect.Effect<A, E | E2, R> => limited(self, (now) => Math.max(deadline - now, 0), onTimeout)

const limited = <A, E, R, E2>(
  self: Effect.Effect<A, E, R>,
  millisFrom: (now: number) => number,
  onTimeout: () => E2
): Effect.Effect<A, E | E2, R> =>
  Exit.isExit(self) ?
    self :
    Effect.contextWithEffect((context: Context.Context<R>) =>
      Effect.withFiberRuntime<A, E | E2>((parent) => {
        const millis = millisFrom(clockOf(parent).unsafeCurrentTimeMillis())
        const child = start(parent, self, context)
        return child.unsafePoll() ??
          join(parent, child, (fiber, expired) => schedule(fiber, millis, expired), onTimeout)
      })
    )
