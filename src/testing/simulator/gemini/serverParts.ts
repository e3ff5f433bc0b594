import type { Completion, Prompt } from "../prompt.js"
import { countTokens } from "../prompt.js"
import type { Json } from "../protocol.js"
import { seal } from "../seal.js"
import type { ServerRun } from "../serverTools.js"
import { succeeded } from "../serverTools.js"
import { isTold } from "./serverTools.js"
import { versionOf } from "./service.js"

/** The traces of the service's tools in an answer: parts, and fields of the candidate. */

/**
 * A call of the service and its result, which are shown beside the program's functions and go back with their
 * signature.
 */
const told = (id: string, toolType: string, args: Json, response: Json): ReadonlyArray<Json> => [
  { toolCall: { id, toolType, args }, thoughtSignature: seal(id) },
  { toolResponse: { id, toolType, response } }
]

const code = (run: Extract<ServerRun, { readonly kind: "code_execution" }>, id: Json): ReadonlyArray<Json> => [
  { executableCode: { language: "PYTHON", code: run.code, ...id } },
  {
    codeExecutionResult: {
      outcome: run.error === undefined ? "OUTCOME_OK" : "OUTCOME_FAILED",
      output: run.error ?? run.output,
      ...id
    }
  }
]

/** The parts of the service's tools. Code is always shown; searches and pages only if the request asks for them. */
export const serverParts = ({ fingerprint, serverRuns }: Completion, { model, request }: Prompt): ReadonlyArray<Json> =>
  serverRuns.flatMap((run, index) => {
    const id = fingerprint.slice(index, 24 + index)
    switch (run.kind) {
      case "code_execution":
        return code(run, versionOf(model) >= 300 ? { id: id.slice(0, 8) } : {})
      case "web_search":
        return isTold(request)
          ? told(id, "GOOGLE_SEARCH_WEB", { queries: [run.query] }, { search_suggestions: run.query })
          : []
      case "web_fetch":
        return isTold(request)
          ? told(id, "URL_CONTEXT", { urls: [run.url] }, { url_context: [{ url: run.url, title: run.title }] })
          : []
      // The service has no such tools.
      case "file_search":
      case "mcp":
        return []
    }
  })

/** The sources of the text: each page that a search found. Places are bytes of UTF-8. */
const grounding = ({ serverRuns, text }: Completion): Json => {
  const searches = succeeded(serverRuns, "web_search")
  if (searches.length === 0) return {}
  const groundingChunks = searches.flatMap(({ pages }) => pages.map(({ title, url: uri }) => ({ web: { uri, title } })))
  const segment = { endIndex: new TextEncoder().encode(text).length, text }
  return {
    groundingMetadata: {
      webSearchQueries: searches.map(({ query }) => query),
      groundingChunks,
      groundingSupports: [{ segment, groundingChunkIndices: groundingChunks.map((_, index) => index) }]
    }
  }
}

/** The pages that were to be read. */
const pages = ({ serverRuns }: Completion): Json => {
  const urlMetadata = serverRuns.flatMap((run) =>
    run.kind === "web_fetch"
      ? [{
        retrievedUrl: run.url,
        urlRetrievalStatus: `URL_RETRIEVAL_STATUS_${run.error === undefined ? "SUCCESS" : "ERROR"}`
      }]
      : []
  )
  return urlMetadata.length === 0 ? {} : { urlContextMetadata: { urlMetadata } }
}

/** The fields of a candidate about the tools that the service ran. */
export const serverMetadata = (completion: Completion): Json => ({ ...grounding(completion), ...pages(completion) })

/** The tokens of the tools' results, which are counted apart from the prompt. */
export const toolTokens = ({ serverRuns }: Completion): number =>
  serverRuns.reduce((sum, run) => {
    switch (run.kind) {
      case "code_execution":
        return sum + countTokens(run.error ?? run.output)
      case "web_fetch":
        return sum + (run.error === undefined ? countTokens(run.text) : 0)
      default:
        return sum
    }
  }, 0)
