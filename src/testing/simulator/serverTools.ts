/** Tools that a service runs: their declarations in a request, and their results. */

/**
 * The kinds of tools that the simulator plays. A prompt that has such a word makes the service run that tool, in every
 * protocol that has it: `code_execution` is also OpenAI's code interpreter, `web_fetch` also Gemini's URL context.
 */
export type ServerToolKind = "web_search" | "web_fetch" | "code_execution" | "file_search" | "mcp"

/** A tool that the service runs, as the request declares it. */
export interface ServerTool {
  /** The protocol's name for it: `code_interpreter`, or the label of an MCP server. */
  readonly name: string
  /** Absent: the simulator does not play it. */
  readonly kind?: ServerToolKind | undefined
  /** The tools of an MCP server that may be called. */
  readonly tools?: ReadonlyArray<string> | undefined
  /** The tools of an MCP server whose calls wait for the program's approval. Absent: none. */
  readonly guarded?: ReadonlyArray<string> | undefined
}

/** The tools of an MCP server, unless the request names others. */
export const mcpTools: ReadonlyArray<string> = ["search"]

interface Run {
  /**
   * The reason why it failed, in the service's word: `unavailable`. The answer has status 200 all the same. Absent: it
   * did not fail.
   */
  readonly error?: string | undefined
}

/** A web search, and the pages that it found. */
export interface WebSearch extends Run {
  readonly kind: "web_search"
  readonly query: string
  readonly pages: ReadonlyArray<{ readonly url: string; readonly title: string }>
}

/** A page that was read. */
export interface WebFetch extends Run {
  readonly kind: "web_fetch"
  readonly url: string
  readonly title: string
  readonly text: string
}

/** Python that was run, and its output. */
export interface CodeExecution extends Run {
  readonly kind: "code_execution"
  readonly code: string
  readonly output: string
}

/** A file search, and the pieces that it found. */
export interface FileSearch extends Run {
  readonly kind: "file_search"
  readonly query: string
  readonly files: ReadonlyArray<{ readonly id: string; readonly name: string; readonly text: string }>
}

/** A call of a tool of an MCP server. */
export interface McpCall extends Run {
  readonly kind: "mcp"
  /** The label of the server. */
  readonly server: string
  readonly tool: string
  readonly arguments: unknown
  readonly output: string
  /** Whether it waits for the program's approval: the answer then ends with it. Default: false. */
  readonly waits?: boolean | undefined
  /** The id of the request for approval that the program granted. Absent: it needed none. */
  readonly approval?: string | undefined
}

/** A tool that the service ran, and its result. */
export type ServerRun = WebSearch | WebFetch | CodeExecution | FileSearch | McpCall

/** A program's decision on a call that waited for approval. */
export interface Decision extends Pick<McpCall, "server" | "tool" | "arguments"> {
  /** The id of the request for approval. */
  readonly id: string
  readonly isApproved: boolean
}

/** The runs of a kind that did not fail. */
export const succeeded = <Kind extends ServerToolKind>(
  runs: ReadonlyArray<ServerRun>,
  kind: Kind
): ReadonlyArray<Extract<ServerRun, { readonly kind: Kind }>> =>
  runs.filter((run): run is Extract<ServerRun, { readonly kind: Kind }> => run.kind === kind && run.error === undefined)
