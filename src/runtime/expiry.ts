import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { type Child, forkNow, joined, observe } from "./forkNow.js"

/** The time of an effect, and the result after it. */
export interface Expiry<A, E, B, E2> {
  /**
   * Starts to count the time, if the effect has not ended at once, and calls back once when it has passed. The result
   * ends the count.
   */
  readonly countdown: (parent: Fiber.RuntimeFiber<unknown, unknown>, expired: () => void) => () => void
  /** Ends the effect's fiber, when the time has passed or the caller is interrupted. */
  readonly leave: (child: Child<A, E>) => Effect.Effect<void>
  /** The result instead of the effect's, once the fiber was left. */
  readonly onExpiry: Effect.Effect<B, E2>
  /** The services of the effect. Default: those of its caller. */
  readonly context?: Context.Context<never> | undefined
}

/** Runs an effect in its own fiber and waits for it, until its time has passed. */
export const withExpiry = <A, E, B, E2>(
  self: Effect.Effect<A, E>,
  { context, countdown, leave, onExpiry }: Expiry<A, E, B, E2>
): Effect.Effect<A | B, E | E2> =>
  Effect.withFiberRuntime((parent) => {
    const child = forkNow(parent, self, context)
    const ended = child.fiber.unsafePoll()
    return ended !== null ? joined(child, ended) : Effect.async<A | B, E | E2>((resume) => {
      const stop = countdown(parent, () => resume(Effect.zipRight(leave(child), onExpiry)))
      observe(child, (ended) => {
        stop()
        resume(joined(child, ended))
      })
      return Effect.suspend(() => {
        stop()
        return leave(child)
      })
    })
  })
