import { assert, describe, it } from "@effect/vitest"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import type * as Message from "effect-llm/Message"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { finished, json, provider, sse, streaming } from "../../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }

const host = (options: Partial<OpenAiChat.Options> = {}) =>
  OpenAiChat.layer({
    apiKey: Redacted.make("sk-1234567890abcdef"),
    baseUrl: "https://host.example/v1",
    name: "example",
    ...options
  })

const ask: LlmRequest.Input = { model: "m-1", prompt: "Which river?" }

const body = (message: Json, fields: Json = {}, choice: Json = {}): Json => ({
  id: "c1",
  object: "chat.completion",
  created: 1,
  model: "m-1",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop", ...choice }],
  ...fields
})

const chunk = (delta: Json, fields: Json = {}, choice: Json = {}): Json => ({
  id: "c1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m-1",
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
  ...fields
})

const end = chunk({}, {}, { finish_reason: "stop" })

const called = (answer: Json, options?: Partial<OpenAiChat.Options>) =>
  Effect.flatMap(provider(host(options), json(answer)), ({ call }) => call(ask))

const streamed = (chunks: ReadonlyArray<Json>) =>
  Effect.flatMap(
    provider(host(), streaming([sse([...chunks, "[DONE]"])])),
    ({ stream }) => Effect.map(stream(ask), finished)
  )

/** The message that is sent for a turn in a later request, and the warnings. */
const sentBack = (message: Message.AssistantMessage, options: Partial<OpenAiChat.Options> = {}) =>
  Effect.gen(function*() {
    const next = yield* provider(host(options), json(body({ content: "Oder" })))
    const { warnings } = yield* next.call({
      model: "m-1",
      messages: [{ role: "user", content: "Which river?" }, message, { role: "user", content: "And?" }]
    })
    return { message: (next.sent[0]!.body.messages as ReadonlyArray<Json>)[1], warnings }
  })

describe("OpenAiChat: an answer with fields that are not modelled", () => {
  const signed = { google: { thought_signature: "S" } }

  it.effect("keeps those of the message, and sends them back where the host's data lists them, elsewhere with a warning", () =>
    Effect.gen(function*() {
      const answer = body({ content: "The Elbe.", extra_content: signed })
      const whole = yield* called(answer)
      assert.deepStrictEqual(whole.parts, [
        { _tag: "Text", text: "The Elbe." },
        { _tag: "Opaque", provider: "example", kind: "extra_content", json: signed }
      ])
      const chunks = [chunk({ content: "The " }), chunk({ content: "Elbe.", extra_content: signed }), end]
      assert.deepStrictEqual(yield* streamed(chunks), LlmResponse.withoutRaw(whole))
      assert.deepStrictEqual(yield* sentBack(whole.message), {
        message: { role: "assistant", content: "The Elbe." },
        warnings: ["a block of the kind extra_content was not sent: example does not take it back"]
      })
      assert.deepStrictEqual(yield* sentBack(whole.message, { capabilities: { messageFields: ["extra_content"] } }), {
        message: { role: "assistant", content: "The Elbe.", extra_content: signed },
        warnings: []
      })
      const gemini = "https://generativelanguage.googleapis.com/v1beta/openai"
      assert.deepStrictEqual((yield* sentBack(whole.message, { baseUrl: gemini })).message?.extra_content, signed)
    }))

  it.effect("joins texts that come in pieces, and takes what a last message repeats for the whole", () =>
    Effect.gen(function*() {
      const plan = (text: string) => chunk({ tool_plan: text })
      const joined = yield* streamed([plan("I "), plan("look."), chunk({ content: "Elbe" }), end])
      assert.deepStrictEqual(joined.parts.at(-1), {
        _tag: "Opaque",
        provider: "example",
        kind: "tool_plan",
        json: "I look."
      })
      const repeated = yield* streamed([
        chunk({ content: "Elbe", images: [{ url: "a" }] }),
        chunk({ images: [{ url: "b" }] }),
        body({ content: "Elbe", images: [{ url: "a" }, { url: "b" }] })
      ])
      assert.deepStrictEqual(repeated.parts, [
        { _tag: "Text", text: "Elbe" },
        { _tag: "Opaque", provider: "example", kind: "images", json: [{ url: "a" }, { url: "b" }] }
      ])
    }))

  it.effect("keeps the other choices, which are billed, too", () =>
    Effect.gen(function*() {
      const second = { index: 1, message: { role: "assistant", content: "The Oder." }, finish_reason: "stop" }
      const answer = body({ content: "The Elbe." })
      const response = yield* called({ ...answer, choices: [second, ...answer.choices as ReadonlyArray<Json>] })
      assert.strictEqual(response.text, "The Elbe.")
      assert.deepStrictEqual(response.parts[1], {
        _tag: "Opaque",
        provider: "example",
        kind: "choice 1",
        json: second
      })
    }))

  it.effect("keeps calls that are not of functions, beside those that are", () =>
    Effect.gen(function*() {
      const custom = (id: string) => ({ id, type: "custom", custom: { name: "query", input: "select 1" } })
      const find = { id: "call_2", type: "function", function: { name: "find", arguments: "{}" } }
      const whole = yield* called(body({ content: null, tool_calls: [custom("call_1"), find, custom("call_3")] }, {}, {
        finish_reason: "tool_calls"
      }))
      assert.strictEqual(whole.finishReason, "tool_calls")
      assert.deepStrictEqual(whole.toolCalls.map(({ name }) => name), ["find"])
      assert.deepStrictEqual(whole.parts.slice(1), [
        { _tag: "Opaque", provider: "example", kind: "custom call 0", json: custom("call_1") },
        { _tag: "Opaque", provider: "example", kind: "custom call 2", json: custom("call_3") }
      ])

      const begun = { index: 0, ...custom("call_1") }
      const more = { index: 0, custom: { input: " + 1" } }
      const inPieces = yield* streamed([chunk({ tool_calls: [begun] }), chunk({ tool_calls: [more] }), end])
      assert.deepStrictEqual(inPieces.parts, [
        { _tag: "Opaque", provider: "example", kind: "custom call 0", json: [begun, more], partial: true }
      ])
    }))

  it.effect("keeps the other choices however they are numbered, beside calls, too", () =>
    Effect.gen(function*() {
      const tool_calls = [{ id: "call_1", type: "function", function: { name: "find", arguments: "{}" } }]
      for (
        const [indexes, kind] of [
          [[undefined, undefined], "choice 1"],
          [[0, 0], "choice 1"],
          [["0", "2"], "choice 2"],
          [[null, 3], "choice 3"]
        ] as const
      ) {
        for (const message of [{ content: "The Elbe." }, { content: null, tool_calls }]) {
          const [first, second] = indexes.map((index) => ({ index, message, finish_reason: "stop" }))
          const { parts } = yield* called({ model: "example-1", choices: [first, second] })
          assert.deepStrictEqual(parts.map(({ _tag }) => _tag), [
            message.content === null ? "ToolCall" : "Text",
            "Opaque"
          ])
          const { json, ...block } = parts[1] as Message.Opaque
          assert.deepStrictEqual(block, { _tag: "Opaque", provider: "example", kind })
          assert.deepStrictEqual(JSON.stringify(json), JSON.stringify(second))
        }
      }
    }))

  it.effect("keeps those of the body, later ones over earlier ones, except those that do not concern the answer", () =>
    Effect.gen(function*() {
      const timings = { predicted_n: 2 }
      const whole = yield* called(body({ content: "Elbe" }, { timings, system_fingerprint: "fp_1", x: null }))
      assert.deepStrictEqual(whole.providerMetadata, { timings, system_fingerprint: "fp_1" })
      const chunks = [chunk({ content: "Elbe" }, { timings: {}, system_fingerprint: "fp_1", obfuscation: "xx" })]
      assert.deepStrictEqual((yield* streamed([...chunks, { ...end, timings }])).providerMetadata, {
        timings,
        system_fingerprint: "fp_1"
      })
    }))

  it.effect("reads the tier, the service's own tools, and what the searches found", () =>
    Effect.gen(function*() {
      const response = yield* called(body({ content: "Elbe" }, {
        service_tier: "flex",
        usage: { prompt_tokens: 1, completion_tokens: 2, server_tool_use: { web_search_requests: 3 } },
        citations: ["https://example.com/a"],
        search_results: [{ title: "Elbe", url: "https://example.com/a", date: "2026-01-01" }]
      }))
      assert.deepStrictEqual(response.usage, {
        inputTokens: 1,
        outputTokens: 2,
        serverToolUse: { web_search_requests: 3 },
        serviceTier: "flex"
      })
      assert.deepStrictEqual(response.sources, [{
        _tag: "Source",
        provider: "example",
        kind: "search_result",
        url: "https://example.com/a",
        title: "Elbe",
        json: { title: "Elbe", url: "https://example.com/a", date: "2026-01-01" }
      }])
    }))

  it.effect("has the citations of its text behind it, each once, though a service repeats them in every chunk", () =>
    Effect.gen(function*() {
      const annotation = {
        type: "url_citation",
        url_citation: {
          url: "https://example.com/elbe",
          title: "Elbe",
          start_index: 0,
          end_index: 4,
          content: "An Elbe."
        }
      }
      const source = {
        _tag: "Source",
        provider: "example",
        kind: "url_citation",
        url: "https://example.com/elbe",
        title: "Elbe",
        quote: "An Elbe.",
        span: { start: 0, end: 4 },
        json: annotation
      }
      const whole = yield* called(body({ content: "Elbe", annotations: [annotation] }))
      assert.deepStrictEqual([...whole.parts], [{ _tag: "Text", text: "Elbe" }, source])
      const citing = { annotations: [annotation] }
      const chunks = [chunk({ content: "El", ...citing }), chunk({ content: "be", ...citing }), end]
      assert.deepStrictEqual((yield* streamed(chunks)).parts, whole.parts)

      const cited = { citations: ["https://example.com/a", "https://example.com/b"] }
      const perplexed = yield* streamed([chunk({ content: "El" }, cited), chunk({ content: "be" }, cited), end])
      assert.deepStrictEqual(perplexed.sources.map(({ url }) => url), cited.citations)
    }))

  it.effect("has the logprobs of its tokens, over a call and a stream, and in the old form", () =>
    Effect.gen(function*() {
      const token = (token: string) => ({
        token,
        logprob: -0.5,
        bytes: null,
        top_logprobs: [{ token: "x", logprob: -2 }]
      })
      const read = (token: string) => ({ token, logprob: -0.5, top: [{ token: "x", logprob: -2 }] })
      const expected = [read("El"), read("be")]
      const logprobs = { content: [token("El"), token("be")], refusal: null }
      assert.deepStrictEqual((yield* called(body({ content: "Elbe" }, {}, { logprobs }))).logprobs, expected)
      const chunks = ["El", "be"].map((text) => chunk({ content: text }, {}, { logprobs: { content: [token(text)] } }))
      assert.deepStrictEqual((yield* streamed([...chunks, end])).logprobs, expected)
      const old = { tokens: ["El", "be"], token_logprobs: [-0.5, -0.5], top_logprobs: [{ x: -2 }, { x: -2 }] }
      assert.deepStrictEqual((yield* called(body({ content: "Elbe" }, {}, { logprobs: old }))).logprobs, expected)
      assert.notProperty(yield* called(body({ content: "Elbe" }, {}, { logprobs: null })), "logprobs")
    }))
})
