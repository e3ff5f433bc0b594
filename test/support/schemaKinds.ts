import type { SchemaDialect } from "effect-llm/LlmProvider"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

export interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
  readonly parent?: Tree | undefined
}

export const Tree = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree)),
  parent: Schema.optional(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })

export class Address extends Schema.Class<Address>("app/Address")({
  street: Schema.NonEmptyString,
  zip: Schema.optional(Schema.String)
}, { description: "where somebody lives" }) {}

class Node extends Schema.Class<Node>("app/Node")({
  value: Schema.Int,
  next: Schema.NullOr(Schema.suspend((): Schema.Schema<Node, NodeEncoded> => Node))
}) {}

interface NodeEncoded {
  readonly value: number
  readonly next: NodeEncoded | null
}

enum Size {
  Small,
  Large
}

export interface Sum {
  readonly left: Sum | number
  readonly right: Sum | number
}

/** Each field may be the end of it, but none may be left out. */
export const Sum = Schema.Struct({
  left: Schema.Union(Schema.suspend((): Schema.Schema<Sum> => Sum), Schema.Number),
  right: Schema.Union(Schema.suspend((): Schema.Schema<Sum> => Sum), Schema.Number)
}).annotations({ identifier: "Sum" })

export enum Color {
  Red = "red",
  Blue = "blue"
}

export const Circle = Schema.TaggedStruct("Circle", { radius: Schema.Int, label: Schema.optional(Schema.String) })
export const Square = Schema.TaggedStruct("Square", {
  side: Schema.Int,
  tags: Schema.optional(Schema.Array(Schema.String))
})

/** A schema with values of it. */
const kind = <A, I>(schema: Schema.Schema<A, I>, ...values: ReadonlyArray<NoInfer<A>>) => {
  const encode = Schema.encodeSync(schema)
  return { schema: Schema.make(schema.ast), encoded: values.map((value): unknown => encode(value)), values }
}

/** Kinds that a dialect has no way to say, and where it finds that out. */
export const unsaid: { readonly [kind: string]: { readonly [Dialect in SchemaDialect]?: string } } = {
  "a recursive struct": { anthropic: "children[]" },
  "a recursive class": { anthropic: "next" },
  "an expression of others": { anthropic: "left", gemini: "left" },
  "any value": { openai: "a", anthropic: "a", gemini: "a" },
  "a struct with further fields": { openai: "", anthropic: "" }
}

export const kinds = {
  "a struct": kind(Schema.Struct({ a: Schema.String, b: Schema.Boolean }), { a: "x", b: true }),
  "an empty struct": kind(Schema.Struct({}), {}),
  "an optional field": kind(Schema.Struct({ a: Schema.optional(Schema.String) }), {}, { a: "x" }),
  "an exactly optional field": kind(Schema.Struct({ a: Schema.optionalWith(Schema.Int, { exact: true }) }), {}, {
    a: 1
  }),
  "a field with a default": kind(
    Schema.Struct({ a: Schema.optionalWith(Schema.Int, { default: () => 7 }) }),
    { a: 1 },
    { a: 7 }
  ),
  "an optional struct with optional fields": kind(
    Schema.Struct({ a: Schema.optional(Schema.Struct({ b: Schema.optional(Schema.Int) })) }),
    {},
    { a: {} },
    { a: { b: 1 } }
  ),
  "a nullable field": kind(Schema.Struct({ a: Schema.NullOr(Schema.String) }), { a: null }, { a: "x" }),
  "a field that may be undefined": kind(Schema.Struct({ a: Schema.UndefinedOr(Schema.String) }), { a: "x" }),
  "an array": kind(Schema.Array(Schema.Int), [], [1, 2]),
  "an array that is not empty": kind(Schema.NonEmptyArray(Schema.String), ["x"], ["x", "y"]),
  "arrays in arrays": kind(Schema.Array(Schema.Array(Schema.Int)), [[1], []]),
  "a tuple": kind(Schema.Tuple(Schema.String, Schema.Int), ["x", 1]),
  "a tuple with an optional element": kind(
    Schema.Tuple(Schema.String, Schema.optionalElement(Schema.Int)),
    ["x"],
    ["x", 1]
  ),
  "a tuple with a rest": kind(Schema.Tuple([Schema.String], Schema.Int), ["x"], ["x", 1, 2]),
  "a record": kind(Schema.Record({ key: Schema.String, value: Schema.Int }), {}, { a: 1, b: 2 }),
  "a record with a field that all objects inherit": kind(
    Schema.Record({ key: Schema.String, value: Schema.Int }),
    JSON.parse("{\"toString\":1,\"constructor\":2}")
  ),
  "a record of records": kind(
    Schema.Record({ key: Schema.String, value: Schema.Record({ key: Schema.String, value: Schema.Boolean }) }),
    { a: { b: true }, c: {} }
  ),
  "a record of known keys": kind(Schema.Record({ key: Schema.Literal("a", "b"), value: Schema.Int }), { a: 1, b: 2 }),
  "a literal": kind(Schema.Literal("x"), "x"),
  "literals of several types": kind(Schema.Literal("x", 1, true, null), "x", 1, true, null),
  "an enum": kind(Schema.Enums(Size), Size.Small, Size.Large),
  "an enum of texts": kind(Schema.Enums(Color), Color.Red),
  "a union of literals and a struct": kind(
    Schema.Union(Schema.Literal("none", "all"), Schema.Struct({ only: Schema.Array(Schema.Int) })),
    "none",
    { only: [1] }
  ),
  "a union of tagged structs": kind(
    Schema.Union(Circle, Square),
    { _tag: "Circle", radius: 1 },
    { _tag: "Square", side: 2, tags: ["x"] }
  ),
  "a union of a record and a number": kind(
    Schema.Union(Schema.Record({ key: Schema.String, value: Schema.Int }), Schema.Int),
    { a: 1 },
    3
  ),
  "a class": kind(
    Address,
    new Address({ street: "Elbchaussee" }),
    new Address({ street: "Elbchaussee", zip: "22763" })
  ),
  "a class in a struct": kind(
    Schema.Struct({ home: Schema.optional(Address) }),
    {},
    { home: new Address({ street: "Elbchaussee" }) }
  ),
  "a recursive struct": kind(
    Tree,
    { label: "a", children: [] },
    { label: "a", children: [{ label: "b", children: [], parent: { label: "c", children: [] } }] }
  ),
  "a recursive class": kind(Node, new Node({ value: 1, next: new Node({ value: 2, next: null }) })),
  "a branded text": kind(
    Schema.String.pipe(Schema.pattern(/^[a-z]+$/), Schema.brand("Slug")),
    Schema.String.pipe(Schema.pattern(/^[a-z]+$/), Schema.brand("Slug")).make("elbe")
  ),
  "a filtered struct": kind(
    Schema.Struct({ low: Schema.Int, high: Schema.Int }).pipe(Schema.filter(({ high, low }) => low <= high)),
    { low: 1, high: 2 }
  ),
  "a date": kind(Schema.Date, new Date("2025-01-15T12:00:00.000Z")),
  "a number in a text": kind(Schema.NumberFromString, 1.5),
  "an Option": kind(Schema.Struct({ a: Schema.Option(Schema.Int) }), { a: Option.none() }, { a: Option.some(1) }),
  "an Option of something nullable": kind(
    Schema.Option(Schema.NullOr(Schema.Int)),
    Option.none(),
    Option.some(null),
    Option.some(1)
  ),
  "an Option as null": kind(Schema.Struct({ a: Schema.OptionFromNullOr(Schema.Int) }), { a: Option.none() }, {
    a: Option.some(1)
  }),
  "an Option as an absent field": kind(
    Schema.Struct({ a: Schema.optionalWith(Schema.Int, { as: "Option" }) }),
    { a: Option.none() },
    { a: Option.some(1) }
  ),
  "an optional Option": kind(
    Schema.Struct({ a: Schema.optional(Schema.Option(Schema.Int)) }),
    {},
    { a: Option.none() },
    { a: Option.some(1) }
  ),
  "a nullable Option": kind(Schema.NullOr(Schema.Option(Schema.Int)), null, Option.none(), Option.some(1)),
  "an Option of an Option": kind(
    Schema.Option(Schema.Option(Schema.Int)),
    Option.none(),
    Option.some(Option.none()),
    Option.some(Option.some(1))
  ),
  "a set": kind(Schema.ReadonlySet(Schema.Int), new Set([1, 2])),
  "a map": kind(Schema.ReadonlyMap({ key: Schema.String, value: Schema.Int }), new Map([["a", 1]])),
  "a template": kind(Schema.TemplateLiteral("v", Schema.Number), "v1"),
  "an expression of others": kind(Sum, { left: { left: 1, right: 2 }, right: 3 }),
  "any value": kind(Schema.Struct({ a: Schema.Unknown }), { a: { b: [1] } }),
  "a struct with further fields": kind(
    Schema.Struct({ a: Schema.String }, { key: Schema.String, value: Schema.String }),
    { a: "x", b: "y" }
  ),
  "a field that is always true": kind(Schema.Struct({ a: Schema.Literal(true), b: Schema.Literal(false, "x") }), {
    a: true,
    b: false
  }),
  "annotated all over": kind(
    Schema.Struct({
      name: Schema.NonEmptyTrimmedString.annotations({ title: "Name", description: "in full", examples: ["Ada"] }),
      age: Schema.Int.pipe(Schema.between(0, 150)),
      email: Schema.String.pipe(Schema.pattern(/^\S+@\S+$/)),
      tags: Schema.Array(Schema.String).pipe(Schema.minItems(1), Schema.maxItems(3))
    }).annotations({ identifier: "Annotated", description: "somebody" }),
    { name: "Ada", age: 36, email: "ada@example.com", tags: ["x"] }
  ),
  "a renamed field": kind(
    Schema.Struct({ a: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("b")) }),
    { a: "x" }
  )
} as const
