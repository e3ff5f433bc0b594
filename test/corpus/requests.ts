import * as AnthropicTools from "effect-llm/AnthropicTools"
import * as GeminiTools from "effect-llm/GeminiTools"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as OpenAiTools from "effect-llm/OpenAiTools"
import * as FastCheck from "effect/FastCheck"

/**
 * Requests of all kinds: each part of a message, each setting, alone and among others. What a provider does not take is
 * part of it: its warning or its error is compared, too.
 */

const picture = Message.ImageBytes.make({
  bytes: Uint8Array.from({ length: 40 }, (_, i) => (i * 37) % 256),
  mediaType: "image/png"
})

const text = (text: string, fields: Partial<Message.Text> = {}): Message.Text => Message.Text.make({ text, ...fields })

const odd = "Grüße, 世界 \u{1F30A} \u2028 \u0000 \"quoted\" \\ </script>"

const user = (...content: Message.UserMessage["content"]): Message.Input => ({ role: "user", content })

const weather: LlmRequest.Tool = {
  name: "weather",
  description: "The weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, days: { type: "integer", minimum: 1, maximum: 7 } },
    required: ["city"],
    additionalProperties: false
  },
  strict: true
}

const clock: LlmRequest.Tool = {
  name: "clock",
  parameters: { type: "object", properties: {} },
  providerOptions: { anthropic: { defer_loading: true }, openai: { defer_loading: true } }
}

const outputSchema: LlmRequest.OutputSchema = {
  name: "river",
  description: "A river.",
  schema: {
    type: "object",
    properties: { name: { type: "string" }, length: { type: ["number", "null"] } },
    required: ["name", "length"],
    additionalProperties: false
  }
}

/** A turn that has everything which an answer may have. */
const answered: ReadonlyArray<Message.Input> = [
  user(text("What is the weather in Rome and in Oslo?")),
  {
    role: "assistant",
    content: [
      Message.Reasoning.make({ text: "Two cities, two calls.", signature: "c2ln", provider: "anthropic" }),
      Message.Reasoning.make({ encrypted: "ZW5j", id: "rs_1", provider: "openai" }),
      text("I look it up.", { signature: "AA==", phase: "commentary" }),
      Message.ToolCall.make({ id: "call_1", name: "weather", arguments: { city: "Rome", days: 2 }, signature: "Qg==" }),
      Message.ToolCall.make({ id: "call_2", name: "weather", arguments: { city: odd } })
    ]
  },
  {
    role: "tool",
    content: [
      Message.ToolResult.make({ id: "call_1", name: "weather", result: { sky: "clear", degrees: [21.5, -0, 1e21] } }),
      Message.ToolResult.make({
        id: "call_2",
        name: "weather",
        result: "no such city",
        isError: true,
        parts: [text("See the map."), picture]
      })
    ]
  }
]

const prompt = "Name three rivers."

/** By their names. The model is that of the provider. */
export const named: { readonly [name: string]: Omit<LlmRequest.MessagesInput, "model"> } = {
  "a prompt": { messages: [{ role: "user", content: prompt }] },
  "odd characters": { messages: [user(text(odd))], system: odd },
  "half a character": { messages: [user(text("\ud800"))] },
  "a system message": {
    messages: [
      { role: "system", content: "Be terse." },
      { role: "user", content: prompt },
      { role: "system", content: [text("In German."), text("And loud.")] },
      { role: "assistant", content: "Elbe" },
      { role: "user", content: "And two more." }
    ],
    system: "You know rivers."
  },
  "an image by its address": {
    messages: [user(text("What is it?"), Message.ImageUrl.make({ url: "https://example.com/a.png", detail: "low" }))]
  },
  "an image of bytes": { messages: [user(picture, text("What is it?"))] },
  "a file by its address": {
    messages: [
      user(
        Message.FileUrl.make({ url: "https://example.com/a.pdf", mediaType: "application/pdf", name: "a.pdf" }),
        text("Sum it up.")
      )
    ]
  },
  "a file of bytes": {
    messages: [
      user(
        Message.FileBytes.make({
          bytes: new Uint8Array([37, 80, 68, 70]),
          mediaType: "application/pdf",
          name: "é.pdf"
        }),
        Message.FileBytes.make({ bytes: new Uint8Array([72, 105]), mediaType: "text/plain" }),
        text("Sum it up.")
      )
    ]
  },
  "a turn with tools": { messages: answered, tools: [weather, clock] },
  "a turn with tools and another question": {
    messages: [...answered, user(text("Thanks. And in Bergen?"))],
    tools: [weather],
    toolChoice: { tool: "weather" },
    parallelToolCalls: false
  },
  "a refusal, a source and a block of the provider": {
    messages: [
      user(text(prompt)),
      {
        role: "assistant",
        content: [
          text("Elbe.", { native: { provider: "anthropic", fields: { citations: [] } } }),
          Message.Source.make({
            provider: "anthropic",
            kind: "web_search_result",
            url: "https://example.com",
            title: "Rivers",
            span: { start: 0, end: 4 },
            json: { type: "web_search_result_location", cited_text: "Elbe" }
          }),
          ...["anthropic", "openai", "gemini", "openaiChat"].map((provider) =>
            Message.Opaque.make({ provider, kind: "hologram", json: { type: "hologram", depth: [1.5, null] } })
          ),
          Message.Refusal.make({ text: "I can't." })
        ]
      },
      user(text("Why?"))
    ]
  },
  "cache points": {
    messages: [
      user(text("A long manual."), Message.CachePoint.make({ lifetime: "1h" }), text("A question.")),
      { role: "assistant", content: "An answer." },
      user(Message.CachePoint.make({}), text("Another question."))
    ],
    promptCache: { lifetime: "5m", automatic: true, key: "manual" }
  },
  "a cached content": { messages: [user(text(prompt))], promptCache: { content: "cachedContents/abc" }, system: "x" },
  "tools, and any of them": { messages: [user(text(prompt))], tools: [weather, clock], toolChoice: "required" },
  "tools, and none of them": { messages: [user(text(prompt))], tools: [weather], toolChoice: "none" },
  "an output schema": { messages: [user(text(prompt))], outputSchema },
  "an output schema beside tools": { messages: [user(text(prompt))], outputSchema, tools: [weather] },
  "a loose output schema": { messages: [user(text(prompt))], outputSchema: { ...outputSchema, strict: false } },
  "any JSON": { messages: [user(text(prompt))], outputFormat: "json" },
  "fields of the provider": {
    messages: [
      {
        role: "user",
        content: [text(prompt, { providerOptions: { anthropic: { citations: { enabled: true } }, gemini: { a: 1 } } })],
        providerOptions: { openaiChat: { name: "ada" }, ollama: { b: 2 } }
      }
    ],
    providerOptions: {
      openai: { metadata: { b: "2", a: "1" }, include: ["message.output_text.logprobs"] },
      openaiChat: { logprobs: true, top_logprobs: 2 },
      anthropic: { metadata: { user_id: "u" }, context_management: { edits: [] } },
      gemini: { safetySettings: [], generationConfig: { responseLogprobs: true } },
      ollama: { options: { num_ctx: 8192 } }
    }
  },
  "tools of Anthropic": {
    messages: [user(text(prompt))],
    providerTools: [
      AnthropicTools.webSearch({ maxUses: 2, allowedDomains: ["example.com"] }),
      AnthropicTools.webFetch({ citations: true }),
      AnthropicTools.codeExecution(),
      AnthropicTools.mcp({ name: "maps", url: "https://maps.example.com/mcp" })
    ]
  },
  "tools of Gemini": {
    messages: [user(text(prompt))],
    providerTools: [GeminiTools.googleSearch(), GeminiTools.urlContext(), GeminiTools.codeExecution()]
  },
  "tools of OpenAI": {
    messages: [user(text(prompt))],
    providerTools: [
      OpenAiTools.webSearch({ contextSize: "low" }),
      OpenAiTools.fileSearch({ vectorStoreIds: ["vs_1"], maxResults: 3 }),
      OpenAiTools.codeInterpreter({ memoryLimit: "4g" }),
      OpenAiTools.mcp({ label: "maps", url: "https://maps.example.com/mcp", requireApproval: "never" })
    ],
    tools: [weather]
  }
}

/** All settings, by one value of each that the fields take. */
const settings: { readonly [Field in keyof LlmRequest.Settings]-?: ReadonlyArray<LlmRequest.Settings[Field]> } = {
  system: ["You know rivers.", odd],
  temperature: [0, 0.7, 2],
  maxTokens: [1, 4096],
  topP: [0, 0.1, 1],
  topK: [1, 40],
  stop: ["END", ["END", "\n\n"]],
  seed: [0, 42],
  reasoningEffort: ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
  reasoningSummary: ["none", "auto", "concise", "detailed"],
  verbosity: ["low", "medium", "high"],
  serviceTier: ["auto", "standard", "flex", "priority"],
  promptCache: [{}, { lifetime: "1h" }, { lifetime: "24h", key: "k" }, { automatic: false }],
  tools: [[], [weather], [clock, weather]],
  providerTools: [[], [AnthropicTools.webSearch()], [OpenAiTools.webSearch()], [GeminiTools.googleSearch()]],
  toolChoice: ["auto", "none", "required", { tool: "weather" }],
  parallelToolCalls: [true, false],
  outputSchema: [outputSchema, { ...outputSchema, strict: false }],
  outputFormat: ["json"],
  user: ["user-1"],
  providerOptions: [{}, { openai: { store: true } }, { anthropic: { x: [1] }, gemini: { y: null } }]
}

/** Each setting with each of its values. */
export const alone: ReadonlyArray<readonly [name: string, request: Omit<LlmRequest.PromptInput, "model">]> = Object
  .entries(settings).flatMap(([field, values]) =>
    values.map((value, n) => [`${field} ${n + 1}`, { prompt, [field]: value }] as const)
  )

// A tool of another provider would be all that is seen of a request.
const { providerTools: _, ...ofEveryProvider } = settings

const someSettings = FastCheck.record(
  Object.fromEntries(
    Object.entries(ofEveryProvider).map(([field, values]) => [field, FastCheck.constantFrom(...values)])
  ),
  { requiredKeys: [] }
).map((settings) => settings.toolChoice === undefined ? settings : { ...settings, tools: [clock, weather] })

const someMessages = FastCheck.array(
  FastCheck.constantFrom(
    ...Object.entries(named).filter(([name]) => name !== "half a character").map(([, { messages }]) => messages)
  ),
  { minLength: 1, maxLength: 3 }
).map((chosen) => chosen.flat())

/** Messages and settings as chance puts them together: the same in every run. */
export const mixed = (count: number): ReadonlyArray<Omit<LlmRequest.MessagesInput, "model">> =>
  FastCheck.sample(
    FastCheck.tuple(someMessages, someSettings).map(([messages, settings]) => ({ messages, ...settings })),
    { seed: 4, numRuns: count }
  )
