/**
 * A job that survives a crash: this program starts itself, kills itself in the middle of a job, and goes on. It needs no
 * key: the simulated service of the test kit answers.
 *
 *   npx tsx examples/batch.ts
 */
import { FetchHttpClient } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Stream } from "effect"
import { LlmCache, LlmClient, LlmLogger, OpenAiChat, Pricing } from "effect-llm"
import * as LlmBatch from "effect-llm/LlmBatch"
import { Simulator } from "effect-llm/testing"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const model = "gpt-4o-mini"

const requests = Array.from({ length: 400 }, (_, i) => ({ model, prompt: `Echo: Length of river ${i}?` }))

// ---------------------------------------------------------------------------------------------------------------------
// The program that is killed: it runs a job, and knows nothing of crashes
// ---------------------------------------------------------------------------------------------------------------------

const work = (url: string, filename: string) => {
  const Provider = OpenAiChat.layer({ apiKey: Redacted.make("sk-none"), baseUrl: `${url}/v1` }).pipe(
    Pricing.priced,
    Layer.provide(Pricing.layerPrices({ openai: { [model]: { input: 0.15, output: 0.6 } } })),
    Layer.provide(FetchHttpClient.layer)
  )
  const Jobs = LlmBatch.layerSqlite({ filename, concurrency: 16 }).pipe(
    Layer.provide(LlmClient.layer()),
    Layer.provide([Provider, LlmCache.layerNone, LlmLogger.layerSilent])
  )
  return Effect.gen(function*() {
    const summary = yield* LlmBatch.run({ id: "rivers", requests, chunk: 50 })
    const results = yield* Stream.runCount(LlmBatch.results("rivers"))
    yield* Console.log([
      `Done: ${results} results for $${summary.cost}`,
      `Wasted by the crash: at most ${summary.interrupted.requests} requests, for at most $${summary.interrupted.cost}`
    ].join("\n"))
  }).pipe(Effect.provide(Jobs))
}

// ---------------------------------------------------------------------------------------------------------------------
// The service, and the process that kills
// ---------------------------------------------------------------------------------------------------------------------

const start = (url: string, filename: string) =>
  fork(fileURLToPath(import.meta.url), [url, filename], { execArgv: ["--import", "tsx"] })

const service = Effect.gen(function*() {
  const simulator = yield* Simulator.Simulator
  const directory = mkdtempSync(join(tmpdir(), "effect-llm-batch-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
  const filename = join(directory, "jobs.db")

  const first = start(simulator.url, filename)
  yield* simulator.awaitRequests((received) => received.length > 150)
  first.kill("SIGKILL")
  yield* Effect.promise(() => once(first, "exit"))
  yield* Console.log(`Killed after ${(yield* simulator.requests).length} requests`)

  const second = start(simulator.url, filename)
  yield* Effect.promise(() => once(second, "exit"))
  const { length } = yield* simulator.requests
  yield* Console.log(
    `The service received ${length} requests for ${requests.length} answers. Look at the difference:\n` +
      "only requests under way at the crash were sent twice."
  )
}).pipe(
  Effect.scoped,
  Effect.provide(
    Simulator.layer({ latency: "20 millis" }).pipe(
      Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
    )
  )
)

const [, , url, filename] = process.argv
const program: Effect.Effect<void, unknown> = url === undefined || filename === undefined
  ? service
  : work(url, filename)
await Effect.runPromise(program)
