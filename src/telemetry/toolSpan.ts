import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type { ToolCall } from "../domain/Message.js"
import { attributes } from "./conventions.js"
import { errorType } from "./tracing.js"

/**
 * Runs a tool in a span, named and attributed by OpenTelemetry's conventions for generative AI. Arguments and results are
 * content, and are not recorded.
 */
export const around =
  ({ id, name }: ToolCall) =>
  <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    run.pipe(
      Effect.tapErrorCause((cause) => Effect.annotateCurrentSpan(attributes.errorType, errorType(cause))),
      Effect.withSpan(`execute_tool ${name}`, {
        attributes: {
          [attributes.operation]: "execute_tool",
          [attributes.toolName]: name,
          [attributes.toolCallId]: id,
          [attributes.toolType]: "function"
        },
        captureStackTrace: false,
        kind: "internal"
      })
    )
