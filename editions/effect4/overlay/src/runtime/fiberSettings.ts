// In place of the file: what was a FiberRef is a reference in the context of a fiber.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** A value for a reference. */
export interface Setting {
  readonly ref: Context.Reference<unknown>
  readonly value: unknown
}

/** A value for a reference. */
export const setting = <A>(ref: Context.Reference<A>, value: A): Setting => ({ ref, value } as Setting)

/** Changes of a fiber, and their way back. */
export interface FiberSettings {
  /** Makes all changes in one step. */
  readonly apply: Effect.Effect<void>
  /** Undoes them in another. */
  readonly restore: Effect.Effect<void>
}

/**
 * Services and values of references for the effects between `apply` and `restore`, as `Effect.provide` sets them, but all
 * in one step: around a request, a region for each would cost more than the request. Nothing may interrupt between the
 * two but the effect itself. For one use.
 */
export const make = (services: Context.Context<never>, settings: ReadonlyArray<Setting>): FiberSettings => {
  const changes = settings.reduce((context, { ref, value }) => Context.add(context, ref, value), services)
  let before: Context.Context<never>
  return {
    apply: Effect.withFiber((fiber) => {
      before = fiber.context
      fiber.setContext(Context.merge(before, changes))
      return Effect.void
    }),
    restore: Effect.withFiber((fiber) => {
      fiber.setContext(before)
      return Effect.void
    })
  }
}
