import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import { OutputTruncated, type Reason, ToolArgumentsInvalid } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"
import { decodeUnknown } from "../internal/schemaIssue.js"
import type { Dialect, SchemaDialect } from "../LlmProvider.js"
import * as Dialects from "./dialects.js"
import * as JsonSchemaDialect from "./jsonSchemaDialect.js"

/** A tool before it is compiled for a provider. */
export interface Definition<A, I, R> {
  readonly name: string
  readonly description: string | undefined
  readonly parameters: Schema.Schema<A, I, R>
  readonly strict: boolean | undefined
}

/** A tool compiled for a provider, and the reading of its calls. */
export interface BoundTool<A, R> {
  /** The tool as the request states it. */
  readonly definition: LlmRequest.Tool
  /** The property of the model's JSON that holds the arguments; `undefined`: they are all of it. */
  readonly property: string | undefined
  /** Reads the arguments of a call, or fails with the reason why it has none. */
  readonly read: (call: Message.ToolCall) => Effect.Effect<A, Reason, R>
}

/**
 * Compiles a tool's schema: strictly where the provider can hold a model to it, unless the tool refuses that or a strict
 * schema cannot express it. Without strictness these providers take any JSON Schema.
 */
const wireOf = <A, I, R>({ parameters, strict }: Definition<A, I, R>, dialect: Dialect) => {
  if (!dialect.strictTools) {
    return Either.map(JsonSchemaDialect.make(parameters, dialect), (wire) => ({ wire, strict }))
  }
  const strictly = strict === false
    ? undefined
    : Either.map(JsonSchemaDialect.make(parameters, dialect), (wire) => ({ wire, strict: true }))
  return strictly !== undefined && (strict === true || Either.isRight(strictly))
    ? strictly
    : Either.map(JsonSchemaDialect.make(parameters, "plain"), (wire) => ({ wire, strict: false }))
}

/** The arguments as the model wrote them. An incomplete call has them as text. */
export const rawArguments = ({ arguments: value, incomplete }: Message.ToolCall): string =>
  incomplete === true && typeof value === "string" ? value : JSON.stringify(value) ?? ""

/** Compiles a tool for a provider; or gives the reason why its schema cannot be. */
export const bind = <A, I, R>(
  tool: Definition<A, I, R>,
  dialect: SchemaDialect | Dialect
): Either.Either<BoundTool<A, R>, Reason> =>
  Either.map(wireOf(tool, Dialects.of(dialect)), ({ strict, wire }) => {
    const decode = decodeUnknown(tool.parameters, { errors: "all" })
    return {
      definition: {
        name: tool.name,
        parameters: wire.schema,
        ...(tool.description !== undefined && { description: tool.description }),
        ...(strict !== undefined && { strict })
      },
      property: wire.property,
      read: (call) =>
        call.incomplete === true
          ? Effect.fail(OutputTruncated.make({ text: rawArguments(call), message: "a tool call was cut short" }))
          : Effect.mapError(
            decode(wire.read(call.arguments)),
            ({ issues, omitted }) =>
              ToolArgumentsInvalid.make({
                name: call.name,
                raw: rawArguments(call),
                issues,
                ...(omitted > 0 && { omittedIssues: omitted }),
                message: "the arguments do not fit the tool's schema"
              })
          )
    }
  })

/** The failure of a call of an unknown tool. */
export const unknownTool = (call: Message.ToolCall, available: ReadonlyArray<string>): Reason =>
  ToolArgumentsInvalid.make({
    name: call.name,
    raw: rawArguments(call),
    available,
    message: "there is no such tool"
  })
