/** A process that runs a job through a batch API until it is killed. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as OpenAi from "effect-llm/OpenAi"
import * as Pricing from "effect-llm/Pricing"
import * as UndiciTransport from "effect-llm/UndiciTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import { type BatchWork, jobOf } from "./batchWork.js"
import { model, prices, type Report } from "./work.js"

const send = (report: Report): Promise<void> => new Promise((resume) => process.send!(report, () => resume()))

const providerAt = (service: string, provider: BatchWork["provider"]) => {
  const apiKey = Redacted.make("sk-test")
  switch (provider) {
    case "openai":
      return OpenAi.layer({ baseUrl: `${service}/v1`, apiKey })
    case "anthropic":
      return Anthropic.layer({ baseUrl: service, apiKey })
    case "gemini":
      return Gemini.layer({ baseUrl: service, apiKey })
  }
}

const run = ({ job, provider, service, store }: BatchWork) => {
  const price = { [model]: prices.openai[model] }
  const Client = LlmClient.layer().pipe(
    Layer.provide(Pricing.priced(providerAt(service, provider))),
    Layer.provide([Pricing.layerPrices({ ...prices, anthropic: price, gemini: price }), UndiciTransport.layer()]),
    Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
  )
  const Jobs: Layer.Layer<LlmBatch.LlmBatch, unknown, LlmClient.LlmClient> = "filename" in store
    ? LlmBatch.layerSqlite(store)
    : LlmBatch.layerCluster({ host: "127.0.0.1", port: store.port }).pipe(
      Layer.provide(PgClient.layer({
        url: Redacted.make(`postgres://test@127.0.0.1:${store.postgres}/postgres`),
        maxConnections: 5
      }))
    )
  return Effect.gen(function*() {
    yield* LlmBatch.LlmBatch
    yield* Effect.promise(() => send({ _tag: "Started" }))
    if (job === undefined) return yield* Effect.never
    const summary = yield* LlmBatch.run(jobOf(job))
    yield* Effect.promise(() => send({ _tag: "Done", summary }))
  }).pipe(
    Effect.provide(Layer.provide(Jobs, Client)),
    Effect.tapErrorCause((cause) => Effect.promise(() => send({ _tag: "Failed", problem: String(cause) }))),
    Logger.withMinimumLogLevel(LogLevel.Error)
  )
}

process.on("message", (work: BatchWork) => {
  const fiber = Effect.runFork(run(work))
  fiber.addObserver(() => process.exit())
})
process.on("disconnect", () => process.exit())
void send({ _tag: "Ready" })
