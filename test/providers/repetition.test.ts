import { assert, describe, it } from "@effect/vitest"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { namedSse, sse } from "../support/fakeHttp.js"
import { outcomesOf } from "../support/oddAnswers.js"

// Streams that give content in pieces, and then as a whole: an event that a proxy loses makes them differ.

type Json = { readonly [field: string]: unknown }

const apiKey = Redacted.make("sk-test-1234567890abcdef")

interface Protocol {
  readonly at: (baseUrl: string) => ReturnType<typeof OpenAi.layer>
  /** The events of a text, and of a call, in these pieces and as this whole. */
  readonly text: (pieces: ReadonlyArray<string>, whole: string) => string
  readonly call: (pieces: ReadonlyArray<string>, whole: string) => string
}

const completed = (item: Json): Json & { readonly type: string } => ({
  type: "response.completed",
  response: { id: "r1", object: "response", status: "completed", output: [item] }
})

const responses: Protocol = {
  at: (baseUrl) => OpenAi.layer({ apiKey, baseUrl }),
  text: (pieces, whole) =>
    namedSse([
      ...pieces.map((delta) => ({ type: "response.output_text.delta", item_id: "m1", output_index: 0, delta })),
      completed({ type: "message", id: "m1", content: [{ type: "output_text", text: whole }] })
    ]),
  call: (pieces, whole) => {
    const item = { type: "function_call", id: "f1", call_id: "call_1", name: "remove" }
    return namedSse([
      { type: "response.output_item.added", output_index: 0, item: { ...item, arguments: "" } },
      ...pieces.map((delta) => ({
        type: "response.function_call_arguments.delta",
        item_id: "f1",
        output_index: 0,
        delta
      })),
      completed({ ...item, arguments: whole })
    ])
  }
}

const choice = (fields: Json): Json => ({ id: "c1", choices: [{ index: 0, ...fields }] })

const chat: Protocol = {
  at: (baseUrl) => OpenAiChat.layer({ apiKey, baseUrl }),
  text: (pieces, whole) =>
    sse([
      ...pieces.map((content) => choice({ delta: { content } })),
      choice({ message: { content: whole }, finish_reason: "stop" }),
      "[DONE]"
    ]),
  call: (pieces, whole) => {
    const called = (args: string, more: Json = {}): Json => ({
      tool_calls: [{
        index: 0,
        ...more,
        function: { ...(more.id !== undefined && { name: "remove" }), arguments: args }
      }]
    })
    return sse([
      choice({ delta: called("", { id: "call_1" }) }),
      ...pieces.map((piece) => choice({ delta: called(piece) })),
      choice({ message: called(whole, { id: "call_1" }), finish_reason: "tool_calls" }),
      "[DONE]"
    ])
  }
}

const streamed = ({ at }: Protocol, events: string) =>
  Effect.map(
    outcomesOf(at, { model: "gpt-4o-mini", prompt: "?" }, { call: { json: {} }, stream: { events } }),
    ({ stream }) => stream
  )

describe.each(Object.entries({ responses, chat }))("Providers: %s, content in pieces and as a whole", (_, protocol) => {
  it.live("that differ leaves the pieces of a text, with a warning", () =>
    Effect.gen(function*() {
      const stream = yield* streamed(protocol, protocol.text(["The ", "Elbe"], "The upper Elbe"))
      assert(stream._tag === "Right")
      assert.strictEqual(stream.right.text, "The Elbe")
      assert.deepStrictEqual(stream.right.warnings, [
        "the whole text at the end of the stream differs from its pieces, which were kept"
      ])
    }))

  it.live("that differ makes a call invalid: nobody knows which arguments were meant", () =>
    Effect.gen(function*() {
      const stream = yield* streamed(protocol, protocol.call(["{\"id\":1", "}"], "{\"id\":12}"))
      assert(stream._tag === "Left")
      assert.strictEqual(stream.left.reason._tag, "ToolArgumentsInvalid")
    }))

  it.live("that say the same has no warning: white space makes no difference", () =>
    Effect.gen(function*() {
      for (const whole of ["The Elbe", "The Elbe rises", "The Elbe \n", ""]) {
        const stream = yield* streamed(protocol, protocol.text(["The ", "Elbe"], whole))
        assert(stream._tag === "Right")
        assert.deepStrictEqual(stream.right.warnings, [])
      }
      for (const whole of ["{\"id\":1}", "{ \"id\": 1 }", ""]) {
        const stream = yield* streamed(protocol, protocol.call(["{\"id\":", "1}"], whole))
        assert(stream._tag === "Right")
        assert.deepStrictEqual(stream.right.toolCalls.map((call) => call.arguments), [{ id: 1 }])
      }
    }))
})
