import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as Money from "../internal/money.js"
import type * as LlmProvider from "../LlmProvider.js"
import * as TokenCount from "../policy/rateLimit/tokenCount.js"
import type { JobState } from "./job.js"

/** How many tokens an answer is expected to have where nobody knows. */
const commonOutput = 500

/** How many tokens the answers of a job have on average, as the program says, or as those so far had. */
export const outputOf = ({ progress: { succeeded, usage }, settings }: JobState): number | undefined =>
  settings.outputTokens ?? (succeeded === 0 ? undefined : Math.ceil(usage.outputTokens / succeeded))

/** The tokens that a request is expected to be billed for. */
export const tokensOf = (
  request: LlmRequest,
  outputTokens: number | undefined
): { readonly inputTokens: number; readonly outputTokens: number } => ({
  inputTokens: Math.ceil(TokenCount.ofRequest(request)),
  outputTokens: outputTokens ?? request.maxTokens ?? commonOutput
})

/** What a request is expected to cost in a tier; `undefined` if no price is known. */
export const costOf = (
  price: LlmProvider.Service["price"],
  request: LlmRequest,
  { outputTokens, serviceTier }: { readonly outputTokens: number | undefined; readonly serviceTier?: string }
): Effect.Effect<Money.Picodollars | undefined> =>
  price === undefined ? Effect.succeed(undefined) : Effect.map(
    price({
      model: request.model,
      usage: { ...tokensOf(request, outputTokens), ...(serviceTier !== undefined && { serviceTier }) }
    }),
    (price) => {
      const cost = Option.getOrUndefined(price)
      return Money.isAmount(cost) ? Money.fromDollars(cost) : undefined
    }
  )
