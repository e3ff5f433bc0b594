import { sha256Hex } from "#sha256"
import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Completion, Finish, Prompt, Search } from "../prompt.js"
import type { Json, StreamEvent, Streaming } from "../protocol.js"
import { parseJson } from "../protocol.js"
import { seal } from "../seal.js"
import { deltas, fragments, sse } from "../streaming.js"
import { isKeptForAnHour } from "./cacheControl.js"
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

/** The tools that the service ran. */
const toolUsage = ({ searches }: Completion): Json =>
  searches.length === 0
    ? {}
    : { server_tool_use: { web_search_requests: searches.length, web_fetch_requests: 0 } }

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

/** Arguments that the token limit cut are not JSON: the call then has none. */
const parsed = (text: string): unknown => Either.getOrElse(parseJson(text), () => ({}))

/** A block of the answer: its start, its deltas, and the whole. */
interface Block {
  readonly start: Json
  readonly deltas: ReadonlyArray<Json>
  readonly whole: Json
  /** Whether the token limit cut it, so that it has no end. */
  readonly isCut?: boolean
}

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

/** What the service encrypts, and recognizes when it comes back. */
const sealed = (text: string): string => seal(sha256Hex(text).slice(0, 24))

/** A search of the web: its call, and what it found, which the service wants back as it is. */
const searchBlocks = ({ fingerprint }: Completion, index: number, { pages, query }: Search): ReadonlyArray<Block> => {
  const id = `srvtoolu_01${fingerprint.slice(8 + index, 30 + index)}`
  const call = { type: "server_tool_use", id, name: "web_search" }
  const result = {
    type: "web_search_tool_result",
    tool_use_id: id,
    content: pages.map(({ title, url }) => ({
      type: "web_search_result",
      title,
      url,
      page_age: null,
      encrypted_content: sealed(url)
    }))
  }
  return [
    {
      start: { ...call, input: {} },
      deltas: ["", ...fragments(JSON.stringify({ query }))].map((piece) => ({
        type: "input_json_delta",
        partial_json: piece
      })),
      whole: { ...call, input: { query } }
    },
    { start: result, deltas: [], whole: result }
  ]
}

/** The text cites each page once. */
const citationsOf = ({ searches }: Completion): ReadonlyArray<Json> =>
  searches.flatMap(({ pages }) =>
    pages.map(({ title, url }) => ({
      type: "web_search_result_location",
      cited_text: title,
      title,
      url,
      encrypted_index: sealed(`${url}#0`)
    }))
  )

const toolBlock = (id: string, name: string, json: string, isCut: boolean): Block => ({
  start: { type: "tool_use", id, name, input: {} },
  deltas: ["", ...fragments(json)].map((piece) => ({ type: "input_json_delta", partial_json: piece })),
  whole: { type: "tool_use", id, name, input: parsed(json) },
  isCut
})

/** Whether thoughts are shown: from 5.5 on only if the request says so. Otherwise their block has a signature alone. */
const isShown = ({ model, request: { thinking } }: Prompt): boolean => {
  const display = isRecord(thinking) ? thinking.display : undefined
  return display === undefined || display === null ? (versionOf(model) ?? 0) < 505 : display === "summarized"
}

const blocksOf = (completion: Completion, prompt: Prompt): ReadonlyArray<Block> => {
  const { finish, fingerprint, reasoning, refusal, searches, text, toolCalls } = completion
  const said = text + (refusal ?? "")
  return [
    ...(reasoning === "" ? [] : [thinkingBlock(isShown(prompt) ? reasoning : "")]),
    ...searches.flatMap((search, index) => searchBlocks(completion, index, search)),
    ...(said === "" ? [] : [textBlock(said, citationsOf(completion))]),
    ...toolCalls.map(({ arguments: json, name }, i) =>
      toolBlock(
        `toolu_01${fingerprint.slice(8 + i, 30 + i)}`,
        name,
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
export const encode = (completion: Completion, prompt: Prompt): Json => ({
  ...envelope(completion, prompt),
  content: blocksOf(completion, prompt).map(({ whole }) => whole),
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

const events: Streaming["events"] = (completion, prompt) => [
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
    delta: encodeStop(completion),
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
