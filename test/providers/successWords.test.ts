import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { sse } from "../support/fakeHttp.js"
import { outcomesOf, sameAnswer, sameFailure } from "../support/oddAnswers.js"

// Services report success in the fields in which others report a failure. The content decides.

type Json = { readonly [field: string]: unknown }

const apiKey = Redacted.make("sk-test-1234567890abcdef")

/** For each protocol, a whole answer, and the same answer without its content. */
const services = {
  chat: {
    at: (baseUrl: string) => OpenAiChat.layer({ apiKey, baseUrl }),
    model: "gpt-4o-mini",
    body: { choices: [{ index: 0, message: { role: "assistant", content: "Elbe" }, finish_reason: "stop" }] },
    empty: { choices: [] }
  },
  responses: {
    at: (baseUrl: string) => OpenAi.layer({ apiKey, baseUrl }),
    model: "gpt-5-mini",
    body: { output: [{ type: "message", content: [{ type: "output_text", text: "Elbe" }] }] },
    empty: { output: [] }
  },
  anthropic: {
    at: (baseUrl: string) => Anthropic.layer({ apiKey, baseUrl }),
    model: "claude-haiku-4-5",
    body: { role: "assistant", content: [{ type: "text", text: "Elbe" }], stop_reason: "end_turn" },
    empty: { content: [] }
  },
  gemini: {
    at: (baseUrl: string) => Gemini.layer({ apiKey, baseUrl }),
    model: "gemini-2.5-flash",
    body: { candidates: [{ content: { parts: [{ text: "Elbe" }] }, finishReason: "STOP" }] },
    empty: { candidates: [] }
  },
  ollama: {
    at: (baseUrl: string) => Ollama.layer({ baseUrl }),
    model: "llama3",
    body: { message: { role: "assistant", content: "Elbe" }, done: true, done_reason: "stop" },
    empty: {}
  }
} as const

const reports: { readonly [what: string]: Json } = {
  "a message and a code, as iFlytek": { code: 0, message: "Success", sid: "cha000b0003" },
  "another name of the message": { code: 200, msg: "ok", success: true },
  "an error without content": { error: { code: 0, message: "", type: null } },
  "an error that is 0": { error: 0 }
}

describe("Providers: an answer that reports its own success", () => {
  for (const [service, { at, body, model }] of Object.entries(services)) {
    for (const [what, report] of Object.entries(reports)) {
      // Ollama has the answer itself in the field `message`.
      const answer: Json = { ...report, ...body }
      it.live(`is the answer, over a call and a stream: ${service}, ${what}`, () =>
        Effect.gen(function*() {
          const outcomes = yield* outcomesOf(at, { model, prompt: "Which river?" }, { call: { json: answer } })
          assert.strictEqual(sameAnswer(outcomes).text, "Elbe")
        }))
    }
  }

  for (const [service, { at, empty, model }] of Object.entries(services)) {
    it.live(`is a failure with its words where there is no content: ${service}`, () =>
      Effect.gen(function*() {
        const answer = { ...empty, code: 10013, message: "the model is busy" }
        const outcomes = yield* outcomesOf(at, { model, prompt: "Which river?" }, { call: { json: answer } })
        assert.strictEqual(sameFailure(outcomes).message, "the model is busy")
      }))
  }

  it.live("is the answer in each event of a stream, and one that breaks off is interrupted", () =>
    Effect.gen(function*() {
      const { at, model } = services.chat
      const event = (choice: Json): Json => ({ code: 0, message: "Success", choices: [{ index: 0, ...choice }] })
      const streamOf = (events: ReadonlyArray<Json>) =>
        Effect.map(
          outcomesOf(at, { model, prompt: "Which river?" }, { call: { json: {} }, stream: { events: sse(events) } }),
          ({ stream }) => stream
        )
      const text = event({ delta: { content: "Elbe" } })
      const whole = yield* streamOf([text, event({ delta: {}, finish_reason: "stop" })])
      assert(whole._tag === "Right")
      assert.strictEqual(whole.right.text, "Elbe")
      const cut = yield* streamOf([text])
      assert(cut._tag === "Left")
      assert.strictEqual(cut.left.reason._tag, "StreamInterrupted")
    }))
})
