import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { LlmEvent } from "./LlmEvent.js"
import type { LlmResponse } from "./LlmResponse.js"

interface Known<F extends object, OnTheSpot> {
  /** Tells how to do on the spot what this function does by an effect, and gives the function back. */
  readonly tell: <Given extends F>(f: Given, onTheSpot: OnTheSpot) => Given
  readonly of: (f: F) => OnTheSpot | undefined
}

/**
 * How to do something without an effect, which would have to be run within a time limit. It goes with the function that
 * gives the effect, and not with the service that has it: a service that puts a function of its own in the place of
 * another's is asked by that one.
 */
const known = <F extends object, OnTheSpot>(): Known<F, OnTheSpot> => {
  const all = new WeakMap<F, OnTheSpot>()
  return {
    tell: (f, onTheSpot) => {
      all.set(f, onTheSpot)
      return f
    },
    of: (f) => all.get(f)
  }
}

/** A cache's look-up in memory; `undefined` where only the look-up itself can tell. Times are in epoch milliseconds. */
export const get = known<
  (key: string) => Effect.Effect<Option.Option<LlmResponse>, unknown>,
  (key: string, nowMillis: number) => Option.Option<LlmResponse> | undefined
>()

/** How a cache keeps an answer in memory. */
export const set = known<
  (key: string, response: LlmResponse, ttl?: Duration.DurationInput) => Effect.Effect<void, unknown>,
  (key: string, response: LlmResponse, ttl: Duration.DurationInput | undefined, nowMillis: number) => void
>()

/** How a logger takes an event; what it gives is to be done yet. */
export const log = known<
  (event: LlmEvent) => Effect.Effect<void>,
  (event: LlmEvent) => Effect.Effect<void> | void
>()
