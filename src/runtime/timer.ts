import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { clockOf, forkNow, observe } from "./forkNow.js"

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

/** The longest time that JavaScript's timers take: beyond it they fire at once. */
const maxTimerMillis = 2 ** 31 - 1

/**
 * Calls back after some milliseconds on the fiber's Clock; the result cancels that. With the live Clock this is a plain
 * timer; with any other, such as a TestClock, a fiber that sleeps.
 */
export const setTimer = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  millis: number,
  task: () => void
): () => void => {
  const clock = clockOf(fiber)
  if (clock === liveClock) {
    if (millis > maxTimerMillis) return () => {}
    // eslint-disable-next-line no-restricted-globals -- the live Clock sleeps by it
    const timer = setTimeout(task, millis)
    return () => clearTimeout(timer)
  }
  const sleeper = forkNow(fiber, clock.sleep(Duration.millis(millis)))
  observe(sleeper, (exit) => {
    if (Exit.isSuccess(Exit.flatten(exit))) task()
  })
  return () => sleeper.fiber.unsafeInterruptAsFork(fiber.id())
}
