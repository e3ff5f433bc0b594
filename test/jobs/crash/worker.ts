/** A process that runs jobs until it is killed. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Pricing from "effect-llm/Pricing"
import * as UndiciTransport from "effect-llm/UndiciTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import { prices, type Report, requestsOf, type Work } from "./work.js"

const send = (report: Report): Promise<void> => new Promise((resume) => process.send!(report, () => resume()))

const run = ({ concurrency, job, service, store }: Work) => {
  const Client = LlmClient.layer({ retry: { base: "50 millis" } }).pipe(
    Layer.provide(
      OpenAiChat.layer({ baseUrl: `${service}/v1`, apiKey: Redacted.make("sk-test") }).pipe(
        Pricing.priced,
        Layer.provide([Pricing.layerPrices(prices), UndiciTransport.layer()])
      )
    ),
    Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
  )
  const Jobs: Layer.Layer<LlmBatch.LlmBatch, unknown, LlmClient.LlmClient> = "filename" in store
    ? LlmBatch.layerSqlite({ ...store, concurrency })
    : LlmBatch.layerCluster({ host: "127.0.0.1", port: store.port, concurrency }).pipe(
      Layer.provide(PgClient.layer({
        url: Redacted.make(`postgres://test@127.0.0.1:${store.postgres}/postgres`),
        maxConnections: 5
      }))
    )
  return Effect.gen(function*() {
    yield* LlmBatch.LlmBatch
    yield* Effect.promise(() => send({ _tag: "Started" }))
    if (job === undefined) return yield* Effect.never
    const { chunk, id, size } = job
    const summary = yield* LlmBatch.run({ id, requests: requestsOf(size), chunk })
    yield* Effect.promise(() => send({ _tag: "Done", summary }))
  }).pipe(
    Effect.provide(Layer.provide(Jobs, Client)),
    Effect.tapErrorCause((cause) => Effect.promise(() => send({ _tag: "Failed", problem: String(cause) }))),
    Logger.withMinimumLogLevel(LogLevel.Error)
  )
}

process.on("message", (work: Work) => {
  const fiber = Effect.runFork(run(work))
  fiber.addObserver(() => process.exit())
  process.on("SIGTERM", () => fiber.unsafeInterruptAsFork(fiber.id()))
})
process.on("disconnect", () => process.exit())
void send({ _tag: "Ready" })
