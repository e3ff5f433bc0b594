import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Embedding from "../domain/Embedding.js"
import type { LlmError } from "../domain/LlmError.js"
import { attributes, providerName, serverOf } from "./conventions.js"
import { annotate, isExporting, recordFailure } from "./tracing.js"

const ofRequest = (
  provider: { readonly name: string; readonly endpoint: string },
  model: string
): Record<string, unknown> => {
  const server = serverOf(provider.endpoint)
  return {
    [attributes.operation]: "embeddings",
    [attributes.provider]: providerName(provider.name),
    [attributes.requestModel]: model,
    ...(server && { [attributes.serverAddress]: server.address, [attributes.serverPort]: server.port })
  }
}

const ofResponse = (
  { cost, embeddings: [first], model, queuedFor, usage }: Embedding.Response
): Record<string, unknown> => ({
  [attributes.responseModel]: model,
  [attributes.dimensions]: first?.length,
  [attributes.inputTokens]: usage.inputTokens,
  [attributes.cost]: cost,
  [attributes.queuedFor]: queuedFor && Duration.toSeconds(queuedFor)
})

/** Runs a request for embeddings, with all of its attempts, within a span, if the program traces. */
export const traced =
  (provider: { readonly name: string; readonly endpoint: string }, model: string) =>
  <R>(self: Effect.Effect<Embedding.Response, LlmError, R>): Effect.Effect<Embedding.Response, LlmError, R> =>
    Effect.tracerWith((tracer) =>
      isExporting(tracer)
        ? Effect.useSpan(
          `embeddings ${model}`,
          { attributes: ofRequest(provider, model), captureStackTrace: false, kind: "client" },
          (span) =>
            Effect.withParentSpan(self, span).pipe(
              Effect.tap((response) => Effect.sync(() => annotate(span, ofResponse(response)))),
              Effect.onError(recordFailure(span))
            )
        )
        : self
    )
