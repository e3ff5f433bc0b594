import { HttpClient, HttpClientRequest } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer, Option } from "effect"
import { Anthropic, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

/** The name of the model to ask. */
export class Model extends Context.Tag("quickstart/Model")<Model, string>() {}

const named = (model: string) => Layer.succeed(Model, model)

/** All kinds of transient faults: seven of twelve documents meet one. */
const transientFaults = Simulator.perPrompt([
  Simulator.status(429, { retryAfter: "1 second" }),
  Simulator.ok,
  Simulator.status(500),
  Simulator.ok,
  Simulator.status(529),
  Simulator.html(502),
  Simulator.ok,
  Simulator.halfJson,
  Simulator.ok,
  Simulator.reset,
  Simulator.ok,
  Simulator.silence
])

const SimulatorLive = Simulator.layer({ faults: transientFaults, latency: "120 millis" }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.orDie
)

// The port differs in each run, and the address is part of the cache key. So the provider has a fixed address, which the
// HTTP client replaces by the real one.
const SimulatedProvider = OpenAiChat.layer({ baseUrl: "http://simulator.localhost/v1", name: "simulator" }).pipe(
  Layer.provide(Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      Effect.all([HttpClient.HttpClient, Simulator.Simulator]),
      ([client, simulator]) =>
        HttpClient.mapRequest(
          client,
          (request) =>
            HttpClientRequest.setUrl(request, request.url.replace("http://simulator.localhost", simulator.url))
        )
    )
  )),
  Layer.provide(SimulatorLive)
)

const optional = <A>(config: Config.Config<A>) => Config.option(config)

/** The provider that the environment selects. */
export const ProviderLive = Layer.unwrapEffect(Effect.gen(function*() {
  const openAiKey = yield* optional(Config.redacted("OPENAI_API_KEY"))
  const anthropicKey = yield* optional(Config.redacted("ANTHROPIC_API_KEY"))
  const baseUrl = yield* optional(Config.string("LLM_BASE_URL"))
  if (Option.isSome(baseUrl)) {
    const model = yield* Config.string("LLM_MODEL")
    const apiKey = yield* optional(Config.redacted("LLM_API_KEY"))
    yield* Console.log(`Asking ${model} at ${baseUrl.value}`)
    return Layer.merge(
      OpenAiChat.layer({ baseUrl: baseUrl.value, apiKey: Option.getOrUndefined(apiKey) }),
      named(model)
    )
  }
  if (Option.isSome(openAiKey)) {
    yield* Console.log("Asking OpenAI")
    return Layer.merge(OpenAiChat.layer({ apiKey: openAiKey.value }), named("gpt-4o-mini"))
  }
  if (Option.isSome(anthropicKey)) {
    yield* Console.log("Asking Anthropic")
    return Layer.merge(Anthropic.layer({ apiKey: anthropicKey.value }), named("claude-haiku-4-5"))
  }
  yield* Console.log(
    "None of OPENAI_API_KEY, ANTHROPIC_API_KEY and LLM_BASE_URL is set: asking a simulator in this process. It answers\n" +
      "over real HTTP, and the first attempts of about half of the documents fail."
  )
  return Layer.merge(SimulatedProvider, named("simulated-model"))
}))
