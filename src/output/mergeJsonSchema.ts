import * as Json from "../wire/json.js"

/** Thrown for two schemas that no value fits, or whose combination this library cannot express. */
export class Irreconcilable {
  constructor(readonly keyword: string) {}
}

const distinct = (values: ReadonlyArray<unknown>): ReadonlyArray<unknown> => [...new Set(values)]

const both = (a: unknown, b: unknown): Json.JsonObject => ({ allOf: [a, b] })

/** The common types of two type keywords: an integer is a number. */
const commonTypes = (a: unknown, b: unknown): unknown => {
  const [as, bs] = [a, b].map((type) => Array.isArray(type) ? Json.array(type) : [type])
  const common = distinct(
    (as ?? []).flatMap((one) =>
      (bs ?? []).flatMap((other) =>
        one === other ? [one] : [one, other].every((type) => type === "number" || type === "integer") ? ["integer"] : []
      )
    )
  )
  if (common.length === 0) throw new Irreconcilable("type")
  return common.length === 1 ? common[0] : common
}

const tighter = (keyword: string, a: number, b: number): number =>
  /^(?:min|exclusiveMin)/.test(keyword) ? Math.max(a, b) : Math.min(a, b)

/** Combines two different values of a keyword. */
const combine = (keyword: string, a: unknown, b: unknown): unknown => {
  switch (keyword) {
    case "type":
      return commonTypes(a, b)
    case "properties":
    case "patternProperties": {
      const [as, bs] = [Json.object(a), Json.object(b)]
      const shared = Object.entries(bs).map(([name, schema]) => [
        name,
        Object.hasOwn(as, name) ? both(as[name], schema) : schema
      ])
      return { ...as, ...Object.fromEntries(shared) }
    }
    case "required":
      return distinct([...Json.array(a), ...Json.array(b)])
    case "additionalProperties":
      return a === false || b === false ? false : a === true ? b : b === true ? a : both(a, b)
    case "items":
      return both(a, b)
    case "enum": {
      const common = Json.array(a).filter((value) => Json.array(b).includes(value))
      if (common.length === 0) throw new Irreconcilable(keyword)
      return common
    }
    case "anyOf":
    case "oneOf":
      return Json.array(a).flatMap((one) => Json.array(b).map((other) => both(one, other)))
    case "allOf":
      return [...Json.array(a), ...Json.array(b)]
    case "title":
    case "examples":
    case "default":
    case "$defs":
    case "definitions":
      return a
    case "description":
      return `${String(a)}; ${String(b)}`
    default:
      if (/^(?:exclusive)?(?:min|max)/i.test(keyword) && typeof a === "number" && typeof b === "number") {
        return tighter(keyword, a, b)
      }
      // Two regular expressions as one: both have to match, anywhere in the text.
      if (keyword === "pattern") return `^(?=[\\s\\S]*(?:${String(a)}))(?=[\\s\\S]*(?:${String(b)}))`
      throw new Irreconcilable(keyword)
  }
}

/** Merges two schemas that both apply (`allOf`) into one. Throws `Irreconcilable`. */
export const merge = (a: Json.JsonObject, b: Json.JsonObject): Json.JsonObject => {
  const merged: { [keyword: string]: unknown } = { ...a }
  for (const [keyword, value] of Object.entries(b)) {
    const own = merged[keyword]
    merged[keyword] = own === undefined || JSON.stringify(own) === JSON.stringify(value)
      ? value
      : combine(keyword, own, value)
  }
  return merged
}
