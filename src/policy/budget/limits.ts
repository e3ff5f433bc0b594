import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Check from "../../internal/check.js"
import type * as Pricing from "../pricing/Pricing.js"
import * as TokenCount from "../rateLimit/tokenCount.js"
import type { Claim, Limits } from "./store.js"

/**
 * The amounts that may be spent, and the estimates of a request in advance.
 *
 * @since 0.1.0
 * @category models
 */
export interface Allowance extends Limits {
  /** Estimates the input tokens to reserve for a request. Default: a third of its bytes. */
  readonly estimateInput?: ((request: LlmRequest) => number) | undefined
  /** The output tokens to reserve for a request that sets no `maxTokens`. Default: 4,096. */
  readonly expectedOutput?: number | undefined
}

/** Checked limits, and the estimates of requests. */
export interface Checked {
  readonly limits: Limits
  readonly estimate: (provider: string, request: LlmRequest) => Effect.Effect<Claim["estimate"]>
  readonly priceOf: (billed: Pricing.Billed) => Effect.Effect<number | undefined>
}

const roughly = (request: LlmRequest): number => Math.ceil(TokenCount.ofRequest(request))

const unpriced = (): Effect.Effect<number | undefined> => Effect.succeed(undefined)

/** Checks an allowance. Throws `InvalidOption`. */
export const check = (
  { dollars, estimateInput = roughly, expectedOutput = 4_096, onUnknownPrice, tokens }: Allowance,
  pricing: Option.Option<Pricing.Service>
): Checked => {
  const output = Check.integer("expectedOutput", expectedOutput, 0)
  if (onUnknownPrice !== undefined && onUnknownPrice !== "refuse" && onUnknownPrice !== "allow") {
    Check.invalidOption("onUnknownPrice", "refuse or allow", onUnknownPrice)
  }
  const priceOf: Checked["priceOf"] = Option.match(pricing, {
    onNone: () => unpriced,
    onSome: ({ cost }) => (billed) => Effect.map(cost(billed), Option.getOrUndefined)
  })
  return {
    limits: {
      tokens: tokens === undefined ? undefined : Check.integer("tokens", tokens, 0),
      dollars: dollars === undefined ? undefined : Check.finite("dollars", dollars, 0),
      onUnknownPrice
    },
    estimate: (provider, request) =>
      Effect.suspend(() => {
        const inputTokens = Math.ceil(Check.finite("estimateInput", estimateInput(request), 0))
        const outputTokens = request.maxTokens ?? output
        const { model } = request
        return Effect.map(
          dollars === undefined ? unpriced() : priceOf({ provider, model, usage: { inputTokens, outputTokens } }),
          (cost) => ({ tokens: inputTokens + outputTokens, cost })
        )
      }),
    priceOf
  }
}
