import { assert, describe, it } from "@effect/vitest"
import * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { namedSse, sse } from "../support/fakeHttp.js"
import { outcomesOf, sameAnswer } from "../support/oddAnswers.js"
import { client, serve, transports } from "../support/overHttp.js"
import { protocols } from "../support/protocols.js"

// Services cut texts anywhere, also within a surrogate pair. A half of a character must not end a conversation: services
// refuse it, and a request with one has no key.

type Json = { readonly [field: string]: unknown }

const half = "\ud83d"
const args = { river: `Elbe ${half}`, [half]: 1 }
/** For each protocol, an answer with halves of characters in its text, its arguments, its sources and what is not modelled. */
const services = {
  chat: {
    ...protocols.chat,
    body: {
      choices: [{
        index: 0,
        finish_reason: "tool_calls",
        message: {
          content: `Die Elbe ${half}`,
          reasoning_content: half,
          tool_calls: [{ id: "call_1", function: { name: "length", arguments: JSON.stringify(args) } }],
          annotations: [{ type: "url_citation", url_citation: { url: "https://example.com", title: half } }],
          other: { quote: half }
        }
      }]
    }
  },
  responses: {
    ...protocols.responses,
    body: {
      output: [
        {
          type: "message",
          content: [{
            type: "output_text",
            text: `Die Elbe ${half}`,
            annotations: [{ type: "url_citation", url: "https://example.com", title: half }]
          }]
        },
        { type: "web_search_call", id: "ws_1", action: { query: half } },
        { type: "function_call", call_id: "call_1", name: "length", arguments: JSON.stringify(args) }
      ]
    }
  },
  anthropic: {
    ...protocols.anthropic,
    body: {
      role: "assistant",
      content: [
        {
          type: "text",
          text: `Die Elbe ${half}`,
          citations: [{ type: "web_search_result_location", url: "https://example.com", cited_text: half }]
        },
        { type: "server_tool_use", id: "srv_1", name: "web_search", input: { query: half } },
        { type: "tool_use", id: "call_1", name: "length", input: args }
      ],
      stop_reason: "tool_use"
    }
  },
  gemini: {
    ...protocols.gemini,
    body: {
      candidates: [{
        content: {
          parts: [
            { text: `Die Elbe ${half}` },
            { executableCode: { code: half } },
            { functionCall: { id: "call_1", name: "length", args } }
          ]
        },
        groundingMetadata: { groundingChunks: [{ web: { uri: "https://example.com", title: half } }] },
        finishReason: "STOP"
      }]
    }
  },
  ollama: {
    ...protocols.ollama,
    body: {
      message: {
        role: "assistant",
        content: `Die Elbe ${half}`,
        tool_calls: [{ function: { name: "length", arguments: args } }],
        other: { quote: half }
      },
      done: true,
      done_reason: "stop"
    }
  }
} as const

describe("Providers: an answer with halves of characters", () => {
  for (const [service, { at, body, model }] of Object.entries(services)) {
    it.live(`has U+FFFD in their place, and the conversation goes on: ${service}`, () =>
      Effect.gen(function*() {
        const server = yield* serve((response) => {
          response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
        })
        const { client: llm } = yield* client({ provider: at(server.url), transport: transports.fetch })
        const question = { role: "user", content: "Which river?" } as const
        const answer = yield* llm.call({ model, messages: [question] })
        assert.notMatch(JSON.stringify(answer.parts), /\\ud/)
        assert.strictEqual(answer.text, "Die Elbe \ufffd")
        const [call] = answer.toolCalls
        assert.deepStrictEqual(call?.arguments, { river: "Elbe \ufffd", "\ufffd": 1 })
        const results = Message.toolResults([{ id: call?.id ?? "", name: "length", result: 1094 }])
        yield* llm.call({ model, messages: [question, answer.message, results] })
        assert.notMatch(server.requests.at(-1)?.body ?? "", /\\ud83d/)
      }).pipe(Effect.scoped))
  }

  it.live("keeps a character whose halves come in two pieces", () =>
    Effect.gen(function*() {
      const { at, model } = services.anthropic
      const [high, low] = "\u{1F30A}"
      const events = [
        { type: "message_start", message: { id: "m1", role: "assistant", content: [], usage: {} } },
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: `Elbe ${high}` } },
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: low } },
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: "end_turn" } },
        { type: "message_stop" }
      ]
      const body = { role: "assistant", content: [{ type: "text", text: "Elbe \u{1F30A}" }], stop_reason: "end_turn" }
      const outcomes = yield* outcomesOf(at, { model, prompt: "?" }, {
        call: { json: body },
        stream: { events: namedSse(events) }
      })
      assert.strictEqual(sameAnswer(outcomes).text, "Elbe \u{1F30A}")
    }))

  it.live("is the same where it is streamed", () =>
    Effect.gen(function*() {
      const { at, model } = services.chat
      const delta = (fields: Json, finish_reason: string | null = null): Json => ({
        choices: [{ index: 0, delta: fields, finish_reason }]
      })
      const server = yield* serve((response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).end(sse([
          delta({ content: `Elbe ${half}` }),
          delta({ content: "." }),
          delta({}, "stop"),
          "[DONE]"
        ]))
      })
      const { client: llm } = yield* client({ provider: at(server.url), transport: transports.fetch })
      const parts = [...yield* Stream.runCollect(llm.stream({ model, prompt: "Which river?" }))]
      const last = parts.at(-1)
      assert(last?._tag === "Finish")
      assert.strictEqual(last.response.text, "Elbe \ufffd.")
    }).pipe(Effect.scoped))
})
