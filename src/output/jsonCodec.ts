import type { Dialect } from "../LlmProvider.js"
import * as Json from "../wire/json.js"
import { describe } from "./dialect.js"

/** What has begun in JSON that is not whole. */
export type Kind = "string" | "object" | "array"

/** Puts what is shown of a value into what is around it. It gives `nothingYet` where there is nothing to show. */
export type Wrap = (shown: unknown) => unknown

export const nothingYet: unique symbol = Symbol("nothingYet")

/** How a child of an object is shown. */
export interface Field {
  readonly shape: Shape
  /** Whether such JSON stands for a child that is not there. */
  readonly isAbsent: (json: unknown) => boolean
}

/**
 * What is shown of a value before it is whole, in the form that the schema decodes from: nothing; as much of a text as
 * has come; of an object what of its fields has come; of a list its elements that are whole, in a list or, where they are
 * pairs, in a dictionary.
 */
export type View =
  | { readonly _tag: "Hidden" }
  | { readonly _tag: "Text"; readonly wrap: Wrap }
  | { readonly _tag: "Fields"; readonly wrap: Wrap; readonly field: (name: string) => Field | undefined }
  | { readonly _tag: "Items"; readonly wrap: Wrap; readonly item: (index: number) => Shape | undefined }
  | { readonly _tag: "Pairs"; readonly wrap: Wrap; readonly value: Shape }

/**
 * How values of a schema travel: the JSON Schema of what the model writes, and the ways between that and what the
 * schema decodes from. They differ where a dialect cannot say what the schema says: what may be absent is null, a
 * dictionary is a list of pairs, a tuple is an object.
 */
export interface Shape {
  readonly json: Json.JsonObject
  /** Whether JSON is of this shape. Tells the members of a union apart. */
  readonly fits: (json: unknown) => boolean
  /** Whether JSON that does not fit was meant for it all the same: its tags are right. */
  readonly resembles: (json: unknown) => boolean
  /** From what the model writes to what the schema decodes from. What does not fit stays as it is, to be complained of. */
  readonly read: (json: unknown) => unknown
  /** From what the schema encodes to, to what the model would write. */
  readonly write: (encoded: unknown) => unknown
  /**
   * Whether what it reads is of the type that the schema decodes from. More lenient than `fits`: a schema ignores what it
   * does not name. Filters aside.
   */
  readonly accepts: (json: unknown) => boolean
  /** How it is shown when JSON of that kind has begun, of which so much has come; `undefined`: it is never of that kind. */
  readonly view: (kind: Kind, soFar: unknown) => View | undefined
  /** Whether the schema decodes it to itself, so that what the schema wants of the value it wants of the JSON. */
  readonly direct: boolean
  /** Whether it allows just a few values: a tag, when it is a property. */
  readonly literal: boolean
}

const same = (value: unknown): unknown => value

const hidden: View = { _tag: "Hidden" }

const isOf = (kind: Kind, { type }: Json.JsonObject): boolean =>
  type === undefined || type === kind || Json.array(type).includes(kind)

export const leaf = (json: Json.JsonObject, fits: Shape["fits"], fields: Partial<Shape> = {}): Shape => ({
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

/** The same, but nothing of it is shown before it is whole. */
export const whole = (shape: Shape): Shape => ({ ...shape, view: (kind, soFar) => shape.view(kind, soFar) && hidden })

export const nothing = leaf({ type: "null" }, (json) => json === null)

/** Whatever it is, it stays as it is. */
const unread = leaf({}, () => true)

const isUndefined = (json: unknown): boolean => json === undefined

const textual: View = { _tag: "Text", wrap: same }

const asItComes: { readonly [K in Kind]: View } = {
  string: textual,
  object: { _tag: "Fields", wrap: same, field: () => ({ shape: unread, isAbsent: isUndefined }) },
  array: { _tag: "Items", wrap: same, item: () => unread }
}

const isNull = (value: unknown): boolean => value === null || value === undefined

// ---------------------------------------------------------------------------------------------------------------------
// Literals and unions
// ---------------------------------------------------------------------------------------------------------------------

export const literals = (
  values: ReadonlyArray<string | number | boolean | null>,
  dialect: Dialect
): ReadonlyArray<Shape> =>
  ["string", "number", "boolean"].flatMap((type) => {
    const own = values.filter((value) => typeof value === type)
    if (own.length === 0) return []
    const json = dialect.enumerates(type)
      ? { type, enum: own }
      : describe({ type }, [own.map((value) => JSON.stringify(value)).join(" or ")])
    return [leaf(json, (json) => own.some((value) => value === json), { literal: true })]
  }).concat(values.includes(null) ? [nothing] : [])

export interface Member {
  readonly shape: Shape
  readonly is: (encoded: unknown) => boolean
}

export const oneOf = (members: ReadonlyArray<Member>): Shape => {
  const [first, ...others] = members
  if (first !== undefined && others.length === 0) return first.shape
  const shapes = members.map((member) => member.shape)
  const find = (json: unknown) =>
    shapes.find((shape) => shape.fits(json)) ?? shapes.find((shape) => shape.resembles(json))
  /** The view of the only member that it can be; of objects the tags tell, once they have come. */
  const view: Shape["view"] = (kind, soFar) => {
    const possible = shapes.flatMap((shape) => {
      const view = shape.view(kind, soFar)
      return view === undefined ? [] : [{ shape, view }]
    })
    if (kind === "string" && possible.some(({ view }) => view === textual)) return textual
    const left = possible.length > 1 && kind === "object"
      ? possible.filter(({ shape }) => shape.resembles(soFar))
      : possible
    return left.length === 1 ? left[0]?.view : possible.length === 0 ? undefined : hidden
  }
  return {
    json: {
      anyOf: shapes.flatMap(({ json }) => Object.keys(json).join() === "anyOf" ? Json.array(json.anyOf) : [json])
    },
    fits: (json) => shapes.some((shape) => shape.fits(json)),
    resembles: (json) => find(json) !== undefined,
    read: (json) => (find(json) ?? unread).read(json),
    write: (encoded) => {
      const member = members.find(({ is }) => is(encoded))
      return member === undefined ? encoded : member.shape.write(encoded)
    },
    accepts: (json) => shapes.some((shape) => shape.accepts(json)),
    view,
    direct: shapes.every((shape) => shape.direct),
    literal: shapes.every((shape) => shape.literal)
  }
}

export const nullable = (shape: Shape): Shape =>
  shape.fits(null) ? shape : oneOf([{ shape, is: (encoded) => !isNull(encoded) }, { shape: nothing, is: isNull }])

const some = (value: unknown): unknown => ({ _tag: "Some", value })

/** What is shown, in something else. */
const wrapped = (view: View, wrap: Wrap): View =>
  view._tag === "Hidden" ? view : {
    ...view,
    wrap: (shown) => {
      const inner = view.wrap(shown)
      return inner === nothingYet ? inner : wrap(inner)
    }
  }

export const option = (value: Shape): Shape => ({
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
  readonly shape: Shape
  /** Whether the schema decodes from objects that do not have it. */
  readonly optional: boolean
}

/** What JSON has under a name: nothing that all objects inherit. */
const member = (json: Json.JsonObject, name: string): unknown => Object.hasOwn(json, name) ? json[name] : undefined

export const objectOf = (
  properties: ReadonlyMap<string, Property>,
  others: Shape | undefined,
  dialect: Dialect
): Shape => {
  const isRequired = ({ optional }: Property) => dialect.allRequired || !optional
  const isAbsent = ({ optional, shape }: Property, json: unknown) =>
    json === undefined || (json === null && optional && !shape.fits(null))
  const shapes = [...properties]
  const tags = shapes.filter(([, { shape }]) => shape.literal)
  const hasFitting = (json: Json.JsonObject, [name, property]: readonly [string, Property]) => {
    const value = member(json, name)
    return isAbsent(property, value) ? property.optional : property.shape.fits(value)
  }
  const shown = new Map(shapes.map(([name, property]) => [
    name,
    { shape: property.shape, isAbsent: (json: unknown) => isAbsent(property, json) }
  ]))
  const further = others && { shape: others, isAbsent: isUndefined }
  const byName: View = { _tag: "Fields", wrap: same, field: (name) => shown.get(name) ?? further }
  return {
    json: {
      type: "object",
      properties: Object.fromEntries(shapes.map(([name, property]) => [
        name,
        dialect.allRequired && property.optional ? nullable(property.shape).json : property.shape.json
      ])),
      required: shapes.filter(([, property]) => isRequired(property)).map(([name]) => name),
      additionalProperties: others?.json ?? false
    },
    fits: (json) =>
      Json.isObject(json) &&
      shapes.every((property) => hasFitting(json, property)) &&
      Object.entries(json).every(([name, value]) => properties.has(name) || (others?.fits(value) ?? false)),
    resembles: (json) => Json.isObject(json) && tags.every((property) => hasFitting(json, property)),
    accepts: (json) =>
      Json.isObject(json) &&
      shapes.every(([name, property]) => {
        const value = member(json, name)
        return isAbsent(property, value) ? property.optional : property.shape.accepts(value)
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
          return isAbsent(property, value) ? [] : [[name, property.shape.read(value)]]
        })
      )
    },
    write: (encoded) => {
      const fields = Json.object(encoded)
      const own = shapes.flatMap(([name, { optional, shape }]) => {
        const value = member(fields, name)
        if (value !== undefined || !optional) return [[name, shape.write(value)]]
        return dialect.allRequired ? [[name, null]] : []
      })
      const rest = others === undefined
        ? []
        : Object.entries(fields).flatMap(([name, value]) => properties.has(name) ? [] : [[name, others.write(value)]])
      return Object.fromEntries([...own, ...rest])
    },
    direct: shapes.every(([, { shape }]) => shape.direct),
    literal: false
  }
}

const required = (shape: Shape): Property => ({ shape, optional: false })

const isPair = (json: unknown): boolean => Json.isObject(json) && typeof json.key === "string" && "value" in json

/** A dictionary, where objects have just the properties that their schema names. */
export const pairs = (key: Shape, value: Shape, dialect: Dialect): Shape => {
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

export const listOf = (item: Shape): Shape => ({
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

/** A tuple as an object: the places are its properties, and `rest` is the list of what follows them. */
export const places = (elements: ReadonlyArray<Property>, rest: Shape | undefined, dialect: Dialect): Shape => {
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
    // Its places may come in any order.
    view: (kind) => kind === "object" ? hidden : undefined,
    direct: false
  }
}

export const tuple = (elements: ReadonlyArray<Property>, rest: Shape | undefined, direct: boolean): Shape => {
  const itemAt = (i: number) => elements[i]?.shape ?? rest ?? unread
  const least = elements.filter(({ optional }) => !optional).length
  return {
    json: {
      type: "array",
      prefixItems: elements.map(({ shape }) => shape.json),
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
      kind === "array" ? { _tag: "Items", wrap: same, item: (i) => elements[i]?.shape ?? rest } : undefined,
    direct,
    literal: false
  }
}
