import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt, PromptTool } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { checks, invalid, problem, records, strings, toTool } from "../protocol.js"
import { serverToolsOf, serverToolsProblem } from "./serverTools.js"
import { camelCase, member } from "./service.js"

// ---------------------------------------------------------------------------------------------------------------------
// Schemas in Gemini's subset of OpenAPI
// ---------------------------------------------------------------------------------------------------------------------

const keywords = new Set([
  "anyOf",
  "default",
  "description",
  "enum",
  "example",
  "format",
  "items",
  "maxItems",
  "maxLength",
  "maxProperties",
  "maximum",
  "minItems",
  "minLength",
  "minProperties",
  "minimum",
  "nullable",
  "pattern",
  "properties",
  "propertyOrdering",
  "required",
  "title",
  "type"
])

const childrenOf = (schema: Json): ReadonlyArray<readonly [path: string, schema: Json]> => [
  ...Object.entries(isRecord(schema.properties) ? schema.properties : {})
    .flatMap(([, child], index) => isRecord(child) ? [[`.properties[${index}].value`, child] as const] : []),
  ...(isRecord(schema.items) ? [[".items", schema.items] as const] : []),
  ...records(member(schema, "anyOf")).map((child, index) => [`.any_of[${index}]`, child] as const)
]

const openApiProblem = (schema: Json, path: string): Invalid | undefined => {
  const unknown = Object.keys(schema).find((name) => !keywords.has(camelCase(name)))
  if (unknown !== undefined) {
    return problem(`Invalid JSON payload received. Unknown name "${unknown}" at '${path}': Cannot find field.`, path)
  }
  return childrenOf(schema).map(([step, child]) => openApiProblem(child, path + step)).find((each) =>
    each !== undefined
  )
}

/** The equivalent JSON Schema. */
const fromOpenApi = (schema: Json): Json => {
  const { items, nullable, properties, type, ...rest } = schema
  const alternatives = member(schema, "anyOf")
  const name = typeof type === "string" ? type.toLowerCase() : type
  return {
    ...rest,
    ...(name !== undefined && { type: nullable === true ? [name, "null"] : name }),
    ...(isRecord(properties) && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, child]) => [key, isRecord(child) ? fromOpenApi(child) : child])
      )
    }),
    ...(isRecord(items) && { items: fromOpenApi(items) }),
    ...(Array.isArray(alternatives) && { anyOf: records(alternatives).map(fromOpenApi) })
  }
}

/** A schema from one of two fields: one for OpenAPI, one for JSON Schema. */
const decodeSchema = (
  json: Json,
  [openApi, jsonSchema]: readonly [openApi: string, jsonSchema: string],
  path: string
): Either.Either<unknown, Invalid> => {
  const inOpenApi = member(json, openApi)
  const inJsonSchema = member(json, jsonSchema)
  if (inOpenApi !== undefined && inJsonSchema !== undefined) {
    return invalid(`* GenerateContentRequest.${path}: Only one of ${openApi} and ${jsonSchema} can be set.\n`)
  }
  if (!isRecord(inOpenApi)) return Either.right(inJsonSchema)
  const issue = openApiProblem(inOpenApi, `${path}.${openApi}`)
  return issue === undefined ? Either.right(fromOpenApi(inOpenApi)) : Either.left(issue)
}

// ---------------------------------------------------------------------------------------------------------------------
// Tools and formats
// ---------------------------------------------------------------------------------------------------------------------

const decodeTool = (tool: Json, path: string): Either.Either<PromptTool, Invalid> =>
  Either.gen(function*() {
    const { name } = tool
    if (typeof name !== "string" || !/^[a-zA-Z_][\w.:-]{0,63}$/.test(name)) {
      return yield* invalid(
        `* GenerateContentRequest.${path}.name: Invalid function name. Must start with a letter or an underscore. Must be ` +
          "alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of " +
          "64.\n"
      )
    }
    const parameters = yield* decodeSchema(tool, ["parameters", "parametersJsonSchema"], path)
    return toTool({ ...tool, parameters })
  })

const modes: ReadonlyArray<unknown> = ["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]

/** The functions that the model may call, and the tools that the service runs. */
export const decodeTools = (
  request: Json,
  model: string
): Either.Either<Pick<Prompt, "tools" | "serverTools" | "toolChoice">, Invalid> =>
  Either.gen(function*() {
    const declared: Array<PromptTool> = []
    for (const [index, tool] of records(request.tools).entries()) {
      for (const [i, declaration] of records(member(tool, "functionDeclarations")).entries()) {
        declared.push(yield* decodeTool(declaration, `tools[${index}].function_declarations[${i}]`))
      }
    }
    const settings = member(request, "toolConfig")
    const serverTools = serverToolsOf(request)
    yield* checks(serverToolsProblem(request, { model, tools: declared }))
    const served = serverTools.length === 0 ? {} : { serverTools }
    const calling = isRecord(settings) ? member(settings, "functionCallingConfig") : undefined
    if (!isRecord(calling)) return { tools: declared, ...served, toolChoice: "auto" as const }
    const { mode = "AUTO" } = calling
    const allowed = strings(member(calling, "allowedFunctionNames"))
    const unknown = allowed.find((name) => !declared.some((tool) => tool.name === name))
    yield* checks(
      modes.includes(mode) ? undefined : problem(
        `Invalid value at 'tool_config.function_calling_config.mode', ${JSON.stringify(mode)}`,
        "tool_config.function_calling_config.mode"
      ),
      mode === "ANY" && declared.length === 0
        ? problem("Function calling config is set without function_declarations.")
        : undefined,
      allowed.length > 0 && mode !== "ANY" && mode !== "VALIDATED"
        ? problem("Function calling mode must be ANY or VALIDATED when allowed_function_names are set.")
        : undefined,
      unknown === undefined ? undefined : problem(
        `* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: ${unknown} is not declared.\n`
      )
    )
    const [name] = allowed
    return {
      ...served,
      tools: allowed.length === 0 ? declared : declared.filter((tool) => allowed.includes(tool.name)),
      toolChoice: mode === "NONE"
        ? "none" as const
        : mode !== "ANY"
        ? "auto" as const
        : name !== undefined && allowed.length === 1
        ? { tool: name }
        : "required" as const
    }
  })

/** The format of the answer. */
export const decodeFormat = (config: Json): Either.Either<Prompt["format"], Invalid> =>
  Either.gen(function*() {
    const type = member(config, "responseMimeType") ?? "text/plain"
    const schema = yield* decodeSchema(config, ["responseSchema", "responseJsonSchema"], "generation_config")
    if (type === "application/json") return schema === undefined ? "json" as const : { schema }
    if (type !== "text/plain") {
      return yield* invalid(
        "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, " +
          "`application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n"
      )
    }
    return schema === undefined ? "text" as const : yield* invalid(
      "* GenerateContentRequest.generation_config.response_schema: only supported when response_mime_type is " +
        "application/json.\n"
    )
  })
