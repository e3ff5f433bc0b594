import { Effect, Exit, Stream } from "effect"
import type { Embedding, LlmRequest } from "effect-llm"
import * as LlmBatch from "effect-llm/LlmBatch"
import { createHash } from "node:crypto"
import { Problem } from "../quickstart/problem.js"
import { Findings } from "./findings.js"

// The id of a job has a hash of its requests: where a document has changed, its job is another one, and those of all other
// documents are done already.

const idOf = (step: string, requests: unknown): string =>
  `${step}/${createHash("sha256").update(JSON.stringify(requests)).digest("hex").slice(0, 16)}`

/** The step that a job belongs to. */
export const stepOf = (id: string): string => id.split("/")[0] ?? id

/** Lets a job come to its end: in this run, or in one before. */
const finished = (job: LlmBatch.Job) =>
  Effect.gen(function*() {
    const { halted } = yield* LlmBatch.run({ ...job, passDelay: "1 second" })
    if (halted === undefined) return
    const advice = halted.error?.reason._tag === "BudgetExceeded"
      ? "Set PIPELINE_DOLLARS to a higher amount, and run it again: what was answered is not asked again."
      : "Run it again when the reason is gone: what was answered is not asked again."
    return yield* new Problem({ message: `Stopped: ${halted.message}. ${advice}` })
  })

/** What models found, for each request; `undefined` for one that failed. */
export const findings = (step: string, requests: ReadonlyArray<LlmRequest.Input>) =>
  Effect.gen(function*() {
    const id = idOf(step, requests)
    yield* finished({ id, requests, schema: Findings })
    const results = yield* Stream.runCollect(LlmBatch.values(id, Findings))
    return Array.from(results, ({ result }) => Exit.isSuccess(result) ? result.value.value : undefined)
  })

/** The vectors of texts, in their order. */
export const vectors = (step: string, model: string, texts: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    if (texts.length === 0) return []
    const embeddings: ReadonlyArray<Embedding.Input> = [{ model, input: texts }]
    const id = idOf(step, embeddings)
    yield* finished({ id, embeddings })
    const results = yield* Stream.runCollect(LlmBatch.embeddings(id))
    return yield* Effect.forEach(results, ({ result }) => result).pipe(
      Effect.map((responses) => responses.flatMap(({ embeddings }) => embeddings)),
      Effect.mapError((error) => new Problem({ message: `The texts were not embedded: ${error.message}` }))
    )
  })
