// In place of the file: what tests keep in a FiberRef is a reference of the context in Effect 4.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

let made = 0

export const makeReference = <A>(value: A): Context.Reference<A> =>
  Context.Reference<A>(`test/Reference/${made++}`, { defaultValue: () => value })

/** Sets a reference for the rest of a fiber. */
export const setReference = <A>(reference: Context.Reference<A>, value: A): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.setContext(Context.add(fiber.context, reference, value))
    return Effect.void
  })
