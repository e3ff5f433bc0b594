import type { Completion, Prompt } from "../prompt.js"
import type { Json } from "../protocol.js"
import { records, strings } from "../protocol.js"
import type { CodeExecution, FileSearch, McpCall, ServerRun, WebSearch } from "../serverTools.js"
import { succeeded } from "../serverTools.js"
import { deltas, fragments } from "../streaming.js"
import type { Item } from "./responsesItem.js"

/** The items of the tools that the service ran. */

/** The parts of an item, besides the run. */
interface Place {
  readonly id: (prefix: string) => string
  /** Whether the request wants a detail of items to be included. */
  readonly includes: (detail: string) => boolean
}

const states = (item: string, ...names: ReadonlyArray<string>): Item["events"] =>
  names.map((name) => ({ type: `response.${item}.${name}` }))

const statusOf = ({ error }: ServerRun): "completed" | "failed" => error === undefined ? "completed" : "failed"

/** The last event of an item. Only some kinds of items have one for a failure. */
const ending = (item: string, run: ServerRun, hasFailed = false): Item["events"] =>
  run.error === undefined ? states(item, "completed") : hasFailed ? states(item, "failed") : []

const webSearch = (run: WebSearch, { id, includes }: Place): Item => {
  const type = "web_search_call"
  const item = { id: id("ws"), type }
  const sources = run.error === undefined ? run.pages.map(({ url }) => ({ type: "url", url })) : []
  return {
    start: { ...item, status: "in_progress" },
    events: [...states(type, "in_progress", "searching"), ...ending(type, run)],
    whole: {
      ...item,
      status: statusOf(run),
      action: { type: "search", query: run.query, ...(includes("web_search_call.action.sources") && { sources }) }
    }
  }
}

const fileSearch = (run: FileSearch, { id, includes }: Place): Item => {
  const type = "file_search_call"
  const item = { id: id("fs"), type }
  const files = run.error === undefined ? run.files : []
  return {
    start: { ...item, status: "in_progress", queries: [], results: null },
    events: [...states(type, "in_progress", "searching"), ...ending(type, run)],
    whole: {
      ...item,
      status: statusOf(run),
      queries: [run.query],
      results: includes("file_search_call.results")
        ? files.map((file, index) => ({
          attributes: {},
          file_id: file.id,
          filename: file.name,
          score: 1 / (index + 1),
          text: file.text
        }))
        : null
    }
  }
}

const codeInterpreter = (run: CodeExecution, { id, includes }: Place): Item => {
  const type = "code_interpreter_call"
  const item = { id: id("ci"), type, container_id: id("cntr") }
  return {
    start: { ...item, status: "in_progress", code: "", outputs: null },
    events: [
      ...states(type, "in_progress"),
      ...deltas(run.code).map((delta) => ({ type: "response.code_interpreter_call_code.delta", delta })),
      { type: "response.code_interpreter_call_code.done", code: run.code },
      ...states(type, "interpreting"),
      ...ending(type, run)
    ],
    whole: {
      ...item,
      status: statusOf(run),
      code: run.code,
      outputs: includes("code_interpreter_call.outputs") ? [{ type: "logs", logs: run.error ?? run.output }] : null
    }
  }
}

/** The arguments of every tool of a server that the simulator plays. */
const inputSchema = { type: "object", properties: { query: { type: "string" } }, required: ["query"] }

/** The tools of a server, which the service asks for once in a conversation. */
const mcpTools = (label: string, tools: ReadonlyArray<string>, { id }: Place): Item => {
  const type = "mcp_list_tools"
  const item = { id: id("mcpl"), type, server_label: label }
  return {
    start: { ...item, tools: [] },
    events: states(type, "in_progress", "completed"),
    whole: {
      ...item,
      tools: tools.map((name) => ({
        name,
        description: `The knowledge of ${label}.`,
        input_schema: inputSchema,
        annotations: null
      })),
      error: null
    }
  }
}

const mcpCall = (run: McpCall, { id }: Place): Item => {
  const args = JSON.stringify(run.arguments)
  const called = { name: run.tool, server_label: run.server }
  if (run.waits === true) {
    const whole = { id: id("mcpr"), type: "mcp_approval_request", arguments: args, ...called }
    return { start: whole, events: [], whole }
  }
  const type = "mcp_call"
  const item = { id: id("mcp"), type, approval_request_id: run.approval ?? null, ...called }
  const failure = run.error !== undefined &&
    { type: "mcp_tool_execution_error", content: [{ type: "text", text: run.error }] }
  return {
    start: { ...item, status: "in_progress", arguments: "", error: null, output: null },
    events: [
      ...states(type, "in_progress"),
      ...fragments(args).map((delta) => ({ type: "response.mcp_call_arguments.delta", delta })),
      { type: "response.mcp_call_arguments.done", arguments: args },
      ...ending(type, run, true)
    ],
    whole: {
      ...item,
      status: statusOf(run),
      arguments: args,
      error: failure === false ? null : failure,
      output: failure === false ? run.output : null
    }
  }
}

const itemsOf = (run: ServerRun, place: Place): ReadonlyArray<Item> => {
  switch (run.kind) {
    case "web_search":
      return [webSearch(run, place)]
    case "file_search":
      return [fileSearch(run, place)]
    case "code_execution":
      return [codeInterpreter(run, place)]
    case "mcp":
      return [mcpCall(run, place)]
    // The service has no such tool.
    case "web_fetch":
      return []
  }
}

/** The items of the service's tools: first the lists of the servers whose tools are not in the conversation yet. */
export const serverItems = (
  { fingerprint, serverRuns }: Completion,
  { request, serverTools = [] }: Prompt
): ReadonlyArray<Item> => {
  const place = (index: number): Place => ({
    id: (prefix) => `${prefix}_${fingerprint.slice(index, 48 + index)}`,
    includes: (detail) => strings(request.include).includes(detail)
  })
  const listed = new Set(
    records(request.input).flatMap(({ server_label, type }) => type === "mcp_list_tools" ? [server_label] : [])
  )
  const servers = serverTools.filter(({ kind, name }) => kind === "mcp" && !listed.has(name))
  return [
    ...servers.map(({ name, tools = [] }, index) => mcpTools(name, tools, place(index))),
    ...serverRuns.flatMap((run, index) => itemsOf(run, place(index)))
  ]
}

/** The text cites each page and each file once. */
export const annotationsOf = ({ serverRuns, text }: Completion): ReadonlyArray<Json> => [
  ...succeeded(serverRuns, "web_search").flatMap(({ pages }) =>
    pages.map(({ title, url }) => ({ type: "url_citation", start_index: 0, end_index: text.length, title, url }))
  ),
  ...succeeded(serverRuns, "file_search").flatMap(({ files }) =>
    files.map(({ id, name }) => ({ type: "file_citation", index: text.length, file_id: id, filename: name }))
  )
]

/** The count of the service's web searches. */
export const toolUsage = ({ serverRuns }: Completion): Json => {
  const searches = serverRuns.filter(({ kind }) => kind === "web_search").length
  return searches === 0 ? {} : { tool_usage: { web_search: { num_requests: searches } } }
}

/** Whether the answer ends with a call that waits for the program's approval. */
export const waitsForLeave = ({ serverRuns }: Completion): boolean =>
  serverRuns.some((run) => run.kind === "mcp" && run.waits === true)
