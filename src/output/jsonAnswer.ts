import * as Option from "effect/Option"
import * as ExactJson from "../internal/exactJson.js"
import * as Json from "../wire/json.js"

// A model that is not held to a schema wraps its JSON in a fence, in prose, or in both. The JSON is searched for, never
// repaired: an answer that was cut short must not become a smaller one.

const parse: (text: string) => Option.Option<unknown> = Option.liftThrowable(ExactJson.parse)

/**
 * The outermost bracketed pieces of a text; none if a bracket is never closed, as its content is part of something
 * larger. Linear in the text.
 */
const bracketed = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  let depth = 0
  let start = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (quoted) {
      if (character === "\\") i++
      else if (character === "\"") quoted = false
    } else if (character === "{" || character === "[") {
      if (depth++ === 0) start = i
    } else if (depth > 0) {
      if (character === "\"") quoted = true
      else if ((character === "}" || character === "]") && --depth === 0) found.push(text.slice(start, i + 1))
    }
  }
  return depth === 0 ? found : []
}

/**
 * Finds the JSON in an answer: the whole answer, the one object in it, or, if there is no object, the one array. A
 * byte-order mark, fences and prose around it are skipped. Two different objects are no answer: this library does not
 * guess which one is right.
 */
export const find = (answer: string): Option.Option<unknown> => {
  const text = answer.trim()
  return Option.orElse(parse(text), () => {
    const values = bracketed(text).flatMap((piece) => Option.toArray(parse(piece)))
    const objects = values.filter(Json.isObject)
    const [first, ...others] = objects.length > 0 ? objects : values
    const shown = JSON.stringify(first)
    return first !== undefined && others.every((other) => JSON.stringify(other) === shown)
      ? Option.some(first)
      : Option.none()
  })
}
