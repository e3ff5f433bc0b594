import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { namedSse, provider, sse, streaming, textOf } from "../support/fakeHttp.js"

const apiKey = Redacted.make("sk-test-1234567890abcdef")

interface Protocol {
  readonly layer: Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>
  /** The beginning of an answer: the text "Elbe". */
  readonly begun: string
  /** An event that says that the service failed, and another that makes no sense. */
  readonly failed: string
  readonly malformed: string
  readonly contentType?: string
  /** The tokens that the beginning states. */
  readonly inputTokens?: number
}

const protocols: { readonly [name: string]: Protocol } = {
  OpenAi: {
    layer: OpenAi.layer({ apiKey }),
    begun: namedSse([
      { type: "response.created", response: { id: "r", status: "in_progress", output: [] } },
      { type: "response.output_item.added", output_index: 0, item: { type: "message", id: "m", content: [] } },
      { type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "Elbe" }
    ]),
    failed: namedSse([{ type: "error", code: "server_error", message: "boom" }]),
    malformed: "data: {]\n\n"
  },
  OpenAiChat: {
    layer: OpenAiChat.layer({ apiKey }),
    begun: sse([{ id: "c", choices: [{ index: 0, delta: { content: "Elbe" }, finish_reason: null }] }]),
    failed: sse([{ error: { message: "boom", type: "server_error" } }]),
    malformed: "data: {]\n\n"
  },
  Anthropic: {
    layer: Anthropic.layer({ apiKey }),
    begun: namedSse([
      { type: "message_start", message: { id: "m", role: "assistant", content: [], usage: { input_tokens: 9 } } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Elbe" } }
    ]),
    failed: namedSse([{ type: "error", error: { type: "api_error", message: "boom" } }]),
    malformed: "data: {]\n\n",
    inputTokens: 9
  },
  Gemini: {
    layer: Gemini.layer({ apiKey }),
    begun: sse([{
      candidates: [{ content: { role: "model", parts: [{ text: "Elbe" }] }, index: 0 }],
      usageMetadata: { promptTokenCount: 9 }
    }]),
    failed: sse([{ error: { code: 500, message: "boom", status: "INTERNAL" } }]),
    malformed: "data: {]\n\n",
    inputTokens: 9
  },
  Ollama: {
    layer: Ollama.layer(),
    begun: ["El", "be"].map((content) =>
      `${JSON.stringify({ model: "m", message: { role: "assistant", content }, done: false })}\n`
    ).join(""),
    failed: `${JSON.stringify({ error: "boom" })}\n`,
    malformed: "{]\n",
    contentType: "application/x-ndjson"
  }
}

const request = { model: "m", prompt: "Name two rivers." } as const

const assertPartial = (error: LlmError.LlmError | undefined, tag: LlmError.ReasonTag, { inputTokens }: Protocol) => {
  assert.strictEqual(error?.reason._tag, tag)
  assert.strictEqual(error?.partial?.text, "Elbe")
  assert.deepStrictEqual(error?.partial?.parts.map((part) => part._tag), ["Text"])
  assert.strictEqual(error?.partial?.usage?.inputTokens, inputTokens)
}

for (const [name, protocol] of Object.entries(protocols)) {
  const { begun, contentType, failed, layer, malformed } = protocol
  const options = contentType === undefined ? {} : { contentType }

  describe(`${name}: the failure of a stream has the answer so far, and the tokens that are known`, () => {
    const ends: ReadonlyArray<readonly [string, LlmError.ReasonTag, Response]> = [
      ["an event that says so", "ServerFailed", streaming([begun, failed], options)],
      ["such an event beside the last text", "ServerFailed", streaming([begun + failed], options)],
      ["an event that makes no sense", "StreamInterrupted", streaming([begun, malformed], options)],
      ["a connection that breaks", "StreamInterrupted", streaming([begun], { ...options, end: "cut" })],
      ["an end without the end of the answer", "StreamInterrupted", streaming([begun], options)]
    ]
    for (const [end, tag, answer] of ends) {
      it.effect(end, () =>
        Effect.gen(function*() {
          const { stream } = yield* provider(layer, answer)
          const result = yield* stream(request)
          assert.strictEqual(textOf(result), "Elbe")
          assertPartial(result.error, tag, protocol)
        }))
    }

    it.effect("where none was asked for", () =>
      Effect.gen(function*() {
        const { call } = yield* provider(layer, streaming([begun], options))
        assertPartial(yield* Effect.flip(call(request)), "MalformedResponse", protocol)
      }))

    it.effect("and nothing before the first text", () =>
      Effect.gen(function*() {
        const { stream } = yield* provider(layer, streaming([failed], options))
        const { error } = yield* stream(request)
        assert.strictEqual(error?.reason._tag, "ServerFailed")
        assert.isUndefined(error?.partial)
      }))
  })
}
