import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { LlmResponse } from "./LlmResponse.js"

/** A cache's look-up. */
type Get<E> = (key: string) => Effect.Effect<Option.Option<LlmResponse>, E>

/** The same on the spot, at a time in epoch milliseconds; `undefined` where only the look-up itself can tell. */
type GetInMemory = (key: string, nowMillis: number) => Option.Option<LlmResponse> | undefined

const inMemoryOf = new WeakMap<Get<unknown>, GetInMemory>()

/**
 * How to look into memory without an effect, which would have to be run within a time limit. It goes with the function
 * that gives the effect, and not with the cache that has it: a cache that puts a function of its own in the place of
 * another's is asked by that one.
 */
export const inMemory = {
  set: <E>(get: Get<E>, atOnce: GetInMemory): Get<E> => {
    inMemoryOf.set(get, atOnce)
    return get
  },
  get: <E>(get: Get<E>): GetInMemory | undefined => inMemoryOf.get(get)
}
