// In place of the file: Effect 4 has no `Effect.raceWith`.
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** What becomes of the first exit of a race, beside the fiber that still runs. */
type Done<A, E, B, E2> = (exit: Exit.Exit<A, E>, other: Fiber.Fiber<A, E>) => Effect.Effect<B, E2>

/**
 * Runs two effects at once, and leaves to the first of them that ends what becomes of the other. An interruption reaches
 * both, also in an uninterruptible region, and is over when they are.
 */
export const raceWith = <A, E, R, B, E2>(
  self: Effect.Effect<A, E, R>,
  that: Effect.Effect<A, E, R>,
  { onOtherDone, onSelfDone }: { readonly onSelfDone: Done<A, E, B, E2>; readonly onOtherDone: Done<A, E, B, E2> }
): Effect.Effect<B, E2, R> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const first = yield* Effect.forkChild(self)
    const second = yield* Effect.forkChild(that)
    const endBoth = Fiber.interruptAll([first, second])
    const decide = yield* Effect.interruptible(Effect.callback<Effect.Effect<B, E2>>((resume) => {
      const ignoreFirst = first.addObserver((exit) => {
        ignoreSecond()
        resume(Effect.succeed(onSelfDone(exit, second)))
      })
      const ignoreSecond = second.addObserver((exit) => {
        ignoreFirst()
        resume(Effect.succeed(onOtherDone(exit, first)))
      })
      return Effect.suspend(() => {
        ignoreFirst()
        ignoreSecond()
        return endBoth
      })
    }))
    // The decision may be to wait for the other fiber.
    return yield* Effect.onInterrupt(Effect.interruptible(decide), () => endBoth)
  }))
