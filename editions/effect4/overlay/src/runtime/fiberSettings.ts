// In place of the file: what was a FiberRef is a reference in the context of a fiber, which Effect sets in one step.
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** A value for a reference. */
export interface Setting {
  readonly ref: Context.Reference<unknown>
  readonly value: unknown
}

/** A value for a reference. */
export const setting = <A>(ref: Context.Reference<A>, value: A): Setting => ({ ref, value } as Setting)

/** The settings of an effect, and what becomes of its exit outside of them. */
export interface Settings<A, E, B, E2> {
  readonly services: Context.Context<never>
  readonly refs: ReadonlyArray<Setting>
  readonly onSuccess: (value: A) => Effect.Effect<B, E2>
  readonly onFailure: (cause: Cause.Cause<E>) => Effect.Effect<B, E2>
}

/** Runs an effect with services and values of references. */
export const matchWith = <A, E, B, E2>(
  self: Effect.Effect<A, E>,
  { onFailure, onSuccess, refs, services }: Settings<A, E, B, E2>
): Effect.Effect<B, E2> =>
  Effect.matchCauseEffect(
    Effect.provideContext(self, refs.reduce((context, { ref, value }) => Context.add(context, ref, value), services)),
    { onFailure, onSuccess }
  )
