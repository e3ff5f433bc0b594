import { HttpClient, HttpClientRequest } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Config, Context, Effect, Layer, Option } from "effect"
import { Anthropic, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"
import { Problem, settingsFrom } from "./problem.js"

/** Whom the job asks. */
export class Target extends Context.Tag("quickstart/Target")<Target, {
  readonly model: string
  /** A sentence that names model and address. */
  readonly description: string
}>() {}

const target = (model: string, description: string) => Layer.succeed(Target, { model, description })

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
    const model = yield* optional(Config.string("LLM_MODEL"))
    if (Option.isNone(model)) {
      return yield* new Problem({ message: "LLM_MODEL must name the model to ask at LLM_BASE_URL." })
    }
    const apiKey = yield* optional(Config.redacted("LLM_API_KEY"))
    return OpenAiChat.layer({ baseUrl: baseUrl.value, apiKey: Option.getOrUndefined(apiKey) }).pipe(
      settingsFrom(Option.isSome(apiKey) ? "LLM_BASE_URL with LLM_API_KEY" : "LLM_BASE_URL"),
      Layer.merge(target(model.value, `Asking ${model.value} at ${baseUrl.value}`))
    )
  }
  if (Option.isSome(openAiKey)) {
    return OpenAiChat.layer({ apiKey: openAiKey.value }).pipe(
      settingsFrom("OPENAI_API_KEY"),
      Layer.merge(target("gpt-4o-mini", "Asking gpt-4o-mini at https://api.openai.com"))
    )
  }
  if (Option.isSome(anthropicKey)) {
    return Anthropic.layer({ apiKey: anthropicKey.value }).pipe(
      settingsFrom("ANTHROPIC_API_KEY"),
      Layer.merge(target("claude-haiku-4-5", "Asking claude-haiku-4-5 at https://api.anthropic.com"))
    )
  }
  return Layer.merge(
    SimulatedProvider,
    target(
      "simulated-model",
      "None of OPENAI_API_KEY, ANTHROPIC_API_KEY and LLM_BASE_URL is set: asking a simulator in this process. " +
        "It answers over real HTTP, and the first attempts of about half of the documents fail."
    )
  )
}))
