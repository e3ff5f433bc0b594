import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type * as Embedding from "../domain/Embedding.js"
import type { LlmError } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"

// OpenTelemetry's semantic conventions for generative AI, v1.41. They are still in development: all names are kept here.
// Content (prompts, answers) is opt-in in the conventions, and this library does not record it.

/**
 * The client span of a call to a provider, with all of its attempts. It is named and attributed by OpenTelemetry's
 * conventions, and holds neither prompts nor answers.
 */
export interface GenAiSpan {
  /** Runs an effect as a child of the span. */
  readonly within: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Records the answer. */
  readonly succeeded: (response: LlmResponse) => Effect.Effect<void>
  /** Records the failure. */
  readonly failed: (cause: Cause.Cause<LlmError>) => Effect.Effect<void>
  /** Runs a part of the call as a child of the span, and records its failure. */
  readonly watch: <A, R>(self: Effect.Effect<A, LlmError, R>) => Effect.Effect<A, LlmError, R>
}

/** The conventions' names of operations. */
type OperationName = "chat" | "embeddings"

const requestAttributes = (
  provider: string,
  request: LlmRequest,
  operation: OperationName
): Record<string, unknown> => {
  const attributes: Record<string, unknown> = {
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": provider,
    "gen_ai.request.model": request.model
  }
  if (operation === "embeddings") return attributes
  if (request.temperature !== undefined) attributes["gen_ai.request.temperature"] = request.temperature
  if (request.maxTokens !== undefined) attributes["gen_ai.request.max_tokens"] = request.maxTokens
  if (request.topP !== undefined) attributes["gen_ai.request.top_p"] = request.topP
  if (request.topK !== undefined) attributes["gen_ai.request.top_k"] = request.topK
  if (request.seed !== undefined) attributes["gen_ai.request.seed"] = request.seed
  if ((request.outputSchema ?? request.outputFormat) !== undefined) attributes["gen_ai.output.type"] = "json"
  return attributes
}

const annotateResponse = (span: Tracer.Span, { finishReason, id, model, queuedFor, usage }: LlmResponse): void => {
  span.attribute("gen_ai.response.model", model)
  span.attribute("gen_ai.response.finish_reasons", [finishReason])
  if (id !== undefined) span.attribute("gen_ai.response.id", id)
  if (usage.inputTokens !== undefined) span.attribute("gen_ai.usage.input_tokens", usage.inputTokens)
  if (usage.outputTokens !== undefined) span.attribute("gen_ai.usage.output_tokens", usage.outputTokens)
  if (usage.cachedInputTokens !== undefined) {
    span.attribute("gen_ai.usage.cache_read.input_tokens", usage.cachedInputTokens)
  }
  if (usage.cacheWriteTokens !== undefined) {
    span.attribute("gen_ai.usage.cache_creation.input_tokens", usage.cacheWriteTokens)
  }
  if (usage.reasoningTokens !== undefined) {
    span.attribute("gen_ai.usage.reasoning.output_tokens", usage.reasoningTokens)
  }
  // The conventions have no name for it. In seconds, as all of their durations.
  if (queuedFor !== undefined) span.attribute("effect_llm.queued_for", Duration.toSeconds(queuedFor))
}

const annotateEmbeddings = (
  span: Tracer.Span,
  { embeddings: [first], model, queuedFor, usage }: Embedding.Response
): void => {
  span.attribute("gen_ai.response.model", model)
  if (first !== undefined) span.attribute("gen_ai.embeddings.dimension.count", first.length)
  if (usage.inputTokens !== undefined) span.attribute("gen_ai.usage.input_tokens", usage.inputTokens)
  if (queuedFor !== undefined) span.attribute("effect_llm.queued_for", Duration.toSeconds(queuedFor))
}

const fromSpan = (span: Tracer.Span): GenAiSpan => {
  const within = Effect.withParentSpan(span)
  const failed: GenAiSpan["failed"] = (cause) => Effect.sync(() => span.attribute("error.type", errorType(cause)))
  return {
    within,
    succeeded: (response) => Effect.sync(() => annotateResponse(span, response)),
    failed,
    watch: (self) => within(Effect.onError(self, failed))
  }
}

const spanName = (request: LlmRequest, operation: OperationName = "chat"): string => `${operation} ${request.model}`

const spanOptions = (
  provider: string,
  request: LlmRequest,
  streaming: boolean,
  operation: OperationName = "chat"
): Tracer.SpanOptions => ({
  attributes: {
    ...requestAttributes(provider, request, operation),
    ...(streaming && { "gen_ai.request.stream": true })
  },
  captureStackTrace: false,
  kind: "client"
})

/** The name of the reason; "Interrupted" for an interrupted call; the conventions' "_OTHER" for a defect. */
const errorType = (cause: Cause.Cause<LlmError>): string =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => Cause.isInterruptedOnly(cause) ? "Interrupted" : "_OTHER",
    onSome: (error) => error.reason._tag
  })

/** The span of a program that does not trace. */
const noSpan: GenAiSpan = {
  within: identity,
  succeeded: () => Effect.void,
  failed: () => Effect.void,
  watch: identity
}

const defaultTracer = Effect.runSync(Effect.tracer)

/** Whether a tracer exports its spans: those of Effect's default tracer go nowhere. */
const isExporting = (tracer: Tracer.Tracer): boolean => tracer !== defaultTracer

/** Runs a call, all of its attempts included, within a span, if the program traces. */
export const traced =
  (provider: string, request: LlmRequest) =>
  <R>(self: Effect.Effect<LlmResponse, LlmError, R>): Effect.Effect<LlmResponse, LlmError, R> =>
    Effect.tracerWith((tracer) =>
      isExporting(tracer)
        ? Effect.useSpan(spanName(request), spanOptions(provider, request, false), (span) => {
          const { failed, succeeded, within } = fromSpan(span)
          return within(self).pipe(Effect.tap(succeeded), Effect.onError(failed))
        })
        : self
    )

/** Runs a request for embeddings, all of its attempts included, within a span, if the program traces. */
export const tracedEmbeddings =
  (provider: string, request: LlmRequest) =>
  <R>(self: Effect.Effect<Embedding.Response, LlmError, R>): Effect.Effect<Embedding.Response, LlmError, R> =>
    Effect.tracerWith((tracer) =>
      isExporting(tracer)
        ? Effect.useSpan(
          spanName(request, "embeddings"),
          spanOptions(provider, request, false, "embeddings"),
          (span) => {
            const { failed, within } = fromSpan(span)
            return within(self).pipe(
              Effect.tap((response) => Effect.sync(() => annotateEmbeddings(span, response))),
              Effect.onError(failed)
            )
          }
        )
        : self
    )

/** Starts the span of a stream, which ends with the scope. */
export const scoped = (provider: string, request: LlmRequest): Effect.Effect<GenAiSpan, never, Scope.Scope> =>
  Effect.tracerWith((tracer) =>
    isExporting(tracer)
      ? Effect.map(Effect.makeSpanScoped(spanName(request), spanOptions(provider, request, true)), fromSpan)
      : Effect.succeed(noSpan)
  )
