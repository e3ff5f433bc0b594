import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Message from "../../domain/Message.js"
import type * as Json from "../../wire/json.js"
import * as CachePoints from "../cachePoints.js"
import type { Changes } from "../settings.js"
import * as Unsent from "../unsent.js"

// Settings that other protocols have, under this one's names.

/** The fields for the settings, and warnings about those that are not sent. */
export interface Portable extends CachePoints.Fitted {
  readonly fields: Json.JsonObject
  /** Whether the beginning of the conversation, with its instructions and tools, is in the service's cache. */
  readonly isCached: boolean
}

/** The fields that belong to a cached content: the service refuses them in a request with one. */
const inContent = (
  { messages, providerTools = [], system, toolChoice, tools = [] }: LlmRequest
): ReadonlyArray<string> => [
  ...system === undefined && messages.every(({ role }) => role !== "system") ? [] : ["system"],
  ...tools.length === 0 ? [] : ["tools"],
  ...providerTools.length === 0 ? [] : ["providerTools"],
  ...toolChoice === undefined ? [] : ["toolChoice"]
]

/** The settings of a request, and its conversation without points: the service caches automatically, or by a name. */
export const encode = (
  request: LlmRequest,
  messages: ReadonlyArray<Message.Message>,
  name: string,
  changes: Changes
): Portable => {
  const { parallelToolCalls, promptCache, serviceTier, tools = [], verbosity } = request
  const content = promptCache?.content
  const cached = content === undefined ? [] : inContent(request)
  const own = CachePoints.unsupported(request, messages, name, changes)
  return {
    messages: own.messages,
    isCached: content !== undefined,
    fields: {
      // Without the field the service chooses itself.
      serviceTier: serviceTier === "auto" ? undefined : serviceTier,
      cachedContent: content
    },
    warnings: [
      ...own.warnings,
      ...cached.map((field) => Unsent.notSent(field, "the cached content has its own")),
      ...verbosity === undefined ? [] : [Unsent.notTaken("verbosity", name)],
      ...parallelToolCalls === false && tools.length > 0
        ? [Unsent.notTaken("parallelToolCalls", name)]
        : []
    ]
  }
}
