import type * as Duration from "effect/Duration"
import type { RateLimit } from "../domain/LlmResponse.js"
import { fromMillis, type HeaderFields, parseDate, parseDuration, parseNumber, until } from "./retryAfter.js"

interface Names {
  readonly limit: string
  readonly remaining: string
  readonly reset: string
}

const names = (pattern: string): Names => ({
  limit: pattern.replace("*", "limit"),
  remaining: pattern.replace("*", "remaining"),
  reset: pattern.replace("*", "reset")
})

/** The names of OpenAI and its compatible hosts, of Anthropic, and of hosts with a single limit: OpenRouter, Together. */
const families = {
  requests: ["x-ratelimit-*-requests", "anthropic-ratelimit-requests-*", "x-ratelimit-*"].map(names),
  tokens: ["x-ratelimit-*-tokens", "anthropic-ratelimit-tokens-*", "x-tokenlimit-*"].map(names),
  inputTokens: ["anthropic-ratelimit-input-tokens-*"].map(names),
  outputTokens: ["anthropic-ratelimit-output-tokens-*"].map(names)
}

const parseCount = (text: string | undefined): number | undefined => {
  const count = text === undefined ? undefined : parseNumber(text)
  return Number.isFinite(count) ? count : undefined
}

/**
 * A reset is a Go duration (OpenAI, Groq), plain seconds (Azure, Together), a timestamp (Anthropic), or the epoch time
 * in seconds or milliseconds (OpenRouter). Plain numbers are distinguished by magnitude: 1e9 seconds are 31 years.
 */
const parseReset = (text: string, nowMillis: number): Duration.Duration | undefined => {
  const number = parseNumber(text)
  if (number === undefined) return parseDuration(text) ?? until(parseDate(text, nowMillis), nowMillis)
  if (number >= 1e11) return until(number, nowMillis)
  return number >= 1e9 ? until(number * 1000, nowMillis) : fromMillis(number * 1000)
}

type Pool = NonNullable<RateLimit["requests"]>

const readPool = (family: ReadonlyArray<Names>, headers: HeaderFields, nowMillis: number): Pool | undefined => {
  for (const names of family) {
    const limit = parseCount(headers[names.limit])
    const remaining = parseCount(headers[names.remaining])
    // A reset alone is of no use. Azure sends -1, -1 and 0 for unknown limits.
    if (limit === undefined && remaining === undefined) continue
    const reset = headers[names.reset]
    const resetAfter = reset === undefined ? undefined : parseReset(reset, nowMillis)
    return {
      ...(limit !== undefined && { limit }),
      ...(remaining !== undefined && { remaining }),
      ...(resetAfter !== undefined && { resetAfter })
    }
  }
  return undefined
}

/**
 * The provider's limits, from the headers of an answer in any known family of names; undefined if there are none. An
 * unreadable value is absent. Header names have to be lower-case.
 */
export const rateLimitHeaders = (headers: HeaderFields, nowMillis: number): RateLimit | undefined => {
  const requests = readPool(families.requests, headers, nowMillis)
  const tokens = readPool(families.tokens, headers, nowMillis)
  const inputTokens = readPool(families.inputTokens, headers, nowMillis)
  const outputTokens = readPool(families.outputTokens, headers, nowMillis)
  if ((requests ?? tokens ?? inputTokens ?? outputTokens) === undefined) return undefined
  return {
    ...(requests !== undefined && { requests }),
    ...(tokens !== undefined && { tokens }),
    ...(inputTokens !== undefined && { inputTokens }),
    ...(outputTokens !== undefined && { outputTokens })
  }
}
