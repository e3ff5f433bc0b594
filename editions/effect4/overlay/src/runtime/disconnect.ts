// In place of the file: Effect 4 has no `Effect.disconnect`.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** Lets an interruption of an effect be over at once: the effect is interrupted in the background. */
export const disconnect = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.forkDetach(restore(self)),
      (fiber) => Effect.onInterrupt(restore(Fiber.join(fiber)), () => Effect.sync(() => fiber.interruptUnsafe()))
    )
  )
