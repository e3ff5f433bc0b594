/**
 * Tools that a model may call. A tool has a name, a description and a schema of its parameters, and may have a handler. The
 * model gets the JSON Schema in the dialect of its provider; the arguments of its calls are decoded to the schema's type.
 *
 * `LlmClient.runTools` and `LlmClient.streamTools` run the loop of calls and results. `LlmClient.toolkit` is for a program
 * that runs its own.
 *
 * (`LlmRequest.Tool` is the part of a tool that goes into a request: its name, its description and a JSON Schema.)
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import { type Pipeable, Prototype } from "effect/Pipeable"
import * as Schema from "effect/Schema"
import { LlmError, type Reason } from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import type { Dialect, SchemaDialect } from "../LlmProvider.js"
import {
  type Approval as AnyApproval,
  approved as approvedCall,
  denied as deniedCall,
  pending as pendingCall
} from "./approval.js"
import * as BoundTool from "./boundTool.js"
import * as StandardSchema from "./StandardSchema.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A tool. `make` makes one.
 *
 * @since 0.1.0
 * @category models
 */
export interface LlmTool<out Name extends string, out Parameters extends Schema.Schema.All> extends Pipeable {
  readonly name: Name
  readonly description: string | undefined
  /** The schema of its arguments. */
  readonly parameters: Parameters
  /** Whether the provider has to hold the model to the schema. */
  readonly strict: boolean | undefined
  /** Raw fields for its object in the wire format. */
  readonly providerOptions: LlmRequest.Tool["providerOptions"]
}

/**
 * Runs a call of a tool, with the decoded arguments and the call itself. Its result is sent to the model: a string as it
 * is, images and files by `withParts`, anything else as JSON.
 *
 * @since 0.1.0
 * @category models
 */
export type Handler<in Arguments, out E, out R> = (
  args: Arguments,
  call: Message.ToolCall
) => Effect.Effect<unknown, E, R>

/**
 * A tool with its handler.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handled<out Name extends string, out Parameters extends Schema.Schema.All, out E, out R>
  extends LlmTool<Name, Parameters>
{
  readonly handler: (args: Schema.Schema.Type<Parameters>, call: Message.ToolCall) => Effect.Effect<unknown, E, R>
}

/**
 * Any tool.
 *
 * @since 0.1.0
 * @category models
 */
export type Any = LlmTool<string, Schema.Schema.All>

/**
 * Any tool with a handler.
 *
 * @since 0.1.0
 * @category models
 */
export type AnyHandled = Handled<string, Schema.Schema.All, unknown, unknown>

/**
 * The failures of a run of tools besides `LlmError`: those of their handlers, except `ToolFailure`, which the model gets.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure<Tool> = Tool extends Handled<infer _Name, infer _Parameters, infer E, infer _R>
  ? Exclude<E, ToolFailure>
  : never

/**
 * The services that a run of tools needs, for its handlers and schemas.
 *
 * @since 0.1.0
 * @category models
 */
export type Context<Tool> =
  | (Tool extends LlmTool<infer _Name, infer Parameters> ? Schema.Schema.Context<Parameters> : never)
  | (Tool extends Handled<infer _Name, infer _Parameters, infer _E, infer R> ? R : never)

/**
 * A call of one of several tools, with decoded arguments. Its `name` says which.
 *
 * @since 0.1.0
 * @category models
 */
export type ToolCall<Tool> = Tool extends LlmTool<infer Name, infer Parameters> ? {
    readonly id: string
    readonly name: Name
    readonly arguments: Schema.Schema.Type<Parameters>
  }
  : never

/**
 * A handler's failure that goes to the model, which may then try something else: the model gets `result`, marked as an
 * error. Any other failure of a handler fails the run.
 *
 * @since 0.1.0
 * @category errors
 */
export class ToolFailure extends Data.TaggedError("ToolFailure")<{
  /** The result for the model. */
  readonly result: unknown
}> {}

/**
 * Fails a handler with a result for the model.
 *
 * @since 0.1.0
 * @category errors
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { LlmTool } from "effect-llm"
 *
 * const lengths: Record<string, number> = { Elbe: 1094, Oder: 840 }
 *
 * const RiverLength = LlmTool.make("river_length", {
 *   parameters: Schema.Struct({ river: Schema.String }),
 *   handler: ({ river }) =>
 *     lengths[river] === undefined
 *       ? LlmTool.failure(`no river is called ${river}`)
 *       : Effect.succeed({ kilometers: lengths[river] })
 * })
 * ```
 */
export const failure = (result: unknown): ToolFailure => new ToolFailure({ result })

/**
 * A handler's result with images and files. `withParts` makes one.
 *
 * @since 0.1.0
 * @category models
 */
export class ResultWithParts extends Data.TaggedClass("ResultWithParts")<{
  /** A string is sent as it is, anything else as JSON. */
  readonly result: unknown
  /** Images, files and texts, in this order behind it. */
  readonly parts: ReadonlyArray<Message.ToolResultPartInput>
}> {}

/**
 * A handler's result with images, files and further texts, which the model gets behind it in this order. An empty string as
 * `result`: they are all of it. `failure` takes it, too. How each provider sends them: `Message.ToolResult`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTool } from "effect-llm"
 *
 * declare const takePhotograph: Effect.Effect<Uint8Array>
 *
 * const Photograph = LlmTool.make("photograph", {
 *   description: "Takes a photograph of the river.",
 *   handler: () =>
 *     Effect.map(takePhotograph, (bytes) =>
 *       LlmTool.withParts({ direction: "north" }, [{ _tag: "Image", bytes, mediaType: "image/jpeg" }]))
 * })
 * ```
 */
export const withParts = (result: unknown, parts: ReadonlyArray<Message.ToolResultPartInput>): ResultWithParts =>
  new ResultWithParts({ result, parts })

// ---------------------------------------------------------------------------------------------------------------------
// Definitions
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A schema for the parameters of a tool: one of Effect, or of another library that writes its JSON Schema.
 *
 * @since 0.1.0
 * @category models
 */
export type AnyParameters = Schema.Schema.All | StandardSchema.WithJsonSchema<unknown>

/**
 * The parameters as a schema of Effect.
 *
 * @since 0.1.0
 * @category models
 */
export type ParametersOf<Parameters extends AnyParameters> = Parameters extends Schema.Schema.All ? Parameters
  : Parameters extends StandardSchema.WithJsonSchema<infer A> ? Schema.Schema<A, unknown>
  : never

/**
 * Options for a tool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Parameters extends AnyParameters> {
  /** The purpose of the tool, and when to use it, for the model. */
  readonly description?: string | undefined
  /** The schema of the arguments. Default: no arguments. */
  readonly parameters?: Parameters | undefined
  /**
   * Whether the provider holds the model to the schema, if it can. Default: true for OpenAI and Anthropic, unless a strict
   * schema cannot express the parameters.
   */
  readonly strict?: boolean | undefined
  /**
   * Raw fields for the tool's object in the wire format, by the name of the provider or its protocol:
   * `{ anthropic: { defer_loading: true } }`. Default: none.
   */
  readonly providerOptions?: LlmRequest.Tool["providerOptions"]
}

const noParameters = Schema.Struct({})

type NoParameters = typeof noParameters

/**
 * Makes a tool. `LlmClient.runTools` needs its handler. Parameters that are not a struct travel as the only property of an
 * object.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { LlmTool } from "effect-llm"
 *
 * const Roll = LlmTool.make("roll_dice", {
 *   description: "Rolls dice, and gives the sum.",
 *   parameters: Schema.Struct({
 *     dice: Schema.Int.pipe(Schema.between(1, 10)),
 *     sides: Schema.optionalWith(Schema.Int, { default: () => 6 })
 *   }),
 *   handler: ({ dice, sides }) => Effect.succeed({ sum: dice * sides })
 * })
 * ```
 */
export function make<const Name extends string, E, R, Parameters extends AnyParameters = NoParameters>(
  name: Name,
  options: Options<Parameters> & {
    /** Runs its calls. */
    readonly handler: Handler<Schema.Schema.Type<ParametersOf<Parameters>>, E, R>
  }
): Handled<Name, ParametersOf<Parameters>, E, R>
export function make<const Name extends string, Parameters extends AnyParameters = NoParameters>(
  name: Name,
  options?: Options<Parameters>
): LlmTool<Name, ParametersOf<Parameters>>
export function make(
  name: string,
  { description, handler, parameters = noParameters, providerOptions, strict }: Options<AnyParameters> & {
    readonly handler?: AnyHandled["handler"]
  } = {}
): Any | AnyHandled {
  return {
    name,
    description,
    strict,
    providerOptions,
    parameters: StandardSchema.isStandardSchema(parameters) ? StandardSchema.adopt(parameters) : parameters,
    ...(handler !== undefined && { handler }),
    ...Prototype
  }
}

/**
 * Adds a handler to a tool that was defined without one.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { Context, Effect, Schema } from "effect"
 * import { LlmTool } from "effect-llm"
 *
 * class Rivers extends Context.Tag("Rivers")<Rivers, { readonly length: (river: string) => Effect.Effect<number> }>() {}
 *
 * const RiverLength = LlmTool.make("river_length", { parameters: Schema.Struct({ river: Schema.String }) })
 *
 * // Needs `Rivers`, and so does `LlmClient.runTools` with it.
 * const handled = RiverLength.pipe(
 *   LlmTool.handle(({ river }) => Effect.flatMap(Rivers, (rivers) => rivers.length(river)))
 * )
 * ```
 */
export const handle: {
  <Parameters extends Schema.Schema.All, E, R>(
    handler: Handler<Schema.Schema.Type<Parameters>, E, R>
  ): <Name extends string>(tool: LlmTool<Name, Parameters>) => Handled<Name, Parameters, E, R>
  <Name extends string, Parameters extends Schema.Schema.All, E, R>(
    tool: LlmTool<Name, Parameters>,
    handler: Handler<Schema.Schema.Type<Parameters>, E, R>
  ): Handled<Name, Parameters, E, R>
} = dual(
  2,
  <Name extends string, Parameters extends Schema.Schema.All, E, R>(
    tool: LlmTool<Name, Parameters>,
    handler: Handler<Schema.Schema.Type<Parameters>, E, R>
  ): Handled<Name, Parameters, E, R> => ({ ...tool, handler })
)

/**
 * A tool that the provider runs itself, for `providerTools` of a request and among the tools of `LlmClient.runTools`.
 * `OpenAiTools`, `AnthropicTools` and `GeminiTools` make the usual ones. Its calls and their results come as `Opaque` parts,
 * the sources that an answer rests on as `Source` parts.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { LlmTool } from "effect-llm"
 *
 * const ToolSearch = LlmTool.providerTool({
 *   protocol: "anthropic",
 *   name: "tool_search",
 *   tool: { type: "tool_search_tool_regex_20251119", name: "tool_search_tool_regex" }
 * })
 * ```
 */
export const providerTool = (tool: Omit<LlmRequest.ProviderTool, "_tag">): LlmRequest.ProviderTool =>
  LlmRequest.ProviderTool.make(tool)

// ---------------------------------------------------------------------------------------------------------------------
// Approval
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The decision about a call, for the option `approve` of `LlmClient.runTools`: to run it (`approved`), to refuse it
 * (`denied`), or to leave it open (`pending`).
 *
 * @since 0.1.0
 * @category approval
 */
export type Approval = AnyApproval

/**
 * The call is run.
 *
 * @since 0.1.0
 * @category approval
 */
export const approved: Approval = approvedCall

/**
 * The call is not run, and the model gets the reason as an error. Default: that it was not allowed.
 *
 * @since 0.1.0
 * @category approval
 */
export const denied: (reason?: string) => Approval = deniedCall

/**
 * The call is left open: the run ends with it in `pending`. A run on its `messages` asks for the decision again.
 *
 * @since 0.1.0
 * @category approval
 */
export const pending: Approval = pendingCall

// ---------------------------------------------------------------------------------------------------------------------
// Toolkits
// ---------------------------------------------------------------------------------------------------------------------

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
 *
 * @internal
 */
export interface Bound<Tool extends Any> {
  readonly tool: Tool
  readonly bound: BoundTool.BoundTool<unknown, unknown>
}

/**
 * Compiles tools for a provider.
 *
 * @internal
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
