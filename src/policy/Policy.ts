/**
 * Policies around a provider. A policy decides whether a request may be sent, sends it, and learns how it ended;
 * `around` implements that once for `call`, `stream` and `embed`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as EmbeddingView from "../domain/embeddingView.js"
import type { LlmError } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as LlmProvider from "../LlmProvider.js"
import type { Admission, Admitting } from "./admission.js"
import * as OpenStream from "./openStream.js"
import * as SettledStream from "./settledStream.js"

export type { Admission, Admitting } from "./admission.js"

/**
 * Puts a policy around a provider. Counts of tokens and lists of models pass it by: they need no model, cost nothing,
 * and have their own limits. So do batches, which services answer when they have time.
 *
 * `admit` runs before each request: it lets the request in, or fails instead of the provider. It runs uninterruptibly,
 * so that nothing it takes is lost; put a wait into `restore`, and a wait for a turn also into `attempt.queued`, which
 * stops the attempt's clock. Each admission is settled exactly once.
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
  /** Admits a request. It runs in the region that `restore` belongs to. */
  const admission = (request: LlmRequest, admitting: Admitting) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => admit(request, attempt, admitting))

  /** Asks for an answer that policies treat as a response. */
  const asked = <A>(
    operation: "call" | "embed",
    request: LlmRequest,
    ask: () => Effect.Effect<A, LlmError>,
    { changed, responseOf }: Answer<A>
  ): Effect.Effect<A, LlmError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(admission(request, { operation, restore }), (admitted) => {
        const { attempt, begin, mapResponse, settle } = admitted
        const asked = Effect.suspend(ask)
        const seen = attempt === undefined ? asked : Effect.provideService(asked, LlmProvider.CurrentAttempt, attempt)
        const begun = begin === undefined ? seen : Effect.zipRight(begin, seen)
        return Effect.onExit(
          restore(
            mapResponse === undefined
              ? begun
              : Effect.flatMap(begun, (answer) =>
                Effect.map(mapResponse(responseOf(answer)), (response) => changed(answer, response)))
          ),
          (exit) =>
            settle(Exit.map(exit, responseOf))
        )
      })
    )

  const { embed } = provider

  return {
    ...provider,
    call: (request) => asked("call", request, () => provider.call(request), whole),
    stream: (request) =>
      SettledStream.make({
        admit: (restore) => admission(request, { operation: "stream", restore }),
        open: Effect.sync(() => provider.stream(request)),
        ended: () => OpenStream.ended(provider, request)
      }),
    ...(embed !== undefined && {
      embed: (request) => asked("embed", EmbeddingView.requestOf(request), () => embed(request), EmbeddingView)
    })
  }
}

/** The view of an answer for policies, and the way back from a changed view to the answer. */
interface Answer<A> {
  readonly responseOf: (answer: A) => LlmResponse
  readonly changed: (answer: A, response: LlmResponse) => A
}

const whole: Answer<LlmResponse> = { responseOf: identity, changed: (_, response) => response }
