import * as Data from "effect/Data"

/**
 * A value that has no canonical JSON: it holds a lone surrogate, a number that is not finite, a cycle, or something
 * that JSON cannot say. The message names the path, never the value.
 */
export class NotCanonical extends Data.TaggedError("NotCanonical")<{
  /** Where in the value, as `messages[0].content`. Empty for the root. */
  readonly path: string
  /** What is wrong there. */
  readonly problem: string
}> {
  override get message(): string {
    return `No canonical JSON: ${this.path === "" ? "the value" : this.path} ${this.problem}`
  }
}

// With the `u` flag a surrogate that is part of a pair is a code point of its own and does not match.
const loneSurrogate = /\p{Surrogate}/u

const maxDepth = 512

const fail = (path: ReadonlyArray<string | number>, problem: string): never => {
  throw new NotCanonical({
    path: path.reduce<string>(
      (shown, key) => typeof key === "number" ? `${shown}[${key}]` : shown === "" ? key : `${shown}.${key}`,
      ""
    ),
    problem
  })
}

const writeString = (value: string, path: ReadonlyArray<string | number>): string =>
  loneSurrogate.test(value) ? fail(path, "holds a lone surrogate") : JSON.stringify(value)

const write = (value: unknown, path: Array<string | number>): string => {
  switch (typeof value) {
    case "string":
      return writeString(value, path)
    case "number":
      return Number.isFinite(value) ? JSON.stringify(value) : fail(path, "is not a finite number")
    case "boolean":
      return value ? "true" : "false"
    case "object":
      break
    default:
      return fail(path, `is of type ${typeof value}`)
  }
  if (value === null) return "null"
  if (path.length > maxDepth) return fail([], `is nested deeper than ${maxDepth} levels, or refers to itself`)
  if (Array.isArray(value)) {
    let out = "["
    for (let i = 0; i < value.length; i++) {
      path.push(i)
      out += (i === 0 ? "" : ",") + write(value[i], path)
      path.pop()
    }
    return out + "]"
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    return fail(path, "is neither a plain object nor an array")
  }
  const record = value as Record<string, unknown>
  let out = "{"
  // The default order of `sort` is by UTF-16 code units, which is what RFC 8785 asks for.
  for (const key of Object.keys(record).sort()) {
    const member = record[key]
    if (member === undefined) continue
    path.push(key)
    out += (out === "{" ? "" : ",") + writeString(key, path) + ":" + write(member, path)
    path.pop()
  }
  return out + "}"
}

/**
 * JSON in the one form of RFC 8785 (JSON Canonicalization Scheme): members sorted by UTF-16 code units, no white
 * space, numbers and strings as ECMAScript writes them. A member that is `undefined` counts as absent.
 *
 * Throws `NotCanonical` for what RFC 8785 rules out (lone surrogates, numbers that are not finite) and for what JSON
 * cannot say (functions, bigints, class instances, cycles).
 */
export const canonicalJson = (value: unknown): string => write(value, [])
