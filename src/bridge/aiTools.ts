import * as AiError from "@effect/ai/AiError"
import * as Tool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as LlmError from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmTool from "../output/LlmTool.js"
import type * as DefinedTools from "./definedTools.js"
import * as ProviderTools from "./providerTools.js"

// ---------------------------------------------------------------------------------------------------------------------
// Their tools as ours
// ---------------------------------------------------------------------------------------------------------------------

/** A tool of `@effect/ai` as one of ours, with its handler. */
export type Handled<T> = T extends Tool.Any ? LlmTool.Handled<
    T["name"],
    Schema.Schema<Tool.Parameters<T>, Tool.ParametersEncoded<T>, Tool.Requirements<T>>,
    Tool.HandlerError<T> | LlmTool.ToolFailure,
    Tool.Requirements<T>
  >
  : never

/** A tool that its provider runs, and others. */
export type Runnable<T> = T extends { readonly requiresHandler: false } ? LlmRequest.ProviderTool : Handled<T>

/** Any toolkit with its handlers, or how to get it. */
export type Source<Tools extends Record<string, Tool.Any>, E, R> =
  | Toolkit.WithHandler<Tools>
  | Effect.Effect<Toolkit.WithHandler<Tools>, E, R>

/**
 * The schema of a tool without parameters allows no property at all, which no provider's dialect of JSON Schema can
 * say.
 */
const hasNoParameters = ({ parametersSchema }: Tool.Any): boolean => parametersSchema === Tool.EmptyParams

/** A tool of ours: one of the program, or one that the provider runs. */
export type Defined = LlmTool.Any | LlmRequest.ProviderTool

/** Whether the provider runs it. */
export const isProviderTool = (tool: Defined): tool is LlmRequest.ProviderTool => "_tag" in tool

/** Whether the program runs it. */
export const isProgramTool = (tool: Defined): tool is LlmTool.Any => !isProviderTool(tool)

/** A tool without its handler; or the reason why there is none: a provider that is not known defines it. */
export const definition = (tool: Tool.Any): Either.Either<Defined, LlmError.Reason> => {
  if (Tool.isProviderDefined(tool)) {
    const known = ProviderTools.of(tool)
    if (known !== undefined) return Either.right(known)
    return Either.left(LlmError.UnsupportedFeature.make({
      feature: `the tool ${tool.name}`,
      message:
        `the tool ${tool.name} (${tool.id}) is defined by a provider, and no other provider or program has it: use the ` +
        "setting providerTools, for which LlmTool.providerTool, OpenAiTools, AnthropicTools and GeminiTools make such tools"
    }))
  }
  const { description, name, parametersSchema } = tool
  return Either.right(LlmTool.make(name, {
    description: description ?? Tool.getDescriptionFromSchemaAst(parametersSchema.ast),
    parameters: hasNoParameters(tool)
      ? Schema.Struct({})
      : Schema.make<unknown, unknown, unknown>(parametersSchema.ast)
  }))
}

/** A handler whose result does not fit its own schema is a mistake in the program, as are other faults of a toolkit. */
const isBug = (error: unknown): boolean => AiError.isAiError(error) && error.module === "Toolkit"

const handlerOf = <Tools extends Record<string, Tool.Any>>(toolkit: Toolkit.WithHandler<Tools>, tool: Tool.Any) => {
  const encode = Schema.encodeUnknown(Schema.make<unknown, unknown, unknown>(tool.parametersSchema.ast))
  return (args: unknown) =>
    Effect.orDie(encode(args)).pipe(
      // A toolkit decodes the parameters of its calls, although its types say otherwise.
      Effect.flatMap((params) => toolkit.handle(tool.name, params as Tool.Parameters<Tools[string]>)),
      Effect.catchAll((error) => isBug(error) ? Effect.die(error) : Effect.fail(error)),
      Effect.flatMap(({ encodedResult, isFailure }) =>
        isFailure ? Effect.fail(LlmTool.failure(encodedResult)) : Effect.succeed(encodedResult)
      )
    )
}

/** The tools of a toolkit with their handlers; or the reason why one of them cannot be run. */
export const handled = <Tools extends Record<string, Tool.Any>>(
  toolkit: Toolkit.WithHandler<Tools>
): Either.Either<ReadonlyArray<Runnable<Tools[keyof Tools]>>, LlmError.Reason> =>
  Either.all(
    Object.values(toolkit.tools).map((tool) =>
      Either.map(definition(tool), (defined) =>
        // The handler of the tool with this name has the types of this tool.
        (isProviderTool(defined)
          ? defined
          : LlmTool.handle(defined, handlerOf(toolkit, tool))) as unknown as Runnable<Tools[keyof Tools]>)
    )
  )

/**
 * The parameters of a call in a conversation, in their encoded form: `@effect/ai` keeps them decoded, or as JSON once
 * they were written. Parameters that the tool's schema cannot encode stay as they are.
 */
export const encodedParams = (tools: ReadonlyArray<Tool.Any>) => (name: string, params: unknown): unknown => {
  const tool = tools.find((tool) => tool.name === name)
  if (tool === undefined || hasNoParameters(tool)) return params
  return Either.getOrElse(
    Schema.encodeUnknownEither(Schema.make<unknown>(tool.parametersSchema.ast))(params),
    () => params
  )
}

// ---------------------------------------------------------------------------------------------------------------------
// Our tools as theirs
// ---------------------------------------------------------------------------------------------------------------------

const anyObject = Schema.Struct({}, Schema.Record({ key: Schema.String, value: Schema.Unknown }))

/** Any JSON object. Its JSON Schema is that of the annotation: no schema can be made of a JSON Schema. */
export const jsonObject = (jsonSchema: object) => anyObject.annotations({ jsonSchema })

/** The calls of an answer are for the client. */
export const unresolved = { disableToolCallResolution: true } as const

const toolFor = ({ description, name, parameters }: LlmRequest.Tool) =>
  Tool.make(name, { description }).setParameters(jsonObject(parameters))

/** A tool that the provider runs. Its parameters and results may be of any form: they are kept as they come. */
const definedFor = ({ args, id, name, providerName }: DefinedTools.Named) =>
  Object.assign(
    Tool.providerDefined({ id, toolkitName: name, providerName, args: {}, success: Schema.Unknown })(args),
    // The tool's own kind of parameters drops the fields that it does not name.
    { parametersSchema: anyObject }
  )

/** The tools of a request as a toolkit that nobody runs. */
export const toolkitOf = (
  tools: ReadonlyArray<LlmRequest.Tool>,
  defined: ReadonlyArray<DefinedTools.Named>
): Toolkit.WithHandler<{ readonly [name: string]: ReturnType<typeof toolFor> | ReturnType<typeof definedFor> }> => ({
  tools: Object.fromEntries([
    ...tools.map((tool) => [tool.name, toolFor(tool)] as const),
    ...defined.map((tool) => [tool.name, definedFor(tool)] as const)
  ]),
  handle: (name) => Effect.dieMessage(`The tool ${name} is run by the client, and not by the model`)
})
