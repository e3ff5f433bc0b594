import { type ReasonOf, ToolArgumentsInvalid } from "../domain/LlmError.js"
import type { ToolCall } from "../domain/Message.js"
import * as Json from "./json.js"

/** A tool call as a protocol carries it: with the arguments as JSON text. */
export interface RawToolCall {
  readonly id: string
  readonly name: string
  readonly json: string
  readonly signature?: string | undefined
}

/**
 * Reads the arguments of a tool call. Nothing is repaired: half a JSON could be a smaller, valid call, and running that
 * is worse than running none. Where the token limit cut the answer (`truncated`) the call is kept as `incomplete`.
 */
export const readToolCall = (
  { id, json, name, signature }: RawToolCall,
  options: { readonly truncated: boolean }
): ToolCall | ReasonOf<"ToolArgumentsInvalid"> => {
  const mark = signature === undefined ? {} : { signature }
  // A tool without parameters is often called with no text at all; but where the answer was cut, it may have been before.
  const parsed = json.trim() === "" && !options.truncated ? {} : Json.parse(json)
  if (parsed !== undefined) return { _tag: "ToolCall", id, name, arguments: parsed, ...mark }
  return options.truncated
    ? { _tag: "ToolCall", id, name, arguments: json, incomplete: true, ...mark }
    : ToolArgumentsInvalid.make({ name, raw: json, message: "the arguments are not JSON" })
}
