import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"

/**
 * Runs statements in a fiber of their own, with the services of a fiber, and calls back with the exit. The result
 * interrupts that fiber without a wait for its end: a driver may not stop.
 */
export type Start = <A, E>(
  caller: Fiber.RuntimeFiber<unknown, unknown>,
  statements: Effect.Effect<A, E>,
  ended: (exit: Exit.Exit<A, E>) => void
) => () => void

const runtimeFlags = RuntimeFlags.disable(Runtime.defaultRuntimeFlags, RuntimeFlags.RuntimeMetrics)

/**
 * Starts fibers with the settings of the layer, without spans, metrics of fibers, and logs of failures, which the caller
 * reports. All of this is set here, once: for each statement it would cost as much as SQLite takes for one.
 */
export const make: Effect.Effect<Start> = Effect.runtime<never>().pipe(
  Effect.withTracerEnabled(false),
  Effect.withUnhandledErrorLogLevel(Option.none()),
  Effect.map(({ fiberRefs }): Start => (caller, statements, ended) => {
    const runtime = Runtime.make({ context: caller.currentContext, fiberRefs, runtimeFlags })
    const fiber = Runtime.runFork(runtime, statements)
    fiber.addObserver(ended)
    return () => fiber.unsafeInterruptAsFork(caller.id())
  })
)
