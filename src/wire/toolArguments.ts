import { type ReasonOf, ToolArgumentsInvalid } from "../domain/LlmError.js"
import type { ToolCall } from "../domain/Message.js"
import { wellFormedValue } from "../internal/wellFormed.js"
import * as Json from "./json.js"

/** A tool call with its arguments as JSON text. */
export interface RawToolCall {
  readonly id: string
  readonly name: string
  readonly json: string
  readonly signature?: string | undefined
}

/**
 * Splits text that is an object and then another one: some services send the arguments as they begin ("{}", or all of
 * them), and then once more in pieces.
 */
const twice = (json: string): unknown => {
  const text = json.trim()
  if (text.startsWith("{}")) return Json.parse(text.slice(2))
  const half = text.slice(0, text.length / 2)
  return text === half + half ? Json.parse(half) : undefined
}

/** The value of a JSON text without lone surrogates: only an escape can be one. */
const whole = (value: unknown, json: string): unknown =>
  value !== undefined && /\\u[dD]/.test(json) ? wellFormedValue(value, JSON.stringify(value)) : value

/** The arguments in their JSON text, without lone surrogates; `undefined` if it is not JSON. */
const parse = (json: string): unknown => {
  const parsed = whole(Json.parse(json), json)
  // The arguments of a tool without parameters.
  if (parsed === null) return {}
  if (typeof parsed === "string") {
    // Arguments are an object: JSON in a string was encoded twice.
    const inner = parsed.trim() === "" ? null : Json.parse(parsed)
    return inner === null ? {} : Json.isObject(inner) ? inner : parsed
  }
  if (parsed !== undefined) return parsed
  const second = twice(json)
  return Json.isObject(second) ? second : undefined
}

/**
 * Reads the arguments of a tool call. Nothing is repaired: half of the JSON could be a smaller, valid call, and running
 * that would be worse than running none. If the token limit cut the answer (`truncated`), the call is kept as
 * `incomplete`. Whole arguments in an odd form are read: encoded twice, sent twice, or `null` for none.
 */
export const readToolCall = (
  { id, json, name, signature }: RawToolCall,
  options: { readonly truncated: boolean }
): ToolCall | ReasonOf<"ToolArgumentsInvalid"> => {
  const mark = signature === undefined ? {} : { signature }
  // A tool without parameters is often called with empty text; in a cut answer, the text may not have arrived.
  const parsed = json.trim() === "" && !options.truncated ? {} : parse(json)
  if (parsed !== undefined) return { _tag: "ToolCall", id, name, arguments: parsed, ...mark }
  return options.truncated
    ? { _tag: "ToolCall", id, name, arguments: json, incomplete: true, ...mark }
    : ToolArgumentsInvalid.make({ name, raw: json, message: "the arguments are not JSON" })
}
