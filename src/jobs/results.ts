import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import { JobNotFound, ResultUnreadable } from "./errors.js"
import type { Operation, ResultCodec } from "./operation.js"
import type { Kept, Store } from "./store.js"

/**
 * The result of a request of a job.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result<A> {
  /** The place of the request, from 0. */
  readonly index: number
  /** The outcome. A defect is a mistake of the program, such as a value that its schema cannot encode. */
  readonly result: Exit.Exit<A, LlmError>
}

/**
 * Which results to read.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResultsOptions {
  /** The place of the first request whose result to read. Default: 0. */
  readonly from?: number | undefined
}

/** The number of results read at a time: those with vectors are large. */
const pageSize = 50

const readers: { readonly [Kind in Operation]: string } = { call: "results", object: "values", embed: "embeddings" }

/** Reads the recorded results of a job, in order, page by page. */
export const read = <A>(
  store: Store,
  id: string,
  { codec, from = 0, operation }: ResultsOptions & { readonly codec: ResultCodec<A>; readonly operation: Operation }
): Stream.Stream<Result<A>, SqlError | JobNotFound | ResultUnreadable> =>
  Stream.unwrap(Effect.gen(function*() {
    const job = yield* store.find(id)
    if (Option.isNone(job)) return yield* new JobNotFound({ id })
    const actual = job.value.progress.operation
    if (actual !== operation) {
      return yield* new ResultUnreadable({ id, index: from, problem: `they are read with LlmBatch.${readers[actual]}` })
    }
    const decoded = ({ index, result }: Kept) =>
      Effect.mapBoth(codec.read(result), {
        onFailure: (problem) => new ResultUnreadable({ id, index, problem }),
        onSuccess: (result): Result<A> => ({ index, result })
      })
    return Stream.paginateEffect(from, (from) =>
      Effect.map(store.recordedFrom(id, from, pageSize), (page) => {
        const last = page[pageSize - 1]
        return [page, last === undefined ? Option.none<number>() : Option.some(last.index + 1)] as const
      })).pipe(Stream.mapConcat(identity), Stream.mapEffect(decoded))
  }))
