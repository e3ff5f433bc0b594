import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { problem, records } from "../protocol.js"
import type { ServerTool, ServerToolKind } from "../serverTools.js"
import { camelCase, member, snakeCase, versionOf } from "./service.js"

/** The tools of Gemini that the service runs: their declarations, and their parts on the way back. */

const kinds: ReadonlyMap<string, ServerToolKind> = new Map([
  ["googleSearch", "web_search"],
  ["urlContext", "web_fetch"],
  ["codeExecution", "code_execution"]
])

/** The fields of the tools that the simulator plays. */
const fields: { readonly [name: string]: ReadonlyArray<string> } = {
  googleSearch: ["timeRangeFilter", "excludeDomains", "blockingConfidence", "searchTypes"],
  urlContext: [],
  codeExecution: []
}

const known: ReadonlyArray<string> = [
  ...kinds.keys(),
  "functionDeclarations",
  "googleSearchRetrieval",
  "googleMaps",
  "enterpriseWebSearch",
  "computerUse",
  "fileSearch",
  "retrieval",
  "mcpServers"
]

/** The tools of a request that the service runs. */
export const serverToolsOf = (request: Json): ReadonlyArray<ServerTool> =>
  records(request.tools).flatMap((tool) => Object.keys(tool).map(camelCase)).flatMap((name) =>
    name === "functionDeclarations" ? [] : [{ name, kind: kinds.get(name) }]
  )

/** Whether the request asks for the calls of the service's tools. */
export const isTold = (request: Json): boolean => {
  const settings = member(request, "toolConfig")
  return isRecord(settings) && member(settings, "includeServerSideToolInvocations") === true
}

const unknownName = (name: string, path: string): Invalid =>
  problem(`Invalid JSON payload received. Unknown name "${name}" at '${path}': Cannot find field.`, path)

const declarationProblem = (tool: Json, path: string): Invalid | undefined => {
  const unknown = Object.keys(tool).find((name) => !known.includes(camelCase(name)))
  if (unknown !== undefined) return unknownName(unknown, path)
  for (const [name, settings] of Object.entries(tool)) {
    const given = fields[camelCase(name)]
    if (given === undefined) continue
    const place = `${path}.${snakeCase(name)}`
    if (!isRecord(settings)) return problem(`Invalid value at '${place}', ${JSON.stringify(settings)}`, place)
    const strange = Object.keys(settings).find((field) => !given.includes(camelCase(field)))
    if (strange !== undefined) return unknownName(strange, place)
  }
  return undefined
}

/** Checks the declarations of the service's tools, and that the model takes them beside functions. */
export const serverToolsProblem = (
  request: Json,
  { model, tools }: Pick<Prompt, "model" | "tools">
): Invalid | undefined => {
  const wrong = records(request.tools).map((tool, index) => declarationProblem(tool, `tools[${index}]`))
    .find((each) => each !== undefined)
  if (wrong !== undefined) return wrong
  if (tools.length === 0 || serverToolsOf(request).length === 0) return undefined
  if (versionOf(model) > 0 && versionOf(model) < 300) return problem("Tool use with function calling is unsupported")
  return isTold(request) ? undefined : problem(
    "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling."
  )
}

/** Checks that each result of the service's tools comes back after its call. */
export const serverPartsProblem = (parts: ReadonlyArray<Json>, path: string): Invalid | undefined => {
  const calls = new Set<unknown>()
  let code: unknown
  for (const [index, part] of parts.entries()) {
    const call = member(part, "toolCall")
    if (isRecord(call)) calls.add(call.id)
    const response = member(part, "toolResponse")
    if (isRecord(response) && !calls.delete(response.id)) {
      return problem(`* GenerateContentRequest.${path}.parts[${index}].tool_response: no tool_call has this id.\n`)
    }
    const run = member(part, "executableCode")
    if (isRecord(run)) code = run
    if (isRecord(member(part, "codeExecutionResult"))) {
      if (code === undefined) {
        return problem("Please ensure that code execution result parts come immediately after executable code parts.")
      }
      code = undefined
    }
  }
  return undefined
}
