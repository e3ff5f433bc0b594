// In place of the file: a fiber of Effect 4 that is woken goes on in the midst of what wakes it, and not in a turn of its own.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"

/**
 * Takes a turn once an effect has ended. Without it a fiber would go on before others are woken or interrupted by the
 * same cause, and on an ever deeper stack where each fiber wakes the next.
 */
const inTurn = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.matchCauseEffect(self, {
    onFailure: (cause) => Effect.andThen(Effect.yieldNow, Effect.failCause(cause)),
    onSuccess: (value) => Effect.as(Effect.yieldNow, value)
  })

/** Waits for the result of a `Deferred`. */
export const awaitDeferred = <A, E>(self: Deferred.Deferred<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => Deferred.isDoneUnsafe(self) ? Deferred.await(self) : inTurn(Deferred.await(self)))

/** Waits until a latch is open. */
export const awaitLatch = (self: Latch.Latch): Effect.Effect<void> =>
  Effect.suspend(() => self.isOpen() ? Effect.void : inTurn(self.await))
