import type { Dialect } from "../LlmProvider.js"
import * as Json from "../wire/json.js"
import { describe } from "./dialect.js"

/** The kinds of JSON values that arrive in pieces. */
export type Kind = "string" | "object" | "array"

/** Wraps the visible part of a value in its surroundings. Gives `nothingYet` if there is nothing to show. */
export type Wrap = (shown: unknown) => unknown

export const nothingYet: unique symbol = Symbol("nothingYet")

/** The view of a field of an unfinished object. */
export interface Field {
  readonly codec: JsonCodec
  /** Whether this JSON value means that the field is absent. */
  readonly isAbsent: (json: unknown) => boolean
}

/**
 * The visible part of an unfinished value, in the form that the schema decodes from: nothing; the text so far; the
 * fields of an object so far; the finished elements of a list, as a list or, if they are pairs, as a dictionary.
 */
export type View =
  | { readonly _tag: "Hidden" }
  | { readonly _tag: "Text"; readonly wrap: Wrap }
  | { readonly _tag: "Fields"; readonly wrap: Wrap; readonly field: (name: string) => Field | undefined }
  | { readonly _tag: "Items"; readonly wrap: Wrap; readonly item: (index: number) => JsonCodec | undefined }
  | { readonly _tag: "Pairs"; readonly wrap: Wrap; readonly value: JsonCodec }

/**
 * The wire form of a schema's values: the JSON Schema of the model's JSON, and the conversions between that JSON and
 * the schema's encoded form. The two differ where a dialect lacks a construct: an optional field becomes nullable, a
 * dictionary a list of pairs, a tuple an object.
 */
export interface JsonCodec {
  readonly json: Json.JsonObject
  /** Whether a JSON value fits this codec. Distinguishes the members of a union. */
  readonly fits: (json: unknown) => boolean
  /** Whether a JSON value that does not fit was still meant for this codec: its tags match. */
  readonly resembles: (json: unknown) => boolean
  /** Converts the model's JSON to the schema's encoded form. A value that does not fit is left as it is, for the schema to reject. */
  readonly read: (json: unknown) => unknown
  /** Converts the schema's encoded form to the JSON that the model would write. */
  readonly write: (encoded: unknown) => unknown
  /**
   * Whether `read` gives a value of the schema's encoded type, filters aside. More lenient than `fits`: a schema ignores
   * fields that it does not name.
   */
  readonly accepts: (json: unknown) => boolean
  /** The view of an unfinished value of that kind, given the JSON so far; `undefined` if it is never of that kind. */
  readonly view: (kind: Kind, soFar: unknown) => View | undefined
  /** Whether the JSON equals the decoded value, so that the schema's constraints apply to the JSON as they are. */
  readonly direct: boolean
  /** Whether it allows only a few fixed values: as a property, it is a tag. */
  readonly literal: boolean
}

const same = (value: unknown): unknown => value

const hidden: View = { _tag: "Hidden" }

const isOf = (kind: Kind, { type }: Json.JsonObject): boolean =>
  type === undefined || type === kind || Json.array(type).includes(kind)

export const leaf = (json: Json.JsonObject, fits: JsonCodec["fits"], fields: Partial<JsonCodec> = {}): JsonCodec => ({
  json,
  fits,
  resembles: fits,
  read: same,
  write: same,
  accepts: fits,
  view: (kind) => !isOf(kind, json) ? undefined : fields.literal === true ? hidden : asItComes[kind],
  direct: true,
  literal: false,
  ...fields
})

/** The same codec, but hidden until the value is complete. */
export const whole = (codec: JsonCodec): JsonCodec => ({
  ...codec,
  view: (kind, soFar) => codec.view(kind, soFar) && hidden
})

export const nothing = leaf({ type: "null" }, (json) => json === null)

/** Passes any value through. */
const unread = leaf({}, () => true)

const isUndefined = (json: unknown): boolean => json === undefined

const textual: View = { _tag: "Text", wrap: same }

const asItComes: { readonly [K in Kind]: View } = {
  string: textual,
  object: { _tag: "Fields", wrap: same, field: () => ({ codec: unread, isAbsent: isUndefined }) },
  array: { _tag: "Items", wrap: same, item: () => unread }
}

const isNull = (value: unknown): boolean => value === null || value === undefined

// ---------------------------------------------------------------------------------------------------------------------
// Literals and unions
// ---------------------------------------------------------------------------------------------------------------------

export const literals = (
  values: ReadonlyArray<string | number | boolean | null>,
  dialect: Dialect
): ReadonlyArray<JsonCodec> =>
  ["string", "number", "boolean"].flatMap((type) => {
    const own = values.filter((value) => typeof value === type)
    if (own.length === 0) return []
    const json = dialect.enumerates(type)
      ? { type, enum: own }
      : describe({ type }, [own.map((value) => JSON.stringify(value)).join(" or ")])
    return [leaf(json, (json) => own.some((value) => value === json), { literal: true })]
  }).concat(values.includes(null) ? [nothing] : [])

export interface Member {
  readonly codec: JsonCodec
  readonly is: (encoded: unknown) => boolean
}

export const oneOf = (members: ReadonlyArray<Member>): JsonCodec => {
  const [first, ...others] = members
  if (first !== undefined && others.length === 0) return first.codec
  const codecs = members.map((member) => member.codec)
  const find = (json: unknown) =>
    codecs.find((codec) => codec.fits(json)) ?? codecs.find((codec) => codec.resembles(json))
  /** The view of the only possible member; objects are distinguished by their tags, once these have arrived. */
  const view: JsonCodec["view"] = (kind, soFar) => {
    const possible = codecs.flatMap((codec) => {
      const view = codec.view(kind, soFar)
      return view === undefined ? [] : [{ codec, view }]
    })
    if (kind === "string" && possible.some(({ view }) => view === textual)) return textual
    const left = possible.length > 1 && kind === "object"
      ? possible.filter(({ codec }) => codec.resembles(soFar))
      : possible
    return left.length === 1 ? left[0]?.view : possible.length === 0 ? undefined : hidden
  }
  return {
    json: {
      anyOf: codecs.flatMap(({ json }) => Object.keys(json).join() === "anyOf" ? Json.array(json.anyOf) : [json])
    },
    fits: (json) => codecs.some((codec) => codec.fits(json)),
    resembles: (json) => find(json) !== undefined,
    read: (json) => (find(json) ?? unread).read(json),
    write: (encoded) => {
      const member = members.find(({ is }) => is(encoded))
      return member === undefined ? encoded : member.codec.write(encoded)
    },
    accepts: (json) => codecs.some((codec) => codec.accepts(json)),
    view,
    direct: codecs.every((codec) => codec.direct),
    literal: codecs.every((codec) => codec.literal)
  }
}

export const nullable = (codec: JsonCodec): JsonCodec =>
  codec.fits(null) ? codec : oneOf([{ codec, is: (encoded) => !isNull(encoded) }, { codec: nothing, is: isNull }])

const some = (value: unknown): unknown => ({ _tag: "Some", value })

/** A view whose visible part is wrapped. */
const wrapped = (view: View, wrap: Wrap): View =>
  view._tag === "Hidden" ? view : {
    ...view,
    wrap: (shown) => {
      const inner = view.wrap(shown)
      return inner === nothingYet ? inner : wrap(inner)
    }
  }

export const option = (value: JsonCodec): JsonCodec => ({
  ...nullable(value),
  read: (json) => json === null ? { _tag: "None" } : some(value.read(json)),
  view: (kind, soFar) => {
    const view = value.view(kind, soFar)
    return view && wrapped(view, some)
  },
  write: (encoded) => {
    const { _tag, value: inner } = Json.object(encoded)
    return _tag === "Some" ? value.write(inner) : null
  },
  direct: false
})

// ---------------------------------------------------------------------------------------------------------------------
// Objects
// ---------------------------------------------------------------------------------------------------------------------

export interface Property {
  readonly codec: JsonCodec
  /** Whether the schema accepts objects without it. */
  readonly optional: boolean
}

/** An own member of a JSON object; inherited ones do not count. */
const member = (json: Json.JsonObject, name: string): unknown => Object.hasOwn(json, name) ? json[name] : undefined

export const objectOf = (
  properties: ReadonlyMap<string, Property>,
  others: JsonCodec | undefined,
  dialect: Dialect
): JsonCodec => {
  const isRequired = ({ optional }: Property) => dialect.allRequired || !optional
  const isAbsent = ({ optional, codec }: Property, json: unknown) =>
    json === undefined || (json === null && optional && !codec.fits(null))
  const codecs = [...properties]
  const tags = codecs.filter(([, { codec }]) => codec.literal)
  const hasFitting = (json: Json.JsonObject, [name, property]: readonly [string, Property]) => {
    const value = member(json, name)
    return isAbsent(property, value) ? property.optional : property.codec.fits(value)
  }
  const shown = new Map(codecs.map(([name, property]) => [
    name,
    { codec: property.codec, isAbsent: (json: unknown) => isAbsent(property, json) }
  ]))
  const further = others && { codec: others, isAbsent: isUndefined }
  const byName: View = { _tag: "Fields", wrap: same, field: (name) => shown.get(name) ?? further }
  return {
    json: {
      type: "object",
      properties: Object.fromEntries(codecs.map(([name, property]) => [
        name,
        dialect.allRequired && property.optional ? nullable(property.codec).json : property.codec.json
      ])),
      required: codecs.filter(([, property]) => isRequired(property)).map(([name]) => name),
      additionalProperties: others?.json ?? false
    },
    fits: (json) =>
      Json.isObject(json) &&
      codecs.every((property) => hasFitting(json, property)) &&
      Object.entries(json).every(([name, value]) => properties.has(name) || (others?.fits(value) ?? false)),
    resembles: (json) => Json.isObject(json) && tags.every((property) => hasFitting(json, property)),
    accepts: (json) =>
      Json.isObject(json) &&
      codecs.every(([name, property]) => {
        const value = member(json, name)
        return isAbsent(property, value) ? property.optional : property.codec.accepts(value)
      }) &&
      (others === undefined ||
        Object.entries(json).every(([name, value]) => properties.has(name) || others.accepts(value))),
    view: (kind) => kind === "object" ? byName : undefined,
    read: (json) => {
      if (!Json.isObject(json)) return json
      return Object.fromEntries(
        Object.entries(json).flatMap(([name, value]) => {
          const property = properties.get(name)
          if (property === undefined) return [[name, others === undefined ? value : others.read(value)]]
          return isAbsent(property, value) ? [] : [[name, property.codec.read(value)]]
        })
      )
    },
    write: (encoded) => {
      const fields = Json.object(encoded)
      const own = codecs.flatMap(([name, { optional, codec }]) => {
        const value = member(fields, name)
        if (value !== undefined || !optional) return [[name, codec.write(value)]]
        return dialect.allRequired ? [[name, null]] : []
      })
      const rest = others === undefined
        ? []
        : Object.entries(fields).flatMap(([name, value]) => properties.has(name) ? [] : [[name, others.write(value)]])
      return Object.fromEntries([...own, ...rest])
    },
    direct: codecs.every(([, { codec }]) => codec.direct),
    literal: false
  }
}

const required = (codec: JsonCodec): Property => ({ codec, optional: false })

const isPair = (json: unknown): boolean => Json.isObject(json) && typeof json.key === "string" && "value" in json

/** A dictionary as a list of pairs, for dialects whose objects have only the properties that the schema names. */
export const pairs = (key: JsonCodec, value: JsonCodec, dialect: Dialect): JsonCodec => {
  const list = listOf(objectOf(new Map([["key", required(key)], ["value", required(value)]]), undefined, dialect))
  return {
    ...list,
    read: (json) =>
      Array.isArray(json) && json.every(isPair)
        ? Object.fromEntries(Json.array(json).map(Json.object).map((pair) => [pair.key, value.read(pair.value)]))
        : json,
    write: (encoded) =>
      Object.entries(Json.object(encoded)).map(([name, each]) => ({ key: name, value: value.write(each) })),
    accepts: (json) =>
      Array.isArray(json) && json.every((pair) => isPair(pair) && value.accepts(Json.object(pair).value)),
    view: (kind) => kind === "array" ? { _tag: "Pairs", wrap: same, value } : undefined,
    direct: false
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Arrays
// ---------------------------------------------------------------------------------------------------------------------

export const listOf = (item: JsonCodec): JsonCodec => ({
  json: { type: "array", items: item.json },
  fits: (json) => Array.isArray(json) && json.every(item.fits),
  resembles: Array.isArray,
  read: (json) => Array.isArray(json) ? json.map(item.read) : json,
  write: (encoded) => Json.array(encoded).map(item.write),
  accepts: (json) => Array.isArray(json) && json.every(item.accepts),
  view: (kind) => kind === "array" ? { _tag: "Items", wrap: same, item: () => item } : undefined,
  direct: item.direct,
  literal: false
})

/** A tuple as an object: the positions are its properties, and `rest` lists the elements that follow. */
export const places = (elements: ReadonlyArray<Property>, rest: JsonCodec | undefined, dialect: Dialect): JsonCodec => {
  const others = rest === undefined ? undefined : listOf(rest)
  const object = objectOf(
    new Map([
      ...elements.map((element, i) => [String(i), element] as const),
      ...others === undefined ? [] : [["rest", required(others)] as const]
    ]),
    undefined,
    dialect
  )
  return {
    ...object,
    read: (json) => {
      if (!Json.isObject(json)) return json
      const read = Json.object(object.read(json))
      const own = elements.flatMap((_, i) => String(i) in read ? [read[String(i)]] : [])
      return [...own, ...Json.array(read.rest)]
    },
    write: (encoded) => {
      const all = Json.array(encoded)
      return object.write({ ...all.slice(0, elements.length), rest: all.slice(elements.length) })
    },
    // The positions may arrive in any order.
    view: (kind) => kind === "object" ? hidden : undefined,
    direct: false
  }
}

export const tuple = (elements: ReadonlyArray<Property>, rest: JsonCodec | undefined, direct: boolean): JsonCodec => {
  const itemAt = (i: number) => elements[i]?.codec ?? rest ?? unread
  const least = elements.filter(({ optional }) => !optional).length
  return {
    json: {
      type: "array",
      prefixItems: elements.map(({ codec }) => codec.json),
      items: rest?.json ?? false,
      minItems: least,
      ...(rest === undefined && { maxItems: elements.length })
    },
    fits: (json) =>
      Array.isArray(json) && json.length >= least && (rest !== undefined || json.length <= elements.length) &&
      json.every((item, i) => itemAt(i).fits(item)),
    resembles: Array.isArray,
    read: (json) => Array.isArray(json) ? json.map((item, i) => itemAt(i).read(item)) : json,
    write: (encoded) => Json.array(encoded).map((item, i) => itemAt(i).write(item)),
    accepts: (json) =>
      Array.isArray(json) && json.length >= least && (rest !== undefined || json.length <= elements.length) &&
      json.every((item, i) => itemAt(i).accepts(item)),
    view: (kind) =>
      kind === "array" ? { _tag: "Items", wrap: same, item: (i) => elements[i]?.codec ?? rest } : undefined,
    direct,
    literal: false
  }
}
