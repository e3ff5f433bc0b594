import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import type { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { over } from "../support/simulated.js"

// The simulator checks the settings as the services do: what it answers, they take.

const apiKey = Redacted.make("sk-simulated-0123456789")

const makes = {
  openai: (url: string) => OpenAi.make({ apiKey, baseUrl: `${url}/v1` }),
  openaiChat: (url: string) => OpenAiChat.make({ apiKey, baseUrl: `${url}/v1` }),
  anthropic: (url: string) => Anthropic.make({ apiKey, baseUrl: url }),
  gemini: (url: string) => Gemini.make({ apiKey, baseUrl: url }),
  ollama: (url: string) => Ollama.make({ baseUrl: url })
}

type Name = keyof typeof makes

const names = Object.keys(makes) as ReadonlyArray<Name>

/** A model of each provider that takes all settings, and one that takes few. */
const models: { readonly [Of in Name]: readonly [able: string, plain: string] } = {
  openai: ["gpt-5.6", "gpt-4o-mini"],
  openaiChat: ["gpt-5.6", "gpt-4o-mini"],
  anthropic: ["claude-opus-5-5", "claude-haiku-4-5"],
  gemini: ["gemini-2.5-flash", "gemini-2.0-flash"],
  ollama: ["qwen3", "llama3.2"]
}

const on = <A, E>(
  name: Name,
  test: (provider: LlmProvider.Service, simulator: Simulator.Service) => Effect.Effect<
    A,
    E,
    HttpClient.HttpClient | Scope.Scope
  >,
  options: Simulator.Options = {}
) => over(options, (simulator) => Effect.flatMap(makes[name](simulator.url), (provider) => test(provider, simulator)))

/** The answer to a request, which is the same whole and streamed. */
const answer = (provider: LlmProvider.Service, input: LlmRequest.Input) =>
  Effect.gen(function*() {
    const request = yield* LlmRequest.decode(input)
    const whole = yield* provider.call(request)
    const parts = yield* Stream.runCollect(provider.stream(request))
    const last = [...parts].at(-1)
    assert(last?._tag === "Finish")
    assert.deepStrictEqual(last.response.parts, whole.parts)
    assert.deepStrictEqual(last.response.usage, whole.usage)
    return whole
  })

const shown = ({ parts }: LlmResponse.LlmResponse) =>
  parts.flatMap((part) => part._tag === "Reasoning" && part.text ? [part.text] : [])

const tools = ["get_weather", "get_rain"].map((name): LlmRequest.Tool => ({
  name,
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
}))

const all: LlmRequest.Settings = {
  serviceTier: "priority",
  verbosity: "low",
  parallelToolCalls: false,
  reasoningSummary: "auto",
  promptCache: { lifetime: "1h", key: "rivers" },
  tools
}

const conversation: LlmRequest.MessagesInput["messages"] = [
  {
    role: "user",
    content: [
      { _tag: "CachePoint" },
      { _tag: "Text", text: "A long manual." },
      { _tag: "CachePoint", lifetime: "1h" },
      { _tag: "Text", text: "Hello." }
    ]
  },
  { role: "assistant", content: "Hello." },
  { role: "user", content: [{ _tag: "CachePoint" }, { _tag: "Text", text: "Echo: the Elbe" }] }
]

describe("settings, on the simulator", () => {
  for (const name of names) {
    for (const model of models[name]) {
      it.scopedLive(`are sent so that the service takes all of them at once: ${model} of ${name}`, () =>
        on(name, (provider) =>
          Effect.gen(function*() {
            const { text } = yield* answer(provider, {
              model,
              messages: conversation,
              system: "Be terse.",
              maxTokens: 9_000,
              ...all
            })
            assert.strictEqual(text, "the Elbe")
          })))
    }

    if (name !== "gemini" && name !== "ollama") {
      it.scopedLive(`keep a model to one call at a time: ${name}`, () =>
        on(name, (provider) =>
          Effect.gen(function*() {
            const [model] = models[name]
            const request = { model, prompt: "get_weather, then get_rain", tools, maxTokens: 9_000 }
            assert.lengthOf((yield* answer(provider, request)).toolCalls, 2)
            assert.lengthOf((yield* answer(provider, { ...request, parallelToolCalls: false })).toolCalls, 1)
          })))
    }
  }

  for (const name of ["openai", "openaiChat", "gemini"] as const) {
    it.scopedLive(`name the tier that an answer states: ${name}`, () =>
      on(name, (provider) =>
        Effect.gen(function*() {
          const [model] = models[name]
          for (const tier of ["flex", "priority"] as const) {
            const { usage } = yield* answer(provider, { model, prompt: "Hello.", serviceTier: tier })
            assert.strictEqual(usage.serviceTier, tier)
          }
          for (const serviceTier of ["auto", "standard", undefined] as const) {
            const { usage } = yield* answer(provider, { model, prompt: "Hello.", serviceTier })
            assert.notProperty(usage, "serviceTier")
          }
        })))
  }

  for (const [name, model] of [["openai", "gpt-5"], ["anthropic", "claude-opus-5-5"]] as const) {
    it.scopedLive(`show the thoughts of a model that is silent by default: ${name}`, () =>
      on(name, (provider) =>
        Effect.gen(function*() {
          const request: LlmRequest.Input = { model, prompt: "Hello.", reasoningEffort: "low" }
          assert.deepStrictEqual(shown(yield* answer(provider, request)), [])
          assert.deepStrictEqual(shown(yield* answer(provider, { ...request, reasoningSummary: "none" })), [])
          assert.lengthOf(shown(yield* answer(provider, { ...request, reasoningSummary: "auto" })), 1)
        })))
  }

  it.scopedLive("show and hide the thoughts of Gemini", () =>
    on("gemini", (provider) =>
      Effect.gen(function*() {
        const request = { model: "gemini-2.5-flash", prompt: "Hello." }
        assert.deepStrictEqual(shown(yield* answer(provider, request)), [])
        assert.lengthOf(shown(yield* answer(provider, { ...request, reasoningSummary: "auto" })), 1)
        const thoughtful: LlmRequest.Input = { ...request, reasoningEffort: "low" }
        assert.lengthOf(shown(yield* answer(provider, thoughtful)), 1)
        assert.deepStrictEqual(shown(yield* answer(provider, { ...thoughtful, reasoningSummary: "none" })), [])
      })))

  it.scopedLive("write to Anthropic's cache for the lifetime that the answer counts", () =>
    on("anthropic", (provider) =>
      Effect.gen(function*() {
        const request = { model: "claude-haiku-4-5", prompt: "Hello, and good-bye." }
        const written = (promptCache: LlmRequest.PromptCache) =>
          Effect.map(answer(provider, { ...request, promptCache }), ({ usage }) => [
            usage.cacheWrite5mTokens,
            usage.cacheWrite1hTokens
          ])
        assert.deepStrictEqual(yield* written({ lifetime: "5m" }), [3, 0])
        assert.deepStrictEqual(yield* written({ lifetime: "1h" }), [0, 3])
      }), { answer: () => ({ text: "Hello.", cacheWriteTokens: 3 }) }))

  it.scopedLive("name a cached content of Gemini, which has its own instructions and tools", () =>
    on("gemini", (provider, simulator) =>
      Effect.gen(function*() {
        const { text, warnings } = yield* answer(provider, {
          model: "gemini-2.5-flash",
          prompt: "Echo: the Elbe",
          system: "Be terse.",
          tools,
          promptCache: { content: "cachedContents/rivers" }
        })
        assert.strictEqual(text, "the Elbe")
        assert.deepStrictEqual(warnings, [
          "system was not sent: the cached content has its own",
          "tools was not sent: the cached content has its own"
        ])
        const [first] = yield* simulator.requests
        assert.deepInclude(first?.body, { cachedContent: "cachedContents/rivers" })
      })))

  it.scopedLive("that a model refuses are left out, which is remembered, and the answer says so", () =>
    over({}, (simulator) =>
      Effect.gen(function*() {
        const provider = yield* OpenAi.make({
          apiKey,
          baseUrl: `${simulator.url}/v1`,
          // Facts that have changed since.
          models: { "gpt-4.1": { verbosity: true, promptCache: "options" } }
        })
        const request = yield* LlmRequest.decode({
          model: "gpt-4.1",
          messages: conversation,
          verbosity: "low",
          promptCache: { lifetime: "12h" }
        })
        for (const requests of [3, 4]) {
          const { text, warnings } = yield* provider.call(request)
          assert.strictEqual(text, "the Elbe")
          assert.sameMembers([...warnings], [
            "verbosity was not sent: openai has refused it for gpt-4.1",
            "promptCache was not sent: openai has refused it for gpt-4.1"
          ])
          assert.lengthOf(yield* simulator.requests, requests)
        }
        // A request that does not have them loses nothing.
        const plain = yield* LlmRequest.decode({ model: "gpt-4.1", prompt: "Echo: the Elbe" })
        assert.deepStrictEqual((yield* provider.call(plain)).warnings, [])
      })))
})
