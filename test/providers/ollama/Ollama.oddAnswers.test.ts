import { assert, describe, it } from "@effect/vitest"
import * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { valueOf } from "../../support/exits.js"
import { outcomesOf, sameAnswer, sameFailure } from "../../support/oddAnswers.js"
import { client, ended, serve, sleepingUntil, transports } from "../../support/overHttp.js"

type Json = { readonly [field: string]: unknown }

const at = (url: string) => Ollama.layer({ baseUrl: url })

const request = { model: "qwen3", prompt: "Which rivers?" } as const

const line = (message: Json, fields: Json = {}): Json => ({
  model: "qwen3",
  message: { role: "assistant", ...message },
  ...fields
})

/** The same answer whole and as two lines. */
const outcomes = (message: Json, fields: Json = {}) => {
  const end = { done: true, done_reason: "stop", prompt_eval_count: 10, eval_count: 5, ...fields }
  const lines = [line(message, { done: false }), line({ content: "" }, end)]
  return outcomesOf(at, request, {
    call: { json: line(message, end) },
    stream: {
      events: lines.map((each) => `${JSON.stringify(each)}\n`).join(""),
      contentType: "application/x-ndjson"
    }
  })
}

const calls = { content: "", tool_calls: [{ function: { name: "find", arguments: { q: 1 } } }] }

describe("Ollama: a whole tool call and another word for the end", () => {
  for (
    const [done_reason, expected] of [
      ["stop", "tool_calls"],
      ["tool_calls", "tool_calls"],
      ["something new", "tool_calls"],
      ["length", "length"]
    ] as const
  ) {
    it.live(`is ${expected}, as whole calls decide unless the answer was cut: ${done_reason}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(sameAnswer(yield* outcomes(calls, { done_reason })).finishReason, expected)
      }))
  }
})

describe("Ollama: an answer of which nothing was read", () => {
  it.live("is malformed and never kept: a model that was only loaded", () =>
    Effect.gen(function*() {
      const outcome = yield* outcomes({ content: "" }, { done_reason: "load" })
      assert.strictEqual(sameFailure(outcome)._tag, "MalformedResponse")
      assert.deepStrictEqual(outcome.requests, [1, 1])
    }))

  for (
    const [message, kind, json] of [
      [{ content: "", images: ["AQID"] }, "images", ["AQID"]],
      [{ content: null, hologram: "x" }, "hologram", "x"]
    ] as const
  ) {
    it.live(`has what came, with a warning, and is never cached: ${kind}`, () =>
      Effect.gen(function*() {
        const outcome = yield* outcomes(message, { done_reason: "stop" })
        const answer = sameAnswer(outcome)
        assert.deepStrictEqual<ReadonlyArray<unknown>>(answer.parts, [{
          _tag: "Opaque",
          provider: "ollama",
          kind,
          json
        }])
        assert.deepStrictEqual(answer.warnings, [`a block of the kind ${kind} was kept as it came`])
        assert.deepStrictEqual(outcome.requests, [1, 1])
      }))
  }

  it.live("is none where the model said nothing", () =>
    Effect.gen(function*() {
      assert.strictEqual(sameAnswer(yield* outcomes({ content: "" })).text, "")
    }))
})

describe("Ollama: a call that is repeated", () => {
  it.live("counts once where its id says so, and twice without one", () =>
    Effect.gen(function*() {
      const end = { done: true, done_reason: "stop" }
      for (const [id, expected] of [["k", 1], [undefined, 2]] as const) {
        const message = { content: "", tool_calls: [{ id, function: { name: "find", arguments: { q: 1 } } }] }
        const { stream } = yield* outcomesOf(at, request, {
          call: { json: line({ content: "Elbe" }, end) },
          stream: {
            events: [line(message, { done: false }), line(message, end)].map((each) => `${JSON.stringify(each)}\n`)
              .join(""),
            contentType: "application/x-ndjson"
          }
        })
        assert(stream._tag === "Right")
        assert.strictEqual(stream.right.toolCalls.length, expected)
      }
    }))
})

describe("Ollama: a line that says it is the last", () => {
  const end = { done: true, done_reason: "stop", prompt_eval_count: 10, eval_count: 5 }
  const lines = (...all: ReadonlyArray<Json>): string => all.map((each) => `${JSON.stringify(each)}\n`).join("")

  it.live("is not, where content follows: text and calls are whole, and the counts the larger ones", () =>
    Effect.gen(function*() {
      for (
        const [message, rest] of [[{ content: "rises" }, "rises"], [calls, ""]] as const
      ) {
        const { stream } = yield* outcomesOf(at, request, {
          call: { json: line({ content: "Elbe" }, end) },
          stream: {
            events: lines(line({ content: "The Elbe " }, end), line(message, { ...end, prompt_eval_count: 0 })),
            contentType: "application/x-ndjson"
          }
        })
        assert(stream._tag === "Right")
        assert.strictEqual(stream.right.text, `The Elbe ${rest}`)
        assert.strictEqual(stream.right.finishReason, rest === "" ? "tool_calls" : "stop")
        assert.deepStrictEqual(stream.right.usage, { inputTokens: 10, outputTokens: 5 })
      }
    }))

  it.scoped("ends the answer after 3 seconds of silence, where it came beside content and the connection stays open", () =>
    Effect.gen(function*() {
      const served = yield* serve((response) => {
        response.writeHead(200, { "content-type": "application/x-ndjson" })
        response.write(lines(line({ content: "Elbe" }, end)))
      })
      const made = yield* client({ provider: at(served.url), transport: transports.lean })
      const fiber = yield* Effect.fork(Stream.runLast(made.client.stream(request)))
      yield* sleepingUntil(3000)
      yield* TestClock.adjust(3000)
      const last = valueOf(yield* ended(fiber))
      assert(last._tag === "Some" && last.value._tag === "Finish")
      assert.strictEqual(last.value.response.text, "Elbe")
    }))
})

describe("Ollama: status 200 that reports a failure", () => {
  it.live("fails with the message, over a call and a stream", () =>
    Effect.gen(function*() {
      const reason = sameFailure(
        yield* outcomesOf(at, request, { call: { json: { success: false, message: "the model is busy" } } })
      )
      assert.strictEqual(reason._tag, "ServerFailed")
      assert.strictEqual(reason.message, "the model is busy")
    }))
})

describe("Ollama: a conversation that goes on", () => {
  it.live("leaves out a turn of which nothing can be sent", () =>
    Effect.gen(function*() {
      const turns: ReadonlyArray<Message.AssistantMessage["content"]> = [
        [],
        [Message.Text.make({ text: "" })],
        [Message.Reasoning.make({ text: "so", provider: "other" })],
        [Message.Opaque.make({ provider: "other", kind: "x", json: {} })]
      ]
      for (const content of turns) {
        const { bodies } = yield* outcomesOf(at, {
          model: request.model,
          messages: [{ role: "user", content: "a" }, { role: "assistant", content }, { role: "user", content: "b" }]
        }, { call: { json: line({ content: "Elbe" }, { done: true }) } })
        assert.deepStrictEqual(bodies[0]?.messages, [{ role: "user", content: "a" }, { role: "user", content: "b" }])
      }
    }))

  it.live("leaves out a call that was cut and has no result, with a warning: half of its arguments is not what was meant", () =>
    Effect.gen(function*() {
      const outcome = yield* outcomesOf(at, {
        model: request.model,
        messages: [
          { role: "user", content: "Which rivers?" },
          {
            role: "assistant",
            content: [
              Message.Text.make({ text: "I look." }),
              Message.ToolCall.make({ id: "a", name: "find", arguments: "{\"ci", incomplete: true })
            ]
          },
          { role: "user", content: "Go on." }
        ]
      }, { call: { json: line({ content: "Elbe" }, { done: true }) } })
      const sent = JSON.stringify(outcome.bodies[0])
      assert.include(sent, "I look.")
      assert.notInclude(sent, "find")
      assert(outcome.call._tag === "Right")
      assert.include(outcome.call.right.warnings.join(), "was cut")
    }))
})
