/** A process that runs a job through a batch API until it is killed. */
import * as Anthropic from "effect-llm/Anthropic"
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
import type { BatchWork } from "./batchWork.js"
import { model, prices, type Report, requestsOf } from "./work.js"

const send = (report: Report): Promise<void> => new Promise((resume) => process.send!(report, () => resume()))

const run = ({ filename, job: { chunk, id, size }, provider, service }: BatchWork) => {
  const apiKey = Redacted.make("sk-test")
  const Provider = provider === "openai"
    ? OpenAi.layer({ baseUrl: `${service}/v1`, apiKey })
    : Anthropic.layer({ baseUrl: service, apiKey })
  const Client = LlmClient.layer().pipe(
    Layer.provide(Pricing.priced(Provider)),
    Layer.provide([
      Pricing.layerPrices({ ...prices, anthropic: { [model]: prices.openai[model] } }),
      UndiciTransport.layer()
    ]),
    Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
  )
  return Effect.gen(function*() {
    yield* LlmBatch.LlmBatch
    yield* Effect.promise(() => send({ _tag: "Started" }))
    const summary = yield* LlmBatch.run({
      id,
      requests: requestsOf(size),
      chunk,
      via: "provider",
      pollEvery: "100 millis"
    })
    yield* Effect.promise(() => send({ _tag: "Done", summary }))
  }).pipe(
    Effect.provide(Layer.provide(LlmBatch.layerSqlite({ filename }), Client)),
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
