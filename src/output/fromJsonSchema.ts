import * as Json from "../wire/json.js"
import { concerns, constrain, describe, inWords } from "./dialect.js"
import * as Dialects from "./dialects.js"
import {
  type JsonCodec,
  leaf,
  listOf,
  literals,
  type Member,
  nothing,
  objectOf,
  oneOf,
  pairs,
  places,
  type Property,
  tuple
} from "./jsonCodec.js"
import { Irreconcilable, merge } from "./mergeJsonSchema.js"
import { begin, cleanName, Inexpressible, past, refer, type Traversal, within } from "./traversal.js"

// Translates other authors' JSON Schema (draft 2020-12, and draft 7 where it differs) to a dialect.

/** Keywords that do not restrict values. */
const annotations: ReadonlyArray<string> = [
  "$schema",
  "$id",
  "$anchor",
  "$comment",
  "$defs",
  "id",
  "definitions",
  "title",
  "description",
  "examples",
  "default",
  "deprecated",
  "readOnly",
  "writeOnly"
]

/** Keywords that determine the structure of a value. */
const structure: ReadonlyArray<string> = [
  "$ref",
  "allOf",
  "anyOf",
  "oneOf",
  "const",
  "enum",
  "type",
  "properties",
  "required",
  "additionalProperties",
  "patternProperties",
  "propertyNames",
  "items",
  "prefixItems",
  "additionalItems"
]

const without = (json: Json.JsonObject, keywords: ReadonlyArray<string>): Json.JsonObject =>
  Object.fromEntries(Object.entries(json).filter(([keyword]) => !keywords.includes(keyword)))

/** The target of a reference in its document: `#`, `#/$defs/Person`. */
const resolve = (ref: unknown, document: unknown, path: string): Json.JsonObject => {
  const pointer = Json.string(ref)
  const target = pointer?.startsWith("#") === true
    ? pointer.slice(1).split("/").filter((token) => token !== "").reduce<unknown>(
      (at, token) => Json.object(at)[decodeURIComponent(token).replace(/~1/g, "/").replace(/~0/g, "~")],
      document
    )
    : undefined
  if (!Json.isObject(target)) throw new Inexpressible(path, `a reference to nowhere (${JSON.stringify(ref)})`)
  return target
}

/** A schema, and the document that its references point into. */
interface Reading {
  readonly document: unknown
  readonly traversal: Traversal
}

const pastExit = ({ document, traversal }: Reading): Reading => ({ document, traversal: past(traversal) })

// ---------------------------------------------------------------------------------------------------------------------
// Constraints
// ---------------------------------------------------------------------------------------------------------------------

/** A bound that every exact JavaScript number satisfies is no constraint. */
const saysNothing = (value: unknown): boolean => value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER

const constrained = (codec: JsonCodec, given: Json.JsonObject, { traversal: { dialect } }: Reading): JsonCodec => {
  const constraints = Object.entries(without(given, [...annotations, ...structure]))
    .filter(([keyword, value]) => concerns(keyword, codec.json.type) && !saysNothing(value))
    // A format makes the pattern beside it redundant.
    .filter(([keyword, value]) =>
      keyword !== "pattern" || dialect.constrains(keyword, value) || !dialect.constrains("format", given.format)
    )
  // References inside constraints have been renamed, or no longer resolve: they are described in words.
  const refers = ([, value]: readonly [string, unknown]) => JSON.stringify(value)?.includes("\"$ref\"") === true
  const json = constrain(codec.json, Object.fromEntries(constraints.filter((each) => !refers(each))), dialect)
  return { ...codec, json: describe(json, inWords(Object.fromEntries(constraints.filter(refers)))) }
}

// ---------------------------------------------------------------------------------------------------------------------
// Unions
// ---------------------------------------------------------------------------------------------------------------------

/** Whether JSON fits a schema in its author's form. Built on first use: only examples need it. */
const predicate = (json: unknown, path: string, { document }: Reading): Member["is"] => {
  let codec: JsonCodec | undefined
  return (encoded) => {
    codec ??= codecOf(json, path, { document, traversal: begin(Dialects.plain, Json.object(json)) })
    return codec.fits(encoded)
  }
}

const union = (members: ReadonlyArray<unknown>, path: string, reading: Reading): JsonCodec => {
  if (members.length === 0) throw new Inexpressible(path, "a value that is never there")
  const inside = members.some((member) => Json.isObject(member) && member.type === "null") ? pastExit(reading) : reading
  return oneOf(members.map((member) => ({
    codec: codecOf(member, path, inside),
    is: predicate(member, path, reading)
  })))
}

const isPrimitive = (value: unknown): value is string | number | boolean | null =>
  value === null || ["string", "number", "boolean"].includes(typeof value)

const fixed = (values: ReadonlyArray<unknown>, path: string, { traversal: { dialect } }: Reading): JsonCodec => {
  const primitives = values.filter(isPrimitive)
  if (primitives.length === 0 || primitives.length < values.length) {
    throw new Inexpressible(path, values.length === 0 ? "an enum without values" : "an enum of objects")
  }
  return oneOf(literals([...new Set(primitives)], dialect).map((codec) => ({ codec, is: codec.fits })))
}

// ---------------------------------------------------------------------------------------------------------------------
// Objects and arrays
// ---------------------------------------------------------------------------------------------------------------------

const isAny = (json: unknown): boolean => json === true || (Json.isObject(json) && Object.keys(json).length === 0)

/** The further properties of an object: the schema of their names, and that of their values. */
const furtherOf = (json: Json.JsonObject, path: string, { traversal: { dialect } }: Reading) => {
  const { additionalProperties: further, propertyNames } = json
  const [pattern, ...more] = Object.entries(Json.object(json.patternProperties))
  if (more.length > 0 || (pattern !== undefined && further !== undefined && further !== false)) {
    throw new Inexpressible(path, "more than one kind of further properties")
  }
  const names = Json.object(propertyNames)
  if (pattern !== undefined) return { key: { ...names, type: "string", pattern: pattern[0] }, value: pattern[1] }
  if (further === false) return undefined
  const isDictionary = !("properties" in json) && !("required" in json)
  if (further !== undefined && !isAny(further)) return { key: { type: "string", ...names }, value: further }
  // Arbitrary further properties need not be requested.
  return isDictionary || (dialect.open && further !== undefined)
    ? { key: { type: "string", ...names }, value: true }
    : undefined
}

const object = (json: Json.JsonObject, path: string, reading: Reading): JsonCodec => {
  const { dialect } = reading.traversal
  const required = new Set(Json.array(json.required))
  const known = new Map(Object.entries(Json.object(json.properties)))
  for (const name of required) if (!known.has(String(name))) known.set(String(name), true)
  const properties = new Map([...known].map(([name, schema]): [string, Property] => [
    name,
    {
      codec: codecOf(schema, within(path, name), required.has(name) ? reading : pastExit(reading)),
      optional: !required.has(name)
    }
  ]))
  const further = furtherOf(json, path, reading)
  if (further === undefined) return constrained(objectOf(properties, undefined, dialect), json, reading)
  const others = codecOf(further.value, within(path, "*"), pastExit(reading))
  if (dialect.closed) {
    if (properties.size > 0) throw new Inexpressible(path, "named properties beside further ones")
    return constrained(pairs(codecOf(further.key, path, reading), others, dialect), json, reading)
  }
  const codec = constrained(objectOf(properties, others, dialect), json, reading)
  const { type: _, ...propertyNames } = further.key
  return Object.keys(propertyNames).length === 0
    ? codec
    : { ...codec, json: constrain(codec.json, { propertyNames }, dialect) }
}

const array = (json: Json.JsonObject, path: string, reading: Reading): JsonCodec => {
  const first = json.prefixItems ?? json.items
  const prefix = Json.array(first)
  const after = Array.isArray(json.items) ? json.additionalItems : json.items
  if (!Array.isArray(first)) {
    const inside = (Json.count(json.minItems) ?? 0) === 0 ? pastExit(reading) : reading
    return constrained(listOf(codecOf(after ?? true, `${path}[]`, inside)), json, reading)
  }
  const least = Json.count(json.minItems) ?? 0
  const elements = prefix.map((element, i): Property => ({
    codec: codecOf(element, `${path}[${i}]`, reading),
    optional: i >= least
  }))
  // As with properties: arbitrary further elements need not be requested.
  const rest = after === undefined || after === false || isAny(after)
    ? undefined
    : codecOf(after, `${path}[]`, reading)
  const direct = [...elements.map(({ codec }) => codec), ...rest === undefined ? [] : [rest]].every((s) => s.direct)
  const { dialect } = reading.traversal
  const { maxItems: _most, minItems: _least, ...others } = json
  return constrained(dialect.closed ? places(elements, rest, dialect) : tuple(elements, rest, direct), others, reading)
}

// ---------------------------------------------------------------------------------------------------------------------
// The reading
// ---------------------------------------------------------------------------------------------------------------------

/** Keywords that imply a type if none is given. */
const implied: ReadonlyArray<readonly [type: string, keywords: ReadonlyArray<string>]> = [
  ["object", ["properties", "required", "additionalProperties", "patternProperties", "propertyNames"]],
  ["array", ["items", "prefixItems"]]
]

const typed = (type: unknown, json: Json.JsonObject, path: string, reading: Reading): JsonCodec => {
  switch (type) {
    case "string":
    case "boolean":
      return constrained(leaf({ type }, (value) => typeof value === type), json, reading)
    case "number":
      return constrained(leaf({ type }, (value) => typeof value === "number"), json, reading)
    case "integer":
      return constrained(leaf({ type }, Number.isInteger), json, reading)
    case "null":
      return nothing
    case "object":
      return object(json, path, reading)
    case "array":
      return array(json, path, reading)
    case undefined:
      if (!reading.traversal.dialect.open) throw new Inexpressible(path, "a value of any type")
      return constrained(leaf({}, () => true), json, reading)
    default:
      throw new Inexpressible(path, `of the type ${JSON.stringify(type)}`)
  }
}

/** Merges `allOf` and the keywords beside it into one schema. */
const together = (json: Json.JsonObject, path: string, document: unknown, depth = 0): Json.JsonObject => {
  if (depth > 32) throw new Inexpressible(path, "a combination that refers to itself")
  const { allOf, ...own } = json
  if (allOf === undefined) return json
  try {
    return Json.array(allOf).map(Json.object).map(({ $ref, ...member }) =>
      $ref === undefined ? member : merge(member, without(resolve($ref, document, path), ["$defs", "definitions"]))
    ).map((member) => together(member, path, document, depth + 1)).reduce(merge, own)
  } catch (thrown) {
    if (thrown instanceof Irreconcilable) {
      throw new Inexpressible(path, `a combination (allOf) that differs in ${thrown.keyword}`)
    }
    throw thrown
  }
}

const unannotated = (json: Json.JsonObject, path: string, reading: Reading): JsonCodec => {
  const { $ref, allOf, anyOf, const: constant, enum: values, oneOf, type, ...others } = json
  if ($ref !== undefined) {
    const target = resolve($ref, reading.document, path)
    const name = cleanName(String($ref).split("/").at(-1) ?? "")
    return refer(target, { name, path, build: () => codecOf(target, path, reading) }, reading.traversal)
  }
  if (allOf !== undefined) return codecOf(together(without(json, annotations), path, reading.document), path, reading)
  const ways = anyOf ?? oneOf
  if (ways !== undefined) {
    const beside = without(json, [...annotations, anyOf === undefined ? "oneOf" : "anyOf"])
    const members = Json.array(ways)
    return union(
      Object.keys(beside).length === 0 ? members : members.map((way) => ({ allOf: [beside, way] })),
      path,
      reading
    )
  }
  if (constant !== undefined) return fixed([constant], path, reading)
  if (values !== undefined) return fixed(Json.array(values), path, reading)
  if (Array.isArray(type)) {
    return union(type.map((each) => ({ ...without(others, annotations), type: each })), path, reading)
  }
  return typed(type ?? implied.find(([, keywords]) => keywords.some((each) => each in json))?.[0], json, path, reading)
}

const annotate = (codec: JsonCodec, json: Json.JsonObject, { traversal: { dialect } }: Reading): JsonCodec => {
  const examples = Json.array(json.examples).map(codec.write)
  const described = describe(codec.json, [
    ...typeof json.description === "string" ? [json.description] : [],
    ...examples.length === 0 || dialect.examples
      ? []
      : [`Examples: ${examples.map((example) => JSON.stringify(example)).join(", ")}`]
  ])
  return {
    ...codec,
    json: "$ref" in described ? described : {
      ...described,
      ...(typeof json.title === "string" && { title: json.title }),
      ...(dialect.examples && examples.length > 0 && { examples }),
      ...(dialect.open && json.default !== undefined && { default: json.default })
    }
  }
}

const codecOf = (given: unknown, path: string, reading: Reading): JsonCodec => {
  const json = Json.object(given)
  if (given === false || ("not" in json && isAny(json.not))) {
    throw new Inexpressible(path, "a value that is never there")
  }
  return annotate(unannotated(json, path, reading), json, reading)
}

/** Makes the codec of a JSON Schema. Throws `Inexpressible`. */
export const make = (document: Json.JsonObject | object, path: string, traversal: Traversal): JsonCodec => {
  const { $ref, ...beside } = Json.object(document)
  // The target replaces a document that is only a reference.
  const target = $ref === undefined ? Json.object(document) : resolve($ref, document, path)
  const reading = { document, traversal: { ...traversal, root: { target, exits: traversal.exits } } }
  const codec = codecOf(target, path, reading)
  return $ref === undefined ? codec : annotate(codec, beside, reading)
}
