import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"

/** Runs an effect and asserts that none of its fibers outlives it, daemons included. */
export const leavingNoFiber = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    // The clock's own warning fiber would count otherwise.
    yield* TestClock.adjust(0)
    const supervisor = yield* Supervisor.track
    const exit = yield* Effect.exit(Effect.supervised(self, supervisor))
    // A failure of the effect itself is the one to report.
    if (exit._tag === "Success") assert.strictEqual((yield* supervisor.value).length, 0, "fibers left behind")
    return yield* exit
  })
