import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Halt, JobState } from "./job.js"
import type { Item, Recorded } from "./store.js"

/** What came of a request. */
export interface Answered extends Omit<Recorded, "job" | "index"> {}

/** A chunk of a job, while its requests are being answered. */
export interface OpenChunk {
  readonly job: JobState
  /** The place of its first request. */
  readonly first: number
  /** The requests without a result, in order. They are read as they are taken. */
  readonly todo: Stream.Stream<Item>
  /** Whether the job was ended: then nothing more may be sent. */
  readonly isStopped: () => boolean
  /** Waits until the job was ended, or this process stops. */
  readonly stopped: Effect.Effect<void>
  /**
   * Records that a request, and all before it, may be sent from now on; `false` if it has got a result in the meantime.
   */
  readonly asks: (item: Item) => Effect.Effect<boolean>
  /** Stores the result of a request. */
  readonly record: (item: Item, answered: Answered) => Effect.Effect<void>
  /** Ends the job for a reason for which all requests would fail. */
  readonly halt: (halt: Halt) => Effect.Effect<void>
}

/**
 * A way to answer the requests of chunks. It ends when no request of the chunk is under way: each one has a result, or
 * the job was stopped.
 */
export type Answering = (chunk: OpenChunk) => Effect.Effect<void>
