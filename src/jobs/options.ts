import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as Embedding from "../domain/Embedding.js"
import * as LlmError from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as Check from "../internal/check.js"
import { Plan, type Way } from "./plan.js"

/**
 * Many requests, in order: all at once, or as a stream, so that a file of a million lines is never in memory as a
 * whole.
 *
 * @since 0.1.0
 * @category models
 */
export type Requests<A, E = never, R = never> = Iterable<A> | Stream.Stream<A, E, R>

const Via = Schema.Literal("client", "provider", "auto")

/**
 * The way of a job's requests: one by one through the client, with all its policies (`client`); all at once through the
 * batch API of its provider, usually for half the price and within a day (`provider`); or the choice of a plan, by
 * deadline and budget (`auto`).
 *
 * @since 0.1.0
 * @category models
 */
export type Via = typeof Via.Type

/**
 * The options of every job. They are stored with the job: a later `run` with the same id does not change them. (Only a
 * halted job continues with the `via`, `deadline` and `budget` of the later `run`.)
 *
 * @since 0.1.0
 * @category models
 */
export interface JobOptions {
  /**
   * The name of the job: 1 to 200 characters. A job that exists continues, and one that has ended gives its results.
   */
  readonly id: string
  /**
   * The way of the requests. A job `via: "provider"` halts with `UnsupportedFeature` if the provider has no batch API,
   * or if its requests are for embeddings. Default: "auto" with a `deadline`, else "client".
   */
  readonly via?: Via | undefined
  /**
   * The time from the submission within which the results are needed: "2 days". The plan chooses the cheapest way that
   * is in time, and takes unanswered requests back from a batch when time gets short. Default: no deadline.
   */
  readonly deadline?: Duration.DurationInput | undefined
  /**
   * The most that the job may cost, in US dollars: it halts with `BudgetExceeded` once its answers have cost this much
   * (requests under way by then are paid beyond it), and before a batch whose expected cost exceeds the rest. Answers
   * without a known price do not count. Default: any amount.
   */
  readonly budget?: number | undefined
  /**
   * The average tokens of an answer, for the expected cost of a plan or a batch. Default: the average of the answers so
   * far; before the first, the `maxTokens` of the requests, or 500.
   */
  readonly outputTokens?: number | undefined
  /**
   * The longest wait between two checks of a batch at the provider: the first wait is 5 seconds, and it grows up to
   * this. Default: 2 minutes.
   */
  readonly pollEvery?: Duration.DurationInput | undefined
  /**
   * The number of requests in one step of the workflow, 1 to 10,000. Default: 200, or 10,000 if batches are possible.
   */
  readonly chunk?: number | undefined
  /**
   * The number of chunks under way at a time, in all processes together. Default: 16, or 100 if batches are possible.
   */
  readonly parallelChunks?: number | undefined
  /**
   * The most times that a request is asked, besides the retries of the client: one that failed for a reason that may
   * pass (`isRetryable`, an open circuit, a time limit) is asked again once all others have been asked. Default: 2.
   */
  readonly passes?: number | undefined
  /** The wait before another pass. Default: 10 seconds. */
  readonly passDelay?: Duration.DurationInput | undefined
  /**
   * The reasons that halt the job, as all its requests would fail for them. The request that met one does not count as
   * failed: it is asked again when the job continues. Default: `AuthenticationFailed`, `PermissionDenied`,
   * `QuotaExhausted`, `BudgetExceeded` and `ModelNotFound`.
   */
  readonly haltOn?: ReadonlyArray<LlmError.ReasonTag> | undefined
}

/**
 * A job of calls.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallJob<E = never, R = never> extends JobOptions {
  /** The requests, in order. */
  readonly requests: Requests<LlmRequest.Input, E, R>
  /**
   * Asks for values of this schema, as `LlmClient.object` does: `values` gives them. The values are stored in encoded
   * form, which has to be JSON. Default: none, the answers are `LlmResponse`s.
   */
  readonly schema?: Schema.Schema.AnyNoContext | undefined
  /** The name under which other processes know the schema. Default: the id of the job. */
  readonly schemaName?: string | undefined
  readonly embeddings?: undefined
}

/**
 * A job of embeddings: each request is one call of `LlmClient.embed`, with as many texts as it has.
 *
 * @since 0.1.0
 * @category models
 */
export interface EmbeddingsJob<E = never, R = never> extends JobOptions {
  /** The requests, in order. */
  readonly embeddings: Requests<Embedding.Input, E, R>
  readonly requests?: undefined
  readonly schema?: undefined
  readonly schemaName?: undefined
}

/**
 * What to ask, and how.
 *
 * @since 0.1.0
 * @category models
 */
export type Job<E = never, R = never> = CallJob<E, R> | EmbeddingsJob<E, R>

/** The options of a job as they are stored. */
export const Settings = Schema.Struct({
  chunk: Schema.Int,
  parallelChunks: Schema.Int,
  passes: Schema.Int,
  passDelay: Schema.DurationFromMillis,
  haltOn: Schema.Array(Schema.String),
  via: Schema.optionalWith(Via, { default: () => "client" as const }),
  deadline: Schema.optional(Schema.DurationFromMillis),
  budget: Schema.optional(Schema.Number),
  outputTokens: Schema.optional(Schema.Number),
  pollEvery: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(2) }),
  /** The plan of a job `via: "auto"`, and the pass that it was made for. */
  plan: Schema.optional(Schema.Struct({ pass: Schema.Int, ...Plan.fields }))
})

/** The options of a job as they are stored. */
export interface Settings extends Schema.Schema.Type<typeof Settings> {}

/** The current way of a job's requests. */
export const wayOf = ({ plan, via }: Settings): Way =>
  via === "provider" ? "batch" : via === "auto" ? plan?.way ?? "calls" : "calls"

const names: Check.Names<CallJob & { readonly embeddings?: unknown }> = {
  id: true,
  via: true,
  deadline: true,
  budget: true,
  outputTokens: true,
  pollEvery: true,
  chunk: true,
  parallelChunks: true,
  passes: true,
  passDelay: true,
  haltOn: true,
  requests: true,
  schema: true,
  schemaName: true,
  embeddings: true
}

const haltingReasons: ReadonlyArray<LlmError.ReasonTag> = [
  "AuthenticationFailed",
  "PermissionDenied",
  "QuotaExhausted",
  "BudgetExceeded",
  "ModelNotFound"
]

const isVia = Schema.is(Via)

const isReason = Schema.is(Schema.typeSchema(Schema.pluck(LlmError.Reason, "_tag")))

const atMost = (option: string, value: number, most: number): number =>
  Check.integer(option, value, 1) <= most ? value : Check.invalidOption(option, `at most ${most}`, value)

const checkId = (id: string): string =>
  typeof id === "string" && id.length > 0 && id.length <= 200
    ? id
    : Check.invalidOption("id", "1 to 200 characters", id)

/** Checks the options of a job. Throws `InvalidOption`. */
export const settingsOf = (job: Job<unknown, unknown>): Settings => {
  Check.known<object>(job, names)
  checkId(job.id)
  const { haltOn = haltingReasons, via = job.deadline === undefined ? "client" : "auto" } = job
  const unknown = haltOn.find((reason) => !isReason(reason))
  if (unknown !== undefined) Check.invalidOption("haltOn", "names of reasons", unknown)
  if (!isVia(via)) Check.invalidOption("via", "client, provider or auto", via)
  if (job.deadline !== undefined && via !== "auto") {
    Check.invalidOption("deadline", "left out unless via is auto, which chooses by it", job.deadline)
  }
  return {
    via,
    ...(job.deadline !== undefined && { deadline: Check.positiveDuration("deadline", job.deadline) }),
    ...(job.budget !== undefined && { budget: Check.finite("budget", job.budget, 0) }),
    ...(job.outputTokens !== undefined && { outputTokens: Check.finite("outputTokens", job.outputTokens, 0) }),
    pollEvery: Check.positiveDuration("pollEvery", job.pollEvery ?? "2 minutes"),
    chunk: atMost("chunk", job.chunk ?? (via === "client" ? 200 : 10_000), 10_000),
    parallelChunks: atMost("parallelChunks", job.parallelChunks ?? (via === "client" ? 16 : 100), 1_000),
    passes: Check.integer("passes", job.passes ?? 2, 1),
    passDelay: Check.duration("passDelay", job.passDelay ?? Duration.seconds(10)),
    haltOn
  }
}

/** The settings of a halted job, with those that a later run changes. Throws `InvalidOption`. */
export const renewed = (settings: Settings, job: Job<unknown, unknown>): Settings => {
  const { budget, deadline, via } = settingsOf(job)
  const { budget: _, deadline: __, plan: ___, ...kept } = settings
  return { ...kept, via, ...(budget !== undefined && { budget }), ...(deadline !== undefined && { deadline }) }
}

/**
 * The options of a process that answers the requests of jobs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The number of requests under way at a time in this process, of all jobs together: a positive integer. Default: 16.
   */
  readonly concurrency?: number | undefined
  /**
   * How long a result waits for others, to be written with them in one transaction. A process that is killed in between
   * has to ask again. Default: 10 milliseconds.
   */
  readonly flushEvery?: Duration.DurationInput | undefined
  /**
   * How long a process that stops, or hands a chunk over to another, waits for the answers under way, so that they are
   * not wasted. Default: 10 seconds.
   */
  readonly stopWithin?: Duration.DurationInput | undefined
  /** The prefix of the names of tables. Default: "effect_llm_". */
  readonly prefix?: string | undefined
  /**
   * The schemas of jobs that other processes submit, by `schemaName`. A chunk whose schema is not known here waits until a
   * job with it is run or submitted in this process. Default: none.
   */
  readonly schemas?: { readonly [name: string]: Schema.Schema.AnyNoContext } | undefined
}

/** The options of a layer, checked. */
export interface Limits {
  readonly concurrency: number
  readonly flushEvery: Duration.Duration
  readonly stopWithin: Duration.Duration
}

/** The names of the options of a layer. */
export const optionNames: Check.Names<Options> = {
  concurrency: true,
  flushEvery: true,
  stopWithin: true,
  prefix: true,
  schemas: true
}

/** Checks the options of a layer. Throws `InvalidOption`. */
export const limitsOf = (options: Options): Limits => {
  Check.known(options, optionNames)
  return {
    concurrency: Check.integer("concurrency", options.concurrency ?? 16, 1),
    flushEvery: Check.duration("flushEvery", options.flushEvery ?? "10 millis"),
    stopWithin: Check.duration("stopWithin", options.stopWithin ?? "10 seconds")
  }
}
