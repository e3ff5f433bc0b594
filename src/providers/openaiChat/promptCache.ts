import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CacheControl from "../cacheControl.js"
import * as CachePoints from "../cachePoints.js"
import type { ModelFacts } from "../modelFacts.js"
import * as OpenAi from "../openai/promptCache.js"
import type { Changes } from "../settings.js"
import type { Capabilities } from "./hosts.js"

type Mark = (block: Json.JsonObject, point: Message.CachePoint) => Json.JsonObject

/** The caching of a request's prompt. */
export interface PromptCaching extends CachePoints.Fitted {
  readonly fields: Json.JsonObject
  /** Marks a block that ends a cached prefix. */
  readonly marked: Mark
}

/** The caching that a request asks for, in the form of its service. */
export const encode = (
  request: LlmRequest,
  messages: ReadonlyArray<Message.Message>,
  { capabilities, name }: { readonly name: string; readonly capabilities: Capabilities },
  facts: ModelFacts,
  changes: Changes
): PromptCaching => {
  switch (capabilities.promptCache) {
    case "openai":
      return { ...OpenAi.encode(request, messages, facts, changes), marked: OpenAi.marked }
    case "cache_control": {
      const { automatic, ...fitted } = CacheControl.encode(request, messages, { name }, changes)
      return { ...fitted, fields: { cache_control: automatic }, marked: CacheControl.marked }
    }
    case "own":
      return { ...CachePoints.unsupported(request, messages, name, changes), fields: {}, marked: (block) => block }
  }
}

/** A message whose last block ends a cached prefix; `undefined` if it has none. */
export const markedMessage = (
  message: Json.JsonObject,
  point: Message.CachePoint,
  marked: Mark
): Json.JsonObject | undefined => {
  const { content } = message
  if (typeof content === "string") return { ...message, content: [marked({ type: "text", text: content }, point)] }
  const blocks = CachePoints.markLast(Json.array(content).map(Json.object), (block) => marked(block, point))
  return blocks && { ...message, content: blocks }
}
