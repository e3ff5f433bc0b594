import * as Duration from "effect/Duration"
import type { Limit, RateLimit } from "../domain/LlmResponse.js"
import { type StructuredLimit, structuredLimits } from "./rateLimitFields.js"
import { fromMillis, type HeaderFields, parseDate, parseDuration, parseNumber, until } from "./retryAfter.js"

type Kind = keyof RateLimit

/** Headers that state one limit. */
interface Names {
  readonly limit: string
  readonly remaining: string
  readonly reset: string
  /** The window, if the name or the service's documentation states it. */
  readonly window: Duration.Duration | undefined
  /** Whether only the documentation states it: any proxy may use the names. */
  readonly isAssumed: boolean
}

const names = (pattern: string, window: Duration.Duration | undefined, isAssumed = window !== undefined): Names => ({
  limit: pattern.replace("*", "limit"),
  remaining: pattern.replace("*", "remaining"),
  reset: pattern.replace("*", "reset"),
  window,
  isAssumed
})

const minute = Duration.minutes(1)

const windows: ReadonlyArray<readonly [name: string, length: Duration.Duration]> = [
  ["minute", minute],
  ["second", Duration.seconds(1)],
  ["hour", Duration.hours(1)],
  ["day", Duration.days(1)],
  ["month", Duration.days(30)]
]

/** Names that end in their window: of Cerebras, Mistral, and of gateways. */
const windowed = (...patterns: ReadonlyArray<string>): ReadonlyArray<Names> =>
  patterns.flatMap((pattern) => windows.map(([name, length]) => names(`${pattern}-${name}`, length, false)))

/**
 * The names of OpenAI and its compatible hosts, and of Anthropic, whose windows are a minute; those that end in their
 * window; and those of hosts with a single limit (OpenRouter by the day, Together by the second) and of proxies.
 */
const families: { readonly [K in Kind]-?: ReadonlyArray<Names> } = {
  requests: [
    names("x-ratelimit-*-requests", minute),
    names("anthropic-ratelimit-requests-*", minute),
    ...windowed("x-ratelimit-*-requests", "x-ratelimit-*-req", "x-ratelimit-*"),
    names("x-ratelimit-*", undefined),
    names("x-rate-limit-*", undefined)
  ],
  tokens: [
    names("x-ratelimit-*-tokens", minute),
    names("anthropic-ratelimit-tokens-*", minute),
    ...windowed("x-ratelimit-*-tokens", "x-ratelimitbysize-*"),
    names("x-tokenlimit-*", undefined)
  ],
  inputTokens: [names("anthropic-ratelimit-input-tokens-*", minute)],
  outputTokens: [names("anthropic-ratelimit-output-tokens-*", minute)]
}

const parseCount = (text: string | undefined): number | undefined => {
  const count = text === undefined ? undefined : parseNumber(text)
  return Number.isFinite(count) ? count : undefined
}

/** As `parseDuration`, with days: `1d2h`. */
const parseLong = (text: string): Duration.Duration | undefined => {
  const [, days, rest = ""] = /^\s*(\d+)d(.*)$/.exec(text) ?? []
  if (days === undefined) return parseDuration(text)
  const below = rest.trim() === "" ? Duration.zero : parseDuration(rest)
  return below && fromMillis(Number(days) * 86_400_000 + Duration.toMillis(below))
}

/**
 * A reset is a Go duration (OpenAI, Groq), plain seconds (Azure, Together), a timestamp (Anthropic), or the epoch time
 * in seconds or milliseconds (OpenRouter). Plain numbers are distinguished by magnitude: 1e9 seconds are 31 years.
 */
const parseReset = (text: string, nowMillis: number): Duration.Duration | undefined => {
  const number = parseNumber(text)
  if (number === undefined) return parseLong(text) ?? until(parseDate(text, nowMillis), nowMillis)
  if (number >= 1e11) return until(number, nowMillis)
  return number >= 1e9 ? until(number * 1000, nowMillis) : fromMillis(number * 1000)
}

/** The stated window of a limit: absent for a minute. */
const statedWindow = (window: Duration.Duration | undefined): Pick<Limit, "window"> =>
  window === undefined ? { window: "unknown" } : Duration.equals(window, minute) ? {} : { window }

/** OpenAI's own answers have resets of minutes for limits of a minute, but not of so many. */
const longestReset = Duration.minutes(10)

const day = Duration.toMillis("1 day")

/**
 * Whether a reset goes with a limit of a minute, as OpenAI and its hosts refill evenly. Groq counts requests by the day under
 * the same names, proxies by the second. Timestamps are no evidence: the clocks of two machines differ.
 */
const isOfMinute = ({ limit = 0, remaining = limit, resetAfter }: Limit, reset: string | undefined): boolean => {
  if (resetAfter === undefined || reset === undefined || parseDate(reset, 0) !== undefined) return true
  const used = limit === 0 ? 0 : Math.max(0, limit - remaining) / limit
  const millis = Duration.toMillis(resetAfter)
  const isTooSoon = 2 * (millis + 1000) < used * Duration.toMillis(minute)
  const isOfDay = millis > 60_000 && Math.abs(millis - used * day) < 0.05 * millis
  return !isTooSoon && !isOfDay && !Duration.greaterThan(resetAfter, longestReset)
}

const readLimit = (names: Names, headers: HeaderFields, nowMillis: number): Limit | undefined => {
  const limit = parseCount(headers[names.limit])
  const remaining = parseCount(headers[names.remaining])
  // A reset alone is useless. Azure sends -1, -1 and 0 for unknown limits.
  if (limit === undefined && remaining === undefined) return undefined
  const reset = headers[names.reset]
  const resetAfter = reset === undefined ? undefined : parseReset(reset, nowMillis)
  const stated = {
    ...(limit !== undefined && { limit }),
    ...(remaining !== undefined && { remaining }),
    ...(resetAfter !== undefined && { resetAfter })
  }
  const isOther = names.isAssumed && !isOfMinute(stated, reset)
  return { ...stated, ...statedWindow(isOther ? undefined : names.window) }
}

/** The first limit of a kind, or one with less left: that of a day, for example, when it is nearly used up. */
const readLimits = (
  kind: Kind,
  headers: HeaderFields,
  structured: ReadonlyArray<StructuredLimit>,
  nowMillis: number
): Limit | undefined => {
  let found: Limit | undefined
  const consider = (limit: Limit | undefined): void => {
    if (limit === undefined) return
    const isLess = found?.remaining !== undefined && limit.remaining !== undefined && limit.remaining < found.remaining
    if (found === undefined || isLess) found = limit
  }
  for (const names of families[kind]) consider(readLimit(names, headers, nowMillis))
  for (const each of structured) {
    if (each.kind !== kind) continue
    const { limit, remaining, resetSeconds, windowSeconds } = each
    const resetAfter = resetSeconds === undefined ? undefined : fromMillis(resetSeconds * 1000)
    const window = windowSeconds === undefined ? undefined : fromMillis(windowSeconds * 1000)
    consider({
      ...(limit !== undefined && { limit }),
      ...(remaining !== undefined && { remaining }),
      ...(resetAfter !== undefined && { resetAfter }),
      ...statedWindow(window)
    })
  }
  return found
}

/**
 * The provider's limits, from the headers of an answer in any known family of names; undefined if there are none. An
 * unreadable value is absent. Header names have to be lower-case.
 */
export const rateLimitHeaders = (headers: HeaderFields, nowMillis: number): RateLimit | undefined => {
  const structured = structuredLimits(headers)
  const requests = readLimits("requests", headers, structured, nowMillis)
  const tokens = readLimits("tokens", headers, structured, nowMillis)
  const inputTokens = readLimits("inputTokens", headers, structured, nowMillis)
  const outputTokens = readLimits("outputTokens", headers, structured, nowMillis)
  if ((requests ?? tokens ?? inputTokens ?? outputTokens) === undefined) return undefined
  return {
    ...(requests !== undefined && { requests }),
    ...(tokens !== undefined && { tokens }),
    ...(inputTokens !== undefined && { inputTokens }),
    ...(outputTokens !== undefined && { outputTokens })
  }
}
