/**
 * The tools that OpenAI runs itself in Responses (`OpenAi`): web and file searches, code, MCP servers. They go into
 * `providerTools` of a request, or among the tools of `LlmClient.runTools`. Their calls and results come as `Opaque`
 * parts (`web_search_call`, `code_interpreter_call`, ...) and go back with the conversation; sources come as `Source`
 * parts.
 *
 * @see https://platform.openai.com/docs/guides/tools
 * @since 0.1.0
 */
import type * as LlmRequest from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as LlmTool from "../../output/LlmTool.js"
import * as Json from "../../wire/json.js"
import * as Location from "../userLocation.js"

const make = (
  type: string,
  tool: { readonly [field: string]: unknown },
  include: ReadonlyArray<string | false> = []
): LlmRequest.ProviderTool => {
  const included = include.filter((each) => each !== false)
  return LlmTool.providerTool({
    protocol: "openai",
    name: type,
    tool: Json.defined({ type, ...tool }),
    choice: { type },
    ...(included.length > 0 && { fields: { include: included } })
  })
}

export type {
  /**
   * The user's approximate location, for a web search.
   *
   * @since 0.1.0
   * @category models
   */
  UserLocation
} from "../userLocation.js"

/**
 * Options for a web search.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebSearchOptions {
  /** Only pages of these domains and those below them: `example.com`. Default: all. */
  readonly allowedDomains?: ReadonlyArray<string> | undefined
  /** How much of the results the model reads. Default: medium. */
  readonly contextSize?: "low" | "medium" | "high" | undefined
  /** The user's location. Default: the search does not depend on it. */
  readonly userLocation?: Location.UserLocation | undefined
  /** Whether a call lists all pages that it found, not only those that are cited. Default: false. */
  readonly allSources?: boolean | undefined
}

/**
 * Searches the web.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient, OpenAiTools } from "effect-llm"
 *
 * const program = LlmClient.call({
 *   model: "gpt-5-mini",
 *   prompt: "How high is the Elbe in Dresden today?",
 *   providerTools: [OpenAiTools.webSearch({ userLocation: { country: "DE" } })]
 * }).pipe(
 *   Effect.map(({ sources, text }) => ({ text, pages: sources.map(({ url }) => url) }))
 * )
 * ```
 */
export const webSearch = (
  { allSources = false, allowedDomains, contextSize, userLocation }: WebSearchOptions = {}
): LlmRequest.ProviderTool =>
  make("web_search", {
    filters: allowedDomains && { allowed_domains: allowedDomains },
    search_context_size: contextSize,
    user_location: Location.encode(userLocation)
  }, [allSources && "web_search_call.action.sources"])

/**
 * Options for a file search.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileSearchOptions {
  /** The ids of the stores to search. */
  readonly vectorStoreIds: ReadonlyArray<string>
  /** The most results, 1 to 50. Default: the service's. */
  readonly maxResults?: number | undefined
  /** A filter by the attributes of files, in the service's form. Default: none. */
  readonly filters?: { readonly [field: string]: unknown } | undefined
  /** Whether a call lists the pieces that it found. Default: false. */
  readonly results?: boolean | undefined
}

/**
 * Searches files in the service's vector stores.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fileSearch = (
  { filters, maxResults, results = false, vectorStoreIds }: FileSearchOptions
): LlmRequest.ProviderTool =>
  make("file_search", { vector_store_ids: vectorStoreIds, max_num_results: maxResults, filters }, [
    results && "file_search_call.results"
  ])

/**
 * Options for running code.
 *
 * @since 0.1.0
 * @category models
 */
export interface CodeInterpreterOptions {
  /** The id of a container. Default: a new one. */
  readonly container?: string | undefined
  /** The files in a new container, by their ids. Default: none. */
  readonly fileIds?: ReadonlyArray<string> | undefined
  /** The memory of a new container. Default: the service's, 1g. */
  readonly memoryLimit?: "1g" | "4g" | "16g" | "64g" | undefined
  /** Whether a call has the output of its code. Default: false. */
  readonly outputs?: boolean | undefined
}

/**
 * Runs Python that the model writes, in a container.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codeInterpreter = (
  { container, fileIds, memoryLimit, outputs = false }: CodeInterpreterOptions = {}
): LlmRequest.ProviderTool =>
  make("code_interpreter", {
    container: container ?? Json.defined({ type: "auto", file_ids: fileIds, memory_limit: memoryLimit })
  }, [outputs && "code_interpreter_call.outputs"])

/**
 * Options for an MCP server: its address, or one of the service's own connectors.
 *
 * @since 0.1.0
 * @category models
 */
export interface McpOptions {
  /** A name for the server, which appears in its calls. */
  readonly label: string
  /** The address of the server. Either this or `connectorId` is required. */
  readonly url?: string | undefined
  /** One of the service's own connectors: `connector_googledrive`. */
  readonly connectorId?: string | undefined
  /** An OAuth token for the server. It is part of the request, and never logged. Default: none. */
  readonly authorization?: string | undefined
  /** Further headers for the server. Default: none. */
  readonly headers?: { readonly [name: string]: string } | undefined
  /** The tools that the model may call. Default: all. */
  readonly allowedTools?: ReadonlyArray<string> | undefined
  /** Whether each call waits for `mcpApproval`. Default: the service's, always. */
  readonly requireApproval?: "always" | "never" | undefined
  /** A description of the server, for the model. Default: none. */
  readonly description?: string | undefined
}

/**
 * Calls the tools of an MCP server.
 *
 * @since 0.1.0
 * @category constructors
 */
export const mcp = (
  { allowedTools, authorization, connectorId, description, headers, label, requireApproval, url }: McpOptions
): LlmRequest.ProviderTool =>
  LlmTool.providerTool({
    protocol: "openai",
    name: label,
    tool: Json.defined({
      type: "mcp",
      server_label: label,
      server_url: url,
      connector_id: connectorId,
      server_description: description,
      authorization,
      headers,
      allowed_tools: allowedTools,
      require_approval: requireApproval
    }),
    choice: { type: "mcp", server_label: label }
  })

/**
 * The decision about a call of an MCP server that waits for approval (an `Opaque` part of the kind
 * `mcp_approval_request`). It goes into a message of the assistant, after the one with the request. `undefined` for any
 * other part.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient, type LlmRequest, OpenAiTools } from "effect-llm"
 *
 * const program = Effect.gen(function*() {
 *   const request = {
 *     model: "gpt-5-mini",
 *     providerTools: [OpenAiTools.mcp({ label: "rivers", url: "https://rivers.example.com/mcp" })]
 *   }
 *   const question = { role: "user", content: "How long is the Elbe?" } as const
 *   const { message } = yield* LlmClient.call({ ...request, messages: [question] })
 *   const decisions = message.content.flatMap((part) => OpenAiTools.mcpApproval(part, true) ?? [])
 *   return yield* LlmClient.call({
 *     ...request,
 *     messages: [question, message, { role: "assistant", content: decisions }]
 *   })
 * })
 * ```
 */
export const mcpApproval = (part: Message.ResponsePart, approve: boolean): Message.Opaque | undefined => {
  if (part._tag !== "Opaque" || part.kind !== "mcp_approval_request") return undefined
  const kind = "mcp_approval_response"
  return Message.Opaque.make({
    provider: part.provider,
    kind,
    json: { type: kind, approval_request_id: Json.object(part.json).id, approve }
  })
}
