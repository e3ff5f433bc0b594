import type { Dialect } from "../LlmProvider.js"
import type * as Json from "../wire/json.js"

/** Constraints of numbers. */
export const numberBounds: ReadonlyArray<string> = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf"
]

/** The types of the values that a keyword constrains. */
const subjects = new Map<string, ReadonlyArray<string>>([
  ...numberBounds.map((keyword) => [keyword, ["number", "integer"]] as const),
  ...["minLength", "maxLength", "pattern", "format"].map((keyword) => [keyword, ["string"]] as const),
  ...["minItems", "maxItems", "uniqueItems"].map((keyword) => [keyword, ["array"]] as const)
])

/** Whether a keyword constrains values of a type: values of other types pass it. */
export const concerns = (keyword: string, type: unknown): boolean =>
  subjects.get(keyword)?.includes(String(type)) ?? true

/** Adds constraints to a schema: as keywords if the dialect has them, otherwise in words. */
export const constrain = (json: Json.JsonObject, constraints: Json.JsonObject, dialect: Dialect): Json.JsonObject => {
  const keywords: { [keyword: string]: unknown } = { ...json }
  const others: { [keyword: string]: unknown } = {}
  for (const [keyword, value] of Object.entries(constraints)) {
    if (keyword === "type" && value === "integer" && keywords.type === "number") keywords.type = value
    if (keyword === "type") continue
    const applies = subjects.get(keyword)?.includes(String(keywords.type)) ?? dialect.open
    if (applies && !(keyword in keywords) && dialect.constrains(keyword, value)) keywords[keyword] = value
    else if (keywords[keyword] !== value) others[keyword] = value
  }
  return describe(keywords, inWords(others))
}

/** Constraints that no keyword can express. */
export const inWords = ({ type: _, ...constraints }: Json.JsonObject): ReadonlyArray<string> => {
  const words = Object.entries(constraints).map(([keyword, value]) => `${keyword}: ${JSON.stringify(value)}`)
  return words.length === 0 ? [] : [`{${words.join(", ")}}`]
}

/** Adds texts to a schema's description. A `$ref` allows no other keyword beside it, so it is wrapped. */
export const describe = (json: Json.JsonObject, texts: ReadonlyArray<string>): Json.JsonObject => {
  if (texts.length === 0) return json
  const all = [...new Set([...texts, ...typeof json.description === "string" ? [json.description] : []])]
  return { ...("$ref" in json ? { anyOf: [json] } : json), description: all.join("; ") }
}
