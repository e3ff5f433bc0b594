import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AllProvidersFailed, LlmError } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmResponse } from "../../domain/LlmResponse.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as TargetRequest from "../targetRequest.js"

// The part that Fallback and Balance share: both make one provider of several.

/** The fields of an error were checked when it was made. */
const trusted = { disableValidation: true }

/** The readiness of a target for the request that it would get; absent if it is always ready. */
export const readiness = (
  target: TargetRequest.TargetRequest & { readonly provider: LlmProvider.Service }
): Pick<LlmProvider.Service, "ready"> => {
  const { ready } = target.provider
  return ready === undefined
    ? {}
    : { ready: (request) => Effect.suspend(() => ready(TargetRequest.requestFor(target, request))) }
}

// ---------------------------------------------------------------------------------------------------------------------
// Failures
// ---------------------------------------------------------------------------------------------------------------------

/** Whether another target is asked after a failure, including a failure of all targets of an inner policy. */
export const canFailOver = (error: LlmError): boolean => error.canFailOver || error.reason._tag === "AllProvidersFailed"

/** The failure of each target, even if a target is itself made of several providers. */
export const errorsOf = (error: LlmError): ReadonlyArray<LlmError> =>
  error.reason._tag === "AllProvidersFailed" ? error.reason.errors : [error]

/** The failure of all targets asked. `last` is that of the last one. */
export const failed = (
  common: Pick<LlmError, "operation" | "provider" | "model">,
  last: LlmError,
  errors: ReadonlyArray<LlmError>
): LlmError =>
  // A failure of the request itself stands alone.
  errors.length === 1 || !canFailOver(last) ? last : new LlmError({
    ...common,
    attempts: errors.reduce((sum, error) => sum + error.attempts, 0),
    shouldRetry: errors.some((error) => error.isRetryable),
    reason: AllProvidersFailed.make({ errors })
  }, trusted)

/** Reports that another target is asked, and counts the request of the previous one if it was sent. */
export const passOn = (attempt: LlmProvider.Attempt, change: {
  readonly provider: string
  readonly model: string
  readonly to: string
  readonly error?: LlmError
  readonly answer?: LlmResponse
}): Effect.Effect<void> =>
  Effect.zipRight(
    attempt.report(LlmEvent.FellBack(change)),
    change.error?.attempts === 0 ? Effect.void : attempt.countRequest
  )

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/** A target with its layer. */
export interface WithLayer<E, R> {
  readonly layer: Layer.Layer<LlmProvider.LlmProvider, E, R>
}

/** A target with its provider. */
export type Built<T> = Omit<T, "layer"> & { readonly provider: LlmProvider.Service }

/** The errors of the layers of targets. */
export type ErrorOf<T> = T extends WithLayer<infer E, infer _R> ? E : never

/** The requirements of the layers of targets. */
export type ContextOf<T> = T extends WithLayer<infer _E, infer R> ? R : never

class Providers extends Context.Tag("effect-llm/policy/targets/Providers")<
  Providers,
  Arr.NonEmptyReadonlyArray<LlmProvider.Service>
>() {}

/** Builds the layers of targets, and makes one provider of all of them. */
export const combine = <T extends WithLayer<E, R>, E, R>(
  targets: Arr.NonEmptyReadonlyArray<T>,
  make: (built: Arr.NonEmptyReadonlyArray<Built<T>>) => Effect.Effect<LlmProvider.Service>
): Layer.Layer<LlmProvider.LlmProvider, E, R> => {
  const [first, ...others] = Arr.map(
    targets,
    ({ layer }) =>
      Layer.map(layer, (context) => Context.make(Providers, [Context.get(context, LlmProvider.LlmProvider)]))
  )
  const providers = others.reduce(
    (before, one) =>
      Layer.zipWith(
        before,
        one,
        (all, one) => Context.make(Providers, [...Context.get(all, Providers), ...Context.get(one, Providers)])
      ),
    first
  )
  return Layer.provide(
    Layer.effect(
      LlmProvider.LlmProvider,
      Effect.flatMap(
        Providers,
        (providers) =>
          make(Arr.zipWith(targets, providers, ({ layer: _, ...options }, provider) => ({ ...options, provider })))
      )
    ),
    providers
  )
}
