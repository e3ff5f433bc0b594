import { assert, describe, it } from "@effect/vitest"
import type { Dialect, SchemaDialect } from "effect-llm/LlmProvider"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { isRecord } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as JsonSchemaDialect from "../../src/output/jsonSchemaDialect.js"
import { valueOf } from "../../src/testing/simulator/schemaValue.js"
import { schemas, schemaWithValue } from "../support/arbitrarySchemas.js"
import { Address, Circle, kinds, Square, Tree, unsaid } from "../support/schemaKinds.js"
import { problemOf } from "../support/schemaRules.js"

const dialects: ReadonlyArray<SchemaDialect> = ["openai", "anthropic", "gemini", "plain"]

const wireOf = (schema: Schema.Schema.All, dialect: SchemaDialect | Dialect): JsonSchemaDialect.Wire =>
  Either.getOrThrowWith(JsonSchemaDialect.make(schema, dialect), (reason) => new Error(JSON.stringify(reason)))

const reasonOf = (schema: Schema.Schema.All, dialect: SchemaDialect | Dialect) =>
  Either.getOrThrow(Either.flip(JsonSchemaDialect.make(schema, dialect)))

/** The schema of the one property of a struct. */
const emitted = (schema: Schema.Schema.All, dialect: SchemaDialect | Dialect): unknown => {
  const { properties } = wireOf(Schema.Struct({ it: Schema.make(schema.ast) }), dialect).schema
  return isRecord(properties) ? properties.it : undefined
}

/** What a model that writes this is understood to say. */
const read = <A, I>(schema: Schema.Schema<A, I>, dialect: SchemaDialect | Dialect, json: unknown): A =>
  Schema.decodeUnknownSync(schema)(wireOf(schema, dialect).read(json))

describe("jsonSchemaDialect", () => {
  describe.each(dialects)("%s", (dialect) => {
    it.each(Object.entries(kinds).filter(([kind]) => unsaid[kind]?.[dialect] === undefined))(
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

  describe("shows the model", () => {
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

    it("an annotation of JSON Schema by the schema's author", () => {
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
            const wire = JsonSchemaDialect.make(schema, dialect)
            if (Either.isLeft(wire)) return
            wire.right.read(json)
            wire.right.read({ value: json })
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

  describe("a dialect that a provider brings", () => {
    const acme: Dialect = {
      name: "acme",
      closed: true,
      allRequired: false,
      open: true,
      examples: true,
      strictTools: false,
      recursion: "none",
      enumerates: (type) => type === "string",
      constrains: (keyword, value) => keyword === "maximum" || (keyword === "format" && value === "color")
    }

    it("has the keywords that it names, and says the rest in words", () => {
      assert.deepStrictEqual(emitted(Schema.Number.pipe(Schema.between(1, 5)), acme), {
        type: "number",
        maximum: 5,
        description: "a number between 1 and 5; {minimum: 1}"
      })
      const color = Schema.String.annotations({ jsonSchema: { type: "string", format: "color" } })
      assert.deepInclude(emitted(color, acme), { type: "string", format: "color" })
      assert.deepStrictEqual(emitted(Schema.Literal("a", "b"), acme), { type: "string", enum: ["a", "b"] })
      assert.notProperty(emitted(Schema.Literal(1, 2), acme), "enum")
      assert.deepStrictEqual(emitted(Schema.Unknown, acme), {})
    })

    it("reads what it has no shape for: a dictionary as a list of pairs", () => {
      const dictionary = Schema.Struct({ it: Schema.Record({ key: Schema.String, value: Schema.Number }) })
      assert.deepInclude(emitted(dictionary.fields.it, acme), { type: "array" })
      assert.deepStrictEqual(read(dictionary, acme, { it: [{ key: "a", value: 1 }] }), { it: { a: 1 } })
    })

    it("fails by its name for a schema that it cannot express", () => {
      const reason = reasonOf(Tree, acme)
      assert.strictEqual(reason._tag, "UnsupportedFeature")
      assert.include(reason.message, "as the provider takes it (acme)")
    })

    it("is translated once, and never taken for another of the same name", () => {
      const schema = Schema.Struct({ it: Schema.Int.pipe(Schema.lessThanOrEqualTo(9)) })
      assert.strictEqual(wireOf(schema, acme), wireOf(schema, acme))
      const other = wireOf(schema, { ...acme, constrains: () => false })
      assert.notDeepEqual(other.schema, wireOf(schema, acme).schema)
    })
  })

  it("translates a schema once for each dialect", () => {
    for (const dialect of dialects) assert.strictEqual(wireOf(Address, dialect), wireOf(Address, dialect))
    assert.notStrictEqual(wireOf(Address, "openai"), wireOf(Address, "plain"))
  })
})
