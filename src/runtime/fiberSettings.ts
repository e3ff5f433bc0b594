import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"

/** A value for a FiberRef. */
export interface Setting {
  readonly ref: FiberRef.FiberRef<unknown>
  readonly value: unknown
}

/** A value for a FiberRef. */
export const setting = <A>(ref: FiberRef.FiberRef<A>, value: A): Setting => ({ ref, value } as Setting)

/** The settings of an effect, and what becomes of its exit outside of them. */
export interface Settings<A, E, B, E2> {
  readonly services: Context.Context<never>
  readonly refs: ReadonlyArray<Setting>
  readonly onSuccess: (value: A) => Effect.Effect<B, E2>
  readonly onFailure: (cause: Cause.Cause<E>) => Effect.Effect<B, E2>
}

/**
 * Runs an effect with services and values of FiberRefs, as `Effect.provide` and `Effect.locally` set them, but sets all
 * of them in one step, and undoes them in one more: around a request, a region for each would cost more than the request.
 * Anything else that the effect sets stays. Has to run in an uninterruptible region; the effect itself may be
 * interruptible.
 */
export const matchWith = <A, E, B, E2>(
  self: Effect.Effect<A, E>,
  { onFailure, onSuccess, refs: settings, services }: Settings<A, E, B, E2>
): Effect.Effect<B, E2> =>
  Effect.suspend(() => {
    let before: FiberRefs.FiberRefs["locals"]
    const apply = Effect.updateFiberRefs((fiberId, refs) => {
      before = refs.locals
      const context = Context.merge(FiberRefs.getOrDefault(refs, FiberRef.currentContext), services)
      const locals = new Map(before).set(FiberRef.currentContext, [[fiberId, context]])
      for (const { ref, value } of settings) locals.set(ref, [[fiberId, value]])
      return FiberRefs.unsafeMake(locals)
    })
    const restore = Effect.updateFiberRefs((_, refs) => {
      const locals = new Map(refs.locals)
      const undo = (ref: FiberRef.FiberRef<unknown>): void => {
        const value = before.get(ref)
        if (value === undefined) locals.delete(ref)
        else locals.set(ref, value)
      }
      undo(FiberRef.currentContext as FiberRef.FiberRef<unknown>)
      for (const { ref } of settings) undo(ref)
      return FiberRefs.unsafeMake(locals)
    })
    return Effect.zipRight(
      apply,
      Effect.matchCauseEffect(self, {
        onSuccess: (value) => Effect.flatMap(restore, () => onSuccess(value)),
        onFailure: (cause) => Effect.zipRight(restore, onFailure(cause))
      })
    )
  })
