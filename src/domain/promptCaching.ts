import * as Schema from "effect/Schema"
import type { NamedStruct } from "../internal/namedStruct.js"
import { notEmpty } from "./requestRules.js"

/**
 * How long a provider keeps the beginning of a prompt. Each takes some of these: another one is rounded down to the next
 * that it takes, or up to its shortest, with a warning.
 *
 * | Provider | Lifetimes |
 * | --- | --- |
 * | Anthropic, OpenRouter | 5m (the default) and 1h |
 * | OpenAI from GPT-5.6 on | 30m (the default) and 12h, at least |
 * | OpenAI before | 24h at most, as `prompt_cache_retention`; any shorter one is "in_memory" there |
 *
 * @since 0.1.0
 * @category prompt caching
 */
export const CacheLifetime = Schema.Literal("5m", "30m", "1h", "12h", "24h")

/**
 * How long a provider keeps the beginning of a prompt.
 *
 * @since 0.1.0
 * @category prompt caching
 */
export type CacheLifetime = typeof CacheLifetime.Type

const text = Schema.NonEmptyString.annotations({ description: notEmpty.description })

const promptCacheFields = Schema.Struct({
  /**
   * How long the provider keeps the prompt. With Anthropic it also turns caching on, at the end of the prompt. Default: the
   * provider's.
   */
  lifetime: Schema.optional(CacheLifetime),
  /**
   * Whether the prompt is cached up to a place that is chosen for the request, its end with Anthropic: `false` leaves it to
   * the request's `CachePoint`s. Default: as `lifetime` says for Anthropic, true for OpenAI.
   */
  automatic: Schema.optional(Schema.Boolean),
  /** Requests with the same key are sent where the same prompts are cached: OpenAI's `prompt_cache_key`. */
  key: Schema.optional(text),
  /**
   * The name of a cached content of Gemini, `cachedContents/…`: the beginning of the conversation, with instructions and
   * tools of its own. The request's own are then not sent to Gemini, as it refuses them. Other providers ignore the name.
   */
  content: Schema.optional(text)
})

/**
 * How a provider keeps the beginning of a prompt, for later requests that begin alike.
 *
 * @since 0.1.0
 * @category prompt caching
 */
export interface PromptCache extends Schema.Schema.Type<typeof promptCacheFields> {}

/**
 * How a provider keeps the beginning of a prompt, for later requests that begin alike.
 *
 * @since 0.1.0
 * @category prompt caching
 */
export const PromptCache: NamedStruct<PromptCache, typeof promptCacheFields.fields> = promptCacheFields
