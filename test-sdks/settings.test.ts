import Sdk from "@anthropic-ai/sdk"
import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { GoogleGenAI, ServiceTier } from "@google/genai"
import { Anthropic, Gemini, LlmProvider, LlmRequest, OpenAi, OpenAiChat } from "effect-llm"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import OpenAI from "openai"
import { key, type Running, simulated } from "./simulator.js"

// The bodies of this library equal those that the official SDKs send for the same settings, which their types know; and
// the simulator, which checks them as the services do, answers both.

const apiKey = Redacted.make(key)

/** Sends a request of this library. */
const send = (
  layer: Layer.Layer<LlmProvider.LlmProvider>,
  request: LlmRequest.Input
) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const context = yield* Layer.build(layer)
    const { warnings } = yield* Context.get(context, LlmProvider.LlmProvider).call(yield* LlmRequest.decode(request))
    return warnings
  })))

/** The bodies of the first two requests, which have been answered. */
const bodies = async (simulator: Running) => {
  const [one, other] = await simulator.requests()
  assert.deepStrictEqual([one?.status, other?.status], [200, 200])
  return [one?.body, other?.body]
}

const parameters = {
  type: "object" as const,
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false
}

const tools: ReadonlyArray<LlmRequest.Tool> = [{ name: "weather", description: "Tells the weather.", parameters }]

const conversation: LlmRequest.MessagesInput["messages"] = [
  {
    role: "user",
    content: [
      { _tag: "CachePoint" },
      { _tag: "Text", text: "A long manual." },
      { _tag: "CachePoint", lifetime: "1h" },
      { _tag: "Text", text: "Echo: the Elbe" }
    ]
  }
]

describe("settings, as the official SDKs send them", () => {
  it("OpenAI's Responses", () =>
    simulated({}, async (simulator) => {
      const baseURL = `${simulator.url}/v1`
      await new OpenAI({ apiKey: key, baseURL, maxRetries: 0 }).responses.create({
        model: "gpt-5.6",
        input: [
          {
            role: "system",
            content: [{
              type: "input_text",
              text: "Be terse.",
              prompt_cache_breakpoint: { mode: "explicit", ttl: "12h" }
            }]
          },
          {
            role: "user",
            content: [
              {
                type: "input_text",
                text: "A long manual.",
                prompt_cache_breakpoint: { mode: "explicit", ttl: "30m" }
              },
              { type: "input_text", text: "Echo: the Elbe" }
            ]
          }
        ],
        tools: [{ type: "function", name: "weather", description: "Tells the weather.", parameters, strict: false }],
        parallel_tool_calls: false,
        service_tier: "flex",
        reasoning: { effort: "low", summary: "detailed" },
        text: { verbosity: "low" },
        prompt_cache_key: "rivers",
        prompt_cache_options: { mode: "explicit", ttl: "12h" },
        store: false,
        include: ["reasoning.encrypted_content"]
      })
      const warnings = await send(Layer.provide(OpenAi.layer({ apiKey, baseUrl: baseURL }), FetchHttpClient.layer), {
        model: "gpt-5.6",
        messages: conversation,
        system: "Be terse.",
        tools,
        parallelToolCalls: false,
        serviceTier: "flex",
        reasoningEffort: "low",
        reasoningSummary: "detailed",
        verbosity: "low",
        promptCache: { key: "rivers", lifetime: "12h", automatic: false }
      })
      // OpenAI has lifetimes of its own.
      assert.deepStrictEqual(warnings, [
        "a cache point's lifetime was sent as 30m: gpt-5.6 does not take 1h"
      ])
      const [theirs, ours] = await bodies(simulator)
      assert.deepStrictEqual(ours, theirs)
    }))

  it("OpenAI's Chat Completions", () =>
    simulated({}, async (simulator) => {
      const baseURL = `${simulator.url}/v1`
      await new OpenAI({ apiKey: key, baseURL, maxRetries: 0 }).chat.completions.create({
        model: "gpt-6-sol",
        messages: [{
          role: "user",
          content: [
            { type: "text", text: "A long manual.", prompt_cache_breakpoint: { mode: "explicit", ttl: "12h" } },
            { type: "text", text: "Echo: the Elbe" }
          ]
        }],
        tools: [{ type: "function", function: { name: "weather", description: "Tells the weather.", parameters } }],
        parallel_tool_calls: true,
        service_tier: "priority",
        reasoning_effort: "low",
        verbosity: "high",
        prompt_cache_key: "rivers",
        prompt_cache_options: { ttl: "30m" }
      })
      const layer = OpenAiChat.layer({ apiKey, baseUrl: baseURL })
      await send(Layer.provide(layer, FetchHttpClient.layer), {
        model: "gpt-6-sol",
        messages: [{
          role: "user",
          content: [
            { _tag: "Text", text: "A long manual." },
            { _tag: "CachePoint", lifetime: "12h" },
            { _tag: "Text", text: "Echo: the Elbe" }
          ]
        }],
        tools,
        parallelToolCalls: true,
        serviceTier: "priority",
        reasoningEffort: "low",
        verbosity: "high",
        promptCache: { key: "rivers", lifetime: "30m" }
      })
      const [theirs, ours] = await bodies(simulator)
      assert.deepStrictEqual(ours, theirs)
    }))

  it("Anthropic's Messages", () =>
    simulated({}, async (simulator) => {
      await new Sdk({ apiKey: key, baseURL: simulator.url, maxRetries: 0, logLevel: "off" }).messages.create({
        model: "claude-opus-5-5",
        max_tokens: 9_000,
        system: [{ type: "text", text: "Be terse.", cache_control: { type: "ephemeral", ttl: "1h" } }],
        messages: [{
          role: "user",
          content: [
            { type: "text", text: "A long manual.", cache_control: { type: "ephemeral", ttl: "1h" } },
            { type: "text", text: "Echo: the Elbe" }
          ]
        }],
        tools: [{ name: "weather", description: "Tells the weather.", input_schema: parameters }],
        tool_choice: { type: "auto", disable_parallel_tool_use: true },
        service_tier: "standard_only",
        thinking: { type: "adaptive", display: "summarized" },
        output_config: { effort: "low" },
        cache_control: { type: "ephemeral", ttl: "1h" }
      })
      const layer = Anthropic.layer({ apiKey, baseUrl: simulator.url })
      const warnings = await send(Layer.provide(layer, FetchHttpClient.layer), {
        model: "claude-opus-5-5",
        messages: conversation,
        system: "Be terse.",
        maxTokens: 9_000,
        tools,
        parallelToolCalls: false,
        serviceTier: "standard",
        reasoningEffort: "low",
        reasoningSummary: "auto",
        promptCache: { lifetime: "1h" }
      })
      assert.deepStrictEqual(warnings, [])
      const [theirs, ours] = await bodies(simulator)
      assert.deepStrictEqual(ours, theirs)
    }))

  it("Gemini's generateContent", () =>
    simulated({}, async (simulator) => {
      const client = new GoogleGenAI({ apiKey: key, vertexai: false, httpOptions: { baseUrl: simulator.url } })
      await client.models.generateContent({
        model: "gemini-2.5-flash",
        contents: [{ role: "user", parts: [{ text: "Echo: the Elbe" }] }],
        config: {
          temperature: 0,
          serviceTier: ServiceTier.FLEX,
          thinkingConfig: { includeThoughts: true },
          cachedContent: "cachedContents/rivers"
        }
      })
      const layer = Gemini.layer({ apiKey, baseUrl: simulator.url })
      await send(Layer.provide(layer, FetchHttpClient.layer), {
        model: "gemini-2.5-flash",
        prompt: "Echo: the Elbe",
        serviceTier: "flex",
        reasoningSummary: "auto",
        promptCache: { content: "cachedContents/rivers" }
      })
      const [theirs, ours] = await bodies(simulator)
      assert.deepStrictEqual(ours, theirs)
    }))
})
