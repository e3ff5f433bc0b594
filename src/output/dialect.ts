import type { SchemaDialect } from "../LlmProvider.js"
import type * as Json from "../wire/json.js"

/** What can be said to a provider in JSON Schema. */
export interface Dialect {
  /** Whether an object is allowed only what its schema names: no dictionaries, and no tuples either. */
  readonly closed: boolean
  /** Whether every property has to be required: what may be absent is written as null. */
  readonly allRequired: boolean
  /** Whether a schema may leave open what it wants. */
  readonly open: boolean
  /** Whether `examples` is a keyword. Where it is not, examples are part of the description. */
  readonly examples: boolean
  /**
   * Which schemas may refer to themselves: all, none, or those that do not have to: with null, an absent field or an
   * empty array on the way.
   */
  readonly recursion: "any" | "none" | "escapable"
  /** Whether `enum` is a keyword for values of a type. */
  readonly enumerates: (type: string) => boolean
  /** Whether it has a constraint. One that it has not is part of the description. */
  readonly constrains: (keyword: string, value: unknown) => boolean
}

/** A regular expression of the kinds that are compiled into grammars: without looking around or back. */
const isRegular = (pattern: unknown): boolean => !/\(\?(?:[=!]|<[=!])|\\[1-9k]/.test(String(pattern))

const openAiFormats: ReadonlyArray<unknown> = [
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "uuid"
]

const anthropicFormats: ReadonlyArray<unknown> = [...openAiFormats, "uri"]

const geminiFormats: ReadonlyArray<unknown> = ["date-time", "date", "time"]

const numberBounds: ReadonlyArray<string> = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf"
]

const openAiKeywords: ReadonlyArray<string> = [...numberBounds, "minItems", "maxItems"]

const geminiKeywords: ReadonlyArray<string> = ["minimum", "maximum", "minItems", "maxItems"]

const dialects: { readonly [Name in SchemaDialect]: Dialect } = {
  // https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
  openai: {
    closed: true,
    allRequired: true,
    open: false,
    examples: false,
    recursion: "any",
    enumerates: () => true,
    constrains: (keyword, value) =>
      openAiKeywords.includes(keyword) ||
      (keyword === "format" && openAiFormats.includes(value)) ||
      (keyword === "pattern" && isRegular(value))
  },
  // https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations
  anthropic: {
    closed: true,
    allRequired: false,
    open: false,
    examples: false,
    // "Circular reference detected in schema definitions ... are not supported", says the service.
    recursion: "none",
    enumerates: () => true,
    constrains: (keyword, value) =>
      (keyword === "format" && anthropicFormats.includes(value)) ||
      (keyword === "minItems" && (value === 0 || value === 1))
  },
  // https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support
  gemini: {
    closed: false,
    allRequired: false,
    open: false,
    examples: false,
    // "ref loops are only supported if they include optional or nullable property values, or a potentially-zero-length
    // array items", says the service.
    recursion: "escapable",
    // https://ai.google.dev/api/generate-content#FIELDS.response_json_schema: "enum (for strings and numbers)"
    enumerates: (type) => type !== "boolean",
    constrains: (keyword, value) =>
      geminiKeywords.includes(keyword) || (keyword === "format" && geminiFormats.includes(value))
  },
  plain: {
    closed: false,
    allRequired: false,
    open: true,
    examples: true,
    recursion: "any",
    enumerates: () => true,
    constrains: () => true
  }
}

/** What a dialect can say. */
export const of = (name: SchemaDialect): Dialect => dialects[name]

/** The type of values that a keyword is about. */
const subjects = new Map<string, ReadonlyArray<string>>([
  ...numberBounds.map((keyword) => [keyword, ["number", "integer"]] as const),
  ...["minLength", "maxLength", "pattern", "format"].map((keyword) => [keyword, ["string"]] as const),
  ...["minItems", "maxItems", "uniqueItems"].map((keyword) => [keyword, ["array"]] as const)
])

/** Whether a keyword is about values of a type: others pass it. */
export const concerns = (keyword: string, type: unknown): boolean =>
  subjects.get(keyword)?.includes(String(type)) ?? true

/** Adds constraints to a schema: as keywords where the dialect has them, in words where it has not. */
export const constrain = (json: Json.JsonObject, constraints: Json.JsonObject, dialect: Dialect): Json.JsonObject => {
  const said: { [keyword: string]: unknown } = { ...json }
  const unsaid: { [keyword: string]: unknown } = {}
  for (const [keyword, value] of Object.entries(constraints)) {
    if (keyword === "type" && value === "integer" && said.type === "number") said.type = value
    if (keyword === "type") continue
    const isAboutIt = subjects.get(keyword)?.includes(String(said.type)) ?? dialect.open
    if (isAboutIt && !(keyword in said) && dialect.constrains(keyword, value)) said[keyword] = value
    else if (said[keyword] !== value) unsaid[keyword] = value
  }
  return describe(said, inWords(unsaid))
}

/** Constraints that no keyword can express. */
export const inWords = ({ type: _, ...constraints }: Json.JsonObject): ReadonlyArray<string> => {
  const words = Object.entries(constraints).map(([keyword, value]) => `${keyword}: ${JSON.stringify(value)}`)
  return words.length === 0 ? [] : [`{${words.join(", ")}}`]
}

/** Adds to what is said about a schema in words. Nothing may stand beside a `$ref`, so that is wrapped. */
export const describe = (json: Json.JsonObject, texts: ReadonlyArray<string>): Json.JsonObject => {
  if (texts.length === 0) return json
  const all = [...new Set([...texts, ...typeof json.description === "string" ? [json.description] : []])]
  return { ...("$ref" in json ? { anyOf: [json] } : json), description: all.join("; ") }
}
