import type { LlmRequest } from "../domain/LlmRequest.js"

/**
 * Makes ids for the tool calls of an answer whose service gave them none: the same ones for the same request, and none
 * that the conversation has already.
 */
export const make = (request: LlmRequest): () => string => {
  let n = request.messages.flatMap((message) => message.content.filter((part) => part._tag === "ToolCall")).length
  return () => `call_${n++}`
}
