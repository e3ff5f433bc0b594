import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as FakeHttp from "../support/fakeHttp.js"

const apiKey = Redacted.make("sk-test-0123456789abcdef")

const bytes = Uint8Array.of(1, 2, 3)
const base64 = "AQID"

const text = (text: string) => Message.Text.make({ text })
const image = Message.ImageBytes.make({ bytes, mediaType: "image/png" })
const pdf = Message.FileBytes.make({ bytes, mediaType: "application/pdf", name: "map.pdf" })
const zip = Message.FileBytes.make({ bytes, mediaType: "application/zip" })
const imageUrl = Message.ImageUrl.make({ url: "https://example.com/elbe.png" })

type Fields = Omit<Parameters<typeof Message.ToolResult.make>[0], "id">

/** A conversation that ends with the result of its call, and then other messages. */
const conversation = (
  model: string,
  result: Fields,
  ...others: ReadonlyArray<Message.Message>
): LlmRequest.Input => ({
  model,
  messages: [
    { role: "user", content: "Show me the Elbe." },
    { role: "assistant", content: [{ _tag: "ToolCall", id: "call_1", name: "photograph", arguments: {} }] },
    Message.toolResults([{ id: "call_1", name: "photograph", ...result }]),
    ...others
  ]
})

const protocols = {
  openai: {
    model: "gpt-4o-mini",
    layer: OpenAi.layer({ apiKey }),
    answer: {
      status: "completed",
      output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "Wide." }] }]
    }
  },
  chat: {
    model: "gpt-4o-mini",
    layer: OpenAiChat.layer({ apiKey }),
    answer: { choices: [{ finish_reason: "stop", message: { role: "assistant", content: "Wide." } }] }
  },
  mistral: {
    model: "pixtral-12b",
    layer: OpenAiChat.layer(OpenAiChat.mistral({ apiKey })),
    answer: { choices: [{ finish_reason: "stop", message: { role: "assistant", content: "Wide." } }] }
  },
  anthropic: {
    model: "claude-sonnet-4-5",
    layer: Anthropic.layer({ apiKey }),
    answer: { stop_reason: "end_turn", content: [{ type: "text", text: "Wide." }], usage: {} }
  },
  gemini: {
    model: "gemini-3-pro-preview",
    layer: Gemini.layer({ apiKey }),
    answer: { candidates: [{ finishReason: "STOP", content: { parts: [{ text: "Wide." }] } }] }
  },
  gemini2: {
    model: "gemini-2.5-flash",
    layer: Gemini.layer({ apiKey }),
    answer: { candidates: [{ finishReason: "STOP", content: { parts: [{ text: "Wide." }] } }] }
  },
  ollama: {
    model: "llava",
    layer: Ollama.layer({}),
    answer: { done: true, done_reason: "stop", message: { role: "assistant", content: "Wide." } }
  }
}

type Protocol = keyof typeof protocols

/** What a provider sends for a result, behind the call, and its warnings. */
const sentFor = (protocol: Protocol, result: Fields, ...others: ReadonlyArray<Message.Message>) =>
  Effect.gen(function*() {
    const { answer, layer, model } = protocols[protocol]
    const { call, sent } = yield* FakeHttp.provider(layer, FakeHttp.json(answer))
    const { warnings } = yield* call(conversation(model, result, ...others))
    const { contents, input, messages } = sent[0]?.body ?? {}
    const turns = messages ?? input ?? contents
    assert(Array.isArray(turns))
    return { turns: turns.slice(2), warnings }
  })

const asideWarning = "images and files in tool results were sent behind them, in a turn of the user"

const rich: Fields = { result: { taken: "noon" }, parts: [text("From the north:"), image] }

describe("Tool results with parts", () => {
  it.effect("openai: text, images and files are parts of the output", () =>
    Effect.gen(function*() {
      const { turns, warnings } = yield* sentFor("openai", { ...rich, parts: [...rich.parts ?? [], pdf, imageUrl] })
      assert.deepStrictEqual(turns, [{
        type: "function_call_output",
        call_id: "call_1",
        output: [
          { type: "input_text", text: "{\"taken\":\"noon\"}" },
          { type: "input_text", text: "From the north:" },
          { type: "input_image", image_url: `data:image/png;base64,${base64}`, detail: "auto" },
          { type: "input_file", filename: "map.pdf", file_data: `data:application/pdf;base64,${base64}` },
          { type: "input_image", image_url: "https://example.com/elbe.png", detail: "auto" }
        ]
      }])
      assert.deepStrictEqual(warnings, [])
    }))

  it.effect("anthropic: text, images and documents are blocks of the result", () =>
    Effect.gen(function*() {
      const { turns, warnings } = yield* sentFor("anthropic", { ...rich, parts: [...rich.parts ?? [], pdf, imageUrl] })
      assert.deepStrictEqual(turns, [{
        role: "user",
        content: [{
          type: "tool_result",
          tool_use_id: "call_1",
          content: [
            { type: "text", text: "{\"taken\":\"noon\"}" },
            { type: "text", text: "From the north:" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: base64 } },
            {
              type: "document",
              title: "map.pdf",
              source: { type: "base64", media_type: "application/pdf", data: base64 }
            },
            { type: "image", source: { type: "url", url: "https://example.com/elbe.png" } }
          ]
        }]
      }])
      assert.deepStrictEqual(warnings, [])
    }))

  it.effect("gemini: from version 3 on, they are parts of the response", () =>
    Effect.gen(function*() {
      const { turns, warnings } = yield* sentFor("gemini", { ...rich, parts: [...rich.parts ?? [], pdf, imageUrl] })
      assert.deepStrictEqual(turns, [{
        role: "user",
        parts: [{
          functionResponse: {
            id: "call_1",
            name: "photograph",
            response: { output: { taken: "noon" } },
            parts: [
              { inlineData: { mimeType: "text/plain", data: btoa("From the north:") } },
              { inlineData: { mimeType: "image/png", data: base64 } },
              { inlineData: { mimeType: "application/pdf", data: base64 } },
              { fileData: { mimeType: "image/png", fileUri: "https://example.com/elbe.png" } }
            ]
          }
        }]
      }])
      assert.deepStrictEqual(warnings, [])
    }))

  it.effect("gemini: before, they are beside the response, with a warning", () =>
    Effect.gen(function*() {
      const { turns, warnings } = yield* sentFor("gemini2", rich)
      assert.deepStrictEqual(turns, [{
        role: "user",
        parts: [
          { functionResponse: { id: "call_1", name: "photograph", response: { output: { taken: "noon" } } } },
          { text: "From the north:" },
          { inlineData: { mimeType: "image/png", data: base64 } }
        ]
      }])
      assert.deepStrictEqual(warnings, [asideWarning])
    }))

  it.effect("chat: they follow in a message of the user, with a warning", () =>
    Effect.gen(function*() {
      const { turns, warnings } = yield* sentFor("chat", rich)
      assert.deepStrictEqual(turns, [
        { role: "tool", tool_call_id: "call_1", content: "{\"taken\":\"noon\"}" },
        {
          role: "user",
          content: [
            { type: "text", text: "From the result of the call call_1:\n" },
            { type: "text", text: "From the north:" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } }
          ]
        }
      ])
      assert.deepStrictEqual(warnings, [asideWarning])
    }))

  it.effect("chat: they follow behind all results of a turn, before what comes next", () =>
    Effect.gen(function*() {
      const { answer, layer, model } = protocols.chat
      const { call, sent } = yield* FakeHttp.provider(layer, FakeHttp.json(answer))
      yield* call({
        model,
        messages: [
          { role: "user", content: "Show me Elbe and Oder." },
          {
            role: "assistant",
            content: ["a", "b", "c"].map((id) => ({ _tag: "ToolCall", id, name: "photograph", arguments: {} }))
          },
          Message.toolResults([{ id: "a", result: "", parts: [image] }, { id: "b", result: "none" }]),
          Message.toolResults([{ id: "c", result: "the Oder", parts: [imageUrl] }]),
          { role: "user", content: "Which is wider?" }
        ]
      })
      const { messages } = sent[0]?.body ?? {}
      assert(Array.isArray(messages))
      assert.deepStrictEqual(messages.slice(2), [
        { role: "tool", tool_call_id: "a", content: "The result is in the next message." },
        { role: "tool", tool_call_id: "b", content: "none" },
        { role: "tool", tool_call_id: "c", content: "the Oder" },
        {
          role: "user",
          content: [
            { type: "text", text: "From the result of the call a:\n" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } },
            { type: "text", text: "From the result of the call c:\n" },
            { type: "image_url", image_url: { url: "https://example.com/elbe.png" } }
          ]
        },
        { role: "user", content: "Which is wider?" }
      ])
    }))

  it.effect("chat: Mistral, which takes no user behind a tool, has them in the result", () =>
    Effect.gen(function*() {
      const { turns, warnings } = yield* sentFor("mistral", rich)
      const [{ content, role }, ...others] = turns
      assert.deepStrictEqual({ role, content, others, warnings }, {
        role: "tool",
        content: [
          { type: "text", text: "{\"taken\":\"noon\"}" },
          { type: "text", text: "From the north:" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } }
        ],
        others: [],
        warnings: []
      })
    }))

  it.effect("ollama: images follow in a message of the user, with a warning", () =>
    Effect.gen(function*() {
      const { turns, warnings } = yield* sentFor("ollama", rich)
      assert.deepStrictEqual(turns, [
        { role: "tool", content: "{\"taken\":\"noon\"}", tool_name: "photograph", tool_call_id: "call_1" },
        {
          role: "user",
          content: "From the result of the call call_1:\nFrom the north:",
          images: [base64]
        }
      ])
      assert.deepStrictEqual(warnings, [asideWarning])
    }))

  const withoutMedia: ReadonlyArray<readonly [name: string, result: Fields, expected: string]> = [
    ["no parts", { result: "wide", parts: [] }, "wide"],
    ["texts", { result: "wide", parts: [text("and deep"), text(" ")] }, "wide\n\nand deep"],
    ["JSON and texts", { result: { kilometers: 1094 }, parts: [text("of it")] }, "{\"kilometers\":1094}\n\nof it"],
    ["texts alone", { result: "", parts: [text("wide")] }, "wide"]
  ]

  for (const [name, result, expected] of withoutMedia) {
    it.effect(`are one text in all protocols, of a result with ${name}`, () =>
      Effect.gen(function*() {
        const contentOf = (protocol: Protocol) =>
          Effect.map(sentFor(protocol, result), ({ turns: [turn, ...others], warnings }) => {
            assert.deepStrictEqual([others, warnings], [[], []])
            return turn
          })
        assert.strictEqual((yield* contentOf("openai")).output, expected)
        assert.strictEqual((yield* contentOf("chat")).content, expected)
        assert.strictEqual((yield* contentOf("mistral")).content, expected)
        assert.strictEqual((yield* contentOf("ollama")).content, expected)
        for (const protocol of ["gemini", "gemini2"] as const) {
          assert.strictEqual((yield* contentOf(protocol)).parts[0].functionResponse.response.output, expected)
        }
        const { content } = (yield* contentOf("anthropic")).content[0]
        const texts = typeof content === "string" ? content : content.map((block: { text: string }) => block.text)
        assert.strictEqual(typeof texts === "string" ? texts : texts.join("\n\n"), expected)
      }))
  }

  const refused: ReadonlyArray<readonly [Protocol, name: string, Fields, feature: string]> = [
    ["anthropic", "an archive", { result: "", parts: [zip] }, "files of type application/zip"],
    [
      "anthropic",
      "an image of a failure",
      { result: "broken", parts: [image], isError: true },
      "images and files in a failed tool result"
    ],
    ["chat", "a file by address", {
      result: "",
      parts: [Message.FileUrl.make({ url: "https://example.com/a.pdf", mediaType: "application/pdf" })]
    }, "files by address"],
    ["ollama", "a file", { result: "", parts: [pdf] }, "files"],
    ["ollama", "an image by address", { result: "", parts: [imageUrl] }, "images by address"]
  ]

  for (const [protocol, name, result, feature] of refused) {
    it.effect(`${protocol}: ${name} is UnsupportedFeature, before anything is sent`, () =>
      Effect.gen(function*() {
        const { answer, layer, model } = protocols[protocol]
        const { call, sent, stream } = yield* FakeHttp.provider(layer, FakeHttp.json(answer))
        const input = conversation(model, result)
        const called = yield* Effect.flip(call(input))
        assert.strictEqual(FakeHttp.reasonOf(called, "UnsupportedFeature").feature, feature)
        assert.strictEqual(FakeHttp.reasonOf((yield* stream(input)).error, "UnsupportedFeature").feature, feature)
        assert.deepStrictEqual(sent, [])
      }))
  }
})
