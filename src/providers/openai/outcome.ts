import type * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import { servedTier } from "../counts.js"

// The fields of a response besides its items.

/** The number of uses of the service's own tools, as far as it counts requests. */
const decodeToolUse = (value: unknown): LlmResponse.Usage["serverToolUse"] => {
  const counts = Object.entries(Json.object(value)).flatMap(([tool, usage]) => {
    const count = Json.count(Json.object(usage).num_requests)
    return count === undefined ? [] : [[tool, count] as const]
  })
  return counts.length === 0 ? undefined : Object.fromEntries(counts)
}

/** Reads the usage of a response. */
export const decodeUsage = (response: Json.JsonObject): LlmResponse.Usage => {
  const usage = Json.object(response.usage)
  const input = Json.object(usage.input_tokens_details)
  const output = Json.object(usage.output_tokens_details)
  return Json.defined({
    inputTokens: Json.count(usage.input_tokens),
    cachedInputTokens: Json.count(input.cached_tokens),
    cacheWriteTokens: Json.count(input.cache_write_tokens),
    cacheWrite12hTokens: Json.count(Json.object(input.cache_write_tokens_details).ttl_12h_tokens),
    outputTokens: Json.count(usage.output_tokens),
    reasoningTokens: Json.count(output.reasoning_tokens),
    serverToolUse: decodeToolUse(response.tool_usage),
    serviceTier: servedTier(response.service_tier)
  })
}

/** Fields that are read elsewhere, repeat the request, or hold times. */
const knownFields: ReadonlySet<string> = new Set([
  "background",
  "completed_at",
  "created_at",
  "error",
  "frequency_penalty",
  "id",
  "include",
  "incomplete_details",
  "input",
  "instructions",
  "max_output_tokens",
  "max_tool_calls",
  "metadata",
  "model",
  "object",
  "output",
  "output_text",
  "parallel_tool_calls",
  "presence_penalty",
  "previous_response_id",
  "prompt",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "reasoning",
  "safety_identifier",
  "sequence_number",
  "status",
  "store",
  "stream",
  "stream_options",
  "temperature",
  "text",
  "tool_choice",
  "tools",
  "top_logprobs",
  "top_p",
  "truncation",
  "type",
  "usage",
  "user"
])

/** The other fields of a response, if there are any. */
export const metadataOf = (response: Json.JsonObject): Json.JsonObject | undefined => {
  const rest = Object.entries(Json.present(response)).filter(([field]) => !knownFields.has(field))
  return rest.length === 0 ? undefined : Object.fromEntries(rest)
}

const incompleteReasons: ReadonlyMap<unknown, LlmResponse.FinishReason> = new Map<unknown, LlmResponse.FinishReason>([
  ["max_output_tokens", "length"],
  ["max_tokens", "length"],
  ["content_filter", "content_filter"]
])

const isOutput = /_output$/

/** Kinds of calls that the program has to run or approve, unless the service gives their output, too. */
const awaiting = /^(?:custom_tool|computer|local_shell|shell|apply_patch)_call$|^mcp_approval_request$/

/** Whether the model waits for the program: to run a tool that only the program has, or to approve a call. */
const awaitsProgram = (parts: ReadonlyArray<Message.ResponsePart>): boolean => {
  const blocks = parts.filter((part) => part._tag === "Opaque")
  const callId = ({ json }: Message.Opaque): unknown => Json.object(json).call_id
  const answered = new Set(blocks.filter(({ kind }) => isOutput.test(kind)).map(callId))
  return blocks.some((block) => awaiting.test(block.kind) && !answered.has(callId(block) ?? ""))
}

/** A complete answer has no finish reason in this protocol: its parts decide. */
export const finishReason = (
  response: Json.JsonObject,
  complete: boolean,
  parts: ReadonlyArray<Message.ResponsePart>
): LlmResponse.FinishReason => {
  if (!complete) return incompleteReasons.get(Json.object(response.incomplete_details).reason) ?? "other"
  if (parts.some((part) => part._tag === "ToolCall") || awaitsProgram(parts)) return "tool_calls"
  return parts.some((part) => part._tag === "Refusal") ? "refusal" : "stop"
}
