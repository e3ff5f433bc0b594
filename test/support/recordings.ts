import type * as HttpClient from "@effect/platform/HttpClient"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { namedSse, sse } from "./events.js"

type Json = { readonly [field: string]: unknown }
type Event = Json & { readonly type: string }

/** One answer, as it comes whole and as it is streamed, and what it has to be. */
export interface Recording {
  readonly name: string
  readonly body: Json
  readonly stream: string
  readonly answer: Partial<LlmResponse.LlmResponse>
}

/** A protocol, with its provider and answers of its service. */
export interface Protocol {
  readonly name: string
  readonly layer: Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>
  readonly contentType: string
  readonly recordings: ReadonlyArray<Recording>
  /** What in a stream marks the last event without which the answer has no end. */
  readonly terminal: RegExp
}

const apiKey = Redacted.make("sk-test-0123456789abcdef")

/** The recording of an answer with all that a model can say. */
export const everything = "reasoning, text and tools"

const greeting = "Grüße, 世界 👋"
const [hello, world] = ["Grüße, ", "世界 👋"]
export const city = { city: "København" }
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

export const protocols: ReadonlyArray<Protocol> = [responses, chat, messages, generateContent, ollama]
