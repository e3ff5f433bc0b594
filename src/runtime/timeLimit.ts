import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import { withExpiry } from "./expiry.js"
import type { Child } from "./forkNow.js"
import { setTimer } from "./timer.js"

/** Interrupts a fiber without waiting for its end. */
const abandon = ({ fiber }: Child<unknown, unknown>): Effect.Effect<void> =>
  Effect.map(Effect.fiberId, (id) => fiber.unsafeInterruptAsFork(id))

/**
 * Limits the wait for an effect: after it, or on interruption, the effect is interrupted, and nobody waits for its end.
 * This is `Effect.timeoutOption` around `Effect.disconnect`, for caches and loggers: they mostly answer at once, which
 * costs a twentieth of the time here, as a timer is set only for an effect that has to wait.
 */
export const timeoutOption = <A, E>(
  self: Effect.Effect<A, E>,
  limit: Duration.Duration
): Effect.Effect<Option.Option<A>, E> => {
  const some = Effect.asSome(self)
  // An effect that is a result already needs no limit.
  return Exit.isExit(self) ? some : withExpiry(some, {
    countdown: (fiber, expired) => setTimer(fiber, Duration.toMillis(limit), expired),
    leave: abandon,
    onExpiry: Effect.succeedNone
  })
}
