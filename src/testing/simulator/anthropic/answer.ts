import { isRecord } from "effect/Predicate"
import type { Completion, Finish, Prompt } from "../prompt.js"
import type { Json, StreamEvent, Streaming } from "../protocol.js"
import { deltas, sse } from "../streaming.js"
import { type Block, callBlock } from "./block.js"
import { isKeptForAnHour } from "./cacheControl.js"
import { citationsOf, containerOf, serverBlocks, toolUsage } from "./serverBlocks.js"
import { signatureOf } from "./turns.js"
import { versionOf } from "./version.js"

const stopReason = (finish: Finish, stopSequence: string | undefined): string => {
  switch (finish) {
    case "stop":
      return stopSequence === undefined ? "end_turn" : "stop_sequence"
    case "length":
      return "max_tokens"
    case "tool_calls":
      return "tool_use"
    case "content_filter":
    case "refusal":
      return "refusal"
    case "pause":
      return "pause_turn"
    case "context_window":
      return "model_context_window_exceeded"
  }
}

const encodeStop = ({ finish, stopSequence }: Completion): Json => ({
  stop_reason: stopReason(finish, stopSequence),
  stop_sequence: stopSequence ?? null,
  ...(finish === "refusal" && { stop_details: { type: "refusal", category: null, explanation: null } })
})

/** The usage after `outputTokens` tokens. */
const encodeUsage = ({ usage }: Completion, outputTokens: number): Json => ({
  input_tokens: usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens,
  cache_creation_input_tokens: usage.cacheWriteTokens,
  cache_read_input_tokens: usage.cachedInputTokens,
  output_tokens: outputTokens
})

/** The fields that are sent once, with the start of the message. */
const encodeTerms = ({ usage: { cacheWriteTokens } }: Completion, { request }: Prompt): Json => {
  const isKept = isKeptForAnHour(request)
  return {
    cache_creation: {
      ephemeral_5m_input_tokens: isKept ? 0 : cacheWriteTokens,
      ephemeral_1h_input_tokens: isKept ? cacheWriteTokens : 0
    },
    service_tier: "standard"
  }
}

const thinkingUsage = ({ usage }: Completion): Json => ({
  output_tokens_details: { thinking_tokens: usage.reasoningTokens }
})

const thinkingBlock = (thinking: string): Block => {
  const signature = signatureOf(thinking)
  return {
    start: { type: "thinking", thinking: "", signature: "" },
    deltas: [
      ...deltas(thinking).map((piece) => ({ type: "thinking_delta", thinking: piece })),
      { type: "signature_delta", signature }
    ],
    whole: { type: "thinking", thinking, signature }
  }
}

const textBlock = (text: string, citations: ReadonlyArray<Json>): Block => {
  const cited = citations.length === 0 ? {} : { citations }
  return {
    start: { type: "text", text: "", ...(citations.length > 0 && { citations: [] }) },
    deltas: [
      ...citations.map((citation) => ({ type: "citations_delta", citation })),
      ...deltas(text).map((piece) => ({ type: "text_delta", text: piece }))
    ],
    whole: { ...cited, type: "text", text }
  }
}

/** Whether thoughts are shown: from 5.5 on only if the request says so. Otherwise their block has a signature alone. */
const isShown = ({ model, request: { thinking } }: Prompt): boolean => {
  const display = isRecord(thinking) ? thinking.display : undefined
  return display === undefined || display === null ? (versionOf(model) ?? 0) < 505 : display === "summarized"
}

const blocksOf = (completion: Completion, prompt: Prompt): ReadonlyArray<Block> => {
  const { finish, fingerprint, reasoning, refusal, text, toolCalls } = completion
  const said = text + (refusal ?? "")
  return [
    ...(reasoning === "" ? [] : [thinkingBlock(isShown(prompt) ? reasoning : "")]),
    ...serverBlocks(completion, prompt),
    ...(said === "" ? [] : [textBlock(said, citationsOf(completion, prompt))]),
    ...toolCalls.map(({ arguments: json, name }, i) =>
      callBlock(
        { type: "tool_use", id: `toolu_01${fingerprint.slice(8 + i, 30 + i)}`, name },
        json,
        finish === "length" && i === toolCalls.length - 1
      )
    )
  ]
}

const envelope = ({ fingerprint }: Completion, { model }: Prompt): Json => ({
  id: `msg_01${fingerprint.slice(0, 22)}`,
  type: "message",
  role: "assistant",
  model
})

/** A whole answer. */
export const encode = (completion: Completion, prompt: Prompt, now: number): Json => ({
  ...envelope(completion, prompt),
  content: blocksOf(completion, prompt).map(({ whole }) => whole),
  ...containerOf(completion, now),
  ...encodeStop(completion),
  usage: {
    ...encodeUsage(completion, completion.usage.outputTokens),
    ...thinkingUsage(completion),
    ...toolUsage(completion),
    ...encodeTerms(completion, prompt)
  }
})

const event = (kind: StreamEvent["kind"], data: Json): StreamEvent => ({ kind, text: sse(data, String(data.type)) })

const ping = { type: "ping" }

const events: Streaming["events"] = (completion, prompt, now) => [
  event("start", {
    type: "message_start",
    message: {
      ...envelope(completion, prompt),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: {
        ...encodeUsage(completion, Math.min(1, completion.usage.outputTokens)),
        ...encodeTerms(completion, prompt)
      }
    }
  }),
  ...blocksOf(completion, prompt).flatMap(({ deltas, isCut = false, start }, index) =>
    [
      { type: "content_block_start", index, content_block: start },
      // The service sends a ping after the start of the first block.
      ...(index === 0 ? [ping] : []),
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      ...(isCut ? [] : [{ type: "content_block_stop", index }])
    ].map((data) => event("content", data))
  ),
  event("content", {
    type: "message_delta",
    delta: { ...containerOf(completion, now), ...encodeStop(completion) },
    usage: {
      ...encodeUsage(completion, completion.usage.outputTokens),
      ...thinkingUsage(completion),
      ...toolUsage(completion)
    }
  }),
  event("finish", { type: "message_stop" })
]

export const streaming: Streaming = {
  contentType: "text/event-stream; charset=utf-8",
  events,
  // An event has no request id.
  error: ({ body }) => sse(isRecord(body) ? { type: body.type, error: body.error } : body, "error"),
  keepAlive: sse(ping, "ping"),
  done: sse("[DONE]")
}
