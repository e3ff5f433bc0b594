import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Embedding from "../domain/Embedding.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type { ObjectResponse } from "../LlmClient.js"
import { isUnderWay } from "./chunk.js"
import { type DatabaseFailed, type JobChanged, JobNotFound, JobRunning, type RequestInvalid } from "./errors.js"
import type { ResultUnreadable } from "./errors.js"
import { hasEnded, type JobState, type Progress } from "./job.js"
import * as Operation from "./operation.js"
import { type Job, renewed, type Settings } from "./options.js"
import { engineStep, toFailure } from "./persist.js"
import * as Results from "./results.js"
import type { Schemas } from "./schemas.js"
import type { Store } from "./store.js"
import * as Submit from "./submit.js"
import { JobWorkflow } from "./workflows.js"

/** The failure of a job that was not accepted: its requests are wrong, or the database failed. */
export type SubmitError = JobChanged | RequestInvalid | DatabaseFailed

/** The failures of reading results. */
export type ReadError = JobNotFound | ResultUnreadable | DatabaseFailed

/** The interface of durable jobs. The functions of `LlmBatch` describe its methods. */
export interface Service {
  /** Submits a job, and waits for its end. */
  readonly run: <E = never, R = never>(job: Job<E, R>) => Effect.Effect<Progress, E | SubmitError, R>
  /** Stores a job, and starts it. */
  readonly submit: <E = never, R = never>(job: Job<E, R>) => Effect.Effect<Progress, E | SubmitError, R>
  /** The progress of a job. */
  readonly progress: (id: string) => Effect.Effect<Progress, JobNotFound | DatabaseFailed>
  /** The progress of all jobs, the latest first. */
  readonly list: Effect.Effect<ReadonlyArray<Progress>, DatabaseFailed>
  /** The recorded results of a job of calls, in order. */
  readonly results: (
    id: string,
    options?: Results.ResultsOptions
  ) => Stream.Stream<Results.Result<LlmResponse>, ReadError>
  /** The recorded results of a job with a schema, in order. */
  readonly values: <A, I>(
    id: string,
    schema: Schema.Schema<A, I>,
    options?: Results.ResultsOptions
  ) => Stream.Stream<Results.Result<ObjectResponse<A>>, ReadError>
  /** The recorded results of a job of embeddings, in order. */
  readonly embeddings: (
    id: string,
    options?: Results.ResultsOptions
  ) => Stream.Stream<Results.Result<Embedding.Response>, ReadError>
  /** Ends a job. */
  readonly cancel: (id: string) => Effect.Effect<Progress, JobNotFound | DatabaseFailed>
  /** Continues a job that was halted, cancelled or left. */
  readonly resume: (id: string) => Effect.Effect<Progress, JobNotFound | DatabaseFailed>
  /** Asks what failed again. */
  readonly retryFailed: (id: string) => Effect.Effect<Progress, JobNotFound | JobRunning | DatabaseFailed>
  /** Deletes a job that has ended. */
  readonly remove: (id: string) => Effect.Effect<void, JobNotFound | JobRunning | DatabaseFailed>
}

/** The pause between two checks whether a job has ended, if the engine does not report it. */
const lookEvery = "30 seconds"

/** Makes the service. The workflows are the engine's: here, or in other processes. */
export const make = (store: Store, schemas: Schemas): Effect.Effect<Service, never, WorkflowEngine> =>
  Effect.map(WorkflowEngine, (engine) => {
    const keep = Submit.make(store, schemas)
    const workflow = (job: JobState) => ({ job: job.progress.id, generation: job.generation })

    const begin = (job: JobState) =>
      engineStep(Effect.provideService(JobWorkflow.execute(workflow(job), { discard: true }), WorkflowEngine, engine))

    const ended = (job: JobState) =>
      engineStep(Effect.provideService(JobWorkflow.execute(workflow(job)), WorkflowEngine, engine)).pipe(
        Effect.raceFirst(
          store.find(job.progress.id).pipe(
            Effect.repeat({
              schedule: Schedule.spaced(lookEvery),
              while: (found) => isUnderWay(found, job.generation)
            })
          )
        )
      )

    const find = (id: string) =>
      Effect.flatMap(
        store.find(id),
        Option.match({ onNone: () => new JobNotFound({ id }), onSome: Effect.succeed })
      )

    const revived = (job: JobState, settings?: Settings) =>
      Effect.zipRight(store.revive(job.progress.id, job.generation, settings), find(job.progress.id))

    /** A halted job continues: the caller has removed the reason, which may have been its budget. */
    const kept = <E, R>(job: Job<E, R>) =>
      Effect.gen(function*() {
        yield* keep(job)
        const state = yield* find(job.id)
        return state.progress.status === "halted" ? yield* revived(state, renewed(state.settings, job)) : state
      })

    const submit: Service["submit"] = (job) =>
      Effect.gen(function*() {
        const state = yield* kept(job)
        if (!hasEnded(state.progress)) yield* begin(state)
        return state.progress
      }).pipe(withoutMissing, Effect.mapError(toFailure))

    const run: Service["run"] = (job) =>
      Effect.gen(function*() {
        let state = yield* kept(job)
        while (!hasEnded(state.progress)) {
          yield* ended(state)
          const now = yield* find(job.id)
          // A workflow that is over but has left its job unfinished, as an older version of the program may have.
          state = isUnderWay(Option.some(now), state.generation) ? yield* revived(now) : now
        }
        return state.progress
      }).pipe(withoutMissing, Effect.mapError(toFailure))

    const restarted = (id: string) =>
      Effect.gen(function*() {
        const job = yield* find(id)
        yield* begin(job)
        return job.progress
      })

    const findEnded = (id: string) =>
      Effect.filterOrFail(find(id), ({ progress }) => hasEnded(progress), () => new JobRunning({ id }))

    const read = <A>(
      id: string,
      operation: Operation.Operation,
      codec: Operation.ResultCodec<A>,
      options?: Results.ResultsOptions
    ) => Stream.mapError(Results.read(store, id, { ...options, codec, operation }), toFailure)

    return {
      run,
      submit,
      progress: (id) => Effect.mapBoth(find(id), { onFailure: toFailure, onSuccess: ({ progress }) => progress }),
      list: Effect.mapBoth(store.list, {
        onFailure: toFailure,
        onSuccess: (jobs) => jobs.map(({ progress }) => progress)
      }),
      results: (id, options) => read(id, "call", Operation.answers, options),
      values: (id, schema, options) => read(id, "object", Operation.values(schema), options),
      embeddings: (id, options) => read(id, "embed", Operation.embeddings, options),
      cancel: (id) =>
        find(id).pipe(
          Effect.zipRight(store.end(id, "cancelled")),
          Effect.zipRight(find(id)),
          Effect.mapBoth({ onFailure: toFailure, onSuccess: ({ progress }) => progress })
        ),
      resume: (id) =>
        Effect.gen(function*() {
          const job = yield* find(id)
          const { status } = job.progress
          if (status === "done" || status === "submitting") return job.progress
          if (status !== "running") yield* store.revive(id, job.generation)
          return yield* restarted(id)
        }).pipe(Effect.mapError(toFailure)),
      retryFailed: (id) =>
        Effect.gen(function*() {
          const { generation, progress } = yield* findEnded(id)
          const count = yield* store.retryFailed(id, generation)
          return count === 0 ? progress : yield* restarted(id)
        }).pipe(Effect.mapError(toFailure)),
      remove: (id) => Effect.mapError(Effect.zipRight(findEnded(id), store.remove(id)), toFailure)
    }
  })

/** A job that was just stored exists. */
const withoutMissing = <A, E, R>(effect: Effect.Effect<A, E | JobNotFound, R>): Effect.Effect<A, E, R> =>
  Effect.catchAll(
    effect,
    (error) => error instanceof JobNotFound ? Effect.die(error) : Effect.fail(error)
  ) as Effect.Effect<A, E, R>
