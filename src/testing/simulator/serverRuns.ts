import type { Prompt } from "./prompt.js"
import type { ServerRun, ServerTool } from "./serverTools.js"
import { hasWord, keywords } from "./summary.js"

/** The address of a page in a text. */
const address = /https?:\/\/[^\s<>"')\]]*[^\s<>"')\].,;:!?]/

/** The result of a tool, about the first words of the prompt. */
const runOf = (tool: ServerTool, words: ReadonlyArray<string>, text: string): ReadonlyArray<ServerRun> => {
  const query = words.join(" ")
  switch (tool.kind) {
    case "web_search": {
      const pages = words.map((word) => ({
        url: `https://example.com/${encodeURIComponent(word)}`,
        title: `On ${word}`
      }))
      return [{ kind: "web_search", query, pages }]
    }
    case "web_fetch": {
      const url = address.exec(text)?.[0]
      return url === undefined
        ? []
        : [{ kind: "web_fetch", url, title: `On ${words[0]}`, text: `This page is about ${words.join(" and ")}.` }]
    }
    case "code_execution":
      return [{ kind: "code_execution", code: `print(${JSON.stringify(query)})`, output: `${query}\n` }]
    case "file_search": {
      const files = words.map((word) => ({
        id: `file-${word}`,
        name: `${word}.txt`,
        text: `This file is about ${word}.`
      }))
      return [{ kind: "file_search", query, files }]
    }
    case "mcp": {
      const [name] = tool.tools ?? []
      return name === undefined ? [] : [{
        kind: "mcp",
        server: tool.name,
        tool: name,
        arguments: { query },
        output: `The server knows about ${words.join(" and ")}.`,
        ...(tool.guarded?.includes(name) === true && { waits: true })
      }]
    }
    case undefined:
      return []
  }
}

/** The words by which a prompt asks for a tool: its kind, and its own name. */
const namesOf = ({ kind, name }: ServerTool): ReadonlyArray<string> => kind === undefined ? [] : [kind, name]

const namedIn = (tools: ReadonlyArray<ServerTool>, text: string): ReadonlyArray<ServerTool> =>
  tools.filter((tool) => namesOf(tool).some((name) => hasWord(text, name)))

/**
 * The tools that the service runs before the model's text: the one that the request requires, or those that the last
 * user message names. If the program approved calls, only those are run.
 */
export const runsOf = (prompt: Prompt): ReadonlyArray<ServerRun> => {
  const { decisions = [], serverTools = [], text, toolChoice, tools, turns } = prompt
  const about = serverTools.flatMap(namesOf)
    .reduce((rest, name) => rest.replaceAll(name, " "), text.replace(address, " "))
  const words = keywords(about).slice(0, 2)
  if (decisions.length > 0) {
    return decisions.flatMap(({ id, isApproved, ...call }): ReadonlyArray<ServerRun> =>
      isApproved
        ? [{ kind: "mcp", ...call, output: `The server knows about ${words.join(" and ")}.`, approval: id }]
        : []
    )
  }
  if (toolChoice === "none" || turns.at(-1)?.role !== "user") return []
  if (typeof toolChoice === "object") {
    return serverTools.filter(({ name }) => name === toolChoice.tool).flatMap((tool) => runOf(tool, words, text))
  }
  const named = namedIn(serverTools, text)
  const wanted = named.length === 0 && toolChoice === "required" && tools.length === 0
    ? serverTools.slice(0, 1)
    : named
  return wanted.flatMap((tool) => runOf(tool, words, text))
}
