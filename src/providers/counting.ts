import type { LlmRequest } from "../domain/LlmRequest.js"
import * as Json from "../wire/json.js"

/** The counting of a request's input tokens by a service, as pure functions. */
export interface CountingCodec {
  /** The path of a request, after the base URL. */
  readonly path: (request: LlmRequest) => string
  /** The body, made from that of a call. */
  readonly body: (call: Json.JsonObject, request: LlmRequest) => Json.JsonObject
  /** The count in an answer. */
  readonly tokens: (body: Json.JsonObject) => number | undefined
}

/** A body with these fields only: services refuse those that do not count. */
export const only = (fields: ReadonlySet<string>) => (call: Json.JsonObject): Json.JsonObject =>
  Object.fromEntries(Object.entries(call).filter(([field]) => fields.has(field)))

/** The count of OpenAI and Anthropic. */
export const inputTokens = (body: Json.JsonObject): number | undefined => Json.count(body.input_tokens)
