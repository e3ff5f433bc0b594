import { assert, describe, it } from "@effect/vitest"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { client, serve, transports } from "../support/overHttp.js"
import { protocols } from "../support/protocols.js"
import { scriptedClient } from "../support/scriptedClient.js"

// A number of JavaScript would make another id of one with 19 digits: a tool must never get that.

const id = "1234567890123456789"
const text = `{"id":${id}}`

/** For each protocol, the body of a call of a tool with such an id. `ID` stands for it. */
const services = {
  chat: {
    ...protocols.chat,
    body: {
      choices: [{
        index: 0,
        finish_reason: "tool_calls",
        message: { tool_calls: [{ id: "call_1", function: { name: "show", arguments: text } }] }
      }]
    }
  },
  responses: {
    ...protocols.responses,
    body: { output: [{ type: "function_call", call_id: "call_1", name: "show", arguments: text }] }
  },
  anthropic: {
    ...protocols.anthropic,
    body: {
      role: "assistant",
      content: [{ type: "tool_use", id: "call_1", name: "show", input: { id: "ID" } }],
      stop_reason: "tool_use"
    }
  },
  gemini: {
    ...protocols.gemini,
    body: {
      candidates: [{
        content: { parts: [{ functionCall: { id: "call_1", name: "show", args: { id: "ID" } } }] },
        finishReason: "STOP"
      }]
    }
  },
  ollama: {
    ...protocols.ollama,
    body: {
      message: {
        role: "assistant",
        content: "",
        tool_calls: [{ function: { name: "show", arguments: { id: "ID" } } }]
      },
      done: true,
      done_reason: "stop"
    }
  }
} as const

describe("Providers: an integer beyond the numbers of JavaScript", () => {
  for (const [service, { at, body, model }] of Object.entries(services)) {
    it.live(`keeps its digits in the arguments of a call: ${service}`, () =>
      Effect.gen(function*() {
        const server = yield* serve((response) => {
          response.writeHead(200, { "content-type": "application/json" })
            .end(JSON.stringify(body).replace("\"ID\"", id))
        })
        const { client: llm } = yield* client({ provider: at(server.url), transport: transports.fetch })
        const request = { model, prompt: "Show it." }
        const { toolCalls: [called] } = yield* llm.call(request)
        assert.deepStrictEqual(called?.arguments, { id })
        // A whole body in place of a stream is read in the same way.
        const last = yield* Stream.runLast(llm.stream(request, { cache: "bypass" }))
        assert(last._tag === "Some" && last.value._tag === "Finish")
        assert.deepStrictEqual(last.value.response.toolCalls[0]?.arguments, { id })
      }).pipe(Effect.scoped))
  }

  const asked = { model: "gpt-4o-mini", prompt: "Which?" }

  it.scoped("keeps its digits in a value that asks for a text", () =>
    Effect.gen(function*() {
      const { client: llm } = yield* scriptedClient([LlmTest.repeat(LlmTest.text(text))])
      const Item = Schema.Struct({ id: Schema.String })
      assert.deepStrictEqual((yield* llm.object(Item, asked)).value, { id })
      const last = yield* Stream.runLast(llm.streamObject(Item, asked, { cache: "bypass" }))
      assert(last._tag === "Some" && last.value._tag === "Finish")
      assert.deepStrictEqual(last.value.value, { id })
    }))

  it.scoped("does not become a number that is near", () =>
    Effect.gen(function*() {
      const { client: llm } = yield* scriptedClient([LlmTest.repeat(LlmTest.text(text))])
      const error = yield* Effect.flip(llm.object(Schema.Struct({ id: Schema.Number }), asked))
      assert(error.reason._tag === "OutputInvalid")
      assert.strictEqual(error.reason.text, text)
    }))
})
