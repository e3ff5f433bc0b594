import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"

/** The exit of an effect after that much time; a defect if it has not ended by then. */
export const within =
  (duration: Duration.DurationInput) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(self)
      yield* TestClock.adjust(duration)
      const exit = fiber.unsafePoll()
      if (exit === null) {
        yield* Effect.fork(Fiber.interrupt(fiber))
        return yield* Effect.dieMessage(`Still under way after ${Duration.format(duration)}`)
      }
      return exit
    })

/** Lets all other fibers run until they wait for something. */
export const settle = Effect.yieldNow().pipe(Effect.repeatN(50))
