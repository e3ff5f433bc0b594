import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { json, provider, reasonOf } from "../../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }

const claude = (options: Anthropic.Options = {}) =>
  Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef"), ...options })

const answer = (fields: Json = {}): Json => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-haiku-4-5-20251001",
  content: [{ type: "text", text: "Hi" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 5, output_tokens: 2 },
  ...fields
})

const prompt = { model: "claude-haiku-4-5", prompt: "Say hi." } as const

/** What is sent for a request. */
const sent = (request: LlmRequest.Input, layer = claude()) =>
  Effect.gen(function*() {
    const service = yield* provider(layer, json(answer()))
    const { warnings } = yield* service.call(request)
    const [first] = service.sent
    assert(first !== undefined)
    return { ...first, warnings }
  })

const body = (request: LlmRequest.Input, layer = claude()) => Effect.map(sent(request, layer), ({ body }) => body)

const answered = (fields: Json, request: LlmRequest.Input = prompt) =>
  Effect.flatMap(provider(claude(), json(answer(fields))), (service) => service.call(request))

const png = Uint8Array.from([0x89, 0x50, 0x4E, 0x47])

const weather = {
  name: "weather",
  description: "The weather of a city",
  parameters: { properties: { city: { type: "string" } } },
  strict: true
} as const

/** A block that is kept as it came. */
const kept = (json: Json) => ({ _tag: "Opaque", provider: "anthropic", kind: json.type, json }) as Message.Opaque

/** The one who can read reasoning in the answers. */
const reader = {
  provider: "anthropic",
  account: "https://api.anthropic.com/v1/messages",
  model: "claude-haiku-4-5"
}

describe("Anthropic", () => {
  // -------------------------------------------------------------------------------------------------------------------
  describe("sends", () => {
    it.effect("a prompt", () =>
      Effect.gen(function*() {
        const { body, headers, method, url } = yield* sent(prompt)
        assert.strictEqual(method, "POST")
        assert.strictEqual(url, "https://api.anthropic.com/v1/messages")
        assert.strictEqual(headers["x-api-key"], "sk-ant-1234567890abcdef")
        assert.strictEqual(headers["anthropic-version"], "2023-06-01")
        assert.isUndefined(headers["anthropic-beta"])
        assert.isUndefined(headers.authorization)
        assert.deepStrictEqual(body, {
          model: "claude-haiku-4-5",
          max_tokens: 4096,
          messages: [{ role: "user", content: [{ type: "text", text: "Say hi." }] }],
          temperature: 0
        })
      }))

    it.effect("version, beta features and address that are set", () =>
      Effect.gen(function*() {
        const { headers, url } = yield* sent(
          prompt,
          claude({
            version: "2030-01-01",
            beta: ["a-1", "b-2"],
            baseUrl: "http://127.0.0.1:9/",
            headers: { "x-team": "t" }
          })
        )
        assert.strictEqual(url, "http://127.0.0.1:9/v1/messages")
        assert.strictEqual(headers["anthropic-version"], "2030-01-01")
        assert.strictEqual(headers["anthropic-beta"], "a-1,b-2")
        assert.strictEqual(headers["x-team"], "t")
      }))

    it.effect("instructions before the conversation, wherever they stood", () =>
      Effect.gen(function*() {
        const early = yield* sent({
          model: "claude-haiku-4-5",
          system: "Be terse.",
          messages: [{ role: "system", content: "And kind." }, { role: "user", content: "x" }]
        })
        assert.strictEqual(early.body.system, "Be terse.\n\nAnd kind.")
        assert.deepStrictEqual(early.warnings, [])
        const late = yield* sent({
          model: "claude-haiku-4-5",
          messages: [
            { role: "user", content: "x" },
            { role: "assistant", content: "y" },
            { role: "system", content: "Be terse." },
            { role: "user", content: "z" }
          ]
        })
        assert.strictEqual(late.body.system, "Be terse.")
        assert.deepStrictEqual(late.warnings, [
          "system messages in the course of the conversation were sent before it"
        ])
      }))

    it.effect("system messages in their place, behind the turn of the user, to models that take them there", () =>
      Effect.gen(function*() {
        const turn = (role: "user" | "assistant", text: string): Message.Input => ({ role, content: text })
        const instructions = (content: string): Message.Input => ({ role: "system", content })
        const placed = (model: string, messages: ReadonlyArray<Message.Input>) =>
          Effect.map(sent({ model, messages }), ({ body, warnings }) => ({
            system: body.system,
            turns: (body.messages as ReadonlyArray<{ role: string; content: ReadonlyArray<{ text: string }> }>).map((
              { content, role }
            ) => `${role}: ${content.map(({ text }) => text).join(" | ")}`),
            warnings
          }))

        // Each request begins as the one before it: what was said stays what it was.
        const beginning = [instructions("First."), turn("user", "x"), instructions("Be terse.")]
        for (
          const model of [
            "claude-opus-4-8",
            "claude-opus-5",
            "claude-sonnet-5-5",
            "claude-haiku-5-5",
            "claude-fable-5-1"
          ]
        ) {
          assert.deepStrictEqual(yield* placed(model, beginning), {
            system: "First.",
            turns: ["user: x", "system: Be terse."],
            warnings: []
          })
          assert.deepStrictEqual(yield* placed(model, [...beginning, turn("assistant", "y"), turn("user", "z")]), {
            system: "First.",
            turns: ["user: x", "system: Be terse.", "assistant: y", "user: z"],
            warnings: []
          })
        }
        for (const model of ["claude-opus-4-7", "claude-sonnet-5", "claude-haiku-4-5", "some-other"]) {
          const { system, turns } = yield* placed(model, [...beginning, turn("assistant", "y"), turn("user", "z")])
          assert.deepStrictEqual([system, turns], ["First.\n\nBe terse.", ["user: x", "assistant: y", "user: z"]])
        }

        // The service takes one at a time, and none directly behind the model's turn.
        const moved = ["a system message was sent behind the user's turn that follows it"]
        assert.deepStrictEqual(
          yield* placed("claude-opus-5", [
            turn("user", "x"),
            turn("assistant", "y"),
            instructions("One."),
            turn("user", "z"),
            instructions("Two."),
            turn("user", "z2")
          ]),
          {
            system: undefined,
            turns: ["user: x", "assistant: y", "user: z | z2", "system: One.\n\nTwo."],
            warnings: moved
          }
        )
        assert.deepStrictEqual(
          yield* placed("claude-opus-5", [turn("user", "x"), turn("assistant", "y"), instructions("Last.")]),
          { system: "Last.", turns: ["user: x", "assistant: y"], warnings: moved }
        )
      }))

    it.effect("no thinking with a budget where the turn that called the tools has lost its thoughts", () =>
      Effect.gen(function*() {
        const turns = (thoughts: ReadonlyArray<Message.ResponsePart>, model = "claude-sonnet-4-5") =>
          sent({
            model,
            reasoningEffort: "medium",
            tools: [weather],
            messages: [
              { role: "user", content: "x" },
              {
                role: "assistant",
                content: [...thoughts, Message.ToolCall.make({ id: "t", name: "get_weather", arguments: {} })]
              },
              { role: "tool", content: [Message.ToolResult.make({ id: "t", result: "sun" })] }
            ]
          })
        const kept = yield* turns([Message.Reasoning.make({ text: "T", signature: "S", provider: "anthropic" })])
        assert.deepStrictEqual([kept.body.thinking, kept.warnings], [{ type: "enabled", budget_tokens: 8192 }, []])
        const lost = yield* turns([])
        assert.deepStrictEqual([lost.body.thinking, lost.warnings], [undefined, [
          "reasoningEffort was not sent: the turn that called the tools has no thoughts"
        ]])
        // A model that decides itself how much it thinks goes on with any turn.
        const adaptive = yield* turns([], "claude-opus-4-6")
        assert.deepStrictEqual([adaptive.body.thinking, adaptive.warnings], [{ type: "adaptive" }, []])
      }))

    it.effect("images by address and by bytes", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "claude-haiku-4-5",
          messages: [{
            role: "user",
            content: [
              Message.ImageUrl.make({ url: "https://example.com/a.png", detail: "low" }),
              Message.ImageBytes.make({ bytes: png, mediaType: "image/png" })
            ]
          }]
        })
        assert.deepStrictEqual(messages, [{
          role: "user",
          content: [
            { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw==" } }
          ]
        }])
      }))

    it.effect("documents: PDF by address and by bytes, text by bytes", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "claude-haiku-4-5",
          messages: [{
            role: "user",
            content: [
              { _tag: "File", url: "https://example.com/a.pdf", mediaType: "application/pdf", name: "a.pdf" },
              { _tag: "File", bytes: png, mediaType: "application/pdf" },
              { _tag: "File", bytes: new TextEncoder().encode("Elbe ☃"), mediaType: "text/markdown", name: "r.md" }
            ]
          }]
        })
        assert.deepStrictEqual(messages, [{
          role: "user",
          content: [
            { type: "document", source: { type: "url", url: "https://example.com/a.pdf" }, title: "a.pdf" },
            { type: "document", source: { type: "base64", media_type: "application/pdf", data: "iVBORw==" } },
            { type: "document", source: { type: "text", media_type: "text/plain", data: "Elbe ☃" }, title: "r.md" }
          ]
        }])
      }))

    it.effect("no other file: that fails before anything is sent", () =>
      Effect.gen(function*() {
        const service = yield* provider(claude(), json(answer()))
        for (
          const file of [
            { _tag: "File", bytes: png, mediaType: "audio/mpeg" },
            { _tag: "File", url: "https://example.com/a.txt", mediaType: "text/plain" }
          ] as const
        ) {
          const error = yield* Effect.flip(
            service.call({ model: "claude-haiku-4-5", messages: [{ role: "user", content: [file] }] })
          )
          assert.strictEqual(reasonOf(error, "UnsupportedFeature").feature, `files of type ${file.mediaType}`)
        }
        assert.isEmpty(service.sent)
      }))

    it.effect("tools and how they may be chosen", () =>
      Effect.gen(function*() {
        const choices = [
          ["auto", { type: "auto" }],
          ["none", { type: "none" }],
          ["required", { type: "any" }],
          [{ tool: "weather" }, { type: "tool", name: "weather" }],
          [undefined, undefined]
        ] as const
        for (const [toolChoice, expected] of choices) {
          const { tool_choice, tools } = yield* body({ ...prompt, tools: [weather], toolChoice })
          assert.deepStrictEqual(tool_choice, expected)
          assert.deepStrictEqual(tools, [{
            name: "weather",
            description: "The weather of a city",
            input_schema: { type: "object", properties: { city: { type: "string" } } },
            strict: true
          }])
        }
      }))

    it.effect("tool calls and, in one message, all that answers them", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "claude-haiku-4-5",
          messages: [
            { role: "user", content: "Weather?" },
            {
              role: "assistant",
              content: [
                Message.Text.make({ text: "" }),
                Message.ToolCall.make({ id: "a", name: "weather", arguments: { city: "Paris" } }),
                Message.ToolCall.make({ id: "b", name: "weather", arguments: "{\"ci", incomplete: true })
              ]
            },
            { role: "tool", content: [Message.ToolResult.make({ id: "a", result: { celsius: 20 } })] },
            { role: "tool", content: [Message.ToolResult.make({ id: "b", result: "no city", isError: true })] },
            { role: "user", content: "And now?" }
          ]
        })
        assert.deepStrictEqual(messages, [
          { role: "user", content: [{ type: "text", text: "Weather?" }] },
          {
            role: "assistant",
            content: [
              { type: "tool_use", id: "a", name: "weather", input: { city: "Paris" } },
              { type: "tool_use", id: "b", name: "weather", input: {} }
            ]
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "a", content: "{\"celsius\":20}" },
              { type: "tool_result", tool_use_id: "b", content: "no city", is_error: true },
              { type: "text", text: "And now?" }
            ]
          }
        ])
      }))

    it.effect("its own signed thinking, unchanged, and nobody else's", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "claude-haiku-4-5",
          messages: [
            { role: "user", content: "x" },
            {
              role: "assistant",
              content: [
                Message.Reasoning.make({ text: "T", signature: "S==", provider: "anthropic" }),
                Message.Reasoning.make({ text: "", signature: "S2==", provider: "anthropic" }),
                Message.Reasoning.make({ encrypted: "E==", provider: "anthropic" }),
                Message.Reasoning.make({ text: "nobody signed this", provider: "anthropic" }),
                Message.Reasoning.make({ text: "other", signature: "S3==", provider: "openai" }),
                Message.Reasoning.make({ encrypted: "other", provider: "openai" }),
                Message.Text.make({ text: "y" })
              ]
            },
            // Nothing is left of this turn, and an empty one is an error.
            { role: "assistant", content: [Message.Reasoning.make({ text: "hm", provider: "openai" })] },
            { role: "user", content: "z" }
          ]
        })
        assert.deepStrictEqual(messages, [
          { role: "user", content: [{ type: "text", text: "x" }] },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "T", signature: "S==" },
              { type: "thinking", thinking: "", signature: "S2==" },
              { type: "redacted_thinking", data: "E==" },
              { type: "text", text: "y" }
            ]
          },
          { role: "user", content: [{ type: "text", text: "z" }] }
        ])
      }))

    it.effect("thinking that it gave back as it gave it", () =>
      Effect.gen(function*() {
        const content = [
          { type: "thinking", thinking: "T", signature: "S==" },
          { type: "redacted_thinking", data: "E==" },
          { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Paris" } }
        ]
        const { message } = yield* answered({ content, stop_reason: "tool_use" })
        const { messages } = yield* body({
          model: "claude-haiku-4-5",
          messages: [
            { role: "user", content: "x" },
            message,
            { role: "tool", content: [Message.ToolResult.make({ id: "toolu_1", result: "ok" })] }
          ]
        })
        assert.deepStrictEqual((messages as ReadonlyArray<Json>)[1], { role: "assistant", content })
      }))

    it.effect("all settings", () =>
      Effect.gen(function*() {
        const schema = { type: "object" }
        const { body, warnings } = yield* sent({
          ...prompt,
          temperature: 0.7,
          topK: 5,
          maxTokens: 100,
          stop: ["END"],
          user: "u1",
          outputSchema: { name: "answer", schema }
        })
        assert.deepStrictEqual(body, {
          model: "claude-haiku-4-5",
          max_tokens: 100,
          messages: [{ role: "user", content: [{ type: "text", text: "Say hi." }] }],
          temperature: 0.7,
          top_k: 5,
          stop_sequences: ["END"],
          metadata: { user_id: "u1" },
          output_config: { format: { type: "json_schema", schema } }
        })
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("raw fields, which win over all others, those of its own name most", () =>
      Effect.gen(function*() {
        const providerOptions = {
          anthropic: { service_tier: "standard_only", temperature: 0.1, cache_control: { type: "ephemeral" } },
          mine: { temperature: 0.2 },
          openai: { logprobs: true }
        }
        const sentBody = yield* body({ ...prompt, temperature: 0.9, providerOptions }, claude({ name: "mine" }))
        assert.strictEqual(sentBody.service_tier, "standard_only")
        assert.strictEqual(sentBody.temperature, 0.2)
        assert.deepStrictEqual(sentBody.cache_control, { type: "ephemeral" })
        assert.notProperty(sentBody, "logprobs")
      }))

    it.effect("that the prompt is to be kept, if it is", () =>
      Effect.gen(function*() {
        assert.notProperty(yield* body(prompt), "cache_control")
        for (const promptCache of ["5m", "1h"] as const) {
          assert.deepStrictEqual((yield* body(prompt, claude({ promptCache }))).cache_control, {
            type: "ephemeral",
            ttl: promptCache
          })
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("temperature", () => {
    const models: ReadonlyArray<readonly [model: string, expected: number | undefined]> = [
      ["claude-3-haiku-20240307", 0],
      ["claude-3-5-haiku-latest", 0],
      ["claude-3-7-sonnet-20250219", 0],
      ["claude-opus-4-20250514", 0],
      ["claude-opus-4-1-20250805", 0],
      ["claude-sonnet-4-5", 0],
      ["claude-haiku-4-5-20251001", 0],
      ["anthropic.claude-opus-4-1-20250805-v1:0", 0],
      ["claude-opus-4-6", undefined],
      ["claude-opus-4-7", undefined],
      ["claude-sonnet-5", undefined],
      ["claude-opus-5-5", undefined],
      ["claude-fable-5", undefined],
      ["claude-of-next-year", undefined],
      ["glm-4.6", undefined]
    ]
    for (const [model, expected] of models) {
      it.effect(`of ${model} is ${expected}, if none is asked for`, () =>
        Effect.gen(function*() {
          const { body, warnings } = yield* sent({ model, prompt: "x" })
          assert.strictEqual(body.temperature, expected)
          assert.deepStrictEqual(warnings, [])
        }))
    }

    it.effect("is not the default beside topP, of which models take one", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent({ ...prompt, topP: 0.9 })
        assert.strictEqual(body.top_p, 0.9)
        assert.notProperty(body, "temperature")
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("wins over topP where a model takes one of them, and both are sent to those before", () =>
      Effect.gen(function*() {
        const both = { prompt: "x", temperature: 0.5, topP: 0.9 }
        const one = yield* sent({ ...both, model: "claude-opus-4-1" })
        assert.strictEqual(one.body.temperature, 0.5)
        assert.notProperty(one.body, "top_p")
        assert.deepStrictEqual(one.warnings, ["topP was not sent: claude-opus-4-1 does not take it"])
        const two = yield* sent({ ...both, model: "claude-3-5-haiku-latest" })
        assert.strictEqual(two.body.top_p, 0.9)
        assert.deepStrictEqual(two.warnings, [])
      }))

    it.effect("is at most 1", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent({ ...prompt, temperature: 1.5 })
        assert.strictEqual(body.temperature, 1)
        assert.deepStrictEqual(warnings, ["temperature was sent as 1, the most that this provider takes"])
      }))

    it.effect("is left out, with a warning, where the model refuses it", () =>
      Effect.gen(function*() {
        for (const model of ["claude-opus-4-7", "claude-sonnet-5", "claude-mythos-preview"]) {
          const { body, warnings } = yield* sent({ model, prompt: "x", temperature: 0.5, topP: 0.5, topK: 5, seed: 1 })
          for (const field of ["temperature", "top_p", "top_k", "seed"]) assert.notProperty(body, field)
          assert.deepStrictEqual(warnings, [
            `temperature was not sent: ${model} does not take it`,
            `topP was not sent: ${model} does not take it`,
            `seed was not sent: ${model} does not take it`,
            `topK was not sent: ${model} does not take it`
          ])
        }
      }))

    it.effect("is sent to a model that is not known, if it is asked for", () =>
      Effect.gen(function*() {
        assert.strictEqual(
          (yield* body({ model: "claude-of-next-year", prompt: "x", temperature: 0.5 })).temperature,
          0.5
        )
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("thinking", () => {
    const thinking = (model: string, fields: Partial<LlmRequest.Settings>) =>
      Effect.map(sent({ model, prompt: "x", ...fields }), ({ body, warnings }) => ({
        max_tokens: body.max_tokens,
        thinking: body.thinking,
        output_config: body.output_config,
        warnings
      }))

    it.effect("has a budget on models up to 4.5, beside the room for the answer", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* thinking("claude-haiku-4-5", { reasoningEffort: "medium" }), {
          max_tokens: 4096 + 8192,
          thinking: { type: "enabled", budget_tokens: 8192 },
          output_config: undefined,
          warnings: []
        })
      }))

    it.effect("takes at most half of the tokens that are allowed", () =>
      Effect.gen(function*() {
        const halved = yield* thinking("claude-opus-4-1", { reasoningEffort: "high", maxTokens: 4000 })
        assert.strictEqual(halved.max_tokens, 4000)
        assert.deepStrictEqual(halved.thinking, { type: "enabled", budget_tokens: 2000 })
        const tooFew = yield* thinking("claude-opus-4-1", { reasoningEffort: "high", maxTokens: 2000 })
        assert.isUndefined(tooFew.thinking)
        assert.deepStrictEqual(tooFew.warnings, ["reasoningEffort was not sent: claude-opus-4-1 does not take it"])
      }))

    it.effect("with its budget stays within what any model can put out", () =>
      Effect.gen(function*() {
        const most = yield* thinking("claude-opus-4-20250514", { reasoningEffort: "max" })
        assert.isAtMost(Number(most.max_tokens), 32_000)
      }))

    it.effect("has an effort from 4.6 on", () =>
      Effect.gen(function*() {
        const efforts = [
          ["claude-opus-4-6", "high", "high"],
          ["claude-opus-4-6", "max", "max"],
          ["claude-opus-4-7", "xhigh", "xhigh"],
          ["claude-sonnet-5", "low", "low"],
          ["claude-opus-5-5", "max", "max"],
          ["claude-fable-5-1", "xhigh", "xhigh"]
        ] as const
        for (const [model, reasoningEffort, effort] of efforts) {
          const told = yield* thinking(model, { reasoningEffort })
          assert.deepStrictEqual(told.thinking, { type: "adaptive" })
          assert.deepStrictEqual(told.output_config, { effort })
          assert.deepStrictEqual(told.warnings, [])
          assert.isAbove(Number(told.max_tokens), 4096)
        }
      }))

    it.effect("has an effort that the model takes in place of one that it does not take, with a warning", () =>
      Effect.gen(function*() {
        const efforts = [
          ["claude-opus-4-6", "minimal", "low"],
          ["claude-opus-4-6", "xhigh", "high"],
          ["claude-sonnet-5", "minimal", "low"],
          ["claude-opus-5-5", "none", "low"],
          ["claude-fable-5", "none", "low"]
        ] as const
        for (const [model, reasoningEffort, effort] of efforts) {
          const told = yield* thinking(model, { reasoningEffort })
          assert.deepStrictEqual(told.thinking, { type: "adaptive" })
          assert.deepStrictEqual(told.output_config, { effort })
          assert.deepStrictEqual(told.warnings, [
            `reasoningEffort was sent as ${effort}: ${model} does not take ${reasoningEffort}`
          ])
        }
      }))

    it.effect("goes on only between the calls of tools where it cannot be turned off but for that", () =>
      Effect.gen(function*() {
        const told = yield* thinking("claude-sonnet-5-5", { reasoningEffort: "none" })
        assert.deepStrictEqual(told.thinking, { type: "between_tools" })
        assert.isUndefined(told.output_config)
        assert.isAbove(Number(told.max_tokens), 4096)
        assert.deepStrictEqual(told.warnings, [
          "reasoningEffort was sent as between_tools: claude-sonnet-5-5 does not take none"
        ])
      }))

    it.effect("is not for models before 3.7", () =>
      Effect.gen(function*() {
        const told = yield* thinking("claude-3-5-haiku-latest", { reasoningEffort: "high" })
        assert.isUndefined(told.thinking)
        assert.deepStrictEqual(told.warnings, [
          "reasoningEffort was not sent: claude-3-5-haiku-latest does not take it"
        ])
      }))

    it.effect("is turned off only where it is on, and where it can be", () =>
      Effect.gen(function*() {
        const off = [
          ["claude-3-5-haiku-latest", undefined, []],
          ["claude-haiku-4-5", undefined, []],
          ["claude-opus-4-8", undefined, []],
          ["claude-opus-5", { type: "disabled" }, []],
          ["claude-haiku-5-5", { type: "disabled" }, []],
          ["glm-4.6", { type: "disabled" }, []]
        ] as const
        for (const [model, expected, warnings] of off) {
          const told = yield* thinking(model, { reasoningEffort: "none" })
          assert.deepStrictEqual(told.thinking, expected, model)
          assert.deepStrictEqual(told.warnings, warnings)
          assert.isUndefined(told.output_config)
        }
      }))

    it.effect("gets room where the model thinks unasked", () =>
      Effect.gen(function*() {
        assert.isAbove(Number((yield* thinking("claude-opus-5", {})).max_tokens), 4096)
        assert.strictEqual((yield* thinking("claude-opus-5", { reasoningEffort: "none" })).max_tokens, 4096)
        assert.strictEqual((yield* thinking("claude-opus-5", { maxTokens: 100 })).max_tokens, 100)
        assert.strictEqual((yield* thinking("claude-opus-4-8", {})).max_tokens, 4096)
      }))

    it.effect("excludes sampling settings, also where raw fields ask for it", () =>
      Effect.gen(function*() {
        const asked = yield* sent({ ...prompt, reasoningEffort: "low", temperature: 0.5, topK: 5 })
        assert.notProperty(asked.body, "temperature")
        assert.notProperty(asked.body, "top_k")
        assert.deepStrictEqual(asked.warnings, [
          "temperature was not sent: claude-haiku-4-5 does not take it",
          "topK was not sent: claude-haiku-4-5 does not take it"
        ])
        const raw = yield* sent({
          ...prompt,
          providerOptions: { anthropic: { thinking: { type: "enabled", budget_tokens: 2000 } } }
        })
        assert.deepStrictEqual(raw.body.thinking, { type: "enabled", budget_tokens: 2000 })
        assert.notProperty(raw.body, "temperature")
      }))

    it.effect("excludes a tool that is forced: the tool wins where it can", () =>
      Effect.gen(function*() {
        const forced = { tools: [weather], toolChoice: "required", reasoningEffort: "low" } as const
        const budget = yield* sent({ ...prompt, ...forced })
        assert.notProperty(budget.body, "thinking")
        assert.deepStrictEqual(budget.body.tool_choice, { type: "any" })
        assert.deepStrictEqual(budget.warnings, ["reasoningEffort was not sent: claude-haiku-4-5 does not take it"])
        const adaptive = yield* sent({ model: "claude-opus-4-6", prompt: "x", ...forced })
        assert.notProperty(adaptive.body, "thinking")
        assert.deepStrictEqual(adaptive.body.output_config, { effort: "low" })
        const always = yield* sent({ model: "claude-opus-5-5", prompt: "x", ...forced })
        assert.deepStrictEqual(always.body.thinking, { type: "adaptive" })
        assert.deepStrictEqual(always.body.tool_choice, { type: "auto" })
        assert.deepStrictEqual(always.warnings, [
          "toolChoice was sent as auto: claude-opus-5-5 cannot be forced to call a tool"
        ])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("reads", () => {
    it.effect("an answer", () =>
      Effect.gen(function*() {
        const response = yield* answered({
          stop_sequence: null,
          usage: { input_tokens: 5, output_tokens: 2, service_tier: "standard" }
        })
        assert.deepStrictEqual({ ...LlmResponse.withoutRaw(response) }, {
          text: "Hi",
          parts: [{ _tag: "Text", text: "Hi" }],
          finishReason: "stop",
          usage: { inputTokens: 5, outputTokens: 2 },
          model: "claude-haiku-4-5-20251001",
          provider: "anthropic",
          id: "msg_1",
          origin: "provider",
          attempts: 1,
          latency: Duration.zero,
          warnings: [],
          providerMetadata: { service_tier: "standard" }
        })
      }))

    const stops = [
      ["end_turn", "stop"],
      ["stop_sequence", "stop"],
      ["max_tokens", "length"],
      ["tool_use", "tool_calls"],
      ["pause_turn", "pause"],
      ["refusal", "refusal"],
      ["model_context_window_exceeded", "context_window"],
      ["something_new", "other"],
      [null, "other"]
    ] as const
    for (const [stop_reason, expected] of stops) {
      it.effect(`stop_reason ${stop_reason} as ${expected}`, () =>
        Effect.gen(function*() {
          assert.strictEqual((yield* answered({ stop_reason })).finishReason, expected)
        }))
    }

    it.effect("usage with the cache added up", () =>
      Effect.gen(function*() {
        const { usage } = yield* answered({
          usage: {
            input_tokens: 377,
            cache_creation_input_tokens: 10,
            cache_read_input_tokens: 100,
            output_tokens: 65,
            output_tokens_details: { thinking_tokens: 40 }
          }
        })
        assert.deepStrictEqual(usage, {
          inputTokens: 487,
          cachedInputTokens: 100,
          cacheWriteTokens: 10,
          outputTokens: 65,
          reasoningTokens: 40
        })
        assert.deepStrictEqual((yield* answered({ usage: undefined })).usage, {})
        assert.deepStrictEqual((yield* answered({ usage: { output_tokens: 3, input_tokens: null } })).usage, {
          outputTokens: 3
        })
      }))

    it.effect("all blocks in their order, and keeps those that are not the model's words", () =>
      Effect.gen(function*() {
        const response = yield* answered({
          content: [
            { type: "thinking", thinking: "T", signature: "S==" },
            { type: "redacted_thinking", data: "E==" },
            { type: "text", text: "I look.", citations: null },
            { type: "server_tool_use", id: "srv_1", name: "web_search", input: { query: "x" } },
            { type: "web_search_tool_result", tool_use_id: "srv_1", content: [] },
            { type: "text", text: "" },
            { type: "text", text: "Now:" },
            { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Paris" } },
            { type: "tool_use", id: "toolu_2", name: "now", input: {} },
            { type: "something_new", x: 1 }
          ],
          stop_reason: "tool_use"
        })
        assert.deepStrictEqual(response.parts, [
          { _tag: "Reasoning", text: "T", signature: "S==", ...reader },
          { _tag: "Reasoning", encrypted: "E==", ...reader },
          { _tag: "Text", text: "I look." },
          kept({ type: "server_tool_use", id: "srv_1", name: "web_search", input: { query: "x" } }),
          kept({ type: "web_search_tool_result", tool_use_id: "srv_1", content: [] }),
          { _tag: "Text", text: "Now:" },
          { _tag: "ToolCall", id: "toolu_1", name: "weather", arguments: { city: "Paris" } },
          { _tag: "ToolCall", id: "toolu_2", name: "now", arguments: {} },
          kept({ type: "something_new", x: 1 })
        ])
        assert.strictEqual(response.text, "I look.Now:")
        assert.strictEqual(response.finishReason, "tool_calls")
      }))

    it.effect("a call that was cut as incomplete, though the service closed its JSON", () =>
      Effect.gen(function*() {
        const whole = { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Paris" } }
        for (const stop_reason of ["max_tokens", "model_context_window_exceeded"]) {
          const response = yield* answered({
            content: [whole, { type: "tool_use", id: "toolu_2", name: "delete", input: { path: "/" } }],
            stop_reason
          })
          assert.deepStrictEqual(response.parts, [
            { _tag: "ToolCall", id: "toolu_1", name: "weather", arguments: { city: "Paris" } },
            { _tag: "ToolCall", id: "toolu_2", name: "delete", arguments: "{\"path\":\"/\"", incomplete: true }
          ])
          const text = yield* answered({ content: [whole, { type: "text", text: "And" }], stop_reason })
          assert.strictEqual(text.toolCalls[0]?.incomplete, undefined, "the text was cut, not the call")
        }
      }))

    it.effect("a refusal with what had come", () =>
      Effect.gen(function*() {
        const response = yield* answered({
          stop_reason: "refusal",
          stop_details: { type: "refusal", category: "cyber", explanation: null }
        })
        assert.strictEqual(response.finishReason, "refusal")
        assert.strictEqual(response.text, "Hi")
        assert.deepStrictEqual(response.providerMetadata, {
          stop_details: { type: "refusal", category: "cyber", explanation: null }
        })
      }))

    it.effect("which text stopped it", () =>
      Effect.gen(function*() {
        const response = yield* answered({ stop_reason: "stop_sequence", stop_sequence: "END" })
        assert.deepStrictEqual(response.providerMetadata, { stop_sequence: "END" })
      }))

    it.effect("an empty answer", () =>
      Effect.gen(function*() {
        const response = yield* answered({ content: [] })
        assert.deepStrictEqual(response.parts, [])
        assert.strictEqual(response.text, "")
      }))

    it.effect("request id and rate limits of the headers", () =>
      Effect.gen(function*() {
        const service = yield* provider(
          claude(),
          json(answer(), {
            headers: {
              "request-id": "req_1",
              "anthropic-ratelimit-requests-limit": "50",
              "anthropic-ratelimit-requests-remaining": "49",
              "anthropic-ratelimit-input-tokens-remaining": "30000",
              "anthropic-ratelimit-output-tokens-remaining": "8000"
            }
          })
        )
        const response = yield* service.call(prompt)
        assert.strictEqual(response.requestId, "req_1")
        assert.deepStrictEqual(response.rateLimit, {
          requests: { limit: 50, remaining: 49 },
          inputTokens: { remaining: 30_000 },
          outputTokens: { remaining: 8_000 }
        })
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("fails", () => {
    const fails = (answer: Response) =>
      Effect.flatMap(provider(claude(), answer), (service) => Effect.flip(service.call(prompt)))

    it.effect("where the answer has no content", () =>
      Effect.gen(function*() {
        for (const content of [undefined, null, "Hi", {}]) {
          reasonOf(yield* fails(json(answer({ content }))), "MalformedResponse")
        }
      }))

    it.effect("where a tool call has no name", () =>
      Effect.gen(function*() {
        const content = [{ type: "tool_use", id: "toolu_1", input: {} }]
        reasonOf(yield* fails(json(answer({ content, stop_reason: "tool_use" }))), "MalformedResponse")
      }))

    const failure = (type: string, message: string, fields: Json = {}) => ({
      type: "error",
      error: { type, message, ...fields },
      request_id: "req_1"
    })
    const statuses = [
      [401, failure("authentication_error", "invalid x-api-key"), "AuthenticationFailed"],
      [402, failure("billing_error", "x"), "QuotaExhausted"],
      [403, failure("permission_error", "x"), "PermissionDenied"],
      [404, failure("not_found_error", "model: claude-x"), "ModelNotFound"],
      [400, failure("invalid_request_error", "messages: too few"), "InvalidRequest"],
      [
        400,
        failure("invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum"),
        "ContextLengthExceeded"
      ],
      [
        400,
        failure("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        "QuotaExhausted"
      ],
      [413, failure("request_too_large", "x"), "InvalidRequest"],
      [429, failure("rate_limit_error", "x"), "RateLimited"],
      [
        429,
        failure("rate_limit_error", "x", { details: { error_code: "enforced_spend_limit_reached" } }),
        "QuotaExhausted"
      ],
      [500, failure("api_error", "x"), "ServerFailed"],
      [529, failure("overloaded_error", "Overloaded"), "Overloaded"],
      [200, failure("overloaded_error", "Overloaded"), "Overloaded"]
    ] as const
    for (const [status, body, tag] of statuses) {
      it.effect(`with ${tag} at status ${status}: ${body.error.message}`, () =>
        Effect.gen(function*() {
          const error = yield* fails(json(body, { status, headers: { "request-id": "req_1" } }))
          reasonOf(error, tag)
          assert.strictEqual(error.status, status)
          assert.strictEqual(error.requestId, "req_1")
          assert.strictEqual(error.provider, "anthropic")
        }))
    }

    it.effect("with the wait that the service asks for", () =>
      Effect.gen(function*() {
        const answer = json(failure("rate_limit_error", "x"), { status: 429, headers: { "retry-after": "12" } })
        assert.deepStrictEqual((yield* fails(answer)).retryAfter, Duration.seconds(12))
      }))
  })
})
