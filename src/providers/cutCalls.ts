import type * as Message from "../domain/Message.js"
import * as Unsent from "./unsent.js"

/** The conversation without the calls that a limit cut. */
export interface WithoutCutCalls {
  readonly messages: ReadonlyArray<Message.Message>
  readonly warnings: ReadonlyArray<string>
}

/**
 * Leaves out calls that a limit cut and that have no result: services refuse a call without a result, and half of the
 * arguments is not the model's intent. A call with a result stays, as the result needs it.
 */
export const withoutCutCalls = (messages: ReadonlyArray<Message.Message>): WithoutCutCalls => {
  const answered = new Set(
    messages.flatMap((message) => message.role === "tool" ? message.content.map(({ id }) => id) : [])
  )
  const isCut = (part: Message.ResponsePart): boolean =>
    part._tag === "ToolCall" && part.incomplete === true && !answered.has(part.id)
  if (!messages.some((message) => message.role === "assistant" && message.content.some(isCut))) {
    return { messages, warnings: [] }
  }
  return {
    messages: messages.map((message) =>
      message.role === "assistant" && message.content.some(isCut)
        ? { ...message, content: message.content.filter((part) => !isCut(part)) }
        : message
    ),
    warnings: [Unsent.notSent("a tool call that was cut", "it has no result")]
  }
}
