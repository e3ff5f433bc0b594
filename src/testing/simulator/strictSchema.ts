import { isRecord } from "effect/Predicate"

type Schema = Readonly<Record<string, unknown>>

/** A schema in a schema, with where it stands there. */
interface Place {
  readonly path: ReadonlyArray<string>
  readonly schema: Schema
}

const children = ({ path, schema }: Place): ReadonlyArray<Place> => {
  const place = (schema: unknown, ...steps: ReadonlyArray<string>): ReadonlyArray<Place> =>
    isRecord(schema) ? [{ path: [...path, ...steps], schema }] : []
  // The keys of a list are its indices.
  const within = (key: string) => Object.entries(schema[key] ?? {}).flatMap(([name, child]) => place(child, key, name))
  return [
    ...["properties", "$defs", "definitions", "anyOf", "oneOf", "allOf"].flatMap(within),
    ...place(schema.items, "items")
  ]
}

const places = (place: Place): ReadonlyArray<Place> => [place, ...children(place).flatMap(places)]

const isObject = (schema: Schema): boolean =>
  schema.type === "object" || (Array.isArray(schema.type) && schema.type.includes("object"))

const firstOf = <A, B>(items: ReadonlyArray<A>, f: (item: A) => B | undefined): B | undefined => {
  for (const item of items) {
    const found = f(item)
    if (found !== undefined) return found
  }
  return undefined
}

const notPermitted = [
  "allOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
  "patternProperties",
  "prefixItems",
  "contains",
  "dependentRequired",
  "dependentSchemas",
  "minProperties",
  "maxProperties",
  "uniqueItems",
  "propertyNames",
  "unevaluatedProperties",
  "unevaluatedItems"
]

const openAiProblem = ({ path, schema }: Place): string | undefined => {
  const context = `In context=(${path.map((step) => `'${step}'`).join(", ")})`
  const keyword = notPermitted.find((name) => name in schema)
  if (keyword !== undefined) return `${context}, '${keyword}' is not permitted.`
  if (!isObject(schema)) return undefined
  if (schema.additionalProperties !== false) {
    return `${context}, 'additionalProperties' is required to be supplied and to be false.`
  }
  const required = Array.isArray(schema.required) ? schema.required : []
  const missing = Object.keys(isRecord(schema.properties) ? schema.properties : {})
    .find((name) => !required.includes(name))
  return missing === undefined
    ? undefined
    : `${context}, 'required' is required to be supplied and to be an array including every key in properties. ` +
      `Missing '${missing}'.`
}

/** What OpenAI objects to in a schema that is to be held to strictly, in its words. */
export const openAiStrictProblem = (schema: unknown): string | undefined => {
  if (!isRecord(schema) || schema.type !== "object" || "anyOf" in schema) {
    const type = isRecord(schema) ? schema.type : undefined
    return `schema must be a JSON Schema of 'type: "object"', got 'type: ${JSON.stringify(type ?? null)}'.`
  }
  return firstOf(places({ path: [], schema }), openAiProblem)
}

const numberBounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]

const stringBounds = ["minLength", "maxLength"]

const stringFormats = [
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "uri",
  "ipv4",
  "ipv6",
  "uuid"
]

const anthropicProblem = ({ schema }: Place): string | undefined => {
  const type = String(schema.type)
  if (isObject(schema) && schema.additionalProperties !== false) {
    return "For 'object' type, 'additionalProperties' must be explicitly set to false"
  }
  const bounds = [...numberBounds, ...stringBounds, "maxItems"].filter((name) => name in schema)
  if (bounds.length > 0) return `For '${type}' type, properties ${bounds.join(", ")} are not supported`
  if (typeof schema.minItems === "number" && schema.minItems > 1) {
    return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
  }
  return typeof schema.format === "string" && !stringFormats.includes(schema.format)
    ? `For 'string' type, 'format' value '${schema.format}' is not supported`
    : undefined
}

/** What Anthropic objects to in the schema of a structured answer or of a strict tool. */
export const anthropicStrictProblem = (schema: unknown): string | undefined =>
  isRecord(schema) ? firstOf(places({ path: [], schema }), anthropicProblem) : "Input should be a valid dictionary"
