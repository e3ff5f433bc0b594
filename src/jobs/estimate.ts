import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as Money from "../internal/money.js"
import type * as LlmProvider from "../LlmProvider.js"
import * as TokenCount from "../policy/rateLimit/tokenCount.js"
import type { JobState } from "./job.js"

/** The expected tokens of an answer if nothing is known about it. */
const commonOutput = 500

/** The average tokens of a job's answers, as the program states or as the answers so far had. */
export const outputOf = ({ progress: { succeeded, usage }, settings }: JobState): number | undefined =>
  settings.outputTokens ?? (succeeded === 0 ? undefined : Math.ceil(usage.outputTokens / succeeded))

/** The expected billed tokens of a request. */
export const tokensOf = (
  request: LlmRequest,
  outputTokens: number | undefined
): { readonly inputTokens: number; readonly outputTokens: number } => ({
  inputTokens: Math.ceil(TokenCount.ofRequest(request)),
  outputTokens: outputTokens ?? request.maxTokens ?? commonOutput
})

/** The expected cost of a request in a tier; `undefined` if no price is known. */
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
