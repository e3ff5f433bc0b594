import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import { OutputTruncated, type Reason, type ReasonOf, ToolArgumentsInvalid } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"
import { decodeUnknown, type SchemaIssues } from "../internal/schemaIssue.js"
import type { Dialect, SchemaDialect } from "../LlmProvider.js"
import * as Dialects from "./dialects.js"
import * as JsonSchemaDialect from "./jsonSchemaDialect.js"
import * as PlainJson from "./plainJson.js"

/** A tool before it is compiled for a provider. */
export interface Definition<A, I, R> {
  readonly name: string
  readonly description: string | undefined
  readonly parameters: Schema.Schema<A, I, R>
  readonly strict: boolean | undefined
  readonly providerOptions: LlmRequest.Tool["providerOptions"]
}

/** A tool compiled for a provider, and the reading of its calls. */
export interface BoundTool<A, R> {
  /** The tool as the request states it. */
  readonly definition: LlmRequest.Tool
  /** The property of the model's JSON that holds the arguments; `undefined` if they are the whole JSON. */
  readonly property: string | undefined
  /**
   * The arguments of a call in the form that the schema decodes from, not checked yet; or the reason why the call has
   * none.
   */
  readonly encoded: (call: Message.ToolCall) => Either.Either<unknown, Reason>
  /** Reads the arguments of a call, or fails with the reason why it has none. */
  readonly read: (call: Message.ToolCall) => Effect.Effect<Arguments<A>, Reason, R>
}

/** The arguments of a call. They share no object with the answer of the call. */
export interface Arguments<A> {
  readonly value: A
  /** The call, with the arguments as the model wrote them. */
  readonly call: Message.ToolCall
}

/**
 * Compiles a tool's schema: strictly if the provider can hold a model to it, unless the tool refuses that or a strict
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

const tooDeep: SchemaIssues = { issues: [{ path: "", expected: "JSON that is less deeply nested" }], omitted: 0 }

/** The arguments as the model wrote them. An incomplete call has them as text. */
export const rawArguments = ({ arguments: value, incomplete }: Message.ToolCall): string =>
  incomplete === true && typeof value === "string"
    ? value
    : Either.match(PlainJson.copy(value), { onLeft: () => "", onRight: (copy) => JSON.stringify(copy) })

/** Compiles a tool for a provider, or gives the reason why its schema cannot be compiled. */
export const bind = <A, I, R>(
  tool: Definition<A, I, R>,
  dialect: SchemaDialect | Dialect
): Either.Either<BoundTool<A, R>, Reason> =>
  Either.map(wireOf(tool, Dialects.of(dialect)), ({ strict, wire }) => {
    const decode = decodeUnknown(tool.parameters, { errors: "all" })

    const misfit = (call: Message.ToolCall, { issues, omitted }: SchemaIssues): Reason =>
      ToolArgumentsInvalid.make({
        name: call.name,
        raw: rawArguments(call),
        issues,
        ...(omitted > 0 && { omittedIssues: omitted }),
        message: "the arguments do not fit the tool's schema"
      })

    /** A copy of the arguments as the model wrote them. */
    const copied = (call: Message.ToolCall): Either.Either<unknown, Reason> =>
      call.incomplete === true
        ? Either.left(OutputTruncated.make({ text: rawArguments(call), message: "a tool call was cut short" }))
        // Arguments come from JSON, which can have no other problem.
        : Either.mapLeft(PlainJson.copy(call.arguments), () => misfit(call, tooDeep))

    const read = (call: Message.ToolCall): Effect.Effect<Arguments<A>, Reason, R> =>
      Effect.flatMap(copied(call), (json) =>
        Effect.mapBoth(decode(wire.read(json)), {
          onFailure: (issues) => misfit(call, issues),
          onSuccess: (value) => ({ value, call: { ...call, arguments: structuredClone(json) } })
        }))

    return {
      definition: {
        name: tool.name,
        parameters: wire.schema,
        ...(tool.description !== undefined && { description: tool.description }),
        ...(strict !== undefined && { strict }),
        ...(tool.providerOptions !== undefined && { providerOptions: tool.providerOptions })
      },
      property: wire.property,
      encoded: (call) => Either.map(copied(call), wire.read),
      read
    }
  })

/** The failure of a call of an unknown tool. */
export const unknownTool = (
  call: Message.ToolCall,
  available: ReadonlyArray<string>
): ReasonOf<"ToolArgumentsInvalid"> =>
  ToolArgumentsInvalid.make({
    name: call.name,
    raw: rawArguments(call),
    available,
    message: "there is no such tool"
  })
