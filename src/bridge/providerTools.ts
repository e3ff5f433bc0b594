import type * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmTool from "../output/LlmTool.js"
import * as Json from "../wire/json.js"

/** What a tool that a package of `@effect/ai` defines says of itself. Its arguments are in the words of the protocol. */
interface Defined {
  /** The provider and the tool: `openai.web_search`, `anthropic.web_search_20250305`, `google.google_search`. */
  readonly id: string
  /** The provider's own name of the tool. */
  readonly providerName: string
  /** The arguments that it was made with. */
  readonly args: unknown
  /** Whether the program runs it. */
  readonly requiresHandler: boolean
}

/** A tool that its provider runs. */
export interface Provided extends Defined {
  /** Its name in a toolkit. */
  readonly name: string
  readonly requiresHandler: false
}

/** The protocol of tools that go to a model of `@effect/ai` just as one of its packages defines them. */
export const ownProtocol = "effectAi"

/** `web_search` as `webSearch`. */
export const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

const openai = (type: string, args: Json.JsonObject): LlmRequest.ProviderTool =>
  LlmTool.providerTool({
    protocol: "openai",
    name: type === "mcp" ? Json.nonEmpty(args.server_label) ?? type : type,
    tool: Json.defined({ ...args, type }),
    choice: Json.defined({ type, server_label: type === "mcp" ? args.server_label : undefined })
  })

const anthropic = (type: string, providerName: string, args: Json.JsonObject): LlmRequest.ProviderTool => {
  // A search of tools has another name in the protocol than in the package.
  const search = /^tool_search_(regex|bm25)_(\d+)$/.exec(type)
  const name = search === null ? providerName : `tool_search_tool_${search[1]}`
  return LlmTool.providerTool({
    protocol: "anthropic",
    name,
    tool: Json.defined({ ...args, type: search === null ? type : `${name}_${search[2]}`, name }),
    choice: { type: "tool", name }
  })
}

/** A tool of Google whose arguments are an object of their own. */
export const retrieval = "google_search_retrieval"

const gemini = (kind: string, args: Json.JsonObject): LlmRequest.ProviderTool =>
  LlmTool.providerTool({
    protocol: "gemini",
    name: camelCase(kind),
    tool: { [camelCase(kind)]: kind === retrieval ? { dynamicRetrievalConfig: args } : args }
  })

/** A tool that its provider runs, as one of ours; or nothing, where the program runs it or the provider is not known. */
export const of = ({ args, id, providerName, requiresHandler }: Defined): LlmRequest.ProviderTool | undefined => {
  const dot = id.indexOf(".")
  const kind = id.slice(dot + 1)
  const given = Json.object(args)
  if (requiresHandler) return undefined
  switch (id.slice(0, dot)) {
    case "openai":
      return openai(kind, given)
    case "anthropic":
      return anthropic(kind, providerName, given)
    case "google":
      return gemini(kind, given)
    default:
      return undefined
  }
}

/** A tool that a package defines, as one of ours that goes to its model unchanged. */
export const own = ({ args, id, name, providerName }: Provided): LlmRequest.ProviderTool =>
  LlmTool.providerTool({
    protocol: ownProtocol,
    name,
    tool: { id, providerName, args: Json.object(args) },
    choice: { tool: name }
  })
