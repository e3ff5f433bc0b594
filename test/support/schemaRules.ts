import type { SchemaDialect } from "effect-llm/LlmProvider"
import { isRecord } from "effect/Predicate"

// What each service takes of JSON Schema, as it publishes it or answers 400. Written from that, and not from the code.

type Json = Readonly<Record<string, unknown>>

interface Place {
  readonly path: string
  readonly schema: Json
}

const named = (schema: Json, keyword: string, path: string): ReadonlyArray<Place> =>
  Object.entries(isRecord(schema[keyword]) ? schema[keyword] : {})
    .flatMap(([name, child]) => placesOf(child, `${path}/${keyword}/${name}`))

const listed = (schema: Json, keyword: string, path: string): ReadonlyArray<Place> =>
  (Array.isArray(schema[keyword]) ? schema[keyword] : [])
    .flatMap((child: unknown, i) => placesOf(child, `${path}/${keyword}/${i}`))

/** A schema and all schemas in it. */
const placesOf = (schema: unknown, path = "#"): ReadonlyArray<Place> =>
  isRecord(schema)
    ? [
      { path, schema },
      ...["properties", "$defs", "patternProperties"].flatMap((keyword) => named(schema, keyword, path)),
      ...["anyOf", "allOf", "oneOf", "prefixItems"].flatMap((keyword) => listed(schema, keyword, path)),
      ...["items", "additionalProperties", "propertyNames", "not"].flatMap((keyword) =>
        placesOf(schema[keyword], `${path}/${keyword}`)
      )
    ]
    : []

const isObject = (schema: Json): boolean => schema.type === "object"

const structure = [
  "type",
  "title",
  "description",
  "enum",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "anyOf",
  "$ref",
  "$defs"
]

const stringFormats = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]

type Rule = (place: Place, root: Json) => string | undefined

const onlyKeywords = (...keywords: ReadonlyArray<string>): Rule => ({ schema }) => {
  const found = Object.keys(schema).find((keyword) => !keywords.includes(keyword))
  return found === undefined ? undefined : `'${found}' is not permitted`
}

const onlyFormats = (...formats: ReadonlyArray<unknown>): Rule => ({ schema }) =>
  schema.format === undefined || formats.includes(schema.format) ? undefined : `format ${String(schema.format)}`

const typed: Rule = ({ schema }) =>
  ["type", "anyOf", "$ref"].some((keyword) => keyword in schema) ? undefined : "a type is missing"

const nothingBesideRef: Rule = ({ schema }) =>
  "$ref" in schema && Object.keys(schema).length > 1 ? "keywords beside $ref" : undefined

const closed: Rule = ({ schema }) =>
  isObject(schema) && schema.additionalProperties !== false ? "'additionalProperties' must be false" : undefined

const allRequired: Rule = ({ schema }) => {
  const required = Array.isArray(schema.required) ? schema.required : []
  const missing = Object.keys(isRecord(schema.properties) ? schema.properties : {}).find((name) =>
    !required.includes(name)
  )
  return isObject(schema) && missing !== undefined ? `'required' lacks '${missing}'` : undefined
}

const requiredExist: Rule = ({ schema }) => {
  const properties = isRecord(schema.properties) ? schema.properties : {}
  return Array.isArray(schema.required) && !schema.required.every((name) => Object.hasOwn(properties, String(name)))
    ? "'required' names what is no property"
    : undefined
}

const target = (ref: unknown, root: Json): unknown => {
  const name = /^#\/\$defs\/([\w-]+)$/.exec(String(ref))?.[1]
  return name !== undefined && isRecord(root.$defs) && Object.hasOwn(root.$defs, name) ? root.$defs[name] : undefined
}

const refsResolve: Rule = ({ schema }, root) =>
  "$ref" in schema && target(schema.$ref, root) === undefined ? `${String(schema.$ref)} leads nowhere` : undefined

/** The schemas that can be reached from one by references; with `all` false not through what may be absent or empty. */
const reachable = (schema: unknown, root: Json, all: boolean): ReadonlySet<unknown> => {
  const found = new Set<unknown>()
  const mayBeNull = (json: Json) => Array.isArray(json.anyOf) && json.anyOf.some((each) => each?.type === "null")
  const visit = (at: unknown): void => {
    if (!isRecord(at)) return
    if ("$ref" in at) {
      const next = target(at.$ref, root)
      if (found.has(next)) return
      found.add(next)
      return visit(next)
    }
    const required = Array.isArray(at.required) ? at.required : []
    for (const [name, child] of Object.entries(isRecord(at.properties) ? at.properties : {})) {
      if (all || required.includes(name)) visit(child)
    }
    if (Array.isArray(at.anyOf) && (all || !mayBeNull(at))) at.anyOf.forEach(visit)
    if (Array.isArray(at.prefixItems)) at.prefixItems.forEach(visit)
    if (all || Number(at.minItems ?? 0) > 0) visit(at.items)
    if (all) visit(at.additionalProperties)
  }
  visit(schema)
  return found
}

const noLoops = (options: { readonly all: boolean }): Rule => ({ path, schema }, root) =>
  /^#\/\$defs\/[^/]+$/.test(path) && reachable(schema, root, options.all).has(schema)
    ? "it refers to itself"
    : undefined

const rules: { readonly [Dialect in SchemaDialect]: ReadonlyArray<Rule> } = {
  openai: [
    onlyKeywords(
      ...structure,
      "format",
      "pattern",
      "minimum",
      "maximum",
      "exclusiveMinimum",
      "exclusiveMaximum",
      "multipleOf",
      "minItems",
      "maxItems"
    ),
    onlyFormats(...stringFormats),
    typed,
    nothingBesideRef,
    closed,
    allRequired
  ],
  anthropic: [
    onlyKeywords(...structure, "format", "minItems"),
    onlyFormats(...stringFormats, "uri"),
    typed,
    nothingBesideRef,
    closed,
    ({ schema }) => Number(schema.minItems ?? 0) > 1 ? "'minItems' of more than 1" : undefined,
    noLoops({ all: true })
  ],
  gemini: [
    onlyKeywords(...structure, "format", "prefixItems", "minimum", "maximum", "minItems", "maxItems"),
    onlyFormats("date-time", "date", "time"),
    typed,
    nothingBesideRef,
    ({ schema }) => "enum" in schema && schema.type === "boolean" ? "an enum of booleans" : undefined,
    noLoops({ all: false })
  ],
  plain: []
}

/** What a service objects to in a schema; nothing where it takes it. */
export const problemOf = (schema: unknown, dialect: SchemaDialect): string | undefined => {
  if (!isRecord(schema) || schema.type !== "object" || "anyOf" in schema) return "the root is no object"
  for (const place of placesOf(schema)) {
    for (const rule of [...rules[dialect], requiredExist, refsResolve]) {
      const problem = rule(place, schema)
      if (problem !== undefined) return `${place.path}: ${problem} (${JSON.stringify(place.schema)})`
    }
  }
  return undefined
}
