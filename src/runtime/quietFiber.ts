import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"

/**
 * Runs an effect in a fiber of its own, with the services of its caller, and calls back with the exit. The result
 * interrupts that fiber without a wait for its end.
 */
export type Start = <A, E>(
  caller: Fiber.RuntimeFiber<unknown, unknown>,
  self: Effect.Effect<A, E>,
  ended: (exit: Exit.Exit<A, E>) => void
) => () => void

const runtimeFlags = RuntimeFlags.disable(Runtime.defaultRuntimeFlags, RuntimeFlags.RuntimeMetrics)

/**
 * Starts fibers for statements of a database: with the FiberRefs of the fiber that makes this, and without spans, metrics of
 * fibers, and logs of failures, as the caller handles these. All of it is set here, once: for each statement it would cost
 * as much as SQLite takes for one.
 */
export const make: Effect.Effect<Start> = Effect.runtime<never>().pipe(
  Effect.withTracerEnabled(false),
  Effect.withUnhandledErrorLogLevel(Option.none()),
  Effect.map(({ fiberRefs }): Start => (caller, self, ended) => {
    const runtime = Runtime.make({ context: caller.currentContext, fiberRefs, runtimeFlags })
    const fiber = Runtime.runFork(runtime, self)
    fiber.addObserver(ended)
    return () => fiber.unsafeInterruptAsFork(caller.id())
  })
)
