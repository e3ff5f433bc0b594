import type { Dialect, SchemaDialect } from "../LlmProvider.js"
import { numberBounds } from "./dialect.js"

// The dialects that any provider can name, the library's own and a program's. A provider with another dialect brings it
// as a value: nothing here needs to know it.

/** A regular expression that compiles into a grammar: without lookaround and back-references. */
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

const openAiKeywords: ReadonlyArray<string> = [...numberBounds, "minItems", "maxItems"]

const geminiKeywords: ReadonlyArray<string> = ["minimum", "maximum", "minItems", "maxItems"]

// https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
// https://platform.openai.com/docs/guides/function-calling#strict-mode
const openai: Dialect = {
  name: "openai",
  closed: true,
  allRequired: true,
  open: false,
  examples: false,
  strictTools: true,
  recursion: "any",
  enumerates: () => true,
  constrains: (keyword, value) =>
    openAiKeywords.includes(keyword) ||
    (keyword === "format" && openAiFormats.includes(value)) ||
    (keyword === "pattern" && isRegular(value))
}

// https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations
// https://platform.claude.com/docs/en/agents-and-tools/tool-use/strict-tool-use
const anthropic: Dialect = {
  name: "anthropic",
  closed: true,
  allRequired: false,
  open: false,
  examples: false,
  strictTools: true,
  // The service answers: "Circular reference detected in schema definitions ... are not supported".
  recursion: "none",
  enumerates: () => true,
  constrains: (keyword, value) =>
    (keyword === "format" && anthropicFormats.includes(value)) ||
    (keyword === "minItems" && (value === 0 || value === 1))
}

// https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support
const gemini: Dialect = {
  name: "gemini",
  closed: false,
  allRequired: false,
  open: false,
  examples: false,
  strictTools: false,
  // The service answers: "ref loops are only supported if they include optional or nullable property values, or a
  // potentially-zero-length array items".
  recursion: "escapable",
  // https://ai.google.dev/api/generate-content#FIELDS.response_json_schema: "enum (for strings and numbers)"
  enumerates: (type) => type !== "boolean",
  constrains: (keyword, value) =>
    geminiKeywords.includes(keyword) || (keyword === "format" && geminiFormats.includes(value))
}

/** All of JSON Schema. */
export const plain: Dialect = {
  name: "plain",
  closed: false,
  allRequired: false,
  open: true,
  examples: true,
  strictTools: false,
  recursion: "any",
  enumerates: () => true,
  constrains: () => true
}

const named: { readonly [Name in SchemaDialect]: Dialect } = { openai, anthropic, gemini, plain }

/** A dialect by its name, or the dialect itself. */
export const of = (dialect: SchemaDialect | Dialect): Dialect => typeof dialect === "string" ? named[dialect] : dialect
