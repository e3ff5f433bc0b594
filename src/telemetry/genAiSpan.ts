import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { LlmError } from "../domain/LlmError.js"
import type { ChunkTimes } from "../domain/LlmEvent.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Content from "./content.js"
import { attributes, ofRequest } from "./conventions.js"
import { annotate, isExporting, recordFailure } from "./tracing.js"

/** The run of a call, for its span. */
export interface Subject {
  readonly provider: { readonly name: string; readonly endpoint: string }
  readonly request: LlmRequest
  /** Whether the provider streams the answer. */
  readonly streaming: boolean
  /** Options for recording prompts and answers. Default: they are not recorded. */
  readonly content: Content.Content | undefined
  /** The times of the pieces of a streamed answer. */
  readonly chunks: () => ChunkTimes | undefined
  /** The number of the attempt under way. */
  readonly attempt: () => number
}

type Part = <A, R>(self: Effect.Effect<A, LlmError, R>) => Effect.Effect<A, LlmError, R>

/**
 * The client span of a call to a provider, with all of its attempts. It is named and attributed by OpenTelemetry's
 * conventions, and holds prompts and answers only if an option asks for them.
 */
export interface GenAiSpan {
  /** Runs an effect as a child of the span. */
  readonly within: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Runs an attempt in its own span. */
  readonly attempt: Part
  /** Starts an attempt in its own span, which ends with the scope. */
  readonly openAttempt: <A, R>(
    self: Effect.Effect<A, LlmError, R | Scope.Scope>
  ) => Effect.Effect<A, LlmError, R | Scope.Scope>
  /** Records the answer. */
  readonly succeeded: (response: LlmResponse) => Effect.Effect<void>
  /** Records the failure. */
  readonly failed: (cause: Cause.Cause<LlmError>) => Effect.Effect<void>
  /** Runs a part of the call as a child of the span, and records its failure. */
  readonly watch: Part
}

const ofResponse = (
  { cost, finishReason, id, model, queuedFor, usage }: LlmResponse,
  chunks: ChunkTimes | undefined
): Record<string, unknown> => ({
  [attributes.responseModel]: model,
  [attributes.finishReasons]: [finishReason],
  [attributes.responseId]: id,
  [attributes.timeToFirstChunk]: chunks && Duration.toSeconds(chunks.first),
  [attributes.inputTokens]: usage.inputTokens,
  [attributes.outputTokens]: usage.outputTokens,
  [attributes.cacheReadTokens]: usage.cachedInputTokens,
  [attributes.cacheWriteTokens]: usage.cacheWriteTokens,
  [attributes.reasoningTokens]: usage.reasoningTokens,
  [attributes.cost]: cost,
  [attributes.queuedFor]: queuedFor && Duration.toSeconds(queuedFor)
})

const attemptName = (number: number): string => `attempt ${number}`

const attemptOptions: Tracer.SpanOptions = { captureStackTrace: false, kind: "internal" }

const inSpan = (span: Tracer.Span): Part => (self) =>
  Effect.withParentSpan(Effect.onError(self, recordFailure(span)), span)

const fromSpan = (span: Tracer.Span, subject: Subject): GenAiSpan => {
  const { content } = subject
  const within = Effect.withParentSpan(span)
  const isRecorded = content !== undefined && span.sampled
  if (isRecorded) annotate(span, Content.ofRequest(content, subject.request))
  return {
    within,
    attempt: (self) =>
      Effect.suspend(() =>
        Effect.useSpan(attemptName(subject.attempt()), attemptOptions, (attempt) => inSpan(attempt)(self))
      ),
    openAttempt: (self) =>
      Effect.suspend(() =>
        Effect.flatMap(
          Effect.makeSpanScoped(attemptName(subject.attempt()), attemptOptions),
          (attempt) => inSpan(attempt)(self)
        )
      ),
    succeeded: (response) =>
      Effect.sync(() => {
        annotate(span, ofResponse(response, subject.chunks()))
        if (isRecorded) annotate(span, Content.ofResponse(content, response))
      }),
    failed: recordFailure(span),
    watch: inSpan(span)
  }
}

const spanName = ({ request }: Subject): string => `chat ${request.model}`

const spanOptions = ({ provider, request, streaming }: Subject): Tracer.SpanOptions => ({
  attributes: { ...ofRequest(provider, request), ...(streaming && { [attributes.stream]: true }) },
  captureStackTrace: false,
  kind: "client"
})

/** The span of a program that does not trace. */
const noSpan: GenAiSpan = {
  within: identity,
  attempt: identity,
  openAttempt: identity,
  succeeded: () => Effect.void,
  failed: () => Effect.void,
  watch: identity
}

/** Runs a call, with all of its attempts, within a span, if the program traces. */
export const traced = <R>(
  subject: Subject,
  run: (span: GenAiSpan) => Effect.Effect<LlmResponse, LlmError, R>
): Effect.Effect<LlmResponse, LlmError, R> =>
  Effect.tracerWith((tracer) =>
    isExporting(tracer)
      ? Effect.useSpan(spanName(subject), spanOptions(subject), (span) => {
        const made = fromSpan(span, subject)
        return made.watch(Effect.tap(run(made), made.succeeded))
      })
      : run(noSpan)
  )

/** Starts the span of a stream, which ends with the scope. */
export const scoped = (subject: Subject): Effect.Effect<GenAiSpan, never, Scope.Scope> =>
  Effect.tracerWith((tracer) =>
    isExporting(tracer)
      ? Effect.map(
        Effect.makeSpanScoped(spanName(subject), spanOptions(subject)),
        (span) => fromSpan(span, subject)
      )
      : Effect.succeed(noSpan)
  )
