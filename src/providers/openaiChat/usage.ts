import type * as LlmResponse from "../../domain/LlmResponse.js"
import * as Json from "../../wire/json.js"

/** OpenRouter counts the searches that it ran. */
const decodeToolUse = (value: unknown): LlmResponse.Usage["serverToolUse"] => {
  const counts = Object.entries(Json.object(value)).filter((entry): entry is [string, number] =>
    Json.count(entry[1]) !== undefined
  )
  return counts.length === 0 ? undefined : Object.fromEntries(counts)
}

/** Reads the usage of an answer or of a chunk. */
export const decodeUsage = (usage: Json.JsonObject): LlmResponse.Usage => {
  const input = Json.object(usage.prompt_tokens_details ?? usage.prompt_token_details)
  const output = Json.object(usage.completion_tokens_details)
  return Json.defined({
    inputTokens: Json.count(usage.prompt_tokens),
    // DeepSeek, Mistral and Together count them at the top.
    cachedInputTokens: Json.count(input.cached_tokens) ?? Json.count(usage.prompt_cache_hit_tokens) ??
      Json.count(usage.num_cached_tokens) ?? Json.count(usage.cached_tokens),
    cacheWriteTokens: Json.count(input.cache_write_tokens),
    cacheWrite12hTokens: Json.count(Json.object(input.cache_write_tokens_details).ttl_12h_tokens),
    outputTokens: Json.count(usage.completion_tokens),
    reasoningTokens: Json.count(output.reasoning_tokens),
    serverToolUse: decodeToolUse(usage.server_tool_use)
  })
}

type Count =
  | "inputTokens"
  | "cachedInputTokens"
  | "cacheWriteTokens"
  | "cacheWrite12hTokens"
  | "outputTokens"
  | "reasoningTokens"

/** The larger counts: services that repeat them in each chunk count up, and some put 0 into the last. */
export const larger = (known: LlmResponse.Usage | undefined, usage: LlmResponse.Usage): LlmResponse.Usage => {
  if (known === undefined) return usage
  const field = (name: Count) =>
    known[name] === undefined || usage[name] === undefined
      ? known[name] ?? usage[name]
      : Math.max(known[name], usage[name])
  return Json.defined({
    inputTokens: field("inputTokens"),
    cachedInputTokens: field("cachedInputTokens"),
    cacheWriteTokens: field("cacheWriteTokens"),
    cacheWrite12hTokens: field("cacheWrite12hTokens"),
    outputTokens: field("outputTokens"),
    reasoningTokens: field("reasoningTokens"),
    serverToolUse: usage.serverToolUse ?? known.serverToolUse
  })
}
