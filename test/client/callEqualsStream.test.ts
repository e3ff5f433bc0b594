import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { bytes, finished, json, namedSse, provider, reasonOf, sse, streaming, textOf } from "../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }
type Event = Json & { readonly type: string }

/** One answer, as it comes whole and as it is streamed, and what it has to be. */
interface Recording {
  readonly name: string
  readonly body: Json
  readonly stream: string
  readonly answer: Partial<LlmResponse.LlmResponse>
}

interface Protocol {
  readonly name: string
  readonly layer: Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>
  readonly contentType: string
  readonly recordings: ReadonlyArray<Recording>
  /** What in a stream marks the last event without which the answer has no end. */
  readonly terminal: RegExp
}

const apiKey = Redacted.make("sk-test-0123456789abcdef")
const request = { model: "some-model", prompt: "Go." } as const

/** The recording of an answer with all that a model can say. */
const everything = "reasoning, text and tools"

const greeting = "Grüße, 世界 👋"
const [hello, world] = ["Grüße, ", "世界 👋"]
const city = { city: "København" }
const args = JSON.stringify(city)
const cutArgs = "{\"city\": \"Købe"

// ---------------------------------------------------------------------------------------------------------------------
// OpenAI's Responses
// ---------------------------------------------------------------------------------------------------------------------

const responses = (() => {
  const response = (status: string, output: ReadonlyArray<Json>, fields: Json = {}): Json => ({
    id: "resp_1",
    model: "m-1",
    status,
    output,
    error: null,
    incomplete_details: null,
    ...(status === "in_progress" ? {} : {
      usage: { input_tokens: 5, output_tokens: 7, output_tokens_details: { reasoning_tokens: 2 } }
    }),
    ...fields
  })
  const message = (content: ReadonlyArray<Json>): Json => ({ type: "message", id: "msg", role: "assistant", content })
  const text = message([{ type: "output_text", text: greeting, annotations: [] }])
  const thought: Json = {
    type: "reasoning",
    id: "rs",
    summary: [{ type: "summary_text", text: "Hm," }, { type: "summary_text", text: "so." }],
    encrypted_content: "E"
  }
  const call = (id: string, json: string, status: string): Json => ({
    type: "function_call",
    id: `fc_${id}`,
    call_id: id,
    name: "weather",
    arguments: json,
    status
  })
  const refusal = message([{ type: "refusal", refusal: "I can't." }])

  const item = (type: "added" | "done", output_index: number, item: Json): Event => ({
    type: `response.output_item.${type}`,
    output_index,
    item
  })
  const delta = (kind: string, output_index: number, delta: string, fields: Json = {}): Event => ({
    type: `response.${kind}.delta`,
    output_index,
    content_index: 0,
    delta,
    ...fields
  })
  const recording = (
    name: string,
    end: Json,
    events: ReadonlyArray<Event>,
    answer: Recording["answer"]
  ): Recording => ({
    name,
    body: end,
    answer,
    stream: namedSse([
      { type: "response.created", response: response("in_progress", []) },
      ...events,
      { type: `response.${end.status}`, response: end }
    ])
  })
  const textDeltas = (index: number) => [delta("output_text", index, hello), delta("output_text", index, world)]

  return {
    name: "Responses",
    layer: OpenAi.layer({ apiKey }),
    contentType: "text/event-stream",
    terminal: /^data: \{"type":"response\.(?:completed|incomplete)".*$/m,
    recordings: [
      recording("text", response("completed", [text]), textDeltas(0), { text: greeting, finishReason: "stop" }),
      recording(
        everything,
        response("completed", [thought, text, call("call_a", args, "completed"), call("call_b", "{}", "completed")]),
        [
          item("added", 0, { ...thought, summary: [], encrypted_content: "half" }),
          delta("reasoning_summary_text", 0, "Hm,", { summary_index: 0 }),
          delta("reasoning_summary_text", 0, "so.", { summary_index: 1 }),
          item("done", 0, thought),
          ...textDeltas(1),
          item("added", 2, call("call_a", "", "in_progress")),
          delta("function_call_arguments", 2, args.slice(0, 9)),
          delta("function_call_arguments", 2, args.slice(9)),
          item("done", 2, call("call_a", args, "completed")),
          item("added", 3, call("call_b", "", "in_progress")),
          item("done", 3, call("call_b", "{}", "completed"))
        ],
        { text: greeting, finishReason: "tool_calls" }
      ),
      recording(
        "refusal",
        response("completed", [refusal]),
        [delta("refusal", 0, "I "), delta("refusal", 0, "can't.")],
        { finishReason: "refusal" }
      ),
      recording(
        "token limit in a text",
        response("incomplete", [text], { incomplete_details: { reason: "max_output_tokens" } }),
        textDeltas(0),
        { text: greeting, finishReason: "length" }
      ),
      recording(
        "token limit in a call",
        response("incomplete", [call("call_a", cutArgs, "incomplete")], {
          incomplete_details: { reason: "max_output_tokens" }
        }),
        [item("added", 0, call("call_a", "", "in_progress")), delta("function_call_arguments", 0, cutArgs)],
        { finishReason: "length" }
      )
    ]
  } satisfies Protocol
})()

// ---------------------------------------------------------------------------------------------------------------------
// Chat Completions
// ---------------------------------------------------------------------------------------------------------------------

const chat = (() => {
  const usage = { prompt_tokens: 5, completion_tokens: 7, completion_tokens_details: { reasoning_tokens: 2 } }
  const call = (id: string, json: string): Json => ({
    id,
    type: "function",
    function: { name: "weather", arguments: json }
  })
  const recording = (
    name: string,
    message: Json,
    finish_reason: string,
    deltas: ReadonlyArray<Json>,
    answer: Recording["answer"]
  ): Recording => {
    const head = { id: "c1", model: "m-1", system_fingerprint: "fp" }
    const chunk = (delta: Json, finish_reason: string | null = null): Json => ({
      ...head,
      choices: [{ index: 0, delta, finish_reason }]
    })
    return {
      name,
      answer,
      body: { ...head, choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }], usage },
      stream: sse([
        chunk({ role: "assistant", content: "" }),
        ...deltas.map((delta) => chunk(delta)),
        chunk({}, finish_reason),
        { ...head, choices: [], usage },
        "[DONE]"
      ])
    }
  }
  const textDeltas = [{ content: hello }, { content: world }]
  return {
    name: "Chat Completions",
    layer: OpenAiChat.layer({ apiKey }),
    contentType: "text/event-stream",
    terminal: /^data: .*"finish_reason":"\w+".*$/m,
    recordings: [
      recording("text", { content: greeting }, "stop", textDeltas, { text: greeting, finishReason: "stop" }),
      recording(
        everything,
        { reasoning_content: "Hm, so.", content: greeting, tool_calls: [call("call_a", args), call("call_b", "{}")] },
        "tool_calls",
        [
          { reasoning_content: "Hm, " },
          { reasoning_content: "so." },
          ...textDeltas,
          { tool_calls: [{ index: 0, ...call("call_a", "") }] },
          { tool_calls: [{ index: 0, function: { arguments: args.slice(0, 9) } }] },
          { tool_calls: [{ index: 1, ...call("call_b", "{}") }] },
          { tool_calls: [{ index: 0, function: { arguments: args.slice(9) } }] }
        ],
        { text: greeting, finishReason: "tool_calls" }
      ),
      recording(
        "refusal",
        { content: null, refusal: "I can't." },
        "stop",
        [{ refusal: "I " }, { refusal: "can't." }],
        { finishReason: "refusal" }
      ),
      recording("token limit in a text", { content: greeting }, "length", textDeltas, {
        text: greeting,
        finishReason: "length"
      }),
      recording(
        "token limit in a call",
        { content: null, tool_calls: [call("call_a", cutArgs)] },
        "length",
        [
          { tool_calls: [{ index: 0, ...call("call_a", "") }] },
          { tool_calls: [{ index: 0, function: { arguments: cutArgs } }] }
        ],
        { finishReason: "length" }
      )
    ]
  } satisfies Protocol
})()

// ---------------------------------------------------------------------------------------------------------------------
// Anthropic's Messages
// ---------------------------------------------------------------------------------------------------------------------

const messages = (() => {
  const recording = (
    name: string,
    content: ReadonlyArray<Json>,
    stop: Json,
    blocks: ReadonlyArray<readonly [start: Json, ...deltas: ReadonlyArray<Json>]>,
    answer: Recording["answer"]
  ): Recording => {
    const head = { id: "msg_1", type: "message", role: "assistant", model: "m-1" }
    const input = { input_tokens: 5, cache_read_input_tokens: 3, cache_creation_input_tokens: 0 }
    return {
      name,
      answer,
      body: { ...head, content, ...stop, usage: { ...input, output_tokens: 7 } },
      stream: namedSse([
        { type: "message_start", message: { ...head, content: [], usage: { ...input, output_tokens: 1 } } },
        { type: "ping" },
        ...blocks.flatMap(([start, ...deltas], index): ReadonlyArray<Event> => [
          { type: "content_block_start", index, content_block: start },
          ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
          { type: "content_block_stop", index }
        ]),
        { type: "message_delta", delta: stop, usage: { output_tokens: 7 } },
        { type: "message_stop" }
      ])
    }
  }
  const text = { type: "text", text: greeting }
  const textBlock = [
    { type: "text", text: "" },
    { type: "text_delta", text: hello },
    { type: "text_delta", text: world }
  ] as const
  const call = (id: string, input: Json): Json => ({ type: "tool_use", id, name: "weather", input })
  const json = (partial_json: string): Json => ({ type: "input_json_delta", partial_json })
  return {
    name: "Messages",
    layer: Anthropic.layer({ apiKey }),
    contentType: "text/event-stream",
    terminal: /^data: \{"type":"message_stop".*$/m,
    recordings: [
      recording("text", [text], { stop_reason: "end_turn" }, [textBlock], { text: greeting, finishReason: "stop" }),
      recording(
        everything,
        [
          { type: "thinking", thinking: "Hm, so.", signature: "S==" },
          { type: "redacted_thinking", data: "E" },
          text,
          call("toolu_a", city),
          call("toolu_b", {})
        ],
        { stop_reason: "tool_use", stop_sequence: null },
        [
          [
            { type: "thinking", thinking: "", signature: "" },
            { type: "thinking_delta", thinking: "Hm, " },
            { type: "thinking_delta", thinking: "so." },
            { type: "signature_delta", signature: "S==" }
          ],
          [{ type: "redacted_thinking", data: "E" }],
          textBlock,
          [call("toolu_a", {}), json(""), json(args.slice(0, 9)), json(args.slice(9))],
          [call("toolu_b", {})]
        ],
        { text: greeting, finishReason: "tool_calls" }
      ),
      recording(
        "refusal",
        [{ type: "text", text: "Hi" }],
        { stop_reason: "refusal", stop_details: { type: "refusal", category: "cyber" } },
        [[{ type: "text", text: "" }, { type: "text_delta", text: "Hi" }]],
        { text: "Hi", finishReason: "refusal" }
      ),
      recording("token limit in a text", [text], { stop_reason: "max_tokens" }, [textBlock], {
        text: greeting,
        finishReason: "length"
      })
    ]
  } satisfies Protocol
})()

// ---------------------------------------------------------------------------------------------------------------------
// Gemini's generateContent
// ---------------------------------------------------------------------------------------------------------------------

const generateContent = (() => {
  const recording = (
    name: string,
    parts: ReadonlyArray<Json>,
    finishReason: string,
    chunks: ReadonlyArray<ReadonlyArray<Json>>,
    answer: Recording["answer"]
  ): Recording => {
    const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 5, thoughtsTokenCount: 3 }
    const chunk = (parts: ReadonlyArray<Json>, finishReason?: string): Json => ({
      candidates: [{
        content: { role: "model", parts },
        ...(finishReason !== undefined && { finishReason }),
        index: 0
      }],
      usageMetadata: finishReason === undefined ? { promptTokenCount: 9 } : usageMetadata,
      modelVersion: "m-1",
      responseId: "r1"
    })
    return {
      name,
      answer,
      body: chunk(parts, finishReason),
      stream: sse([...chunks.map((parts) => chunk(parts)), chunk([], finishReason)]).replaceAll("\n\n", "\r\n\r\n")
    }
  }
  const calls = [
    { functionCall: { name: "weather", args: city }, thoughtSignature: "S==" },
    { functionCall: { name: "weather", args: {} } }
  ]
  return {
    name: "generateContent",
    layer: Gemini.layer({ apiKey }),
    contentType: "text/event-stream",
    terminal: /^data: .*"finishReason":"\w+".*$/m,
    recordings: [
      recording("text", [{ text: greeting }], "STOP", [[{ text: hello }], [{ text: world }]], {
        text: greeting,
        finishReason: "stop"
      }),
      recording(
        everything,
        [{ text: "Hm, so.", thought: true }, { text: greeting }, ...calls],
        "STOP",
        [
          [{ text: "Hm, ", thought: true }],
          [{ text: "so.", thought: true }, { text: hello }],
          [{ text: world }],
          calls.slice(0, 1),
          calls.slice(1)
        ],
        { text: greeting, finishReason: "tool_calls" }
      ),
      recording("content filter", [{ text: greeting }], "SAFETY", [[{ text: hello }], [{ text: world }]], {
        text: greeting,
        finishReason: "content_filter"
      }),
      recording("token limit in a text", [{ text: greeting }], "MAX_TOKENS", [[{ text: hello }, { text: world }]], {
        text: greeting,
        finishReason: "length"
      }),
      recording("token limit before any text", [], "MAX_TOKENS", [], { text: "", finishReason: "length" })
    ]
  } satisfies Protocol
})()

// ---------------------------------------------------------------------------------------------------------------------
// Ollama's chat
// ---------------------------------------------------------------------------------------------------------------------

const ollama = (() => {
  const recording = (
    name: string,
    message: Json,
    done_reason: string,
    deltas: ReadonlyArray<Json>,
    answer: Recording["answer"]
  ): Recording => {
    const line = (message: Json, fields: Json): Json => ({
      model: "m-1",
      message: { role: "assistant", content: "", ...message },
      ...fields
    })
    const end = { done: true, done_reason, total_duration: 5, prompt_eval_count: 26, eval_count: 12 }
    return {
      name,
      answer,
      body: line(message, end),
      stream: [...deltas.map((delta) => line(delta, { done: false })), line({}, end)]
        .map((value) => `${JSON.stringify(value)}\n`).join("")
    }
  }
  const call = (id: string, input: Json): Json => ({ id, function: { name: "weather", arguments: input } })
  return {
    name: "Ollama",
    layer: Ollama.layer({}),
    contentType: "application/x-ndjson",
    terminal: /^\{.*"done":true.*$/m,
    recordings: [
      recording("text", { content: greeting }, "stop", [{ content: hello }, { content: world }], {
        text: greeting,
        finishReason: "stop"
      }),
      recording(
        everything,
        { thinking: "Hm, so.", content: greeting, tool_calls: [call("call_a", city), call("call_b", {})] },
        "stop",
        [
          { thinking: "Hm, " },
          { thinking: "so." },
          { content: hello },
          { content: world, tool_calls: [call("call_a", city)] },
          { tool_calls: [call("call_b", {})] }
        ],
        { text: greeting, finishReason: "tool_calls" }
      ),
      recording("token limit in a text", { content: greeting }, "length", [{ content: greeting }], {
        text: greeting,
        finishReason: "length"
      })
    ]
  } satisfies Protocol
})()

const protocols: ReadonlyArray<Protocol> = [responses, chat, messages, generateContent, ollama]

// ---------------------------------------------------------------------------------------------------------------------

/** Streams these bytes in these chunks. */
const streamOf = (
  { contentType, layer }: Protocol,
  chunks: ReadonlyArray<string | Uint8Array>
) =>
  Effect.flatMap(
    provider(layer, Effect.sync(() => streaming(chunks, { contentType }))),
    ({ stream }) => stream(request)
  )

const recordingOf = ({ recordings }: Protocol, name: string): Recording => {
  const found = recordings.find((recording) => recording.name === name)
  assert(found !== undefined, `no recording of ${name}`)
  return found
}

/** How many bytes it takes for the answer to have an end. */
const bytesToTheEnd = ({ terminal }: Protocol, stream: string): number => {
  const found = terminal.exec(stream)
  assert(found !== null, "the stream has no end")
  return bytes(stream.slice(0, found.index + found[0].trimEnd().length)).length
}

describe.each(protocols)("$name", (protocol) => {
  describe("call and stream give equal answers", () => {
    for (const { answer, body, name, stream } of protocol.recordings) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const whole = yield* Effect.flatMap(provider(protocol.layer, json(body)), ({ call }) => call(request))
          const streamed = yield* streamOf(protocol, [stream])
          assert.deepStrictEqual(finished(streamed), LlmResponse.withoutRaw(whole))
          assert.deepInclude(whole, answer)
          assert.strictEqual(textOf(streamed), whole.text)
          const ended = streamed.parts.filter((part) => part._tag === "ToolCallEnd")
          assert.deepStrictEqual(
            ended.map((part) => [part.id, part.name, part.arguments]),
            whole.toolCalls.filter((call) => call.incomplete !== true).map((
              call
            ) => [call.id, call.name, call.arguments])
          )
        }))
    }

    it.effect("with everything that a model can say", () =>
      Effect.gen(function*() {
        const answer = finished(yield* streamOf(protocol, [recordingOf(protocol, everything).stream]))
        assert.deepStrictEqual(answer.toolCalls.map((call) => call.arguments), [city, {}])
        assert.match(
          answer.parts.map((part) => part._tag === "Reasoning" ? part.text ?? "" : "").join(""),
          /^Hm,\s+so\.$/
        )
        assert.isDefined(answer.usage.inputTokens)
        assert.isDefined(answer.usage.outputTokens)
      }))
  })

  it.effect("a stream gives the same parts, however it is divided", () =>
    Effect.gen(function*() {
      const { stream } = recordingOf(protocol, everything)
      const all = bytes(stream)
      const expected = finished(yield* streamOf(protocol, [stream]))
      const cuts = FastCheck.sample(
        FastCheck.array(FastCheck.integer({ min: 0, max: all.length }), { maxLength: 12 }),
        40
      )
      for (const places of cuts) {
        const sorted = [0, ...places.toSorted((a, b) => a - b), all.length]
        const chunks = sorted.slice(1).map((end, index) => all.slice(sorted[index], end))
        const streamed = yield* streamOf(protocol, chunks)
        assert.deepStrictEqual(finished(streamed), expected, `divided at ${places}`)
        assert.strictEqual(textOf(streamed), expected.text)
      }
    }))

  describe("a stream that is cut is never taken for an answer, and nothing is lost that came", () => {
    /** Cuts the stream of an answer after each `step` bytes, and counts what comes of it. */
    const cutAll = Effect.fnUntraced(function*(recording: Recording, end: "close" | "cut", step: number) {
      const { stream } = recording
      const all = bytes(stream)
      const whole = bytesToTheEnd(protocol, stream)
      const truth = finished(yield* streamOf(protocol, [stream]))
      let length = 0
      const { stream: streamed } = yield* provider(
        protocol.layer,
        Effect.sync(() => streaming([all.slice(0, length)], { contentType: protocol.contentType, end }))
      )
      const outcomes = { retried: 0, interrupted: 0, finished: 0 }
      for (length = 0; length <= all.length; length += step) {
        const { error, parts } = yield* streamed(request)
        const at = `cut after ${length} of ${all.length} bytes`
        if (error === undefined) {
          assert.isAtLeast(length, whole, at)
          assert.deepStrictEqual(finished({ error, parts }).parts, truth.parts, at)
          outcomes.finished++
          continue
        }
        if (end === "close") assert.isBelow(length, whole, at)
        const text = textOf({ error, parts })
        assert.isTrue(truth.text.startsWith(text), at)
        assert.isFalse(parts.some((part) => part._tag === "Finish"), at)
        if (parts.length === 0) {
          assert.isTrue(error.isRetryable, `${at}: ${error.message}`)
          outcomes.retried++
        } else {
          assert.strictEqual(reasonOf(error, "StreamInterrupted").partial.text, text, at)
          assert.isFalse(error.isRetryable, at)
          outcomes.interrupted++
        }
      }
      return outcomes
    })

    it.effect("at every byte of a text, where the connection is closed", () =>
      Effect.gen(function*() {
        const { finished, interrupted, retried } = yield* cutAll(recordingOf(protocol, "text"), "close", 1)
        assert.isAbove(retried, 0)
        assert.isAbove(interrupted, 0)
        assert.isAbove(finished, 0)
      }))

    it.effect("at many bytes of a text, where the connection breaks", () =>
      Effect.gen(function*() {
        const { interrupted, retried } = yield* cutAll(recordingOf(protocol, "text"), "cut", 5)
        assert.isAbove(retried, 0)
        assert.isAbove(interrupted, 0)
      }))

    it.effect("at many bytes of everything that a model can say", () =>
      Effect.gen(function*() {
        const { interrupted } = yield* cutAll(recordingOf(protocol, everything), "close", 17)
        assert.isAbove(interrupted, 0)
      }))
  })
})
