import { assert, describe, it } from "@effect/vitest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as OpenAi from "effect-llm/OpenAi"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { namedSse } from "../../support/fakeHttp.js"
import { type Odd, outcomesOf, sameAnswer, sameFailure } from "../../support/oddAnswers.js"

type Json = { readonly [field: string]: unknown }
type Event = Json & { readonly type: string }

const at = (url: string) => OpenAi.layer({ apiKey: Redacted.make("sk-1234567890abcdef"), baseUrl: `${url}/v1` })

const request = { model: "gpt-4o-mini", prompt: "Which rivers?" } as const

const response = (output: unknown, fields: Json = {}): Json => ({
  id: "resp_1",
  object: "response",
  status: "completed",
  error: null,
  incomplete_details: null,
  model: "gpt-x",
  output,
  usage: { input_tokens: 10, output_tokens: 5 },
  ...fields
})

const says = (text: string, id = "msg_1"): Json => ({
  type: "message",
  id,
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }]
})
const call = (id: string, call_id: string, args: string, fields: Json = {}): Json => ({
  type: "function_call",
  id,
  call_id,
  name: "find",
  arguments: args,
  status: "completed",
  ...fields
})

const created: Event = { type: "response.created", response: response([], { status: "in_progress", usage: null }) }
const completed = (output: unknown, fields: Json = {}): Event => ({
  type: "response.completed",
  response: response(output, fields)
})
const added = (item: Json, index = 0): Event => ({ type: "response.output_item.added", output_index: index, item })
const done = (item: Json, index = 0): Event => ({ type: "response.output_item.done", output_index: index, item })
const args = (delta: string, fields: Json = {}): Event => ({
  type: "response.function_call_arguments.delta",
  output_index: 0,
  delta,
  ...fields
})
const argsDone = (args: string, fields: Json = {}): Event => ({
  type: "response.function_call_arguments.done",
  output_index: 0,
  arguments: args,
  ...fields
})
const text = (delta: string, fields: Json = {}): Event => ({
  type: "response.output_text.delta",
  output_index: 0,
  content_index: 0,
  delta,
  ...fields
})

const outcomes = (json: Json, stream: Odd) => outcomesOf(at, request, { call: { json }, stream })

const both = [call("fc_a", "call_a", "{\"q\":1}"), call("fc_b", "call_b", "{\"q\":2}")] as const

describe("OpenAi: two calls under one index, and an empty list at the end", () => {
  const empty = (id: string, callId: string) => added(call(id, callId, "", { status: "in_progress" }))
  const streams: { readonly [how: string]: ReadonlyArray<Event> } = {
    "in pieces, one after the other": [
      empty("fc_a", "call_a"),
      args("{\"q\":", { item_id: "fc_a" }),
      args("1}", { item_id: "fc_a" }),
      argsDone("{\"q\":1}", { item_id: "fc_a" }),
      done(both[0]),
      empty("fc_b", "call_b"),
      args("{\"q\":2}", { item_id: "fc_b" }),
      argsDone("{\"q\":2}", { item_id: "fc_b" }),
      done(both[1])
    ],
    "in pieces that take turns, by their ids": [
      empty("fc_a", "call_a"),
      empty("fc_b", "call_b"),
      args("{\"q\":", { item_id: "fc_a" }),
      args("{\"q\":", { item_id: "fc_b" }),
      args("1}", { item_id: "fc_a" }),
      args("2}", { item_id: "fc_b" }),
      done(both[1]),
      done(both[0])
    ],
    "in pieces without ids": [
      empty("fc_a", "call_a"),
      args("{\"q\":1}"),
      done(both[0]),
      empty("fc_b", "call_b"),
      args("{\"q\":2}"),
      done(both[1])
    ],
    "in pieces without ids and ends": [
      empty("fc_a", "call_a"),
      args("{\"q\":1}"),
      empty("fc_b", "call_b"),
      args("{\"q\":2}")
    ],
    "whole, without a beginning": [done(both[0]), done(both[1])],
    "whole, only at their beginning": [added(both[0]), added(both[1])],
    "whole, with another id for the item in each event": [
      empty("x1", "call_a"),
      done({ ...both[0], id: "x2" }),
      empty("x3", "call_b"),
      done({ ...both[1], id: "x4" })
    ],
    "without any index": [
      empty("fc_a", "call_a"),
      args("{\"q\":1}", { item_id: "fc_a" }),
      done(both[0]),
      empty("fc_b", "call_b"),
      args("{\"q\":2}", { item_id: "fc_b" }),
      done(both[1])
    ].map(({ output_index: _, ...event }): Event => event as Event)
  }
  for (const [how, list] of Object.entries(streams)) {
    for (
      const [end, output] of [["an empty list", []], ["the whole list", both], ["the second alone", [both[1]]]] as const
    ) {
      it.live(`are both calls: ${how}; at the end ${end}`, () =>
        Effect.gen(function*() {
          const answer = sameAnswer(
            yield* outcomes(response(both), { events: namedSse([created, ...list, completed(output)]) })
          )
          assert.strictEqual(answer.finishReason, "tool_calls")
          assert.deepStrictEqual(answer.toolCalls.map(({ arguments: args, id }) => [id, args]), [
            ["call_a", { q: 1 }],
            ["call_b", { q: 2 }]
          ])
        }))
    }
  }

  it.live("and a text under the same index are all there", () =>
    Effect.gen(function*() {
      const answer = sameAnswer(
        yield* outcomes(response([says("I look."), ...both]), {
          events: namedSse([
            created,
            text("I look."),
            done(says("I look.")),
            done(both[0]),
            done(both[1]),
            completed([])
          ])
        })
      )
      assert.strictEqual(answer.text, "I look.")
      assert.strictEqual(answer.toolCalls.length, 2)
    }))

  it.live("and two texts under one index are both there", () =>
    Effect.gen(function*() {
      const stream = {
        events: namedSse([created, done(says("Elbe, ", "m1")), done(says("Oder", "m2")), completed([])])
      }
      const answer = sameAnswer(yield* outcomes(response([says("Elbe, ", "m1"), says("Oder", "m2")]), stream))
      assert.strictEqual(answer.text, "Elbe, Oder")
    }))

  it.live("and a call whose arguments began as an empty object is that call", () =>
    Effect.gen(function*() {
      const answer = sameAnswer(
        yield* outcomes(response([both[0]]), {
          events: namedSse([
            created,
            added(call("fc_a", "call_a", "{}")),
            args("{\"q\":1}", { item_id: "fc_a" }),
            done(both[0]),
            completed([])
          ])
        })
      )
      assert.deepStrictEqual(answer.toolCalls.map((call) => call.arguments), [{ q: 1 }])
    }))
})

describe("OpenAi: a part of a message that comes whole", () => {
  const part = { output_index: 0, content_index: 0, item_id: "msg_1" }
  const refused = { type: "refusal", refusal: "I cannot." }
  const streams: { readonly [how: string]: readonly [text: string, ...events: ReadonlyArray<Event>] } = {
    "in text.done alone": ["Elbe", { type: "response.output_text.done", text: "Elbe", ...part }],
    "in content_part.done alone": [
      "Elbe",
      { type: "response.content_part.done", part: { type: "output_text", text: "Elbe" }, ...part }
    ],
    "in all of them": [
      "Elbe",
      text("El"),
      text("be"),
      { type: "response.output_text.done", text: "Elbe", ...part },
      { type: "response.content_part.done", part: { type: "output_text", text: "Elbe" }, ...part },
      done(says("Elbe"))
    ]
  }
  for (const [how, [expected, ...events]] of Object.entries(streams)) {
    it.live(`is the text, once: ${how}`, () =>
      Effect.gen(function*() {
        const stream = { events: namedSse([created, ...events, completed([])]) }
        assert.strictEqual(sameAnswer(yield* outcomes(response([says(expected)]), stream)).text, expected)
      }))
  }

  it.live("is a refusal", () =>
    Effect.gen(function*() {
      const whole = response([{ ...says(""), content: [refused] }])
      for (
        const event of [
          { ...part, refusal: "I cannot.", type: "response.refusal.done" },
          { ...part, part: refused, type: "response.content_part.done" }
        ]
      ) {
        const events = namedSse([created, event, completed([])])
        assert.strictEqual(sameAnswer(yield* outcomes(whole, { events })).finishReason, "refusal")
      }
    }))

  it.live("is the text where the content of a message is a text", () =>
    Effect.gen(function*() {
      const plain = { ...says(""), content: "Elbe" }
      const events = namedSse([created, done(plain), completed([])])
      assert.strictEqual(sameAnswer(yield* outcomes(response([plain]), { events })).text, "Elbe")
    }))
})

describe("OpenAi: a last event that is the response itself", () => {
  const bare = response([says("Elbe")])
  const data = (value: Json, event?: string) =>
    `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(value)}\n\n`

  const streams: { readonly [how: string]: string } = {
    "with a name": data(bare, "response.completed"),
    "without a name": data(bare),
    "with the type in it": data({ ...bare, type: "response.completed" }),
    "after pieces of the text": namedSse([created, text("El"), text("be")]) + data(bare, "response.completed"),
    "after pieces, with an empty list": namedSse([created, text("El"), text("be")]) +
      data(response([]), "response.completed"),
    "by another name": data({ type: "response.done", response: bare })
  }
  for (const [how, events] of Object.entries(streams)) {
    it.live(`gives its text: ${how}`, () =>
      Effect.gen(function*() {
        const answer = sameAnswer(yield* outcomes(bare, { events }))
        assert.strictEqual(answer.text, "Elbe")
        assert.strictEqual(answer.finishReason, "stop")
        assert.deepStrictEqual(answer.usage, { inputTokens: 10, outputTokens: 5 })
      }))
  }

  it.live("is a failure if that is its status", () =>
    Effect.gen(function*() {
      const failed = response([], { status: "failed", error: { code: "insufficient_quota", message: "m" } })
      for (const event of [undefined, "response.completed", "response.failed"]) {
        const reason = sameFailure(yield* outcomes(failed, { events: data(failed, event) }))
        assert.strictEqual(reason._tag, "QuotaExhausted")
      }
    }))

  it.live("is a cut answer if that is its status", () =>
    Effect.gen(function*() {
      const cut = response([says("El")], {
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" }
      })
      const answer = sameAnswer(yield* outcomes(cut, { events: data(cut, "response.completed") }))
      assert.strictEqual(answer.finishReason, "length")
    }))
})

describe("OpenAi: an answer of which nothing was read", () => {
  const odd: { readonly [what: string]: ReadonlyArray<Json> } = {
    "no item at all": [],
    "items without a type": [{ id: "x", text: "y" }]
  }
  for (const [what, output] of Object.entries(odd)) {
    it.live(`is malformed and never kept: ${what}`, () =>
      Effect.gen(function*() {
        const streams = [
          [created, completed(output)],
          [created, ...output.map((item) => done(item)), completed([])],
          [completed(output)]
        ]
        for (const stream of streams) {
          const outcome = yield* outcomes(response(output), { events: namedSse(stream) })
          assert.strictEqual(sameFailure(outcome)._tag, "MalformedResponse")
          assert.deepStrictEqual(outcome.requests, [1, 1])
        }
      }))
  }

  it.live("is malformed if deltas of an unknown kind came, and nothing else", () =>
    Effect.gen(function*() {
      const hologram = { type: "response.hologram.delta", output_index: 0, delta: "x" }
      const outcome = yield* outcomes(response([]), { events: namedSse([created, hologram, completed([])]) })
      assert.strictEqual(sameFailure(outcome)._tag, "MalformedResponse")
    }))

  const hologram = { type: "output_hologram", hologram: "x" }
  const opaque: { readonly [what: string]: readonly [item: Json, kind: string, json: Json, finishReason: string] } = {
    "a call of another kind, which only the program can run": [
      { type: "custom_tool_call", id: "ctc_1", call_id: "c", name: "f", input: "x" },
      "custom_tool_call",
      { type: "custom_tool_call", id: "ctc_1", call_id: "c", name: "f", input: "x" },
      "tool_calls"
    ],
    "a wish for approval": [
      { type: "mcp_approval_request", id: "m", name: "f", arguments: "{}" },
      "mcp_approval_request",
      { type: "mcp_approval_request", id: "m", name: "f", arguments: "{}" },
      "tool_calls"
    ],
    "an image": [
      { type: "image_generation_call", id: "ig_1", status: "completed", result: "iVBORw==" },
      "image_generation_call",
      { type: "image_generation_call", id: "ig_1", status: "completed", result: "iVBORw==" },
      "stop"
    ],
    "a message of unknown content": [
      { type: "message", id: "msg_1", content: [hologram] },
      "message.output_hologram",
      hologram,
      "stop"
    ]
  }
  for (const [what, [item, kind, json, finishReason]] of Object.entries(opaque)) {
    it.live(`is kept as it came, with a warning, and never cached: ${what}`, () =>
      Effect.gen(function*() {
        const streams = [
          [created, completed([item])],
          [created, added(item), done(item), completed([item])],
          [created, added(item), done(item), completed([])]
        ]
        for (const stream of streams) {
          const outcome = yield* outcomes(response([item]), { events: namedSse(stream) })
          const answer = sameAnswer(outcome)
          assert.deepStrictEqual(answer.parts, [{ _tag: "Opaque", provider: "openai", kind, json }])
          assert.strictEqual(answer.finishReason, finishReason)
          assert.deepStrictEqual(answer.warnings, [`a block of the kind ${kind} was kept as it came`])
          assert.deepStrictEqual(outcome.requests, [1, 1])
        }
      }))
  }

  it.live("is partial where an item began and its end never came: it is not sent back, and the text is not cached", () =>
    Effect.gen(function*() {
      const item = { type: "web_search_call", id: "ws_1", status: "in_progress" }
      const stream = namedSse([created, added(item), added(says("")), done(says("Elbe"), 1), completed([])])
      const outcome = yield* outcomesOf(at, { ...request, seed: undefined }, {
        call: { json: response([says("Elbe")]) },
        stream: { events: stream }
      })
      assert(outcome.stream._tag === "Right")
      const { parts, warnings } = outcome.stream.right
      assert.deepStrictEqual(parts[0], {
        _tag: "Opaque",
        provider: "openai",
        kind: "web_search_call",
        json: item,
        partial: true
      })
      assert.include(warnings.join(), "could not be read whole")
      assert.isFalse(LlmResponse.isComplete(outcome.stream.right))
      const next = yield* outcomesOf(at, {
        model: request.model,
        messages: [{ role: "user", content: "Which rivers?" }, { role: "assistant", content: parts }, {
          role: "user",
          content: "And?"
        }]
      }, { call: { json: response([says("Oder")]) } })
      assert.notInclude(JSON.stringify(next.bodies[0]), "web_search_call")
      assert(next.call._tag === "Right")
      assert.deepStrictEqual(next.call.right.warnings, [
        "a block of the kind web_search_call was not sent: it did not come whole"
      ])
    }))

  it.live("is none where a message says nothing", () =>
    Effect.gen(function*() {
      const answer = sameAnswer(
        yield* outcomes(response([says("")]), { events: namedSse([created, completed([says("")])]) })
      )
      assert.strictEqual(answer.text, "")
    }))
})

describe("OpenAi: a conversation that goes on", () => {
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
      }, { call: { json: response([says("Elbe")]) } })
      const sent = JSON.stringify(outcome.bodies[0])
      assert.include(sent, "I look.")
      assert.notInclude(sent, "find")
      assert(outcome.call._tag === "Right")
      assert.include(outcome.call.right.warnings.join(), "was cut")
    }))

  it.live("leaves out reasoning that led to no answer, with a warning: alone, the service refuses it", () =>
    Effect.gen(function*() {
      const thought = (n: number) =>
        Message.Reasoning.make({ provider: "openai", id: `rs_${n}`, encrypted: `E${n}`, text: "T" })
      const outcome = yield* outcomesOf(at, {
        model: "gpt-5",
        messages: [
          { role: "user", content: "Which rivers?" },
          { role: "assistant", content: [thought(1), thought(2), Message.Text.make({ text: "Elbe" })] },
          { role: "user", content: "And?" },
          { role: "assistant", content: [thought(3)] },
          { role: "user", content: "Go on." }
        ]
      }, { call: { json: response([says("Oder")]) } })
      const [body] = outcome.bodies
      assert.deepStrictEqual(
        (body?.input as ReadonlyArray<Json>).map((item) => item.id ?? item.role),
        ["user", "rs_1", "rs_2", "assistant", "user", "user"]
      )
      assert(outcome.call._tag === "Right")
      assert.include(outcome.call.right.warnings.join(), "reasoning")
    }))
})
