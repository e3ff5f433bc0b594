import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import type * as Money from "../internal/money.js"
import type * as LlmClient from "../LlmClient.js"
import type * as LlmProvider from "../LlmProvider.js"
import type { OpenChunk } from "./answering.js"
import type { Group } from "./batchGroups.js"
import * as BatchRequests from "./batchRequests.js"
import type { BatchResults } from "./batchResults.js"
import * as BatchService from "./batchService.js"
import type { BatchStore, OpenBatch } from "./batchStore.js"
import * as Budget from "./budget.js"
import * as Estimate from "./estimate.js"
import type { JobState } from "./job.js"
import { persist } from "./persist.js"
import type { Store } from "./store.js"

/** A batch that the service works on. */
export type Submitted = OpenBatch & { readonly id: string }

/** The outcome of handing a batch over. */
export type Handed =
  | { readonly _tag: "Submitted"; readonly batch: Submitted }
  | {
    readonly _tag: "Refused"
    readonly error: LlmError
    /** Whether it was refused for a setting that it goes without the next time. */
    readonly isCorrected: boolean
  }
  | {
    /** The job cannot afford it, with the other batches under way. */
    readonly _tag: "TooDear"
    readonly job: JobState
    readonly expected: Money.Picodollars
    readonly outstanding: number
  }
  /** The job was stopped, or no request is left. */
  | { readonly _tag: "Nothing" }

const nothing: Handed = { _tag: "Nothing" }

/** After this time, a batch that was handed over is in the service's list, or never will be. */
const listedWithin = Duration.seconds(10)

/** A name that no other batch of this job, database or program has. */
const freshName = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, 36 ** 6), 4),
  (parts) => `effect-llm-${parts.map((part) => part.toString(36).padStart(6, "0")).join("")}`
)

/**
 * Makes a function that hands batches over. The name of a batch is stored before it is sent, and its id as soon as the
 * service has given one. After a kill in between, the next process finds the batch by its name, if the service keeps
 * names; otherwise its requests count as interrupted, and are sent again.
 */
export const make = (
  { api, batches, price, results, service, store }: {
    readonly api: LlmClient.Batches
    readonly batches: BatchStore
    readonly price: LlmProvider.Service["price"]
    readonly results: BatchResults
    readonly service: (job: JobState) => BatchService.BatchService
    readonly store: Store
  }
) =>
  Effect.gen(function*() {
    // The requests of a batch are in memory until they are sent: those of one batch at a time.
    const handing = yield* Effect.makeSemaphore(1)

    /** Whether the service has a batch whose id is not known: if so, its id is stored. */
    const lookFor = (job: JobState, batch: OpenBatch): Effect.Effect<Option.Option<Submitted>, LlmError> =>
      Effect.gen(function*() {
        const { find } = service(job)
        if (find === undefined) {
          yield* persist(batches.lose(batch.job, batch.places.length))
          return Option.none()
        }
        yield* Effect.sleep(listedWithin)
        const id = yield* find(batch.name)
        return id === undefined ? Option.none() : Option.some(yield* persist(batches.submitted(batch, id)))
      })

    const submit = (
      job: JobState,
      batch: OpenBatch,
      requests: ReadonlyArray<LlmProvider.BatchRequest>
    ): Effect.Effect<Submitted, LlmError> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          restore(service(job).submit({ name: batch.name, requests })),
          (id) => persist(batches.submitted(batch, id))
        )
      ).pipe(
        Effect.catchIf(BatchService.mayHaveTaken, (error) =>
          Effect.flatMap(
            lookFor(job, batch),
            Option.match({
              onNone: () => Effect.fail(error),
              onSome: Effect.succeed
            })
          ))
      )

    /** Tries until the service takes a batch or refuses it for good, or the job is stopped. */
    const submitted = (
      { isStopped, job }: OpenChunk,
      batch: OpenBatch,
      requests: ReadonlyArray<LlmProvider.BatchRequest>
    ): Effect.Effect<Option.Option<Submitted>, LlmError> =>
      service(job).untilPassed(
        Effect.suspend(() => isStopped() ? Effect.succeedNone : Effect.asSome(submit(job, batch, requests)))
      )

    /** Prepares the requests of a batch, and adds up their expected costs. */
    const read = (job: JobState, requests: BatchRequests.BatchRequests, group: Pick<OpenBatch, "first" | "places">) =>
      Effect.gen(function*() {
        const outputTokens = Estimate.outputOf(job)
        const sent: Array<LlmProvider.BatchRequest> = []
        let prefersTool = false
        let expected: Money.Picodollars | undefined = 0n
        yield* Stream.runForEach(results.left(job, group), (item) =>
          Effect.gen(function*() {
            const prepared = yield* requests.prepare(item)
            const { request } = prepared
            sent.push(yield* BatchRequests.entryOf(api, item, prepared))
            prefersTool ||= prepared.prefersTool
            const cost = yield* Estimate.costOf(price, request, { outputTokens, serviceTier: "batch" })
            expected = expected === undefined || cost === undefined ? undefined : expected + cost
          }).pipe(Effect.catchAll((error) => results.fail(job, requests, item, error))))
        return { sent, prefersTool, expected: expected as Money.Picodollars | undefined }
      })

    const send = (
      chunk: OpenChunk,
      requests: BatchRequests.BatchRequests,
      { model, places }: Group
    ): Effect.Effect<Handed> =>
      handing.withPermits(1)(Effect.gen(function*() {
        const { first, job: { generation, progress: { id } } } = chunk
        const found = yield* persist(store.find(id))
        if (chunk.isStopped() || Option.isNone(found)) return nothing
        const job = found.value
        const { expected, prefersTool, sent } = yield* read(job, requests, { first, places })
        if (sent.length === 0) return nothing
        const outstanding = yield* persist(batches.outstanding(id))
        if (!Budget.canAfford(job, { expected, outstanding: outstanding.expected })) {
          return { _tag: "TooDear", job, expected: expected ?? 0n, outstanding: outstanding.count } as const
        }
        const name = yield* freshName
        const batch = yield* persist(batches.open({ job: id, first, generation, name, model, places, expected }))
        if (batch === undefined) return nothing
        const handed = yield* Effect.either(BatchRequests.preferring(prefersTool)(submitted(chunk, batch, sent)))
        if (Either.isRight(handed) && Option.isSome(handed.right)) {
          return { _tag: "Submitted", batch: handed.right.value } as const
        }
        yield* persist(batches.close(batch))
        if (Either.isRight(handed)) return nothing
        const error = handed.left
        const next = error.reason._tag === "InvalidRequest" ? yield* read(job, requests, { first, places }) : { sent }
        return { _tag: "Refused", error, isCorrected: next.sent.some(({ id }, i) => id !== sent[i]?.id) } as const
      }))

    /** Finds the batch of an earlier process: none if it was not handed over, which is then recorded. */
    const find = (job: JobState, batch: OpenBatch): Effect.Effect<Option.Option<Submitted>, LlmError> =>
      batch.id !== undefined
        ? Effect.succeedSome({ ...batch, id: batch.id })
        : Effect.tap(lookFor(job, batch), (found) => Option.isNone(found) ? persist(batches.close(batch)) : Effect.void)

    return { send, find }
  })
