import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ListingView from "../domain/listingView.js"
import { type LlmError, UnsupportedFeature } from "../domain/LlmError.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { freezePlain } from "../internal/freeze.js"
import type * as LlmProvider from "../LlmProvider.js"
import * as AttemptClock from "../runtime/attemptClock.js"
import type { Attempts } from "./attempts.js"
import { retrying, withinDeadline } from "./call.js"
import { attemptFailed, beginRun, beginWith, type Environment, failure } from "./callState.js"
import type { CallOptions } from "./options.js"

/**
 * Makes the list of a client's models. Each page is asked for when the one before it has been read, in its own call.
 */
export const make = (
  environment: Environment,
  attempts: Attempts
): (options?: CallOptions) => Stream.Stream<LlmProvider.Model, LlmError> => {
  const { provider } = environment
  const { models } = provider
  const { request } = ListingView
  const answer = LlmResponse.make({ parts: [], finishReason: "stop", model: request.model, provider: provider.name })

  const pageOf = (page: string | undefined, options: CallOptions | undefined) =>
    Effect.flatMap(beginWith(environment, "models", request, () => "models", options), (call) => {
      const run = beginRun(call)
      const asked = models === undefined
        ? Effect.fail(failure(call, UnsupportedFeature.make({ feature: "a list of models" })))
        : attempts.start(run).pipe(
          Effect.zipRight(models(page).pipe(AttemptClock.limited(attempts.limits(run, "attempt")))),
          Effect.mapError((error) => attemptFailed(run, error)),
          Effect.tap(() => attempts.succeed(run, answer)),
          retrying(attempts, run)
        )
      return asked.pipe(
        withinDeadline(call),
        Effect.tapError((error) => attempts.giveUp(call, error))
      )
    })

  return (options) =>
    Stream.flattenIterables(
      Stream.paginateEffect(undefined, (page: string | undefined) =>
        Effect.map(pageOf(page, options), ({ models, next }) =>
          [freezePlain(models), next === undefined ? Option.none() : Option.some<string | undefined>(next)] as const))
    )
}
