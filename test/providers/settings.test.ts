import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import { json, provider } from "../support/fakeHttp.js"

const layers = {
  openai: OpenAi.layer({}),
  openaiChat: OpenAiChat.layer({}),
  openrouter: OpenAiChat.layer(OpenAiChat.openRouter({})),
  groq: OpenAiChat.layer(OpenAiChat.groq({})),
  mistral: OpenAiChat.layer(OpenAiChat.mistral({})),
  anthropic: Anthropic.layer({}),
  gemini: Gemini.layer({}),
  ollama: Ollama.layer()
}

type Name = keyof typeof layers

const tool: LlmRequest.Tool = { name: "lookup", parameters: { type: "object", properties: {} } }

/** The body of a request, and the warnings of the answer. */
const sent = (name: Name, request: LlmRequest.Input) =>
  Effect.gen(function*() {
    const service = yield* provider(layers[name], json(answers[name] ?? answers.openaiChat))
    const { warnings } = yield* service.call(request)
    const [first] = service.sent
    assert(first !== undefined)
    return { body: first.body, warnings }
  })

const chat = { choices: [{ message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }], model: "m" }

const answers: { readonly [name: string]: unknown } = {
  openai: {
    id: "resp_1",
    status: "completed",
    model: "m",
    output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi" }] }]
  },
  openaiChat: chat,
  anthropic: { id: "msg_1", model: "m", content: [{ type: "text", text: "Hi" }], stop_reason: "end_turn", usage: {} },
  gemini: { candidates: [{ content: { parts: [{ text: "Hi" }] }, finishReason: "STOP" }] },
  ollama: { model: "m", message: { role: "assistant", content: "Hi" }, done: true, done_reason: "stop" }
}

interface Case {
  readonly provider: Name
  readonly model: string
  readonly settings: LlmRequest.Settings
  /** The fields of the body that the settings make. */
  readonly fields: { readonly [field: string]: unknown }
  readonly warnings?: ReadonlyArray<string>
}

const cases: { readonly [setting: string]: ReadonlyArray<Case> } = {
  serviceTier: [
    ...([["auto", "auto"], ["standard", "default"], ["flex", "flex"], ["priority", "priority"]] as const).flatMap(
      ([serviceTier, tier]) =>
        (["openai", "openaiChat", "openrouter"] as const).map((provider) => ({
          provider,
          model: "gpt-5",
          settings: { serviceTier },
          fields: { service_tier: tier }
        }))
    ),
    { provider: "groq", model: "m", settings: { serviceTier: "standard" }, fields: { service_tier: "on_demand" } },
    { provider: "groq", model: "m", settings: { serviceTier: "priority" }, fields: { service_tier: "performance" } },
    { provider: "mistral", model: "m", settings: { serviceTier: "standard" }, fields: { service_tier: undefined } },
    {
      provider: "mistral",
      model: "m",
      settings: { serviceTier: "flex" },
      fields: { service_tier: undefined },
      warnings: ["serviceTier was not sent: mistral does not take flex"]
    },
    { provider: "anthropic", model: "m", settings: { serviceTier: "auto" }, fields: { service_tier: "auto" } },
    {
      provider: "anthropic",
      model: "m",
      settings: { serviceTier: "standard" },
      fields: { service_tier: "standard_only" }
    },
    {
      provider: "anthropic",
      model: "m",
      settings: { serviceTier: "priority" },
      fields: { service_tier: "auto" },
      warnings: ["serviceTier was sent as auto: anthropic gives priority to accounts, not to requests"]
    },
    {
      provider: "anthropic",
      model: "m",
      settings: { serviceTier: "flex" },
      fields: { service_tier: undefined },
      warnings: ["serviceTier was not sent: anthropic does not take flex"]
    },
    {
      provider: "gemini",
      model: "gemini-2.5-flash",
      settings: { serviceTier: "flex" },
      fields: { serviceTier: "flex" }
    },
    {
      provider: "gemini",
      model: "gemini-2.5-flash",
      settings: { serviceTier: "auto" },
      fields: { serviceTier: undefined }
    },
    {
      provider: "ollama",
      model: "llama3.2",
      settings: { serviceTier: "priority" },
      fields: { service_tier: undefined },
      warnings: ["serviceTier was not sent: the protocol has no such field"]
    },
    { provider: "ollama", model: "llama3.2", settings: { serviceTier: "standard" }, fields: {} }
  ],
  verbosity: [
    { provider: "openai", model: "gpt-5", settings: { verbosity: "low" }, fields: { text: { verbosity: "low" } } },
    {
      provider: "openai",
      model: "gpt-5",
      settings: { verbosity: "high", outputFormat: "json", providerOptions: { openai: { text: { a: 1 } } } },
      fields: { text: { format: { type: "json_object" }, verbosity: "high", a: 1 } }
    },
    {
      provider: "openai",
      model: "gpt-4o-mini",
      settings: { verbosity: "low" },
      fields: { text: undefined },
      warnings: ["verbosity was not sent: gpt-4o-mini does not take it"]
    },
    { provider: "openai", model: "gpt-4o-mini", settings: { verbosity: "medium" }, fields: { text: undefined } },
    { provider: "openaiChat", model: "gpt-5", settings: { verbosity: "low" }, fields: { verbosity: "low" } },
    {
      provider: "openaiChat",
      model: "gpt-4o-mini",
      settings: { verbosity: "high" },
      fields: { verbosity: undefined },
      warnings: ["verbosity was not sent: gpt-4o-mini does not take it"]
    },
    ...(["groq", "mistral", "anthropic", "gemini"] as const).map((provider) => ({
      provider,
      model: "m",
      settings: { verbosity: "low" as const },
      fields: { verbosity: undefined },
      warnings: [`verbosity was not sent: ${provider} does not take it`]
    })),
    {
      provider: "ollama",
      model: "llama3.2",
      settings: { verbosity: "low" },
      fields: { verbosity: undefined },
      warnings: ["verbosity was not sent: the protocol has no such field"]
    }
  ],
  parallelToolCalls: [
    ...(["openai", "openaiChat", "openrouter", "groq", "mistral"] as const).flatMap((provider): ReadonlyArray<Case> => [
      { provider, model: "m", settings: { parallelToolCalls: false }, fields: { parallel_tool_calls: undefined } },
      ...[true, false].map((parallelToolCalls) => ({
        provider,
        model: "m",
        settings: { parallelToolCalls, tools: [tool] },
        fields: { parallel_tool_calls: parallelToolCalls }
      }))
    ]),
    {
      provider: "openai",
      model: "gpt-5",
      settings: { parallelToolCalls: false, providerOptions: { openai: { tools: [{ type: "web_search" }] } } },
      fields: { parallel_tool_calls: false }
    },
    {
      provider: "anthropic",
      model: "claude-haiku-4-5",
      settings: { parallelToolCalls: false, tools: [tool] },
      fields: { tool_choice: { type: "auto", disable_parallel_tool_use: true } }
    },
    {
      provider: "anthropic",
      model: "claude-haiku-4-5",
      settings: { parallelToolCalls: false, tools: [tool], toolChoice: { tool: "lookup" } },
      fields: { tool_choice: { type: "tool", name: "lookup", disable_parallel_tool_use: true } }
    },
    {
      provider: "anthropic",
      model: "claude-haiku-4-5",
      settings: { parallelToolCalls: false, tools: [tool], toolChoice: "none" },
      fields: { tool_choice: { type: "none" } }
    },
    {
      provider: "anthropic",
      model: "claude-haiku-4-5",
      settings: { parallelToolCalls: true, tools: [tool] },
      fields: { tool_choice: undefined }
    },
    { provider: "gemini", model: "m", settings: { parallelToolCalls: true, tools: [tool] }, fields: {} },
    {
      provider: "gemini",
      model: "m",
      settings: { parallelToolCalls: false, tools: [tool] },
      fields: {},
      warnings: ["parallelToolCalls was not sent: gemini does not take it"]
    },
    {
      provider: "ollama",
      model: "llama3.2",
      settings: { parallelToolCalls: false, tools: [tool] },
      fields: {},
      warnings: ["parallelToolCalls was not sent: the protocol has no such field"]
    }
  ],
  reasoningSummary: [
    {
      provider: "openai",
      model: "gpt-5",
      settings: { reasoningSummary: "detailed", reasoningEffort: "low" },
      fields: { reasoning: { effort: "low", summary: "detailed" } }
    },
    { provider: "openai", model: "gpt-5", settings: { reasoningSummary: "none" }, fields: { reasoning: undefined } },
    {
      provider: "openai",
      model: "gpt-4o-mini",
      settings: { reasoningSummary: "auto" },
      fields: { reasoning: undefined },
      warnings: ["reasoningSummary was not sent: gpt-4o-mini does not reason"]
    },
    {
      provider: "openaiChat",
      model: "gpt-5",
      settings: { reasoningSummary: "auto" },
      fields: { include_reasoning: undefined },
      warnings: ["reasoningSummary was not sent: openai shows thoughts in Responses only (OpenAi.layer)"]
    },
    { provider: "groq", model: "m", settings: { reasoningSummary: "none" }, fields: { include_reasoning: false } },
    { provider: "openrouter", model: "m", settings: { reasoningSummary: "auto" }, fields: { include_reasoning: true } },
    {
      provider: "openrouter",
      model: "m",
      settings: { reasoningSummary: "concise" },
      fields: { include_reasoning: true },
      warnings: ["reasoningSummary was sent as auto: openrouter has one length"]
    },
    {
      provider: "mistral",
      model: "m",
      settings: { reasoningSummary: "none" },
      fields: { include_reasoning: undefined },
      warnings: ["reasoningSummary was not sent: mistral cannot hide thoughts"]
    },
    // The newest think in silence, unless they are asked to show it.
    {
      provider: "anthropic",
      model: "claude-opus-5-5",
      settings: { reasoningSummary: "auto" },
      fields: { thinking: { type: "adaptive", display: "summarized" } }
    },
    {
      provider: "anthropic",
      model: "claude-opus-5-5",
      settings: { reasoningSummary: "none", reasoningEffort: "high" },
      fields: { thinking: { type: "adaptive", display: "omitted" }, output_config: { effort: "high" } }
    },
    {
      provider: "anthropic",
      model: "claude-haiku-4-5",
      settings: { reasoningSummary: "detailed", reasoningEffort: "low" },
      fields: { thinking: { type: "enabled", budget_tokens: 2_048, display: "summarized" } },
      warnings: ["reasoningSummary was sent as summarized: anthropic has one length"]
    },
    {
      provider: "anthropic",
      model: "claude-haiku-5-5",
      settings: { reasoningSummary: "auto", reasoningEffort: "none" },
      fields: { thinking: { type: "disabled" } }
    },
    {
      provider: "anthropic",
      model: "claude-opus-4-8",
      settings: { reasoningSummary: "auto" },
      fields: { thinking: undefined },
      warnings: ["reasoningSummary was not sent: claude-opus-4-8 thinks only if it is asked for a reasoningEffort"]
    },
    // Thinking and a forced tool exclude each other where a model can do without.
    {
      provider: "anthropic",
      model: "claude-haiku-5-5",
      settings: { reasoningSummary: "none", tools: [tool], toolChoice: "required" },
      fields: { thinking: undefined }
    },
    {
      provider: "gemini",
      model: "gemini-2.5-flash",
      settings: { reasoningSummary: "auto" },
      fields: { generationConfig: { temperature: 0, thinkingConfig: { includeThoughts: true } } }
    },
    {
      provider: "gemini",
      model: "gemini-3-pro-preview",
      settings: { reasoningSummary: "none", reasoningEffort: "low" },
      fields: { generationConfig: { thinkingConfig: { thinkingLevel: "LOW", includeThoughts: false } } }
    },
    {
      provider: "gemini",
      model: "gemini-2.0-flash",
      settings: { reasoningSummary: "auto" },
      fields: { generationConfig: { temperature: 0 } },
      warnings: ["reasoningSummary was not sent: gemini-2.0-flash does not reason"]
    },
    { provider: "ollama", model: "qwen3", settings: { reasoningSummary: "auto" }, fields: {} },
    {
      provider: "ollama",
      model: "qwen3",
      settings: { reasoningSummary: "none" },
      fields: {},
      warnings: ["reasoningSummary was not sent: the protocol has no such field"]
    }
  ],
  promptCache: [
    {
      provider: "openai",
      model: "gpt-5.6",
      settings: { promptCache: { key: "manual", lifetime: "12h", automatic: false } },
      fields: { prompt_cache_key: "manual", prompt_cache_options: { mode: "explicit", ttl: "12h" } }
    },
    {
      provider: "openai",
      model: "gpt-5.6",
      settings: { promptCache: { lifetime: "1h" } },
      fields: { prompt_cache_options: { ttl: "30m" } },
      warnings: ["promptCache.lifetime was sent as 30m: gpt-5.6 does not take 1h"]
    },
    {
      provider: "openaiChat",
      model: "gpt-5.1",
      settings: { promptCache: { key: "manual", lifetime: "24h" } },
      fields: { prompt_cache_key: "manual", prompt_cache_retention: "24h", prompt_cache_options: undefined }
    },
    {
      provider: "openai",
      model: "gpt-5.1",
      settings: { promptCache: { lifetime: "1h", automatic: false } },
      fields: { prompt_cache_retention: undefined, prompt_cache_options: undefined },
      warnings: [
        "promptCache.lifetime was not sent: gpt-5.1 takes 24h, or its own",
        "promptCache.automatic was not sent: gpt-5.1 takes no cache points"
      ]
    },
    {
      provider: "openrouter",
      model: "anthropic/claude-haiku-4.5",
      settings: { promptCache: { lifetime: "1h" } },
      fields: { cache_control: { type: "ephemeral", ttl: "1h" } }
    },
    {
      provider: "anthropic",
      model: "claude-haiku-4-5",
      settings: { promptCache: { lifetime: "24h", key: "manual" } },
      fields: { cache_control: { type: "ephemeral", ttl: "1h" } },
      warnings: [
        "promptCache.lifetime was sent as 1h: anthropic does not take 24h",
        "promptCache.key was not sent: anthropic does not take it"
      ]
    },
    {
      provider: "anthropic",
      model: "claude-haiku-4-5",
      settings: { promptCache: { automatic: true } },
      fields: { cache_control: { type: "ephemeral", ttl: "5m" } }
    },
    {
      provider: "gemini",
      model: "gemini-2.5-flash",
      settings: {
        system: "Be terse.",
        tools: [tool],
        toolChoice: "none",
        promptCache: { content: "cachedContents/manual" }
      },
      fields: {
        cachedContent: "cachedContents/manual",
        systemInstruction: undefined,
        tools: undefined,
        toolConfig: undefined
      },
      warnings: ["system", "tools", "toolChoice"].map((field) =>
        `${field} was not sent: the cached content has its own`
      )
    },
    ...(["gemini", "ollama", "mistral"] as const).map((provider) => ({
      provider,
      model: "m",
      settings: { promptCache: { lifetime: "1h" as const, key: "manual" } },
      fields: { prompt_cache_key: undefined, cache_control: undefined },
      warnings: ["lifetime", "key"].map((field) => `promptCache.${field} was not sent: ${provider} does not take it`)
    }))
  ]
}

describe("settings that not all providers have", () => {
  for (const [setting, list] of Object.entries(cases)) {
    describe(setting, () => {
      for (const { fields, model, provider, settings, warnings = [] } of list) {
        const { [setting as keyof LlmRequest.Settings]: value } = settings
        const more = Object.keys(settings).filter((name) => name !== setting)
        it.effect(
          `${JSON.stringify(value)} to ${model} of ${provider}${more.length === 0 ? "" : ` with ${more.join(", ")}`}`,
          () =>
            Effect.gen(function*() {
              const { body, warnings: said } = yield* sent(provider, { model, prompt: "Name a river.", ...settings })
              for (const [field, value] of Object.entries(fields)) {
                assert.deepStrictEqual(body[field], value, field)
              }
              assert.deepStrictEqual(said, warnings)
            })
        )
      }
    })
  }

  it.effect("are silent if they are absent: the body has none of their fields", () =>
    Effect.gen(function*() {
      const fields = [
        "service_tier",
        "serviceTier",
        "verbosity",
        "text",
        "parallel_tool_calls",
        "reasoning",
        "include_reasoning",
        "thinking",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "cache_control",
        "cachedContent"
      ]
      for (const name of Object.keys(layers) as ReadonlyArray<Name>) {
        const { body, warnings } = yield* sent(name, { model: "m", prompt: "Name a river." })
        assert.deepStrictEqual(Object.keys(body).filter((field) => fields.includes(field)), [], name)
        assert.deepStrictEqual(warnings, [])
      }
    }))

  it.effect("are overridden by raw fields", () =>
    Effect.gen(function*() {
      const { body } = yield* sent("openai", {
        model: "gpt-5",
        prompt: "Name a river.",
        serviceTier: "flex",
        verbosity: "low",
        reasoningSummary: "auto",
        providerOptions: {
          openai: { service_tier: "scale", text: { verbosity: "high" }, reasoning: { summary: null } }
        }
      })
      assert.deepStrictEqual([body.service_tier, body.text, body.reasoning], [
        "scale",
        { verbosity: "high" },
        { summary: null }
      ])
    }))
})
