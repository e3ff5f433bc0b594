import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmClient from "../LlmClient.js"
import * as Kept from "./answered.js"
import type { OpenChunk } from "./answering.js"
import * as BatchGroups from "./batchGroups.js"
import * as BatchHandover from "./batchHandover.js"
import * as BatchRequests from "./batchRequests.js"
import * as BatchResults from "./batchResults.js"
import * as BatchService from "./batchService.js"
import type { BatchStore, OpenBatch } from "./batchStore.js"
import * as Budget from "./budget.js"
import type { JobState } from "./job.js"
import type { Journal } from "./journal.js"
import { wayOf } from "./options.js"
import { persist } from "./persist.js"
import { batchWindow } from "./plan.js"
import type { Schemas } from "./schemas.js"
import type { Item, Store } from "./store.js"

/** Answers the requests of chunks through the batch API of the provider. */
export interface Batching {
  /**
   * Hands the requests of a chunk over that are in no batch yet, if the way of its job is a batch, and stores the
   * results of all its batches, including those that an earlier process handed over.
   */
  readonly answer: (chunk: OpenChunk) => Effect.Effect<void>
  /** Stops the batches of a cancelled job, and stores the answers that they have by then. */
  readonly cancel: (job: JobState) => Effect.Effect<void>
}

/** The most batches of a chunk that are halved because they were refused as a whole for one of their requests. */
const mostRefusals = 32

/** Whether a batch was not refused, but has expired, or was stopped by others. */
const wasTaken = ({ reason }: LlmError): boolean =>
  reason._tag === "TimedOut" || (reason._tag === "InvalidRequest" && reason.code === "cancelled")

/**
 * The time until which the job waits for a batch: with a deadline, as long as its requests can still be answered by
 * calls afterwards, but at least as long as services promise.
 */
const patience = (
  { progress: { submittedAt }, settings: { deadline, plan, via } }: JobState,
  batch: OpenBatch
): number => {
  const calls = plan?.ways.find(({ way }) => way === "calls")
  if (via !== "auto" || deadline === undefined || calls === undefined) return Infinity
  const wanted = submittedAt + Duration.toMillis(deadline) - Duration.toMillis(calls.time)
  return Math.max(wanted, batch.openedAt + Duration.toMillis(batchWindow))
}

/** Makes the way through the batch API of a client's provider. */
export const make = (
  { batches, client, journal, schemas, store }: {
    readonly client: LlmClient.Service
    readonly batches: BatchStore
    readonly journal: Journal
    readonly schemas: Schemas
    readonly store: Store
  }
): Effect.Effect<Batching> =>
  Effect.gen(function*() {
    const api = client.batches
    if (api === undefined) return withoutBatches(batches)

    const service = ({ settings: { pollEvery } }: JobState) => BatchService.make(api, pollEvery)
    const results = BatchResults.make({ api, batches, journal, service, store })
    const handover = yield* BatchHandover.make({ api, batches, price: client.price, results, service, store })

    /** Waits until a batch has ended. */
    const ended = (job: JobState, batch: BatchHandover.Submitted) => {
      let last = 0
      return service(job).ended(batch.id, ({ failed = 0, succeeded = 0 }) => {
        if (failed + succeeded === last) return Effect.void
        last = failed + succeeded
        return persist(batches.answered(batch, last))
      })
    }

    /** Asks for the end of a batch. If it cannot be stopped it goes on, and the job waits for it. */
    const stop = (job: JobState, batch: BatchHandover.Submitted): Effect.Effect<BatchHandover.Submitted> =>
      batch.isCancelled ? Effect.succeed(batch) : Effect.zipRight(
        persist(batches.cancelled(batch)),
        Effect.as(
          Effect.catchAll(
            service(job).cancel(batch.id),
            ({ message }) => Effect.logWarning(`Batch ${batch.id} could not be stopped: ${message}`)
          ),
          { ...batch, isCancelled: true }
        )
      )

    const answer: Batching["answer"] = (chunk) =>
      Effect.gen(function*() {
        const { job } = chunk
        const { haltOn, pollEvery } = job.settings
        const isBatch = wayOf(job.settings) === "batch"
        const earlier = yield* persist(batches.ofChunk(job.progress.id, chunk.first))
        if (!isBatch && earlier.length === 0) return
        const halt = (error: LlmError) => chunk.halt({ message: error.message, error })
        const prepared = yield* Effect.either(BatchRequests.make(api, schemas, job))
        if (Either.isLeft(prepared)) return yield* halt(prepared.left)
        const requests = prepared.right
        let refusals = 0
        let isLate = false

        const orStopped = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Option.Option<A>, E> =>
          Effect.raceFirst(Effect.asSome(effect), Effect.as(chunk.stopped, Option.none<A>()))

        /** Waits for a batch, and stores its results. A process that stops leaves it to the next one. */
        const follow = (batch: BatchHandover.Submitted): Effect.Effect<void> =>
          Effect.gen(function*() {
            const left = patience(job, batch) - (yield* Clock.currentTimeMillis)
            const inTime = yield* Effect.timeoutOption(orStopped(ended(job, batch)), Duration.millis(Math.max(0, left)))
            isLate ||= Option.isNone(inTime)
            const followed = Option.isNone(inTime) ? yield* stop(job, batch) : batch
            const state = Option.isNone(inTime) ? yield* orStopped(ended(job, followed)) : inTime.value
            if (Option.isNone(state)) return
            if (state.value.error !== undefined) {
              yield* persist(batches.close(batch))
              return followed.isCancelled ? undefined : yield* refused(batch, state.value.error)
            }
            yield* results.collect(job, requests, followed)
          }).pipe(Effect.catchAll((error) =>
            Kept.halts(error, haltOn) ? halt(error) : Effect.zipRight(
              results.failAll(job, requests, batch, error),
              persist(batches.close(batch))
            )
          ))

        const send = (group: BatchGroups.Group): Effect.Effect<void> =>
          Effect.gen(function*() {
            if (chunk.isStopped()) return
            const handed = yield* handover.send(chunk, requests, group)
            switch (handed._tag) {
              case "Submitted":
                return yield* follow(handed.batch)
              case "Refused":
                return yield* handed.isCorrected ? send(group) : refused(group, handed.error)
              case "TooDear":
                // Requests under way may turn out cheaper than expected.
                if (handed.outstanding === 0) return yield* chunk.halt(Budget.tooDear(handed.job, handed.expected))
                yield* orStopped(Effect.sleep(pollEvery))
                return yield* send(group)
              case "Nothing":
                return
            }
          })

        /** A batch was refused as a whole: none of its requests was answered. */
        const refused = (group: BatchGroups.Group, error: LlmError): Effect.Effect<void> =>
          Effect.suspend(() => {
            if (Kept.halts(error, haltOn)) return halt(error)
            if (Kept.mayPass(error) && !wasTaken(error)) {
              return Effect.zipRight(orStopped(Effect.sleep(error.retryAfter ?? pollEvery)), send(group))
            }
            if (group.places.length === 1 || refusals >= mostRefusals || wasTaken(error)) {
              return results.failAll(job, requests, { first: chunk.first, places: group.places }, error)
            }
            refusals++
            return sendAll(BatchGroups.halves(group))
          })

        const sendAll = (groups: ReadonlyArray<BatchGroups.Group>) =>
          Effect.forEach(groups, send, { concurrency: "unbounded", discard: true })

        /** The remaining requests, in batches. One that cannot be sent in any batch has failed. */
        const grouped = (covered: ReadonlySet<number>) =>
          Effect.gen(function*() {
            const groups = BatchGroups.make(api.limits)
            const add = (item: Item) =>
              Effect.gen(function*() {
                const prepared = yield* requests.prepare(item)
                const entry = yield* BatchRequests.entryOf(api, item, prepared)
                const bytes = yield* BatchRequests.preferring(prepared.prefersTool)(api.size(entry))
                groups.add({ index: item.index, model: prepared.request.model, bytes })
              }).pipe(
                Effect.catchAll((error) =>
                  Kept.halts(error, haltOn) ? halt(error) : results.fail(job, requests, item, error)
                )
              )
            yield* Stream.runForEach(
              Stream.filter(chunk.todo, ({ index }) => !covered.has(index) && !chunk.isStopped()),
              add
            )
            return groups.groups()
          })

        const known = yield* Effect.either(
          Effect.map(
            Effect.forEach(earlier, (batch) => handover.find(job, batch)),
            (found) => found.flatMap(Option.toArray)
          )
        )
        if (Either.isLeft(known)) return yield* halt(known.left)
        const covered = new Set(known.right.flatMap(({ places }) => places))
        const groups = isBatch ? yield* grouped(covered) : []
        yield* Effect.zip(
          Effect.forEach(known.right, follow, { concurrency: "unbounded", discard: true }),
          sendAll(groups),
          { concurrent: true }
        )
        // A stopped batch has left some: the job was cancelled, and continues.
        if (isBatch && !isLate) yield* sendAll(yield* grouped(new Set()))
      })

    const cancel: Batching["cancel"] = (job) =>
      Effect.gen(function*() {
        const open = yield* persist(batches.ofJob(job.progress.id))
        const known = (yield* Effect.forEach(open, (batch) => handover.find(job, batch))).flatMap(Option.toArray)
        const stopped = yield* Effect.forEach(known, (batch) => stop(job, batch))
        const requests = yield* BatchRequests.make(api, schemas, job)
        yield* Effect.forEach(
          stopped,
          (batch) =>
            Effect.flatMap(
              ended(job, batch),
              ({ error }) => error === undefined ? results.collect(job, requests, batch) : persist(batches.close(batch))
            ),
          {
            concurrency: "unbounded",
            discard: true
          }
        )
      }).pipe(
        Effect.catchAll(({ message }) =>
          Effect.logWarning(`The batches of job ${job.progress.id}, which was cancelled, could not be read: ${message}`)
        )
      )

    return { answer, cancel }
  })

/** A provider without batches halts a job that needs them. The batches at another provider can no longer be read. */
const withoutBatches = (batches: BatchStore): Batching => {
  const lose = (batch: OpenBatch) =>
    Effect.zipRight(
      Effect.logWarning(`Batch ${batch.id ?? batch.name} of job ${batch.job} is lost: the provider has no batches`),
      persist(Effect.zipRight(batches.lose(batch.job, batch.places.length), batches.close(batch)))
    )
  return {
    answer: (chunk) =>
      Effect.gen(function*() {
        if (wayOf(chunk.job.settings) === "batch") {
          const error = BatchRequests.unsupported("the provider has no batch API")
          return yield* chunk.halt({ message: error.message, error })
        }
        yield* Effect.forEach(yield* persist(batches.ofChunk(chunk.job.progress.id, chunk.first)), lose)
      }),
    cancel: () => Effect.void
  }
}
