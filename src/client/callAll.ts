import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Check from "../internal/check.js"
import type { Pipeline } from "./call.js"
import type { Environment } from "./callState.js"
import type { CallOptions } from "./options.js"
import * as Turns from "./turns.js"

/** The options of many calls at once. */
export interface CallAllOptions extends CallOptions {
  /** The number of calls under way at the same time: a positive integer. */
  readonly concurrency: number | "unbounded"
  /** Is called with the progress each time that a call has ended. */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void> | void) | undefined
}

/** The progress of many calls. */
export interface Progress {
  /** The number of calls that have ended. */
  readonly completed: number
  /** How many of them failed. */
  readonly failed: number
  /** The call that has ended last. */
  readonly last: CallResult
}

/** The result of one of many calls. */
export interface CallResult {
  /** The place of its request among the requests, from 0. */
  readonly index: number
  readonly result: Exit.Exit<LlmResponse, LlmError>
}

/** Makes the calls of many requests at once: each goes through the pipeline of a call at its turn. */
export const make = (environment: Environment, call: Pipeline["call"]) =>
(
  requests: Iterable<LlmRequest.Input>,
  { concurrency, onProgress, ...options }: CallAllOptions
): Stream.Stream<CallResult> =>
  Stream.suspend(() => {
    const bound = concurrency === "unbounded" ? concurrency : Check.integer("concurrency", concurrency, 1)
    const turn = Turns.make(environment)
    let completed = 0
    let failed = 0
    const iterator = requests[Symbol.iterator]()
    // One by one: `Stream.fromIterable` would take thousands of requests before the first call.
    return Stream.unfold(0, (index) => {
      const next = iterator.next()
      return next.done === true ? Option.none() : Option.some([{ index, request: next.value }, index + 1] as const)
    }).pipe(
      // `Stream.mapEffect` would do the same, but adds the code of its grouping by keys to every bundle.
      Stream.flatMap(({ index, request }) =>
        Stream.fromEffect(
          Effect.exit(call(request, options, turn)).pipe(
            Effect.map((result): CallResult => ({ index, result })),
            Effect.tap((last) => {
              completed++
              if (last.result._tag === "Failure") failed++
              return onProgress?.({ completed, failed, last }) ?? Effect.void
            })
          )
        ), { concurrency: bound })
    )
  })
