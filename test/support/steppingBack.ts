import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Runs an effect under a Clock whose wall time steps back an hour after a while, as when somebody sets the machine's
 * clock. The monotone nanoseconds and the sleeps go on as those of the Clock outside.
 */
export const steppingBackAfter =
  (duration: Duration.DurationInput) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.clockWith((clock) => {
      const hour = Duration.toMillis("1 hour")
      const stepsAt = clock.unsafeCurrentTimeMillis() + Duration.toMillis(duration)
      const wall = (): number => {
        const now = clock.unsafeCurrentTimeMillis()
        return now < stepsAt ? now : now - hour
      }
      return Effect.withClock(self, {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: wall,
        currentTimeMillis: Effect.sync(wall),
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
        currentTimeNanos: clock.currentTimeNanos,
        sleep: (duration) => clock.sleep(duration)
      })
    })
