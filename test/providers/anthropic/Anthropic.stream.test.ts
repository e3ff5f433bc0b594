import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import {
  bytes,
  finished,
  json,
  namedSse,
  provider,
  reasonOf,
  type Service,
  sse,
  streaming,
  textOf
} from "../../support/fakeHttp.js"

type Event = { readonly type: string; readonly [field: string]: unknown }
type Json = { readonly [field: string]: unknown }

const claude = Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef") })

const request = { model: "claude-haiku-4-5", prompt: "Say hi." } as const

/** The one who can read reasoning in the answers. */
const reader = {
  provider: "anthropic",
  account: "https://api.anthropic.com/v1/messages",
  model: "claude-haiku-4-5"
}

const streamed = (answer: Service) => Effect.flatMap(provider(claude, answer), (service) => service.stream(request))

const events = (events: ReadonlyArray<Event>) => streamed(streaming([namedSse(events)]))

// ---------------------------------------------------------------------------------------------------------------------
// Events
// ---------------------------------------------------------------------------------------------------------------------

const start = (message: Json = {}): Event => ({
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-x",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: 377,
      cache_creation_input_tokens: 10,
      cache_read_input_tokens: 100,
      output_tokens: 1,
      service_tier: "standard"
    },
    ...message
  }
})
const blockStart = (index: number, content_block: Json): Event => ({
  type: "content_block_start",
  index,
  content_block
})
const delta = (index: number, delta: Json): Event => ({ type: "content_block_delta", index, delta })
const blockStop = (index: number): Event => ({ type: "content_block_stop", index })
const text = (text: string, index = 0) => delta(index, { type: "text_delta", text })
const input = (partial_json: string, index = 0) => delta(index, { type: "input_json_delta", partial_json })
const stop = (stop_reason: string | null, usage: Json = { output_tokens: 65 }, fields: Json = {}): Event => ({
  type: "message_delta",
  delta: { stop_reason, stop_sequence: null, ...fields },
  usage
})
const end: Event = { type: "message_stop" }
const ping: Event = { type: "ping" }

const textBlock = (index: number, ...pieces: ReadonlyArray<string>): ReadonlyArray<Event> => [
  blockStart(index, { type: "text", text: "" }),
  ...pieces.map((piece) => text(piece, index)),
  blockStop(index)
]

const toolBlock = (index: number, ...pieces: ReadonlyArray<string>): ReadonlyArray<Event> => [
  blockStart(index, { type: "tool_use", id: `toolu_${index}`, name: "get_weather", input: {} }),
  ...pieces.map((piece) => input(piece, index)),
  blockStop(index)
]

const hello = [start(), ...textBlock(0, "Hel", "lo, Wörld 😊"), stop("end_turn"), end]
const helloText = "Hello, Wörld 😊"

/** Signed thinking, then a call of a tool. */
const thinking = [
  start(),
  blockStart(0, { type: "thinking", thinking: "", signature: "" }),
  delta(0, { type: "thinking_delta", thinking: "T" }),
  delta(0, { type: "signature_delta", signature: "S==" }),
  blockStop(0),
  blockStart(1, { type: "tool_use", id: "toolu_1", name: "get_weather", input: {} }),
  ping,
  ...["", "{\"locati", "on\": \"P", "ar", "is\"}"].map((piece) => input(piece, 1)),
  blockStop(1),
  stop("tool_use"),
  end
]

describe("Anthropic.stream", () => {
  // -------------------------------------------------------------------------------------------------------------------
  describe("gives", () => {
    it.effect("text as it comes, and then the whole answer", () =>
      Effect.gen(function*() {
        const stream = yield* events(hello)
        assert.deepStrictEqual(stream.parts.slice(0, -1), [
          { _tag: "TextDelta", text: "Hel" },
          { _tag: "TextDelta", text: "lo, Wörld 😊" }
        ])
        const response = finished(stream)
        assert.strictEqual(response.text, helloText)
        assert.strictEqual(response.finishReason, "stop")
        assert.strictEqual(response.id, "msg_1")
        assert.strictEqual(response.model, "claude-x")
      }))

    it.effect("thinking, its signature, and tool calls", () =>
      Effect.gen(function*() {
        const stream = yield* events(thinking)
        assert.deepStrictEqual(stream.parts.slice(0, -1), [
          { _tag: "ReasoningDelta", text: "T" },
          { _tag: "ToolCallStart", id: "toolu_1", name: "get_weather" },
          { _tag: "ToolCallDelta", id: "toolu_1", delta: "{\"locati" },
          { _tag: "ToolCallDelta", id: "toolu_1", delta: "on\": \"P" },
          { _tag: "ToolCallDelta", id: "toolu_1", delta: "ar" },
          { _tag: "ToolCallDelta", id: "toolu_1", delta: "is\"}" },
          { _tag: "ToolCallEnd", id: "toolu_1", name: "get_weather", arguments: { location: "Paris" } }
        ])
        const response = finished(stream)
        assert.deepStrictEqual(response.parts, [
          { _tag: "Reasoning", text: "T", signature: "S==", ...reader },
          { _tag: "ToolCall", id: "toolu_1", name: "get_weather", arguments: { location: "Paris" } }
        ])
        assert.strictEqual(response.finishReason, "tool_calls")
        assert.deepStrictEqual(response.usage, {
          inputTokens: 487,
          cachedInputTokens: 100,
          cacheWriteTokens: 10,
          outputTokens: 65
        })
      }))

    it.effect("thinking without text, and thinking that is hidden", () =>
      Effect.gen(function*() {
        const stream = yield* events([
          start(),
          blockStart(0, { type: "thinking", thinking: "", signature: "" }),
          delta(0, { type: "signature_delta", signature: "S==" }),
          blockStop(0),
          blockStart(1, { type: "redacted_thinking", data: "E==" }),
          blockStop(1),
          ...textBlock(2, "Hi"),
          stop("end_turn"),
          end
        ])
        assert.deepStrictEqual(finished(stream).parts, [
          { _tag: "Reasoning", text: "", signature: "S==", ...reader },
          { _tag: "Reasoning", encrypted: "E==", ...reader },
          { _tag: "Text", text: "Hi" }
        ])
        assert.deepStrictEqual(stream.parts.length, 2)
      }))

    it.effect("the end of each call when it is there, not only at the end of the answer", () =>
      Effect.gen(function*() {
        const { parts } = yield* events([start(), ...toolBlock(0, "{}"), ...textBlock(1, "and"), stop("tool_use"), end])
        assert.deepStrictEqual(parts.map(({ _tag }) => _tag), [
          "ToolCallStart",
          "ToolCallDelta",
          "ToolCallEnd",
          "TextDelta",
          "Finish"
        ])
      }))

    it.effect("request id and rate limits of the headers", () =>
      Effect.gen(function*() {
        const headers = { "request-id": "req_1", "anthropic-ratelimit-requests-remaining": "49" }
        const response = finished(yield* streamed(streaming([namedSse(hello)], { headers })))
        assert.strictEqual(response.requestId, "req_1")
        assert.deepStrictEqual(response.rateLimit, { requests: { remaining: 49 } })
      }))

    it.effect("a partial answer that was refused, with why", () =>
      Effect.gen(function*() {
        const details = { type: "refusal", category: null, explanation: null }
        const response = finished(
          yield* events([start(), ...textBlock(0, "Hi"), stop("refusal", {}, { stop_details: details }), end])
        )
        assert.strictEqual(response.finishReason, "refusal")
        assert.strictEqual(response.text, "Hi")
        assert.deepStrictEqual(response.providerMetadata, { stop_details: details, service_tier: "standard" })
      }))
  })

  it.effect("asks for a stream", () =>
    Effect.gen(function*() {
      const service = yield* provider(claude, streaming([namedSse(hello)]))
      yield* service.stream(request)
      assert.strictEqual(service.sent[0]?.body.stream, true)
      assert.strictEqual(service.sent[0]?.url, "https://api.anthropic.com/v1/messages")
    }))

  // -------------------------------------------------------------------------------------------------------------------
  describe("counts", () => {
    const usage = (last: Json, first?: Json) =>
      Effect.map(
        events([
          start(first === undefined ? {} : { usage: first }),
          ...textBlock(0, "Hi"),
          stop("end_turn", last),
          end
        ]),
        (stream) => finished(stream).usage
      )

    it.effect("counts of the start that the end omits or has as null", () =>
      Effect.gen(function*() {
        const expected = { inputTokens: 487, cachedInputTokens: 100, cacheWriteTokens: 10, outputTokens: 6 }
        assert.deepStrictEqual(yield* usage({ output_tokens: 6 }), expected)
        assert.deepStrictEqual(
          yield* usage({ output_tokens: 6, input_tokens: null, cache_read_input_tokens: null }),
          expected
        )
      }))

    it.effect("the larger of what the start and the end said, as counts are cumulative", () =>
      Effect.gen(function*() {
        const last = {
          input_tokens: 400,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 300,
          output_tokens: 6,
          output_tokens_details: { thinking_tokens: 4 }
        }
        assert.deepStrictEqual(
          yield* usage(last),
          { inputTokens: 710, cachedInputTokens: 300, cacheWriteTokens: 10, outputTokens: 6, reasoningTokens: 4 }
        )
        assert.deepStrictEqual(
          yield* usage(last, { output_tokens: 1 }),
          { inputTokens: 700, cachedInputTokens: 300, cacheWriteTokens: 0, outputTokens: 6, reasoningTokens: 4 }
        )
      }))

    it.effect("cumulatively: the last word counts", () =>
      Effect.gen(function*() {
        const stream = [
          start(),
          ...textBlock(0, "Hi"),
          stop(null, { output_tokens: 3 }),
          stop("end_turn", { output_tokens: 7 }),
          end
        ]
        assert.strictEqual(finished(yield* events(stream)).usage.outputTokens, 7)
      }))

    it.effect("nothing where nothing is said", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* usage({}, {}), {})
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("skips", () => {
    const noise: ReadonlyArray<readonly [name: string, noise: string]> = [
      ["pings", namedSse([ping])],
      ["comments", ": keep-alive\n\n"],
      ["events that say nothing", "data:\n\n"],
      ["events of an unknown type", namedSse([{ type: "something_new", index: 0, delta: { text: "x" } }])],
      ["events without a type", sse([{ x: 1 }])],
      ["citations of nothing", namedSse([delta(0, { type: "citations_delta", citation: {} })])],
      ["the end of a block that never began", namedSse([blockStop(9)])],
      ["a start that is repeated", namedSse([start()])]
    ]
    for (const [name, noise_] of noise) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const [first, ...rest] = hello.map((event) => namedSse([event]))
          const stream = yield* streamed(streaming([first ?? "", ...rest.flatMap((event) => [noise_, event])]))
          const response = finished(stream)
          assert.strictEqual(response.text, helloText)
          assert.deepStrictEqual(response.parts.length, 1)
          assert.strictEqual(response.usage.outputTokens, 65)
        }))
    }
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("reads", () => {
    it.effect("events without names, by their types", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(finished(yield* streamed(streaming([sse(thinking)]))), finished(yield* events(thinking)))
      }))

    it.effect("events whose JSON is padded", () =>
      Effect.gen(function*() {
        const padded = namedSse(hello).replaceAll("}\n\n", "       }\n\n")
        assert.strictEqual(finished(yield* streamed(streaming([padded]))).text, helloText)
      }))

    it.effect("a call without arguments", () =>
      Effect.gen(function*() {
        for (const pieces of [[], [""], ["{}"]]) {
          const response = finished(yield* events([start(), ...toolBlock(0, ...pieces), stop("tool_use"), end]))
          assert.deepStrictEqual(response.toolCalls.map((call) => call.arguments), [{}])
        }
      }))

    it.effect("several calls, each for itself", () =>
      Effect.gen(function*() {
        const response = finished(
          yield* events([
            start(),
            ...toolBlock(0, "{\"a\"", ":1}"),
            ...toolBlock(1, "{\"a\":2}"),
            stop("tool_use"),
            end
          ])
        )
        assert.deepStrictEqual(response.toolCalls.map(({ arguments: args, id }) => [id, args]), [
          ["toolu_0", { a: 1 }],
          ["toolu_1", { a: 2 }]
        ])
      }))

    it.effect("arguments that are no JSON as a failure, with what the model wrote", () =>
      Effect.gen(function*() {
        for (const raw of ["{\"a\": nope}", "{\"a\":1} trailing", "{\"a\":1,}", "garbage"]) {
          const { error, parts } = yield* events([start(), ...toolBlock(0, raw), stop("tool_use"), end])
          const reason = reasonOf(error, "ToolArgumentsInvalid")
          assert.strictEqual(reason.raw, raw)
          assert.strictEqual(reason.name, "get_weather")
          assert.isEmpty(parts.filter(({ _tag }) => _tag === "ToolCallEnd" || _tag === "Finish"))
        }
      }))

    it.effect("a call that the limit cut as incomplete, with or without the end of its block", () =>
      Effect.gen(function*() {
        for (const stop_reason of ["max_tokens", "model_context_window_exceeded", "refusal"]) {
          for (const blockEnd of [[], [blockStop(0)]]) {
            const stream = yield* events([
              start(),
              blockStart(0, { type: "tool_use", id: "toolu_0", name: "get_weather", input: {} }),
              input("{\"path\": \"/a\", \"filter"),
              ...blockEnd,
              stop(stop_reason),
              end
            ])
            assert.deepStrictEqual(finished(stream).parts, [{
              _tag: "ToolCall",
              id: "toolu_0",
              name: "get_weather",
              arguments: "{\"path\": \"/a\", \"filter",
              incomplete: true
            }])
            assert.isEmpty(stream.parts.filter(({ _tag }) => _tag === "ToolCallEnd"))
          }
        }
      }))

    it.effect("a call that was cut before its arguments as incomplete, not as one without arguments", () =>
      Effect.gen(function*() {
        const response = finished(
          yield* events([
            start(),
            blockStart(0, { type: "tool_use", id: "toolu_0", name: "get_weather", input: {} }),
            input(""),
            stop("max_tokens"),
            end
          ])
        )
        assert.strictEqual(response.toolCalls[0]?.incomplete, true)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("fails with what an event says", () => {
    const cases = [
      ["overloaded_error", "Overloaded", true],
      ["rate_limit_error", "RateLimited", true],
      ["api_error", "ServerFailed", true],
      ["invalid_request_error", "InvalidRequest", false],
      ["authentication_error", "AuthenticationFailed", false],
      ["billing_error", "QuotaExhausted", false]
    ] as const
    for (const [type, tag, retryable] of cases) {
      it.effect(`${type}: first, before content, and after it`, () =>
        Effect.gen(function*() {
          const error: Event = { type: "error", error: { type, message: "m" } }
          for (const before of [[], [start(), ping]]) {
            const failed = yield* events([...before, error])
            reasonOf(failed.error, tag)
            assert.isEmpty(failed.parts)
            assert.strictEqual(failed.error?.isRetryable, retryable)
          }
          const after = yield* events([...hello.slice(0, 3), error, text("never"), end])
          reasonOf(after.error, tag)
          assert.deepStrictEqual(after.parts, [{ _tag: "TextDelta", text: "Hel" }])
          // Without a name it says the same.
          reasonOf((yield* streamed(streaming([sse([...hello.slice(0, 3), error])]))).error, tag)
        }))
    }

    it.effect("with any data, if it is named error", () =>
      Effect.gen(function*() {
        for (const data of ["null", "\"m\"", "7", "plain words", "{\"message\":\"m\"}"]) {
          reasonOf((yield* streamed(streaming([`event: error\ndata: ${data}\n\n`]))).error, "ServerFailed")
        }
      }))

    it.effect("where two answers are mixed in one stream", () =>
      Effect.gen(function*() {
        const other = start({ id: "msg_2" })
        reasonOf((yield* events([start(), other, ...hello.slice(1)])).error, "MalformedResponse")
        const after = yield* events([...hello.slice(0, 3), other, ...hello.slice(1)])
        assert.strictEqual(reasonOf(after.error, "StreamInterrupted").partial.text, "Hel")
        assert.isEmpty(after.parts.filter(({ _tag }) => _tag === "Finish"))
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("fails where the answer is no stream:", () => {
    const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
    it.effect("the JSON of an error, with its reason", () =>
      Effect.gen(function*() {
        reasonOf((yield* streamed(json(overloaded))).error, "Overloaded")
        reasonOf((yield* streamed(json(overloaded, { status: 529 }))).error, "Overloaded")
        reasonOf((yield* streamed(streaming([JSON.stringify(overloaded)]))).error, "Overloaded")
      }))

    const malformed = [
      ["a page", streaming(["<html></html>"], { contentType: "text/html" })],
      ["nothing", streaming([])],
      ["comments only", streaming([": ping\n\n"])],
      ["what is no JSON", streaming(["event: message_start\ndata: {unparsable}\n\n"])]
    ] as const
    for (const [name, answer] of malformed) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const { error, parts } = yield* streamed(answer)
          reasonOf(error, "MalformedResponse")
          assert.isEmpty(parts)
        }))
    }
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("a stream that breaks off", () => {
    it.effect("after message_delta, but before message_stop, is not whole", () =>
      Effect.gen(function*() {
        for (const last of ["close", "cut"] as const) {
          const { error } = yield* streamed(streaming([namedSse(hello.slice(0, -1))], { end: last }))
          const { partial } = reasonOf(error, "StreamInterrupted")
          assert.strictEqual(partial.text, helloText)
          assert.strictEqual(partial.usage?.outputTokens, 65)
        }
      }))

    it.effect("has the parts so far, and marks those that are not whole", () =>
      Effect.gen(function*() {
        const { error } = yield* events(thinking.slice(0, -3))
        assert.deepStrictEqual(reasonOf(error, "StreamInterrupted").partial.parts, [
          { _tag: "Reasoning", text: "T", signature: "S==", ...reader },
          {
            _tag: "ToolCall",
            id: "toolu_1",
            name: "get_weather",
            arguments: "{\"location\": \"Paris\"}",
            incomplete: true
          }
        ])
      }))

    it.effect("is over at message_stop, though the connection stays open, or says more", () =>
      Effect.gen(function*() {
        assert.strictEqual(finished(yield* streamed(streaming([namedSse(hello)], { end: "open" }))).text, helloText)
        assert.strictEqual(finished(yield* streamed(streaming([namedSse(hello)], { end: "cut" }))).text, helloText)
        assert.strictEqual(finished(yield* events([...hello, text("more")])).text, helloText)
        assert.strictEqual(finished(yield* streamed(streaming([`${namedSse(hello)}data: [DONE]\n\n`]))).text, helloText)
      }))

    it.effect("with [DONE] instead of message_stop is not whole", () =>
      Effect.gen(function*() {
        const stream = `${namedSse(hello.slice(0, -1))}data: [DONE]\n\n`
        reasonOf((yield* streamed(streaming([stream]))).error, "StreamInterrupted")
      }))

    it.effect("at any byte is a failure, never an answer and never another text", () =>
      Effect.gen(function*() {
        const short = [{ type: "message_start" }, text("Hel"), text("lo, Wörld 😊"), { type: "message_delta" }, end]
        const whole = bytes(sse(short))
        // The last event is whole without the empty line behind it.
        const terminal = whole.length - 2
        let answer = json("")
        const service = yield* provider(claude, () => answer)
        for (const end of ["close", "cut"] as const) {
          for (let length = 0; length < terminal; length++) {
            answer = streaming([whole.subarray(0, length)], { end })
            const stream = yield* service.stream(request)
            assert(stream.error !== undefined, `an answer after ${length} bytes`)
            assert.isTrue(helloText.startsWith(textOf(stream)))
            const { isRetryable, reason } = stream.error
            if (reason._tag === "StreamInterrupted" && reason.partial.parts.length > 0) {
              assert.strictEqual(reason.partial.text, textOf(stream))
              assert.isFalse(isRetryable)
            } else {
              assert.isTrue(isRetryable, `${stream.error} after ${length} bytes`)
              assert.isEmpty(stream.parts)
            }
          }
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  it.effect("gives the same for any division of the bytes and any line breaks", () =>
    Effect.gen(function*() {
      const stream = [...thinking.slice(0, -2), ...textBlock(2, "Hel", "lo, Wörld 😊"), ...thinking.slice(-2)]
      const expected = finished(yield* events(stream))
      const divisions = FastCheck.sample(
        FastCheck.tuple(
          FastCheck.constantFrom("\n", "\r", "\r\n"),
          FastCheck.array(FastCheck.nat(), { maxLength: 60 })
        ),
        60
      )
      for (const [end, cuts] of divisions) {
        const all = bytes(namedSse(stream).replaceAll("\n", end))
        const places = [0, ...cuts.map((cut) => cut % all.length).sort((a, b) => a - b), all.length]
        const divided = yield* streamed(streaming(places.slice(1).map((end, i) => all.subarray(places[i], end))))
        assert.deepStrictEqual(finished(divided), expected)
        assert.strictEqual(textOf(divided), helloText)
      }
    }))

  it.effect("gives what a call gives", () =>
    Effect.gen(function*() {
      const weather = { type: "tool_use", id: "toolu_1", name: "get_weather", input: { location: "Paris" } }
      const signed = { type: "thinking", thinking: "T", signature: "S==" }
      const pairs: ReadonlyArray<
        readonly [content: ReadonlyArray<Json>, stop_reason: string, blocks: ReadonlyArray<Event>]
      > = [
        [[{ type: "text", text: helloText }], "end_turn", hello.slice(1, -2)],
        [[{ type: "text", text: helloText }], "max_tokens", hello.slice(1, -2)],
        [[{ type: "text", text: helloText }], "refusal", hello.slice(1, -2)],
        [[signed, weather], "tool_use", thinking.slice(1, -2)],
        [
          [{ type: "redacted_thinking", data: "E==" }, { type: "text", text: "a" }, { type: "text", text: "b" }],
          "end_turn",
          [
            blockStart(0, { type: "redacted_thinking", data: "E==" }),
            blockStop(0),
            ...textBlock(1, "a"),
            ...textBlock(2, "b")
          ]
        ],
        [
          [{ ...weather, input: { location: "Paris" } }],
          "max_tokens",
          [blockStart(0, { ...weather, input: {} }), input("{\"location\":\"Paris\"")]
        ],
        [[], "end_turn", []]
      ]
      for (const [content, stop_reason, blocks] of pairs) {
        const { message } = start()
        const body = { ...(message as Json), content, stop_reason }
        const service = yield* provider(claude, json({ ...body, usage: { input_tokens: 5, output_tokens: 2 } }))
        const called = yield* service.call(request)
        const stream = [
          start({ usage: { input_tokens: 5, output_tokens: 1 } }),
          ...blocks,
          stop(stop_reason, { output_tokens: 2 }),
          end
        ]
        assert.deepStrictEqual(finished(yield* events(stream)), LlmResponse.withoutRaw(called))
      }
    }))
})
