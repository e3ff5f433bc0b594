import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { sse } from "../support/fakeHttp.js"
import { outcomesOf } from "../support/oddAnswers.js"
import { protocols } from "../support/protocols.js"

// A body that ends within an event was cut. Some services put a word for the end into each event, so that it proves nothing.

type Json = { readonly [field: string]: unknown }

/** For each protocol without a last event of its own: an event with a text and a word for the end, and a stream of events. */
const services = {
  chat: {
    ...protocols.chat,
    event: (content: string): Json => ({ choices: [{ index: 0, delta: { content }, finish_reason: "stop" }] }),
    stream: sse
  },
  gemini: {
    ...protocols.gemini,
    event: (text: string): Json => ({ candidates: [{ content: { parts: [{ text }] }, finishReason: "STOP" }] }),
    stream: sse
  },
  ollama: {
    ...protocols.ollama,
    event: (content: string): Json => ({ message: { content }, done: true, done_reason: "stop" }),
    stream: (events: ReadonlyArray<Json>) => events.map((event) => `${JSON.stringify(event)}\n`).join("")
  }
} as const

describe("Providers: a stream that ends within an event", () => {
  for (const [service, { at, event, model, stream }] of Object.entries(services)) {
    it.live(`is no answer where what was cut may have been content, and the failure has the text: ${service}`, () =>
      Effect.gen(function*() {
        const outcomeOf = (events: string) =>
          Effect.map(
            outcomesOf(at, { model, prompt: "Which rivers?" }, { call: { json: {} }, stream: { events } }),
            ({ stream }) => stream
          )
        const whole = stream([event("Elbe, "), event("Oder")])
        const before = stream([event("Elbe, ")])
        for (let length = before.length + 12; length < whole.trimEnd().length; length += 7) {
          const cut = yield* outcomeOf(whole.slice(0, length))
          assert(cut._tag === "Left", whole.slice(0, length))
          assert.strictEqual(cut.left.reason._tag, "StreamInterrupted")
          assert.strictEqual(cut.left.partial?.text, "Elbe, ")
        }
        const complete = yield* outcomeOf(whole.trimEnd())
        assert(complete._tag === "Right")
        assert.strictEqual(complete.right.text, "Elbe, Oder")
      }))
  }

  it.live("is an answer where the end was announced on its own: only its usage was cut", () =>
    Effect.gen(function*() {
      const { at, model } = services.chat
      const events = sse([
        { choices: [{ index: 0, delta: { content: "Elbe" } }] },
        { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }
      ])
      const { stream } = yield* outcomesOf(at, { model, prompt: "Which river?" }, {
        call: { json: {} },
        stream: { events: `${events}data: {"choices":[],"usage":{"prompt_to` }
      })
      assert(stream._tag === "Right")
      assert.strictEqual(stream.right.text, "Elbe")
      assert.deepStrictEqual(stream.right.usage, {})
    }))
})
