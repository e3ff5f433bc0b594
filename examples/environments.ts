/**
 * One program, three environments. The program knows only the client; one layer decides which model answers and where
 * answers are kept.
 *
 *     npx tsx examples/environments.ts                     local: a simulator in this process, no key needed
 *     APP_ENV=staging npx tsx examples/environments.ts     an OpenAI-compatible server at LLM_BASE_URL, model LLM_MODEL
 *     APP_ENV=production npx tsx examples/environments.ts  OpenAI, with the key in OPENAI_API_KEY
 *
 * Look at the events of the log: each environment has its own layer, and the program is the same.
 */
import { FetchHttpClient } from "@effect/platform"
import { NodeContext, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer } from "effect"
import { KeyValueCache, LlmCache, LlmClient, LlmLogger, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

/** The name of this environment's model. */
class Model extends Context.Tag("environments/Model")<Model, string>() {}

// ---------------------------------------------------------------------------------------------------------------------
// The program: the same everywhere
// ---------------------------------------------------------------------------------------------------------------------

const program = Effect.gen(function*() {
  const model = yield* Model
  const request = {
    model,
    system: "Summarize the text in one sentence.",
    prompt: "A lighthouse warns ships of rocks. Its lamp turns, so that each lighthouse has its own rhythm. " +
      "Sailors know a lighthouse by that rhythm."
  }
  const first = yield* LlmClient.call(request)
  yield* Console.log(`${first.provider} (${first.model}) answered: ${first.text}`)
  const second = yield* LlmClient.call(request)
  yield* Console.log(`Asked again, the answer came from: ${second.origin}`)
  yield* Console.log("Look at the events: with APP_ENV=production the same program logs others.")
})

// ---------------------------------------------------------------------------------------------------------------------
// The environments
// ---------------------------------------------------------------------------------------------------------------------

/** The key comes from the configuration, answers are kept in files, and events go to the log. */
const Production = LlmClient.layer({ deadline: "1 minute", retry: { times: 4 } }).pipe(
  Layer.provide(OpenAiChat.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
  Layer.provide(KeyValueCache.layerFile({ directory: "results/environments", timeToLive: "1 day" })),
  Layer.provide([LlmLogger.layer, FetchHttpClient.layer, NodeContext.layer]),
  Layer.merge(Layer.succeed(Model, "gpt-4o-mini"))
)

/** Your own server (vLLM, LM Studio, llama.cpp ...), with answers kept in memory. */
const Staging = LlmClient.layerDefault({ timeout: "1 minute" }).pipe(
  Layer.provide(OpenAiChat.layerConfig({ baseUrl: Config.string("LLM_BASE_URL"), name: "staging" })),
  Layer.provide(FetchHttpClient.layer),
  Layer.merge(Layer.effect(Model, Config.string("LLM_MODEL")))
)

/** A simulator over real HTTP. It fails the first request, to show a retry. */
const Local = LlmClient.layer({ retry: { base: "100 millis" } }).pipe(
  Layer.provide(
    Layer.unwrapEffect(
      Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1`, name: "simulator" }))
    )
  ),
  Layer.provide(Simulator.layer({ faults: Simulator.sequence([Simulator.status(503)]) })),
  Layer.provide([
    LlmCache.layerMemory(),
    LlmLogger.layerHandler((event) => Console.log(`  ${LlmLogger.format(event).name}`)),
    FetchHttpClient.layer,
    Layer.orDie(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
  ]),
  Layer.merge(Layer.succeed(Model, "simulated-model"))
)

const environments = { local: Local, production: Production, staging: Staging }

// Layers are descriptions: only the chosen one is built, and needs its configuration.
const Live = Layer.unwrapEffect(Effect.gen(function*() {
  const name = yield* Config.literal("local", "production", "staging")("APP_ENV").pipe(Config.withDefault("local"))
  yield* Console.log(`Environment: ${name}`)
  return environments[name]
}))

NodeRuntime.runMain(Effect.provide(program, Live))
