import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { isLlmError } from "../domain/LlmError.js"
import { attributes, other } from "./conventions.js"

const defaultTracer = Effect.runSync(Effect.tracer)

/** Whether a tracer exports its spans: Effect's default tracer does not. */
export const isExporting = (tracer: Tracer.Tracer): boolean => tracer !== defaultTracer

/**
 * The conventions' type of a failure: the name of the reason of an `LlmError`, the tag of another failure, "Interrupted"
 * for an interruption, and the conventions' own value for a bug.
 */
export const errorType = (cause: Cause.Cause<unknown>): string =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => Cause.isInterruptedOnly(cause) ? "Interrupted" : other,
    onSome: (error) => {
      if (isLlmError(error)) return error.reason._tag
      return typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
        ? error._tag
        : other
    }
  })

/** Puts the known attributes on a span. */
export const annotate = (span: Tracer.Span, known: Record<string, unknown>): void => {
  for (const [name, value] of Object.entries(known)) if (value !== undefined) span.attribute(name, value)
}

/** Records the failure of the work of a span. */
export const recordFailure = (span: Tracer.Span) => <E>(cause: Cause.Cause<E>): Effect.Effect<void> =>
  Effect.sync(() => span.attribute(attributes.errorType, errorType(cause)))
