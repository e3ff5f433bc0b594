import { isRecord } from "effect/Predicate"
import type { Completion, Finish, Prompt } from "../prompt.js"
import type { Json, StreamEvent, Streaming } from "../protocol.js"
import { comment, deltas, fragments, sse } from "../streaming.js"
import { isReasoningModel } from "./service.js"
import { servedTier } from "./settings.js"

/** At OpenAI an answer that had to call one named tool ends with `stop`. */
const finishReason = (finish: Finish, { toolChoice }: Prompt): string => {
  switch (finish) {
    case "length":
    case "context_window":
      return "length"
    case "content_filter":
      return "content_filter"
    case "tool_calls":
      return typeof toolChoice === "object" ? "stop" : "tool_calls"
    case "stop":
    case "refusal":
    case "pause":
      return "stop"
  }
}

/** OpenAI only counts reasoning tokens; compatible hosts show the reasoning. */
const shownReasoning = ({ reasoning }: Completion, { model }: Prompt): string =>
  isReasoningModel(model) ? "" : reasoning

const toolCalls = ({ fingerprint, toolCalls }: Completion) =>
  toolCalls.map((call, i) => ({ id: `call_${fingerprint.slice(8 + i, 32 + i)}`, type: "function", function: call }))

const hasContent = ({ refusal, text, toolCalls }: Completion): boolean =>
  text !== "" || (toolCalls.length === 0 && refusal === undefined)

const encodeUsage = ({ usage }: Completion, { choices }: Prompt): Json => {
  const completionTokens = usage.outputTokens * choices
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: completionTokens,
    total_tokens: usage.inputTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0
    }
  }
}

/** The fields that the whole answer and its chunks have in common. */
const envelope = ({ fingerprint }: Completion, { model, request }: Prompt, object: string, now: number): Json => ({
  id: `chatcmpl-${fingerprint.slice(0, 29)}`,
  object,
  created: Math.floor(now / 1000),
  model,
  service_tier: servedTier(request),
  system_fingerprint: `fp_${fingerprint.slice(-10)}`
})

/** A whole answer. */
export const encode = (completion: Completion, prompt: Prompt, now: number): Json => {
  const reasoning = shownReasoning(completion, prompt)
  const calls = toolCalls(completion)
  const choice = {
    message: {
      role: "assistant",
      content: hasContent(completion) ? completion.text : null,
      refusal: completion.refusal ?? null,
      annotations: [],
      ...(reasoning !== "" && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls })
    },
    logprobs: null,
    finish_reason: finishReason(completion.finish, prompt)
  }
  return {
    ...envelope(completion, prompt, "chat.completion", now),
    choices: Array.from({ length: prompt.choices }, (_, index) => ({ index, ...choice })),
    usage: encodeUsage(completion, prompt)
  }
}

const contentDeltas = (completion: Completion, prompt: Prompt): ReadonlyArray<Json> => [
  ...deltas(shownReasoning(completion, prompt)).map((piece) => ({ reasoning_content: piece })),
  ...deltas(completion.text).map((content) => ({ content })),
  ...deltas(completion.refusal ?? "").map((refusal) => ({ refusal })),
  ...toolCalls(completion).flatMap(({ function: called, ...call }, index): ReadonlyArray<Json> => [
    { tool_calls: [{ index, ...call, function: { name: called.name, arguments: "" } }] },
    ...fragments(called.arguments).map((piece) => ({ tool_calls: [{ index, function: { arguments: piece } }] }))
  ])
]

const events: Streaming["events"] = (completion, prompt, now) => {
  const { stream_options: options } = prompt.request
  const counts = isRecord(options) && options.include_usage === true
  const common = envelope(completion, prompt, "chat.completion.chunk", now)
  const chunk = (kind: StreamEvent["kind"], choices: ReadonlyArray<Json>, usage: Json | null = null): StreamEvent => ({
    kind,
    text: sse({ ...common, choices, ...(counts && { usage }) })
  })
  // The chunks of several choices are interleaved.
  const each = (kind: StreamEvent["kind"], delta: Json, finish: string | null = null): ReadonlyArray<StreamEvent> =>
    Array.from(
      { length: prompt.choices },
      (_, index) => chunk(kind, [{ index, delta, logprobs: null, finish_reason: finish }])
    )
  return [
    ...each("start", { role: "assistant", content: hasContent(completion) ? "" : null, refusal: null }),
    ...contentDeltas(completion, prompt).flatMap((delta) => each("content", delta)),
    ...each("finish", {}, finishReason(completion.finish, prompt)),
    ...(counts ? [chunk("end", [], encodeUsage(completion, prompt))] : []),
    { kind: "end", text: streaming.done }
  ]
}

export const streaming: Streaming = {
  contentType: "text/event-stream; charset=utf-8",
  events,
  error: ({ body }) => sse(body),
  keepAlive: comment,
  done: sse("[DONE]")
}
