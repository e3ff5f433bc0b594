import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Http from "../support/fakeHttp.js"
import { client, failureOf, serve, type Transport, transports } from "../support/overHttp.js"

// Services whose headers do not say what the answer to a streamed request is.

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

const model = "nova-9"

const wholeChat = {
  id: "chat_1",
  model,
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "The Elbe." } }],
  usage: { prompt_tokens: 8, completion_tokens: 4 }
}

const events = Http.sse([
  { id: "chat_1", model, choices: [{ index: 0, delta: { content: "The " } }] },
  { id: "chat_1", model, choices: [{ index: 0, delta: { content: "Elbe." }, finish_reason: "stop" }] },
  { id: "chat_1", model, choices: [], usage: { prompt_tokens: 8, completion_tokens: 4 } },
  "[DONE]"
])

const wholes: { readonly [name: string]: readonly [(url: string) => ProviderLayer, unknown] } = {
  OpenAiChat: [(url) => OpenAiChat.layer({ baseUrl: `${url}/v1` }), wholeChat],
  OpenAi: [(url) => OpenAi.layer({ baseUrl: url }), {
    id: "resp_1",
    status: "completed",
    model,
    output: [{
      type: "message",
      id: "msg_1",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "The Elbe.", annotations: [] }]
    }],
    usage: { input_tokens: 8, output_tokens: 4 }
  }],
  Anthropic: [(url) => Anthropic.layer({ baseUrl: url }), {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model,
    stop_reason: "end_turn",
    content: [{ type: "text", text: "The Elbe." }],
    usage: { input_tokens: 8, output_tokens: 4 }
  }],
  Gemini: [(url) => Gemini.layer({ baseUrl: url }), {
    candidates: [{ content: { role: "model", parts: [{ text: "The Elbe." }] }, finishReason: "STOP" }],
    usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 4 }
  }]
}

/** The tags of the parts of a stream, and its answer, over a real socket. */
const streamed = (
  layerAt: (url: string) => ProviderLayer,
  answer: { readonly type: string; readonly chunks: ReadonlyArray<string> },
  transport: Transport = "fetch"
) =>
  Effect.gen(function*() {
    const server = yield* serve((response) => {
      response.writeHead(200, { "content-type": answer.type })
      for (const chunk of answer.chunks) response.write(chunk)
      response.end()
    })
    const { client: made } = yield* client({
      provider: layerAt(server.url),
      transport: transports[transport],
      client: { retry: { times: 0 } }
    })
    const parts = Chunk.toReadonlyArray(
      yield* Stream.runCollect(made.stream({ model, prompt: "Name a river." }, { cache: "bypass" }))
    )
    const last = parts.at(-1)
    assert(last?._tag === "Finish")
    return { tags: parts.map(({ _tag }) => _tag), response: last.response }
  })

const failed = (answer: Parameters<typeof streamed>[1]) =>
  failureOf(Effect.scoped(streamed(wholes.OpenAiChat![0], answer)))

describe("A stream", () => {
  for (const transport of ["fetch", "lean"] as const) {
    for (const type of ["application/json", "application/json; charset=utf-8", "text/html", "text/event-stream"]) {
      it.scopedLive(`is read as one under the type ${type}, over ${transport}`, () =>
        Effect.gen(function*() {
          const { response, tags } = yield* streamed(wholes.OpenAiChat![0], {
            type,
            chunks: ["\n", ...events.match(/[^]{1,40}/g)!]
          }, transport)
          assert.strictEqual(response.text, "The Elbe.")
          assert.strictEqual(response.usage.outputTokens, 4)
          assert.deepStrictEqual(tags, ["TextDelta", "TextDelta", "Finish"])
        }))
    }
  }
})

describe("A whole answer to a streamed request", () => {
  for (const [name, [layer, body]] of Object.entries(wholes)) {
    for (const type of ["application/json", "text/event-stream", "text/plain"]) {
      it.scopedLive(`is the answer, of ${name} under the type ${type}`, () =>
        Effect.gen(function*() {
          const text = JSON.stringify(body, null, 2)
          const { response, tags } = yield* streamed(layer, { type, chunks: [text.slice(0, 30), text.slice(30)] })
          assert.strictEqual(response.text, "The Elbe.")
          assert.strictEqual(response.finishReason, "stop")
          assert.deepStrictEqual(tags, ["TextDelta", "Finish"])
        }))
    }
  }

  it.scopedLive("fails where it reports an error, as it does in a call", () =>
    Effect.gen(function*() {
      for (const type of ["application/json", "text/event-stream"]) {
        const error = yield* failed({
          type,
          chunks: [JSON.stringify({ error: { message: "Rate limit reached", code: "rate_limit_exceeded" } })]
        })
        assert.strictEqual(error.reason._tag, "RateLimited")
      }
    }))

  it.scopedLive("fails where nothing can be read of it", () =>
    Effect.gen(function*() {
      for (const chunks of [["{}"], ["{\"choices\":["], [""], ["<html></html>"], ["[]"], [" \n "]]) {
        for (const type of ["application/json", "text/event-stream"]) {
          const error = yield* failed({ type, chunks })
          assert.strictEqual(error.reason._tag, "MalformedResponse", `${chunks[0]} under ${type}`)
        }
      }
    }))
})

describe("maxTokens: 0", () => {
  it.effect("fills the prompt cache of Anthropic", () =>
    Effect.gen(function*() {
      const { call, sent, stream } = yield* Http.provider(
        Anthropic.layer({ promptCache: "1h" }),
        Http.json({
          id: "msg_1",
          type: "message",
          role: "assistant",
          model,
          content: [],
          stop_reason: "max_tokens",
          usage: { input_tokens: 8, output_tokens: 0, cache_creation_input_tokens: 1000 }
        })
      )
      const request = { model: "claude-haiku-4-5", prompt: "Name a river.", maxTokens: 0 }
      const response = yield* call(request)
      assert.strictEqual(sent[0]?.body.max_tokens, 0)
      assert.strictEqual(response.text, "")
      assert.strictEqual(response.finishReason, "length")
      assert.strictEqual(response.usage.cacheWriteTokens, 1000)
      assert.strictEqual(Http.finished(yield* stream(request)).finishReason, "length")
    }))

  it.effect("is an unsupported feature elsewhere, for which nothing is sent", () =>
    Effect.gen(function*() {
      for (const [name, [layer]] of Object.entries(wholes)) {
        if (name === "Anthropic") continue
        const { call, sent } = yield* Http.provider(layer("http://127.0.0.1:9"), Http.json({}))
        const error = yield* Effect.flip(call({ model, prompt: "Name a river.", maxTokens: 0 }))
        assert.strictEqual(Http.reasonOf(error, "UnsupportedFeature").feature, "maxTokens: 0")
        assert.strictEqual(error.attempts, 0)
        assert.isTrue(error.canFailOver)
        assert.isEmpty(sent)
      }
    }))
})
