import { assert, describe, it } from "@effect/vitest"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { finished, json, provider, reasonOf, service, sse, streaming } from "../../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }

const apiKey = Redacted.make("test-1234567890abcdef")

const completion = (message: Json = { content: "Hi" }, fields: Json = {}) => ({
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop" }],
  ...fields
})

const prompt = { model: "m", prompt: "Say hi." } as const

const weather = { name: "weather", parameters: { type: "object" } }

const sent = (options: OpenAiChat.Options, request: LlmRequest.Input = prompt) =>
  Effect.gen(function*() {
    const service = yield* provider(OpenAiChat.layer(options), json(completion()))
    const { provider: name, warnings } = yield* service.call(request)
    const [first] = service.sent
    assert(first !== undefined)
    return { ...first, name, warnings, endpoint: service.provider.endpoint }
  })

const sentStream = (options: OpenAiChat.Options) =>
  Effect.gen(function*() {
    const service = yield* provider(OpenAiChat.layer(options), streaming(["data: [DONE]\n\n"]))
    yield* service.stream(prompt)
    return service.sent[0]?.body ?? {}
  })

/** What keeps a layer from being built. */
const defect = (options: OpenAiChat.Options) =>
  Effect.gen(function*() {
    const fake = service(json(completion()))
    const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(OpenAiChat.layer(options), fake.layer))))
    assert(Exit.isFailure(exit) && Cause.isDie(exit.cause))
    assert.isEmpty(fake.sent)
    return Cause.pretty(exit.cause)
  })

describe("OpenAiChat hosts", () => {
  const hosts = [
    ["groq", OpenAiChat.groq, "https://api.groq.com/openai/v1"],
    ["openrouter", OpenAiChat.openRouter, "https://openrouter.ai/api/v1"],
    ["mistral", OpenAiChat.mistral, "https://api.mistral.ai/v1"],
    ["deepseek", OpenAiChat.deepSeek, "https://api.deepseek.com"],
    ["together", OpenAiChat.together, "https://api.together.xyz/v1"],
    ["vllm", OpenAiChat.vllm, "http://127.0.0.1:8000/v1"],
    ["lmstudio", OpenAiChat.lmStudio, "http://127.0.0.1:1234/v1"]
  ] as const

  for (const [name, host, baseUrl] of hosts) {
    describe(name, () => {
      it.effect("has its address, its name and a bearer token", () =>
        Effect.gen(function*() {
          const request = yield* sent(host({ apiKey }))
          assert.strictEqual(request.url, `${baseUrl}/chat/completions`)
          assert.strictEqual(request.endpoint, request.url)
          assert.strictEqual(request.headers.authorization, "Bearer test-1234567890abcdef")
          assert.strictEqual(request.name, name)
          assert.strictEqual(request.body.temperature, 0, "these services take it from every model")
        }))

      it.effect("leaves what the program sets itself", () =>
        Effect.gen(function*() {
          const request = yield* sent(
            host({
              baseUrl: "https://proxy.example.com/v1",
              name: "mine",
              headers: { "x-team": "rivers" },
              capabilities: { maxTokensField: "max_completion_tokens", systemRole: "developer" }
            }),
            { ...prompt, system: "s", maxTokens: 5 }
          )
          assert.strictEqual(request.url, "https://proxy.example.com/v1/chat/completions")
          assert.strictEqual(request.name, "mine")
          assert.strictEqual(request.headers["x-team"], "rivers")
          assert.strictEqual(request.body.max_completion_tokens, 5)
          assert.deepStrictEqual((request.body.messages as ReadonlyArray<Json>)[0]?.role, "developer")
        }))

      it.effect("keeps its own address where another one was left open", () =>
        Effect.gen(function*() {
          const request = yield* sent(host({ apiKey, baseUrl: undefined, name: undefined }))
          assert.strictEqual(request.url, `${baseUrl}/chat/completions`)
          assert.strictEqual(request.name, name)
        }))

      it.effect("takes key and address from the configuration", () =>
        Effect.gen(function*() {
          const fake = service(json(completion()))
          const configured = (options: OpenAiChat.ConfigOptions) =>
            Layer.provide(OpenAiChat.layerConfig(options), fake.layer).pipe(
              Layer.provide(Layer.setConfigProvider(
                ConfigProvider.fromMap(new Map([["KEY", "test-1234567890abcdef"], ["URL", "https://x.example.com/v1"]]))
              ))
            )
          const endpointOf = (options: OpenAiChat.ConfigOptions) =>
            Effect.map(LlmProvider.LlmProvider, ({ endpoint, name }) => ({ endpoint, name })).pipe(
              Effect.provide(configured(options))
            )
          assert.deepStrictEqual(yield* endpointOf(host({ apiKey: Config.redacted("KEY") })), {
            endpoint: `${baseUrl}/chat/completions`,
            name
          })
          const elsewhere = yield* endpointOf(host({ apiKey: Config.redacted("KEY"), baseUrl: Config.string("URL") }))
          assert.strictEqual(elsewhere.endpoint, "https://x.example.com/v1/chat/completions")
          const missing = yield* Effect.flip(endpointOf(host({ apiKey: Config.redacted("NO_KEY") })))
          assert.include(String(missing), "NO_KEY")
        }))
    })
  }

  it.effect("are known by their address alone", () =>
    Effect.gen(function*() {
      const mistral = yield* sent({ baseUrl: "https://api.mistral.ai/v1" }, { ...prompt, seed: 7 })
      assert.strictEqual(mistral.body.random_seed, 7)
      const azure = yield* sent({ baseUrl: "https://x.openai.azure.com/openai/v1" }, { ...prompt, maxTokens: 7 })
      assert.strictEqual(azure.body.max_completion_tokens, 7)
      assert.notProperty(azure.body, "temperature")
    }))

  // -------------------------------------------------------------------------------------------------------------------
  describe("groq", () => {
    it.effect("has OpenAI's field for the limit, and no topK", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent(OpenAiChat.groq({ apiKey }), { ...prompt, maxTokens: 5, topK: 3 })
        assert.strictEqual(body.max_completion_tokens, 5)
        assert.notProperty(body, "max_tokens")
        assert.deepStrictEqual(warnings, ["topK was not sent: groq does not take it"])
      }))

    it.effect("passes on a model's text that is not a tool call", () =>
      Effect.gen(function*() {
        const failure = { error: { message: "x", code: "tool_use_failed", failed_generation: "<function=weather>" } }
        const failing = yield* provider(OpenAiChat.layer(OpenAiChat.groq({ apiKey })), json(failure, { status: 400 }))
        const error = yield* Effect.flip(failing.call(prompt))
        assert.strictEqual(reasonOf(error, "ToolArgumentsInvalid").raw, "<function=weather>")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("mistral", () => {
    const layer = OpenAiChat.mistral({ apiKey })

    it.effect("gets no field that it does not know", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent(layer, {
          ...prompt,
          maxTokens: 5,
          seed: 7,
          topK: 3,
          user: "u",
          tools: [weather],
          toolChoice: "required"
        })
        assert.deepStrictEqual(Object.keys(body).sort(), [
          "max_tokens",
          "messages",
          "model",
          "random_seed",
          "temperature",
          "tool_choice",
          "tools"
        ])
        assert.strictEqual(body.random_seed, 7)
        assert.strictEqual(body.tool_choice, "any")
        assert.deepStrictEqual(warnings, [
          "topK was not sent: mistral does not take it",
          "user was not sent: mistral does not take it"
        ])
        assert.notProperty(yield* sentStream(layer), "stream_options")
      }))

    it.effect("gets ids of tool calls that it takes, the same in call and result", () =>
      Effect.gen(function*() {
        const call = (id: string) => Message.ToolCall.make({ id, name: "weather", arguments: {} })
        const result = (id: string) => Message.ToolResult.make({ id, result: "ok" })
        const { body } = yield* sent(layer, {
          model: "m",
          messages: [
            { role: "user", content: "x" },
            { role: "assistant", content: [call("call_abc123"), call("aB3dE6gH9"), call("call_other")] },
            { role: "tool", content: [result("call_abc123"), result("aB3dE6gH9"), result("call_other")] }
          ]
        })
        const [, assistant, ...results] = body.messages as ReadonlyArray<Json>
        const ids = (assistant?.tool_calls as ReadonlyArray<Json>).map(({ id }) => id as string)
        assert.strictEqual(ids[1], "aB3dE6gH9")
        for (const id of ids) assert.match(id, /^[A-Za-z0-9]{9}$/)
        assert.strictEqual(new Set(ids).size, 3)
        assert.deepStrictEqual(results.map(({ tool_call_id }) => tool_call_id), ids)
      }))

    it.effect("streams content in parts, and counts its cached tokens in a place of its own", () =>
      Effect.gen(function*() {
        const delta = (content: unknown, choice: Json = {}) => ({
          choices: [{ index: 0, delta: { content }, ...choice }]
        })
        const events = [
          delta([{ type: "thinking", thinking: [{ type: "text", text: "h" }] }]),
          delta([{ type: "thinking", thinking: [{ type: "text", text: "m" }] }]),
          delta([{ type: "text", text: "H" }]),
          delta("i", { finish_reason: "stop" }),
          { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, num_cached_tokens: 3 } },
          "[DONE]"
        ]
        const streams = yield* provider(OpenAiChat.layer(layer), streaming([sse(events)]))
        const response = finished(yield* streams.stream(prompt))
        assert.deepStrictEqual(response.parts, [
          { _tag: "Reasoning", text: "hm", provider: "mistral" },
          { _tag: "Text", text: "Hi" }
        ])
        assert.deepStrictEqual(response.usage, { inputTokens: 5, cachedInputTokens: 3, outputTokens: 2 })
      }))

    it.effect("names the wrong field", () =>
      Effect.gen(function*() {
        const failure = { detail: [{ loc: ["body", "messages"], msg: "Field required", type: "missing" }] }
        const failing = yield* provider(OpenAiChat.layer(layer), json(failure, { status: 422 }))
        assert.strictEqual(reasonOf(yield* Effect.flip(failing.call(prompt)), "InvalidRequest").field, "messages")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("deepSeek", () => {
    const options = OpenAiChat.deepSeek({ apiKey })

    it.effect("gets the schema of the answer in words", () =>
      Effect.gen(function*() {
        const schema = { type: "object", properties: { river: { type: "string" } } }
        const { body, warnings } = yield* sent(options, {
          ...prompt,
          system: "Be terse.",
          outputSchema: { name: "answer", schema }
        })
        assert.deepStrictEqual(body.response_format, { type: "json_object" })
        assert.deepStrictEqual(body.messages, [
          {
            role: "system",
            content: `Be terse.\n\nAnswer with JSON that fits this JSON Schema, and nothing else: ${
              JSON.stringify(schema)
            }`
          },
          { role: "user", content: "Say hi." }
        ])
        assert.deepStrictEqual(warnings, ["outputSchema was sent as instructions: deepseek does not enforce it"])
      }))

    it.effect("gets its reasoning back with each turn of a conversation with tools", () =>
      Effect.gen(function*() {
        const reasoning = (provider: string) => Message.Reasoning.make({ text: `hm ${provider}`, provider })
        const call = (id: string) => Message.ToolCall.make({ id, name: "weather", arguments: {} })
        const result = (id: string) => ({
          role: "tool" as const,
          content: [Message.ToolResult.make({ id, result: "ok" })] as const
        })
        const { body } = yield* sent(options, {
          model: "m",
          messages: [
            { role: "user", content: "x" },
            { role: "assistant", content: [reasoning("deepseek"), call("a")] },
            result("a"),
            { role: "assistant", content: [reasoning("other"), call("b")] },
            result("b"),
            { role: "assistant", content: [reasoning("deepseek"), Message.Text.make({ text: "Sunny." })] },
            { role: "user", content: "y" }
          ]
        })
        const assistants = (body.messages as ReadonlyArray<Json>).filter(({ role }) => role === "assistant")
        assert.deepStrictEqual(assistants.map(({ reasoning_content }) => reasoning_content), [
          "hm deepseek",
          // The field is asked for, even where there is nothing to put in.
          "",
          "hm deepseek"
        ])
      }))

    it.effect("reads its reasoning and its count of cached tokens, after the empty lines of a slow answer", () =>
      Effect.gen(function*() {
        const answer = completion(
          { reasoning_content: "hm", content: "Hi" },
          { usage: { prompt_tokens: 9, completion_tokens: 2, prompt_cache_hit_tokens: 4, prompt_cache_miss_tokens: 5 } }
        )
        const slow = yield* provider(OpenAiChat.layer(options), json(`\n\n\n${JSON.stringify(answer)}`))
        const response = yield* slow.call(prompt)
        assert.deepStrictEqual(response.parts[0], { _tag: "Reasoning", text: "hm", provider: "deepseek" })
        assert.deepStrictEqual(response.usage, { inputTokens: 9, cachedInputTokens: 4, outputTokens: 2 })
      }))

    it.effect("says that the account is empty", () =>
      Effect.gen(function*() {
        const failure = {
          error: { message: "Insufficient Balance", type: "unknown_error", code: "invalid_request_error" }
        }
        const failing = yield* provider(OpenAiChat.layer(options), json(failure, { status: 402 }))
        reasonOf(yield* Effect.flip(failing.call(prompt)), "QuotaExhausted")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("openRouter", () => {
    const options = OpenAiChat.openRouter({ apiKey })

    const details = [
      { type: "reasoning.text", text: "Let me think.", signature: "S==", format: "anthropic-claude-v1", index: 0 },
      { type: "reasoning.summary", summary: "So", format: "openai-responses-v1", index: 1 },
      { type: "reasoning.encrypted", data: "E==", id: "r1", format: "openai-responses-v1", index: 2 }
    ]

    /** The next turn, as it is sent after this answer. */
    const nextTurn = (message: Message.AssistantMessage, options: OpenAiChat.Options) =>
      Effect.map(
        sent(options, {
          model: "m",
          messages: [{ role: "user", content: "x" }, message, { role: "user", content: "y" }]
        }),
        ({ body }) => (body.messages as ReadonlyArray<Json>)[1]
      )

    it.effect("gets its reasoning back as it gave it: from a call and from a stream", () =>
      Effect.gen(function*() {
        const message = { reasoning: "Let me think.", reasoning_details: details, content: "Hi" }
        const calls = yield* provider(OpenAiChat.layer(options), json(completion(message)))
        const called = yield* calls.call(prompt)

        const delta = (delta: Json, choice: Json = {}) => ({ model: "m", choices: [{ index: 0, delta, ...choice }] })
        const text = { type: "reasoning.text", format: "anthropic-claude-v1", index: 0 }
        const events = [
          delta({ reasoning: "Let me ", reasoning_details: [{ ...text, text: "Let me ", signature: null }] }),
          delta({ reasoning: "think.", reasoning_details: [{ ...text, text: "think." }] }),
          delta({ reasoning_details: [{ ...text, signature: "S==" }] }),
          delta({ reasoning_details: [{ ...details[1], summary: "S" }] }),
          delta({ reasoning_details: [{ ...details[1], summary: "o" }, details[2]] }),
          delta({ content: "Hi" }, { finish_reason: "stop" }),
          "[DONE]"
        ]
        const streams = yield* provider(OpenAiChat.layer(options), streaming([sse(events)]))
        const streamed = finished(yield* streams.stream(prompt))

        const expected = { role: "assistant", content: "Hi", reasoning_details: details }
        assert.deepStrictEqual(yield* nextTurn(called.message, options), expected)
        assert.deepStrictEqual(yield* nextTurn(streamed.message, options), expected)
        const [reasoning] = called.parts
        assert(reasoning?._tag === "Reasoning")
        assert.strictEqual(reasoning.text, "Let me think.")
        // And nobody else gets it.
        for (const other of [OpenAiChat.groq({ apiKey }), OpenAiChat.openRouter({ apiKey, name: "another" })]) {
          assert.deepStrictEqual(yield* nextTurn(called.message, other), { role: "assistant", content: "Hi" })
        }
      }))

    it.effect("gets back blocks that are signed each for itself, and text without a place as one", () =>
      Effect.gen(function*() {
        const block = (text: string, signature?: string) => ({ type: "reasoning.text", text, signature })
        const reasoning_details = [block("a", "S1"), block("b", "S2"), block("c"), block("d")]
        const calls = yield* provider(OpenAiChat.layer(options), json(completion({ reasoning_details, content: "Hi" })))
        const { message } = yield* calls.call(prompt)
        assert.deepStrictEqual((yield* nextTurn(message, options))?.reasoning_details, [
          { type: "reasoning.text", text: "a", signature: "S1" },
          { type: "reasoning.text", text: "b", signature: "S2" },
          { type: "reasoning.text", text: "cd" }
        ])
      }))

    it.effect("gets reasoning without details as text", () =>
      Effect.gen(function*() {
        const calls = yield* provider(OpenAiChat.layer(options), json(completion({ reasoning: "hm", content: "Hi" })))
        const { message } = yield* calls.call(prompt)
        assert.deepStrictEqual(yield* nextTurn(message, options), { role: "assistant", content: "Hi", reasoning: "hm" })
      }))

    it.effect("names the service that answered", () =>
      Effect.gen(function*() {
        const calls = yield* provider(
          OpenAiChat.layer(options),
          json(completion({ content: "Hi" }, { provider: "Fireworks" }), { headers: { "x-generation-id": "gen-1" } })
        )
        const response = yield* calls.call(prompt)
        assert.deepStrictEqual(response.providerMetadata, { provider: "Fireworks" })
        assert.strictEqual(response.requestId, "gen-1")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("Gemini's compatible address", () => {
    it.effect("gets its thought signatures back, and nobody else does", () =>
      Effect.gen(function*() {
        const gemini = { baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai", apiKey }
        const call = {
          id: "c",
          type: "function",
          function: { name: "weather", arguments: "{}" },
          extra_content: { google: { thought_signature: "T==" } }
        }
        const calls = yield* provider(OpenAiChat.layer(gemini), json(completion({ tool_calls: [call] })))
        const { message } = yield* calls.call(prompt)
        const next = (options: OpenAiChat.Options) =>
          Effect.map(
            sent(options, {
              model: "m",
              messages: [
                { role: "user", content: "x" },
                message,
                { role: "tool", content: [Message.ToolResult.make({ id: "c", result: "ok" })] }
              ]
            }),
            ({ body }) => (body.messages as ReadonlyArray<Json>)[1]?.tool_calls
          )
        assert.deepStrictEqual(yield* next(gemini), [call])
        const { extra_content: _, ...plain } = call
        assert.deepStrictEqual(yield* next({ apiKey }), [plain])
      }))
  })

  describe("a server of one's own", () => {
    it.effect("enforces the schema of the answer", () =>
      Effect.gen(function*() {
        const schema = { type: "object" }
        for (const host of [OpenAiChat.vllm({}), OpenAiChat.lmStudio({})]) {
          const { body, warnings } = yield* sent(host, { ...prompt, outputSchema: { name: "answer", schema }, topK: 3 })
          assert.deepStrictEqual(body.response_format, {
            type: "json_schema",
            json_schema: { name: "answer", schema, strict: true }
          })
          assert.strictEqual(body.top_k, 3)
          assert.deepStrictEqual(warnings, [])
        }
      }))

    it.effect("or gets it only in the instructions", () =>
      Effect.gen(function*() {
        const options = OpenAiChat.vllm({ capabilities: { outputSchema: "instructions" } })
        const { body } = yield* sent(options, {
          ...prompt,
          outputSchema: { name: "answer", schema: { type: "object" } }
        })
        assert.notProperty(body, "response_format")
        assert.deepStrictEqual((body.messages as ReadonlyArray<Json>)[0], {
          role: "system",
          content: "Answer with JSON that fits this JSON Schema, and nothing else: {\"type\":\"object\"}"
        })
      }))

    it.effect("that is still loading its model is overloaded", () =>
      Effect.gen(function*() {
        const failure = { error: { code: 503, message: "Loading model", type: "unavailable_error" } }
        const loading = yield* provider(OpenAiChat.layer(OpenAiChat.vllm({})), json(failure, { status: 503 }))
        const error = yield* Effect.flip(loading.call(prompt))
        reasonOf(error, "Overloaded")
        assert.isTrue(error.isRetryable)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("azure", () => {
    const baseUrl = "https://rivers.openai.azure.com"

    it.effect("takes the name of a deployment for the model", () =>
      Effect.gen(function*() {
        const request = yield* sent(OpenAiChat.azure({ apiKey, baseUrl: `${baseUrl}/` }), { ...prompt, maxTokens: 5 })
        assert.strictEqual(request.url, `${baseUrl}/openai/v1/chat/completions`)
        assert.strictEqual(request.headers["api-key"], "test-1234567890abcdef")
        assert.isUndefined(request.headers.authorization)
        assert.strictEqual(request.name, "azure")
        assert.deepStrictEqual(request.body, {
          model: "m",
          messages: [{ role: "user", content: "Say hi." }],
          max_completion_tokens: 5
        })
      }))

    it.effect("takes an endpoint that ends with the path of the API", () =>
      Effect.gen(function*() {
        for (const ending of ["/openai/v1", "/openai/v1/", "/openai", "/"]) {
          const { url } = yield* sent(OpenAiChat.azure({ apiKey, baseUrl: `${baseUrl}${ending}` }))
          assert.strictEqual(url, `${baseUrl}/openai/v1/chat/completions`)
          const deployed = yield* sent(OpenAiChat.azure({ apiKey, baseUrl: `${baseUrl}${ending}`, deployment: "d" }))
          assert.strictEqual(deployed.url, `${baseUrl}/openai/deployments/d/chat/completions?api-version=2024-10-21`)
        }
      }))

    it.effect("asks a deployment as the model that the program likens it to", () =>
      Effect.gen(function*() {
        const { body } = yield* sent(
          OpenAiChat.azure({ apiKey, baseUrl, models: { "chat-*": { like: "gpt-4o" } } }),
          { model: "chat-eu", prompt: "x" }
        )
        assert.strictEqual(body.temperature, 0)
      }))

    it.effect("sends a version of the API", () =>
      Effect.gen(function*() {
        const { url } = yield* sent(OpenAiChat.azure({ apiKey, baseUrl, apiVersion: "preview" }))
        assert.strictEqual(url, `${baseUrl}/openai/v1/chat/completions?api-version=preview`)
      }))

    it.effect("asks one deployment for all", () =>
      Effect.gen(function*() {
        const request = yield* sent(OpenAiChat.azure({ apiKey, baseUrl, deployment: "my gpt/4o" }))
        assert.strictEqual(
          request.url,
          `${baseUrl}/openai/deployments/my%20gpt%2F4o/chat/completions?api-version=2024-10-21`
        )
        assert.strictEqual(request.endpoint, request.url, "two deployments share no answers")
        const other = yield* sent(
          OpenAiChat.azure({ apiKey, baseUrl, deployment: "d", apiVersion: "2025-04-01-preview" })
        )
        assert.strictEqual(
          other.url,
          `${baseUrl}/openai/deployments/d/chat/completions?api-version=2025-04-01-preview`
        )
      }))

    it.effect("takes a token of Entra ID", () =>
      Effect.gen(function*() {
        const { headers } = yield* sent(OpenAiChat.azure({ apiKey, baseUrl, keyHeader: "authorization" }))
        assert.strictEqual(headers.authorization, "Bearer test-1234567890abcdef")
        assert.isUndefined(headers["api-key"])
      }))

    it.effect("gives temperature 0 to models that are known to take it", () =>
      Effect.gen(function*() {
        const { body } = yield* sent(OpenAiChat.azure({ apiKey, baseUrl }), { model: "gpt-4o", prompt: "x" })
        assert.strictEqual(body.temperature, 0)
      }))

    it.effect("refuses a deployment whose name would lead elsewhere", () =>
      Effect.gen(function*() {
        for (const deployment of ["..", ".", ""]) {
          assert.include(
            yield* defect(OpenAiChat.azure({ apiKey, baseUrl, deployment })),
            "path must be a list of segments"
          )
        }
        const encoded = yield* sent(OpenAiChat.azure({ apiKey, baseUrl, deployment: "%2e%2e" }))
        assert.include(encoded.url, "/openai/deployments/%252e%252e/chat")
        const query = yield* sent(OpenAiChat.azure({ apiKey, baseUrl, apiVersion: "1&evil=../x#y" }))
        assert.include(query.url, "/chat/completions?api-version=1%26evil%3D..%2Fx%23y")
      }))

    it.effect("never sends its key to OpenAI", () =>
      Effect.gen(function*() {
        const { baseUrl: _, ...without } = { apiKey, baseUrl }
        // As a program without types has it.
        assert.include(
          yield* defect(OpenAiChat.azure(without as { apiKey: typeof apiKey; baseUrl: string })),
          "baseUrl"
        )
      }))

    it.effect("takes key and endpoint from the configuration", () =>
      Effect.gen(function*() {
        const fake = service(json(completion()))
        const layer = OpenAiChat.layerConfig(
          OpenAiChat.azure({ apiKey: Config.redacted("KEY"), baseUrl: Config.string("ENDPOINT"), deployment: "d" })
        ).pipe(
          Layer.provide(fake.layer),
          Layer.provide(
            Layer.setConfigProvider(
              ConfigProvider.fromMap(new Map([["KEY", "k-123456"], ["ENDPOINT", `${baseUrl}/openai/v1`]]))
            )
          )
        )
        const { endpoint } = yield* Effect.provide(LlmProvider.LlmProvider, layer)
        assert.strictEqual(endpoint, `${baseUrl}/openai/deployments/d/chat/completions?api-version=2024-10-21`)
      }))

    it.effect("says that its filter stopped a request", () =>
      Effect.gen(function*() {
        const failure = {
          error: {
            message: "The response was filtered",
            type: null,
            param: "prompt",
            code: "content_filter",
            status: 400,
            innererror: { code: "ResponsibleAIPolicyViolation", content_filter_result: {} }
          }
        }
        const failing = yield* provider(
          OpenAiChat.layer(OpenAiChat.azure({ apiKey, baseUrl })),
          json(failure, { status: 400, headers: { "apim-request-id": "apim-1" } })
        )
        const error = yield* Effect.flip(failing.call(prompt))
        reasonOf(error, "ContentFiltered")
        assert.strictEqual(error.requestId, "apim-1")
      }))
  })
})
