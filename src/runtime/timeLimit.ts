import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { withExpiry } from "./expiry.js"
import type { Child } from "./forkNow.js"
import { setTimer } from "./timer.js"

/** Interrupts a fiber without waiting for its end. */
const abandon = ({ fiber }: Child<unknown, unknown>): Effect.Effect<void> =>
  Effect.map(Effect.fiberId, (id) => fiber.unsafeInterruptAsFork(id))

/**
 * Limits the wait for an effect: after it, or on interruption, the effect is interrupted, without a wait for its end.
 * This is a timeout around `Effect.disconnect`, for caches and loggers. They mostly answer at once, at a twentieth of
 * the cost, as a timer is set only for an effect that has to wait.
 */
export const timeoutOrElse = <A, E, B, E2>(
  self: Effect.Effect<A, E>,
  { duration, onTimeout }: { readonly duration: Duration.Duration; readonly onTimeout: Effect.Effect<B, E2> }
): Effect.Effect<A | B, E | E2> =>
  // An effect that is a result already needs no limit.
  Exit.isExit(self) ? self : withExpiry(self, {
    countdown: (fiber, expired) => setTimer(fiber, Duration.toMillis(duration), expired),
    leave: abandon,
    onExpiry: onTimeout
  })
