import * as Either from "effect/Either"
import { shortened } from "../internal/boundedText.js"
import { wellFormedJson } from "../internal/wellFormed.js"

/** The greatest depth of a value: somewhat less than that of a request, of which the value becomes a part. */
const maxDepth = 500

/** A path of keys that a program chose. */
const maxPath = 200

/** The first problem of a value, thrown through `JSON.stringify`. */
class Problem {
  constructor(readonly text: string) {}
}

/**
 * A function for `JSON.stringify` that finds values that JSON cannot express: it gets each value with the object around
 * it.
 */
const makeInspector = () => {
  /** The objects around a value, the outermost first, and the way to each of them. */
  const around: Array<unknown> = []
  const ways: Array<string> = []
  return function(this: unknown, key: string, value: unknown): unknown {
    around.length = ways.length = around.lastIndexOf(this) + 1
    const before = ways.at(-1) ?? ""
    const way = Array.isArray(this) ? `${before}[${key}]` : before === "" ? key : `${before}.${key}`
    const refuse = (problem: string): never => {
      throw new Problem(`${way === "" ? "it" : shortened(way, maxPath)} ${problem}`)
    }
    if (typeof value === "bigint") return refuse("is a bigint")
    if (typeof value !== "object" || value === null) return value
    if (around.includes(value)) return refuse("refers to an object that it is in")
    if (around.length >= maxDepth) throw new Problem(`it is nested deeper than ${maxDepth} levels`)
    around.push(value)
    ways.push(way)
    return value
  }
}

/**
 * A copy of a value in its JSON form, or the problem of a value that JSON cannot express: a bigint, a cycle, more than
 * 500 levels, or code in it that throws. Values with their own JSON form (`toJSON`) take it, `undefined` is null, and a
 * lone surrogate becomes U+FFFD. The problem names the place, never the value.
 */
export const copy = (value: unknown): Either.Either<unknown, string> => {
  try {
    return Either.right(JSON.parse(wellFormedJson(JSON.stringify(value, makeInspector()) ?? "null")))
  } catch (thrown) {
    return Either.left(thrown instanceof Problem ? thrown.text : "its own code throws when it is written as JSON")
  }
}
