import type * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { type Pipeable, Prototype } from "effect/Pipeable"
import * as Schema from "effect/Schema"
import * as LlmRequest from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"
import type { ToolFailure } from "./handlerResult.js"
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
