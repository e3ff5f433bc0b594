import * as Data from "effect/Data"
import { isWellFormed } from "./wellFormed.js"

/**
 * A value without canonical JSON: it holds a lone surrogate, a number that is not finite, a cycle, or something that JSON
 * cannot express. The message names the path, never the value.
 */
export class NotCanonical extends Data.TaggedError("NotCanonical")<{
  /** The place in the value, as `messages[0].content`. Empty for the root. */
  readonly path: string
  /** The problem there. */
  readonly problem: string
}> {
  override get message(): string {
    return `No canonical JSON: ${this.path === "" ? "the value" : this.path} ${this.problem}`
  }
}

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
  isWellFormed(value) ? JSON.stringify(value) : fail(path, "holds a lone surrogate")

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
  // The default order of `sort` is by UTF-16 code units, as RFC 8785 requires.
  for (const key of Object.keys(record).sort()) {
    const member = record[key]
    if (member === undefined) continue
    path.push(key)
    out += (out === "{" ? "" : ",") + writeString(key, path) + ":" + write(member, path)
    path.pop()
  }
  return out + "}"
}

/** Whether JavaScript orders a key before others in spite of the order of insertion, or gives it a special meaning. */
const isPeculiar = (key: string): boolean => key === "__proto__" || (key >= "0" && key < ":")

/**
 * The same value with the members of each object in order, so that `JSON.stringify` writes it canonically in a fraction of
 * the time; `undefined` if it could not.
 */
const ordered = (value: unknown, depth: number): unknown => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : undefined
    case "object":
      break
    default:
      return undefined
  }
  if (value === null) return null
  if (depth > maxDepth) return undefined
  if (Array.isArray(value)) {
    let copy: Array<unknown> | undefined
    for (let i = 0; i < value.length; i++) {
      const item = ordered(value[i], depth + 1)
      if (item === undefined) return undefined
      if (item !== value[i]) (copy ??= value.slice())[i] = item
    }
    return copy ?? value
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return undefined
  const record = value as Record<string, unknown>
  const keys = Object.keys(record)
  let inOrder = true
  for (let i = 1; i < keys.length && inOrder; i++) inOrder = keys[i - 1]! < keys[i]!
  if (!inOrder) keys.sort()
  let copy: Record<string, unknown> | undefined = inOrder ? undefined : {}
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    if (isPeculiar(key)) return undefined
    const member = record[key]
    const item = member === undefined ? undefined : ordered(member, depth + 1)
    if (item === undefined && member !== undefined) return undefined
    if (item !== member && copy === undefined) {
      copy = {}
      for (let j = 0; j < i; j++) copy[keys[j]!] = record[keys[j]!]
    }
    if (copy !== undefined) copy[key] = item
  }
  return copy ?? value
}

/** An escaped lone surrogate, which is valid JSON but not canonical. An escaped backslash before `ud` looks the same. */
const maybeLoneSurrogate = "\\ud"

/**
 * JSON in the one form of RFC 8785 (JSON Canonicalization Scheme): members sorted by UTF-16 code units, no white
 * space, numbers and strings as ECMAScript writes them. A member that is `undefined` counts as absent.
 *
 * Throws `NotCanonical` for values that RFC 8785 rules out (lone surrogates, numbers that are not finite) and for values
 * that JSON cannot express (functions, bigints, class instances, cycles).
 */
export const canonicalJson = (value: unknown): string => {
  const inOrder = ordered(value, 0)
  const text = inOrder === undefined ? undefined : JSON.stringify(inOrder)
  // Other values are written member by member, which also finds the problem.
  return text === undefined || text.includes(maybeLoneSurrogate) ? write(value, []) : text
}
