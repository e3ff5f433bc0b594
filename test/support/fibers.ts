import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"

/** A watch over the fibers of an effect. */
export interface Watch {
  /** Runs an effect under the watch. */
  readonly over: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** How many of its fibers have not ended, daemons included. */
  readonly running: Effect.Effect<number>
}

/** Makes a watch over fibers. */
export const watch: Effect.Effect<Watch> = Effect.map(Supervisor.track, (supervisor) => ({
  over: Effect.supervised(supervisor),
  running: Effect.map(supervisor.value, (fibers) => fibers.length)
}))

/** Runs an effect and asserts that none of its fibers outlives it, daemons included. */
export const leavingNoFiber = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    // The clock's own warning fiber would count otherwise.
    yield* TestClock.adjust(0)
    const { over, running } = yield* watch
    const exit = yield* Effect.exit(over(self))
    // A failure of the effect itself is the one to report.
    if (exit._tag === "Success") assert.strictEqual(yield* running, 0, "fibers left behind")
    return yield* exit
  })
