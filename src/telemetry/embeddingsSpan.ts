import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Embedding from "../domain/Embedding.js"
import type { LlmError } from "../domain/LlmError.js"
import { attributes, providerName, serverOf } from "./conventions.js"
import { errorType, isExporting } from "./tracing.js"

const present = (known: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))

const ofRequest = (
  provider: { readonly name: string; readonly endpoint: string },
  model: string
): Record<string, unknown> => {
  const server = serverOf(provider.endpoint)
  return present({
    [attributes.operation]: "embeddings",
    [attributes.provider]: providerName(provider.name),
    [attributes.requestModel]: model,
    [attributes.serverAddress]: server?.address,
    [attributes.serverPort]: server?.port
  })
}

const ofResponse = (
  { cost, embeddings: [first], model, queuedFor, usage }: Embedding.Response
): Record<string, unknown> =>
  present({
    [attributes.responseModel]: model,
    [attributes.dimensions]: first?.length,
    [attributes.inputTokens]: usage.inputTokens,
    [attributes.cost]: cost,
    [attributes.queuedFor]: queuedFor && Duration.toSeconds(queuedFor)
  })

/** Runs a request for embeddings, all of its attempts included, within a span, if the program traces. */
export const traced =
  (provider: { readonly name: string; readonly endpoint: string }, model: string) =>
  <R>(self: Effect.Effect<Embedding.Response, LlmError, R>): Effect.Effect<Embedding.Response, LlmError, R> =>
    Effect.tracerWith((tracer) =>
      isExporting(tracer)
        ? Effect.useSpan(
          `embeddings ${model}`,
          { attributes: ofRequest(provider, model), captureStackTrace: false, kind: "client" },
          (span) => {
            const annotate = (known: Record<string, unknown>) => {
              for (const [name, value] of Object.entries(known)) span.attribute(name, value)
            }
            return Effect.withParentSpan(self, span).pipe(
              Effect.tap((response) => Effect.sync(() => annotate(ofResponse(response)))),
              Effect.onError((cause) => Effect.sync(() => annotate({ [attributes.errorType]: errorType(cause) })))
            )
          }
        )
        : self
    )
