/**
 * Tools: what a model may ask a program to do. A tool has a name, a description and a schema of its parameters, and may
 * have a handler. The model is told the schema in the JSON Schema that its provider takes; what it asks for comes back
 * as values of the schema's type.
 *
 * `LlmClient.runTools` runs the loop of calls and results. `LlmClient.toolkit` is for a program that runs its own.
 *
 * (`LlmRequest.Tool` is what of a tool goes into a request: its name, its description and a JSON Schema.)
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
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import type { Dialect, SchemaDialect } from "../LlmProvider.js"
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
  readonly strict: boolean | undefined
}

/**
 * What runs a call of a tool: it gets the arguments, and the call itself. Its result is sent to the model: a text as it
 * is, anything else as JSON.
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
 * What a run of tools can fail with besides `LlmError`: what their handlers fail with and do not tell the model.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure<Tool> = Tool extends Handled<infer _Name, infer _Parameters, infer E, infer _R>
  ? Exclude<E, ToolFailure>
  : never

/**
 * What a run of tools needs: what their handlers and their schemas need.
 *
 * @since 0.1.0
 * @category models
 */
export type Context<Tool> =
  | (Tool extends LlmTool<infer _Name, infer Parameters> ? Schema.Schema.Context<Parameters> : never)
  | (Tool extends Handled<infer _Name, infer _Parameters, infer _E, infer R> ? R : never)

/**
 * A call of one of some tools, with its arguments as values. Its `name` tells which.
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
 * What a handler fails with where the model should know, and may try something else: it is told `result`, marked as an
 * error. All else that a handler fails with is a failure of the run.
 *
 * @since 0.1.0
 * @category errors
 */
export class ToolFailure extends Data.TaggedError("ToolFailure")<{
  /** What the model is told. */
  readonly result: unknown
}> {}

/**
 * Fails a handler with something that the model is told.
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

// ---------------------------------------------------------------------------------------------------------------------
// Definitions
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What the parameters of a tool can be described with: a schema of Effect's, or of another library that tells its JSON
 * Schema.
 *
 * @since 0.1.0
 * @category models
 */
export type AnyParameters = Schema.Schema.All | StandardSchema.WithJsonSchema<unknown>

/**
 * The schema of Effect's that parameters are or stand for.
 *
 * @since 0.1.0
 * @category models
 */
export type ParametersOf<Parameters extends AnyParameters> = Parameters extends Schema.Schema.All ? Parameters
  : Parameters extends StandardSchema.WithJsonSchema<infer A> ? Schema.Schema<A, unknown>
  : never

/**
 * What a tool is made of besides its name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Parameters extends AnyParameters> {
  /** Tells the model what the tool does and when to use it. */
  readonly description?: string | undefined
  /** The schema of the arguments. Default: none are taken. */
  readonly parameters?: Parameters | undefined
  /**
   * Whether the provider holds the model to the schema, where it can. Default: where it can (OpenAI, Anthropic), unless
   * the schema says what strict schemas cannot.
   */
  readonly strict?: boolean | undefined
}

const noParameters = Schema.Struct({})

type NoParameters = typeof noParameters

/**
 * Makes a tool, with a handler if it is to be run by `LlmClient.runTools`. The parameters are a struct; anything else
 * travels as the one property of an object.
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
    /** What runs its calls. */
    readonly handler: Handler<Schema.Schema.Type<ParametersOf<Parameters>>, E, R>
  }
): Handled<Name, ParametersOf<Parameters>, E, R>
export function make<const Name extends string, Parameters extends AnyParameters = NoParameters>(
  name: Name,
  options?: Options<Parameters>
): LlmTool<Name, ParametersOf<Parameters>>
export function make(
  name: string,
  { description, handler, parameters = noParameters, strict }: Options<AnyParameters> & {
    readonly handler?: AnyHandled["handler"]
  } = {}
): Any | AnyHandled {
  return {
    name,
    description,
    strict,
    parameters: StandardSchema.isStandardSchema(parameters) ? StandardSchema.adopt(parameters) : parameters,
    ...(handler !== undefined && { handler }),
    ...Prototype
  }
}

/**
 * Gives a tool its handler, where it is defined in another place.
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

// ---------------------------------------------------------------------------------------------------------------------
// Toolkits
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Some tools, as one provider is told them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Toolkit<Tool> {
  /** What goes into the `tools` of a request. */
  readonly definitions: ReadonlyArray<LlmRequest.Tool>
  /**
   * The calls of an answer, with their arguments as values. Fails with `ToolArgumentsInvalid` for arguments that do not
   * fit (`issues`) and for a tool that there is not (`available`), and with `OutputTruncated` for a call that was cut
   * short.
   */
  readonly toolCalls: (
    response: LlmResponse
  ) => Effect.Effect<ReadonlyArray<ToolCall<Tool>>, LlmError, Context<Tool>>
}

/**
 * A tool, and how one provider is told it.
 *
 * @internal
 */
export interface Bound<Tool extends Any> {
  readonly tool: Tool
  readonly bound: BoundTool.BoundTool<unknown, unknown>
}

/**
 * Puts tools to a provider.
 *
 * @internal
 */
export const bindAll = <Tool extends Any>(
  tools: Iterable<Tool>,
  dialect: SchemaDialect | Dialect
): Either.Either<ReadonlyArray<Bound<Tool>>, Reason> =>
  Either.all(Array.from(tools, (tool) => {
    const { description, name, parameters, strict } = tool
    const definition = { name, description, strict, parameters: Schema.make<unknown, unknown, unknown>(parameters.ast) }
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

const decodeCall = <Tool extends Any>(all: ReadonlyArray<Bound<Tool>>, call: Message.ToolCall) => {
  const { id, name } = call
  const known = all.find(({ tool }) => tool.name === name)
  const read = known === undefined
    ? Effect.fail(BoundTool.unknownTool(call, all.map(({ tool }) => tool.name)))
    : known.bound.read(call)
  // It was read by the schema of the tool of its name, with what that schema needs.
  return Effect.map(read, (args) => ({ id, name, arguments: args })) as Effect.Effect<
    ToolCall<Tool>,
    Reason,
    Context<Tool>
  >
}

/**
 * Puts tools to a provider by its dialect of JSON Schema: `LlmClient.toolkit` does it for the client's own provider.
 * Fails with `UnsupportedFeature` where the dialect cannot say what a schema says.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toolkit = <Tool extends Any>(
  tools: Iterable<Tool>,
  options: {
    /** What the provider takes. Default: "plain", all of JSON Schema. */
    readonly dialect?: SchemaDialect | Dialect | undefined
  } = {}
): Effect.Effect<Toolkit<Tool>, LlmError> =>
  bindAll(tools, options.dialect ?? "plain").pipe(
    Either.mapBoth({
      onLeft: (reason) => new LlmError({ reason, operation: "call", attempts: 0 }),
      onRight: (all) => ({
        definitions: all.map(({ bound }) => bound.definition),
        toolCalls: (response) =>
          Effect.forEach(response.toolCalls, (call) => decodeCall(all, call)).pipe(Effect.mapError(failedOn(response)))
      })
    })
  )
