import type { SqlError } from "@effect/sql/SqlError"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import { JobChanged, RequestInvalid } from "./errors.js"
import type { JobState } from "./job.js"
import * as Operation from "./operation.js"
import { type Job, type Requests, settingsOf } from "./options.js"
import type { Schemas } from "./schemas.js"
import type { Item, Store } from "./store.js"

/** The number of requests stored or compared at a time. */
const pageSize = 100

const operationOf = (job: Job<unknown, unknown>): Operation.Operation =>
  job.embeddings !== undefined ? "embed" : job.schema !== undefined ? "object" : "call"

const isStream = <A, E, R>(requests: Requests<A, E, R>): requests is Stream.Stream<A, E, R> =>
  hasProperty(requests, Stream.StreamTypeId)

const written = <A, E, R>(
  id: string,
  requests: Requests<A, E, R>,
  write: (request: A) => Effect.Effect<string, LlmError>
): Stream.Stream<Item, E | RequestInvalid, R> =>
  (isStream(requests) ? requests : Stream.fromIterable(requests)).pipe(
    Stream.zipWithIndex,
    Stream.mapEffect(([input, index]) =>
      Effect.mapBoth(write(input), {
        onFailure: (error) => new RequestInvalid({ id, index, error }),
        onSuccess: (request) => ({ index, request })
      })
    )
  )

/**
 * Makes a function that stores a job. A job that exists has to have the same requests; the missing requests of an
 * unfinished submission are added. It gives the job's state, and does not start it.
 */
export const make = (store: Store, schemas: Schemas) =>
<E = never, R = never>(
  job: Job<E, R>
): Effect.Effect<JobState, E | SqlError | JobChanged | RequestInvalid, R> =>
  Effect.gen(function*() {
    const { id } = job
    const settings = yield* Effect.sync(() => settingsOf(job))
    const operation = operationOf(job)
    const schemaName = job.schema === undefined ? undefined : job.schemaName ?? id
    if (job.schema !== undefined && schemaName !== undefined) yield* schemas.add(schemaName, job.schema)
    yield* store.create({ id, operation, schemaName, settings })
    const state = yield* Effect.flatMap(
      store.find(id),
      Option.match({
        onNone: () => Effect.dieMessage(`Job ${id} was removed at the same time`),
        onSome: Effect.succeed
      })
    )
    const changed = (field: string, index?: number) =>
      new JobChanged({ id, field, ...(index !== undefined && { index }) })
    if (state.progress.operation !== operation) return yield* changed("the kind of its requests")
    if (state.schemaName !== schemaName) return yield* changed("schemaName")

    /** Compares requests with the stored ones, and gives those that are not stored. */
    const compared = (page: ReadonlyArray<Item>): Effect.Effect<ReadonlyArray<Item>, SqlError | JobChanged> =>
      Effect.gen(function*() {
        const from = page[0]?.index ?? 0
        const kept = yield* store.itemsBetween(id, from, from + page.length)
        for (const [i, { index, request }] of kept.entries()) {
          const given = page[i]?.request ?? ""
          if (given !== request) return yield* changed(Operation.firstDifference(request, given), index)
        }
        return page.slice(kept.length)
      })

    const keep = (page: ReadonlyArray<Item>) =>
      Effect.gen(function*() {
        const isKnown = (page[0]?.index ?? 0) < state.progress.total
        const added = isKnown ? yield* compared(page) : page
        if (!Arr.isNonEmptyReadonlyArray(added)) return
        if (state.progress.status !== "submitting") return yield* changed("added", added[0]!.index)
        // Another process may be submitting the same job.
        if ((yield* store.addItems(id, added)) < added.length) yield* compared(added)
      })

    const items = job.embeddings === undefined
      ? written(id, job.requests, Operation.writeCall)
      : written(id, job.embeddings, Operation.writeEmbedding)
    const total = yield* items.pipe(
      Stream.grouped(pageSize),
      Stream.runFoldEffect(0, (count, page) => Effect.as(keep(Array.from(page)), count + page.length))
    )
    if (total < state.progress.total) return yield* changed("missing", total)
    yield* store.begin(id)
    return { ...state, progress: { ...state.progress, total } }
  })
