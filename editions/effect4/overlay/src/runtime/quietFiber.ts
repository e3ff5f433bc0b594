// In place of the file: a fiber of Effect 4 has one context in place of FiberRefs, in which spans are switched off.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"

/**
 * Runs an effect in a fiber of its own, with the services of its caller, and calls back with the exit. The result
 * interrupts that fiber without a wait for its end.
 */
export type Start = <A, E>(
  caller: Fiber.Fiber<unknown, unknown>,
  self: Effect.Effect<A, E>,
  ended: (exit: Exit.Exit<A, E>) => void
) => () => void

/** Starts fibers for statements of a database: without spans. */
export const make: Effect.Effect<Start> = Effect.succeed((caller, self, ended) => {
  const fiber = Effect.runForkWith(Context.add(caller.context, References.TracerEnabled, false))(self)
  fiber.addObserver(ended)
  return () => fiber.interruptUnsafe(caller.id)
})
