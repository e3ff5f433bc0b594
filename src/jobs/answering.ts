import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Halt, JobState } from "./job.js"
import type { Item, Recorded } from "./store.js"

/** What came of a request. */
export interface Answered extends Omit<Recorded, "job" | "index"> {}

/** A chunk of a job that is being answered. */
export interface OpenChunk {
  readonly job: JobState
  /** The place of its first request. */
  readonly first: number
  /** Its requests that have no result yet, in order, read as they are taken. */
  readonly todo: Stream.Stream<Item>
  /** Whether the job was ended: then nothing more may be sent. */
  readonly isStopped: () => boolean
  /** Waits until the job was ended, or this process stops. */
  readonly stopped: Effect.Effect<void>
  /** Keeps that a request, and all before it, may be sent from now on; `false` if it has got a result in the meantime. */
  readonly asks: (item: Item) => Effect.Effect<boolean>
  /** Keeps the result of a request. */
  readonly record: (item: Item, answered: Answered) => Effect.Effect<void>
  /** Ends the job for a reason for which all requests would fail. */
  readonly halt: (halt: Halt) => Effect.Effect<void>
}

/**
 * How the requests of chunks are answered. It ends when nothing of the chunk is under way any more: each of its requests
 * has a result, or the job was stopped.
 */
export type Answering = (chunk: OpenChunk) => Effect.Effect<void>
