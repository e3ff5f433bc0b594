// In place of the file: a fiber of Effect 4 has one context in place of FiberRefs and runtime flags.
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"

/** An effect in a fiber of its own. */
export interface Child<A, E> {
  /** It succeeds with the exit of the effect, an interruption included, so that Effect logs no unhandled error. */
  readonly fiber: Fiber.Fiber<Exit.Exit<A, E>>
}

/**
 * Runs an effect in a fiber of its own, which begins at once: an effect that never waits has ended when this returns. The
 * fiber can be interrupted, also where its parent cannot. It belongs to no scope: its parent waits for it, or interrupts
 * it.
 */
export const forkNow = <A, E>(
  parent: Fiber.Fiber<unknown, unknown>,
  self: Effect.Effect<A, E>,
  /** The services of the child, if they are not its parent's. */
  context: Context.Context<never> = parent.context
): Child<A, E> => ({
  // An interruption ends the effect, and not what makes its exit of it.
  fiber: Effect.runForkWith(context)(Effect.uninterruptible(Effect.exit(Effect.interruptible(self))))
})

/** Calls back once when a child has ended; the result cancels that. */
export const observe = <A, E>(
  { fiber }: Child<A, E>,
  ended: (exit: Exit.Exit<Exit.Exit<A, E>>) => void
): () => void => fiber.addObserver(ended)

/** The result of a child that has ended, as a join has it. */
export const joined = <A, E>(_child: Child<A, E>, ended: Exit.Exit<Exit.Exit<A, E>>): Effect.Effect<A, E> =>
  Exit.match(ended, { onFailure: Exit.failCause, onSuccess: identity })

/** The Clock of a fiber. */
export const clockOf = (fiber: Fiber.Fiber<unknown, unknown>): Clock.Clock => fiber.getRef(Clock.Clock)
