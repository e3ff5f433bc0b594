import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { LlmError, MalformedResponse } from "../domain/LlmError.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import type * as LlmClient from "../LlmClient.js"
import type * as LlmProvider from "../LlmProvider.js"
import * as Kept from "./answered.js"
import * as BatchIds from "./batchIds.js"
import * as BatchRequests from "./batchRequests.js"
import type { BatchService } from "./batchService.js"
import type { BatchStore, OpenBatch } from "./batchStore.js"
import type { JobState } from "./job.js"
import type { Journal } from "./journal.js"
import { persist } from "./persist.js"
import type { Item, Store } from "./store.js"
import * as Todo from "./todo.js"

/** Stores the results of batches. */
export interface BatchResults {
  /** The requests of a batch that have no result yet. */
  readonly left: (job: JobState, batch: Pick<OpenBatch, "first" | "places">) => Stream.Stream<Item>
  /** Records that a request has failed. */
  readonly fail: (
    job: JobState,
    requests: BatchRequests.BatchRequests,
    item: Item,
    error: LlmError
  ) => Effect.Effect<void>
  /** Records a failure for all requests of a batch without a result. */
  readonly failAll: (
    job: JobState,
    requests: BatchRequests.BatchRequests,
    batch: Pick<OpenBatch, "first" | "places">,
    error: LlmError
  ) => Effect.Effect<void>
  /**
   * Stores the results of a batch that has ended, and closes it. Stored ones stay as they are. If a failure halts the
   * job, this fails with it, once all others are stored: its requests have no result, and are asked again when the job
   * continues.
   */
  readonly collect: (
    job: JobState,
    requests: BatchRequests.BatchRequests,
    batch: OpenBatch & { readonly id: string }
  ) => Effect.Effect<void, LlmError>
}

const noResult = new LlmError({
  operation: "call",
  attempts: 1,
  reason: MalformedResponse.make({ message: "the batch has ended without a result for the request" })
})

/** Makes the store for the results of batches. */
export const make = (
  { api, batches, journal, service, store }: {
    readonly api: LlmClient.Batches
    readonly batches: BatchStore
    readonly journal: Journal
    readonly service: (job: JobState) => BatchService
    readonly store: Store
  }
): BatchResults => {
  const left: BatchResults["left"] = ({ progress, settings }, { first, places }) => {
    const own = new Set(places)
    const end = Math.min(first + settings.chunk, progress.total)
    return Stream.filter(Todo.read(store, progress.id, first, end), ({ index }) => own.has(index))
  }

  const record = (
    { progress: { id } }: JobState,
    { index }: Item,
    { error: _, isInterrupted: __, ...answered }: Kept.Asked
  ) => journal.record({ ...answered, job: id, index })

  const fail: BatchResults["fail"] = (job, requests, item, error) =>
    Effect.flatMap(requests.failed(error), (asked) => record(job, item, asked))

  const failAll: BatchResults["failAll"] = (job, requests, batch, error) =>
    Stream.runDrain(
      Stream.mapEffect(left(job, batch), (item) => fail(job, requests, item, error), {
        concurrency: 100,
        unordered: true
      })
    )

  /** Whether a request was refused for a setting that the next pass leaves out. */
  const goesWithout = (
    prepared: BatchRequests.Prepared,
    item: Item,
    { error }: Kept.Asked,
    omitted: ReadonlyArray<string>
  ): Effect.Effect<boolean> =>
    error?.reason._tag !== "InvalidRequest" ? Effect.succeed(false) : Effect.map(
      BatchRequests.entryOf(api, item, prepared),
      (next) => next.omitted?.some((setting) => !omitted.includes(setting)) === true
    )

  const collect: BatchResults["collect"] = (job, requests, batch) =>
    Effect.gen(function*() {
      const { progress: { id }, settings: { haltOn } } = job
      const own = new Set(batch.places)
      const halting = new Map<number, LlmError>()
      const now = yield* Clock.currentTimeMillis
      const latency = Duration.millis(now - batch.openedAt)

      const keep = (item: Item, result: LlmProvider.BatchResult) =>
        Effect.gen(function*() {
          const prepared = yield* requests.prepare(item)
          const { omitted } = BatchIds.read(result.id)
          const read = BatchRequests.preferring(prepared.prefersTool)
          const answer = Exit.map(
            yield* Effect.exit(read(result.read(prepared.request, omitted))),
            (response) => LlmResponse.update(response, { latency })
          )
          // A request that a stopped batch did not get to counts as not asked.
          if (batch.isCancelled && Exit.isFailure(answer)) return
          const asked = yield* prepared.kept(answer)
          if (yield* goesWithout(prepared, item, asked, omitted)) {
            return yield* record(job, item, { ...asked, isRetryable: true })
          }
          if (asked.error !== undefined && Kept.halts(asked.error, haltOn)) halting.set(item.index, asked.error)
          else yield* record(job, item, asked)
        }).pipe(
          // The settings of the client have changed since, and the request is no longer valid.
          Effect.catchAll((error) => fail(job, requests, item, error))
        )

      yield* service(job).results(batch.id, (result) =>
        Effect.gen(function*() {
          const { index } = BatchIds.read(result.id)
          if (!own.has(index)) return
          const [item] = yield* persist(store.todo(id, index, index + 1, 1))
          if (item !== undefined) yield* keep(item, result)
        }))
      if (!batch.isCancelled) {
        yield* failAll(
          job,
          requests,
          { ...batch, places: batch.places.filter((place) => !halting.has(place)) },
          noResult
        )
      }
      yield* persist(batches.close(batch))
      const [error] = halting.values()
      if (error !== undefined) return yield* error
    })

  return { left, fail, failAll, collect }
}
