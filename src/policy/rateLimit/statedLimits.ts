import * as Duration from "effect/Duration"
import type { Limit, RateLimit } from "../../domain/LlmResponse.js"
import { countOf } from "../countOf.js"
import type { Told } from "./tokenBuckets.js"

const minute = 60_000

/**
 * A limit of a minute or less is a rate. A limit of a longer window may be used up at any pace, and an unknown window
 * may be long: both state only the rest.
 */
const limitOfMinute = ({ limit, window }: Limit): number | undefined => {
  if (limit === undefined || window === undefined) return limit
  if (window === "unknown") return undefined
  const millis = Duration.toMillis(window)
  return millis > 0 && millis <= minute ? limit * minute / millis : undefined
}

const ofMinute = (stated: Limit | undefined): Told["requests"] =>
  stated && { limit: countOf(limitOfMinute(stated)), remaining: countOf(stated.remaining) }

/** The provider's limits by the minute, as the buckets count. */
export const statedLimits = (stated: RateLimit | undefined): Told | undefined =>
  stated && {
    requests: ofMinute(stated.requests),
    tokens: ofMinute(stated.tokens),
    inputTokens: ofMinute(stated.inputTokens),
    outputTokens: ofMinute(stated.outputTokens)
  }
