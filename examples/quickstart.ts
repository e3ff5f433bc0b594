/**
 * The main job: read documents, ask a model for a summary of each, and write the summaries. Some calls fail and are
 * retried. A second run gets its answers from the cache.
 *
 *     npm start
 *     npm start -- --inspect     shows the calls on a page, too
 *
 * Asks an OpenAI-compatible server if LLM_BASE_URL is set (with LLM_MODEL, and LLM_API_KEY if it needs a key), OpenAI if
 * OPENAI_API_KEY is set, Anthropic if ANTHROPIC_API_KEY is set, and otherwise a simulator in this process, with faults.
 */
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Cause, Duration, Effect, Exit, Layer, Logger, Schema, Stream } from "effect"
import { KeyValueCache, LlmClient } from "effect-llm"
import { inspected, stay } from "./inspector/inspect.js"
import { Model, ProviderLive } from "./quickstart/provider.js"
import { Report, ReportLive } from "./quickstart/report.js"

const Document = Schema.parseJson(Schema.Struct({ id: Schema.String, title: Schema.String, text: Schema.String }))

const readDocuments = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.stream("examples/data/documents.jsonl").pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line.trim() !== ""),
    Stream.mapEffect(Schema.decode(Document)),
    Stream.runCollect,
    Effect.map((documents) => Array.from(documents))
  )
})

const summarize = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const report = yield* Report
  const model = yield* Model
  const documents = yield* readDocuments
  yield* report.begin(documents.length)

  const requests = documents.map(({ text }) => ({
    model,
    system: "Summarize the text in one or two sentences.",
    prompt: text,
    maxTokens: 200
  }))
  const results = yield* LlmClient.callAll(requests, {
    concurrency: 6,
    timeout: "3 seconds",
    onProgress: ({ completed }) => report.progress(completed)
  }).pipe(Stream.runCollect)

  const lines = Array.from(results)
    .sort((a, b) => a.index - b.index)
    .map(({ index, result }) => ({
      id: documents[index]?.id,
      ...Exit.match(result, {
        onFailure: (cause) => ({ error: Cause.pretty(cause) }),
        onSuccess: ({ model, origin, text }) => ({ summary: text, model, origin })
      })
    }))
  yield* fs.makeDirectory("results", { recursive: true })
  yield* fs.writeFileString("results/summaries.jsonl", lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
  const [first] = lines
  yield* report.end({ example: first !== undefined && "summary" in first ? first.summary : undefined })
  yield* stay
  if (lines.some((line) => "error" in line)) return yield* Effect.fail("Some documents were not answered")
})

// Answers are kept in files for a day, so that the next run finds them.
const CacheLive = KeyValueCache.layerFile({ directory: "results/cache", timeToLive: Duration.days(1) })

const MainLive = LlmClient.layer({ deadline: "1 minute", retry: { times: 4 } }).pipe(
  Layer.provideMerge(ProviderLive),
  Layer.provide([CacheLive, inspected(ReportLive)]),
  Layer.provideMerge(ReportLive),
  Layer.provide(NodeHttpClient.layerUndici),
  Layer.provideMerge(NodeContext.layer),
  Layer.provide(Logger.pretty)
)

NodeRuntime.runMain(Effect.provide(summarize, MainLive), { disablePrettyLogger: true })
