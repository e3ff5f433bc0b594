import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"

/**
 * Runs an effect in a fiber of its own, which begins at once: an effect that never waits has ended when this returns.
 * (`Effect.fork` costs five times as much, as its fiber begins in a later turn.) The fiber can be interrupted, also where
 * its parent cannot. It belongs to no scope: its parent waits for it, or interrupts it.
 */
export const forkNow = <A, E, R>(
  parent: Fiber.RuntimeFiber<unknown, unknown>,
  self: Effect.Effect<A, E, R>,
  context: Context.Context<R>
): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(
    Runtime.make({ context, runtimeFlags: Runtime.defaultRuntimeFlags, fiberRefs: parent.getFiberRefs() }),
    self
  )

/** The Clock of a fiber. */
export const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock.Clock =>
  Context.get(fiber.currentDefaultServices, Clock.Clock)
