import { assert, describe, it } from "@effect/vitest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAi from "effect-llm/OpenAi"
import * as StreamPart from "effect-llm/StreamPart"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import {
  bytes,
  finished,
  json,
  namedSse,
  networkFailure,
  provider,
  reasonOf,
  type Service,
  sse,
  streaming,
  textOf
} from "../../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }
type Event = Json & { readonly type: string }

const openAi = OpenAi.layer({ apiKey: Redacted.make("sk-test-0123456789abcdef") })

const request = { model: "gpt-5-mini", prompt: "Go." } as const

/** The one who can read reasoning in the answers. */
const reader = { provider: "openai", account: "https://api.openai.com/v1/responses", model: "gpt-5-mini" }

const streamOn = (service: Service) => Effect.flatMap(provider(openAi, service), ({ stream }) => stream(request))

const callOn = (body: unknown) => Effect.flatMap(provider(openAi, json(body)), ({ call }) => call(request))

/** Streams these events, and then ends. */
const eventsOf = (...events: ReadonlyArray<Event>) => streamOn(streaming([namedSse(events)]))

// ---------------------------------------------------------------------------------------------------------------------
// An answer as the service streams it
// ---------------------------------------------------------------------------------------------------------------------

const usage = {
  input_tokens: 5,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: 12
}

const response = (status: string, output: unknown, fields: Json = {}): Json => ({
  id: "resp_1",
  object: "response",
  created_at: 1,
  model: "gpt-5-mini-2025-08-07",
  status,
  error: null,
  incomplete_details: null,
  output,
  usage: status === "in_progress" ? null : usage,
  ...fields
})

const created: Event = { type: "response.created", sequence_number: 0, response: response("in_progress", []) }

const completed = (output: unknown, fields?: Json): Event => ({
  type: "response.completed",
  sequence_number: 99,
  response: response("completed", output, fields)
})

const incomplete = (output: unknown, reason = "max_output_tokens"): Event => ({
  type: "response.incomplete",
  response: response("incomplete", output, { incomplete_details: { reason } })
})

const added = (output_index: number, item: Json): Event => ({ type: "response.output_item.added", output_index, item })

const done = (output_index: number, item: Json): Event => ({ type: "response.output_item.done", output_index, item })

const textDelta = (output_index: number, delta: string): Event => ({
  type: "response.output_text.delta",
  item_id: `msg_${output_index}`,
  output_index,
  content_index: 0,
  delta,
  logprobs: []
})

const argumentsDelta = (output_index: number, delta: string): Event => ({
  type: "response.function_call_arguments.delta",
  item_id: `fc_${output_index}`,
  output_index,
  delta
})

const summaryDelta = (output_index: number, summary_index: number, delta: string): Event => ({
  type: "response.reasoning_summary_text.delta",
  item_id: `rs_${output_index}`,
  output_index,
  summary_index,
  delta
})

const message = (id: string, text: string, fields: Json = {}): Json => ({
  type: "message",
  id,
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }],
  ...fields
})

const call = (id: string, call_id: string, args: string, fields: Json = {}): Json => ({
  type: "function_call",
  id,
  call_id,
  name: "f",
  arguments: args,
  status: "completed",
  ...fields
})

const reasoning = (id: string, summary: ReadonlyArray<string>, encrypted_content: string | null): Json => ({
  type: "reasoning",
  id,
  summary: summary.map((text) => ({ type: "summary_text", text })),
  encrypted_content
})

// With all that the service tells several times over.
const output = [
  reasoning("rs_0", ["Let me", "see."], "E-whole"),
  message("msg_1", "I look.", { phase: "commentary" }),
  call("fc_2", "call_a", "{\"city\":\"Paris\"}"),
  call("fc_3", "call_b", "{}")
]

const whole: ReadonlyArray<Event> = [
  created,
  { type: "response.in_progress", response: response("in_progress", []) },
  added(0, reasoning("rs_0", [], "E-part")),
  { type: "response.reasoning_summary_part.added", output_index: 0, summary_index: 0, part: { text: "" } },
  summaryDelta(0, 0, "Let "),
  summaryDelta(0, 0, "me"),
  { type: "response.reasoning_summary_text.done", output_index: 0, summary_index: 0, text: "Let me" },
  { type: "response.reasoning_summary_part.done", output_index: 0, summary_index: 0, part: { text: "Let me" } },
  summaryDelta(0, 1, "see."),
  done(0, reasoning("rs_0", ["Let me", "see."], "E-whole")),
  added(1, message("msg_1", "", { status: "in_progress", content: [], phase: "commentary" })),
  { type: "response.content_part.added", output_index: 1, content_index: 0, part: { type: "output_text", text: "" } },
  textDelta(1, "I "),
  textDelta(1, "look."),
  { type: "response.output_text.done", output_index: 1, content_index: 0, text: "I look." },
  { type: "response.content_part.done", output_index: 1, content_index: 0, part: { text: "I look." } },
  done(1, message("msg_1", "I look.", { phase: "commentary" })),
  added(2, call("fc_2", "call_a", "", { status: "in_progress" })),
  argumentsDelta(2, "{\"city\":"),
  argumentsDelta(2, "\"Paris\"}"),
  { type: "response.function_call_arguments.done", output_index: 2, arguments: "{\"city\":\"Paris\"}" },
  done(2, call("fc_2", "call_a", "{\"city\":\"Paris\"}")),
  added(3, call("fc_3", "call_b", "", { status: "in_progress" })),
  { type: "response.function_call_arguments.done", output_index: 3, arguments: "{}" },
  done(3, call("fc_3", "call_b", "{}")),
  completed(output)
]

const deltas: ReadonlyArray<StreamPart.StreamPart> = [
  StreamPart.ReasoningDelta({ text: "Let " }),
  StreamPart.ReasoningDelta({ text: "me" }),
  StreamPart.ReasoningDelta({ text: "\n\nsee." }),
  StreamPart.TextDelta({ text: "I " }),
  StreamPart.TextDelta({ text: "look." }),
  StreamPart.ToolCallStart({ id: "call_a", name: "f" }),
  StreamPart.ToolCallDelta({ id: "call_a", delta: "{\"city\":" }),
  StreamPart.ToolCallDelta({ id: "call_a", delta: "\"Paris\"}" }),
  StreamPart.ToolCallEnd({ id: "call_a", name: "f", arguments: { city: "Paris" } }),
  StreamPart.ToolCallStart({ id: "call_b", name: "f" }),
  StreamPart.ToolCallDelta({ id: "call_b", delta: "{}" }),
  StreamPart.ToolCallEnd({ id: "call_b", name: "f", arguments: {} })
]

const contentOf = (parts: ReadonlyArray<StreamPart.StreamPart>) => parts.filter((part) => part._tag !== "Finish")

describe("OpenAi, streaming", () => {
  describe("a whole answer", () => {
    it.effect("comes in deltas, each thing once, and is the answer that call gives", () =>
      Effect.gen(function*() {
        const { sent, stream } = yield* provider(openAi, streaming([namedSse(whole)]))
        const streamed = yield* stream(request)
        assert.strictEqual(sent[0]!.body.stream, true)
        assert.deepStrictEqual(contentOf(streamed.parts), deltas)
        const answer = finished(streamed)
        assert.deepStrictEqual(answer.parts, [
          { _tag: "Reasoning", text: "Let me\n\nsee.", id: "rs_0", encrypted: "E-whole", ...reader },
          { _tag: "Text", text: "I look.", phase: "commentary" },
          { _tag: "ToolCall", id: "call_a", name: "f", arguments: { city: "Paris" } },
          { _tag: "ToolCall", id: "call_b", name: "f", arguments: {} }
        ])
        assert.strictEqual(answer.finishReason, "tool_calls")
        assert.deepStrictEqual(answer.usage, {
          inputTokens: 5,
          cachedInputTokens: 0,
          outputTokens: 7,
          reasoningTokens: 2
        })
        assert.strictEqual(answer.model, "gpt-5-mini-2025-08-07")
        assert.strictEqual(answer.id, "resp_1")
        assert.deepStrictEqual(answer, LlmResponse.withoutRaw(yield* callOn(response("completed", output))))
      }))

    it.effect("is the same for all sets of events that services send", () =>
      Effect.gen(function*() {
        const expected = finished(yield* eventsOf(...whole))
        const without = (...names: ReadonlyArray<RegExp>) =>
          whole.filter(({ type }) => !names.some((name) => name.test(type)))
        const variants: { readonly [variant: string]: ReadonlyArray<Event> } = {
          "deltas and the end": without(/added$/, /done$/),
          "items only": without(/delta$/),
          "items once they are whole": without(/delta$/, /added$/),
          "the end only": [completed(output)],
          "no list at the end": whole.map((event) => event.type === "response.completed" ? completed([]) : event),
          "null at the end": whole.map((event) => event.type === "response.completed" ? completed(null) : event),
          "another index at the end": whole.map((event) =>
            event.type === "response.completed" ? completed([null, ...output]) : event
          ),
          "another id in each event": whole.map((event, index) =>
            "item_id" in event ? { ...event, item_id: `id_${index}` } : event
          ),
          "ids instead of indexes": whole.map(({ output_index, ...event }) => {
            const ids = ["rs_0", "msg_1", "fc_2", "fc_3"]
            return output_index === undefined ? event : { ...event, item_id: ids[Number(output_index)] }
          }),
          "everything twice at the start": [created, created, ...whole]
        }
        for (const [variant, events] of Object.entries(variants)) {
          const streamed = yield* eventsOf(...events)
          assert.deepStrictEqual(finished(streamed), expected, variant)
          assert.deepStrictEqual(textOf(streamed), "I look.", variant)
          assert.strictEqual(
            streamed.parts.map((part) => part._tag === "ReasoningDelta" ? part.text : "").join(""),
            "Let me\n\nsee.",
            variant
          )
        }
      }))

    it.effect("is the streamed content if the end differs", () =>
      Effect.gen(function*() {
        const streamed = yield* eventsOf(
          created,
          textDelta(0, "Hello "),
          textDelta(0, "world"),
          completed([message("msg_9", "world")])
        )
        assert.strictEqual(textOf(streamed), "Hello world")
        assert.deepStrictEqual(finished(streamed).parts, [{ _tag: "Text", text: "Hello world" }])
      }))

    it.effect("is completed by the end where the deltas stop early", () =>
      Effect.gen(function*() {
        const streamed = yield* eventsOf(created, textDelta(0, "Hel"), completed([message("msg_0", "Hello")]))
        assert.deepStrictEqual(contentOf(streamed.parts), [
          StreamPart.TextDelta({ text: "Hel" }),
          StreamPart.TextDelta({ text: "lo" })
        ])
        assert.strictEqual(finished(streamed).text, "Hello")
      }))

    it.effect("can have reasoning first, text, then a call whose fragments need no item to begin", () =>
      Effect.gen(function*() {
        const streamed = yield* eventsOf(
          created,
          summaryDelta(0, 0, "r"),
          textDelta(1, "Hi"),
          added(2, call("fc_1", "call_1", "", { status: "in_progress" })),
          argumentsDelta(2, "{\"a\":1}"),
          completed([
            reasoning("rs_1", ["r"], "E"),
            message("msg_1", "Hi"),
            call("fc_1", "call_1", "{\"a\":1}")
          ])
        )
        assert.deepStrictEqual(contentOf(streamed.parts), [
          StreamPart.ReasoningDelta({ text: "r" }),
          StreamPart.TextDelta({ text: "Hi" }),
          StreamPart.ToolCallStart({ id: "call_1", name: "f" }),
          StreamPart.ToolCallDelta({ id: "call_1", delta: "{\"a\":1}" }),
          StreamPart.ToolCallEnd({ id: "call_1", name: "f", arguments: { a: 1 } })
        ])
        const answer = finished(streamed)
        assert.strictEqual(answer.finishReason, "tool_calls")
        assert.deepStrictEqual(answer.parts[0], {
          _tag: "Reasoning",
          text: "r",
          id: "rs_1",
          encrypted: "E",
          ...reader
        })
      }))

    it.effect("keeps apart calls whose fragments come in turns", () =>
      Effect.gen(function*() {
        const streamed = yield* eventsOf(
          created,
          added(0, call("fc_0", "call_a", "")),
          added(1, call("fc_1", "call_b", "")),
          argumentsDelta(0, "{\"n\":"),
          argumentsDelta(1, "{\"n\":2"),
          argumentsDelta(0, "1}"),
          argumentsDelta(1, "}"),
          completed([])
        )
        assert.deepStrictEqual(finished(streamed).toolCalls.map((call) => [call.id, call.arguments]), [
          ["call_a", { n: 1 }],
          ["call_b", { n: 2 }]
        ])
      }))

    it.effect("can be the open reasoning of a model elsewhere", () =>
      Effect.gen(function*() {
        const streamed = yield* eventsOf(
          created,
          { type: "response.reasoning_text.delta", output_index: 0, content_index: 0, delta: "Think" },
          textDelta(1, "Hi"),
          completed([
            { type: "reasoning", id: "rs_0", summary: [], content: [{ type: "reasoning_text", text: "Thinking" }] },
            message("msg_1", "Hi")
          ])
        )
        assert.deepStrictEqual(finished(streamed).parts, [
          { _tag: "Reasoning", text: "Thinking", id: "rs_0", provider: "openai" },
          { _tag: "Text", text: "Hi" }
        ])
      }))

    it.effect("has no half of what is encrypted", () =>
      Effect.gen(function*() {
        const begun = [created, added(0, reasoning("rs_0", [], "E-part")), textDelta(1, "Hi")]
        const end = completed([reasoning("rs_9", [], null), message("msg_1", "Hi")])
        assert.deepStrictEqual(finished(yield* eventsOf(...begun, end)).parts, [
          { _tag: "Reasoning", id: "rs_9", provider: "openai" },
          { _tag: "Text", text: "Hi" }
        ])
      }))

    it.effect("can be a refusal", () =>
      Effect.gen(function*() {
        const refusal = { type: "refusal", refusal: "I can't." }
        const refusalDelta = (delta: string): Event => ({ type: "response.refusal.delta", output_index: 0, delta })
        const streamed = yield* eventsOf(
          created,
          refusalDelta("I "),
          refusalDelta("can't."),
          { type: "response.refusal.done", output_index: 0, refusal: "I can't." },
          completed([message("msg_0", "", { content: [refusal] })])
        )
        const answer = finished(streamed)
        assert.deepStrictEqual(answer.parts, [{ _tag: "Refusal", text: "I can't." }])
        assert.strictEqual(answer.finishReason, "refusal")
        assert.deepStrictEqual(contentOf(streamed.parts), [])
      }))

    it.effect("ends at the token limit, and a call that was cut is marked and never ended", () =>
      Effect.gen(function*() {
        const text = yield* eventsOf(created, textDelta(0, "Hi"), incomplete([message("msg_0", "Hi")]))
        assert.strictEqual(finished(text).finishReason, "length")
        for (const args of ["{\"a\": 1, \"b\": \"xy", ""]) {
          const cut = call("fc_0", "call_a", args, { status: "incomplete" })
          const streamed = yield* eventsOf(
            created,
            added(0, call("fc_0", "call_a", "", { status: "in_progress" })),
            argumentsDelta(0, args),
            done(0, cut),
            incomplete([cut])
          )
          const answer = finished(streamed)
          assert.strictEqual(answer.finishReason, "length")
          assert.deepStrictEqual(answer.toolCalls, [
            { _tag: "ToolCall", id: "call_a", name: "f", arguments: args, incomplete: true }
          ])
          assert.isFalse(streamed.parts.some((part) => part._tag === "ToolCallEnd"))
        }
      }))

    it.effect("ends at a content filter, with what came", () =>
      Effect.gen(function*() {
        const answer = finished(yield* eventsOf(created, textDelta(0, "Hi"), incomplete([], "content_filter")))
        assert.strictEqual(answer.finishReason, "content_filter")
        assert.strictEqual(answer.text, "Hi")
      }))

    it.effect("has the status of its response where all ends are called completed", () =>
      Effect.gen(function*() {
        const cut = yield* eventsOf(
          created,
          textDelta(0, "Hi"),
          completed([], { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } })
        )
        assert.strictEqual(finished(cut).finishReason, "length")
        const failed = yield* eventsOf(
          created,
          textDelta(0, "Hi"),
          completed([], { status: "failed", error: { code: "server_error", message: "x" } })
        )
        assert.strictEqual(failed.error?.reason._tag, "ServerFailed")
        const bare = yield* eventsOf(created, textDelta(0, "Hi"), { type: "response.completed" })
        assert.strictEqual(finished(bare).finishReason, "stop")
        assert.strictEqual(finished(bare).id, "resp_1")
      }))

    it.effect("has calls with JSON for arguments, or none at all", () =>
      Effect.gen(function*() {
        const { error, parts } = yield* eventsOf(
          created,
          added(0, call("fc_0", "call_a", "")),
          argumentsDelta(0, "{\"a\": nope}"),
          completed([call("fc_0", "call_a", "{\"a\": nope}")])
        )
        assert.strictEqual(reasonOf(error, "ToolArgumentsInvalid").raw, "{\"a\": nope}")
        assert.isFalse(parts.some((part) => part._tag === "ToolCallEnd" || part._tag === "Finish"))
      }))
  })

  describe("on the wire", () => {
    const short = [
      created,
      textDelta(0, "Grüße, "),
      textDelta(0, "Welt!"),
      completed([message("msg_0", "Grüße, Welt!")])
    ]

    it.effect("may be divided anywhere, end lines in any way, and hold comments and unknown events", () =>
      Effect.gen(function*() {
        const text = namedSse(short)
        const expected = finished(yield* streamOn(streaming([text])))
        const odd = namedSse(short.flatMap((event) => [
          { type: "keepalive", sequence_number: 1 },
          { type: "response.hologram.delta", output_index: 0, delta: "no" },
          { type: "response.web_search_call.searching", output_index: 0, item_id: "ws_1" },
          { type: "response.output_text.annotation.added", output_index: 0, annotation: {} },
          event
        ]))
        const variants: { readonly [variant: string]: ReadonlyArray<string | Uint8Array> } = {
          "one byte at a time": [...bytes(text)].map((byte) => new Uint8Array([byte])),
          "CRLF": [text.replaceAll("\n", "\r\n")],
          "CR": [text.replaceAll("\n", "\r")],
          "no names": [sse(short)],
          "names only": [
            short.map(({ type, ...rest }) => `event: ${type}\ndata: ${JSON.stringify(rest)}\n\n`).join("")
          ],
          "comments": [text.replaceAll("\n\n", "\n\n: keep-alive\n\n")],
          "unknown events": [odd],
          "[DONE] at the end": [`${text}data: [DONE]\n\n`],
          "no blank line at the end": [text.trimEnd()]
        }
        for (const [variant, chunks] of Object.entries(variants)) {
          const streamed = yield* streamOn(streaming(chunks))
          assert.deepStrictEqual(finished(streamed), expected, variant)
          assert.strictEqual(textOf(streamed), "Grüße, Welt!", variant)
        }
      }))

    it.effect("is over with the last event, also where the connection stays open", () =>
      Effect.gen(function*() {
        const streamed = yield* streamOn(Effect.sync(() => streaming([namedSse(short)], { end: "open" })))
        assert.strictEqual(finished(streamed).text, "Grüße, Welt!")
      }))
  })

  describe("failures", () => {
    const failed = (error: unknown): Event => ({
      type: "response.failed",
      response: response("failed", [], { error })
    })

    it.effect("come by an event of either shape, before and after content", () =>
      Effect.gen(function*() {
        const nested = (error: Json): Event => ({ type: "error", sequence_number: 9, error })
        const flat = (error: Json): Event => ({ type: "error", sequence_number: 9, param: null, ...error })
        const events: ReadonlyArray<readonly [Event, string]> = [
          [nested({ type: "server_error", code: null, message: "x", param: null }), "ServerFailed"],
          [nested({ type: "insufficient_quota", code: "insufficient_quota", message: "x" }), "QuotaExhausted"],
          [nested({ type: "tokens", code: "rate_limit_exceeded", message: "x" }), "RateLimited"],
          [flat({ code: "server_error", message: "x" }), "ServerFailed"],
          [flat({ code: "rate_limit_exceeded", message: "x" }), "RateLimited"],
          [flat({ code: "context_length_exceeded", message: "x" }), "ContextLengthExceeded"],
          [failed({ code: "rate_limit_exceeded", message: "x" }), "RateLimited"],
          [failed({ code: "invalid_image_url", message: "x" }), "InvalidRequest"],
          [failed(null), "ServerFailed"],
          [{ type: "response.cancelled", response: response("cancelled", []) }, "ServerFailed"]
        ]
        for (const [event, expected] of events) {
          const before = yield* eventsOf(created, event)
          assert.strictEqual(before.error?.reason._tag, expected, JSON.stringify(event))
          assert.deepStrictEqual(before.parts, [])
          const after = yield* eventsOf(created, textDelta(0, "Hi"), event)
          assert.strictEqual(after.error?.reason._tag, expected, JSON.stringify(event))
          assert.deepStrictEqual(after.parts, [StreamPart.TextDelta({ text: "Hi" })])
        }
      }))

    it.effect("are reported once if two events report them", () =>
      Effect.gen(function*() {
        const error = { code: "insufficient_quota", message: "You exceeded your current quota." }
        const streamed = yield* eventsOf(
          created,
          { type: "error", error: { type: "insufficient_quota", ...error } },
          failed(error)
        )
        assert.deepStrictEqual(streamed.parts, [])
        assert.strictEqual(
          reasonOf(streamed.error, "QuotaExhausted").message,
          "You exceeded your current quota."
        )
      }))

    it.effect("are recognized by the name of the event, by other servers' shapes, and by JSON in place of a stream", () =>
      Effect.gen(function*() {
        const named = yield* streamOn(
          streaming(["event: error\ndata: {\"code\":\"server_error\",\"message\":\"x\"}\n\n"])
        )
        assert.strictEqual(named.error?.reason._tag, "ServerFailed")
        const typed = yield* streamOn(
          streaming(["event: error\ndata: {\"type\":\"overloaded_error\",\"message\":\"x\"}\n\n"])
        )
        assert.strictEqual(typed.error?.reason._tag, "Overloaded")
        const data = yield* streamOn(streaming(["data: {\"error\":{\"message\":\"Overloaded\",\"code\":503}}\n\n"]))
        assert.strictEqual(data.error?.reason._tag, "Overloaded")
        const text = yield* streamOn(streaming(["data: {\"error\":\"model \\\"x\\\" not found\"}\n\n"]))
        assert.strictEqual(text.error?.reason._tag, "ModelNotFound")
        const object = yield* streamOn(
          streaming(["data: {\"object\":\"error\",\"message\":\"no\",\"type\":\"BadRequestError\",\"code\":400}\n\n"])
        )
        assert.strictEqual(object.error?.reason._tag, "InvalidRequest")
        const body = {
          error: { message: "The server is overloaded", type: "server_error", code: "server_is_overloaded" }
        }
        const plain = yield* streamOn(json(body))
        assert.strictEqual(plain.error?.reason._tag, "Overloaded")
        const mislabelled = yield* streamOn(streaming([JSON.stringify(body)]))
        assert.strictEqual(mislabelled.error?.reason._tag, "Overloaded")
      }))

    it.effect("say how long to wait, where the event holds headers", () =>
      Effect.gen(function*() {
        const { error } = yield* eventsOf(created, {
          type: "error",
          error: { type: "tokens", code: "rate_limit_exceeded", message: "x", headers: { "retry-after": "12" } }
        })
        assert.deepStrictEqual(reasonOf(error, "RateLimited").retryAfter, Duration.seconds(12))
      }))
  })

  describe("an answer that breaks off", () => {
    it.effect("after content is never finished, and what came is kept", () =>
      Effect.gen(function*() {
        const begun = namedSse([created, summaryDelta(0, 0, "r"), textDelta(1, "Hel"), textDelta(1, "lo")])
        const ends: { readonly [variant: string]: Service } = {
          "the end of the stream": streaming([begun]),
          "a broken connection": Effect.sync(() => streaming([begun], { end: "cut" })),
          "[DONE]": streaming([begun, "data: [DONE]\n\n"]),
          "half an event": streaming([begun, "data: {\"type\":\"response.output_text.delta\",\"del"]),
          "no JSON": streaming([begun, "data: {nope}\n\n"])
        }
        for (const [variant, service] of Object.entries(ends)) {
          const streamed = yield* streamOn(service)
          const { partial } = reasonOf(streamed.error, "StreamInterrupted")
          assert.strictEqual(partial.text, "Hello", variant)
          assert.deepStrictEqual(partial.parts, [
            { _tag: "Reasoning", text: "r", provider: "openai" },
            { _tag: "Text", text: "Hello" }
          ], variant)
          assert.strictEqual(textOf(streamed), "Hello", variant)
          assert.isFalse(streamed.parts.some((part) => part._tag === "Finish"), variant)
          assert.isFalse(streamed.error?.isRetryable, variant)
        }
      }))

    it.effect("in the middle of a call keeps the call as incomplete", () =>
      Effect.gen(function*() {
        const { error } = yield* eventsOf(
          created,
          added(0, call("fc_0", "call_a", "")),
          argumentsDelta(0, "{\"a\":")
        )
        assert.deepStrictEqual(reasonOf(error, "StreamInterrupted").partial.parts, [
          { _tag: "ToolCall", id: "call_a", name: "f", arguments: "{\"a\":", incomplete: true }
        ])
      }))

    it.effect("before content can be asked for again, also after the model has begun to think", () =>
      Effect.gen(function*() {
        const thinking = namedSse([
          created,
          added(0, reasoning("rs_0", [], "E-part")),
          done(0, reasoning("rs_0", [], "E-whole")),
          added(1, message("msg_1", "", { content: [] }))
        ])
        for (const begun of ["", ": keep-alive\n\n", namedSse([created]), thinking]) {
          for (const end of ["close", "cut"] as const) {
            const streamed = yield* streamOn(Effect.sync(() => streaming([begun], { end })))
            assert.deepStrictEqual(streamed.parts, [])
            assert.isTrue(streamed.error?.isRetryable, `${JSON.stringify(begun)}, ${end}: ${streamed.error?.message}`)
          }
        }
      }))

    it.effect("because the connection cannot be made says so", () =>
      Effect.gen(function*() {
        const { error } = yield* streamOn((_, request) => Effect.fail(networkFailure(request, "ECONNREFUSED")))
        assert.strictEqual(reasonOf(error, "NetworkFailed").code, "ECONNREFUSED")
      }))
  })
})
