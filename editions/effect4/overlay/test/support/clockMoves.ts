// In place of the file: the TestClock of Effect 4 moves after one turn, and misses the sleep of a fiber that needs more.
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

/** Lets all fibers run until they wait. */
const quiet = Effect.repeat(Effect.yieldNow, { times: 100 })

export const adjust = (duration: Duration.Input): Effect.Effect<void> =>
  Effect.andThen(quiet, TestClock.adjust(duration))

export const setTime = (millis: number): Effect.Effect<void> => Effect.andThen(quiet, TestClock.setTime(millis))
