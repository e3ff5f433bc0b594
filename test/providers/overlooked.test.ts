import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ending from "../../src/providers/ending.js"
import { sse } from "../support/fakeHttp.js"
import { outcomesOf, sameAnswer, sameFailure } from "../support/oddAnswers.js"

// An answer whose text stands where no protocol has it: it is never an empty success.

type Json = { readonly [field: string]: unknown }

const apiKey = Redacted.make("sk-test-1234567890abcdef")

const services = {
  chat: { at: (baseUrl: string) => OpenAiChat.layer({ apiKey, baseUrl, name: "example" }), model: "example-1" },
  responses: { at: (baseUrl: string) => OpenAi.layer({ apiKey, baseUrl }), model: "gpt-4o-mini" },
  anthropic: { at: (baseUrl: string) => Anthropic.layer({ apiKey, baseUrl }), model: "claude-sonnet-4-5" },
  gemini: { at: (baseUrl: string) => Gemini.layer({ apiKey, baseUrl }), model: "gemini-2.5-flash" },
  ollama: { at: (baseUrl: string) => Ollama.layer({ baseUrl }), model: "qwen3" }
} as const

const said = (item: Json): Json => ({ status: "completed", output: [{ type: "message", role: "assistant", ...item }] })
const candidate = (fields: Json): Json => ({ candidates: [{ finishReason: "STOP", ...fields }] })
const last = (fields: Json): Json => ({ model: "qwen3", done: true, done_reason: "stop", ...fields })

const overlooked: ReadonlyArray<readonly [service: keyof typeof services, what: string, body: Json]> = [
  ["ollama", "the field of another path", last({ response: "The Elbe" })],
  [
    "ollama",
    "a list of parts",
    last({ message: { role: "assistant", content: [{ type: "text", text: "The Elbe" }] } })
  ],
  ["chat", "another name of the message", {
    choices: [{ index: 0, message: {}, messages: [{ content: "The Elbe" }], finish_reason: "stop" }]
  }],
  ["gemini", "a content that is a text", candidate({ content: "The Elbe" })],
  ["gemini", "an output", candidate({ output: "The Elbe" })],
  ["gemini", "parts that are texts", candidate({ content: { parts: ["The Elbe"] } })],
  ["gemini", "a text beside the parts", candidate({ content: { text: "The Elbe" } })],
  ["responses", "a text of the item", said({ text: "The Elbe", content: [] })],
  ["responses", "content of texts", said({ content: ["The Elbe"] })],
  ["responses", "a part without a type", said({ content: [{ value: "The Elbe" }] })]
]

describe("Providers: a text in a place where none is expected", () => {
  for (const [service, what, body] of overlooked) {
    it.live(`is malformed, over a call and a stream, and never kept: ${service}, ${what}`, () =>
      Effect.gen(function*() {
        const { at, model } = services[service]
        const event = service === "responses" ? { type: "response.completed", response: body } : body
        const events = service === "ollama" ? `${JSON.stringify(body)}\n` : sse([event])
        const outcome = yield* outcomesOf(at, { model, prompt: "Which river?" }, {
          call: { json: body },
          stream: { events }
        })
        assert.strictEqual(sameFailure(outcome)._tag, "MalformedResponse")
        assert.deepStrictEqual(outcome.requests, [1, 1])
      }))
  }

  it.live("is malformed in a piece of a stream", () =>
    Effect.gen(function*() {
      const { at, model } = services.anthropic
      const message = { id: "m1", role: "assistant", content: [], usage: {} }
      const events = [
        { type: "message_start", message },
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", content: "The Elbe" } },
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: "end_turn" } },
        { type: "message_stop" }
      ]
      const { stream } = yield* outcomesOf(at, { model, prompt: "?" }, {
        call: { json: { ...message, stop_reason: "end_turn" } },
        stream: { events: sse(events) }
      })
      assert(stream._tag === "Left")
      assert.strictEqual(stream.left.reason._tag, "MalformedResponse")
    }))

  it.live("is none where a service quotes the request, and the model says nothing", () =>
    Effect.gen(function*() {
      const { at, model } = services.responses
      const outcome = yield* outcomesOf(at, { model, prompt: "?" }, {
        call: {
          json: {
            ...said({ content: [{ type: "output_text", text: "" }] }),
            instructions: "Say nothing.",
            metadata: { answer: "none" },
            text: { format: { type: "text" }, verbosity: "low" },
            tools: [{ type: "function", name: "f", description: "x", parameters: { text: "x" } }]
          }
        }
      })
      assert.strictEqual(sameAnswer(outcome).text, "")
    }))

  it("is looked for in bounded depth", () => {
    const deep = (levels: number): unknown => levels === 0 ? { text: "x" } : { inner: deep(levels - 1) }
    assert.isTrue(Ending.holdsText(deep(5)))
    assert.isFalse(Ending.holdsText(deep(500)))
    assert.isFalse(Ending.holdsText({ content: " \n", role: "assistant", type: "text" }))
  })
})
