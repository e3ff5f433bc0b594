import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"

/**
 * Runs an effect in a fiber of its own, at once and on the spot: what ends without waiting has ended when this returns.
 * `Effect.fork` costs five times as much, since its fiber begins in a later turn. Whoever starts it sees to its end; it
 * belongs to no scope.
 */
export const start = <A, E, R>(
  parent: Pick<Fiber.RuntimeFiber<unknown, unknown>, "getFiberRefs">,
  self: Effect.Effect<A, E, R>,
  context: Context.Context<R>
): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(
    Runtime.make({ context, runtimeFlags: Runtime.defaultRuntimeFlags, fiberRefs: parent.getFiberRefs() }),
    self
  )

/** The clock of a fiber. */
export const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock.Clock =>
  Context.get(fiber.currentDefaultServices, Clock.Clock)

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

/** What JavaScript's timers can take; beyond it they fire at once, and `Effect.sleep` never ends. */
const maxTimerMillis = 2 ** 31 - 1

/**
 * Does something after a while, unless it is cancelled before. It goes by the fiber's clock: the usual one is asked for
 * a plain timer, for which another one needs a sleeping fiber.
 */
export const schedule = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  millis: number,
  task: () => void
): () => void => {
  const clock = clockOf(fiber)
  if (clock === liveClock) {
    if (millis > maxTimerMillis) return () => {}
    // eslint-disable-next-line no-restricted-globals -- it is what this clock sleeps by
    const timer = setTimeout(task, millis)
    return () => clearTimeout(timer)
  }
  const sleeper = start(fiber, clock.sleep(Duration.millis(millis)), Context.empty())
  sleeper.addObserver((exit) => {
    if (Exit.isSuccess(exit)) task()
  })
  return () => sleeper.unsafeInterruptAsFork(fiber.id())
}
