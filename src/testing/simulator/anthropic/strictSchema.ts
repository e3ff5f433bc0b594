import { isRecord } from "effect/Predicate"
import { firstProblem, isObject, type Place } from "../schemaPlaces.js"

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

const problemAt = ({ schema }: Place): string | undefined => {
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

/** The reason why Anthropic refuses the schema of a structured answer or of a strict tool, in its words. */
export const strictProblem = (schema: unknown): string | undefined =>
  isRecord(schema) ? firstProblem(schema, problemAt) : "Input should be a valid dictionary"
