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

/** Changes of a fiber, and their reversal. */
export interface FiberSettings {
  /** Makes all changes in one step. */
  readonly apply: Effect.Effect<void>
  /** Undoes them in one more. Anything else that was set in the meantime stays. */
  readonly restore: Effect.Effect<void>
}

/**
 * Services and values of FiberRefs for the effects between `apply` and `restore`, as `Effect.provide` and
 * `Effect.locally` set them, but all in one step: around a request, a region for each would cost more than the request.
 * Between the two, only the effect itself may be interrupted. For one use.
 */
export const make = (services: Context.Context<never>, settings: ReadonlyArray<Setting>): FiberSettings => {
  let before: FiberRefs.FiberRefs["locals"]
  return {
    apply: Effect.updateFiberRefs((fiberId, refs) => {
      before = refs.locals
      const context = Context.merge(FiberRefs.getOrDefault(refs, FiberRef.currentContext), services)
      const locals = new Map(before).set(FiberRef.currentContext, [[fiberId, context]])
      for (const { ref, value } of settings) locals.set(ref, [[fiberId, value]])
      return FiberRefs.unsafeMake(locals)
    }),
    restore: Effect.updateFiberRefs((_, refs) => {
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
  }
}
