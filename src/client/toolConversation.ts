import type * as LlmRequest from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"

export type Conversation = LlmRequest.LlmRequest["messages"]

type Messages = ReadonlyArray<Message.Message>

/** The turn of the model at the end of a conversation, and the results after it. */
const lastTurn = (messages: Messages) => {
  const at = messages.findLastIndex(({ role }) => role !== "tool")
  const last = messages[at]
  return {
    calls: last?.role === "assistant" ? last.content.filter((part) => part._tag === "ToolCall") : [],
    results: messages.slice(at + 1).flatMap((message) => message.role === "tool" ? message.content : [])
  }
}

/** The calls at the end of a conversation that have no results yet: all of a turn, or those that were left open. */
export const unanswered = (messages: Messages): ReadonlyArray<Message.ToolCall> => {
  const { calls, results } = lastTurn(messages)
  const answered = new Set(results.map(({ id }) => id))
  return calls.filter(({ id }) => !answered.has(id))
}

/** The results in the order of their calls, however they ended. */
export const inOrder = (
  calls: ReadonlyArray<Message.ToolCall>,
  results: ReadonlyArray<Message.ToolResult>
): ReadonlyArray<Message.ToolResult> => {
  const places = new Map(calls.map(({ id }, place) => [id, place]))
  const placeOf = ({ id }: Message.ToolResult) => places.get(id) ?? calls.length
  return [...results].sort((a, b) => placeOf(a) - placeOf(b))
}

/** A conversation with further results. Those of one turn are one message, as providers require. */
export const withResults = (messages: Conversation, results: ReadonlyArray<Message.ToolResult>): Conversation => {
  if (results.length === 0) return messages
  const [start, ...middle] = messages
  const last = middle.at(-1)
  const earlier = last?.role === "tool" ? last.content : []
  const [first, ...others] = inOrder(lastTurn(messages).calls, [...earlier, ...results])
  if (first === undefined) return messages
  return [start, ...last?.role === "tool" ? middle.slice(0, -1) : middle, { role: "tool", content: [first, ...others] }]
}

/** Only one call is forced: with a forced call in each turn, the model would never come to an answer. */
export const choiceAfter = ({ toolChoice }: LlmRequest.LlmRequest): LlmRequest.ToolChoice | undefined =>
  toolChoice === "required" || typeof toolChoice === "object" ? "auto" : toolChoice
