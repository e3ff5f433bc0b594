import { MalformedResponse, type Reason } from "../domain/LlmError.js"
import type { FinishReason } from "../domain/LlmResponse.js"
import type { ResponsePart } from "../domain/Message.js"

/** Answers that something cut short or stopped: calls in them are not to be run. */
const stopped: ReadonlySet<FinishReason> = new Set(["length", "context_window", "content_filter", "refusal", "pause"])

/**
 * Why an answer of these parts ended. Services have many words for the end where the model calls tools: whole calls decide,
 * unless the answer was cut or stopped.
 */
export const finishReason = (named: FinishReason, parts: ReadonlyArray<ResponsePart>): FinishReason =>
  !stopped.has(named) && parts.some((part) => part._tag === "ToolCall" && part.incomplete !== true)
    ? "tool_calls"
    : named

/** What an answer holds besides its parts. */
export interface Contents {
  readonly finishReason: FinishReason
  readonly parts: ReadonlyArray<ResponsePart>
  /** The kinds of what could not be read. */
  readonly unread: ReadonlySet<string>
}

/**
 * An answer of which nothing was read is no answer, however well it ended. A model may say nothing: an answer that ends in
 * the ordinary way, and holds nothing unread, is empty.
 */
export const unreadable = ({ finishReason, parts, unread }: Contents): Reason | undefined => {
  if (parts.length > 0 || stopped.has(finishReason)) return undefined
  if (unread.size > 0) {
    const kinds = [...unread].slice(0, 5).map((kind) => kind.slice(0, 50)).join(", ")
    return MalformedResponse.make({ message: `nothing of the answer could be read: ${kinds}` })
  }
  return finishReason === "stop"
    ? undefined
    : MalformedResponse.make({ message: "the answer has neither content nor calls" })
}
