import * as Workflow from "@effect/workflow/Workflow"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as JobSpan from "../telemetry/jobSpan.js"
import { type Chunk, isUnderWay } from "./chunk.js"
import type { JobState } from "./job.js"
import { engineStep, persist } from "./persist.js"
import type { Store } from "./store.js"

// Payloads hold references only: requests and results are in tables of our own. No step of a workflow fails, as its
// failure would be stored for good under its id; and none is a durable clock or deferred, which may wait long for their
// wake-up.

/** A generation of a job. */
export const JobWorkflow = Workflow.make({
  name: "effect-llm/Job",
  payload: { job: Schema.String, generation: Schema.Int },
  idempotencyKey: ({ generation, job }) => `${job}/${generation}`
})

/** A chunk of a generation of a job, in a pass. */
const ChunkWorkflow = Workflow.make({
  name: "effect-llm/Chunk",
  payload: { job: Schema.String, generation: Schema.Int, pass: Schema.Int, first: Schema.Int },
  idempotencyKey: ({ first, generation, job, pass }) => `${job}/${generation}/${pass}/${first}`
})

/** A chunk in a pass: what one run of its workflow answers. */
interface ChunkOfPass extends Chunk {
  readonly pass: number
}

/** Waits until a chunk is answered: by this process or another, now or in an earlier run. */
const answered = (chunk: ChunkOfPass): Effect.Effect<void, never, WorkflowEngine> => ChunkWorkflow.execute(chunk)

/** What the workflows do. */
export const layer = (
  { answerChunk, cancelBatches, plan, store }: {
    readonly answerChunk: (chunk: Chunk) => Effect.Effect<void>
    /** Stops the service's work for a cancelled job. */
    readonly cancelBatches: (job: JobState) => Effect.Effect<void>
    /** Decides the way of a pass. */
    readonly plan: (job: JobState) => Effect.Effect<JobState>
    readonly store: Store
  }
): Layer.Layer<never, never, WorkflowEngine> => {
  const passes = (id: string, generation: number) =>
    Effect.gen(function*() {
      while (true) {
        const found = yield* persist(store.find(id))
        if (!isUnderWay(found, generation)) return
        const { progress: { pass, total }, settings } = yield* plan(found.value)
        const open = yield* persist(store.openChunks(id, settings.chunk, total))
        yield* Effect.forEach(
          open,
          (first) => persist(engineStep(answered({ job: id, generation, pass, first }))),
          { concurrency: settings.parallelChunks, discard: true }
        )
        const again = pass < settings.passes ? yield* persist(store.nextPass(id, generation, pass)) : 0
        if (again === 0) break
        yield* Effect.sleep(settings.passDelay)
      }
      yield* persist(store.end(id, "done", { generation }))
      if (isUnderWay(yield* persist(store.find(id)), generation)) {
        yield* Effect.dieMessage("some requests were left without a result")
      }
    })

  const afterwards = (id: string) =>
    Effect.flatMap(
      persist(store.find(id)),
      (found) =>
        Option.isSome(found) && found.value.progress.status === "cancelled" ? cancelBatches(found.value) : Effect.void
    )

  return Layer.merge(
    JobWorkflow.toLayer(({ generation, job }) =>
      passes(job, generation).pipe(
        Effect.zipRight(afterwards(job)),
        Effect.catchAllDefect(
          (defect) =>
            persist(store.end(job, "halted", {
              generation,
              halt: { message: `A mistake of the program: ${Cause.pretty(Cause.die(defect))}` }
            }))
        )
      )
    ),
    ChunkWorkflow.toLayer((chunk) => JobSpan.around(chunk)(answerChunk(chunk)))
  )
}
