/** Tools that a service runs: how a request declares them, and what came of them. */

/**
 * The kinds of tools that the simulator plays. A prompt that has such a word makes the service run that tool, in every
 * protocol that has it: `code_execution` is also OpenAI's code interpreter, `web_fetch` also Gemini's URL context.
 */
export type ServerToolKind = "web_search" | "web_fetch" | "code_execution" | "file_search" | "mcp"

/** A tool that the service runs, as the request declares it. */
export interface ServerTool {
  /** The name that the protocol has for it: `code_interpreter`, or the label of a server of MCP. */
  readonly name: string
  /** Absent: the simulator does not play it. */
  readonly kind?: ServerToolKind | undefined
  /** The tools of a server of MCP that may be called. */
  readonly tools?: ReadonlyArray<string> | undefined
  /** The tools of a server of MCP whose calls wait for the program's leave. Absent: none. */
  readonly guarded?: ReadonlyArray<string> | undefined
}

/** The tools that a server of MCP has, unless the request names others. */
export const mcpTools: ReadonlyArray<string> = ["search"]

interface Run {
  /** Why it failed, by the service's word: `unavailable`. The answer has status 200 all the same. Absent: it did not. */
  readonly error?: string | undefined
}

/** A search of the web, and the pages that it found. */
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

/** Python that was run, and what it printed. */
export interface CodeExecution extends Run {
  readonly kind: "code_execution"
  readonly code: string
  readonly output: string
}

/** A search of stored files, and the pieces that it found. */
export interface FileSearch extends Run {
  readonly kind: "file_search"
  readonly query: string
  readonly files: ReadonlyArray<{ readonly id: string; readonly name: string; readonly text: string }>
}

/** A call of a tool of a server of MCP. */
export interface McpCall extends Run {
  readonly kind: "mcp"
  /** The label of the server. */
  readonly server: string
  readonly tool: string
  readonly arguments: unknown
  readonly output: string
  /** Whether it waits for the program's leave: the answer then ends with it. Default: false. */
  readonly waits?: boolean | undefined
  /** The id of the request for leave that the program granted. Absent: it needed none. */
  readonly approval?: string | undefined
}

/** A tool that the service ran, and what came of it. */
export type ServerRun = WebSearch | WebFetch | CodeExecution | FileSearch | McpCall

/** A program's decision on a call that waited for its leave. */
export interface Decision extends Pick<McpCall, "server" | "tool" | "arguments"> {
  /** The id of the request for leave. */
  readonly id: string
  readonly isApproved: boolean
}

/** The runs of a kind that did not fail. */
export const succeeded = <Kind extends ServerToolKind>(
  runs: ReadonlyArray<ServerRun>,
  kind: Kind
): ReadonlyArray<Extract<ServerRun, { readonly kind: Kind }>> =>
  runs.filter((run): run is Extract<ServerRun, { readonly kind: Kind }> => run.kind === kind && run.error === undefined)
