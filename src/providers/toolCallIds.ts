import type { LlmRequest } from "../domain/LlmRequest.js"

/**
 * Makes ids for tool calls that came without: the same ones for the same request, and none that the conversation already
 * has.
 */
export const make = (request: LlmRequest): () => string => {
  let n = request.messages.flatMap((message) => message.content.filter((part) => part._tag === "ToolCall")).length
  return () => `call_${n++}`
}
