// In place of the file: a toolkit of Effect 4 takes encoded parameters and streams its results, and tools may be dynamic.
import * as AiError from "effect/ai/AiError"
import * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as JsonSchema from "effect/JsonSchema"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import * as Stream from "effect/Stream"
import * as LlmError from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmTool from "../output/LlmTool.js"
import * as StandardSchema from "../output/StandardSchema.js"
import type * as Json from "../wire/json.js"
import type * as DefinedTools from "./definedTools.js"
import * as PromptMessages from "./promptMessages.js"
import * as ProviderTools from "./providerTools.js"

// ---------------------------------------------------------------------------------------------------------------------
// Their tools as ours
// ---------------------------------------------------------------------------------------------------------------------

/** A tool of `effect/ai` as one of ours, with its handler. */
export type Handled<T> = T extends Tool.Any ? LlmTool.Handled<
    T["name"],
    Schema.Codec<Tool.Parameters<T>, Tool.ParametersEncoded<T>, Tool.ParametersDecodingServices<T>>,
    Tool.HandlerError<T> | LlmTool.ToolFailure,
    Tool.HandlerServices<T>
  >
  : never

/** A tool that its provider runs, and others. */
export type Runnable<T> = T extends { readonly requiresHandler: false } ? LlmRequest.ProviderTool : Handled<T>

/** Any toolkit with its handlers, or how to get it. */
export type Source<Tools extends Record<string, Tool.Any>, E, R> =
  | Toolkit.WithHandler<Tools>
  | Effect.Effect<Toolkit.WithHandler<Tools>, E, R>

/** The schema of a tool without parameters allows no property at all, which no JSON Schema of a provider says. */
const hasNoParameters = ({ parametersSchema }: Tool.Any): boolean => parametersSchema === Tool.EmptyParams

/** A schema that takes any value: the tool's own has only a JSON Schema. */
const anything: StandardSchema.StandardSchema<unknown> = {
  "~standard": { version: 1, vendor: "effect", validate: (value) => ({ value }) }
}

/** The JSON Schema of a tool that is known only at run time, one of an MCP server for example. */
const foreignSchema = (tool: Tool.Any): JsonSchema.JsonSchema | undefined =>
  Tool.isDynamic(tool) ? tool.jsonSchema : undefined

const parametersOf = (tool: Tool.Any): LlmTool.AnyParameters => {
  const jsonSchema = foreignSchema(tool)
  if (jsonSchema !== undefined) return StandardSchema.from(anything, { jsonSchema })
  return hasNoParameters(tool) ? Schema.Struct({}) : tool.parametersSchema
}

/** A tool of ours: one of the program, or one that the provider runs. */
export type Defined = LlmTool.Any | LlmRequest.ProviderTool

/** Whether the provider runs it. */
export const isProviderTool = (tool: Defined): tool is LlmRequest.ProviderTool => "_tag" in tool

/** Whether the program runs it. */
export const isProgramTool = (tool: Defined): tool is LlmTool.Any => !isProviderTool(tool)

/** A tool without its handler; or the reason why there is none: a provider that is not known defines it. */
export const definition = (tool: Tool.Any): Result.Result<Defined, LlmError.Reason> => {
  if (Tool.isProviderDefined(tool)) {
    const known = ProviderTools.of(tool)
    if (known !== undefined) return Result.succeed(known)
    return Result.fail(LlmError.UnsupportedFeature.make({
      feature: `the tool ${tool.name}`,
      message:
        `the tool ${tool.name} (${tool.id}) is defined by a provider, and no other provider or program has it: use the ` +
        "setting providerTools, for which LlmTool.providerTool, OpenAiTools, AnthropicTools and GeminiTools make such tools"
    }))
  }
  return Result.succeed(LlmTool.make(tool.name, {
    description: Tool.getDescription(tool),
    strict: Tool.getStrictMode(tool),
    parameters: parametersOf(tool)
  }))
}

const bugs: ReadonlyArray<AiError.AiErrorReason["_tag"]> = [
  "InvalidToolResultError",
  "ToolNotFoundError",
  "ToolResultEncodingError"
]

/** A handler whose result does not fit its own schema is a mistake in the program, as are other faults of a toolkit. */
const isBug = (error: unknown): boolean =>
  AiError.isAiError(error) && error.module === "Toolkit" && bugs.includes(error.reason._tag)

const handlerOf = <Tools extends Record<string, Tool.Any>>(toolkit: Toolkit.WithHandler<Tools>, tool: Tool.Any) => {
  const encode: (args: unknown) => Effect.Effect<unknown, unknown, unknown> = foreignSchema(tool) === undefined
    ? Schema.encodeUnknownEffect(tool.parametersSchema)
    : Effect.succeed
  return (args: unknown) =>
    Effect.orDie(encode(args)).pipe(
      Effect.flatMap((params) => toolkit.handle(tool.name, params as Tool.ParametersEncoded<Tools[string]>)),
      // What a handler gives before its result is for those who watch it.
      Effect.flatMap((results) => Stream.runLast(Stream.filter(results, ({ preliminary }) => !preliminary))),
      Effect.flatMap(Option.match({
        onNone: () => Effect.die(new Error(`The handler of ${tool.name} gave no result`)),
        onSome: Effect.succeed
      })),
      Effect.catch((error) => isBug(error) ? Effect.die(error) : Effect.fail(error)),
      Effect.flatMap(({ encodedResult, isFailure, modelOutput }) =>
        isFailure
          ? Effect.fail(LlmTool.failure(encodedResult))
          : Effect.succeed(
            modelOutput === undefined
              ? encodedResult
              : LlmTool.withParts("", modelOutput.map(PromptMessages.resultPart))
          )
      )
    )
}

/** A tool whose calls a person has to approve must not run without. */
const unapproved = ({ name, needsApproval }: Tool.Any): Result.Result<void, LlmError.Reason> =>
  needsApproval === undefined || needsApproval === false
    ? Result.succeed(undefined)
    : Result.fail(LlmError.UnsupportedFeature.make({
      feature: `approval of the tool ${name}`,
      message:
        `the tool ${name} needs approval: decide on its calls by the option approve of runTools, and pass the tool ` +
        "with setNeedsApproval(false)"
    }))

/** The tools of a toolkit with their handlers; or the reason why one of them cannot be run. */
export const handled = <Tools extends Record<string, Tool.Any>>(
  toolkit: Toolkit.WithHandler<Tools>
): Result.Result<ReadonlyArray<Runnable<Tools[keyof Tools]>>, LlmError.Reason> =>
  Result.all(
    Object.values(toolkit.tools).map((tool) =>
      Result.flatMap(unapproved(tool), () =>
        Result.map(definition(tool), (defined) =>
          // The handler of the tool with this name has the types of this tool.
          (isProviderTool(defined)
            ? defined
            : LlmTool.handle(defined, handlerOf(toolkit, tool))) as unknown as Runnable<Tools[keyof Tools]>))
    )
  )

/** The parameters of a call in a conversation: `effect/ai` keeps them in their encoded form. */
export const encodedParams = (_: ReadonlyArray<Tool.Any>) => (_: string, params: unknown): unknown => params

// ---------------------------------------------------------------------------------------------------------------------
// Our tools as theirs
// ---------------------------------------------------------------------------------------------------------------------

/** A schema of objects for a JSON Schema; or none where Effect cannot express it. */
export const objectSchema = (
  jsonSchema: object
): Option.Option<Schema.Codec<Json.JsonObject, { [key: string]: unknown }>> =>
  Option.map(
    Option.liftThrowable(SchemaRepresentation.fromJsonSchemaDocument)(
      JsonSchema.fromSchemaDraft2020_12({ ...jsonSchema }),
      // It is the program's own.
      { patterns: "apply" }
    ),
    ({ ast }) => Schema.make<Schema.Codec<Json.JsonObject, { [key: string]: unknown }>>(ast)
  )

/** The calls of an answer are for the client, which finds the mistakes in them. */
export const unresolved = { disableToolCallResolution: true, toolCallValidation: "deferred" } as const

const toolFor = ({ description, name, parameters }: LlmRequest.Tool) =>
  Tool.dynamic(name, { description, parameters: { ...parameters } as JsonSchema.JsonSchema })

/** A tool that the provider runs. Its parameters and results may be of any form: they are kept as they come. */
const definedFor = ({ args, id, name, providerName }: DefinedTools.Named) =>
  Tool.providerDefined({
    id,
    customName: name,
    providerName,
    args: Schema.Unknown,
    parameters: Schema.Unknown,
    success: Schema.Unknown,
    failure: Schema.Unknown
  })(args)

/** The tools of a request as a toolkit that nobody runs. */
export const toolkitOf = (
  tools: ReadonlyArray<LlmRequest.Tool>,
  defined: ReadonlyArray<DefinedTools.Named>
): Toolkit.WithHandler<{ readonly [name: string]: ReturnType<typeof toolFor> | ReturnType<typeof definedFor> }> => ({
  tools: Object.fromEntries([
    ...tools.map((tool) => [tool.name, toolFor(tool)] as const),
    ...defined.map((tool) => [tool.name, definedFor(tool)] as const)
  ]),
  handle: (name) => Effect.die(new Error(`The tool ${name} is run by the client, and not by the model`))
})
