import { isRecord } from "effect/Predicate"
import { firstProblem, isObject, type Place } from "../schemaPlaces.js"

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

const problemAt = ({ path, schema }: Place): string | undefined => {
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

/** The reason why OpenAI refuses a strict schema, in its words. */
export const strictProblem = (schema: unknown): string | undefined => {
  if (!isRecord(schema) || schema.type !== "object" || "anyOf" in schema) {
    const type = isRecord(schema) ? schema.type : undefined
    return `schema must be a JSON Schema of 'type: "object"', got 'type: ${JSON.stringify(type ?? null)}'.`
  }
  return firstProblem(schema, problemAt)
}
