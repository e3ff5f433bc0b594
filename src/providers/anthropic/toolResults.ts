import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import { isReason } from "../codec.js"
import * as ToolResults from "../toolResults.js"

/**
 * A result of a tool: text, or blocks like those of the user. A failed one is text only; otherwise the service answers
 * 400.
 */
export const encode = (
  part: Message.ToolResult,
  encodePart: (part: Message.ToolResultPart) => Json.JsonObject | Reason
): Json.JsonObject | Reason => {
  const { id, isError, parts } = part
  if (isError === true && ToolResults.hasMedia(part)) {
    return UnsupportedFeature.make({
      feature: "images and files in a failed tool result",
      message: "Messages takes nothing but text in it"
    })
  }
  const blocks = parts === undefined ? [] : ToolResults.piecesOf(part).map(encodePart)
  return blocks.find(isReason) ?? Json.defined({
    type: "tool_result",
    tool_use_id: id,
    content: blocks.length === 0 ? ToolResults.textOf(part) : blocks,
    is_error: isError
  })
}
