import * as Json from "../wire/json.js"
import { concerns, constrain, describe, inWords } from "./dialect.js"
import * as Dialects from "./dialects.js"
import {
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
  type Shape,
  tuple
} from "./jsonCodec.js"
import { Irreconcilable, merge } from "./mergeJsonSchema.js"
import { begin, cleanName, Inexpressible, past, refer, type Walk, within } from "./traversal.js"

// JSON Schema as others write it (draft 2020-12, and what draft 7 has instead), put into the words of a dialect.

/** Keywords that say nothing about which values fit. */
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

/** Keywords that make up the shape of a value. */
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

/** Where a reference points to in its document: `#`, `#/$defs/Person`. */
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
  readonly walk: Walk
}

const pastExit = ({ document, walk }: Reading): Reading => ({ document, walk: past(walk) })

// ---------------------------------------------------------------------------------------------------------------------
// Constraints
// ---------------------------------------------------------------------------------------------------------------------

/** What all numbers of JavaScript that are exact keep to is no constraint. */
const saysNothing = (value: unknown): boolean => value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER

const constrained = (shape: Shape, given: Json.JsonObject, { walk: { dialect } }: Reading): Shape => {
  const constraints = Object.entries(without(given, [...annotations, ...structure]))
    .filter(([keyword, value]) => concerns(keyword, shape.json.type) && !saysNothing(value))
    // A format says in a word what the pattern beside it spells out.
    .filter(([keyword, value]) =>
      keyword !== "pattern" || dialect.constrains(keyword, value) || !dialect.constrains("format", given.format)
    )
  // A reference has been renamed, or points nowhere now.
  const refers = ([, value]: readonly [string, unknown]) => JSON.stringify(value)?.includes("\"$ref\"") === true
  const json = constrain(shape.json, Object.fromEntries(constraints.filter((each) => !refers(each))), dialect)
  return { ...shape, json: describe(json, inWords(Object.fromEntries(constraints.filter(refers)))) }
}

// ---------------------------------------------------------------------------------------------------------------------
// Unions
// ---------------------------------------------------------------------------------------------------------------------

/** Whether JSON fits a schema in the form in which its author wrote it. Built when it is needed: to write examples. */
const predicate = (json: unknown, path: string, { document }: Reading): Member["is"] => {
  let shape: Shape | undefined
  return (encoded) => {
    shape ??= shapeOf(json, path, { document, walk: begin(Dialects.plain, Json.object(json)) })
    return shape.fits(encoded)
  }
}

const union = (members: ReadonlyArray<unknown>, path: string, reading: Reading): Shape => {
  if (members.length === 0) throw new Inexpressible(path, "a value that is never there")
  const inside = members.some((member) => Json.isObject(member) && member.type === "null") ? pastExit(reading) : reading
  return oneOf(members.map((member) => ({
    shape: shapeOf(member, path, inside),
    is: predicate(member, path, reading)
  })))
}

const isPrimitive = (value: unknown): value is string | number | boolean | null =>
  value === null || ["string", "number", "boolean"].includes(typeof value)

const fixed = (values: ReadonlyArray<unknown>, path: string, { walk: { dialect } }: Reading): Shape => {
  const primitives = values.filter(isPrimitive)
  if (primitives.length === 0 || primitives.length < values.length) {
    throw new Inexpressible(path, values.length === 0 ? "an enum without values" : "an enum of objects")
  }
  return oneOf(literals([...new Set(primitives)], dialect).map((shape) => ({ shape, is: shape.fits })))
}

// ---------------------------------------------------------------------------------------------------------------------
// Objects and arrays
// ---------------------------------------------------------------------------------------------------------------------

const isAny = (json: unknown): boolean => json === true || (Json.isObject(json) && Object.keys(json).length === 0)

/** What an object may have beyond its named properties: the schema of the names, and that of the values. */
const furtherOf = (json: Json.JsonObject, path: string, { walk: { dialect } }: Reading) => {
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
  // What may be there, whatever it is, need not be asked for.
  return isDictionary || (dialect.open && further !== undefined)
    ? { key: { type: "string", ...names }, value: true }
    : undefined
}

const object = (json: Json.JsonObject, path: string, reading: Reading): Shape => {
  const { dialect } = reading.walk
  const required = new Set(Json.array(json.required))
  const known = new Map(Object.entries(Json.object(json.properties)))
  for (const name of required) if (!known.has(String(name))) known.set(String(name), true)
  const properties = new Map([...known].map(([name, schema]): [string, Property] => [
    name,
    {
      shape: shapeOf(schema, within(path, name), required.has(name) ? reading : pastExit(reading)),
      optional: !required.has(name)
    }
  ]))
  const further = furtherOf(json, path, reading)
  if (further === undefined) return constrained(objectOf(properties, undefined, dialect), json, reading)
  const others = shapeOf(further.value, within(path, "*"), pastExit(reading))
  if (dialect.closed) {
    if (properties.size > 0) throw new Inexpressible(path, "named properties beside further ones")
    return constrained(pairs(shapeOf(further.key, path, reading), others, dialect), json, reading)
  }
  const shape = constrained(objectOf(properties, others, dialect), json, reading)
  const { type: _, ...propertyNames } = further.key
  return Object.keys(propertyNames).length === 0
    ? shape
    : { ...shape, json: constrain(shape.json, { propertyNames }, dialect) }
}

const array = (json: Json.JsonObject, path: string, reading: Reading): Shape => {
  const first = json.prefixItems ?? json.items
  const prefix = Json.array(first)
  const after = Array.isArray(json.items) ? json.additionalItems : json.items
  if (!Array.isArray(first)) {
    const inside = (Json.count(json.minItems) ?? 0) === 0 ? pastExit(reading) : reading
    return constrained(listOf(shapeOf(after ?? true, `${path}[]`, inside)), json, reading)
  }
  const least = Json.count(json.minItems) ?? 0
  const elements = prefix.map((element, i): Property => ({
    shape: shapeOf(element, `${path}[${i}]`, reading),
    optional: i >= least
  }))
  // As with properties: what may follow, whatever it is, need not be asked for.
  const rest = after === undefined || after === false || isAny(after)
    ? undefined
    : shapeOf(after, `${path}[]`, reading)
  const direct = [...elements.map(({ shape }) => shape), ...rest === undefined ? [] : [rest]].every((s) => s.direct)
  const { dialect } = reading.walk
  const { maxItems: _most, minItems: _least, ...others } = json
  return constrained(dialect.closed ? places(elements, rest, dialect) : tuple(elements, rest, direct), others, reading)
}

// ---------------------------------------------------------------------------------------------------------------------
// The reading
// ---------------------------------------------------------------------------------------------------------------------

/** Keywords that tell the type where it is not said. */
const telling: ReadonlyArray<readonly [type: string, keywords: ReadonlyArray<string>]> = [
  ["object", ["properties", "required", "additionalProperties", "patternProperties", "propertyNames"]],
  ["array", ["items", "prefixItems"]]
]

const typed = (type: unknown, json: Json.JsonObject, path: string, reading: Reading): Shape => {
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
      if (!reading.walk.dialect.open) throw new Inexpressible(path, "a value of any type")
      return constrained(leaf({}, () => true), json, reading)
    default:
      throw new Inexpressible(path, `of the type ${JSON.stringify(type)}`)
  }
}

/** `allOf`, and what is beside it, as one schema. */
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

const unannotated = (json: Json.JsonObject, path: string, reading: Reading): Shape => {
  const { $ref, allOf, anyOf, const: constant, enum: values, oneOf, type, ...others } = json
  if ($ref !== undefined) {
    const target = resolve($ref, reading.document, path)
    const name = cleanName(String($ref).split("/").at(-1) ?? "")
    return refer(target, { name, path, build: () => shapeOf(target, path, reading) }, reading.walk)
  }
  if (allOf !== undefined) return shapeOf(together(without(json, annotations), path, reading.document), path, reading)
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
  return typed(type ?? telling.find(([, keywords]) => keywords.some((each) => each in json))?.[0], json, path, reading)
}

const annotate = (shape: Shape, json: Json.JsonObject, { walk: { dialect } }: Reading): Shape => {
  const examples = Json.array(json.examples).map(shape.write)
  const described = describe(shape.json, [
    ...typeof json.description === "string" ? [json.description] : [],
    ...examples.length === 0 || dialect.examples
      ? []
      : [`Examples: ${examples.map((example) => JSON.stringify(example)).join(", ")}`]
  ])
  return {
    ...shape,
    json: "$ref" in described ? described : {
      ...described,
      ...(typeof json.title === "string" && { title: json.title }),
      ...(dialect.examples && examples.length > 0 && { examples }),
      ...(dialect.open && json.default !== undefined && { default: json.default })
    }
  }
}

const shapeOf = (given: unknown, path: string, reading: Reading): Shape => {
  const json = Json.object(given)
  if (given === false || ("not" in json && isAny(json.not))) {
    throw new Inexpressible(path, "a value that is never there")
  }
  return annotate(unannotated(json, path, reading), json, reading)
}

/** The shape of the values of a JSON Schema. Throws `Inexpressible`. */
export const make = (document: Json.JsonObject | object, path: string, walk: Walk): Shape => {
  const { $ref, ...beside } = Json.object(document)
  // The document itself is not referred to: what it refers to stands in its place.
  const target = $ref === undefined ? Json.object(document) : resolve($ref, document, path)
  const reading = { document, walk: { ...walk, root: { target, exits: walk.exits } } }
  const shape = shapeOf(target, path, reading)
  return $ref === undefined ? shape : annotate(shape, beside, reading)
}
