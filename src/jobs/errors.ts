import * as Schema from "effect/Schema"
import { LlmError } from "../domain/LlmError.js"

/**
 * The requests of the job with this id differ from the given ones. The error names the first that differs, without its
 * content.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobChanged extends Schema.TaggedError<JobChanged>("effect-llm/JobChanged")("JobChanged", {
  /** The id of the job. */
  id: Schema.String,
  /** The place of the first request that differs, from 0. Absent if the jobs differ as a whole. */
  index: Schema.optional(Schema.NonNegativeInt),
  /** The difference: a path in the request, such as `messages[0].content`, or the kind of the job. */
  field: Schema.String
}) {
  override get message(): string {
    const where = this.index === undefined ? this.field : `request ${this.index} (${this.field})`
    return `Job ${this.id} exists with other requests, the first difference: ${where}. Give the new job another id.`
  }
}

/**
 * There is no job with this id.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobNotFound extends Schema.TaggedError<JobNotFound>("effect-llm/JobNotFound")("JobNotFound", {
  /** The id that was asked for. */
  id: Schema.String
}) {
  override get message(): string {
    return `There is no job ${this.id}`
  }
}

/**
 * The job is under way, which the operation does not allow.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobRunning extends Schema.TaggedError<JobRunning>("effect-llm/JobRunning")("JobRunning", {
  /** The id of the job. */
  id: Schema.String
}) {
  override get message(): string {
    return `Job ${this.id} is under way: wait for its end, or cancel it`
  }
}

/**
 * One of the requests of a job is invalid. The requests before it are stored: submit the job again once it is
 * corrected.
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestInvalid extends Schema.TaggedError<RequestInvalid>("effect-llm/RequestInvalid")("RequestInvalid", {
  /** The id of the job. */
  id: Schema.String,
  /** The place of the request, from 0. */
  index: Schema.NonNegativeInt,
  /** The problem with it. */
  error: LlmError
}) {
  override get message(): string {
    return `Request ${this.index} of job ${this.id}: ${this.error.message}`
  }
}

/**
 * A result is not of the requested kind: it does not fit the given schema, for example.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResultUnreadable
  extends Schema.TaggedError<ResultUnreadable>("effect-llm/ResultUnreadable")("ResultUnreadable", {
    /** The id of the job. */
    id: Schema.String,
    /** The place of its request, from 0. */
    index: Schema.NonNegativeInt,
    /** The path in the result, and the expected type there. */
    problem: Schema.String
  })
{
  override get message(): string {
    return `Result ${this.index} of job ${this.id} cannot be read: ${this.problem}`
  }
}

/**
 * The database failed. Results that were recorded before remain.
 *
 * @since 0.1.0
 * @category errors
 */
export class DatabaseFailed extends Schema.TaggedError<DatabaseFailed>("effect-llm/DatabaseFailed")("DatabaseFailed", {
  /** The words of the driver. */
  problem: Schema.String
}) {
  override get message(): string {
    return `The database of the jobs failed: ${this.problem}`
  }
}

/**
 * Another process runs the jobs of this SQLite file. Only one at a time may: two would ask the same requests.
 *
 * @since 0.1.0
 * @category errors
 */
export class DatabaseInUse extends Schema.TaggedError<DatabaseInUse>("effect-llm/DatabaseInUse")("DatabaseInUse", {
  /** The file. */
  filename: Schema.String
}) {
  override get message(): string {
    return `Another process runs the jobs in ${this.filename}. Wait for its end, or run several processes over Postgres ` +
      "with LlmBatch.layerCluster."
  }
}
