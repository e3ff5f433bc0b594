import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { sse } from "../support/fakeHttp.js"
import { outcomesOf, sameAnswer, sameFailure } from "../support/oddAnswers.js"
import { protocols } from "../support/protocols.js"

// Services report success in the fields in which others report a failure. The content decides.

type Json = { readonly [field: string]: unknown }

/** For each protocol, a whole answer, and the same answer without its content. */
const services = {
  chat: {
    ...protocols.chat,
    body: { choices: [{ index: 0, message: { role: "assistant", content: "Elbe" }, finish_reason: "stop" }] },
    empty: { choices: [] }
  },
  responses: {
    ...protocols.responses,
    body: { output: [{ type: "message", content: [{ type: "output_text", text: "Elbe" }] }] },
    empty: { output: [] }
  },
  anthropic: {
    ...protocols.anthropic,
    body: { role: "assistant", content: [{ type: "text", text: "Elbe" }], stop_reason: "end_turn" },
    empty: { content: [] }
  },
  gemini: {
    ...protocols.gemini,
    body: { candidates: [{ content: { parts: [{ text: "Elbe" }] }, finishReason: "STOP" }] },
    empty: { candidates: [] }
  },
  ollama: {
    ...protocols.ollama,
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
