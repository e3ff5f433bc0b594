import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { LlmError, type OutputInvalid, UnsupportedFeature } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type * as LlmClient from "../LlmClient.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Kept from "./answered.js"
import * as BatchIds from "./batchIds.js"
import type { JobState } from "./job.js"
import * as Operation from "./operation.js"
import type { Schemas } from "./schemas.js"
import type { Item } from "./store.js"

/** A request as it goes into a batch, and the result to store for its answer. */
export interface Prepared {
  readonly request: LlmRequest
  /** Whether the tool choice is the client's own, for a value, and not the program's. */
  readonly prefersTool: boolean
  readonly kept: (answer: Exit.Exit<LlmResponse, LlmError>) => Effect.Effect<Kept.Asked>
}

/** The request of an item as it goes into a batch now: without the settings that the service has refused lately. */
export const entryOf = (
  api: LlmClient.Batches,
  { index }: Pick<Item, "index">,
  { prefersTool, request }: Prepared
): Effect.Effect<LlmProvider.BatchRequest> =>
  Effect.map(
    api.refused === undefined ? Effect.succeed([]) : preferring(prefersTool)(api.refused(request)),
    (refused) => {
      const omitted = BatchIds.omittable(refused)
      return { id: BatchIds.write({ index, omitted }), request, omitted }
    }
  )

/** The way of a job's requests into batches. */
export interface BatchRequests {
  /**
   * Prepares a request, each time in the same way: the answer is read with the same preparation as the sent request.
   */
  readonly prepare: (item: Item) => Effect.Effect<Prepared, LlmError>
  /** The result to store for a request without an answer. */
  readonly failed: (error: LlmError) => Effect.Effect<Kept.Asked>
}

const failing = <A>(codec: Operation.ResultCodec<A>): BatchRequests["failed"] => (error) =>
  Kept.make(codec, Exit.fail(error), undefined)

const billOf = (answer: Exit.Exit<LlmResponse, LlmError>): LlmResponse | undefined =>
  Exit.isSuccess(answer) ? answer.value : undefined

/** The failure of a job that cannot go through batches. */
export const unsupported = (message: string): LlmError =>
  new LlmError({ operation: "batch", attempts: 0, reason: UnsupportedFeature.make({ feature: "batches", message }) })

/** Encodes requests as the client does when the tool choice is its own. */
export const preferring = (prefersTool: boolean) => <A, E, R>(encode: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  prefersTool
    ? Effect.flatMap(
      LlmProvider.CurrentAttempt,
      (attempt) => Effect.provideService(encode, LlmProvider.CurrentAttempt, { ...attempt, prefersTool })
    )
    : encode

/** The answer of an earlier pass that did not fit its schema: the next request has the reasons. */
const unfitIn = <A>(
  codec: Operation.ResultCodec<A>,
  { earlier }: Item
): Effect.Effect<typeof OutputInvalid.Type | undefined> =>
  earlier === undefined ? Effect.succeed(undefined) : codec.read(earlier).pipe(
    Effect.map((result) => {
      const reason = Exit.isFailure(result)
        ? Option.getOrUndefined(Cause.failureOption(result.cause))?.reason
        : undefined
      return reason?._tag === "OutputInvalid" ? reason : undefined
    }),
    Effect.orElseSucceed(() => undefined)
  )

const calls = (batches: LlmClient.Batches): BatchRequests => ({
  failed: failing(Operation.answers),
  prepare: ({ request }) =>
    Effect.map(
      Effect.suspend(() => batches.request(Operation.readCall(request))),
      (request): Prepared => ({
        request,
        prefersTool: false,
        kept: (answer) => Kept.make(Operation.answers, answer, billOf(answer))
      })
    )
})

/** An answer that does not fit may fit in the next pass, whose request has the reasons. */
const mayFit = (asked: Kept.Asked): Kept.Asked =>
  asked.error?.reason._tag === "OutputInvalid" ? { ...asked, isRetryable: true } : asked

const objects = (batches: LlmClient.Batches, schema: Schema.Schema.AnyNoContext): BatchRequests => {
  const codec = Operation.values(schema)
  return {
    failed: failing(codec),
    prepare: (item) =>
      Effect.gen(function*() {
        const unfit = yield* unfitIn(codec, item)
        const { prefersTool, read, request } = yield* batches.object(schema, Operation.readCall(item.request), unfit)
        return {
          request,
          prefersTool,
          kept: (answer) =>
            Effect.exit(read(answer)).pipe(
              Effect.flatMap((value) => Kept.make(codec, value, billOf(answer))),
              Effect.map(mayFit)
            )
        }
      })
  }
}

/** Makes the way of a job's requests into batches. It waits for the schema of a job that has one. */
export const make = (
  batches: LlmClient.Batches,
  schemas: Schemas,
  { progress, schemaName }: JobState
): Effect.Effect<BatchRequests, LlmError> => {
  switch (progress.operation) {
    case "call":
      return Effect.succeed(calls(batches))
    case "object":
      return Effect.map(schemas.find(schemaName ?? progress.id), (schema) => objects(batches, schema))
    case "embed":
      return Effect.fail(unsupported("embeddings are asked for by calls"))
  }
}
