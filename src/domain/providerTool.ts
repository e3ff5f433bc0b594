import * as Schema from "effect/Schema"
import type { NamedStruct } from "../internal/namedStruct.js"
import { JsonObject } from "./providerOptions.js"

const providerToolFields = Schema.TaggedStruct("ProviderTool", {
  /**
   * The protocol that has it, named as in `providerOptions`: `openai` (Responses), `openaiChat` (Chat Completions at any
   * host), `anthropic`, `gemini`. Ollama runs no tools.
   */
  protocol: Schema.NonEmptyString,
  /** Its name, for `toolChoice`, errors and readers: `web_search`; for an MCP server, its name in the request. */
  name: Schema.NonEmptyString,
  /** The tool as an entry of the list `tools` in the wire body. */
  tool: JsonObject,
  /** Further fields of the wire body. Lists and objects are joined with those that are there already. Default: none. */
  fields: Schema.optional(JsonObject),
  /**
   * The choice of this tool in the wire body, for a `toolChoice` that names it: the value of `tool_choice`, or Gemini's
   * `toolConfig`. Default: the protocol has none, and such a request fails with `UnsupportedFeature`.
   */
  choice: Schema.optional(JsonObject),
  /**
   * Headers that the service requires for it. A header that is already set gets the value appended after a comma.
   * Default: none.
   */
  headers: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String }))
})

/**
 * A tool that the provider runs itself: a web search, code, an MCP server.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProviderTool extends Schema.Schema.Type<typeof providerToolFields> {}

/**
 * A tool that the provider runs itself: a web search, code, an MCP server.
 *
 * @since 0.1.0
 * @category models
 */
export const ProviderTool: NamedStruct<ProviderTool, typeof providerToolFields.fields, ProviderTool> =
  providerToolFields
