/**
 * The main job: read documents, ask a model for a summary of each, and write the summaries. Some calls fail and are
 * retried. A second run gets its answers from the cache.
 *
 *     npm start
 *     npm start -- --inspect     shows the calls on a page, too
 *
 * Asks an OpenAI-compatible server if LLM_BASE_URL is set (with LLM_MODEL, and LLM_API_KEY if it needs a key), OpenAI if
 * OPENAI_API_KEY is set, Anthropic if ANTHROPIC_API_KEY is set, and otherwise a simulator in this process, with faults.
 *
 * Each line names its document. See how those that fail at first come through, and how a second run asks nobody.
 */
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Exit, Layer, Option, Schema, Stream } from "effect"
import type { LlmError, LlmResponse } from "effect-llm"
import { LlmClient } from "effect-llm"
import { inspected, stay } from "./inspector/inspect.js"
import { Problem, reported } from "./quickstart/problem.js"
import { ProviderLive, Target } from "./quickstart/provider.js"
import { Report, ReportLive } from "./quickstart/report.js"
import { CacheLive, Results, ResultsLive } from "./quickstart/results.js"

const Document = Schema.parseJson(Schema.Struct({ id: Schema.String, title: Schema.String, text: Schema.String }))

const readDocument = Schema.decode(Document)

const readDocuments = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.stream("examples/data/documents.jsonl").pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line.trim() !== ""),
    Stream.mapEffect((line) => readDocument(line)),
    Stream.runCollect,
    Effect.map((documents) => Array.from(documents))
  )
})

type Result = Exit.Exit<LlmResponse.LlmResponse, LlmError.LlmError>

const errorOf = (result: Result) =>
  Exit.isFailure(result) ? Option.getOrUndefined(Cause.failureOption(result.cause)) : undefined

/** The failure that every further document would meet, if this is one. */
const stopAt = (result: Result, answered: number): LlmError.LlmError | undefined => {
  const error = errorOf(result)
  switch (error?.reason._tag) {
    case "AuthenticationFailed":
    case "PermissionDenied":
    case "QuotaExhausted":
    case "ModelNotFound":
      return error
    case "NetworkFailed":
      return answered === 0 ? error : undefined
    default:
      return undefined
  }
}

/** Asks for a summary of each document, until all have a result or one meets what all others would meet, too. */
const summarizeAll = Effect.gen(function*() {
  const report = yield* Report
  const { description, model } = yield* Target
  const documents = yield* readDocuments
  yield* report.begin({ description, total: documents.length })

  let answered = 0
  let stoppedBy: LlmError.LlmError | undefined
  const results = yield* Stream.fromIterable(documents.entries()).pipe(
    Stream.mapEffect(([index, { id, text }]) =>
      LlmClient.call({
        model,
        system: "Summarize the text in one or two sentences.",
        prompt: text,
        maxTokens: 200
      }, { timeout: "3 seconds", tags: { document: id } }).pipe(
        Effect.exit,
        Effect.map((result) => ({ id, index, result }))
      ), { concurrency: 6, unordered: true }),
    Stream.tap(({ result }) => {
      if (Exit.isSuccess(result)) answered++
      stoppedBy = stopAt(result, answered)
      return report.progress
    }),
    Stream.takeUntil(() => stoppedBy !== undefined),
    Stream.runCollect
  )
  return { stoppedBy, results: Array.from(results).sort((a, b) => a.index - b.index) }
})

const main = Effect.gen(function*() {
  const report = yield* Report
  const files = yield* Results
  const { results, stoppedBy } = yield* Effect.onInterrupt(summarizeAll, () => report.interrupted)

  const lines = results.map(({ id, result }) => ({
    id,
    ...Exit.match(result, {
      onFailure: () => ({ error: errorOf(result)?.message ?? "The call has died" }),
      onSuccess: ({ model, origin, text }) => ({ summary: text, model, origin })
    })
  }))
  const example = lines.flatMap((line) => "summary" in line ? [line.summary] : [])[0]
  const written = stoppedBy === undefined ? yield* files.write(lines) : undefined
  yield* report.end({ example, stoppedBy, written })
  yield* stay
  if (lines.some((line) => "error" in line)) return yield* new Problem({ message: "Some documents were not answered." })
})

const MainLive = LlmClient.layer({ deadline: "1 minute", retry: { times: 4 } }).pipe(
  Layer.provideMerge(ProviderLive),
  Layer.provide([CacheLive, inspected(ReportLive)]),
  Layer.provideMerge(ReportLive),
  Layer.provideMerge(ResultsLive),
  Layer.provide(NodeHttpClient.layerUndici),
  Layer.provideMerge(NodeContext.layer)
)

NodeRuntime.runMain(reported(Effect.provide(main, MainLive)), { disableErrorReporting: true })
