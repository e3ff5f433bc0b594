import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"

/** An effect in its own fiber. */
export interface Child<A, E> {
  /** It succeeds with the exit of the effect, even with an interruption, so that Effect logs no unhandled error. */
  readonly fiber: Fiber.RuntimeFiber<Exit.Exit<A, E>>
  /** The FiberRefs that it began with. */
  readonly inherited: FiberRefs.FiberRefs
}

/** An interruption ends the effect, but not the code that makes an exit of it. */
const runtimeFlags = RuntimeFlags.disable(Runtime.defaultRuntimeFlags, RuntimeFlags.Interruption)

/**
 * Runs an effect in its own fiber, which begins at once: an effect that never waits has ended when this returns.
 * (`Effect.fork` costs five times as much, as its fiber begins in a later turn.) The fiber can be interrupted even if
 * its parent cannot. It belongs to no scope: its parent waits for it, or interrupts it.
 */
export const forkNow = <A, E>(
  parent: Fiber.RuntimeFiber<unknown, unknown>,
  self: Effect.Effect<A, E>,
  /** The services of the child, if they are not its parent's. */
  context: Context.Context<never> = parent.currentContext
): Child<A, E> => {
  let inherited = parent.getFiberRefs()
  const runtime = Runtime.make({ context, runtimeFlags, fiberRefs: inherited })
  const fiber = Runtime.runFork(runtime, Effect.exit(Effect.interruptible(self)), {
    updateRefs: (refs) => inherited = refs
  })
  return { fiber, inherited }
}

/** Calls back once when a child has ended; the result cancels that. */
export const observe = <A, E>(
  { fiber }: Child<A, E>,
  ended: (exit: Exit.Exit<Exit.Exit<A, E>>) => void
): () => void => {
  fiber.addObserver(ended)
  return () => fiber.removeObserver(ended)
}

/**
 * Whether a child has set FiberRefs that its parent takes over. A fiber writes its own flags into each copy of them that
 * it gives out, and its services are its own: most effects provide some.
 */
const hasSetRefs = <A, E>({ fiber, inherited }: Child<A, E>): boolean => {
  const { locals } = fiber.getFiberRefs()
  for (const [ref, values] of locals) {
    if (ref === FiberRef.currentRuntimeFlags || ref === FiberRef.currentContext) continue
    if (values !== inherited.locals.get(ref)) return true
  }
  return false
}

/** Takes over the FiberRefs that a child has set, as a join does, but not its services, which are the child's own. */
const inherit = <A, E>({ fiber }: Child<A, E>): Effect.Effect<void> =>
  Effect.inheritFiberRefs(FiberRefs.delete(fiber.getFiberRefs(), FiberRef.currentContext))

/** The result of a child that has ended, as a join gives it. */
export const joined = <A, E>(child: Child<A, E>, ended: Exit.Exit<Exit.Exit<A, E>>): Effect.Effect<A, E> => {
  const exit = Exit.flatten(ended)
  return Exit.isSuccess(exit) && hasSetRefs(child) ? Effect.zipRight(inherit(child), exit) : exit
}

/** The Clock of a fiber. */
export const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock.Clock =>
  Context.get(fiber.currentDefaultServices, Clock.Clock)
