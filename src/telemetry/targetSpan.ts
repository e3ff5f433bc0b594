import * as Effect from "effect/Effect"
import type { LlmError } from "../domain/LlmError.js"
import { attributes, providerName, serverOf } from "./conventions.js"
import { errorType, isExporting } from "./tracing.js"

/** One of several targets that a policy asks. */
export interface Target {
  /** Its name among the targets. */
  readonly name: string
  readonly provider: { readonly name: string; readonly endpoint: string }
  readonly model: string
}

/**
 * Runs the request to a target in its own span, a child of the attempt's, if the program traces. The span of a stream
 * ends with its first parts.
 */
export const around =
  ({ model, name, provider }: Target) => <A, R>(self: Effect.Effect<A, LlmError, R>): Effect.Effect<A, LlmError, R> =>
    Effect.tracerWith((tracer) => {
      if (!isExporting(tracer)) return self
      const server = serverOf(provider.endpoint)
      return Effect.useSpan(`target ${name}`, {
        attributes: {
          [attributes.target]: name,
          [attributes.provider]: providerName(provider.name),
          [attributes.requestModel]: model,
          ...(server && { [attributes.serverAddress]: server.address, [attributes.serverPort]: server.port })
        },
        captureStackTrace: false,
        kind: "internal"
      }, (span) =>
        Effect.withParentSpan(
          Effect.onError(self, (cause) => Effect.sync(() => span.attribute(attributes.errorType, errorType(cause)))),
          span
        ))
    })
