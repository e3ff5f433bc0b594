import { type Reason, ToolArgumentsInvalid } from "../domain/LlmError.js"
import * as Json from "../wire/json.js"

// Some streams give content in pieces, and once more as a whole. If the two differ, a piece has been lost, or the whole
// is another one: pieces that were given out cannot be taken back.

/** Whether a whole text contradicts its pieces. White space around it makes no difference. */
export const isOtherText = (pieces: string, whole: string): boolean =>
  pieces !== "" && whole !== "" && !whole.startsWith(pieces) && whole.trim() !== pieces.trim()

/** The warning for such a text. */
export const otherText = "the whole text at the end of the stream differs from its pieces, which were kept"

/**
 * The problem with whole arguments of a call that contradict their pieces: nobody knows which of them the model meant.
 * Arguments that are not JSON are a problem of their own.
 */
export const otherArguments = (name: string, pieces: string, whole: string): Reason | undefined => {
  if (whole.startsWith(pieces)) return undefined
  const [before, after] = [Json.parse(pieces), Json.parse(whole)]
  return before === undefined || after === undefined || JSON.stringify(before) === JSON.stringify(after)
    ? undefined
    : ToolArgumentsInvalid.make({ name, raw: whole, message: "the arguments came twice, and differ" })
}
