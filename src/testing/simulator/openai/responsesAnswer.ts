import { isRecord } from "effect/Predicate"
import type { Completion, Prompt } from "../prompt.js"
import type { Json, StreamEvent, Streaming } from "../protocol.js"
import { strings } from "../protocol.js"
import { comment, deltas, fragments, sse } from "../streaming.js"
import { encryptedContent } from "./responsesInput.js"
import type { Item } from "./responsesItem.js"
import { annotationsOf, serverItems, toolUsage, waitsForLeave } from "./serverItems.js"
import { servedTier } from "./settings.js"

// ---------------------------------------------------------------------------------------------------------------------
// Items
// ---------------------------------------------------------------------------------------------------------------------

const reasoningItem = ({ fingerprint, reasoning }: Completion, { request }: Prompt): Item => {
  const id = `rs_${fingerprint.slice(0, 48)}`
  const wanted = isRecord(request.reasoning) ? request.reasoning : {}
  const part = { type: "summary_text", text: reasoning }
  const isShown = typeof wanted.summary === "string"
  const isEncrypted = strings(request.include).includes("reasoning.encrypted_content")
  const at = { summary_index: 0 }
  return {
    start: { id, type: "reasoning", summary: [] },
    events: !isShown ? [] : [
      { type: "response.reasoning_summary_part.added", ...at, part: { ...part, text: "" } },
      ...deltas(reasoning).map((delta) => ({ type: "response.reasoning_summary_text.delta", ...at, delta })),
      { type: "response.reasoning_summary_text.done", ...at, text: reasoning },
      { type: "response.reasoning_summary_part.done", ...at, part }
    ],
    whole: {
      id,
      type: "reasoning",
      summary: isShown ? [part] : [],
      ...(isEncrypted && { encrypted_content: encryptedContent(fingerprint) })
    }
  }
}

/** A part of a message: its text, or a refusal. */
const contentPart = (kind: "output_text" | "refusal", text: string, annotations: ReadonlyArray<Json> = []) => {
  const field = kind === "refusal" ? "refusal" : "text"
  const part = (text: string, annotations: ReadonlyArray<Json> = []): Json =>
    kind === "refusal" ? { type: kind, refusal: text } : { type: kind, annotations, logprobs: [], text }
  const more = kind === "refusal" ? {} : { logprobs: [] }
  return {
    whole: part(text, annotations),
    events: (index: number): Item["events"] => {
      const at = { content_index: index }
      return [
        { type: "response.content_part.added", ...at, part: part("") },
        ...deltas(text).map((delta) => ({ type: `response.${kind}.delta`, ...at, delta, ...more })),
        ...annotations.map((annotation, annotation_index) => ({
          type: "response.output_text.annotation.added",
          ...at,
          annotation_index,
          annotation
        })),
        { type: `response.${kind}.done`, ...at, [field]: text, ...more },
        { type: "response.content_part.done", ...at, part: part(text, annotations) }
      ]
    }
  }
}

const messageItem = (completion: Completion, status: string): Item => {
  const { fingerprint, refusal, text } = completion
  const item = { id: `msg_${fingerprint.slice(0, 48)}`, type: "message", role: "assistant" }
  const parts = [
    ...(text !== "" || refusal === undefined ? [contentPart("output_text", text, annotationsOf(completion))] : []),
    ...(refusal === undefined ? [] : [contentPart("refusal", refusal)])
  ]
  return {
    start: { ...item, status: "in_progress", content: [] },
    events: parts.flatMap((part, index) => part.events(index)),
    whole: { ...item, status, content: parts.map((part) => part.whole) }
  }
}

const callItem = (
  { fingerprint }: Completion,
  index: number,
  call: Completion["toolCalls"][number],
  status: string
): Item => {
  const item = {
    id: `fc_${fingerprint.slice(index, 48 + index)}`,
    type: "function_call",
    call_id: `call_${fingerprint.slice(8 + index, 32 + index)}`,
    name: call.name
  }
  return {
    start: { ...item, status: "in_progress", arguments: "" },
    events: [
      ...fragments(call.arguments).map((delta) => ({ type: "response.function_call_arguments.delta", delta })),
      { type: "response.function_call_arguments.done", arguments: call.arguments }
    ],
    whole: { ...item, status, arguments: call.arguments }
  }
}

const itemsOf = (completion: Completion, prompt: Prompt): ReadonlyArray<Item> => {
  const { refusal, text, toolCalls } = completion
  const isCut = incompleteReason(completion) !== undefined
  const isSilent = toolCalls.length > 0 || isCut || waitsForLeave(completion)
  const hasMessage = text !== "" || refusal !== undefined || !isSilent
  // Only the last item can be cut.
  const status = (isLast: boolean): string => isCut && isLast ? "incomplete" : "completed"
  return [
    ...(prompt.thinks ? [reasoningItem(completion, prompt)] : []),
    ...serverItems(completion, prompt),
    ...(hasMessage ? [messageItem(completion, status(toolCalls.length === 0))] : []),
    ...toolCalls.map((call, index) => callItem(completion, index, call, status(index === toolCalls.length - 1)))
  ]
}

// ---------------------------------------------------------------------------------------------------------------------
// The answer
// ---------------------------------------------------------------------------------------------------------------------

/** The reason why an answer is incomplete. Absent for a complete one. */
const incompleteReason = ({ finish }: Completion): string | undefined =>
  finish === "length" || finish === "context_window"
    ? "max_output_tokens"
    : finish === "content_filter"
    ? "content_filter"
    : undefined

const encodeUsage = ({ usage }: Completion): Json => ({
  input_tokens: usage.inputTokens,
  input_tokens_details: { cached_tokens: usage.cachedInputTokens, cache_write_tokens: usage.cacheWriteTokens },
  output_tokens: usage.outputTokens,
  output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  total_tokens: usage.inputTokens + usage.outputTokens
})

/** An answer repeats the settings of its request; these are the defaults. */
const settings: Json = {
  background: false,
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  previous_response_id: null,
  prompt_cache_key: null,
  reasoning: { effort: null, summary: null },
  safety_identifier: null,
  store: true,
  temperature: 1,
  text: { format: { type: "text" }, verbosity: "medium" },
  tool_choice: "auto",
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: "disabled",
  user: null
}

const settingsOf = ({ request }: Prompt): Json =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, request[name] ?? value]))

const envelope = (completion: Completion, prompt: Prompt, now: number): Json => ({
  id: `resp_${completion.fingerprint.slice(0, 48)}`,
  object: "response",
  created_at: Math.floor(now / 1000),
  model: prompt.model,
  ...settingsOf(prompt),
  service_tier: servedTier(prompt.request)
})

/** A whole answer. */
export const encode = (completion: Completion, prompt: Prompt, now: number): Json => {
  const reason = incompleteReason(completion)
  return {
    ...envelope(completion, prompt, now),
    status: reason === undefined ? "completed" : "incomplete",
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    output: itemsOf(completion, prompt).map(({ whole }) => whole),
    usage: encodeUsage(completion),
    ...toolUsage(completion)
  }
}

const itemEvents = ({ events, start, whole }: Item, index: number): ReadonlyArray<Json & { readonly type: string }> => [
  { type: "response.output_item.added", output_index: index, item: start },
  ...events.map(({ type, ...event }) => ({ type, item_id: whole.id, output_index: index, ...event })),
  { type: "response.output_item.done", output_index: index, item: whole }
]

const events: Streaming["events"] = (completion, prompt, now) => {
  const begun = {
    ...envelope(completion, prompt, now),
    status: "in_progress",
    error: null,
    incomplete_details: null,
    output: [],
    usage: null
  }
  const answer = encode(completion, prompt, now)
  const content = itemsOf(completion, prompt).flatMap(itemEvents)
  const queued = { ...begun, status: "queued" }
  const all: ReadonlyArray<readonly [StreamEvent["kind"], Json & { readonly type: string }]> = [
    ...(prompt.request.background === true
      ? [
        ["start", { type: "response.created", response: queued }] as const,
        ["start", { type: "response.queued", response: queued }] as const
      ]
      : [["start", { type: "response.created", response: begun }] as const]),
    ["start", { type: "response.in_progress", response: begun }],
    ...content.map((event) => ["content", event] as const),
    ["finish", { type: `response.${String(answer.status)}`, response: answer }]
  ]
  return all.map(([kind, { type, ...event }], index) => ({
    kind,
    text: sse({ type, sequence_number: index, ...event }, type)
  }))
}

export const streaming: Streaming = {
  contentType: "text/event-stream; charset=utf-8",
  events,
  error: ({ body }, index) => {
    const { code, message, param, type } = isRecord(body) && isRecord(body.error) ? body.error : {}
    return sse({ type: "error", code: code ?? type, message, param, sequence_number: index }, "error")
  },
  keepAlive: comment,
  done: sse("[DONE]")
}
