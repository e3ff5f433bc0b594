import * as Effect from "effect/Effect"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { ofRequest } from "../policy/rateLimit/tokenCount.js"
import * as TokenEstimator from "../policy/rateLimit/TokenEstimator.js"
import * as AttemptClock from "../runtime/attemptClock.js"
import type { Attempts } from "./attempts.js"
import { retrying, withinDeadline } from "./call.js"
import { attemptFailed, begin, beginRun, type Environment, type Run } from "./callState.js"
import type { CallOptions } from "./options.js"

/** The input tokens of a request. */
export interface TokenCount {
  readonly tokens: number
  /** The origin of the count: the provider, or the estimate of this library. */
  readonly source: "provider" | "estimate"
}

/**
 * Whether the service lacks counting at all, as a server that only speaks the protocol may, rather than for this
 * request.
 */
const isMissing = ({ reason }: LlmError): boolean =>
  reason._tag === "UnsupportedFeature" || (reason._tag === "InvalidRequest" && reason.code === "not_found")

/**
 * Makes the counting of a client. It takes the steps of a call that make sense for a count, which is neither kept nor
 * shared.
 */
export const make = (
  environment: Environment,
  attempts: Attempts
): (input: LlmRequest.Input, options?: CallOptions) => Effect.Effect<TokenCount, LlmError> => {
  const { provider } = environment
  const { countTokens } = provider

  const estimate = (request: LlmRequest.LlmRequest) =>
    Effect.map(TokenEstimator.TokenEstimator, (estimator): TokenCount => ({
      tokens: estimator?.estimate(request).tokens ?? Math.ceil(ofRequest(request)),
      source: "estimate"
    }))

  const attempt = (run: Run, count: NonNullable<typeof countTokens>) =>
    attempts.start(run).pipe(
      Effect.zipRight(count(run.call.request).pipe(AttemptClock.limited(attempts.limits(run, "attempt")))),
      Effect.mapError((error) => attemptFailed(run, error)),
      Effect.tap(() => attempts.succeed(run, counted(run)))
    )

  /** The view of a count for the logger. */
  const counted = ({ call: { request } }: Run) =>
    LlmResponse.make({ parts: [], finishReason: "stop", model: request.model, provider: provider.name })

  return (input, options) =>
    Effect.flatMap(begin(environment, "countTokens", input, options), (call) => {
      if (countTokens === undefined) return estimate(call.request)
      const run = beginRun(call)
      return attempt(run, countTokens).pipe(
        retrying(attempts, run),
        Effect.map((tokens): TokenCount => ({ tokens, source: "provider" })),
        Effect.catchAll((error) => isMissing(error) ? estimate(call.request) : Effect.fail(error)),
        withinDeadline(call),
        Effect.tapError((error) => attempts.giveUp(call, error))
      )
    })
}
