import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Child, withExpiry } from "./expiry.js"
import { setTimer } from "./timer.js"

/** Interrupts a fiber without waiting for its end. */
const abandon = (child: Child<unknown, unknown>): Effect.Effect<void> =>
  Effect.map(Effect.fiberId, (id) => child.unsafeInterruptAsFork(id))

/**
 * Limits the wait for an effect: after it, or on interruption, the effect is interrupted, and nobody waits for its end.
 * This is `Effect.timeoutOption` around `Effect.disconnect`, for caches and loggers: they mostly answer at once, which
 * costs a twentieth of the time here, as a timer is set only for an effect that has to wait.
 */
export const timeoutOption = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  limit: Duration.Duration
): Effect.Effect<Option.Option<A>, E, R> =>
  withExpiry(Effect.map(self, Option.some), {
    countdown: (fiber, expired) => setTimer(fiber, Duration.toMillis(limit), expired),
    leave: abandon,
    onExpiry: Effect.succeedNone
  })
