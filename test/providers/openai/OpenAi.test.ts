import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as OpenAi from "effect-llm/OpenAi"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { json, provider, reasonOf, type Service } from "../../support/fakeHttp.js"

const key = "sk-test-0123456789abcdef"

const openAi = (options: Partial<OpenAi.Options> = {}) => OpenAi.layer({ apiKey: Redacted.make(key), ...options })

/** An answer whose output consists of these items. */
const answer = (output: unknown, fields: { readonly [field: string]: unknown } = {}) => ({
  id: "resp_1",
  object: "response",
  created_at: 1,
  model: "gpt-4o-mini-2024-07-18",
  status: "completed",
  error: null,
  incomplete_details: null,
  output,
  usage: null,
  ...fields
})

const says = (text: string, fields: { readonly [field: string]: unknown } = {}) => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }],
  ...fields
})

const ok = json(answer([says("Hi")]))

const request = { model: "gpt-4o-mini", prompt: "Name three rivers." } as const

/** What is sent for a request, and the warnings about what is not. */
const sentFor = (
  input: LlmRequest.Input,
  options: Partial<OpenAi.Options> = {}
) =>
  Effect.gen(function*() {
    const { call, sent } = yield* provider(openAi(options), ok)
    const { warnings } = yield* call(input)
    assert.strictEqual(sent.length, 1)
    return { body: sent[0]!.body, warnings }
  })

const inputFor = (messages: ReadonlyArray<Message.Input>) =>
  Effect.map(sentFor({ model: "gpt-4o-mini", messages }), ({ body }) => body.input)

const callOn = (service: Service, input: LlmRequest.Input = request) =>
  Effect.flatMap(provider(openAi(), service), ({ call }) => call(input))

const failureOn = (service: Service, input?: LlmRequest.Input) => Effect.flip(callOn(service, input))

/** The one who can read reasoning in the answers. */
const reader = { provider: "openai", account: "https://api.openai.com/v1/responses", model: "gpt-4o-mini" }

describe("OpenAi", () => {
  describe("where requests go", () => {
    it.effect("posts to /responses with the key, and keeps no answers there", () =>
      Effect.gen(function*() {
        const { call, provider: service, sent } = yield* provider(openAi(), ok)
        yield* call(request)
        const { body, headers, method, url } = sent[0]!
        assert.strictEqual(method, "POST")
        assert.strictEqual(url, "https://api.openai.com/v1/responses")
        assert.strictEqual(headers.authorization, `Bearer ${key}`)
        assert.deepStrictEqual(body, {
          model: "gpt-4o-mini",
          input: [{ role: "user", content: "Name three rivers." }],
          temperature: 0,
          store: false
        })
        assert.strictEqual(service.name, "openai")
        assert.strictEqual(service.endpoint, "https://api.openai.com/v1/responses")
      }))

    it.effect("names the organization and the project that are billed", () =>
      Effect.gen(function*() {
        const { call, sent } = yield* provider(openAi({ organization: "org-1", project: "proj-1" }), ok)
        yield* call(request)
        assert.strictEqual(sent[0]!.headers["openai-organization"], "org-1")
        assert.strictEqual(sent[0]!.headers["openai-project"], "proj-1")
      }))

    it.effect("takes key and address from the program's configuration, and says what is wrong there", () =>
      Effect.gen(function*() {
        const layer = OpenAi.layerConfig({ apiKey: Config.redacted("KEY"), baseUrl: Config.string("URL") })
        const configured = (url: string) =>
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["KEY", key], ["URL", url]])))
        const { call, sent } = yield* provider(Layer.orDie(layer), ok).pipe(configured("https://proxy.example/v1/"))
        yield* call(request)
        assert.strictEqual(sent[0]!.url, "https://proxy.example/v1/responses")
        assert.strictEqual(sent[0]!.headers.authorization, `Bearer ${key}`)

        const error = yield* Layer.build(Layer.provide(layer, FetchHttpClient.layer)).pipe(
          configured("nowhere"),
          Effect.scoped,
          Effect.flip
        )
        assert.include(String(error), "baseUrl")
      }))
  })

  describe("messages", () => {
    it.effect("carry the conversation, instructions apart", () =>
      Effect.gen(function*() {
        const { body } = yield* sentFor({
          model: "gpt-4o-mini",
          system: "Be brief.",
          messages: [
            { role: "user", content: "Weather in Paris?" },
            {
              role: "assistant",
              content: [
                Message.Text.make({ text: "I look." }),
                Message.ToolCall.make({ id: "call_1", name: "weather", arguments: { city: "Paris" } }),
                Message.ToolCall.make({ id: "call_2", name: "weather", arguments: "{\"ci", incomplete: true })
              ]
            },
            {
              role: "tool",
              content: [
                Message.ToolResult.make({ id: "call_1", result: { degrees: 21 } }),
                Message.ToolResult.make({ id: "call_2", result: "no such city", isError: true })
              ]
            },
            { role: "system", content: "Use Celsius." },
            { role: "assistant", content: [Message.Refusal.make({ text: "I can't." })] },
            { role: "user", content: [Message.Text.make({ text: "Why " }), Message.Text.make({ text: "not?" })] }
          ]
        })
        assert.strictEqual(body.instructions, "Be brief.")
        assert.deepStrictEqual(body.input, [
          { role: "user", content: "Weather in Paris?" },
          { role: "assistant", content: "I look." },
          { type: "function_call", call_id: "call_1", name: "weather", arguments: "{\"city\":\"Paris\"}" },
          { type: "function_call", call_id: "call_2", name: "weather", arguments: "{\"ci" },
          { type: "function_call_output", call_id: "call_1", output: "{\"degrees\":21}" },
          { type: "function_call_output", call_id: "call_2", output: "no such city" },
          { role: "system", content: "Use Celsius." },
          { role: "assistant", content: [{ type: "refusal", refusal: "I can't." }] },
          { role: "user", content: "Why not?" }
        ])
      }))

    it.effect("carry images and files, by address or by their bytes", () =>
      Effect.gen(function*() {
        const bytes = new Uint8Array([1, 2, 3])
        const input = yield* inputFor([{
          role: "user",
          content: [
            { _tag: "Text", text: "What is this?" },
            { _tag: "Image", url: "https://example.com/a.png", detail: "low" },
            { _tag: "Image", bytes, mediaType: "image/png" },
            { _tag: "File", url: "https://example.com/a.pdf", mediaType: "application/pdf", name: "a.pdf" },
            { _tag: "File", bytes, mediaType: "application/pdf", name: "b.pdf" },
            { _tag: "File", bytes, mediaType: "text/plain" },
            { _tag: "File", bytes, mediaType: "application/pdf" }
          ]
        }])
        assert.deepStrictEqual(input, [{
          role: "user",
          content: [
            { type: "input_text", text: "What is this?" },
            { type: "input_image", image_url: "https://example.com/a.png", detail: "low" },
            { type: "input_image", image_url: "data:image/png;base64,AQID", detail: "auto" },
            { type: "input_file", file_url: "https://example.com/a.pdf" },
            { type: "input_file", filename: "b.pdf", file_data: "data:application/pdf;base64,AQID" },
            { type: "input_file", filename: "file.txt", file_data: "data:text/plain;base64,AQID" },
            { type: "input_file", filename: "file.pdf", file_data: "data:application/pdf;base64,AQID" }
          ]
        }])
      }))

    it.effect("carry the service's own reasoning, if it has its content, and nobody else's", () =>
      Effect.gen(function*() {
        const input = yield* inputFor([
          { role: "user", content: "Go on." },
          {
            role: "assistant",
            content: [
              Message.Reasoning.make({ text: "Let me see.", id: "rs_1", encrypted: "E1", provider: "openai" }),
              Message.Reasoning.make({ encrypted: "E2", provider: "openai" }),
              Message.Reasoning.make({ text: "kept by the service", id: "rs_3", provider: "openai" }),
              Message.Reasoning.make({ text: "signed", signature: "S", provider: "anthropic" }),
              Message.Reasoning.make({ text: "nobody's", encrypted: "E5" }),
              Message.ToolCall.make({ id: "call_1", name: "weather", arguments: {} })
            ]
          },
          { role: "tool", content: [Message.ToolResult.make({ id: "call_1", result: "sunny" })] }
        ])
        assert.deepStrictEqual(input, [
          { role: "user", content: "Go on." },
          {
            type: "reasoning",
            id: "rs_1",
            summary: [{ type: "summary_text", text: "Let me see." }],
            encrypted_content: "E1"
          },
          { type: "reasoning", summary: [], encrypted_content: "E2" },
          { type: "function_call", call_id: "call_1", name: "weather", arguments: "{}" },
          { type: "function_call_output", call_id: "call_1", output: "sunny" }
        ])
      }))

    it.effect("carry an answer back as it came: reasoning, phases and calls in their order", () =>
      Effect.gen(function*() {
        const output = [
          {
            type: "reasoning",
            id: "rs_1",
            summary: [{ type: "summary_text", text: "r" }],
            encrypted_content: "E"
          },
          says("I look.", { id: "msg_1", phase: "commentary" }),
          {
            type: "function_call",
            id: "fc_1",
            call_id: "call_1",
            name: "f",
            arguments: "{\"a\":1}",
            status: "completed"
          },
          says("Done.", { id: "msg_2", phase: "final_answer" })
        ]
        const { message } = yield* callOn(json(answer(output)))
        const input = yield* inputFor([{ role: "user", content: "Go." }, message])
        assert.deepStrictEqual(input, [
          { role: "user", content: "Go." },
          {
            type: "reasoning",
            id: "rs_1",
            summary: [{ type: "summary_text", text: "r" }],
            encrypted_content: "E"
          },
          { role: "assistant", content: "I look.", phase: "commentary" },
          { type: "function_call", call_id: "call_1", name: "f", arguments: "{\"a\":1}" },
          { role: "assistant", content: "Done.", phase: "final_answer" }
        ])
      }))
  })

  describe("settings", () => {
    const tool = { name: "weather", parameters: { type: "object", properties: {} } }

    it.effect("tools and the choice of them are flat", () =>
      Effect.gen(function*() {
        const { body } = yield* sentFor({
          ...request,
          tools: [{ ...tool, description: "Tells the weather.", strict: true }, { ...tool, name: "time" }],
          toolChoice: { tool: "weather" }
        })
        assert.deepStrictEqual(body.tools, [
          {
            type: "function",
            name: "weather",
            description: "Tells the weather.",
            parameters: { type: "object", properties: {} },
            strict: true
          },
          { type: "function", name: "time", parameters: { type: "object", properties: {} }, strict: false }
        ])
        assert.deepStrictEqual(body.tool_choice, { type: "function", name: "weather" })
        for (const toolChoice of ["auto", "none", "required"] as const) {
          const { body } = yield* sentFor({ ...request, tools: [tool], toolChoice })
          assert.strictEqual(body.tool_choice, toolChoice)
        }
      }))

    it.effect("the schema of the output is flat, and leaves room for raw text settings", () =>
      Effect.gen(function*() {
        const schema = { type: "object", properties: { n: { type: "number" } }, required: ["n"] }
        const { body } = yield* sentFor({
          ...request,
          outputSchema: { name: "Count", description: "A count.", schema },
          providerOptions: { openai: { text: { verbosity: "low" } } }
        })
        assert.deepStrictEqual(body.text, {
          format: { type: "json_schema", name: "Count", description: "A count.", schema, strict: true },
          verbosity: "low"
        })
        const loose = yield* sentFor({ ...request, outputSchema: { name: "Count", schema, strict: false } })
        assert.deepStrictEqual(loose.body.text, {
          format: { type: "json_schema", name: "Count", schema, strict: false }
        })
      }))

    it.effect("a sampling model gets sampling settings and a limit, and no effort", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sentFor({
          ...request,
          temperature: 0.5,
          topP: 0.9,
          maxTokens: 100,
          reasoningEffort: "low"
        })
        assert.deepInclude(body, { temperature: 0.5, top_p: 0.9, max_output_tokens: 100 })
        assert.notProperty(body, "reasoning")
        assert.notProperty(body, "include")
        assert.deepStrictEqual(warnings, ["reasoningEffort was not sent: gpt-4o-mini does not take it"])
      }))

    it.effect("a reasoning model gets an effort, gives out what it thought, and takes no sampling settings", () =>
      Effect.gen(function*() {
        for (const model of ["gpt-5", "gpt-5.4-mini", "gpt-6-sol", "o3", "o4-mini-2025-04-16", "codex-mini-latest"]) {
          const { body, warnings } = yield* sentFor({
            model,
            prompt: "Think.",
            temperature: 0.5,
            topP: 0.9,
            reasoningEffort: "low",
            providerOptions: { openai: { reasoning: { summary: "auto" } } }
          })
          assert.deepStrictEqual(body, {
            model,
            input: [{ role: "user", content: "Think." }],
            store: false,
            include: ["reasoning.encrypted_content"],
            reasoning: { effort: "low", summary: "auto" }
          })
          assert.deepStrictEqual(warnings, [
            `temperature was not sent: ${model} does not take it`,
            `topP was not sent: ${model} does not take it`
          ])
        }
      }))

    it.effect("a model that must not reason takes sampling settings from GPT-5.1 on", () =>
      Effect.gen(function*() {
        const told = yield* sentFor({ model: "gpt-5.1", prompt: "Hi", reasoningEffort: "none", topP: 0.5 })
        assert.deepInclude(told.body, { temperature: 0, top_p: 0.5, reasoning: { effort: "none" } })
        assert.deepStrictEqual(told.warnings, [])
        const older = yield* sentFor({ model: "gpt-5", prompt: "Hi", reasoningEffort: "none", topP: 0.5 })
        assert.notProperty(older.body, "temperature")
        assert.deepStrictEqual(older.body.reasoning, { effort: "minimal" })
        assert.deepStrictEqual(older.warnings, [
          "topP was not sent: gpt-5 does not take it",
          "reasoningEffort was sent as minimal: gpt-5 does not take none"
        ])
      }))

    it.effect("temperature is 0 by default where the model is known to take it, or the service is another one", () =>
      Effect.gen(function*() {
        const temperature = (model: string, baseUrl: string) =>
          Effect.map(sentFor({ model, prompt: "Hi" }, { baseUrl }), ({ body }) => body.temperature)
        const openai = "https://api.openai.com/v1"
        const azure = "https://me.openai.azure.com/openai/v1"
        const other = "https://openrouter.ai/api/v1"
        assert.strictEqual(yield* temperature("gpt-4.1", openai), 0)
        assert.strictEqual(yield* temperature("gpt-5-chat-latest", openai), 0)
        assert.isUndefined(yield* temperature("a-new-model", openai))
        assert.isUndefined(yield* temperature("my-deployment", azure))
        assert.strictEqual(yield* temperature("gpt-4.1", azure), 0)
        assert.strictEqual(yield* temperature("llama-4", other), 0)
        assert.isUndefined(yield* temperature("openai/gpt-5", other))
        assert.strictEqual(yield* temperature("evil-openai.com", "https://evil-openai.com/v1"), 0)
      }))

    it.effect("settings that the protocol lacks are left out with a warning", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sentFor({ ...request, topK: 5, stop: "END", seed: 7 })
        for (const field of ["top_k", "stop", "seed"]) assert.notProperty(body, field)
        assert.deepStrictEqual(warnings, [
          "topK was not sent: Responses does not have it",
          "stop was not sent: Responses does not have it",
          "seed was not sent: Responses does not have it"
        ])
      }))

    it.effect("the user has the name that the service knows", () =>
      Effect.gen(function*() {
        const here = yield* sentFor({ ...request, user: "u-1" })
        assert.strictEqual(here.body.safety_identifier, "u-1")
        assert.notProperty(here.body, "user")
        const elsewhere = yield* sentFor({ ...request, user: "u-1" }, { baseUrl: "https://vllm.example/v1" })
        assert.strictEqual(elsewhere.body.user, "u-1")
        assert.notProperty(elsewhere.body, "safety_identifier")
      }))

    it.effect("where the service may keep the answers, what the model thought need not travel", () =>
      Effect.gen(function*() {
        const kept = yield* sentFor({ model: "gpt-5", prompt: "Hi" }, { store: true })
        assert.strictEqual(kept.body.store, true)
        assert.notProperty(kept.body, "include")
        const raw = yield* sentFor({ model: "gpt-5", prompt: "Hi", providerOptions: { openai: { store: true } } })
        assert.strictEqual(raw.body.store, true)
        assert.notProperty(raw.body, "include")
      }))

    it.effect("raw fields win, and those for the provider's own name most", () =>
      Effect.gen(function*() {
        const { body } = yield* sentFor({
          ...request,
          providerOptions: {
            openai: { temperature: 1, metadata: { a: "1" }, service_tier: "flex" },
            mine: { service_tier: "priority", reasoning: null },
            anthropic: { top_k: 1 }
          }
        }, { name: "mine" })
        assert.deepInclude(body, { temperature: 1, metadata: { a: "1" }, service_tier: "priority", reasoning: null })
        assert.notProperty(body, "top_k")
        const effort = yield* sentFor({
          model: "o3",
          prompt: "Think.",
          reasoningEffort: "low",
          providerOptions: { openai: { reasoning: { effort: "high" }, include: [] } }
        })
        assert.deepInclude(effort.body, { reasoning: { effort: "high" }, include: [] })
      }))
  })

  describe("answers", () => {
    it.effect("hold all items in their order, and what is known about them", () =>
      Effect.gen(function*() {
        const response = yield* callOn(json(
          answer([
            {
              type: "reasoning",
              id: "rs_1",
              summary: [{ type: "summary_text", text: "First." }, { type: "summary_text", text: "Second." }],
              encrypted_content: "E"
            },
            { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "q" } },
            {
              ...says(""),
              content: [
                { type: "output_text", text: "Hel", annotations: [] },
                { type: "output_text", text: "lo", annotations: [] }
              ]
            },
            { type: "function_call", id: "fc_1", call_id: "call_1", name: "f", arguments: "{\"a\":1}" },
            { type: "function_call", id: "fc_2", call_id: "call_2", name: "g", arguments: "" }
          ], {
            service_tier: "default",
            usage: {
              input_tokens: 20,
              input_tokens_details: { cached_tokens: 4, cache_write_tokens: 3 },
              output_tokens: 12,
              output_tokens_details: { reasoning_tokens: 5 },
              total_tokens: 32
            }
          }),
          {
            headers: {
              "x-request-id": "req_1",
              "x-ratelimit-limit-requests": "500",
              "x-ratelimit-remaining-requests": "499",
              "x-ratelimit-reset-requests": "120ms"
            }
          }
        ))
        assert.deepStrictEqual(response.parts, [
          { _tag: "Reasoning", text: "First.\n\nSecond.", id: "rs_1", encrypted: "E", ...reader },
          {
            _tag: "Opaque",
            provider: "openai",
            kind: "web_search_call",
            json: { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "q" } }
          },
          { _tag: "Text", text: "Hello" },
          { _tag: "ToolCall", id: "call_1", name: "f", arguments: { a: 1 } },
          { _tag: "ToolCall", id: "call_2", name: "g", arguments: {} }
        ])
        assert.strictEqual(response.text, "Hello")
        assert.strictEqual(response.finishReason, "tool_calls")
        assert.deepStrictEqual(response.usage, {
          inputTokens: 20,
          cachedInputTokens: 4,
          cacheWriteTokens: 3,
          outputTokens: 12,
          reasoningTokens: 5
        })
        assert.strictEqual(response.model, "gpt-4o-mini-2024-07-18")
        assert.strictEqual(response.provider, "openai")
        assert.strictEqual(response.id, "resp_1")
        assert.strictEqual(response.requestId, "req_1")
        assert.deepStrictEqual(response.rateLimit, {
          requests: { limit: 500, remaining: 499, resetAfter: Duration.millis(120) }
        })
        assert.deepStrictEqual(response.providerMetadata, { service_tier: "default" })
        assert.deepStrictEqual(response.warnings, ["a block of the kind web_search_call was kept as it came"])
      }))

    it.effect("say why they end", () =>
      Effect.gen(function*() {
        const ends = (status: string, reason: string | null, output: unknown = [says("Hi")]) =>
          Effect.map(
            callOn(json(answer(output, { status, incomplete_details: reason === null ? null : { reason } }))),
            (response) => response.finishReason
          )
        assert.strictEqual(yield* ends("completed", null), "stop")
        assert.strictEqual(yield* ends("incomplete", "max_output_tokens"), "length")
        assert.strictEqual(yield* ends("incomplete", "content_filter"), "content_filter")
        assert.strictEqual(yield* ends("incomplete", "something_new"), "other")
        assert.strictEqual(yield* ends("incomplete", null), "other")
      }))

    it.effect("distinguish a refusal from a text", () =>
      Effect.gen(function*() {
        const response = yield* callOn(json(answer([says("", {
          content: [{ type: "refusal", refusal: "I can't help with that." }]
        })])))
        assert.deepStrictEqual(response.parts, [{ _tag: "Refusal", text: "I can't help with that." }])
        assert.strictEqual(response.text, "")
        assert.strictEqual(response.finishReason, "refusal")
      }))

    it.effect("mark a call that the limit cut, and fail on one that is no JSON otherwise", () =>
      Effect.gen(function*() {
        const call = {
          type: "function_call",
          id: "fc_1",
          call_id: "call_1",
          name: "f",
          arguments: "{\"a\": 1, \"b\": \"xy",
          status: "incomplete"
        }
        const cut = yield* callOn(
          json(answer([call], { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }))
        )
        assert.strictEqual(cut.finishReason, "length")
        assert.deepStrictEqual(cut.parts, [
          { _tag: "ToolCall", id: "call_1", name: "f", arguments: "{\"a\": 1, \"b\": \"xy", incomplete: true }
        ])
        const wrong = yield* failureOn(json(answer([{ ...call, status: "completed" }])))
        assert.strictEqual(reasonOf(wrong, "ToolArgumentsInvalid").raw, "{\"a\": 1, \"b\": \"xy")
      }))

    it.effect("can be empty, and lack whatever is not the answer", () =>
      Effect.gen(function*() {
        for (
          const body of [
            answer([says("")]),
            { status: "completed", output: [says("")] },
            { output: [{ type: "message" }] }
          ]
        ) {
          const response = yield* callOn(json(body))
          assert.deepStrictEqual(response.parts, [])
          assert.strictEqual(response.finishReason, "stop")
          assert.deepStrictEqual(response.usage, {})
        }
        const bare = yield* callOn(json({ output: [{ type: "message", content: [{ text: "Hi" }] }] }))
        assert.strictEqual(bare.text, "Hi")
        assert.strictEqual(bare.model, "gpt-4o-mini")
        assert.notProperty(bare, "id")
      }))

    it.effect("keep what they hold of unknown kinds, and skip what has none", () =>
      Effect.gen(function*() {
        const response = yield* callOn(json(answer([
          null,
          "text",
          { type: "hologram", content: [{ text: "no" }] },
          { type: "toString" },
          says("Hi"),
          { type: "message", content: null },
          { type: "message", content: [null, { type: "hologram" }] }
        ])))
        const opaque = (kind: string, json: unknown) => Message.Opaque.make({ provider: "openai", kind, json })
        assert.deepStrictEqual(response.parts, [
          opaque("hologram", { type: "hologram", content: [{ text: "no" }] }),
          opaque("toString", { type: "toString" }),
          { _tag: "Text", text: "Hi" },
          opaque("message.hologram", { type: "hologram" })
        ])
      }))

    it.effect("are the body's errors, with HTTP 200, too", () =>
      Effect.gen(function*() {
        const failed = (error: unknown) => failureOn(json(answer([], { status: "failed", error })))
        const reasons = yield* Effect.forEach([
          { code: "server_error", message: "x" },
          { code: "rate_limit_exceeded", message: "x" },
          { code: "insufficient_quota", message: "x" },
          { code: "invalid_prompt", message: "x" },
          { code: "image_too_large", message: "x" },
          { code: "bio_policy", message: "x" },
          null
        ], (error) => Effect.map(failed(error), ({ reason }) => reason._tag))
        assert.deepStrictEqual(reasons, [
          "ServerFailed",
          "RateLimited",
          "QuotaExhausted",
          "InvalidRequest",
          "InvalidRequest",
          "ContentFiltered",
          "ServerFailed"
        ])
        const cancelled = yield* failureOn(json(answer([], { status: "cancelled" })))
        assert.isTrue(cancelled.isRetryable)
      }))

    it.effect("without any item are malformed, as a model that says nothing says so in a message", () =>
      Effect.gen(function*() {
        for (const body of [answer(null), answer([]), { status: "completed" }, { output: [] }]) {
          assert.strictEqual((yield* failureOn(json(body))).reason._tag, "MalformedResponse", JSON.stringify(body))
        }
      }))

    it.effect("are JSON objects with an output", () =>
      Effect.gen(function*() {
        for (const body of [{}, { output: null }, { output: "Hi" }, [], "<html>", "{\"output\":[", ""]) {
          const error = yield* failureOn(json(body))
          assert.strictEqual(error.reason._tag, "MalformedResponse", JSON.stringify(body))
        }
      }))

    it.effect("with a status of failure are classified", () =>
      Effect.gen(function*() {
        const limited = yield* failureOn(json(
          { error: { message: "Rate limit reached", type: "tokens", param: null, code: "rate_limit_exceeded" } },
          { status: 429, headers: { "retry-after-ms": "1500", "x-request-id": "req_9" } }
        ))
        assert.deepStrictEqual(reasonOf(limited, "RateLimited").retryAfter, Duration.millis(1500))
        assert.deepInclude(limited, { status: 429, requestId: "req_9", provider: "openai", model: "gpt-4o-mini" })
        const wrong = yield* failureOn(json({
          error: {
            message: "Unsupported parameter: 'temperature' is not supported with this model.",
            type: "invalid_request_error",
            param: "temperature",
            code: null
          }
        }, { status: 400 }))
        assert.strictEqual(reasonOf(wrong, "InvalidRequest").field, "temperature")
      }))
  })
})
