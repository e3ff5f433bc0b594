import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import { attributes } from "./conventions.js"

/** A chunk of a job: the place of its first request, and the pass in which it is answered. */
export interface Chunk {
  readonly job: string
  readonly pass: number
  readonly first: number
}

/** Answers a chunk of a job in a span, whose children are the calls. The conventions have no name for it. */
export const around =
  ({ first, job, pass }: Chunk) =>
  <A, E, R>(answer: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.withSpan(answer, "answer_chunk", {
      attributes: { [attributes.jobId]: job, [attributes.jobPass]: pass, [attributes.jobFirst]: first },
      captureStackTrace: false,
      kind: "internal"
    })
