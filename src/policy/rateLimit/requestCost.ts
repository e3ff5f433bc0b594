import { InvalidRequest, type Reason } from "../../domain/LlmError.js"
import type { LlmResponse } from "../../domain/LlmResponse.js"
import { countOf } from "../countOf.js"
import type * as RateLimitStore from "./RateLimitStore.js"
import * as TokenBuckets from "./tokenBuckets.js"
import type { Estimate } from "./TokenEstimator.js"

type Amounts = RateLimitStore.Amounts

/** The cost of a request if tokens are not limited. */
export const oneRequest: Amounts = { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0 }

/** The use of a request that was not sent after all. */
export const nothing: Amounts = TokenBuckets.nothing

/** The use of a request that failed after it was sent. */
export const unknown: Partial<Amounts> = {}

/** Whether requests, tokens, or requests at a time of all that share a store are limited. */
export const countsAnything = (limits: RateLimitStore.Limits): boolean =>
  limits.requests !== undefined || limits.concurrency !== undefined || countsTokens(limits)

/** Whether tokens are limited. */
export const countsTokens = ({ inputTokens, outputTokens, tokens }: RateLimitStore.Limits): boolean =>
  (tokens ?? inputTokens ?? outputTokens) !== undefined

const costOf = (inputTokens: number, outputTokens: number): Amounts => ({
  requests: 1,
  tokens: inputTokens + outputTokens,
  inputTokens,
  outputTokens
})

/**
 * The cost to reserve for a request. A correction learned from other requests makes no request too large: with it, an
 * estimate is at most the limit.
 */
export const estimated = (limits: RateLimitStore.Limits, estimate: Estimate, outputTokens: number): Amounts => {
  const { inputTokens, tokens } = costOf(estimate.tokens, outputTokens)
  const counted = costOf(Math.ceil(estimate.counted), outputTokens)
  const bounded = (dimension: "tokens" | "inputTokens", cost: number) =>
    Math.min(cost, Math.max(counted[dimension], limits[dimension] ?? Infinity))
  return {
    requests: 1,
    tokens: bounded("tokens", tokens),
    inputTokens: bounded("inputTokens", inputTokens),
    outputTokens
  }
}

/** The use that an answer reports; unreported counts are absent. Without refunds, all that was reserved. */
export const usedBy = (
  { usage }: LlmResponse,
  { cost }: RateLimitStore.Reservation,
  refund: boolean
): Partial<Amounts> => {
  const cachedInputTokens = countOf(usage.cachedInputTokens) ?? 0
  const inputTokens = countOf(usage.inputTokens)
  const stated = countOf(usage.outputTokens)
  const outputTokens = refund ? stated : Math.max(stated ?? 0, cost.outputTokens)
  return {
    ...(inputTokens !== undefined && { inputTokens: Math.max(0, inputTokens - cachedInputTokens) }),
    ...(outputTokens !== undefined && { outputTokens }),
    ...(inputTokens !== undefined && outputTokens !== undefined && { tokens: inputTokens + outputTokens })
  }
}

/** The reason why a request never gets a permit, however long it waits: its own tokens exceed a limit. */
export const tooLarge = (
  limits: RateLimitStore.Limits,
  { counted }: Estimate,
  outputTokens: number
): Reason | undefined => {
  const cost = costOf(Math.ceil(counted), outputTokens)
  const exceeds = (dimension: RateLimitStore.Dimension): boolean => cost[dimension] > (limits[dimension] ?? Infinity)
  const found = (["tokens", "inputTokens", "outputTokens"] as const).find(exceeds)
  if (found === undefined) return undefined
  const name = { tokens: "tokens", inputTokens: "input tokens", outputTokens: "output tokens" }[found]
  return InvalidRequest.make({
    field: found === "inputTokens" || cost.inputTokens > (limits.tokens ?? Infinity) ? "messages" : "maxTokens",
    code: "request_too_large",
    message: `the request needs up to ${cost[found]} ${name}, and the limit is ${limits[found]} a minute`
  })
}
