import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scheduler from "effect/Scheduler"

interface Sleeper {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

/**
 * Runs a program with a clock of its own, that jumps to the next moment for which anybody sleeps when nobody has
 * anything to do. Everything happens in this one synchronous call and in the same order each time: unlike under
 * `TestClock`, which waits for real time at each of its steps, thousands of sleeps take no time.
 */
export const runVirtually = <A, E>(program: Effect.Effect<A, E>): Exit.Exit<A, E> => {
  const scheduler = new Scheduler.ControlledScheduler()
  const sleepers = new Set<Sleeper>()
  let now = 0
  let order = 0
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(now * 1e6)),
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(now * 1e6))),
    sleep: (duration) =>
      Effect.async((resume) => {
        // As a real timer: whole milliseconds.
        const at = now + Math.ceil(Duration.toMillis(duration))
        const sleeper = { at, order: order++, wake: () => resume(Effect.void) }
        sleepers.add(sleeper)
        return Effect.sync(() => void sleepers.delete(sleeper))
      })
  }
  const fiber = Effect.runFork(Effect.withClock(program, clock), { scheduler })
  for (;;) {
    while (scheduler.tasks.buckets.length > 0) scheduler.step()
    const exit = fiber.unsafePoll()
    if (exit !== null) return exit
    let first: Sleeper | undefined
    for (const sleeper of sleepers) {
      if (first === undefined || sleeper.at < first.at || (sleeper.at === first.at && sleeper.order < first.order)) {
        first = sleeper
      }
    }
    if (first === undefined) throw new Error("Nobody has anything to do, and the program has not ended")
    sleepers.delete(first)
    now = first.at
    first.wake()
  }
}
