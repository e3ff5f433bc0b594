import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Sets the wall clock, while nanoseconds and sleeps go on. */
export interface SteppingClock {
  /** Sets the wall clock back. */
  readonly stepBack: (duration: Duration.DurationInput) => Effect.Effect<void>
  /** Puts the wall clock forward. */
  readonly stepForward: (duration: Duration.DurationInput) => Effect.Effect<void>
}

/**
 * Runs a program with the Clock that it has, but for `currentTimeMillis`, which can be set back and put forward: as the
 * wall clock of a machine can, unlike its monotone time.
 */
export const withSteppingClock = <A, E, R>(
  program: (clock: SteppingClock) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    let offset = 0
    const millis = () => clock.unsafeCurrentTimeMillis() - offset
    // Still the program's own Clock: TestClock moves it.
    const stepping: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
      unsafeCurrentTimeMillis: millis,
      currentTimeMillis: Effect.sync(millis),
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      currentTimeNanos: Effect.sync(() => clock.unsafeCurrentTimeNanos())
    })
    return Effect.withClock(
      program({
        stepBack: (duration) =>
          Effect.sync(() => {
            offset += Duration.toMillis(duration)
          }),
        stepForward: (duration) =>
          Effect.sync(() => {
            offset -= Duration.toMillis(duration)
          })
      }),
      stepping
    )
  })
