import * as ExactJson from "../internal/exactJson.js"
import { visible } from "../internal/visible.js"

// Tolerant readers of JSON from outside. Services add fields, write null for absent ones, and numbers as strings; a strict
// reader would soon break. A value of an unexpected kind counts as absent.

/** A JSON object. */
export type JsonObject = { readonly [key: string]: unknown }

/** Whether a value is a JSON object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The object, or an empty one. */
export const object = (value: unknown): JsonObject => isObject(value) ? value : {}

/** The array, or an empty one. */
export const array = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** The text, if it is one. */
export const string = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

/** The text, if it is one and not empty. */
export const nonEmpty = (value: unknown): string | undefined => value === "" ? undefined : string(value)

/** The name of a model, or an id, if it is one. Logs, spans and errors show it: it has no control characters. */
export const name = (value: unknown): string | undefined => {
  const text = nonEmpty(value)
  return text === undefined ? undefined : visible(text).slice(0, 1000)
}

/** The count, if it is one: a finite number that is not negative. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined

const byteOrderMark = 0xfeff

/** The greatest depth of a request. Deeper values overflow the stack of `JSON.stringify` and of other functions. */
const maxDepth = 512

/** Whether a JSON text is nested too deep. Each level takes two characters, so that short texts are not. */
const isTooDeep = (text: string): boolean => {
  if (text.length <= 2 * maxDepth) return false
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case "\\":
        i++
        break
      case "\"":
        inString = !inString
        break
      case "{":
      case "[":
        if (!inString && ++depth > maxDepth) return true
        break
      case "}":
      case "]":
        if (!inString) depth--
    }
  }
  return false
}

/**
 * Parses JSON; gives `undefined`, which JSON does not have, if the text is not JSON, or is nested deeper than 512 levels.
 * A byte order mark is ignored, as some HTTP clients leave it in place. An integer that a number would change is a text.
 */
export const parse = (text: string): unknown => {
  if (isTooDeep(text)) return undefined
  try {
    return ExactJson.parse(text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text)
  } catch {
    return undefined
  }
}

/** A copy without the members that are `undefined`. */
export const defined = (fields: JsonObject): { [key: string]: unknown } => {
  const copy: { [key: string]: unknown } = {}
  for (const key of Object.keys(fields)) {
    const value = fields[key]
    if (value !== undefined) set(copy, key, value)
  }
  return copy
}

/** A copy without the members that are `null` or `undefined`. */
export const present = (fields: JsonObject): { [key: string]: unknown } => {
  const copy: { [key: string]: unknown } = {}
  for (const key of Object.keys(fields)) {
    const value = fields[key]
    if (value !== undefined && value !== null) set(copy, key, value)
  }
  return copy
}

/** Sets an own member of any name, `__proto__` included. */
const set = (object: { [key: string]: unknown }, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else object[key] = value
}
