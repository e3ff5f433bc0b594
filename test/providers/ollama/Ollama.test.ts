import { assert, describe, it } from "@effect/vitest"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as FakeHttp from "../../support/fakeHttp.js"

const request = { model: "qwen3", prompt: "Name three rivers." } as const

type Fields = { readonly [field: string]: unknown }

const answer = (message: Fields, fields: Fields = {}) => ({
  model: "qwen3",
  created_at: "2026-01-01T00:00:00Z",
  message: { role: "assistant", content: "", ...message },
  done: true,
  done_reason: "stop",
  prompt_eval_count: 26,
  eval_count: 12,
  ...fields
})

const ok = FakeHttp.json(answer({ content: "Elbe" }))

/** What is sent for a request, and the warnings that come back. */
const encoded = (input: LlmRequest.Input, options?: Ollama.Options) =>
  Effect.gen(function*() {
    const { call, sent } = yield* FakeHttp.provider(Ollama.layer(options), ok)
    const { warnings } = yield* call(input)
    assert.strictEqual(sent.length, 1)
    return { ...sent[0]!, warnings }
  })

const bodyOf = (input: LlmRequest.Input, options?: Ollama.Options) =>
  Effect.map(encoded(input, options), ({ body }) => body)

const decoded = (body: unknown, input: LlmRequest.Input = request) =>
  Effect.flatMap(FakeHttp.provider(Ollama.layer(), FakeHttp.json(body)), ({ call }) => call(input))

const failed = (response: Response, input: LlmRequest.Input = request) =>
  Effect.flatMap(FakeHttp.provider(Ollama.layer(), response), ({ call }) => Effect.flip(call(input)))

const weather: LlmRequest.Tool = {
  name: "weather",
  description: "Tells the weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
}

describe("Ollama", () => {
  describe("a request", () => {
    it.effect("goes to the local server, without a key, as a whole answer that drops nothing", () =>
      Effect.gen(function*() {
        const { body, headers, method, url } = yield* encoded(request)
        assert.strictEqual(method, "POST")
        assert.strictEqual(url, "http://127.0.0.1:11434/api/chat")
        assert.isFalse("authorization" in headers)
        assert.deepStrictEqual(body, {
          model: "qwen3",
          messages: [{ role: "user", content: "Name three rivers." }],
          truncate: false,
          stream: false,
          options: { temperature: 0 }
        })
      }))

    it.effect("carries all settings, in the options of the server", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* encoded({
          ...request,
          system: "Be terse.",
          temperature: 0.5,
          topP: 0.9,
          topK: 40,
          maxTokens: 100,
          stop: ["END"],
          seed: 7,
          user: "u-1"
        })
        assert.deepStrictEqual(body.options, {
          temperature: 0.5,
          num_predict: 100,
          top_p: 0.9,
          top_k: 40,
          seed: 7,
          stop: ["END"]
        })
        assert.deepStrictEqual(body.messages, [
          { role: "system", content: "Be terse." },
          { role: "user", content: "Name three rivers." }
        ])
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("keeps the turns of a conversation in their order", () =>
      Effect.gen(function*() {
        const { messages } = yield* bodyOf({
          model: "qwen3",
          messages: [
            { role: "user", content: "Name a river." },
            {
              role: "assistant",
              content: [
                Message.Reasoning.make({ text: "A river...", provider: "ollama" }),
                Message.Reasoning.make({ text: "another's", signature: "c==", provider: "anthropic" }),
                Message.Text.make({ text: "The Elbe." }),
                Message.Refusal.make({ text: " No more." })
              ]
            },
            { role: "system", content: "Be kind." },
            { role: "user", content: "Please." }
          ]
        })
        assert.deepStrictEqual(messages, [
          { role: "user", content: "Name a river." },
          { role: "assistant", content: "The Elbe. No more.", thinking: "A river..." },
          { role: "system", content: "Be kind." },
          { role: "user", content: "Please." }
        ])
      }))

    it.effect("carries images by their bytes, beside the text", () =>
      Effect.gen(function*() {
        const { messages } = yield* bodyOf({
          model: "llava",
          messages: [{
            role: "user",
            content: [
              { _tag: "Text", text: "What is this, " },
              { _tag: "Image", bytes: Uint8Array.of(1, 2, 3), mediaType: "image/png" },
              { _tag: "Text", text: "and that?" },
              { _tag: "Image", bytes: Uint8Array.of(4), mediaType: "image/jpeg" }
            ]
          }]
        })
        assert.deepStrictEqual(messages, [
          { role: "user", content: "What is this, and that?", images: ["AQID", "BA=="] }
        ])
      }))

    it.effect("is not sent with what the protocol has no place for", () =>
      Effect.gen(function*() {
        const { call, sent } = yield* FakeHttp.provider(Ollama.layer(), ok)
        const parts: ReadonlyArray<readonly [Message.Image | Message.File, string]> = [
          [{ _tag: "Image", url: "https://example.org/a.png" }, "images by address"],
          [{ _tag: "File", bytes: Uint8Array.of(1), mediaType: "application/pdf" }, "files"]
        ]
        for (const [part, feature] of parts) {
          const error = yield* Effect.flip(call({ model: "llava", messages: [{ role: "user", content: [part] }] }))
          assert.strictEqual(FakeHttp.reasonOf(error, "UnsupportedFeature").feature, feature)
          assert.strictEqual(error.attempts, 0)
          assert.isTrue(error.canFailOver)
        }
        assert.strictEqual(sent.length, 0)
      }))

    it.effect("gives back calls and results, their arguments as objects", () =>
      Effect.gen(function*() {
        const { messages } = yield* bodyOf({
          model: "qwen3",
          messages: [
            { role: "user", content: "How is the weather?" },
            {
              role: "assistant",
              content: [
                Message.ToolCall.make({ id: "a", name: "weather", arguments: { city: "Paris" } }),
                Message.ToolCall.make({ id: "b", name: "now", arguments: "{\"ci", incomplete: true })
              ]
            },
            {
              role: "tool",
              content: [
                { _tag: "ToolResult", id: "a", result: { celsius: 20 } },
                { _tag: "ToolResult", id: "b", name: "clock", result: "noon" },
                { _tag: "ToolResult", id: "c", result: undefined }
              ]
            }
          ]
        })
        assert.deepStrictEqual(messages, [
          { role: "user", content: "How is the weather?" },
          {
            role: "assistant",
            content: "",
            tool_calls: [
              { id: "a", function: { name: "weather", arguments: { city: "Paris" } } },
              { id: "b", function: { name: "now", arguments: {} } }
            ]
          },
          { role: "tool", content: "{\"celsius\":20}", tool_name: "weather", tool_call_id: "a" },
          { role: "tool", content: "noon", tool_name: "clock", tool_call_id: "b" },
          { role: "tool", content: "", tool_call_id: "c" }
        ])
      }))

    it.effect("offers tools, not where none may be called, and warns where one must", () =>
      Effect.gen(function*() {
        const tools = [{
          type: "function",
          function: { name: "weather", description: "Tells the weather", parameters: weather.parameters }
        }]
        const warning = "toolChoice was not sent: the protocol has no such field"
        const cases: ReadonlyArray<
          readonly [LlmRequest.ToolChoice | undefined, ReadonlyArray<unknown> | undefined, ReadonlyArray<string>]
        > = [
          [undefined, tools, []],
          ["auto", tools, []],
          ["none", undefined, []],
          ["required", tools, [warning]],
          [{ tool: "weather" }, tools, [warning]]
        ]
        for (const [toolChoice, expected, expectedWarnings] of cases) {
          const { body, warnings } = yield* encoded({ ...request, tools: [weather], toolChoice })
          assert.deepStrictEqual(body.tools, expected)
          assert.deepStrictEqual(warnings, expectedWarnings)
        }
      }))

    it.effect("asks for JSON that fits a schema", () =>
      Effect.gen(function*() {
        const schema = { type: "object", properties: { name: { type: "string" } } }
        const { format } = yield* bodyOf({ ...request, outputSchema: { name: "river", schema } })
        assert.deepStrictEqual(format, schema)
      }))

    it.effect.each<[string, LlmRequest.ReasoningEffort, boolean | string]>([
      ["qwen3", "none", false],
      ["qwen3", "low", "low"],
      ["qwen3", "medium", "medium"],
      ["qwen3", "high", "high"],
      ["deepseek-v3.1", "max", "max"],
      ["gpt-oss:20b", "low", "low"]
    ])("tells %s to think %s as %s", ([model, reasoningEffort, expected]) =>
      Effect.gen(function*() {
        const { think } = yield* bodyOf({ ...request, model, reasoningEffort })
        assert.strictEqual(think, expected)
      }))

    it.effect.each<[string, LlmRequest.ReasoningEffort, string]>([
      ["qwen3", "minimal", "low"],
      ["deepseek-v3.1", "xhigh", "high"],
      ["gpt-oss:20b", "max", "high"],
      ["gpt-oss:20b", "none", "low"]
    ])(
      "rounds for %s the effort %s to %s, with a warning",
      ([model, reasoningEffort, expected]) =>
        Effect.gen(function*() {
          const { body, warnings } = yield* encoded({ ...request, model, reasoningEffort })
          assert.strictEqual(body.think, expected)
          assert.deepStrictEqual(warnings, [
            `reasoningEffort was sent as ${expected}: ${model} does not take ${reasoningEffort}`
          ])
        })
    )

    it.effect("lets raw fields win, and merges the options", () =>
      Effect.gen(function*() {
        const body = yield* bodyOf({
          ...request,
          maxTokens: 10,
          providerOptions: {
            ollama: { truncate: true, keep_alive: -1, options: { num_ctx: 32_768, temperature: 1 } },
            openai: { logprobs: true }
          }
        }, { keepAlive: "1 hour" })
        assert.deepStrictEqual(body, {
          model: "qwen3",
          messages: [{ role: "user", content: "Name three rivers." }],
          truncate: true,
          keep_alive: -1,
          stream: false,
          options: { temperature: 1, num_predict: 10, num_ctx: 32_768 }
        })
      }))
  })

  describe("an answer", () => {
    it.effect("has its text, model, usage and durations", () =>
      Effect.gen(function*() {
        const response = yield* decoded(answer({ content: "Elbe" }, {
          model: "qwen3:8b",
          total_duration: 5_043_500_667,
          load_duration: 5_025_959,
          prompt_eval_duration: 325_953_000,
          eval_duration: 4_709_213_000
        }))
        assert.strictEqual(response.text, "Elbe")
        assert.strictEqual(response.finishReason, "stop")
        assert.strictEqual(response.model, "qwen3:8b")
        assert.strictEqual(response.provider, "ollama")
        assert.deepStrictEqual(response.usage, { inputTokens: 26, outputTokens: 12 })
        assert.deepStrictEqual(response.providerMetadata, {
          total_duration: 5_043_500_667,
          load_duration: 5_025_959,
          prompt_eval_duration: 325_953_000,
          eval_duration: 4_709_213_000
        })
      }))

    it.effect("knows no count that the server did not say", () =>
      Effect.gen(function*() {
        const { providerMetadata, usage } = yield* decoded(
          answer({ content: "Elbe" }, { prompt_eval_count: undefined, eval_count: undefined })
        )
        assert.deepStrictEqual(usage, {})
        assert.isUndefined(providerMetadata)
      }))

    it.effect("has thoughts, text and calls", () =>
      Effect.gen(function*() {
        const response = yield* decoded(answer({
          content: "Let me see.",
          thinking: "Paris!",
          tool_calls: [
            { id: "x", function: { index: 0, name: "weather", arguments: { city: "Paris" } } },
            { function: { name: "now", arguments: "{\"zone\":\"CET\"}" } },
            { function: { name: "now" } }
          ]
        }))
        assert.deepStrictEqual(response.parts, [
          Message.Reasoning.make({ text: "Paris!", provider: "ollama" }),
          Message.Text.make({ text: "Let me see." }),
          Message.ToolCall.make({ id: "x", name: "weather", arguments: { city: "Paris" } }),
          Message.ToolCall.make({ id: "call_0", name: "now", arguments: { zone: "CET" } }),
          Message.ToolCall.make({ id: "call_1", name: "now", arguments: {} })
        ])
        assert.strictEqual(response.finishReason, "tool_calls")
      }))

    it.effect("gives calls without an id one that is new to the conversation", () =>
      Effect.gen(function*() {
        const calls = answer({ tool_calls: [{ function: { name: "now", arguments: {} } }] })
        const first = yield* decoded(calls)
        const second = yield* decoded(calls, {
          model: "qwen3",
          messages: [
            { role: "user", content: "How late is it?" },
            first.message,
            { role: "tool", content: [{ _tag: "ToolResult", id: "call_0", result: "noon" }] }
          ]
        })
        assert.deepStrictEqual([...first.toolCalls, ...second.toolCalls].map(({ id }) => id), ["call_0", "call_1"])
      }))

    it.effect.each<[string | undefined, string]>([
      ["stop", "stop"],
      [undefined, "stop"],
      ["", "stop"],
      ["length", "length"],
      ["load", "other"],
      ["something new", "other"]
    ])("that is done for the reason %s is %s", ([done_reason, expected]) =>
      Effect.gen(function*() {
        const response = yield* decoded(answer({ content: "Elbe" }, { done_reason }))
        assert.strictEqual(response.finishReason, expected)
      }))
  })

  describe("a failure", () => {
    it.effect("is an answer that the server gave up on, or that is none", () =>
      Effect.gen(function*() {
        for (const body of [answer({ content: "Elbe" }, { done: false }), { models: [] }, {}]) {
          const error = yield* failed(FakeHttp.json(body))
          FakeHttp.reasonOf(error, "MalformedResponse")
          assert.isTrue(error.isRetryable)
        }
      }))

    it.effect("is a call without a name, or with arguments that are no JSON", () =>
      Effect.gen(function*() {
        const nameless = yield* failed(FakeHttp.json(answer({ tool_calls: [{ function: { arguments: {} } }] })))
        FakeHttp.reasonOf(nameless, "MalformedResponse")
        const broken = yield* failed(
          FakeHttp.json(answer({ tool_calls: [{ function: { name: "now", arguments: "{\"zo" } }] }))
        )
        assert.strictEqual(FakeHttp.reasonOf(broken, "ToolArgumentsInvalid").raw, "{\"zo")
      }))

    it.effect.each(
      [
        ["InvalidRequest", 400, "\"llama3.2\" does not support thinking"],
        ["ContextLengthExceeded", 400, "the input length exceeds the context length"],
        ["AuthenticationFailed", 401, "unauthorized"],
        ["ModelNotFound", 404, "model \"x\" not found"],
        ["RateLimited", 429, "too many requests"],
        ["ServerFailed", 500, "llama runner process has terminated"],
        ["Overloaded", 503, "server busy, please try again.  maximum pending requests exceeded"],
        ["ServerFailed", 200, "an error was encountered while running the model"]
      ] as const
    )("is %s for status %s and %s", ([tag, status, message]) =>
      Effect.gen(function*() {
        const error = yield* failed(FakeHttp.json({ error: message }, { status }))
        assert.strictEqual(
          FakeHttp.reasonOf(error, tag).message?.replace(/ +/g, " "),
          message.replace(/ +/g, " ")
        )
        assert.strictEqual(error.provider, "ollama")
      }))

    it.effect("is a server that does not run", () =>
      Effect.gen(function*() {
        const { call } = yield* FakeHttp.provider(
          Ollama.layer(),
          (_, request) => Effect.fail(FakeHttp.networkFailure(request, "ECONNREFUSED"))
        )
        const error = yield* Effect.flip(call(request))
        assert.strictEqual(FakeHttp.reasonOf(error, "NetworkFailed").code, "ECONNREFUSED")
      }))
  })

  describe("options", () => {
    const apiKey = Redacted.make("ollama-cloud-key-1")

    it.effect("send the key of the cloud as a bearer token", () =>
      Effect.gen(function*() {
        const { headers, url } = yield* encoded(request, { apiKey, baseUrl: "https://ollama.com/" })
        assert.strictEqual(url, "https://ollama.com/api/chat")
        assert.strictEqual(headers.authorization, "Bearer ollama-cloud-key-1")
      }))

    it.effect("are refused where a key would travel in the open to another machine", () =>
      Effect.gen(function*() {
        const build = (options: Ollama.Options) => Effect.exit(FakeHttp.provider(Ollama.layer(options), ok))
        const exit = yield* build({ apiKey, baseUrl: "http://192.168.0.9:11434" })
        assert(Exit.isFailure(exit))
        assert.include(Cause.pretty(exit.cause), "baseUrl must be https")
        assert.notInclude(Cause.pretty(exit.cause), Redacted.value(apiKey))
        assert.isTrue(Exit.isSuccess(yield* build({ baseUrl: "http://192.168.0.9:11434" })))
        assert.isTrue(Exit.isSuccess(yield* build({ apiKey, baseUrl: "http://localhost:11434" })))
        assert.isTrue(Exit.isSuccess(yield* build({ apiKey, baseUrl: "http://192.168.0.9:11434", insecure: true })))
      }))

    it.effect("say how long the model stays loaded", () =>
      Effect.gen(function*() {
        const keepAlive = (value: Duration.DurationInput) =>
          Effect.map(bodyOf(request, { keepAlive: value }), (body) => body.keep_alive)
        assert.strictEqual(yield* keepAlive("5 minutes"), "300000ms")
        assert.strictEqual(yield* keepAlive(0), "0ms")
        assert.strictEqual(yield* keepAlive(Duration.infinity), -1)
        const exit = yield* Effect.exit(FakeHttp.provider(Ollama.layer({ keepAlive: -1 }), ok))
        assert(Exit.isFailure(exit))
        assert.include(Cause.pretty(exit.cause), "keepAlive must be a duration")
      }))

    it.effect("give the provider another name", () =>
      Effect.gen(function*() {
        const { call, provider, sent } = yield* FakeHttp.provider(Ollama.layer({ name: "gpu-box" }), ok)
        assert.strictEqual(provider.name, "gpu-box")
        assert.strictEqual(provider.endpoint, "http://127.0.0.1:11434/api/chat")
        const response = yield* call({ ...request, providerOptions: { "gpu-box": { options: { num_gpu: 1 } } } })
        assert.strictEqual(response.provider, "gpu-box")
        assert.deepStrictEqual(sent[0]?.body.options, { temperature: 0, num_gpu: 1 })
      }))

    it.effect("can come from the configuration, and are errors of it where they make no sense", () =>
      Effect.gen(function*() {
        const build = (address: string) =>
          Layer.build(
            Ollama.layerConfig({ baseUrl: Config.string("URL") }).pipe(Layer.provide(FakeHttp.service(ok).layer))
          ).pipe(
            Effect.scoped,
            Effect.map(Context.get(LlmProvider.LlmProvider)),
            Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["URL", address]])))
          )
        assert.strictEqual((yield* build("http://10.0.0.2:11434")).endpoint, "http://10.0.0.2:11434/api/chat")
        assert.include(String(yield* Effect.flip(build("10.0.0.2"))), "baseUrl")
      }))
  })
})
