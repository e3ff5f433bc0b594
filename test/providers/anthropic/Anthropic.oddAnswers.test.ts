import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { namedSse, sse } from "../../support/fakeHttp.js"
import { type Odd, outcomesOf, sameAnswer, sameFailure } from "../../support/oddAnswers.js"

type Event = { readonly type: string; readonly [field: string]: unknown }
type Json = { readonly [field: string]: unknown }

const at = (url: string) => Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef"), baseUrl: url })

const request = { model: "claude-haiku-4-5", prompt: "Which rivers?" } as const

const message = (fields: Json): Json => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-x",
  content: [{ type: "text", text: "Elbe" }],
  stop_reason: "end_turn",
  usage: { input_tokens: 10, output_tokens: 5 },
  ...fields
})

const start = (usage: Json = { input_tokens: 10, output_tokens: 1 }): Event => ({
  type: "message_start",
  message: message({ content: [], stop_reason: null, usage })
})
const begin = (content_block: Json, index = 0): Event => ({ type: "content_block_start", index, content_block })
const delta = (delta: Json, index = 0): Event => ({ type: "content_block_delta", index, delta })
const text = (text: string, index = 0) => delta({ type: "text_delta", text }, index)
const input = (partial_json: string, index = 0) => delta({ type: "input_json_delta", partial_json }, index)
const close = (index = 0): Event => ({ type: "content_block_stop", index })
const stop = (stop_reason: string | null, usage: Json = { output_tokens: 5 }): Event => ({
  type: "message_delta",
  delta: { stop_reason },
  usage
})
const end: Event = { type: "message_stop" }

const tool = (id: string, name: string, more: Json = {}): Json => ({ type: "tool_use", id, name, input: {}, ...more })

const events = (...list: ReadonlyArray<Event>): Odd => ({ events: namedSse(list) })

const outcomes = (call: Json, ...list: ReadonlyArray<Event>) =>
  outcomesOf(at, request, { call: { json: message(call) }, stream: events(...list) })

/** A stream alone, and the answer that it gives. */
const streamed = (stream: Odd) =>
  Effect.map(
    outcomesOf(at, request, { call: { json: message({}) }, stream }),
    (outcomes) => sameOr(outcomes.stream)
  )

const sameOr = <A, E>(outcome: Either.Either<A, E>): A => {
  assert(Either.isRight(outcome), `the stream failed: ${Either.isLeft(outcome) ? String(outcome.left) : ""}`)
  return outcome.right
}

const callsOf = (
  response: {
    readonly toolCalls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: unknown }>
  }
) => response.toolCalls.map(({ arguments: args, id, name }) => [id, name, args])

describe("Anthropic: a whole tool call and another word for the end", () => {
  for (const stop_reason of ["end_turn", "stop", "tool_calls", "eos_token", "something_new", null]) {
    it.live(`is tool_calls, as whole calls decide: ${stop_reason}`, () =>
      Effect.gen(function*() {
        const answer = sameAnswer(
          yield* outcomes(
            { content: [tool("a", "find", { input: { q: 1 } })], stop_reason },
            start(),
            begin(tool("a", "find")),
            input("{\"q\":1}"),
            close(),
            stop(stop_reason),
            end
          )
        )
        assert.strictEqual(answer.finishReason, "tool_calls")
        assert.deepStrictEqual(callsOf(answer), [["a", "find", { q: 1 }]])
      }))
  }

  for (
    const [stop_reason, expected] of [
      ["max_tokens", "length"],
      ["length", "length"],
      ["refusal", "refusal"],
      ["content_filter", "content_filter"],
      ["model_context_window_exceeded", "context_window"]
    ] as const
  ) {
    it.live(`stays ${expected}, where the answer was cut or stopped: ${stop_reason}`, () =>
      Effect.gen(function*() {
        const answer = yield* streamed(
          events(start(), begin(tool("a", "find")), input("{\"q\":1}"), close(), stop(stop_reason), end)
        )
        assert.strictEqual(answer.finishReason, expected)
      }))
  }

  for (
    const [stop_reason, expected] of [
      ["MAX_TOKENS", "length"],
      ["stop", "stop"],
      ["compaction", "pause"],
      ["guardrail_intervened", "content_filter"]
    ] as const
  ) {
    it.live(`and a word of another host: ${stop_reason} is ${expected}`, () =>
      Effect.gen(function*() {
        const answer = sameAnswer(
          yield* outcomes(
            { stop_reason },
            start(),
            begin({ type: "text", text: "" }),
            text("Elbe"),
            close(),
            stop(stop_reason),
            end
          )
        )
        assert.strictEqual(answer.finishReason, expected)
      }))
  }
})

describe("Anthropic: blocks of one index", () => {
  it.live("are two calls, one after the other", () =>
    Effect.gen(function*() {
      for (const closes of [[close()], []]) {
        const answer = yield* streamed(events(
          start(),
          begin(tool("a", "find")),
          input("{\"q\":1}"),
          ...closes,
          begin(tool("b", "look")),
          input("{\"q\":"),
          input("2}"),
          ...closes,
          stop("tool_use"),
          end
        ))
        assert.deepStrictEqual(callsOf(answer), [["a", "find", { q: 1 }], ["b", "look", { q: 2 }]])
        assert.strictEqual(answer.finishReason, "tool_calls")
      }
    }))

  it.live("are three blocks of different kinds, in their order", () =>
    Effect.gen(function*() {
      const answer = yield* streamed(events(
        start(),
        begin({ type: "thinking", thinking: "", signature: "" }),
        delta({ type: "thinking_delta", thinking: "T" }),
        delta({ type: "signature_delta", signature: "S==" }),
        close(),
        begin({ type: "text", text: "" }),
        text("I look."),
        close(),
        begin(tool("a", "find")),
        close(),
        begin(tool("b", "find")),
        close(),
        stop("tool_use"),
        end
      ))
      assert.deepStrictEqual(answer.parts.map(({ _tag }) => _tag), ["Reasoning", "Text", "ToolCall", "ToolCall"])
      assert.strictEqual(answer.text, "I look.")
    }))

  it.live("are calls without ids, too", () =>
    Effect.gen(function*() {
      const nameless = (name: string): Json => ({ type: "tool_use", name, input: {} })
      const answer = yield* streamed(events(
        start(),
        begin(nameless("find")),
        input("{\"q\":1}"),
        close(),
        begin(nameless("find")),
        input("{\"q\":2}"),
        close(),
        stop("end_turn"),
        end
      ))
      assert.deepStrictEqual(answer.toolCalls.map((call) => call.arguments), [{ q: 1 }, { q: 2 }])
      assert.strictEqual(new Set(answer.toolCalls.map(({ id }) => id)).size, 2)
    }))

  it.live("are one block, where its beginning is repeated", () =>
    Effect.gen(function*() {
      const answer = yield* streamed(events(
        start(),
        begin(tool("a", "find")),
        begin(tool("a", "find")),
        input("{\"q\":1}"),
        close(),
        begin(tool("a", "find")),
        stop("tool_use"),
        end
      ))
      assert.deepStrictEqual(callsOf(answer), [["a", "find", { q: 1 }]])
    }))

  it.live("are missing altogether, and still two calls", () =>
    Effect.gen(function*() {
      const without = ({ index: _, ...event }: Event): Event => event as Event
      const answer = yield* streamed(events(...[
        start(),
        begin(tool("a", "find")),
        input("{\"q\":1}"),
        close(),
        begin(tool("b", "look")),
        input("{\"q\":2}"),
        close(),
        stop("tool_use"),
        end
      ].map(without)))
      assert.deepStrictEqual(callsOf(answer), [["a", "find", { q: 1 }], ["b", "look", { q: 2 }]])
    }))

  it.live("are malformed where the input comes after the end of its call: it would be lost", () =>
    Effect.gen(function*() {
      const { stream } = yield* outcomesOf(at, request, {
        call: { json: message({}) },
        stream: events(start(), begin(tool("a", "find")), close(), input("{\"q\":1}"), stop("tool_use"), end)
      })
      assert(stream._tag === "Left")
      assert.include(["MalformedResponse", "StreamInterrupted"], stream.left.reason._tag)
    }))
})

describe("Anthropic: a block that begins with its content", () => {
  it.live("counts once where the first piece repeats it, and in full where it does not", () =>
    Effect.gen(function*() {
      for (
        const [begun, pieces, expected] of [
          ["The ", ["The ", "Elbe"], "The Elbe"],
          ["The ", ["Elbe"], "The Elbe"],
          ["The", ["The Elbe"], "The Elbe"],
          ["The Elbe", [], "The Elbe"],
          ["", ["The ", "Elbe"], "The Elbe"]
        ] as const
      ) {
        const answer = yield* streamed(events(
          start(),
          begin({ type: "text", text: begun }),
          ...pieces.map((piece) => text(piece)),
          close(),
          stop("end_turn"),
          end
        ))
        assert.strictEqual(answer.text, expected)
        const thought = yield* streamed(events(
          start(),
          begin({ type: "thinking", thinking: begun, signature: "S==" }),
          ...pieces.map((thinking) => delta({ type: "thinking_delta", thinking })),
          close(),
          begin({ type: "text", text: "" }, 1),
          text("Oder", 1),
          close(1),
          stop("end_turn"),
          end
        ))
        const { account: _, model: __, ...part } = { account: "", model: "", ...thought.parts[0] }
        assert.deepStrictEqual<object>(part, {
          _tag: "Reasoning",
          text: expected,
          signature: "S==",
          provider: "anthropic"
        })
      }
    }))

  it.live("is a call whose pieces repeat its input, or replace an empty one, or are missing", () =>
    Effect.gen(function*() {
      for (const pieces of [["{\"q\":1}"], ["{\"q\"", ":1}"], ["{ \"q\": 1 }"], []]) {
        const answer = yield* streamed(events(
          start(),
          begin(tool("a", "find", { input: { q: 1 } })),
          ...pieces.map((piece) => input(piece)),
          close(),
          stop("tool_use"),
          end
        ))
        assert.deepStrictEqual(callsOf(answer), [["a", "find", { q: 1 }]])
      }
    }))
})

describe("Anthropic: the input of a call", () => {
  it.live("is read where it comes as text, and as none where it is missing", () =>
    Effect.gen(function*() {
      for (const [given, expected] of [["{\"q\":1}", { q: 1 }], ["", {}], [null, {}], [undefined, {}]] as const) {
        const block = tool("a", "find", { input: given })
        const answer = sameAnswer(
          yield* outcomes(
            { content: [block], stop_reason: "tool_use" },
            start(),
            begin(block),
            close(),
            stop("tool_use"),
            end
          )
        )
        assert.deepStrictEqual(callsOf(answer), [["a", "find", expected]])
      }
    }))

  it.live("is read where a piece of it is an object", () =>
    Effect.gen(function*() {
      const answer = yield* streamed(events(
        start(),
        begin(tool("a", "find")),
        delta({ type: "input_json_delta", partial_json: { q: 1 } }),
        close(),
        stop("tool_use"),
        end
      ))
      assert.deepStrictEqual(callsOf(answer), [["a", "find", { q: 1 }]])
    }))

  it.live("is reported as invalid if it is any other text: the call is not run without it", () =>
    Effect.gen(function*() {
      const block = tool("a", "find", { input: "q=1" })
      const outcome = yield* outcomes(
        { content: [block], stop_reason: "tool_use" },
        start(),
        begin(block),
        close(),
        stop("tool_use"),
        end
      )
      assert.strictEqual(sameFailure(outcome)._tag, "ToolArgumentsInvalid")
    }))
})

describe("Anthropic: an answer that begins again", () => {
  it.live("is malformed behind content: what came before is not mixed with it", () =>
    Effect.gen(function*() {
      const outcome = yield* outcomesOf(at, request, {
        call: { json: message({}) },
        stream: events(
          start(),
          begin({ type: "text", text: "" }),
          text("The El"),
          start(),
          begin({ type: "text", text: "" }),
          text("The Elbe"),
          close(),
          stop("end_turn"),
          end
        )
      })
      assert(outcome.stream._tag === "Left")
      assert.strictEqual(outcome.stream.left.reason._tag, "StreamInterrupted")
    }))
})

describe("Anthropic: counts", () => {
  const usageOf = (first: Json, ...later: ReadonlyArray<Json>) =>
    Effect.map(
      streamed(events(
        start(first),
        begin({ type: "text", text: "" }),
        text("Elbe"),
        close(),
        ...later.map((usage) => stop("end_turn", usage)),
        end
      )),
      ({ usage }) => usage
    )

  it.live("that are repeated as 0 are the larger ones", () =>
    Effect.gen(function*() {
      assert.deepInclude(
        yield* usageOf({ input_tokens: 1500, output_tokens: 1 }, { input_tokens: 0, output_tokens: 9 }),
        {
          inputTokens: 1500,
          outputTokens: 9
        }
      )
      assert.deepStrictEqual(
        yield* usageOf(
          { input_tokens: 10, cache_read_input_tokens: 2000, cache_creation_input_tokens: 5, output_tokens: 0 },
          { input_tokens: 10, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 9 }
        ),
        { inputTokens: 2015, cachedInputTokens: 2000, cacheWriteTokens: 5, outputTokens: 9 }
      )
      assert.deepInclude(
        yield* usageOf({ input_tokens: 7 }, { output_tokens: 9 }, { output_tokens: 0, input_tokens: 0 }),
        { inputTokens: 7, outputTokens: 9 }
      )
    }))

  it.live("that come only at the end count", () =>
    Effect.gen(function*() {
      assert.deepInclude(
        yield* usageOf({ input_tokens: 0, output_tokens: 0 }, { input_tokens: 1500, output_tokens: 9 }),
        { inputTokens: 1500, outputTokens: 9 }
      )
    }))

  it.live("that divide the same input into fresh and cached are not added up twice", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* usageOf(
          { input_tokens: 1500, output_tokens: 1 },
          { input_tokens: 100, cache_read_input_tokens: 1400, output_tokens: 9 }
        ),
        { inputTokens: 1500, cachedInputTokens: 1400, outputTokens: 9 }
      )
    }))
})

describe("Anthropic: an answer of which nothing was read", () => {
  const image = { type: "hologram", data: "x" }

  it.live("has what came, with a warning, and is never cached: blocks of unknown kinds", () =>
    Effect.gen(function*() {
      for (const stop_reason of ["end_turn", "tool_use", "something_new"]) {
        const outcome = yield* outcomes(
          { content: [image], stop_reason },
          start(),
          begin(image),
          close(),
          stop(stop_reason),
          end
        )
        const answer = sameAnswer(outcome)
        assert.deepStrictEqual<ReadonlyArray<unknown>>(answer.parts, [
          { _tag: "Opaque", provider: "anthropic", kind: "hologram", json: image }
        ])
        assert.strictEqual(answer.text, "")
        assert.deepStrictEqual(answer.warnings, ["a block of the kind hologram was kept as it came"])
        assert.deepStrictEqual(outcome.requests, [1, 1])
      }
    }))

  it.live("has what came, with a warning, and is not whole: pieces of an unknown kind", () =>
    Effect.gen(function*() {
      const piece = { type: "hologram_delta", hologram: "x" }
      const { stream } = yield* outcomes(
        {},
        start(),
        begin({ type: "text", text: "" }),
        delta(piece),
        close(),
        stop("end_turn"),
        end
      )
      assert(stream._tag === "Right")
      assert.deepStrictEqual<ReadonlyArray<unknown>>(stream.right.parts, [
        { _tag: "Opaque", provider: "anthropic", kind: "hologram_delta", json: [piece], partial: true }
      ])
      assert.isFalse(LlmResponse.isComplete(stream.right))
      assert.strictEqual(stream.right.warnings.length, 1)
    }))

  it.live("is malformed: calls are announced, and none came", () =>
    Effect.gen(function*() {
      const reason = sameFailure(
        yield* outcomes({ content: [], stop_reason: "tool_use" }, start(), stop("tool_use"), end)
      )
      assert.strictEqual(reason._tag, "MalformedResponse")
    }))

  it.live("is malformed: no word for the end either", () =>
    Effect.gen(function*() {
      const reason = sameFailure(yield* outcomes({ content: [], stop_reason: null }, start(), end))
      assert.strictEqual(reason._tag, "MalformedResponse")
    }))

  it.live("is none where the model said nothing, as it does after the results of tools", () =>
    Effect.gen(function*() {
      const answer = sameAnswer(yield* outcomes({ content: [] }, start(), stop("end_turn"), end))
      assert.deepStrictEqual(answer.parts, [])
      assert.strictEqual(answer.finishReason, "stop")
    }))
})

describe("Anthropic: events", () => {
  it.live("whose type is in the name alone are read", () =>
    Effect.gen(function*() {
      const list = [start(), begin({ type: "text", text: "" }), text("Elbe"), close(), stop("end_turn"), end]
      const named = list.map(({ type, ...event }) => `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`).join("")
      assert.strictEqual((yield* streamed({ events: named })).text, "Elbe")
      assert.strictEqual((yield* streamed({ events: sse(list) })).text, "Elbe")
    }))
})

describe("Anthropic: status 200 that reports a failure", () => {
  it.live("fails with the message, over a call and a stream", () =>
    Effect.gen(function*() {
      for (
        const [json, tag] of [
          [{ success: false, message: "the model is busy" }, "ServerFailed"],
          [{ success: false, code: 500, msg: "the model is busy" }, "ServerFailed"],
          [{ base_resp: { status_code: 1008, status_msg: "insufficient balance" } }, "QuotaExhausted"],
          [{ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }, "Overloaded"],
          [{ detail: "prompt is too long: 9 tokens > 8 maximum" }, "ContextLengthExceeded"]
        ] as const
      ) {
        for (const contentType of ["application/json", "text/event-stream"]) {
          const reason = sameFailure(yield* outcomesOf(at, request, { call: { json }, stream: { json, contentType } }))
          assert.strictEqual(reason._tag, tag)
          assert.isDefined(reason.message)
        }
      }
    }))
})

describe("Anthropic: a conversation that goes on", () => {
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
      }, { call: { json: message({}) } })
      const sent = JSON.stringify(outcome.bodies[0])
      assert.include(sent, "I look.")
      assert.notInclude(sent, "find")
      assert(outcome.call._tag === "Right")
      assert.include(outcome.call.right.warnings.join(), "was cut")
    }))

  it.live("leaves out text of white space, and the blanks at its end: the service refuses both", () =>
    Effect.gen(function*() {
      const sentFor = (...texts: ReadonlyArray<string>) =>
        Effect.map(
          outcomesOf(at, {
            model: request.model,
            messages: [
              { role: "user", content: "Which rivers?" },
              { role: "assistant", content: texts.map((text) => Message.Text.make({ text })) }
            ]
          }, { call: { json: message({}) } }),
          ({ bodies }) => (bodies[0]?.messages as ReadonlyArray<Json>).slice(1)
        )
      assert.deepStrictEqual(yield* sentFor(" \n", "\t"), [])
      assert.deepStrictEqual(yield* sentFor("Elbe, ", " ", "Oder: \n"), [{
        role: "assistant",
        content: [{ type: "text", text: "Elbe, " }, { type: "text", text: "Oder:" }]
      }])
    }))
})

describe("Anthropic: bodies of errors", () => {
  const failure = (message: string, type = "invalid_request_error") => ({ type: "error", error: { type, message } })
  const cases = [
    [
      400,
      failure("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]"),
      "ContextLengthExceeded"
    ],
    [400, failure("max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens"), "InvalidRequest"],
    [403, { error: { code: "AccountOverdueError", message: "an overdue balance" } }, "QuotaExhausted"],
    [404, "<html><head><title>404 Not Found</title></head></html>", "InvalidRequest"],
    [404, failure("model: claude-x", "not_found_error"), "ModelNotFound"],
    [499, "", "ServerFailed"]
  ] as const
  for (const transport of ["fetch", "lean"] as const) {
    for (const [status, json, tag] of cases) {
      it.live(`of status ${status} are ${tag} over ${transport}, for a call and a stream: ${JSON.stringify(json).slice(0, 60)}`, () =>
        Effect.gen(function*() {
          const outcome = yield* outcomesOf(at, request, { call: { status, json } }, transport)
          assert.strictEqual(sameFailure(outcome)._tag, tag)
          assert(outcome.call._tag === "Left")
          assert.strictEqual(outcome.call.left.isRetryable, status === 499)
        }))
    }
  }
})
