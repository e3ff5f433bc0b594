import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CachePoints from "../cachePoints.js"
import type { ModelFacts } from "../modelFacts.js"
import type { Changes } from "../settings.js"
import * as Unsent from "../unsent.js"

// https://developers.openai.com/api/docs/guides/prompt-caching

const lifetimes = ["30m", "12h"] as const

/** The caching of a request's prompt. The fields are those of both protocols. */
export interface PromptCaching extends CachePoints.Fitted {
  readonly fields: Json.JsonObject
}

/** The service keeps prompts by itself, and writes the latest four of any number of points. */
export const encode = (
  { model, promptCache = {} }: LlmRequest,
  messages: ReadonlyArray<Message.Message>,
  { promptCache: form = "retention" }: ModelFacts,
  { omitted }: Changes
): PromptCaching => {
  // The service has refused it.
  if (omitted.has("promptCache")) {
    return { messages: CachePoints.without(messages, model).messages, fields: {}, warnings: [] }
  }
  const { automatic, key, lifetime } = promptCache
  if (form === "retention") {
    const pointless = CachePoints.without(messages, model)
    return {
      messages: pointless.messages,
      fields: { prompt_cache_key: key, prompt_cache_retention: lifetime === "24h" ? lifetime : undefined },
      warnings: [
        ...pointless.warnings,
        ...lifetime === undefined || lifetime === "24h"
          ? []
          : [Unsent.notSent("promptCache.lifetime", `${model} takes 24h, or its own`)],
        ...automatic === false ? [Unsent.notSent("promptCache.automatic", `${model} takes no cache points`)] : []
      ]
    }
  }
  const ttl = lifetime && CachePoints.round(lifetime, lifetimes)
  const options = {
    ...(automatic !== undefined && { mode: automatic ? "implicit" : "explicit" }),
    ...(ttl !== undefined && { ttl })
  }
  const fitted = CachePoints.fit(messages, model, { lifetimes, lifetime: ttl ?? "30m", most: Infinity })
  return {
    messages: fitted.messages,
    fields: {
      prompt_cache_key: key,
      prompt_cache_options: Object.keys(options).length === 0 ? undefined : options
    },
    warnings: [
      ...fitted.warnings,
      ...ttl === lifetime
        ? []
        : [Unsent.sentAs("promptCache.lifetime", String(ttl), `${model} does not take ${lifetime}`)]
    ]
  }
}

/** A block that ends a cached prefix. */
export const marked = (block: Json.JsonObject, { lifetime: ttl }: Message.CachePoint): Json.JsonObject => ({
  ...block,
  prompt_cache_breakpoint: { mode: "explicit", ttl }
})

const isInput = ({ type }: Json.JsonObject): boolean => typeof type === "string" && type.startsWith("input_")

/** An item of Responses whose last block ends a cached prefix; `undefined` if it has none that can. */
export const markedItem = (item: Json.JsonObject, point: Message.CachePoint): Json.JsonObject | undefined => {
  const field = item.type === "function_call_output" ? "output" : "content"
  const content = item[field]
  if (item.role === "assistant" || (item.role === undefined && field === "content")) return undefined
  if (typeof content === "string") return { ...item, [field]: [marked({ type: "input_text", text: content }, point)] }
  const blocks = CachePoints.markLast(
    Json.array(content).map(Json.object),
    (block) => isInput(block) ? marked(block, point) : undefined
  )
  return blocks && { ...item, [field]: blocks }
}
