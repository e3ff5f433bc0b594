import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Whole milliseconds on the Clock's monotone nanoseconds. They are for differences, never for dates: unlike
 * `Clock.currentTimeMillis` they never step back, so that a wall clock that is set back lengthens no wait.
 */
export const unsafeNow = (clock: Clock.Clock): number => Math.round(Number(clock.unsafeCurrentTimeNanos()) / 1e6)

/** The same, by the fiber's Clock. */
export const now: Effect.Effect<number> = Effect.clockWith((clock) => Effect.succeed(unsafeNow(clock)))

/** Runs an effect that needs `now`. */
export const nowWith = <A, E, R>(f: (now: number) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => f(unsafeNow(clock)))

/** The time that has passed since a moment of `now`. */
export const since = (moment: number): Effect.Effect<Duration.Duration> =>
  Effect.map(now, (current) => Duration.millis(current - moment))

/** Runs an effect that needs the time that has passed since a moment of `now`. */
export const sinceWith = <A, E, R>(
  moment: number,
  f: (elapsed: Duration.Duration) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => nowWith((now) => f(Duration.millis(now - moment)))
