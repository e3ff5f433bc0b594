// In place of the file: there is none for Effect 3, which describes its own filters and has JSON for an Option by itself.
import { assert, describe, it } from "@effect/vitest"
import type { Dialect, SchemaDialect } from "effect-llm/LlmProvider"
import { isObject } from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as JsonSchemaDialect from "../../src/output/jsonSchemaDialect.js"

const wireOf = (schema: Schema.Top, dialect: SchemaDialect | Dialect): JsonSchemaDialect.Wire =>
  Result.getOrThrowWith(JsonSchemaDialect.make(schema, dialect), (reason) => new Error(JSON.stringify(reason)))

/** The schema of the one property of a struct. */
const emitted = (schema: Schema.Top, dialect: SchemaDialect | Dialect): unknown => {
  const { properties } = wireOf(Schema.Struct({ it: schema }), dialect).schema
  return isObject(properties) && "it" in properties ? properties.it : undefined
}

const reasonOf = (schema: Schema.Top) => Result.getOrThrow(Result.flip(JsonSchemaDialect.make(schema, "openai")))

describe("jsonSchemaDialect on Effect 4", () => {
  describe("shows the model", () => {
    it("the words of the author, and none of Effect's own", () => {
      const Person = Schema.Struct({
        name: Schema.NonEmptyString.annotate({ title: "Name", description: "in full" }),
        nick: Schema.NonEmptyString,
        born: Schema.DateFromString.annotateKey({ description: "the day of birth" })
      }).annotate({ description: "a person" })
      assert.deepStrictEqual(wireOf(Person, "openai").schema, {
        type: "object",
        description: "a person",
        properties: {
          name: { type: "string", title: "Name", description: "in full; {minLength: 1}" },
          nick: { type: "string", description: "{minLength: 1}" },
          born: { type: "string", format: "date-time", description: "the day of birth" }
        },
        required: ["name", "nick", "born"],
        additionalProperties: false
      })
    })

    it("constraints by keyword where the dialect has it, and in words where it has not", () => {
      const age = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 150 }, { description: "years" }))
      assert.deepStrictEqual(emitted(age, "openai"), {
        type: "integer",
        minimum: 0,
        maximum: 150,
        description: "years"
      })
      assert.deepStrictEqual(emitted(age, "anthropic"), {
        type: "integer",
        description: "years; {minimum: 0, maximum: 150}"
      })
      const acme: Dialect = {
        name: "acme",
        closed: true,
        allRequired: false,
        open: true,
        examples: true,
        strictTools: false,
        recursion: "none",
        enumerates: (type) => type === "string",
        constrains: (keyword) => keyword === "maximum"
      }
      assert.deepStrictEqual(emitted(Schema.Number.check(Schema.isBetween({ minimum: 1, maximum: 5 })), acme), {
        type: "number",
        maximum: 5,
        description: "{minimum: 1}"
      })
    })

    it("of a number in a text that it is bounded, but not that the text is", () => {
      const positive = Schema.NumberFromString.check(Schema.isGreaterThan(3, { description: "more than three" }))
      assert.deepStrictEqual(emitted(positive, "plain"), {
        type: "string",
        description: "more than three; {exclusiveMinimum: 3}"
      })
    })

    it("of the values of a collection what they are, and the words of the author", () => {
      const Day = Schema.DateFromString.annotate({ description: "a day of rest" })
      const day = { type: "string", format: "date-time", description: "a day of rest" }
      assert.deepStrictEqual(emitted(Schema.toCodecJson(Schema.Option(Day)), "openai"), {
        anyOf: [day, { type: "null" }]
      })
      assert.deepStrictEqual(emitted(Schema.toCodecJson(Schema.ReadonlySet(Day)), "openai"), {
        type: "array",
        items: day
      })
      assert.deepStrictEqual(emitted(Schema.toCodecJson(Schema.ReadonlyMap(Schema.String, Day)), "plain"), {
        type: "array",
        items: { type: "array", prefixItems: [{ type: "string" }, day], items: false, minItems: 2, maxItems: 2 }
      })
    })
  })

  it("refuses a schema of Effect 3, whole or inside another", () => {
    const old = {
      [Symbol.for("effect/Schema")]: {},
      ast: { _tag: "StringKeyword", annotations: { [Symbol.for("effect/annotation/Title")]: "string" } },
      pipe() {}
    } as unknown as Schema.Schema<string>
    const whole = reasonOf(old)
    assert.strictEqual(whole._tag, "InvalidRequest")
    assert.include(whole.message, "not of Effect 3")
    const inside = reasonOf(Schema.Struct({ list: Schema.Array(Schema.make<Schema.Top>(old.ast)) }))
    assert.strictEqual(inside._tag, "UnsupportedFeature")
    assert.include(inside.message, "list[] is a schema of @effect/schema or of Effect 3")
  })
})
