import { assert, describe, it } from "@effect/vitest"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { json, provider, reasonOf, streaming } from "../../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }

const apiKey = Redacted.make("sk-test-1234567890abcdef")

const openAi = (options: OpenAiChat.Options = {}) => OpenAiChat.layer({ apiKey, ...options })

/** A service that is compatible with OpenAI, and nothing else is known of it. */
const compatible = (options: OpenAiChat.Options = {}) =>
  OpenAiChat.layer({ apiKey, baseUrl: "https://llm.example.com/v1", name: "example", ...options })

const completion = (fields: Json = {}, message: Json = { role: "assistant", content: "Hi" }): Json => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
  usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
  ...fields
})

const prompt = { model: "gpt-4o", prompt: "Say hi." } as const

/** What is sent for a request. */
const sent = (request: LlmRequest.Input, layer = openAi()) =>
  Effect.gen(function*() {
    const service = yield* provider(layer, json(completion()))
    const response = yield* service.call(request)
    const [first] = service.sent
    assert(first !== undefined)
    return { ...first, warnings: response.warnings }
  })

const body = (request: LlmRequest.Input, layer = openAi()) => Effect.map(sent(request, layer), ({ body }) => body)

/** What is made of an answer. */
const answered = (answer: Json, request: LlmRequest.Input = prompt, layer = openAi()) =>
  Effect.flatMap(provider(layer, json(answer)), (service) => service.call(request))

const message = (message: Json, finish_reason: string | null = "stop") =>
  completion({ choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }] })

const png = Uint8Array.from([0x89, 0x50, 0x4E, 0x47])

const weather = {
  name: "weather",
  description: "The weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  strict: true
} as const

describe("OpenAiChat", () => {
  // -------------------------------------------------------------------------------------------------------------------
  describe("sends", () => {
    it.effect("a prompt", () =>
      Effect.gen(function*() {
        const { body, headers, method, url } = yield* sent(prompt)
        assert.strictEqual(method, "POST")
        assert.strictEqual(url, "https://api.openai.com/v1/chat/completions")
        assert.strictEqual(headers.authorization, "Bearer sk-test-1234567890abcdef")
        assert.strictEqual(headers["content-type"], "application/json")
        assert.deepStrictEqual(body, {
          model: "gpt-4o",
          messages: [{ role: "user", content: "Say hi." }],
          temperature: 0
        })
      }))

    it.effect("organization, project and further headers", () =>
      Effect.gen(function*() {
        const { headers } = yield* sent(
          prompt,
          openAi({ organization: "org-1", project: "proj_1", headers: { "X-Team": "rivers", "X-Secret": apiKey } })
        )
        assert.strictEqual(headers["openai-organization"], "org-1")
        assert.strictEqual(headers["openai-project"], "proj_1")
        assert.strictEqual(headers["x-team"], "rivers")
        assert.strictEqual(headers["x-secret"], "sk-test-1234567890abcdef")
      }))

    it.effect("to an address without a key", () =>
      Effect.gen(function*() {
        const { headers, url } = yield* sent(prompt, OpenAiChat.layer({ baseUrl: "http://127.0.0.1:8000/v1/" }))
        assert.strictEqual(url, "http://127.0.0.1:8000/v1/chat/completions")
        assert.isUndefined(headers.authorization)
      }))

    it.effect("a conversation with instructions before and in it", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "gpt-4o",
          system: "Be terse.",
          messages: [
            { role: "user", content: "Name a river." },
            { role: "assistant", content: "The Elbe." },
            { role: "system", content: "Answer in French from here." },
            { role: "user", content: [Message.Text.make({ text: "Another" }), Message.Text.make({ text: "!" })] }
          ]
        })
        assert.deepStrictEqual(messages, [
          { role: "system", content: "Be terse." },
          { role: "user", content: "Name a river." },
          { role: "assistant", content: "The Elbe." },
          { role: "system", content: "Answer in French from here." },
          { role: "user", content: "Another!" }
        ])
      }))

    it.effect("instructions as a developer where the service has it so", () =>
      Effect.gen(function*() {
        const layer = openAi({ capabilities: { systemRole: "developer" } })
        const { messages } = yield* body({ ...prompt, system: "Be terse." }, layer)
        assert.deepStrictEqual((messages as ReadonlyArray<Json>)[0], { role: "developer", content: "Be terse." })
      }))

    it.effect("images by address and by bytes, with their detail", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "gpt-4o",
          messages: [{
            role: "user",
            content: [
              Message.Text.make({ text: "Compare." }),
              Message.ImageUrl.make({ url: "https://example.com/a.png", detail: "low" }),
              Message.ImageBytes.make({ bytes: png, mediaType: "image/png" })
            ]
          }]
        })
        assert.deepStrictEqual(messages, [{
          role: "user",
          content: [
            { type: "text", text: "Compare." },
            { type: "image_url", image_url: { url: "https://example.com/a.png", detail: "low" } },
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw==" } }
          ]
        }])
      }))

    it.effect("files and audio by their bytes", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "gpt-4o",
          messages: [{
            role: "user",
            content: [
              { _tag: "File", bytes: png, mediaType: "application/pdf", name: "a.pdf" },
              { _tag: "File", bytes: png, mediaType: "audio/mpeg" },
              { _tag: "File", bytes: png, mediaType: "audio/wav" }
            ]
          }]
        })
        assert.deepStrictEqual(messages, [{
          role: "user",
          content: [
            { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,iVBORw==" } },
            { type: "input_audio", input_audio: { data: "iVBORw==", format: "mp3" } },
            { type: "input_audio", input_audio: { data: "iVBORw==", format: "wav" } }
          ]
        }])
      }))

    it.effect("no file by its address: that fails before anything is sent", () =>
      Effect.gen(function*() {
        const service = yield* provider(openAi(), json(completion()))
        const error = yield* Effect.flip(service.call({
          model: "gpt-4o",
          messages: [{
            role: "user",
            content: [{ _tag: "File", url: "https://example.com/a.pdf", mediaType: "application/pdf" }]
          }]
        }))
        assert.strictEqual(reasonOf(error, "UnsupportedFeature").feature, "files by address")
        assert.strictEqual(error.attempts, 0)
        assert.isEmpty(service.sent)
      }))

    it.effect("tools and how they may be chosen", () =>
      Effect.gen(function*() {
        const choices = [
          ["auto", "auto"],
          ["none", "none"],
          ["required", "required"],
          [{ tool: "weather" }, { type: "function", function: { name: "weather" } }],
          [undefined, undefined]
        ] as const
        for (const [toolChoice, expected] of choices) {
          const { tool_choice, tools } = yield* body({ ...prompt, tools: [weather], toolChoice })
          assert.deepStrictEqual(tool_choice, expected)
          assert.deepStrictEqual(tools, [{
            type: "function",
            function: {
              name: "weather",
              description: "The weather of a city",
              parameters: weather.parameters,
              strict: true
            }
          }])
        }
      }))

    it.effect("no tool choice where there are no tools", () =>
      Effect.gen(function*() {
        const sentBody = yield* body({ ...prompt, tools: [], toolChoice: "auto" })
        assert.notProperty(sentBody, "tools")
        assert.notProperty(sentBody, "tool_choice")
      }))

    it.effect("tool calls and their results", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "gpt-4o",
          messages: [
            { role: "user", content: "Weather?" },
            {
              role: "assistant",
              content: [
                Message.Text.make({ text: "I look." }),
                Message.ToolCall.make({ id: "call_a", name: "weather", arguments: { city: "Paris" } }),
                Message.ToolCall.make({ id: "call_b", name: "weather", arguments: "{\"ci", incomplete: true })
              ]
            },
            {
              role: "tool",
              content: [
                Message.ToolResult.make({ id: "call_a", result: { celsius: 20 } }),
                Message.ToolResult.make({ id: "call_b", result: "no such city", isError: true })
              ]
            },
            {
              role: "assistant",
              content: [Message.ToolCall.make({ id: "call_c", name: "weather", arguments: {} })]
            },
            { role: "tool", content: [Message.ToolResult.make({ id: "call_c", result: undefined })] }
          ]
        })
        assert.deepStrictEqual(messages, [
          { role: "user", content: "Weather?" },
          {
            role: "assistant",
            content: "I look.",
            tool_calls: [
              { id: "call_a", type: "function", function: { name: "weather", arguments: "{\"city\":\"Paris\"}" } },
              { id: "call_b", type: "function", function: { name: "weather", arguments: "{\"ci" } }
            ]
          },
          { role: "tool", tool_call_id: "call_a", content: "{\"celsius\":20}" },
          { role: "tool", tool_call_id: "call_b", content: "no such city" },
          {
            role: "assistant",
            content: null,
            tool_calls: [{ id: "call_c", type: "function", function: { name: "weather", arguments: "{}" } }]
          },
          { role: "tool", tool_call_id: "call_c", content: "" }
        ])
      }))

    it.effect("a refusal of an earlier turn as text, and no reasoning", () =>
      Effect.gen(function*() {
        const { messages } = yield* body({
          model: "gpt-4o",
          messages: [
            { role: "user", content: "x" },
            {
              role: "assistant",
              content: [
                Message.Reasoning.make({ text: "hm", provider: "openai" }),
                Message.Refusal.make({ text: "I can't." })
              ]
            },
            { role: "user", content: "y" }
          ]
        })
        assert.deepStrictEqual((messages as ReadonlyArray<Json>)[1], { role: "assistant", content: "I can't." })
      }))

    it.effect("the schema of the answer", () =>
      Effect.gen(function*() {
        const schema = { type: "object", properties: {}, additionalProperties: false }
        const strict = yield* body({ ...prompt, outputSchema: { name: "answer", description: "d", schema } })
        assert.deepStrictEqual(strict.response_format, {
          type: "json_schema",
          json_schema: { name: "answer", description: "d", schema, strict: true }
        })
        const loose = yield* body({ ...prompt, outputSchema: { name: "answer", schema, strict: false } })
        assert.deepStrictEqual(loose.response_format, {
          type: "json_schema",
          json_schema: { name: "answer", schema, strict: false }
        })
      }))

    it.effect("all settings", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent({
          ...prompt,
          temperature: 0.7,
          topP: 0.9,
          maxTokens: 100,
          stop: ["END", "\n"],
          seed: 7,
          user: "u1"
        })
        assert.deepStrictEqual(body, {
          model: "gpt-4o",
          messages: [{ role: "user", content: "Say hi." }],
          temperature: 0.7,
          top_p: 0.9,
          max_completion_tokens: 100,
          stop: ["END", "\n"],
          seed: 7,
          user: "u1"
        })
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("raw fields of the protocol's name and of its own, which win over all others", () =>
      Effect.gen(function*() {
        const providerOptions = {
          openaiChat: { temperature: 3, top_logprobs: 2 },
          openai: { temperature: 1, logprobs: true, service_tier: "flex" },
          example: { temperature: 2 }
        }
        const openAiBody = yield* body({ ...prompt, temperature: 0.5, providerOptions })
        assert.strictEqual(openAiBody.temperature, 1)
        assert.strictEqual(openAiBody.logprobs, true)
        assert.strictEqual(openAiBody.service_tier, "flex")
        const otherBody = yield* body({ ...prompt, temperature: 0.5, providerOptions }, compatible())
        assert.strictEqual(otherBody.temperature, 2)
        assert.notProperty(otherBody, "service_tier")
        assert.deepStrictEqual([openAiBody.top_logprobs, otherBody.top_logprobs], [2, 2])
        const { example: _, ...others } = providerOptions
        const hostBody = yield* body({ ...prompt, temperature: 0.5, providerOptions: others }, compatible())
        assert.strictEqual(hostBody.temperature, 3)
      }))

    it.effect("a stream's request for usage, and nothing of a stream in a call", () =>
      Effect.gen(function*() {
        const service = yield* provider(openAi(), streaming(["data: [DONE]\n\n"]))
        yield* service.stream(prompt)
        assert.strictEqual(service.sent[0]?.body.stream, true)
        assert.deepStrictEqual(service.sent[0]?.body.stream_options, { include_usage: true })
        const without = yield* provider(
          openAi({ capabilities: { streamUsage: false } }),
          streaming(["data: [DONE]\n\n"])
        )
        yield* without.stream(prompt)
        assert.strictEqual(without.sent[0]?.body.stream, true)
        assert.notProperty(without.sent[0]?.body, "stream_options")
        assert.notProperty(yield* body(prompt), "stream")
        assert.notProperty(yield* body(prompt), "stream_options")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("temperature", () => {
    const models: ReadonlyArray<readonly [model: string, openAi: number | undefined, compatible: number | undefined]> =
      [
        ["gpt-4o-mini", 0, 0],
        ["gpt-4.1", 0, 0],
        ["gpt-3.5-turbo", 0, 0],
        ["chatgpt-4o-latest", 0, 0],
        ["gpt-5-chat-latest", 0, 0],
        ["ft:gpt-4o-mini:org::1", 0, 0],
        ["o1", undefined, undefined],
        ["o3-mini", undefined, undefined],
        ["gpt-5", undefined, undefined],
        ["gpt-5.2-codex", undefined, undefined],
        ["openai/gpt-5-mini", undefined, undefined],
        ["some-model-of-next-year", undefined, 0],
        ["meta-llama/Llama-4-Scout", undefined, 0]
      ]
    for (const [model, onOpenAi, elsewhere] of models) {
      it.effect(`of ${model}, if none is asked for: ${onOpenAi} on OpenAI, ${elsewhere} elsewhere`, () =>
        Effect.gen(function*() {
          const request = { model, prompt: "x" }
          assert.strictEqual((yield* body(request)).temperature, onOpenAi)
          assert.strictEqual((yield* body(request, compatible())).temperature, elsewhere)
          assert.deepStrictEqual((yield* sent(request)).warnings, [], "nobody asked for it")
        }))
    }

    it.effect("is sent to a model that is not known, if it is asked for", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent({ model: "some-model-of-next-year", prompt: "x", temperature: 0.3 })
        assert.strictEqual(body.temperature, 0.3)
        assert.deepStrictEqual(warnings, [])
      }))
  })

  describe("leaves out, with a warning,", () => {
    it.effect("settings that a reasoning model refuses, and uses its field for the limit", () =>
      Effect.gen(function*() {
        for (const layer of [openAi(), compatible()]) {
          const { body, warnings } = yield* sent({
            model: "gpt-5-mini",
            prompt: "x",
            temperature: 0.5,
            topP: 0.5,
            stop: ["END"],
            maxTokens: 10,
            reasoningEffort: "low"
          }, layer)
          assert.deepStrictEqual(body, {
            model: "gpt-5-mini",
            messages: [{ role: "user", content: "x" }],
            max_completion_tokens: 10,
            reasoning_effort: "low"
          })
          assert.deepStrictEqual(warnings, [
            "temperature was not sent: gpt-5-mini does not take it",
            "topP was not sent: gpt-5-mini does not take it",
            "stop was not sent: gpt-5-mini does not take it"
          ])
        }
      }))

    it.effect("the effort of a model that does not reason, and topK", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent({ ...prompt, reasoningEffort: "high", topK: 5 })
        assert.notProperty(body, "reasoning_effort")
        assert.notProperty(body, "top_k")
        assert.deepStrictEqual(warnings, [
          "topK was not sent: openai does not take it",
          "reasoningEffort was not sent: gpt-4o does not take it"
        ])
      }))

    it.effect("but not a temperature that the model takes as it does not reason", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent({
          model: "gpt-5.2",
          prompt: "x",
          temperature: 0.5,
          reasoningEffort: "none"
        })
        assert.strictEqual(body.temperature, 0.5)
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("nothing on a service of which nothing is known", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent(
          { model: "m", prompt: "x", maxTokens: 10, topK: 5, seed: 1, reasoningEffort: "high" },
          compatible()
        )
        assert.strictEqual(body.max_tokens, 10)
        assert.strictEqual(body.top_k, 5)
        assert.strictEqual(body.seed, 1)
        assert.strictEqual(body.reasoning_effort, "high")
        assert.deepStrictEqual(warnings, [])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("reads", () => {
    it.effect("an answer", () =>
      Effect.gen(function*() {
        const response = yield* answered(completion({ system_fingerprint: "fp_1", service_tier: "default" }))
        assert.deepStrictEqual({ ...LlmResponse.withoutRaw(response) }, {
          text: "Hi",
          parts: [{ _tag: "Text", text: "Hi" }],
          finishReason: "stop",
          usage: { inputTokens: 5, outputTokens: 2 },
          model: "gpt-4o-2024-08-06",
          provider: "openai",
          id: "chatcmpl-1",
          origin: "provider",
          attempts: 1,
          latency: Duration.zero,
          warnings: [],
          providerMetadata: { system_fingerprint: "fp_1", service_tier: "default" }
        })
      }))

    const finishReasons = [
      ["stop", "stop"],
      ["length", "length"],
      ["content_filter", "content_filter"],
      ["tool_calls", "tool_calls"],
      ["function_call", "tool_calls"],
      ["eos", "stop"],
      ["model_length", "length"],
      ["something_new", "other"],
      [null, "other"]
    ] as const
    for (const [finish, expected] of finishReasons) {
      it.effect(`finish_reason ${finish} as ${expected}`, () =>
        Effect.gen(function*() {
          assert.strictEqual((yield* answered(message({ content: "Hi" }, finish))).finishReason, expected)
        }))
    }

    it.effect("all counts of usage", () =>
      Effect.gen(function*() {
        const { usage } = yield* answered(completion({
          usage: {
            prompt_tokens: 100,
            completion_tokens: 50,
            total_tokens: 150,
            prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 10, audio_tokens: 0 },
            completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 0 }
          }
        }))
        assert.deepStrictEqual(usage, {
          inputTokens: 100,
          cachedInputTokens: 40,
          cacheWriteTokens: 10,
          outputTokens: 50,
          reasoningTokens: 30
        })
      }))

    it.effect("missing counts of usage as absent", () =>
      Effect.gen(function*() {
        for (const usage of [undefined, null, {}, "none", { prompt_tokens: null, completion_tokens: "many" }]) {
          assert.deepStrictEqual((yield* answered(completion({ usage }))).usage, {})
        }
      }))

    it.effect("tool calls, also where the finish reason is stop", () =>
      Effect.gen(function*() {
        for (const finish of ["tool_calls", "stop"]) {
          const response = yield* answered(message({
            content: null,
            tool_calls: [
              { id: "call_a", type: "function", function: { name: "weather", arguments: "{\"city\":\"Paris\"}" } },
              { id: "call_b", type: "function", function: { name: "weather", arguments: "" } }
            ]
          }, finish))
          assert.strictEqual(response.finishReason, "tool_calls")
          assert.deepStrictEqual(response.parts, [
            { _tag: "ToolCall", id: "call_a", name: "weather", arguments: { city: "Paris" } },
            { _tag: "ToolCall", id: "call_b", name: "weather", arguments: {} }
          ])
        }
      }))

    it.effect("tool calls without ids, each as its own", () =>
      Effect.gen(function*() {
        const response = yield* answered(message({
          tool_calls: [
            { function: { name: "f", arguments: "{\"a\":1}" } },
            { id: null, function: { name: "f", arguments: { a: 2 } } }
          ]
        }))
        assert.deepStrictEqual(response.parts, [
          { _tag: "ToolCall", id: "call_0", name: "f", arguments: { a: 1 } },
          { _tag: "ToolCall", id: "call_1", name: "f", arguments: { a: 2 } }
        ])
      }))

    it.effect("tool calls without ids so that they differ from those of earlier turns", () =>
      Effect.gen(function*() {
        const first = yield* answered(message({ tool_calls: [{ function: { name: "f", arguments: "{}" } }] }))
        const second = yield* answered(message({ tool_calls: [{ function: { name: "f", arguments: "{}" } }] }), {
          model: "gpt-4o",
          messages: [
            { role: "user", content: "x" },
            first.message,
            { role: "tool", content: [Message.ToolResult.make({ id: "call_0", result: "ok" })] }
          ]
        })
        assert.deepStrictEqual(first.toolCalls.map(({ id }) => id), ["call_0"])
        assert.deepStrictEqual(second.toolCalls.map(({ id }) => id), ["call_1"])
      }))

    it.effect("tool arguments that are no JSON as a failure, with what the model wrote", () =>
      Effect.gen(function*() {
        for (const raw of ["{\"a\": nope}", "{\"a\":1} trailing", "garbage", "{\"a\": 1, \"b\": \"xy"]) {
          const error = yield* Effect.flip(
            answered(message({ tool_calls: [{ id: "c", function: { name: "f", arguments: raw } }] }, "tool_calls"))
          )
          const reason = reasonOf(error, "ToolArgumentsInvalid")
          assert.strictEqual(reason.raw, raw)
          assert.strictEqual(reason.name, "f")
          assert.isFalse(error.isRetryable)
        }
      }))

    it.effect("a tool call that the limit or a filter cut as incomplete", () =>
      Effect.gen(function*() {
        for (const finish of ["length", "content_filter"] as const) {
          const response = yield* answered(
            message({ tool_calls: [{ id: "c", function: { name: "f", arguments: "{\"a\": 1, \"b\"" } }] }, finish)
          )
          assert.strictEqual(response.finishReason, finish)
          assert.deepStrictEqual(response.parts, [
            { _tag: "ToolCall", id: "c", name: "f", arguments: "{\"a\": 1, \"b\"", incomplete: true }
          ])
        }
      }))

    it.effect("a refusal", () =>
      Effect.gen(function*() {
        const response = yield* answered(message({ content: null, refusal: "I can't." }))
        assert.strictEqual(response.finishReason, "refusal")
        assert.strictEqual(response.text, "")
        assert.deepStrictEqual(response.parts, [{ _tag: "Refusal", text: "I can't." }])
      }))

    it.effect("reasoning, in either field", () =>
      Effect.gen(function*() {
        for (const field of ["reasoning_content", "reasoning"]) {
          const response = yield* answered(message({ [field]: "hm", content: "Hi" }), prompt, compatible())
          assert.deepStrictEqual(response.parts, [
            { _tag: "Reasoning", text: "hm", provider: "example" },
            { _tag: "Text", text: "Hi" }
          ])
          assert.strictEqual(response.text, "Hi")
        }
      }))

    it.effect("content in parts, thinking among them", () =>
      Effect.gen(function*() {
        const response = yield* answered(message({
          content: [
            { type: "thinking", thinking: [{ type: "text", text: "h" }, { type: "text", text: "m" }] },
            { type: "text", text: "Hi" },
            { type: "text", text: "!" },
            { type: "reference", reference_ids: [1] }
          ]
        }))
        assert.deepStrictEqual(response.parts, [
          { _tag: "Reasoning", text: "hm", provider: "openai" },
          { _tag: "Text", text: "Hi!" },
          {
            _tag: "Opaque",
            provider: "openai",
            kind: "content.reference",
            json: { type: "reference", reference_ids: [1] }
          }
        ])
      }))

    it.effect("an answer without text", () =>
      Effect.gen(function*() {
        for (const content of ["", null, undefined]) {
          const response = yield* answered(message({ content }))
          assert.strictEqual(response.text, "")
          assert.deepStrictEqual(response.parts, [])
          assert.strictEqual(response.finishReason, "stop")
        }
      }))

    it.effect("the first of several choices", () =>
      Effect.gen(function*() {
        const choice = (index: number, content: string) => ({ index, message: { content }, finish_reason: "stop" })
        const response = yield* answered(completion({ choices: [choice(1, "other"), choice(0, "Hi")] }))
        assert.strictEqual(response.text, "Hi")
      }))

    it.effect("an answer without any optional field", () =>
      Effect.gen(function*() {
        const response = yield* answered({ choices: [{ message: { content: "Hi" } }] })
        assert.strictEqual(response.text, "Hi")
        assert.strictEqual(response.model, "gpt-4o", "the one that was asked")
        assert.isUndefined(response.id)
        assert.deepStrictEqual(response.usage, {})
      }))

    it.effect("request id and rate limits of the headers", () =>
      Effect.gen(function*() {
        const service = yield* provider(
          openAi(),
          json(completion(), {
            headers: {
              "x-request-id": "req_1",
              "x-ratelimit-limit-requests": "60",
              "x-ratelimit-remaining-requests": "59",
              "x-ratelimit-reset-requests": "1s",
              "x-ratelimit-limit-tokens": "150000",
              "x-ratelimit-remaining-tokens": "149984",
              "x-ratelimit-reset-tokens": "6m0s"
            }
          })
        )
        const response = yield* service.call(prompt)
        assert.strictEqual(response.requestId, "req_1")
        assert.deepStrictEqual(response.rateLimit, {
          requests: { limit: 60, remaining: 59, resetAfter: Duration.seconds(1) },
          tokens: { limit: 150_000, remaining: 149_984, resetAfter: Duration.minutes(6) }
        })
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("fails", () => {
    const fails = (answer: Response, layer = openAi()) =>
      Effect.flatMap(provider(layer, answer), (service) => Effect.flip(service.call(prompt)))

    it.effect("where the answer has no choices", () =>
      Effect.gen(function*() {
        for (const choices of [[], undefined, null, "none", [{}], [{ message: null }], [null]]) {
          const error = yield* fails(json(completion({ choices }), { headers: { "x-request-id": "req_1" } }))
          reasonOf(error, "MalformedResponse")
          assert.strictEqual(error.requestId, "req_1")
          assert.isTrue(error.isRetryable)
        }
      }))

    const malformed = [
      ["a page", "<!doctype html><title>Sign in</title>"],
      ["half a JSON", "{\"choices\":[{\"mess"],
      ["nothing", ""],
      ["an array", "[]"],
      ["a text", "\"ok\""]
    ] as const
    for (const [name, text] of malformed) {
      it.effect(`where the answer is ${name}, though the status is 200`, () =>
        Effect.gen(function*() {
          reasonOf(yield* fails(json(text)), "MalformedResponse")
        }))
    }

    const errors200 = [
      ["an error object", { error: { message: "Slow down", type: "rate_limit_error", code: "rate_limit_exceeded" } }],
      ["a numeric code", { error: { message: "Rate limited upstream", code: 429 } }],
      ["JSON in the message", { error: { message: "{\"error\":{\"code\":429,\"message\":\"slow\"}}", code: 429 } }],
      ["an error of the old vLLM", {
        object: "error",
        message: "Too many requests",
        type: "rate_limit_error",
        code: 429
      }],
      ["an error in the choice", { choices: [{ error: { code: 429, message: "x" }, finish_reason: "error" }] }]
    ] as const
    for (const [name, answer] of errors200) {
      it.effect(`with what a 200 says that is ${name}`, () =>
        Effect.gen(function*() {
          const error = yield* fails(json(answer))
          reasonOf(error, "RateLimited")
          assert.isTrue(error.isRetryable)
        }))
    }

    it.effect("where a router says so in the place of the finish reason", () =>
      Effect.gen(function*() {
        reasonOf(yield* fails(json(message({ content: "Hal" }, "error"))), "ServerFailed")
        reasonOf(yield* fails(json(message({ content: "" }, "insufficient_system_resource"))), "Overloaded")
      }))

    const statuses = [
      [401, { error: { message: "Incorrect API key", code: "invalid_api_key" } }, "AuthenticationFailed"],
      [403, { error: { message: "Country not supported" } }, "PermissionDenied"],
      [404, { error: { message: "The model `x` does not exist", code: "model_not_found" } }, "ModelNotFound"],
      [400, { error: { message: "bad", param: "messages", code: "x" } }, "InvalidRequest"],
      [
        400,
        { error: { message: "maximum context length is 8192", code: "context_length_exceeded" } },
        "ContextLengthExceeded"
      ],
      [429, { error: { message: "quota", type: "insufficient_quota", code: "insufficient_quota" } }, "QuotaExhausted"],
      [429, { error: { message: "Rate limit reached", code: "rate_limit_exceeded" } }, "RateLimited"],
      [500, { error: { message: "oops" } }, "ServerFailed"],
      [503, { error: { message: "busy" } }, "Overloaded"]
    ] as const
    for (const [status, answer, tag] of statuses) {
      it.effect(`with ${tag} at status ${status}`, () =>
        Effect.gen(function*() {
          const error = yield* fails(json(answer, { status, headers: { "x-request-id": "req_1" } }))
          reasonOf(error, tag)
          assert.strictEqual(error.status, status)
          assert.strictEqual(error.requestId, "req_1")
          assert.strictEqual(error.provider, "openai")
          assert.strictEqual(error.model, "gpt-4o")
          assert.strictEqual(error.operation, "call")
          assert.strictEqual(error.attempts, 1)
        }))
    }

    it.effect("with the wait that the service asks for", () =>
      Effect.gen(function*() {
        const answer = json({ error: { message: "slow", code: "rate_limit_exceeded" } }, {
          status: 429,
          headers: { "retry-after-ms": "1500", "retry-after": "7" }
        })
        assert.deepStrictEqual((yield* fails(answer)).retryAfter, Duration.millis(1500))
      }))

    it.effect("without quoting key or prompt", () =>
      Effect.gen(function*() {
        const error = yield* fails(
          json({ error: { message: "Incorrect API key provided: sk-test-1234567890abcdef" } }, { status: 401 })
        )
        assert.notInclude(String(error) + JSON.stringify(error), "1234567890abcdef")
      }))
  })
})
