import { isRecord } from "effect/Predicate"
import type { Envelope, Invalid, Json } from "../protocol.js"
import { problem, records } from "../protocol.js"
import { isSealed } from "../seal.js"
import { mcpTools, type ServerTool, type ServerToolKind } from "../serverTools.js"

/** The tools of Messages that the service runs: their declarations, and their blocks on the way back. */

/** The versions of the tools that the simulator plays. */
const versions: { readonly [name: string]: ReadonlyArray<string> } = {
  web_search: ["20250305", "20260209", "20260318"],
  web_fetch: ["20250910", "20260209", "20260309", "20260318"],
  code_execution: ["20250522", "20250825", "20260120", "20260521"]
}

const isPlayed = (name: string): name is ServerToolKind => Object.hasOwn(versions, name)

/** Tools that it does not play, and those that the program runs for the service. */
const others = /^(?:bash|text_editor|computer|memory|advisor|tool_search_tool_(?:regex|bm25))(?:_\d{8})?$/

/** The tools of a server of MCP that may be called. */
const enabledTools = ({ configs, default_config: all }: Json): ReadonlyArray<string> => {
  const named = Object.entries(isRecord(configs) ? configs : {}).flatMap(([name, config]) =>
    isRecord(config) && config.enabled === true ? [name] : []
  )
  return named.length > 0 || (isRecord(all) && all.enabled === false) ? named : mcpTools
}

const isServed = ({ type }: Json): boolean => typeof type === "string" && type !== "custom"

/** The tools of a request that the service runs. */
export const serverToolsOf = (tools: unknown): ReadonlyArray<ServerTool> =>
  records(tools).filter(isServed).map((tool): ServerTool => {
    if (tool.type === "mcp_toolset") {
      return { name: String(tool.mcp_server_name), kind: "mcp", tools: enabledTools(tool) }
    }
    const name = String(tool.name)
    return { name, ...(isPlayed(name) && { kind: name }) }
  })

const declarationProblem = (tool: Json, path: string): Invalid | undefined => {
  const { allowed_domains: allowed, blocked_domains: blocked, max_uses: uses, name } = tool
  const type = String(tool.type)
  if (type === "mcp_toolset") {
    return typeof tool.mcp_server_name === "string"
      ? undefined
      : problem(`${path}.mcp_toolset.mcp_server_name: Field required`)
  }
  if (others.test(type)) return undefined
  const [, family = "", version = ""] = /^(.+)_(\d{8})$/.exec(type) ?? []
  if (versions[family]?.includes(version) !== true) {
    const known = Object.entries(versions).flatMap(([family, dates]) => dates.map((date) => `'${family}_${date}'`))
    return problem(
      `${path}: Input tag '${type}' found using 'type' does not match any of the expected tags: 'custom', ` +
        `${known.join(", ")}, 'mcp_toolset'`
    )
  }
  if (name !== family) return problem(`${path}.${type}.name: Input should be '${family}'`)
  if (typeof uses === "number" && uses < 1) return problem(`${path}.${type}.max_uses: Input should be greater than 0`)
  return allowed !== undefined && blocked !== undefined
    ? problem(`${path}.${type}: Only one of 'allowed_domains' and 'blocked_domains' may be provided`)
    : undefined
}

const serverProblem = (server: Json, path: string): Invalid | undefined => {
  if (server.type !== "url") return problem(`${path}.type: Input should be 'url'`)
  const field = ["name", "url"].find((each) => typeof server[each] !== "string")
  return field === undefined ? undefined : problem(`${path}.${field}: Field required`)
}

/** Servers of MCP are a beta, and each has one set of tools. */
const mcpProblem = ({ mcp_servers: given, tools }: Json, headers: Envelope["headers"]): Invalid | undefined => {
  const sets = records(tools).filter(({ type }) => type === "mcp_toolset").map((set) => String(set.mcp_server_name))
  const servers = records(given)
  if (!/\bmcp-client-2025-11-20\b/.test(headers["anthropic-beta"] ?? "")) {
    return given !== undefined
      ? problem("mcp_servers: Extra inputs are not permitted")
      : sets.length > 0
      ? problem("tools: Input tag 'mcp_toolset' needs the beta 'mcp-client-2025-11-20'")
      : undefined
  }
  const wrong = servers.map((server, index) => serverProblem(server, `mcp_servers.${index}`))
    .find((each) => each !== undefined)
  if (wrong !== undefined) return wrong
  const names = servers.map(({ name }) => String(name))
  const unknown = sets.find((set) => !names.includes(set))
  if (unknown !== undefined) return problem(`tools: MCP server '${unknown}' is not defined in mcp_servers`)
  const unused = names.find((name) => sets.filter((set) => set === name).length !== 1)
  return unused === undefined
    ? undefined
    : problem(`mcp_servers: MCP server '${unused}' must be referenced by exactly one mcp_toolset in tools`)
}

/** Checks the declarations of the service's tools. */
export const serverToolsProblem = (request: Json, headers: Envelope["headers"]): Invalid | undefined =>
  records(request.tools)
    .map((tool, index) => isServed(tool) ? declarationProblem(tool, `tools.${index}`) : undefined)
    .find((each) => each !== undefined) ?? mcpProblem(request, headers)

const isCall = ({ type }: Json): boolean => type === "server_tool_use" || type === "mcp_tool_use"

const isResult = ({ type }: Json): boolean => /_tool_result$/.test(String(type))

/**
 * Checks the blocks of the service's tools in a turn of the model: encrypted content is unchanged, and each result has
 * its call. A call has its result in the same turn, or in a later one if the turn also called tools of the program; in
 * the last turn it need not have any. `calls` are those without a result, by their ids, which the turn changes.
 */
export const serverBlocksProblem = (
  blocks: ReadonlyArray<Json>,
  path: string,
  isLast: boolean,
  calls: Map<unknown, string>
): Invalid | undefined => {
  for (const [index, block] of blocks.entries()) {
    const { content, tool_use_id: id, type } = block
    if (isCall(block)) calls.set(block.id, String(block.name))
    if (!isResult(block)) continue
    if (!calls.delete(id)) {
      return problem(
        `${path}.${index}: unexpected \`tool_use_id\` found in \`${String(type)}\` blocks: ${String(id)}. Each \`${
          String(type)
        }\` block must have a corresponding call before it.`
      )
    }
    const isChanged = type === "web_search_tool_result" &&
      records(content).some(({ encrypted_content: encrypted }) => !isSealed(String(encrypted)))
    if (isChanged) {
      return problem(`${path}.${index}: Invalid \`encrypted_content\` in \`web_search_tool_result\` block`)
    }
  }
  const [open] = calls
  return open === undefined || isLast || blocks.some(({ type }) => type === "tool_use") ? undefined : problem(
    `${path}: \`${open[1]}\` tool use with id \`${String(open[0])}\` was found without a corresponding result block`
  )
}
