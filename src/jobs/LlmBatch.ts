/**
 * Durable jobs: a million requests that survive a crash.
 *
 * A job has an id and requests. Each result is kept in a database as it arrives, and never asked for again: an
 * interrupted job continues where it stopped when it is run again, in the same process or another. Requests go through
 * the `LlmClient`, with all its policies. A reason for which all requests would fail, such as a wrong key or a spent
 * budget, halts the job instead of failing each of them. With `via: "provider"` the requests go through the batch API
 * of the provider instead, for half the price and within a day; with a `deadline` a plan chooses between the two.
 *
 * Jobs are built on `@effect/workflow` and `@effect/cluster`: `layerSqlite` is for one process with a file,
 * `layerCluster` for many processes over Postgres, and `layerMemory` for specs.
 *
 * @since 0.1.0
 */
import type { SocketServerError } from "@effect/platform/SocketServer"
import type { SqlClient } from "@effect/sql/SqlClient"
import * as WorkflowEngine from "@effect/workflow/WorkflowEngine"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Embedding from "../domain/Embedding.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Check from "../internal/check.js"
import { LlmClient, type ObjectResponse } from "../LlmClient.js"
import type { Answering } from "./answering.js"
import * as BatchStore from "./batchStore.js"
import * as Budget from "./budget.js"
import * as Chunks from "./chunk.js"
import * as Engines from "./engines.js"
import type { DatabaseFailed, DatabaseInUse, JobNotFound, JobRunning } from "./errors.js"
import type * as JobState from "./job.js"
import * as Journal from "./journal.js"
import * as JobOptions from "./options.js"
import { toFailure } from "./persist.js"
import * as Planning from "./planning.js"
import type * as Results from "./results.js"
import * as Schemas from "./schemas.js"
import * as Jobs from "./service.js"
import * as Sqlite from "./sqlite.js"
import * as Store from "./store.js"
import * as ThroughClient from "./throughClient.js"
import * as ThroughProvider from "./throughProvider.js"
import * as Workflows from "./workflows.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

export type { ClusterOptions } from "./engines.js"
export {
  DatabaseFailed,
  DatabaseInUse,
  JobChanged,
  JobNotFound,
  JobRunning,
  RequestInvalid,
  ResultUnreadable
} from "./errors.js"
export type { Halt, Progress, Status } from "./job.js"
export type { Operation } from "./operation.js"
export type { CallJob, EmbeddingsJob, Job, JobOptions, Options, Requests, Via } from "./options.js"
export { plan } from "./plan.js"
export type { Candidate, Plan, PlanOptions, Way } from "./plan.js"
export type { Result, ResultsOptions } from "./results.js"

/**
 * The failures of submitting a job: requests that differ from those of the job with this id, an invalid request, or the
 * database.
 *
 * @since 0.1.0
 * @category errors
 */
export type SubmitError = Jobs.SubmitError

/**
 * The failures of reading results.
 *
 * @since 0.1.0
 * @category errors
 */
export type ReadError = Jobs.ReadError

/**
 * The interface of durable jobs. The functions of this module describe its methods.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service extends Jobs.Service {}

/**
 * Durable jobs.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmBatch extends Context.Tag("effect-llm/LlmBatch")<LlmBatch, Service>() {}

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Makes the service, and answers the requests of jobs in this process. It fails if its tables cannot be made; a mistake in
 * the options is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: JobOptions.Options = {}
): Effect.Effect<Service, DatabaseFailed, LlmClient | WorkflowEngine.WorkflowEngine | SqlClient | Scope.Scope> =>
  Effect.gen(function*() {
    const { concurrency, flushEvery, stopWithin } = yield* Effect.sync(() => JobOptions.limitsOf(options))
    const client = yield* LlmClient
    const store = yield* Store.make(options.prefix)
    const schemas = Schemas.make(options.schemas)
    const journal = yield* Journal.make(store, flushEvery)
    const batches = yield* BatchStore.make(options.prefix)
    const throughClient = Budget.heldTo(store, yield* ThroughClient.make(client, { concurrency, schemas }))
    const throughProvider = yield* ThroughProvider.make({ batches, client, journal, schemas, store })
    const answering: Answering = (chunk) =>
      chunk.job.settings.via === "provider"
        ? throughProvider.answer(chunk)
        // Calls ask the requests that batches have left: a plan has changed, or their time was over.
        : Effect.zipRight(throughProvider.answer(chunk), throughClient(chunk))
    const answerChunk = Chunks.make({ answering, journal, stopWithin, store })
    const plan = Planning.make({ client, concurrency, store })
    yield* Layer.build(Workflows.layer({ answerChunk, cancelBatches: throughProvider.cancel, plan, store }))
    return yield* Jobs.make(store, schemas)
  }).pipe(Effect.mapError(toFailure))

/**
 * Jobs over your own engine and database (Postgres or SQLite). `layerSqlite` and `layerCluster` bring theirs.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: JobOptions.Options
): Layer.Layer<LlmBatch, DatabaseFailed, LlmClient | WorkflowEngine.WorkflowEngine | SqlClient> =>
  Layer.scoped(LlmBatch, make(options))

/**
 * Jobs in memory, for specs: they are gone with the process. Needs `@effect/sql-sqlite-node`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { LlmCache, LlmClient } from "effect-llm"
 * import * as LlmBatch from "effect-llm/LlmBatch"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const Jobs = LlmBatch.layerMemory().pipe(
 *   Layer.provide(LlmClient.layer()),
 *   Layer.provide(Layer.mergeAll(LlmTest.layer(["Elbe", "Oder"]), LlmTest.layerLogger, LlmCache.layerNone))
 * )
 *
 * const spec = Effect.provide(
 *   LlmBatch.run({
 *     id: "rivers",
 *     requests: [{ model: "m", prompt: "Name a river." }, { model: "m", prompt: "Name another." }]
 *   }),
 *   Jobs
 * )
 * ```
 */
export const layerMemory = (options?: JobOptions.Options): Layer.Layer<LlmBatch, never, LlmClient> =>
  layer(options).pipe(
    Layer.provide([WorkflowEngine.layerMemory, Sqlite.layer(":memory:")]),
    Layer.orDie
  )

/**
 * The options of jobs in a file.
 *
 * @since 0.1.0
 * @category models
 */
export interface SqliteOptions extends JobOptions.Options {
  /**
   * The path of the file, which is created if it does not exist. The lock is a file beside it, with `.lock` appended.
   */
  readonly filename: string
}

/**
 * Jobs in a file, run by this process alone: a second one fails with `DatabaseInUse`. Interrupted jobs continue as soon
 * as the layer is built. Needs `@effect/sql-sqlite-node`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Config, Layer } from "effect"
 * import { LlmClient, OpenAi } from "effect-llm"
 * import * as LlmBatch from "effect-llm/LlmBatch"
 *
 * const Jobs = LlmBatch.layerSqlite({ filename: "jobs.db", concurrency: 64 }).pipe(
 *   Layer.provide(LlmClient.layerDefault()),
 *   Layer.provide(OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const layerSqlite = (
  { filename, ...options }: SqliteOptions
): Layer.Layer<LlmBatch, DatabaseFailed | DatabaseInUse, LlmClient> =>
  Layer.provide(layer(options), Layer.suspend(() => Engines.single(filename)))

/**
 * The options of jobs that many processes run.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClusterJobsOptions extends JobOptions.Options, Engines.ClusterOptions {}

/**
 * Jobs in Postgres, run by this process and all others that have this layer: the others take over the work of a killed
 * process within 10 seconds. The processes talk over sockets without authentication: keep them in a private network.
 * Needs `@effect/platform-node`, and a `SqlClient` of `@effect/sql-pg` with at least 3 connections.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import { LlmClient, OpenAi } from "effect-llm"
 * import * as LlmBatch from "effect-llm/LlmBatch"
 *
 * const Runner = LlmBatch.layerCluster({ host: "10.0.0.7", concurrency: 64 }).pipe(
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })),
 *   Layer.provide(LlmClient.layerDefault()),
 *   Layer.provide(OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 *
 * const program = Layer.launch(Runner)
 * ```
 */
export const layerCluster = (
  { host, listenHost, port, sharding, ...options }: ClusterJobsOptions
): Layer.Layer<LlmBatch, DatabaseFailed | SocketServerError | ConfigError, LlmClient | SqlClient> =>
  Layer.provide(
    layer(options),
    Layer.suspend(() => Engines.runner({ host, listenHost, port, sharding }))
  )

/**
 * Submits jobs to the processes with `layerCluster`, and reads their results, but answers none itself. Needs
 * `@effect/platform-node`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClusterClient = (
  options: Pick<JobOptions.Options, "prefix"> & Pick<Engines.ClusterOptions, "sharding"> = {}
): Layer.Layer<LlmBatch, DatabaseFailed | ConfigError, SqlClient> =>
  Layer.effect(
    LlmBatch,
    Effect.flatMap(
      Effect.mapError(Store.make(Check.known(options, { prefix: true, sharding: true }).prefix), toFailure),
      (store) => Jobs.make(store, Schemas.make())
    )
  ).pipe(Layer.provide(Layer.suspend(() => Engines.client(options.sharding))))

// ---------------------------------------------------------------------------------------------------------------------
// Use
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Submits a job, and waits for its end. Failed requests do not fail it: the summary has their number, and says whether
 * the job was halted or cancelled.
 *
 * A job that exists must have the same requests, or this fails with `JobChanged`. A job that has ended asks nothing. An
 * interrupted or halted job continues, a halted one with the `via`, `deadline` and `budget` of this run. Interrupting
 * `run` does not end the job: it goes on as long as its layer, or when it is run again. `cancel` ends it.
 *
 * @since 0.1.0
 * @category use
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as LlmBatch from "effect-llm/LlmBatch"
 *
 * const program = Effect.gen(function*() {
 *   const { cost, failed, succeeded } = yield* LlmBatch.run({
 *     id: "rivers-1",
 *     requests: ["Elbe", "Oder"].map((river) => ({ model: "gpt-4o-mini", prompt: `How long is the ${river}?` }))
 *   })
 *   yield* Effect.log(`${succeeded} answers for $${cost}, ${failed} failures`)
 * })
 * ```
 */
export const run = <E = never, R = never>(
  job: JobOptions.Job<E, R>
): Effect.Effect<JobState.Progress, E | SubmitError, LlmBatch | R> => Effect.flatMap(LlmBatch, (jobs) => jobs.run(job))

/**
 * Stores a job and starts it, without waiting for its end. The failures are those of `run`.
 *
 * @since 0.1.0
 * @category use
 */
export const submit = <E = never, R = never>(
  job: JobOptions.Job<E, R>
): Effect.Effect<JobState.Progress, E | SubmitError, LlmBatch | R> =>
  Effect.flatMap(LlmBatch, (jobs) => jobs.submit(job))

/**
 * The progress of a job: one read of one row.
 *
 * @since 0.1.0
 * @category use
 */
export const progress = (id: string): Effect.Effect<JobState.Progress, JobNotFound | DatabaseFailed, LlmBatch> =>
  Effect.flatMap(LlmBatch, (jobs) => jobs.progress(id))

/**
 * The progress of all jobs, the latest first.
 *
 * @since 0.1.0
 * @category use
 */
export const list: Effect.Effect<ReadonlyArray<JobState.Progress>, DatabaseFailed, LlmBatch> = Effect.flatMap(
  LlmBatch,
  (jobs) => jobs.list
)

/**
 * The recorded results of a job of calls, in the order of the requests. For a job under way these are the results so
 * far: requests without a result are left out.
 *
 * @since 0.1.0
 * @category use
 * @example
 * ```ts
 * import { Effect, Exit, Stream } from "effect"
 * import * as LlmBatch from "effect-llm/LlmBatch"
 *
 * const texts = LlmBatch.results("rivers-1", { from: 1_000 }).pipe(
 *   Stream.map(({ index, result }) => `${index}: ${Exit.isSuccess(result) ? result.value.text : "failed"}`)
 * )
 * ```
 */
export const results = (
  id: string,
  options?: Results.ResultsOptions
): Stream.Stream<Results.Result<LlmResponse>, ReadError, LlmBatch> =>
  Stream.unwrap(Effect.map(LlmBatch, (jobs) => jobs.results(id, options)))

/**
 * The recorded results of a job with a schema, in the order of the requests.
 *
 * @since 0.1.0
 * @category use
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import * as LlmBatch from "effect-llm/LlmBatch"
 *
 * class River extends Schema.Class<River>("River")({ name: Schema.String, kilometers: Schema.Number }) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* LlmBatch.run({
 *     id: "rivers-2",
 *     requests: ["Elbe", "Oder"].map((river) => ({ model: "gpt-4o-mini", prompt: `How long is the ${river}?` })),
 *     schema: River
 *   })
 *   return LlmBatch.values("rivers-2", River)
 * })
 * ```
 */
export const values = <A, I>(
  id: string,
  schema: Schema.Schema<A, I>,
  options?: Results.ResultsOptions
): Stream.Stream<Results.Result<ObjectResponse<A>>, ReadError, LlmBatch> =>
  Stream.unwrap(Effect.map(LlmBatch, (jobs) => jobs.values(id, schema, options)))

/**
 * The recorded results of a job of embeddings, in the order of the requests.
 *
 * @since 0.1.0
 * @category use
 */
export const embeddings = (
  id: string,
  options?: Results.ResultsOptions
): Stream.Stream<Results.Result<Embedding.Response>, ReadError, LlmBatch> =>
  Stream.unwrap(Effect.map(LlmBatch, (jobs) => jobs.embeddings(id, options)))

/**
 * Ends a job: within a second no process sends a further request. The results of those under way are still recorded.
 * The provider's batches are stopped; answers that they had by then are billed, and recorded. A job that has ended
 * stays as it is.
 *
 * @since 0.1.0
 * @category use
 */
export const cancel = (id: string): Effect.Effect<JobState.Progress, JobNotFound | DatabaseFailed, LlmBatch> =>
  Effect.flatMap(LlmBatch, (jobs) => jobs.cancel(id))

/**
 * Continues a job that was halted, cancelled, or left by its processes, without waiting for its end. A job that is done
 * stays as it is.
 *
 * @since 0.1.0
 * @category use
 */
export const resume = (id: string): Effect.Effect<JobState.Progress, JobNotFound | DatabaseFailed, LlmBatch> =>
  Effect.flatMap(LlmBatch, (jobs) => jobs.resume(id))

/**
 * Asks the failed requests of an ended job again, without waiting for its end.
 *
 * @since 0.1.0
 * @category use
 */
export const retryFailed = (
  id: string
): Effect.Effect<JobState.Progress, JobNotFound | JobRunning | DatabaseFailed, LlmBatch> =>
  Effect.flatMap(LlmBatch, (jobs) => jobs.retryFailed(id))

/**
 * Deletes a job that has ended, with its requests and results.
 *
 * @since 0.1.0
 * @category use
 */
export const remove = (id: string): Effect.Effect<void, JobNotFound | JobRunning | DatabaseFailed, LlmBatch> =>
  Effect.flatMap(LlmBatch, (jobs) => jobs.remove(id))
