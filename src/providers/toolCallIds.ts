import type { LlmRequest } from "../domain/LlmRequest.js"

/**
 * Makes ids for tool calls that came without one: the same ids for the same request, and none that the conversation
 * already has.
 */
export const make = (request: LlmRequest, prefix = "call_"): () => string => {
  let n = request.messages.flatMap((message) => message.content.filter((part) => part._tag === "ToolCall")).length
  return () => `${prefix}${n++}`
}

/** Distinguishes the calls that a service repeats, with its own id and the same content, from new ones. */
export const makeRepeated = (): (id: string | undefined, call: unknown) => boolean => {
  const known = new Map<string, string>()
  return (id, call) => {
    if (id === undefined) return false
    const written = JSON.stringify(call)
    if (known.get(id) === written) return true
    known.set(id, written)
    return false
  }
}

const local = "local_call_"

/** The same, for a protocol whose calls need no ids: the made ones do not go back to the service. */
export const makeLocal = (request: LlmRequest): () => string => make(request, local)

/** The id of a call for its service: none, where the service has given none. */
export const ofService = (id: string): string | undefined =>
  id.startsWith(local) && /^\d+$/.test(id.slice(local.length)) ? undefined : id
