import * as Effect from "effect/Effect"
import type { LlmError } from "../domain/LlmError.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as SharedRun from "../runtime/sharedRun.js"

/** A fetched value, and the milliseconds for which it may be kept. */
export interface Fetched<A> {
  readonly value: A
  readonly timeToLive: number
}

/** A value that is fetched when a request needs one, and kept until it expires or a service refuses it. */
export interface Renewable<A> {
  /** Callers that ask for it at the same time share one fetch. */
  readonly current: Effect.Effect<A, LlmError>
  /**
   * Fetches another value in place of a refused one; `false` if there is none. All requests that were refused with it
   * share one fetch, and a late one finds the new value.
   */
  readonly renew: (refused: A) => Effect.Effect<boolean, LlmError>
}

/** Keeps the results of `fetch`. */
export const make = <A>(
  { fetch, isSame }: {
    readonly fetch: Effect.Effect<Fetched<A>, LlmError>
    /** Whether a service that refuses one refuses the other as well. */
    readonly isSame: (one: A, other: A) => boolean
  }
): Renewable<A> => {
  // A run ends with its last caller: none is left behind.
  const runs = SharedRun.unsafeMake<A, LlmError, undefined>()
  let kept: { readonly value: A; readonly until: number } | undefined

  const fetched = Effect.gen(function*() {
    const { timeToLive, value } = yield* fetch
    kept = { value, until: (yield* Elapsed.now) + timeToLive }
    return value
  })

  const shared = Effect.map(
    runs.run("value", { begin: () => undefined, join: () => true, work: () => fetched }),
    ({ value }) => value
  )

  return {
    current: Elapsed.nowWith((now) => kept !== undefined && now < kept.until ? Effect.succeed(kept.value) : shared),
    renew: (refused) =>
      Effect.suspend(() => {
        if (kept !== undefined && isSame(kept.value, refused)) kept = undefined
        return Effect.map(kept === undefined ? shared : Effect.succeed(kept.value), (value) => !isSame(value, refused))
      })
  }
}
