import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { client, serve, transports } from "../support/overHttp.js"
import { scriptedClient } from "../support/scriptedClient.js"

// A number of JavaScript would make another id of one with 19 digits: a tool must never get that.

const id = "1234567890123456789"
const apiKey = Redacted.make("sk-test-1234567890abcdef")
const text = `{"id":${id}}`

/** For each protocol, the body of a call of a tool with such an id. `ID` stands for it. */
const services = {
  chat: {
    at: (baseUrl: string) => OpenAiChat.layer({ apiKey, baseUrl }),
    model: "gpt-4o-mini",
    body: {
      choices: [{
        index: 0,
        finish_reason: "tool_calls",
        message: { tool_calls: [{ id: "call_1", function: { name: "show", arguments: text } }] }
      }]
    }
  },
  responses: {
    at: (baseUrl: string) => OpenAi.layer({ apiKey, baseUrl }),
    model: "gpt-5-mini",
    body: { output: [{ type: "function_call", call_id: "call_1", name: "show", arguments: text }] }
  },
  anthropic: {
    at: (baseUrl: string) => Anthropic.layer({ apiKey, baseUrl }),
    model: "claude-haiku-4-5",
    body: {
      role: "assistant",
      content: [{ type: "tool_use", id: "call_1", name: "show", input: { id: "ID" } }],
      stop_reason: "tool_use"
    }
  },
  gemini: {
    at: (baseUrl: string) => Gemini.layer({ apiKey, baseUrl }),
    model: "gemini-2.5-flash",
    body: {
      candidates: [{
        content: { parts: [{ functionCall: { id: "call_1", name: "show", args: { id: "ID" } } }] },
        finishReason: "STOP"
      }]
    }
  },
  ollama: {
    at: (baseUrl: string) => Ollama.layer({ baseUrl }),
    model: "llama3",
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
