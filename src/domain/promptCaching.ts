import * as Schema from "effect/Schema"
import type { NamedStruct } from "../internal/namedStruct.js"
import { notEmpty } from "./requestRules.js"

/**
 * How long a provider keeps the beginning of a prompt. Each provider takes some of these: any other is rounded down to
 * the next one that it takes, or up to its shortest, with a warning.
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
   * Whether the prompt is cached up to a place that the provider chooses (with Anthropic, the end of the prompt);
   * `false` leaves that to the request's `CachePoint`s. Default: for Anthropic, whether `lifetime` is set; for OpenAI,
   * true.
   */
  automatic: Schema.optional(Schema.Boolean),
  /**
   * Requests with the same key go to machines that have the same prompts in their cache: OpenAI's `prompt_cache_key`.
   */
  key: Schema.optional(text),
  /**
   * The name of a cached content of Gemini, `cachedContents/…`: the beginning of the conversation, with its own
   * instructions and tools. Those of the request are then not sent to Gemini, which would refuse them. Other providers
   * ignore the name.
   */
  content: Schema.optional(text)
})

/**
 * The caching of the beginning of a prompt by the provider, for later requests with the same beginning.
 *
 * @since 0.1.0
 * @category prompt caching
 */
export interface PromptCache extends Schema.Schema.Type<typeof promptCacheFields> {}

/**
 * The caching of the beginning of a prompt by the provider, for later requests with the same beginning.
 *
 * @since 0.1.0
 * @category prompt caching
 */
export const PromptCache: NamedStruct<PromptCache, typeof promptCacheFields.fields> = promptCacheFields
