import { assert, describe, it } from "@effect/vitest"
import type { SchemaDialect } from "effect-llm/LlmProvider"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { isRecord } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as JsonSchemaDialect from "../src/output/jsonSchemaDialect.js"
import { valueOf } from "../src/testing/simulator/schemaValue.js"
import { anthropicStrictProblem, openAiStrictProblem } from "../src/testing/simulator/strictSchema.js"

const dialects: ReadonlyArray<SchemaDialect> = ["openai", "anthropic", "gemini", "plain"]

const wireOf = (schema: Schema.Schema.All, dialect: SchemaDialect): JsonSchemaDialect.Wire =>
  Either.getOrThrowWith(JsonSchemaDialect.make(schema, dialect), (reason) => new Error(JSON.stringify(reason)))

const reasonOf = (schema: Schema.Schema.All, dialect: SchemaDialect) =>
  Either.getOrThrow(Either.flip(JsonSchemaDialect.make(schema, dialect)))

/** The schema of the one property of a struct. */
const emitted = (schema: Schema.Schema.All, dialect: SchemaDialect): unknown => {
  const { properties } = wireOf(Schema.Struct({ it: Schema.make(schema.ast) }), dialect).schema
  return isRecord(properties) ? properties.it : undefined
}

/** What a model that writes this is understood to say. */
const read = <A, I>(schema: Schema.Schema<A, I>, dialect: SchemaDialect, json: unknown): A =>
  Schema.decodeUnknownSync(schema)(wireOf(schema, dialect).read(json))

// ---------------------------------------------------------------------------------------------------------------------
// The rules of the dialects
// ---------------------------------------------------------------------------------------------------------------------

const places = (schema: unknown): ReadonlyArray<Readonly<Record<string, unknown>>> => {
  if (Array.isArray(schema)) return schema.flatMap(places)
  if (!isRecord(schema)) return []
  const under = (key: string) => isRecord(schema[key]) ? Object.values(schema[key]).flatMap(places) : []
  return [
    schema,
    ...under("properties"),
    ...under("$defs"),
    ...["items", "prefixItems", "anyOf", "additionalProperties"].flatMap((key) => places(schema[key]))
  ]
}

const words = ["type", "description", "title", "enum", "properties", "required", "additionalProperties", "items"]
const common = [...words, "anyOf", "$ref", "$defs", "format", "minItems"]
const bounds = ["minimum", "maximum", "maxItems"]

const keywords: { readonly [Dialect in SchemaDialect]?: ReadonlyArray<string> } = {
  openai: [...common, ...bounds, "pattern", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"],
  anthropic: common,
  gemini: [...common, ...bounds, "prefixItems"]
}

/** What is wrong with a schema, by the rules that a service publishes. */
const problemOf = (schema: unknown, dialect: SchemaDialect): string | undefined => {
  const allowed = keywords[dialect]
  for (const place of places(schema)) {
    const unknown = Object.keys(place).find((key) => allowed !== undefined && !allowed.includes(key))
    if (unknown !== undefined) return `${unknown} is not a keyword of ${dialect}: ${JSON.stringify(place)}`
    if ("$ref" in place && Object.keys(place).length > 1) return `beside a $ref: ${JSON.stringify(place)}`
    if (dialect !== "plain" && !["type", "anyOf", "$ref"].some((key) => key in place)) return "any value"
  }
  if (!isRecord(schema) || schema.type !== "object") return "the root is no object"
  return dialect === "openai"
    ? openAiStrictProblem(schema)
    : dialect === "anthropic"
    ? anthropicStrictProblem(schema)
    : undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Schemas of every kind
// ---------------------------------------------------------------------------------------------------------------------

interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
  readonly parent?: Tree | undefined
}

const Tree = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree)),
  parent: Schema.optional(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })

class Address extends Schema.Class<Address>("app/Address")({
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

enum Color {
  Red = "red",
  Blue = "blue"
}

const Circle = Schema.TaggedStruct("Circle", { radius: Schema.Int, label: Schema.optional(Schema.String) })
const Square = Schema.TaggedStruct("Square", { side: Schema.Int, tags: Schema.optional(Schema.Array(Schema.String)) })

/** A schema with values of it. */
const kind = <A, I>(schema: Schema.Schema<A, I>, ...values: ReadonlyArray<NoInfer<A>>) => {
  const encode = Schema.encodeSync(schema)
  return { schema: Schema.make(schema.ast), encoded: values.map((value): unknown => encode(value)), values }
}

const kinds = {
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
  "a renamed field": kind(
    Schema.Struct({ a: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("b")) }),
    { a: "x" }
  )
} as const

// ---------------------------------------------------------------------------------------------------------------------
// Arbitrary schemas
// ---------------------------------------------------------------------------------------------------------------------

type AnySchema = Schema.Schema<unknown, unknown>

/** Forgets what a schema is of. */
const any = (schema: Schema.Schema.AnyNoContext): AnySchema => Schema.make(schema.ast)

const leaves: ReadonlyArray<AnySchema> = [
  any(Schema.String),
  any(Schema.Int),
  any(Schema.Boolean),
  any(Schema.Literal("a", "b", 3)),
  any(Schema.Literal(null)),
  any(Schema.Enums(Color)),
  any(Schema.Date)
]

const acceptsNull = (schema: AnySchema): boolean => Schema.is(Schema.encodedSchema(schema))(null)

const schemas: FastCheck.Arbitrary<AnySchema> = FastCheck.letrec<{ schema: AnySchema }>((tie) => ({
  schema: FastCheck.oneof(
    { maxDepth: 3, withCrossShrink: true },
    FastCheck.constantFrom(...leaves),
    FastCheck.array(FastCheck.tuple(tie("schema"), FastCheck.constantFrom("required", "optional", "nullable")), {
      maxLength: 4
    }).map((fields) =>
      any(Schema.Struct(Object.fromEntries(fields.map(([schema, presence], i) => [
        `field${i}`,
        // What is optional and nullable comes as null: tested by itself.
        presence === "optional" && !acceptsNull(schema)
          ? Schema.optionalWith(schema, { exact: true })
          : presence === "nullable"
          ? Schema.NullOr(schema)
          : schema
      ]))))
    ),
    tie("schema").map((schema) => any(Schema.Array(schema))),
    tie("schema").map((schema) => any(Schema.Record({ key: Schema.String, value: schema }))),
    tie("schema").map((schema) => any(Schema.Option(schema))),
    FastCheck.tuple(tie("schema"), tie("schema")).map(([a, b]) => any(Schema.Tuple(a, b))),
    FastCheck.tuple(tie("schema"), tie("schema")).map(([a, b]) =>
      any(Schema.Union(
        Schema.Struct({ kind: Schema.Literal("a"), value: a }),
        Schema.Struct({ kind: Schema.Literal("b"), value: b }),
        Schema.Literal("neither")
      ))
    )
  )
})).schema

const schemaWithValue = schemas.chain((schema) => Arbitrary.make(schema).map((value) => ({ schema, value })))

describe("jsonSchemaDialect", () => {
  describe.each(dialects)("%s", (dialect) => {
    it.each(Object.entries(kinds))(
      "says what %s is, and reads what it was told to write",
      (_, { encoded, schema, values }) => {
        const wire = wireOf(schema, dialect)
        assert.strictEqual(problemOf(wire.schema, dialect), undefined)
        values.forEach((value, i) => {
          const written: unknown = JSON.parse(JSON.stringify(wire.write(encoded[i])))
          assert.isTrue(isRecord(written), "the root is an object")
          assert.deepStrictEqual(Schema.decodeUnknownSync(schema)(wire.read(written)), value)
        })
      }
    )

    it("gives an arbitrary value of an arbitrary schema back as it was", () => {
      FastCheck.assert(
        FastCheck.property(schemaWithValue, ({ schema, value }) => {
          const wire = wireOf(schema, dialect)
          assert.strictEqual(problemOf(wire.schema, dialect), undefined)
          const encoded = Schema.encodeSync(schema)(value)
          const written: unknown = JSON.parse(JSON.stringify(wire.write(encoded)))
          assert.deepStrictEqual(
            Schema.decodeUnknownSync(schema)(wire.read(written)),
            Schema.decodeUnknownSync(schema)(encoded)
          )
        }),
        { numRuns: 300 }
      )
    })

    it("has a model that follows the emitted schema write values of the schema", () => {
      FastCheck.assert(
        FastCheck.property(schemas, (schema) => {
          const wire = wireOf(schema, dialect)
          Schema.decodeUnknownSync(schema)(wire.read(valueOf(wire.schema, ["Elbe", "Oder"])))
        }),
        { numRuns: 300 }
      )
    })
  })

  describe("tells the model", () => {
    it("the descriptions, titles and examples of annotations", () => {
      const Person = Schema.Struct({
        name: Schema.String.annotations({ title: "Name", description: "in full", examples: ["Ada Lovelace"] }),
        born: Schema.propertySignature(Schema.Date).annotations({ description: "the day of birth" }),
        home: Schema.optional(Address)
      }).annotations({ description: "a person" })
      const { schema } = wireOf(Person, "openai")
      assert.deepStrictEqual(schema, {
        type: "object",
        description: "a person",
        properties: {
          name: { type: "string", title: "Name", description: "in full; Examples: \"Ada Lovelace\"" },
          born: {
            type: "string",
            format: "date-time",
            description: "the day of birth; a valid Date; a string to be decoded into a Date"
          },
          home: {
            anyOf: [
              {
                type: "object",
                description: "where somebody lives",
                properties: {
                  street: { type: "string", description: "a non empty string; {minLength: 1}" },
                  zip: { anyOf: [{ type: "string" }, { type: "null" }] }
                },
                required: ["street", "zip"],
                additionalProperties: false
              },
              { type: "null" }
            ]
          }
        },
        required: ["name", "born", "home"],
        additionalProperties: false
      })
      assert.deepStrictEqual(emitted(Person.fields.name, "plain"), {
        type: "string",
        title: "Name",
        description: "in full",
        examples: ["Ada Lovelace"]
      })
    })

    it("examples as it would have to write them", () => {
      const Visit = Schema.Struct({
        day: Schema.Date,
        note: Schema.optional(Schema.String),
        guests: Schema.Record({ key: Schema.String, value: Schema.Int })
      }).annotations({ examples: [{ day: new Date(0), guests: { Ada: 2 } }] })
      assert.deepStrictEqual(
        wireOf(Visit, "openai").schema.description,
        "Examples: {\"day\":\"1970-01-01T00:00:00.000Z\",\"note\":null,\"guests\":[{\"key\":\"Ada\",\"value\":2}]}"
      )
      assert.deepStrictEqual(wireOf(Visit, "plain").schema.examples, [
        { day: "1970-01-01T00:00:00.000Z", guests: { Ada: 2 } }
      ])
    })

    it("constraints by keyword where the dialect has it, and in words where it has not", () => {
      const age = Schema.Int.pipe(Schema.between(0, 150, { description: "years" }))
      const bounds = { minimum: 0, maximum: 150 }
      assert.deepInclude(emitted(age, "openai"), { type: "integer", ...bounds })
      assert.deepInclude(emitted(age, "gemini"), { type: "integer", ...bounds })
      assert.deepInclude(emitted(age, "plain"), { type: "integer", ...bounds })
      assert.deepStrictEqual(emitted(age, "anthropic"), {
        type: "integer",
        description: "years; {minimum: 0, maximum: 150}; an integer"
      })

      const many = Schema.Array(Schema.Int).pipe(Schema.minItems(2, { description: "two or more" }))
      assert.deepInclude(emitted(many, "openai"), { minItems: 2 })
      assert.deepInclude(emitted(many, "anthropic"), { description: "two or more; {minItems: 2}" })
      assert.deepInclude(emitted(Schema.NonEmptyArray(Schema.Int), "anthropic"), { minItems: 1 })

      const word = Schema.String.pipe(Schema.pattern(/^(?!x)/, { description: "without x" }))
      assert.deepInclude(emitted(word, "openai"), { description: "without x; {pattern: \"^(?!x)\"}" })
      assert.deepInclude(emitted(word, "plain"), { pattern: "^(?!x)" })
    })

    it("of a number in a text that it is bounded, but not that the text is", () => {
      const positive = Schema.NumberFromString.pipe(Schema.greaterThan(3, { description: "more than three" }))
      assert.deepStrictEqual(emitted(positive, "plain"), {
        type: "string",
        description: "more than three; {exclusiveMinimum: 3}; a string to be decoded into a number"
      })
    })

    it("of a recursive schema each part once", () => {
      const { schema } = wireOf(Tree, "openai")
      const { $defs, ...root } = schema
      assert.deepStrictEqual($defs, { Tree: root })
      assert.deepInclude(root.properties, { children: { type: "array", items: { $ref: "#/$defs/Tree" } } })
    })

    it("of a root that is no object a property", () => {
      assert.deepStrictEqual(wireOf(Schema.Array(Schema.String), "anthropic").schema, {
        type: "object",
        properties: { value: { type: "array", items: { type: "string" } } },
        required: ["value"],
        additionalProperties: false
      })
    })

    it("what the schema's author says in an annotation of JSON Schema", () => {
      const Price = Schema.BigDecimal.annotations({ jsonSchema: { type: "string", format: "decimal" } })
      assert.deepInclude(emitted(Price, "plain"), { type: "string", format: "decimal" })
      assert.deepInclude(emitted(Schema.BigIntFromSelf.annotations({ jsonSchema: { type: "integer" } }), "openai"), {
        type: "integer"
      })
    })
  })

  describe("reads", () => {
    it.each(dialects)("null for an absent field, which models write whether asked to or not (%s)", (dialect) => {
      const River = Schema.Struct({
        name: Schema.String,
        mouth: Schema.optional(Schema.String),
        depth: Schema.optionalWith(Schema.Number, { default: () => 1 }),
        length: Schema.optional(Schema.NullOr(Schema.Number)),
        source: Schema.NullOr(Schema.String)
      })
      assert.deepStrictEqual(
        read(River, dialect, { name: "Elbe", mouth: null, depth: null, length: null, source: null }),
        { name: "Elbe", depth: 1, length: null, source: null }
      )
    })

    it.each(dialects)("of a union the member that is meant (%s)", (dialect) => {
      const Shape = Schema.Union(Circle, Square)
      const json = { value: { _tag: "Square", side: 1, tags: null } }
      assert.deepStrictEqual(read(Shape, dialect, json), { _tag: "Square", side: 1 })
      const label = { value: { _tag: "Circle", radius: 1, label: null, remark: "more than was asked for" } }
      assert.deepStrictEqual(read(Shape, dialect, label), { _tag: "Circle", radius: 1 })
    })

    it.each(dialects)("a root that is no object also without its wrapping (%s)", (dialect) => {
      const Names = Schema.Array(Schema.String)
      assert.deepStrictEqual(read(Names, dialect, { value: ["Elbe"] }), ["Elbe"])
      assert.deepStrictEqual(read(Names, dialect, ["Elbe"]), ["Elbe"])
    })

    it.each(dialects)("anything at all without throwing (%s)", (dialect) => {
      FastCheck.assert(
        FastCheck.property(
          FastCheck.constantFrom(...Object.values(kinds)),
          FastCheck.jsonValue(),
          ({ schema }, json) => {
            const { read } = wireOf(schema, dialect)
            read(json)
            read({ value: json })
          }
        ),
        { numRuns: 500 }
      )
    })
  })

  describe("fails, and names the path, for", () => {
    const nested = (schema: Schema.Schema.All) =>
      Schema.Struct({ list: Schema.Array(Schema.Struct({ it: Schema.make(schema.ast) })) })

    const impossible: ReadonlyArray<readonly [what: string, schema: Schema.Schema.All]> = [
      ["a bigint", Schema.BigIntFromSelf],
      ["a literal bigint", Schema.Literal(1n)],
      ["a symbol", Schema.SymbolFromSelf],
      ["a value that is never there", Schema.Never],
      ["a date that is one already", Schema.DateFromSelf],
      ["an instance", Schema.instanceOf(URL)],
      ["elements after a rest", Schema.Tuple([], Schema.String, Schema.Int)]
    ]
    it.each(impossible)("%s, in all dialects", (_, schema) => {
      for (const dialect of dialects) {
        const reason = reasonOf(nested(schema), dialect)
        assert.strictEqual(reason._tag, "UnsupportedFeature")
        assert.include(reason.message, "list[].it is ")
      }
    })

    const loose: ReadonlyArray<readonly [what: string, schema: Schema.Schema.All]> = [
      ["any value", Schema.Unknown],
      ["any object", Schema.Object]
    ]
    it.each(loose)("%s, in all dialects but the plain one", (_, schema) => {
      assert.isTrue(Either.isRight(JsonSchemaDialect.make(nested(schema), "plain")))
      for (const dialect of ["openai", "anthropic", "gemini"] as const) {
        assert.include(reasonOf(nested(schema), dialect).message, "list[].it is a value of any type")
      }
    })

    it("named properties beside further ones, where objects have to be closed", () => {
      const schema = Schema.Struct({ a: Schema.Int }, { key: Schema.String, value: Schema.Int })
      assert.include(reasonOf(nested(schema), "openai").message, "list[].it is named properties beside further ones")
      assert.deepStrictEqual(read(schema, "gemini", { a: 1, b: 2 }), { a: 1, b: 2 })
    })

    it("a schema of the package @effect/schema, whole or inside another", () => {
      const old = {
        [Symbol.for("@effect/schema/Schema")]: {},
        ast: {
          _tag: "StringKeyword",
          annotations: { [Symbol.for("@effect/schema/annotation/Title")]: "string" }
        },
        pipe() {}
      } as unknown as Schema.Schema<string>
      const whole = reasonOf(old, "openai")
      assert.strictEqual(whole._tag, "InvalidRequest")
      assert.include(whole.message, "@effect/schema")
      assert.include(reasonOf(Schema.make(old.ast), "openai").message, "a schema of @effect/schema")
    })
  })

  it("translates a schema once for each dialect", () => {
    for (const dialect of dialects) assert.strictEqual(wireOf(Tree, dialect), wireOf(Tree, dialect))
    assert.notStrictEqual(wireOf(Tree, "openai"), wireOf(Tree, "plain"))
  })
})
