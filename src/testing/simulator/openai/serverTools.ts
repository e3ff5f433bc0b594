import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { parseJson, problem, records, strings } from "../protocol.js"
import { type Decision, mcpTools, type ServerTool, type ServerToolKind } from "../serverTools.js"
import { isFirstParty } from "./service.js"

/** The tools of Responses that the service runs: their declarations, their choice, and decisions on their calls. */

const kinds: ReadonlyMap<string, ServerToolKind> = new Map([
  ["web_search", "web_search"],
  ["file_search", "file_search"],
  ["code_interpreter", "code_execution"],
  ["mcp", "mcp"]
])

const types: ReadonlyArray<string> = [
  "function",
  "file_search",
  "computer",
  "computer_use",
  "web_search",
  "mcp",
  "code_interpreter",
  "programmatic_tool_calling",
  "image_generation",
  "local_shell",
  "shell",
  "custom",
  "namespace",
  "tool_search",
  "apply_patch"
]

/** The name of a tool without the date and the suffix of its version. */
const nameOf = (type: string): string => type.replace(/(?:_preview)?(?:_\d+)*$/, "")

const namesIn = (filter: unknown): ReadonlyArray<string> =>
  strings(isRecord(filter) ? filter.tool_names : filter).filter((name) => name !== "")

/** The tools of a server whose calls wait for approval: all, unless the request says otherwise. */
const guardedOf = (approval: unknown, tools: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (approval === "never") return []
  if (!isRecord(approval)) return tools
  const free = namesIn(approval.never)
  const guarded = namesIn(approval.always)
  return guarded.length > 0 ? guarded : tools.filter((name) => !free.includes(name))
}

const mcpTool = ({ allowed_tools: allowed, require_approval: approval, server_label: label }: Json): ServerTool => {
  const names = namesIn(allowed)
  const tools = names.length === 0 ? mcpTools : names
  return { name: String(label), kind: "mcp", tools, guarded: guardedOf(approval, tools) }
}

/** The tools of a request that the service runs. */
export const serverToolsOf = ({ tools }: Json): ReadonlyArray<ServerTool> =>
  records(tools).flatMap((tool) => {
    if (typeof tool.type !== "string" || tool.type === "function") return []
    const name = nameOf(tool.type)
    return name === "mcp" ? [mcpTool(tool)] : [{ name, kind: kinds.get(name) }]
  })

/** The name of the service's tool that must be used. */
export const chosenName = (choice: Json): string | undefined =>
  typeof choice.type !== "string" || choice.type === "function"
    ? undefined
    : choice.type === "mcp"
    ? String(choice.server_label)
    : nameOf(choice.type)

const missing = (path: string): Invalid =>
  problem(`Missing required parameter: '${path}'.`, path, "missing_required_parameter")

const requiredFields: { readonly [name: string]: ReadonlyArray<string> } = {
  code_interpreter: ["container"],
  file_search: ["vector_store_ids"],
  mcp: ["server_label"]
}

const declarationProblem = (tool: Json, path: string, isKnownOnly: boolean): Invalid | undefined => {
  const { type } = tool
  if (typeof type !== "string") return undefined
  const name = nameOf(type)
  if (isKnownOnly && !types.includes(name)) {
    const known = types.map((each) => `'${each}'`).join(", ")
    return problem(`Invalid value: '${type}'. Supported values are: ${known}.`, `${path}.type`, "invalid_value")
  }
  const field = requiredFields[name]?.find((each) => tool[each] === undefined || tool[each] === null)
  if (field !== undefined) return missing(`${path}.${field}`)
  const { connector_id: connector = null, server_url: url = null, vector_store_ids: stores } = tool
  if (name === "file_search" && strings(stores).length === 0) {
    return problem(
      `Invalid '${path}.vector_store_ids': empty array. Expected an array with minimum length 1, but got an empty array ` +
        "instead.",
      `${path}.vector_store_ids`,
      "empty_array"
    )
  }
  return name === "mcp" && (url === null) === (connector === null)
    ? problem(`Exactly one of 'server_url' and 'connector_id' must be provided for '${path}'.`, path, "invalid_value")
    : undefined
}

const details: ReadonlyArray<unknown> = [
  "file_search_call.results",
  "web_search_call.results",
  "web_search_call.action.sources",
  "message.input_image.image_url",
  "computer_call_output.output.image_url",
  "code_interpreter_call.outputs",
  "reasoning.encrypted_content",
  "message.output_text.logprobs"
]

const includeProblem = ({ include }: Json): Invalid | undefined => {
  const unknown = strings(include ?? []).findIndex((detail) => !details.includes(detail))
  return unknown === -1 ? undefined : problem(
    `Invalid value: '${strings(include)[unknown]}'. Supported values are: ` +
      `${details.map((detail) => `'${String(detail)}'`).join(", ")}.`,
    `include[${unknown}]`,
    "invalid_value"
  )
}

/** Two servers under one label could not be distinguished. */
const labelProblem = (request: Json): Invalid | undefined => {
  const labels = serverToolsOf(request).flatMap(({ kind, name }) => kind === "mcp" ? [name] : [])
  const twice = labels.find((label, index) => labels.indexOf(label) !== index)
  return twice === undefined
    ? undefined
    : problem(`Duplicate MCP server label found: '${twice}'. Labels must be unique.`, "tools", "invalid_value")
}

/** Checks the declarations of the service's tools. Compatible hosts have their own tools. */
export const serverToolsProblem = (request: Json, model: string): Invalid | undefined =>
  records(request.tools)
    .map((tool, index) => declarationProblem(tool, `tools[${index}]`, isFirstParty(model)))
    .find((each) => each !== undefined) ??
    labelProblem(request) ??
    (isFirstParty(model) ? includeProblem(request) : undefined)

/** Checks the program's decision on a call: it is about a request in the conversation. */
export const decisionProblem = (
  item: Json,
  path: string,
  asked: ReadonlySet<unknown>
): Invalid | undefined => {
  const { approval_request_id: id, approve } = item
  if (typeof id !== "string") return missing(`${path}.approval_request_id`)
  if (typeof approve !== "boolean") return missing(`${path}.approve`)
  return asked.has(id) ? undefined : problem(`No approval request found with id '${id}'.`, "input")
}

/** The program's decisions since the last message of the conversation. */
export const decisionsOf = (request: Json): Pick<Prompt, "decisions"> => {
  const items = records(request.input)
  const last = items.findLastIndex(({ type = "message" }) => type === "message")
  const decisions = items.slice(last + 1).flatMap((item): ReadonlyArray<Decision> => {
    if (item.type !== "mcp_approval_response") return []
    const asked = items.find(({ id, type }) => type === "mcp_approval_request" && id === item.approval_request_id)
    return asked === undefined ? [] : [{
      id: String(asked.id),
      server: String(asked.server_label),
      tool: String(asked.name),
      arguments: Either.getOrElse(parseJson(String(asked.arguments)), () => ({})),
      isApproved: item.approve === true
    }]
  })
  return decisions.length === 0 ? {} : { decisions }
}
