import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { sse } from "../support/fakeHttp.js"
import { outcomesOf, sameAnswer, sameFailure } from "../support/oddAnswers.js"
import { transportNames } from "../support/overHttp.js"

// Answers in another frame than the one that was asked for: a stream to a call, events without the frame of events.

type Json = { readonly [field: string]: unknown }

const apiKey = Redacted.make("sk-test-1234567890abcdef")

const chunk = (content: string, finish_reason: string | null = null): Json => ({
  id: "c1",
  model: "example-1",
  choices: [{ index: 0, delta: { content }, finish_reason }]
})

const claude: ReadonlyArray<Json> = [
  { type: "message_start", message: { id: "m1", role: "assistant", model: "claude", content: [], usage: {} } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "The " } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Elbe" } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 3 } },
  { type: "message_stop" }
]

const candidate = (text: string, finishReason?: string): Json => ({
  candidates: [{ index: 0, content: { role: "model", parts: [{ text }] }, finishReason }]
})

const line = (content: string, fields: Json = { done: false }): Json => ({
  model: "qwen3",
  message: { role: "assistant", content },
  ...fields
})

const message = { type: "message", id: "i1", role: "assistant", content: [{ type: "output_text", text: "The Elbe" }] }

const protocols = {
  chat: {
    at: (baseUrl: string) => OpenAiChat.layer({ apiKey, baseUrl, name: "example" }),
    model: "example-1",
    events: [chunk("The "), chunk("Elbe", "stop")]
  },
  responses: {
    at: (baseUrl: string) => OpenAi.layer({ apiKey, baseUrl }),
    model: "gpt-4o-mini",
    events: [
      { type: "response.created", response: { id: "r1", status: "in_progress", output: [] } },
      { type: "response.completed", response: { id: "r1", status: "completed", output: [message] } }
    ]
  },
  anthropic: {
    at: (baseUrl: string) => Anthropic.layer({ apiKey, baseUrl }),
    model: "claude-sonnet-4-5",
    events: claude
  },
  gemini: {
    at: (baseUrl: string) => Gemini.layer({ apiKey, baseUrl }),
    model: "gemini-2.5-flash",
    events: [candidate("The "), candidate("Elbe", "STOP")]
  },
  ollama: {
    at: (baseUrl: string) => Ollama.layer({ baseUrl }),
    model: "qwen3",
    events: [line("The "), line("Elbe", { done: true, done_reason: "stop" })]
  }
} as const

const lines = (events: ReadonlyArray<Json>): string => events.map((event) => `${JSON.stringify(event)}\n`).join("")

/** How a protocol frames its events, and under which type. */
const framed = (name: string, events: ReadonlyArray<Json>) =>
  name === "ollama" ? { events: lines(events) } : { events: sse(events) }

describe("Providers: a stream where a whole answer was asked for", () => {
  for (const [name, { at, events, model }] of Object.entries(protocols)) {
    for (const contentType of ["text/event-stream", "application/json"]) {
      it.live(`is read to its end: ${name}, under the type ${contentType}`, () =>
        Effect.gen(function*() {
          const odd = { ...framed(name, events), contentType }
          const outcome = yield* outcomesOf(at, { model, prompt: "Which river?" }, { call: odd })
          assert.strictEqual(sameAnswer(outcome).text, "The Elbe")
          // It is whole, and kept.
          assert.deepStrictEqual(outcome.requests, [1, 0])
        }))
    }

    it.live(`is malformed without its end, and never kept: ${name}`, () =>
      Effect.gen(function*() {
        const odd = { ...framed(name, events.slice(0, -1)), contentType: "application/json" }
        const outcome = yield* outcomesOf(at, { model, prompt: "Which river?" }, { call: odd })
        assert(Either.isLeft(outcome.call))
        assert.strictEqual(outcome.call.left.reason._tag, "MalformedResponse")
        assert.isTrue(outcome.call.left.isRetryable)
        assert.deepStrictEqual(outcome.requests, [1, 1])
      }))
  }

  for (const transport of transportNames) {
    it.live(`is read over ${transport}`, () =>
      Effect.gen(function*() {
        const { at, events, model } = protocols.chat
        const outcome = yield* outcomesOf(at, { model, prompt: "?" }, { call: { events: sse(events) } }, transport)
        assert.strictEqual(sameAnswer(outcome).text, "The Elbe")
      }))
  }

  it.live("fails as it says, if it is an error", () =>
    Effect.gen(function*() {
      const { at, model } = protocols.chat
      const error = { error: { message: "Slow down", code: 429 } }
      const outcome = yield* outcomesOf(at, { model, prompt: "?" }, { call: { events: sse([error]) } })
      const reason = sameFailure(outcome)
      assert.strictEqual(reason._tag, "RateLimited")
      assert.strictEqual(reason.message, "Slow down")
    }))
})

describe("Providers: events without a frame", () => {
  for (const [name, { at, events, model }] of Object.entries(protocols)) {
    const list = JSON.stringify(events, null, 2)
    for (const [how, text] of [["in a list", list], ["one a line", lines(events)]] as const) {
      it.live(`are read, over a call and a stream: ${name}, ${how}`, () =>
        Effect.gen(function*() {
          const odd = { json: text }
          const outcome = yield* outcomesOf(at, { model, prompt: "?" }, { call: odd })
          assert.strictEqual(sameAnswer(outcome).text, "The Elbe")
        }))
    }
  }

  it.live("are an error if the first of a list says so", () =>
    Effect.gen(function*() {
      const { at, model } = protocols.gemini
      const error = { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } }
      assert.strictEqual(
        sameFailure(yield* outcomesOf(at, { model, prompt: "?" }, { call: { json: [error] } }))._tag,
        "Overloaded"
      )
    }))

  it.live("are none in a list of nothing, or of something else", () =>
    Effect.gen(function*() {
      const { at, model } = protocols.chat
      for (const json of ["[]", "[1,2]", "[{},{}]", "{}\n{}", "a page"]) {
        const outcome = yield* outcomesOf(at, { model, prompt: "?" }, { call: { json } })
        assert(Either.isLeft(outcome.call) && Either.isLeft(outcome.stream), json)
      }
    }))
})

describe("Providers: a whole answer in a stream", () => {
  const whole = {
    responses: { id: "r1", object: "response", status: "completed", model: "gpt-4o-mini", output: [message] },
    anthropic: { id: "m1", type: "message", content: [{ type: "text", text: "The Elbe" }], stop_reason: "end_turn" },
    chat: {
      object: "chat.completion",
      choices: [{ index: 0, message: { content: "The Elbe" }, finish_reason: "stop" }]
    }
  } as const
  for (const name of ["responses", "anthropic", "chat"] as const) {
    it.live(`is read, as one event: ${name}`, () =>
      Effect.gen(function*() {
        const { at, model } = protocols[name]
        const stream = { events: sse([whole[name]]) }
        const outcome = yield* outcomesOf(at, { model, prompt: "?" }, { call: { json: whole[name] }, stream })
        assert.strictEqual(sameAnswer(outcome).text, "The Elbe")
      }))
  }
})
