import { isWellFormed, wellFormed, wellFormedValue } from "../internal/wellFormed.js"
import type { ResponsePart } from "./messageParts.js"

/** The same JSON without lone surrogates. A value that is no JSON is left as it is. */
const jsonOf = <A>(value: A): A => {
  try {
    return wellFormedValue(value, JSON.stringify(value))
  } catch {
    return value
  }
}

const partOf = (part: ResponsePart): ResponsePart => {
  if (part._tag !== "Text" && part._tag !== "Refusal") return jsonOf(part)
  return isWellFormed(part.text) ? part : { ...part, text: wellFormed(part.text) }
}

/**
 * The parts of an answer with U+FFFD in place of each lone surrogate, so that they can go back to a model as its turn: a
 * request that holds one has no key, and no encoding.
 */
export const wellFormedParts = (parts: ReadonlyArray<ResponsePart>): ReadonlyArray<ResponsePart> =>
  parts.every((part) => partOf(part) === part) ? parts : parts.map(partOf)
