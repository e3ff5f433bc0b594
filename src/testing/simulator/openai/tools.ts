import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { checks, invalid, problem, records, toTool } from "../protocol.js"
import type { ServerTool } from "../serverTools.js"
import { chosenName } from "./serverTools.js"
import { isFirstParty, nameProblem } from "./service.js"
import { strictProblem } from "./strictSchema.js"

/** The place of a function's fields in a protocol: in the member `function`, or beside `type`. */
export type Place = "function" | "flat"

const functionOf = (tool: Json, place: Place): Json =>
  place === "flat" ? tool : isRecord(tool.function) ? tool.function : {}

const toolProblem = (tool: Json, index: number, place: Place): Invalid | undefined => {
  const path = place === "flat" ? `tools[${index}]` : `tools[${index}].function`
  const { name, parameters, strict } = functionOf(tool, place)
  const wrong = nameProblem(typeof name === "string" ? name : undefined, `${path}.name`)
  if (wrong !== undefined) return wrong
  const issue = strict === true ? strictProblem(parameters) : undefined
  return issue === undefined
    ? undefined
    : problem(`Invalid schema for function '${name}': ${issue}`, `${path}.parameters`, "invalid_function_parameters")
}

const toolChoice = (choice: unknown, place: Place): Prompt["toolChoice"] => {
  if (choice === "none" || choice === "required") return choice
  if (!isRecord(choice)) return "auto"
  const served = place === "flat" ? chosenName(choice) : undefined
  const { name = served } = functionOf(choice, place)
  return typeof name === "string" ? { tool: name } : "auto"
}

/** The functions that the model may call, besides the tools that the service runs, which have other types. */
export const decodeTools = (
  body: Json,
  place: Place,
  serverTools: ReadonlyArray<ServerTool> = []
): Either.Either<Pick<Prompt, "tools" | "toolChoice" | "parallelToolCalls">, Invalid> =>
  Either.gen(function*() {
    const given = records(body.tools).filter(({ type = "function" }) => type === "function")
    yield* checks(...given.map((tool, index) => toolProblem(tool, index, place)))
    const tools = given.map((tool) => toTool(functionOf(tool, place)))
    const choice = toolChoice(body.tool_choice, place)
    if (body.tool_choice !== undefined && body.tool_choice !== null && records(body.tools).length === 0) {
      return yield* invalid(
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
        "tool_choice"
      )
    }
    if (typeof choice === "object" && ![...tools, ...serverTools].some(({ name }) => name === choice.tool)) {
      return yield* invalid(`Tool choice '${choice.tool}' not found in 'tools' parameter.`, "tool_choice")
    }
    return { tools, toolChoice: choice, parallelToolCalls: body.parallel_tool_calls !== false }
  })

/** The format of the answer. The other arguments name the fields in error messages. */
export const decodeFormat = (
  format: Json,
  { messages, model, path, place, turns }: {
    readonly model: string
    readonly turns: Prompt["turns"]
    readonly place: Place
    /** The field of the format. */
    readonly path: string
    /** The field of the conversation. */
    readonly messages: string
  }
): Either.Either<Prompt["format"], Invalid> => {
  switch (format.type) {
    case undefined:
    case "text":
      return Either.right("text")
    case "json_object":
      return isFirstParty(model) && !turns.some(({ text }) => /json/i.test(text))
        ? invalid(
          `'${messages}' must contain the word 'json' in some form, to use '${path}' of type 'json_object'.`,
          messages
        )
        : Either.right("json")
    case "json_schema": {
      const flat = place === "flat"
      const { name, schema, strict } = flat ? format : isRecord(format.json_schema) ? format.json_schema : {}
      const wrong = nameProblem(name, flat ? `${path}.name` : `${path}.json_schema.name`)
      if (wrong !== undefined) return Either.left(wrong)
      const issue = strict === true ? strictProblem(schema) : undefined
      return issue === undefined
        ? Either.right({ schema: schema ?? {} })
        : invalid(`Invalid schema for response_format '${name}': ${issue}`, flat ? `${path}.schema` : path)
    }
    default:
      return invalid(
        `Invalid value: '${String(format.type)}'. Supported values are: 'json_object', 'json_schema', and 'text'.`,
        `${path}.type`,
        "invalid_value"
      )
  }
}
