import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type { ToolCall } from "../domain/Message.js"

/**
 * Runs a tool in a span, named and attributed by OpenTelemetry's conventions for generative AI. Arguments and results are
 * content, and are not recorded.
 */
export const around =
  ({ id, name }: ToolCall) =>
  <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.withSpan(run, `execute_tool ${name}`, {
      attributes: {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": id,
        "gen_ai.tool.type": "function"
      },
      captureStackTrace: false,
      kind: "internal"
    })
