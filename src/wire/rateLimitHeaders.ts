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

/** OpenAI and its compatible hosts, Anthropic, and then those who count one thing only: OpenRouter and Together. */
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
 * in seconds or milliseconds (OpenRouter). Plain numbers are told apart by magnitude: 1e9 seconds are 31 years.
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
    // When a window of unknown size is full again says nothing; Azure sends -1, -1 and 0 for what it does not know.
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
 * What an answer's headers say about the provider's limits, in any family of names that is in use; undefined when they
 * say nothing. A value that cannot be read is absent. Header names are taken to be lower-case.
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
