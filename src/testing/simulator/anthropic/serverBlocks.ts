import { sha256Hex } from "#sha256"
import { isRecord } from "effect/Predicate"
import type { Completion, Prompt } from "../prompt.js"
import type { Json } from "../protocol.js"
import { records } from "../protocol.js"
import { seal } from "../seal.js"
import type { CodeExecution, McpCall, ServerRun, WebFetch, WebSearch } from "../serverTools.js"
import { succeeded } from "../serverTools.js"
import { type Block, callBlock, wholeBlock } from "./block.js"

/** The blocks of the tools that the service ran: the call, and the result, which the service wants back as it is. */

/** The contents that the service encrypts, and recognizes when they come back. */
const sealed = (text: string): string => seal(sha256Hex(text).slice(0, 24))

/** A call, and its result or in its place an error, by the tool's name. */
const served = (
  { error }: ServerRun,
  call: { readonly id: string; readonly name: string; readonly input: Json },
  content: unknown
): ReadonlyArray<Block> => {
  const { id, input, name } = call
  const type = `${name}_tool_result`
  return [
    callBlock({ type: "server_tool_use", id, name }, JSON.stringify(input)),
    wholeBlock({
      type,
      tool_use_id: id,
      content: error === undefined ? content : { type: `${type}_error`, error_code: error }
    })
  ]
}

const webSearch = (run: WebSearch, id: string): ReadonlyArray<Block> =>
  served(
    run,
    { id, name: "web_search", input: { query: run.query } },
    run.pages.map(({ title, url }) => ({
      type: "web_search_result",
      title,
      url,
      page_age: null,
      encrypted_content: sealed(url)
    }))
  )

const webFetch = (run: WebFetch, id: string, isCited: boolean): ReadonlyArray<Block> =>
  served(run, { id, name: "web_fetch", input: { url: run.url } }, {
    type: "web_fetch_result",
    url: run.url,
    retrieved_at: "2026-01-01T00:00:00Z",
    content: {
      type: "document",
      title: run.title,
      source: { type: "text", media_type: "text/plain", data: run.text },
      citations: isCited ? { enabled: true } : null
    }
  })

/** Code is run by a command of the shell. */
const codeExecution = (run: CodeExecution, id: string): ReadonlyArray<Block> =>
  served(run, { id, name: "bash_code_execution", input: { command: `python3 <<'END'\n${run.code}\nEND` } }, {
    type: "bash_code_execution_result",
    stdout: run.output,
    stderr: "",
    return_code: 0,
    content: []
  })

const mcpCall = (run: McpCall, id: string): ReadonlyArray<Block> => [
  callBlock({ type: "mcp_tool_use", id, name: run.tool, server_name: run.server }, JSON.stringify(run.arguments)),
  wholeBlock({
    type: "mcp_tool_result",
    tool_use_id: id,
    is_error: run.error !== undefined,
    content: [{ type: "text", text: run.error ?? run.output }]
  })
]

/** Whether the request wants the pages that are read to be cited. */
const citesPages = ({ request: { tools } }: Prompt): boolean =>
  records(tools).some(({ citations, name }) =>
    name === "web_fetch" && isRecord(citations) && citations.enabled === true
  )

/** The blocks of the service's tools. */
export const serverBlocks = ({ fingerprint, serverRuns }: Completion, prompt: Prompt): ReadonlyArray<Block> =>
  serverRuns.flatMap((run, index): ReadonlyArray<Block> => {
    const id = (prefix: string) => `${prefix}_01${fingerprint.slice(8 + index, 30 + index)}`
    switch (run.kind) {
      case "web_search":
        return webSearch(run, id("srvtoolu"))
      case "web_fetch":
        return webFetch(run, id("srvtoolu"), citesPages(prompt))
      case "code_execution":
        return codeExecution(run, id("srvtoolu"))
      case "mcp":
        return mcpCall(run, id("mcptoolu"))
      // The service has no such tool.
      case "file_search":
        return []
    }
  })

/** The text cites once each page that a search found, and each that was read where the request wants that. */
export const citationsOf = ({ serverRuns }: Completion, prompt: Prompt): ReadonlyArray<Json> => [
  ...succeeded(serverRuns, "web_search").flatMap(({ pages }) =>
    pages.map(({ title, url }) => ({
      type: "web_search_result_location",
      cited_text: title,
      title,
      url,
      encrypted_index: sealed(`${url}#0`)
    }))
  ),
  ...(citesPages(prompt) ? succeeded(serverRuns, "web_fetch") : []).map(({ text, title }, index) => ({
    type: "char_location",
    cited_text: text,
    document_index: index,
    document_title: title,
    start_char_index: 0,
    end_char_index: text.length,
    file_id: null
  }))
]

/** The counts of the service's searches and reads of the web. */
export const toolUsage = ({ serverRuns }: Completion): Json => {
  const times = (kind: ServerRun["kind"]) => serverRuns.filter((run) => run.kind === kind).length
  const [searches, fetches] = [times("web_search"), times("web_fetch")]
  return searches + fetches === 0
    ? {}
    : { server_tool_use: { web_search_requests: searches, web_fetch_requests: fetches } }
}

/** The lifetime of a container, in milliseconds. */
const lifetime = 30 * 24 * 60 * 60 * 1000

/** The container in which code was run. `now` is in milliseconds since 1970. */
export const containerOf = ({ fingerprint, serverRuns }: Completion, now: number): Json =>
  serverRuns.some(({ kind }) => kind === "code_execution")
    ? {
      container: {
        id: `container_01${fingerprint.slice(0, 22)}`,
        expires_at: new Date(now + lifetime).toISOString(),
        skills: null
      }
    }
    : {}
