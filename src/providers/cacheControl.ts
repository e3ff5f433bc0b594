import type { CacheLifetime, LlmRequest } from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"
import type * as Json from "../wire/json.js"
import * as CachePoints from "./cachePoints.js"
import type { Changes } from "./settings.js"
import * as Unsent from "./unsent.js"

// The field `cache_control`, which marks content to cache at Anthropic and at routers to it.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching

const lifetimes = ["5m", "1h"] as const

/** The most blocks that one request may mark, including the one that the service chooses. */
const most = 4

/** The caching of a request's prompt. */
export interface CacheControl extends CachePoints.Fitted {
  /** The field of the request itself: it marks the last block that can be cached. */
  readonly automatic: Json.JsonObject | undefined
}

const control = (ttl: CacheLifetime): Json.JsonObject => ({ type: "ephemeral", ttl })

/** The caching that a request asks for, or else the provider's option. */
export const encode = (
  { promptCache: { automatic, key, lifetime: asked } = {} }: LlmRequest,
  messages: ReadonlyArray<Message.Message>,
  { name, promptCache: byDefault }: { readonly name: string; readonly promptCache?: "5m" | "1h" | undefined },
  { omitted }: Changes
): CacheControl => {
  // The service has refused it.
  if (omitted.has("promptCache")) {
    return { messages: CachePoints.without(messages, name).messages, automatic: undefined, warnings: [] }
  }
  const lifetime = asked === undefined ? byDefault : CachePoints.round(asked, lifetimes)
  const isAutomatic = automatic ?? lifetime !== undefined
  const whole = isAutomatic ? lifetime ?? "5m" : undefined
  const fitted = CachePoints.fit(messages, name, {
    lifetimes,
    lifetime: lifetime ?? "5m",
    most: whole === undefined ? most : most - 1,
    descendingTo: whole ?? "5m"
  })
  return {
    messages: fitted.messages,
    automatic: whole && control(whole),
    warnings: [
      ...fitted.warnings,
      ...asked === undefined || asked === lifetime
        ? []
        : [Unsent.sentAs("promptCache.lifetime", String(lifetime), `${name} does not take ${asked}`)],
      ...key === undefined ? [] : [Unsent.notTaken("promptCache.key", name)]
    ]
  }
}

/** A block that ends a cached prefix. */
export const marked = (block: Json.JsonObject, point: Message.CachePoint): Json.JsonObject => ({
  ...block,
  cache_control: control(point.lifetime ?? "5m")
})

/** Thoughts cannot end a prefix. */
const canEnd = ({ type }: Json.JsonObject): boolean => type !== "thinking" && type !== "redacted_thinking"

/** Blocks with a mark on the last one that can end a prefix; `undefined` if there is none. */
export const markedLast = (
  blocks: ReadonlyArray<Json.JsonObject>,
  point: Message.CachePoint
): ReadonlyArray<Json.JsonObject> | undefined =>
  CachePoints.markLast(blocks, (block) => canEnd(block) ? marked(block, point) : undefined)
