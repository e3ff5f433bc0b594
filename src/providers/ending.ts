import { MalformedResponse, type Reason } from "../domain/LlmError.js"
import type { FinishReason, LlmResponse } from "../domain/LlmResponse.js"
import type { ResponsePart } from "../domain/Message.js"
import * as Json from "../wire/json.js"

/** Finish reasons of answers that were cut short or stopped: their calls must not be run. */
const stopped: ReadonlySet<FinishReason> = new Set(["length", "context_window", "content_filter", "refusal", "pause"])

/**
 * The finish reason of an answer with these parts. Services use many words for an end with tool calls: whole calls
 * decide, unless the answer was cut or stopped.
 */
export const finishReason = (named: FinishReason, parts: ReadonlyArray<ResponsePart>): FinishReason =>
  !stopped.has(named) && parts.some((part) => part._tag === "ToolCall" && part.incomplete !== true)
    ? "tool_calls"
    : named

/** The contents of an answer besides its parts. */
export interface Contents {
  readonly finishReason: FinishReason
  readonly parts: ReadonlyArray<ResponsePart>
  /** The kinds of content that could not be read. */
  readonly unread: ReadonlySet<string>
}

/**
 * An answer without readable content is not an answer, however well it ended. But a model may say nothing: an answer
 * that ends in the ordinary way, without unread content, is empty.
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

/** Names of the fields that hold a model's text, in any protocol. */
const sayings: ReadonlySet<string> = new Set([
  "answer",
  "completion",
  "content",
  "contents",
  "delta",
  "generated_text",
  "messages",
  "output",
  "output_text",
  "outputs",
  "parts",
  "response",
  "result",
  "text",
  "texts",
  "value"
])

/** Fields of an answer that quote the request, or are the program's own. */
const quoted: ReadonlySet<string> = new Set(["error", "input", "instructions", "metadata", "prompt", "tools", "usage"])

/** The greatest depth of an answer's text. */
const maxDepth = 12

/** Whether JSON holds a text in a field for a model's text. */
export const holdsText = (value: unknown, name = "", depth = 0): boolean => {
  if (typeof value === "string") return sayings.has(name) && value.trim() !== ""
  if (depth > maxDepth) return false
  if (Array.isArray(value)) return value.some((each) => holdsText(each, name, depth + 1))
  return Json.isObject(value) &&
    Object.entries(value).some(([field, each]) => !quoted.has(field) && holdsText(each, field, depth + 1))
}

/** The problem with an answer that has no parts although a text came, in a place that is not read. */
export const overlooked = ({ finishReason, parts }: LlmResponse, hasText: () => boolean): Reason | undefined =>
  parts.length === 0 && finishReason !== "content_filter" && finishReason !== "refusal" && hasText()
    ? MalformedResponse.make({ message: "the answer holds a text in a place where none was expected" })
    : undefined
