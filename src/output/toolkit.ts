import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { LlmError, type Reason } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import type { Dialect, SchemaDialect } from "../LlmProvider.js"
import * as BoundTool from "./boundTool.js"
import type { Any, Context, ToolCall } from "./tool.js"

/**
 * Several tools, compiled for one provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Toolkit<Tool> {
  /** The `tools` of a request. */
  readonly definitions: ReadonlyArray<LlmRequest.Tool>
  /**
   * The calls of an answer, with decoded arguments. Fails with `ToolArgumentsInvalid` for arguments that do not fit
   * (`issues`) and for an unknown tool (`available`), and with `OutputTruncated` for a call that was cut short.
   */
  readonly toolCalls: (
    response: LlmResponse
  ) => Effect.Effect<ReadonlyArray<ToolCall<Tool>>, LlmError, Context<Tool>>
  /**
   * The arguments of a call in the form that the schema of its tool decodes from, without the changes that the provider's
   * dialect has made to them: for a program that decodes them itself. They are not checked. An unknown tool is
   * `ToolArgumentsInvalid`, and a call that was cut short `OutputTruncated`.
   */
  readonly encodedArguments: (call: Message.ToolCall) => Either.Either<unknown, Reason>
}

/**
 * A tool, and its form for one provider.
 */
export interface Bound<Tool extends Any> {
  readonly tool: Tool
  readonly bound: BoundTool.BoundTool<unknown, unknown>
}

/**
 * Compiles tools for a provider.
 */
export const bindAll = <Tool extends Any>(
  tools: Iterable<Tool>,
  dialect: SchemaDialect | Dialect
): Either.Either<ReadonlyArray<Bound<Tool>>, Reason> =>
  Either.all(Array.from(tools, (tool) => {
    const { description, name, parameters, providerOptions, strict } = tool
    const schema = Schema.make<unknown, unknown, unknown>(parameters.ast)
    const definition = { name, description, strict, providerOptions, parameters: schema }
    return Either.map(BoundTool.bind(definition, dialect), (bound) => ({ tool, bound }))
  }))

const failedOn = (response: LlmResponse) => (reason: Reason): LlmError =>
  new LlmError({
    reason,
    operation: "call",
    attempts: response.attempts,
    provider: response.provider,
    model: response.model,
    ...(response.requestId !== undefined && { requestId: response.requestId })
  })

const boundOf = <Tool extends Any>(all: ReadonlyArray<Bound<Tool>>, call: Message.ToolCall) =>
  Either.fromNullable(
    all.find(({ tool }) => tool.name === call.name)?.bound,
    (): Reason => BoundTool.unknownTool(call, all.map(({ tool }) => tool.name))
  )

const decodeCall = <Tool extends Any>(all: ReadonlyArray<Bound<Tool>>, call: Message.ToolCall) => {
  const { id, name } = call
  const read = Effect.flatMap(boundOf(all, call), (bound) => bound.read(call))
  // The schema of the tool with this name has read it, with the services of that schema.
  return Effect.map(read, ({ value }) => ({ id, name, arguments: value })) as Effect.Effect<
    ToolCall<Tool>,
    Reason,
    Context<Tool>
  >
}

/**
 * Compiles tools for a provider's dialect of JSON Schema; `LlmClient.toolkit` does it for the client's own provider.
 * Fails with `UnsupportedFeature` if the dialect cannot express a schema.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toolkit = <Tool extends Any>(
  tools: Iterable<Tool>,
  options: {
    /** The dialect of the provider. Default: "plain", all of JSON Schema. */
    readonly dialect?: SchemaDialect | Dialect | undefined
  } = {}
): Effect.Effect<Toolkit<Tool>, LlmError> =>
  bindAll(tools, options.dialect ?? "plain").pipe(
    Either.mapBoth({
      onLeft: (reason) => new LlmError({ reason, operation: "call", attempts: 0 }),
      onRight: (all) => ({
        definitions: all.map(({ bound }) => bound.definition),
        toolCalls: (response) =>
          Effect.forEach(response.toolCalls, (call) => decodeCall(all, call)).pipe(Effect.mapError(failedOn(response))),
        encodedArguments: (call) => Either.flatMap(boundOf(all, call), (bound) => bound.encoded(call))
      })
    })
  )
