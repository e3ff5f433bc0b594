import { assert, describe, it } from "@effect/vitest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Ollama from "effect-llm/Ollama"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { client, serve } from "../../support/overHttp.js"

type Json = { readonly [field: string]: unknown }

const model = "llama3.2"

/** Messages of the model as the server sends them: each has to come back equal. */
const messages: { readonly [name: string]: Json } = {
  "thoughts, a text and a call": {
    role: "assistant",
    thinking: "I look.",
    content: "One moment.",
    tool_calls: [{ id: "call_1", function: { name: "look_up", arguments: { place: "Elbe" } } }]
  },
  "an image": { role: "assistant", content: "Here:", images: ["iVBORw0KGgo="] },
  "fields that nobody knows": { role: "assistant", content: "Yes.", hologram: { x: [1, null] }, mood: "calm" }
}

const line = (message: Json, fields: Json = {}): Json => ({
  model,
  created_at: "2026-11-29T00:00:00Z",
  message,
  done: true,
  done_reason: "stop",
  prompt_eval_count: 3,
  eval_count: 5,
  ...fields
})

const trip = (whole: Json, lines: ReadonlyArray<Json>) =>
  Effect.gen(function*() {
    const server = yield* serve((response, { body }) => {
      const streams = JSON.parse(body).stream === true
      response.writeHead(200, { "content-type": streams ? "application/x-ndjson" : "application/json" })
        .end(streams ? lines.map((line) => `${JSON.stringify(line)}\n`).join("") : JSON.stringify(whole))
    })
    const { client: llm } = yield* client({ provider: Ollama.layer({ baseUrl: server.url }) })
    const first = { role: "user", content: "Go." } as const
    const uncached = { cache: "bypass" } as const
    const called = yield* llm.call({ model, messages: [first] }, uncached)
    const last = [...yield* Stream.runCollect(llm.stream({ model, messages: [first] }, uncached))].at(-1)
    assert(last?._tag === "Finish")
    const back = (answer: LlmResponse.LlmResponse) =>
      Effect.map(
        llm.call({ model, messages: [first, answer.message, { role: "user", content: "And?" }] }, uncached),
        () => JSON.parse(server.requests.at(-1)?.body ?? "").messages[1] as unknown
      )
    return { called, streamed: last.response, sent: [yield* back(called), yield* back(last.response)] }
  }).pipe(Effect.scoped)

describe("Ollama: what came goes back equal", () => {
  for (const [name, message] of Object.entries(messages)) {
    it.live(name, () =>
      Effect.gen(function*() {
        const pieces = Object.entries(message).filter(([field]) => field !== "role").map(([field, value]) =>
          line({ role: "assistant", content: "", [field]: value }, { done: false, done_reason: undefined })
        )
        const { called, sent, streamed } = yield* trip(line(message), [
          ...pieces,
          line({ role: "assistant", content: "" })
        ])
        assert.deepStrictEqual(sent, [message, message])
        assert.deepStrictEqual(streamed.parts, called.parts)
        assert.deepStrictEqual(called.raw, line(message))
      }))
  }

  it.live("a field that comes in pieces is whole only if it is text", () =>
    Effect.gen(function*() {
      const message = { role: "assistant", content: "Hi" }
      const { sent, streamed } = yield* trip(line(message), [
        line({ ...message, mood: "ca", images: ["AQ=="] }, { done: false }),
        line({ role: "assistant", content: "", mood: "lm", images: ["Ag=="] })
      ])
      assert.deepStrictEqual<ReadonlyArray<unknown>>(streamed.parts, [
        { _tag: "Text", text: "Hi" },
        { _tag: "Opaque", provider: "ollama", kind: "mood", json: "calm" },
        { _tag: "Opaque", provider: "ollama", kind: "images", json: [["AQ=="], ["Ag=="]], partial: true }
      ])
      assert.deepStrictEqual(sent[1], { ...message, mood: "calm" })
    }))

  it.live("tokens with their probabilities, and further fields of the server", () =>
    Effect.gen(function*() {
      const logprobs = [{ token: "Hi", logprob: -0.1, bytes: [72, 105], top_logprobs: [{ token: "Ho", logprob: -3 }] }]
      const message = { role: "assistant", content: "Hi" }
      const whole = line(message, { logprobs, total_duration: 7, remote_host: "https://ollama.com" })
      const { called, streamed } = yield* trip(whole, [whole])
      for (const answer of [called, streamed]) {
        assert.deepStrictEqual(answer.logprobs, [
          { token: "Hi", logprob: -0.1, bytes: [72, 105], top: [{ token: "Ho", logprob: -3 }] }
        ])
        assert.deepStrictEqual(answer.providerMetadata, { total_duration: 7, remote_host: "https://ollama.com" })
      }
    }))
})
