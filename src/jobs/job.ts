import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { LlmError } from "../domain/LlmError.js"
import * as Money from "../internal/money.js"
import { type Operation, OperationName } from "./operation.js"
import { Settings } from "./options.js"
import type { Plan } from "./plan.js"

/**
 * The state of a job. `submitting`: its requests are being stored, and none is asked; `running`; `done`: each request
 * has a result; `halted`: for a reason for which all requests would fail; `cancelled`. `resume` continues the last two.
 *
 * @since 0.1.0
 * @category models
 */
export type Status = "submitting" | "running" | "done" | "halted" | "cancelled"

const Status = Schema.Literal("submitting", "running", "done", "halted", "cancelled")

/**
 * Why a job was halted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Halt {
  /** The reason in words. */
  readonly message: string
  /** The failure of the request that halted the job. Absent if it was a mistake of the program. */
  readonly error?: LlmError | undefined
}

/** The reason why a job was halted, as text and back. */
export const HaltText = Schema.parseJson(Schema.Struct({ message: Schema.String, error: Schema.optional(LlmError) }))

/**
 * The progress of a job, or its summary after its end.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** The name of the job. */
  readonly id: string
  /** The kind of its requests. */
  readonly operation: Operation
  /** Where it stands. */
  readonly status: Status
  /** The number of its requests: so far, while it is being submitted. */
  readonly total: number
  /** How many were answered. */
  readonly succeeded: number
  /** The number of failed requests that are not asked again unless `retryFailed` is called. */
  readonly failed: number
  /** The number of requests without a result. */
  readonly pending: number
  /** The number of passes over the requests that had to be asked, including the current one: from 1. */
  readonly pass: number
  /** The tokens of all answers. */
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number }
  /**
   * The cost of all answers in US dollars: exactly the sum of the `cost` of the recorded ones, to the picodollar. It
   * includes answers in batches that did not fit their schema, after which the model is asked again.
   */
  readonly cost: number
  /** The number of billed answers whose price is not known. They are not part of `cost`. */
  readonly unpriced: number
  /**
   * Possible waste: requests that may have been under way when a process was killed or stopped. Both are upper bounds,
   * and not part of the numbers above.
   */
  readonly interrupted: {
    /** Their number. They are counted when the job continues, and asked again. */
    readonly requests: number
    /** Their cost in US dollars, if each had cost as much as the most expensive recorded answer of the job. */
    readonly cost: number
  }
  /** The batches that the service works on, or whose results are being read. Absent if there are none. */
  readonly batches?: {
    /** How many. */
    readonly count: number
    /** The number of their requests. */
    readonly requests: number
    /** The number of these that the service has answered, as far as it reports it. */
    readonly answered: number
  } | undefined
  /** The way in which the requests are answered, and its reasons: for a job `via: "auto"` that has begun. */
  readonly plan?: Plan | undefined
  /** The reason why the job was halted, if it was. */
  readonly halted?: Halt | undefined
  /** The time of its submission, in epoch milliseconds. */
  readonly submittedAt: number
  /** The time of its end, in epoch milliseconds. Absent before. */
  readonly endedAt?: number | undefined
}

/** The row of a job: the columns, as texts. */
export interface Row {
  readonly [column: string]: string | null
}

/** A job. */
export interface JobState {
  readonly progress: Progress
  readonly schemaName: string | undefined
  readonly settings: Settings
  /** The number of its restarts: a chunk of an older generation does nothing. */
  readonly generation: number
}

const decodeSettings = Schema.decodeSync(Schema.parseJson(Settings))
const decodeHalt = Schema.decodeEither(HaltText)
const isOperation = Schema.decodeUnknownSync(OperationName)
const isStatus = Schema.decodeUnknownSync(Status)

/** Reads the row of a job. */
export const read = (row: Row): JobState => {
  const number = (column: string): number => Number(row[column])
  const [total, succeeded, failed, interrupted] = [
    number("total"),
    number("succeeded"),
    number("failed"),
    number("interrupted")
  ]
  const settings = decodeSettings(row["options"] ?? "")
  const halted = row["halted"] === null || row["halted"] === undefined ? undefined : decodeHalt(row["halted"])
  return {
    schemaName: row["schema_name"] ?? undefined,
    settings,
    generation: number("generation"),
    progress: {
      id: row["id"] ?? "",
      operation: isOperation(row["operation"]),
      status: isStatus(row["status"]),
      total,
      succeeded,
      failed,
      pending: total - succeeded - failed,
      pass: number("pass"),
      usage: { inputTokens: number("input_tokens"), outputTokens: number("output_tokens") },
      cost: Money.toDollars(BigInt(row["picodollars"] ?? 0)),
      unpriced: number("unpriced"),
      interrupted: {
        requests: interrupted,
        cost: Money.toDollars(BigInt(interrupted) * BigInt(row["dearest"] ?? 0))
      },
      ...(number("batches") > 0 && {
        batches: {
          count: number("batches"),
          requests: number("batch_requests"),
          answered: number("batch_answered")
        }
      }),
      ...(settings.plan !== undefined && { plan: settings.plan }),
      ...(halted !== undefined && Either.isRight(halted) && { halted: halted.right }),
      submittedAt: number("submitted_at"),
      ...(row["ended_at"] !== null && { endedAt: number("ended_at") })
    }
  }
}

/** Whether a job has come to an end. */
export const hasEnded = ({ status }: Progress): boolean => status !== "submitting" && status !== "running"
