import type * as LlmResponse from "../../domain/LlmResponse.js"
import * as Json from "../../wire/json.js"
import * as Counts from "../counts.js"

// The fields of a message besides its blocks.

/** The protocol's words for the end of an answer, and those of other services that speak it. */
const finishReasons: ReadonlyMap<string, LlmResponse.FinishReason> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["stop", "stop"],
  ["eos", "stop"],
  ["eos_token", "stop"],
  ["max_tokens", "length"],
  ["max_output_tokens", "length"],
  ["length", "length"],
  ["model_length", "length"],
  ["tool_use", "tool_calls"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["pause_turn", "pause"],
  // The service has summed up the conversation, and waits for the next request to go on.
  ["compaction", "pause"],
  ["refusal", "refusal"],
  ["content_filter", "content_filter"],
  ["content_filtered", "content_filter"],
  ["guardrail_intervened", "content_filter"],
  ["sensitive", "content_filter"],
  ["safety", "content_filter"],
  ["model_context_window_exceeded", "context_window"]
])

export const finishReasonOf = (stopReason: unknown): LlmResponse.FinishReason =>
  finishReasons.get((Json.string(stopReason) ?? "").toLowerCase()) ?? "other"

/** The finish reasons after which a tool call may be cut. */
export const truncating: ReadonlySet<LlmResponse.FinishReason> = new Set([
  "length",
  "context_window",
  "content_filter",
  "refusal",
  "pause"
])

/** The number of times that the service ran each of its own tools, by its names. */
const decodeToolUse = (value: unknown): LlmResponse.Usage["serverToolUse"] => {
  const counts = Object.entries(Json.object(value)).flatMap(([name, count]) => {
    const times = Json.count(count)
    return times === undefined ? [] : [[name, times] as const]
  })
  return counts.length === 0 ? undefined : Object.fromEntries(counts)
}

/** Input tokens that the service read from its cache, or wrote to it, are counted apart from the others. */
export const decodeUsage = (value: unknown): LlmResponse.Usage => {
  const usage = Json.object(value)
  const fresh = Json.count(usage.input_tokens)
  const read = Json.count(usage.cache_read_input_tokens)
  const written = Json.count(usage.cache_creation_input_tokens)
  const lifetimes = Json.object(usage.cache_creation)
  return Json.defined({
    inputTokens: fresh === undefined ? undefined : fresh + (read ?? 0) + (written ?? 0),
    cachedInputTokens: read,
    cacheWriteTokens: written,
    cacheWrite5mTokens: Json.count(lifetimes.ephemeral_5m_input_tokens),
    cacheWrite1hTokens: Json.count(lifetimes.ephemeral_1h_input_tokens),
    outputTokens: Json.count(usage.output_tokens),
    reasoningTokens: Json.count(Json.object(usage.output_tokens_details).thinking_tokens),
    serverToolUse: decodeToolUse(usage.server_tool_use),
    serviceTier: Counts.servedTier(usage.service_tier)
  })
}

const inputCounts = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]

const sum = (usage: Json.JsonObject): number =>
  inputCounts.reduce((total, field) => total + (Json.count(usage[field]) ?? 0), 0)

/** The usage after another event with counts. */
export const counted = (before: Json.JsonObject, value: unknown): Json.JsonObject => {
  const after = Json.present(Json.object(value))
  const all = Counts.cumulative(before, after)
  // Some services count all input as uncached at first, and divide it at the end: the sum is no more than before.
  const isDivided = inputCounts.some((field) => {
    const [old, now] = [Json.count(before[field]), Json.count(after[field])]
    return old !== undefined && now !== undefined && now > 0 && now < old
  }) && sum(after) >= sum(before)
  return isDivided ? { ...all, ...Object.fromEntries(inputCounts.map((field) => [field, after[field]])) } : all
}

/** Fields of a message and of its last events that are read elsewhere. */
const knownFields: ReadonlySet<string> = new Set(["id", "type", "role", "content", "model", "stop_reason", "usage"])

/** Fields of the usage that are read. */
const knownCounts: ReadonlySet<string> = new Set([
  ...inputCounts,
  "output_tokens",
  "output_tokens_details",
  "cache_creation",
  "server_tool_use"
])

const others = (fields: Json.JsonObject, known: ReadonlySet<string>): Json.JsonObject =>
  Object.fromEntries(Object.entries(Json.present(fields)).filter(([name, value]) => !known.has(name) && value !== ""))

/** All other fields of a message, and of its usage: the text that stopped it, the container of its tools ... */
export const metadataOf = (message: Json.JsonObject, usage: Json.JsonObject): Json.JsonObject | undefined => {
  const fields = { ...others(message, knownFields), ...others(usage, knownCounts) }
  return Object.keys(fields).length === 0 ? undefined : fields
}
