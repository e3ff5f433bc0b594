import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { forkNow } from "./forkNow.js"

/**
 * A fiber whose success is the exit of the effect that it runs, an interruption included, so that nothing is left for
 * Effect to log as an unhandled error.
 */
export type Child<A, E> = Fiber.RuntimeFiber<Exit.Exit<A, E>>

/** Starts a child at once, as `forkNow`. */
export const forkChild = <A, E, R>(
  parent: Fiber.RuntimeFiber<unknown, unknown>,
  self: Effect.Effect<A, E, R>,
  context: Context.Context<R>
): Child<A, E> => forkNow(parent, Effect.uninterruptible(Effect.exit(Effect.interruptible(self))), context)

/** Starts to count, and calls back once when the time has passed. The result ends the count. */
export type Countdown = (parent: Fiber.RuntimeFiber<unknown, unknown>, expired: () => void) => () => void

/** The result of an ended child, and on success the FiberRefs that it has set, as a join has it. */
export const joined = <A, E>(child: Child<A, E>, ended: Exit.Exit<Exit.Exit<A, E>>): Effect.Effect<A, E> => {
  const exit = Exit.flatten(ended)
  return Exit.isSuccess(exit) ? Effect.as(child.inheritAll, exit.value) : exit
}

/** How long an effect has, and what happens then. */
export interface Expiry<A, E, B, E2> {
  /** Counts the time. It is started only if the effect has not ended at once. */
  readonly countdown: Countdown
  /** Ends the effect's fiber, when the time has passed or the caller is interrupted. */
  readonly leave: (child: Child<A, E>) => Effect.Effect<void>
  /** The result in place of the effect's, once the fiber was left. */
  readonly onExpiry: Effect.Effect<B, E2>
}

/** Runs an effect in a fiber of its own and waits for it, until its time has passed. */
export const withExpiry = <A, E, R, B, E2>(
  self: Effect.Effect<A, E, R>,
  expiry: Expiry<A, E, B, E2>
): Effect.Effect<A | B, E | E2, R> =>
  Effect.contextWithEffect((context: Context.Context<R>) =>
    Effect.withFiberRuntime<A | B, E | E2>((parent) => {
      const child = forkChild(parent, self, context)
      const ended = child.unsafePoll()
      return ended === null ? wait(parent, child, expiry) : joined(child, ended)
    })
  )

const wait = <A, E, B, E2>(
  parent: Fiber.RuntimeFiber<unknown, unknown>,
  child: Child<A, E>,
  { countdown, leave, onExpiry }: Expiry<A, E, B, E2>
): Effect.Effect<A | B, E | E2> =>
  Effect.async((resume) => {
    const stop = countdown(parent, () => resume(Effect.zipRight(leave(child), onExpiry)))
    child.addObserver((ended) => {
      stop()
      resume(joined(child, ended))
    })
    return Effect.suspend(() => {
      stop()
      return leave(child)
    })
  })
