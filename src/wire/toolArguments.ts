import { type ReasonOf, ToolArgumentsInvalid } from "../domain/LlmError.js"
import type { ToolCall } from "../domain/Message.js"
import * as Json from "./json.js"

/** A tool call with its arguments as JSON text. */
export interface RawToolCall {
  readonly id: string
  readonly name: string
  readonly json: string
  readonly signature?: string | undefined
}

/**
 * Reads the arguments of a tool call. Nothing is repaired: half of the JSON could be a smaller, valid call, and to run that
 * would be worse than to run none. If the token limit cut the answer (`truncated`), the call is kept as `incomplete`.
 */
export const readToolCall = (
  { id, json, name, signature }: RawToolCall,
  options: { readonly truncated: boolean }
): ToolCall | ReasonOf<"ToolArgumentsInvalid"> => {
  const mark = signature === undefined ? {} : { signature }
  // A tool without parameters is often called with empty text; in a cut answer, the text may not have arrived.
  const parsed = json.trim() === "" && !options.truncated ? {} : Json.parse(json)
  if (parsed !== undefined) return { _tag: "ToolCall", id, name, arguments: parsed, ...mark }
  return options.truncated
    ? { _tag: "ToolCall", id, name, arguments: json, incomplete: true, ...mark }
    : ToolArgumentsInvalid.make({ name, raw: json, message: "the arguments are not JSON" })
}
