/**
 * The tools that Anthropic runs itself: web searches, pages, code, MCP servers. They go into `providerTools` of a
 * request, or among the tools of `LlmClient.runTools`. Their calls and results come as `Opaque` parts
 * (`server_tool_use`, `web_search_tool_result`, ...) and go back with the conversation; sources come as `Source` parts.
 * An answer with the `finishReason` "pause" is not whole: a run of tools continues it by itself.
 *
 * A tool has versions, which are dates, and later ones need later models. The default is the first one, which all models
 * with tools take.
 *
 * @see https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
 * @since 0.1.0
 */
import type * as LlmRequest from "../../domain/LlmRequest.js"
import * as LlmTool from "../../output/LlmTool.js"
import * as Json from "../../wire/json.js"
import * as Location from "../userLocation.js"

const make = (name: string, version: string, fields: { readonly [field: string]: unknown }): LlmRequest.ProviderTool =>
  LlmTool.providerTool({
    protocol: "anthropic",
    name,
    tool: Json.defined({ type: `${name}_${version}`, name, ...fields }),
    choice: { type: "tool", name }
  })

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
 * The pages that a tool may see.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pages {
  /** The most uses of the tool in one request. Default: any number. */
  readonly maxUses?: number | undefined
  /** Only pages of these domains. Not together with `blockedDomains`. Default: all. */
  readonly allowedDomains?: ReadonlyArray<string> | undefined
  /** No pages of these domains. Default: none. */
  readonly blockedDomains?: ReadonlyArray<string> | undefined
}

const pagesOf = ({ allowedDomains, blockedDomains, maxUses }: Pages) => ({
  max_uses: maxUses,
  allowed_domains: allowedDomains,
  blocked_domains: blockedDomains
})

/**
 * Options for a web search.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebSearchOptions extends Pages {
  /** The user's location. Default: the search does not depend on it. */
  readonly userLocation?: Location.UserLocation | undefined
  /** The version of the tool. Default: 20250305. Later ones run code that filters the pages. */
  readonly version?: "20250305" | "20260209" | "20260318" | undefined
}

/**
 * Searches the web.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { AnthropicTools, LlmClient } from "effect-llm"
 *
 * const program = LlmClient.call({
 *   model: "claude-sonnet-4-5",
 *   prompt: "How high is the Elbe in Dresden today?",
 *   providerTools: [AnthropicTools.webSearch({ maxUses: 3 })]
 * }).pipe(
 *   Effect.map(({ sources, text }) => ({ text, pages: sources.map(({ url }) => url) }))
 * )
 * ```
 */
export const webSearch = (
  { userLocation, version = "20250305", ...pages }: WebSearchOptions = {}
): LlmRequest.ProviderTool =>
  make("web_search", version, {
    ...pagesOf(pages),
    user_location: Location.encode(userLocation)
  })

/**
 * Options for reading pages.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebFetchOptions extends Pages {
  /** Whether the model cites the pages. Default: false. */
  readonly citations?: boolean | undefined
  /** The most tokens of a page that the model reads. Default: the service's. */
  readonly maxContentTokens?: number | undefined
  /** The version of the tool. Default: 20250910. Later ones run code that filters the pages. */
  readonly version?: "20250910" | "20260209" | "20260309" | "20260318" | undefined
}

/**
 * Reads pages whose addresses are in the conversation.
 *
 * @since 0.1.0
 * @category constructors
 */
export const webFetch = (
  { citations, maxContentTokens, version = "20250910", ...pages }: WebFetchOptions = {}
): LlmRequest.ProviderTool =>
  make("web_fetch", version, {
    ...pagesOf(pages),
    citations: citations === undefined ? undefined : { enabled: citations },
    max_content_tokens: maxContentTokens
  })

/**
 * Options for running code.
 *
 * @since 0.1.0
 * @category models
 */
export interface CodeExecutionOptions {
  /** The version of the tool. Default: 20250825. */
  readonly version?: "20250825" | "20260120" | "20260521" | undefined
}

/**
 * Runs commands and code that the model writes, in a container.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codeExecution = ({ version = "20250825" }: CodeExecutionOptions = {}): LlmRequest.ProviderTool =>
  make("code_execution", version, {})

/**
 * Options for an MCP server.
 *
 * @since 0.1.0
 * @category models
 */
export interface McpOptions {
  /** A name for the server, which appears in its calls. */
  readonly name: string
  /** The address of the server. */
  readonly url: string
  /** An OAuth token for the server. It is part of the request, and never logged. Default: none. */
  readonly authorizationToken?: string | undefined
  /** The tools that the model may call. Default: all. */
  readonly allowedTools?: ReadonlyArray<string> | undefined
}

/** The service has this as a beta, which a request has to ask for. */
const mcpBeta = "mcp-client-2025-11-20"

/**
 * Calls the tools of an MCP server. The request asks for the beta feature that this is.
 *
 * @see https://platform.claude.com/docs/en/agents-and-tools/mcp-connector
 * @since 0.1.0
 * @category constructors
 */
export const mcp = ({ allowedTools, authorizationToken, name, url }: McpOptions): LlmRequest.ProviderTool =>
  LlmTool.providerTool({
    protocol: "anthropic",
    name,
    tool: Json.defined({
      type: "mcp_toolset",
      mcp_server_name: name,
      default_config: allowedTools && { enabled: false },
      configs: allowedTools && Object.fromEntries(allowedTools.map((tool) => [tool, { enabled: true }]))
    }),
    fields: { mcp_servers: [Json.defined({ type: "url", name, url, authorization_token: authorizationToken })] },
    headers: { "anthropic-beta": mcpBeta }
  })
