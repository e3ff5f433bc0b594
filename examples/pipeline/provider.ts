import { NodeHttpServer } from "@effect/platform-node"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Config, Context, Effect, Layer, Option } from "effect"
import { Budget, Gemini, OpenAiChat, Pricing } from "effect-llm"
import * as GenaiPrices from "effect-llm/GenaiPrices"
import * as SqlStores from "effect-llm/SqlStores"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"
import { Problem, settingsFrom } from "../quickstart/problem.js"
import * as Simulated from "./simulated.js"

/** Whom the pipeline asks. */
export class Models extends Context.Tag("pipeline/Models")<Models, {
  /** Reads all passages. */
  readonly small: string
  /** Reads those again whose answers are doubtful. */
  readonly careful: string
  readonly embedding: string
  /** A sentence that names them. */
  readonly description: string
}>() {}

const asking = (models: Omit<typeof Models.Service, "description">, whom: string) =>
  Layer.succeed(Models, {
    ...models,
    description: `${whom}:\n${models.small}, and ${models.careful} for doubtful answers.`
  })

/** Every tenth attempt fails. */
const faults = Simulator.random({
  seed: "storm",
  rate: 0.1,
  faults: [
    Simulator.status(429, { retryAfter: "400 millis" }),
    Simulator.status(503),
    Simulator.reset,
    Simulator.halfJson
  ]
})

const SimulatedProvider = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1`, name: "simulator" }))
).pipe(
  Layer.provide(Simulator.layer({ answer: Simulated.answer, faults, latency: "250 millis" })),
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.orDie
)

const simulatedPrices = Pricing.layerPrices(Simulated.prices)

/** The provider that the environment selects, its models, and their prices. */
const chosen = Effect.gen(function*() {
  const baseUrl = yield* Config.option(Config.string("LLM_BASE_URL"))
  if (Option.isSome(baseUrl)) {
    const model = yield* Config.option(Config.string("LLM_MODEL"))
    const embedding = yield* Config.option(Config.string("LLM_EMBEDDING_MODEL"))
    if (Option.isNone(model) || Option.isNone(embedding)) {
      return yield* new Problem({
        message: "LLM_MODEL and LLM_EMBEDDING_MODEL must name the models to ask at LLM_BASE_URL."
      })
    }
    const careful = yield* Config.withDefault(Config.string("LLM_CAREFUL_MODEL"), model.value)
    const apiKey = Option.getOrUndefined(yield* Config.option(Config.redacted("LLM_API_KEY")))
    const provider = OpenAiChat.layer({ baseUrl: baseUrl.value, apiKey }).pipe(settingsFrom("LLM_BASE_URL"))
    const models = { small: model.value, careful, embedding: embedding.value }
    return { provider, prices: GenaiPrices.layer, models: asking(models, `Asking ${baseUrl.value}`) }
  }
  const openAiKey = yield* Config.option(Config.redacted("OPENAI_API_KEY"))
  if (Option.isSome(openAiKey)) {
    const models = { small: "gpt-4.1-mini", careful: "gpt-4.1", embedding: "text-embedding-3-small" }
    const provider = OpenAiChat.layer({ apiKey: openAiKey.value }).pipe(settingsFrom("OPENAI_API_KEY"))
    return { provider, prices: GenaiPrices.layer, models: asking(models, "Asking OpenAI") }
  }
  const geminiKey = yield* Config.option(Config.redacted("GEMINI_API_KEY"))
  if (Option.isSome(geminiKey)) {
    const models = { small: "gemini-2.5-flash-lite", careful: "gemini-2.5-pro", embedding: "gemini-embedding-001" }
    const provider = Gemini.layer({ apiKey: geminiKey.value }).pipe(settingsFrom("GEMINI_API_KEY"))
    return { provider, prices: GenaiPrices.layer, models: asking(models, "Asking Gemini") }
  }
  const whom = "No key is set (OPENAI_API_KEY, GEMINI_API_KEY or LLM_BASE_URL).\nAsking a simulator in this process"
  return { provider: SimulatedProvider, prices: simulatedPrices, models: asking(Simulated.models, whom) }
})

/** The most that all runs with one folder of results may cost together, in US dollars. */
export const dollars = Config.withDefault(Config.number("PIPELINE_DOLLARS"), 1)

/** The provider, priced and within a budget that outlives the process, and its models. */
export const layer = (budgetFile: string) =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const { models, prices, provider } = yield* chosen
    const limit = yield* dollars
    return provider.pipe(
      Pricing.priced,
      // Your own server has no prices: it costs nothing.
      Budget.limit({ scope: "pipeline", dollars: limit, onUnknownPrice: "allow" }),
      Layer.provide(prices),
      Layer.provideMerge(SqlStores.layerBudgets({ account: "pipeline" })),
      Layer.provide(SqliteClient.layer({ filename: budgetFile })),
      Layer.merge(models)
    )
  }))
