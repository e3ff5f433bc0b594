/**
 * Policies around a provider. A policy decides whether a request may be sent, sends it, and learns how it ended; `around`
 * writes that once for `call` and `stream`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { LlmError } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmProvider from "../LlmProvider.js"
import type { Admission, Admitting } from "./admission.js"
import * as OpenStream from "./openStream.js"
import * as SettledStream from "./settledStream.js"

export type { Admission, Admitting } from "./admission.js"

/**
 * Puts a policy around a provider. `admit` runs before each request: it lets the request in, or fails instead of the
 * provider. It runs uninterruptibly, so that nothing it takes is lost; a wait within it belongs in `restore`, and one for
 * a turn in `attempt.queued` as well, which stops the attempt's clock. Each admission is settled exactly once.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Config, Effect } from "effect"
 * import { LlmProvider, OpenAi, Policy } from "effect-llm"
 *
 * // At most four requests at a time.
 * const fourAtATime = (provider: LlmProvider.Service) =>
 *   Effect.map(Effect.makeSemaphore(4), (semaphore) =>
 *     Policy.around(provider, (_request, attempt, { restore }) =>
 *       Effect.as(attempt.queued(restore(semaphore.take(1))), {
 *         settle: () => semaphore.release(1)
 *       })))
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   LlmProvider.transform(fourAtATime)
 * )
 * ```
 */
export const around = (
  provider: LlmProvider.Service,
  admit: (
    request: LlmRequest,
    attempt: LlmProvider.Attempt,
    admitting: Admitting
  ) => Effect.Effect<Admission, LlmError>
): LlmProvider.Service => {
  /** Admits a request, to be run where `restore` comes from. */
  const admission = (request: LlmRequest, admitting: Admitting) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => admit(request, attempt, admitting))

  return {
    ...provider,
    call: (request) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(admission(request, { operation: "call", restore }), (admitted) => {
          const { attempt, begin, mapResponse, settle } = admitted
          const asked = Effect.suspend(() => provider.call(request))
          const seen = attempt === undefined
            ? asked
            : Effect.provideService(asked, LlmProvider.CurrentAttempt, attempt)
          const begun = begin === undefined ? seen : Effect.zipRight(begin, seen)
          return Effect.onExit(
            restore(mapResponse === undefined ? begun : Effect.flatMap(begun, mapResponse)),
            settle
          )
        })
      ),
    stream: (request) =>
      SettledStream.make({
        admit: (restore) => admission(request, { operation: "stream", restore }),
        open: Effect.sync(() => provider.stream(request)),
        ended: () => OpenStream.ended(provider, request)
      })
  }
}
