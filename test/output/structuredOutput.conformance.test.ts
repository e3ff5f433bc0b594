import { assert, describe, it } from "@effect/vitest"
import type { SchemaDialect } from "effect-llm/LlmProvider"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { isRecord } from "effect/Predicate"
import * as JsonSchemaDialect from "../../src/output/jsonSchemaDialect.js"
import { judge } from "../support/ajv.js"
import { schemaWithValue } from "../support/arbitrarySchemas.js"
import { kinds, unsaid } from "../support/schemaKinds.js"
import { problemOf } from "../support/schemaRules.js"

const dialects: ReadonlyArray<SchemaDialect> = ["openai", "anthropic", "gemini", "plain"]

const written = (wire: JsonSchemaDialect.Wire, encoded: unknown): unknown =>
  JSON.parse(JSON.stringify(wire.write(encoded)))

/** No schema of ours takes this for a text, a number, a truth or null. */
const foreign = { "no such field": true }

/** A value with one of its leaves replaced, for each of them. */
const withWrongLeaf = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value)
    ? value.flatMap((item, i) => withWrongLeaf(item).map((wrong) => value.toSpliced(i, 1, wrong)))
    : isRecord(value)
    ? Object.entries(value).flatMap(([name, item]) =>
      withWrongLeaf(item).map((wrong) => Object.fromEntries(Object.entries({ ...value }).concat([[name, wrong]])))
    )
    : [foreign]

/** An object without one of the properties that it has to have, for each of them. */
const withoutRequired = (schema: JsonSchemaDialect.Wire["schema"], value: unknown): ReadonlyArray<unknown> =>
  (Array.isArray(schema.required) ? schema.required : []).map((name) =>
    Object.fromEntries(Object.entries(isRecord(value) ? value : {}).filter(([key]) => key !== name))
  )

describe.each(dialects)("What %s takes", (dialect) => {
  const sayable = Object.entries(kinds).filter(([kind]) => unsaid[kind]?.[dialect] === undefined)

  it.each(sayable)("is what it is told of %s", (kind, { encoded, schema }) => {
    const wire = Either.getOrThrow(JsonSchemaDialect.make(schema, dialect))
    assert.strictEqual(problemOf(wire.schema, dialect), undefined)
    const problem = judge(wire.schema)
    let mutants = 0
    for (const each of encoded) {
      const value = written(wire, each)
      assert.strictEqual(problem(value), undefined, JSON.stringify(value))
      const wrong = [
        ...kind === "any value" ? [] : withWrongLeaf(value),
        ...withoutRequired(wire.schema, value),
        ...wire.schema.additionalProperties === false ? [{ ...isRecord(value) && value, ...foreign }] : [],
        [value]
      ]
      mutants += wrong.length
      for (const mutant of wrong) assert.notStrictEqual(problem(mutant), undefined, JSON.stringify(mutant))
    }
    assert.isAtLeast(mutants, encoded.length)
  })

  const unsayable = Object.entries(unsaid).flatMap(([kind, paths]) => {
    const path = paths[dialect]
    return path === undefined ? [] : [[kind, path] as const]
  })

  it.runIf(unsayable.length > 0).each(unsayable)("is not %s, which fails at %s", (kind, path) => {
    const { schema } = kinds[kind as keyof typeof kinds]
    const reason = Either.getOrThrow(Either.flip(JsonSchemaDialect.make(schema, dialect)))
    assert(reason._tag === "UnsupportedFeature")
    assert.strictEqual(reason.feature, `structured output: ${path === "" ? "the root of the schema" : path}`)
    assert.include(reason.message, dialect)
  })

  it("is valid for any schema, and its values are the requested ones", () => {
    FastCheck.assert(
      FastCheck.property(schemaWithValue, ({ encode, schema, value }) => {
        const wire = Either.getOrThrow(JsonSchemaDialect.make(schema, dialect))
        assert.strictEqual(problemOf(wire.schema, dialect), undefined)
        const json = written(wire, encode(value))
        assert.strictEqual(judge(wire.schema)(json), undefined, JSON.stringify([wire.schema, json]))
      }),
      { numRuns: 60, seed: 4 }
    )
  })
})

describe("structuredOutput: the rules", () => {
  const struct = (properties: object, more: object = {}) => ({
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
    ...more
  })
  const loop = (field: object, more: object = {}) =>
    struct({ a: { $ref: "#/$defs/A" } }, { $defs: { A: struct({ b: field }, more) } })

  const refused: ReadonlyArray<readonly [what: string, schema: unknown, ...dialects: Array<SchemaDialect>]> = [
    ["a root that is no object", { type: "array", items: { type: "string" } }, ...dialects],
    ["a reference to nowhere", struct({ a: { $ref: "#/$defs/A" } }), ...dialects],
    ["a required field that there is not", { ...struct({}), required: ["a"] }, ...dialects],
    ["an open object", { type: "object", properties: {} }, "openai", "anthropic"],
    ["an optional field", { ...struct({ a: { type: "string" } }), required: [] }, "openai"],
    ["any value", struct({ a: {} }), "openai", "anthropic", "gemini"],
    ["a tuple", struct({ a: { type: "array", prefixItems: [] } }), "openai", "anthropic"],
    ["a combination", struct({ a: { allOf: [{ type: "string" }] } }), "openai", "anthropic", "gemini"],
    ["a bound", struct({ a: { type: "number", minimum: 1 } }), "anthropic"],
    ["a length", struct({ a: { type: "string", minLength: 1 } }), "openai", "anthropic", "gemini"],
    ["a pattern", struct({ a: { type: "string", pattern: "a" } }), "anthropic", "gemini"],
    ["a format of its own", struct({ a: { type: "string", format: "iban" } }), "openai", "anthropic", "gemini"],
    ["two items at least", struct({ a: { type: "array", items: { type: "string" }, minItems: 2 } }), "anthropic"],
    ["an enum of truths", struct({ a: { type: "boolean", enum: [true] } }), "gemini"],
    ["a loop of lists", loop({ type: "array", items: { $ref: "#/$defs/A" } }), "anthropic"],
    ["a loop of what may be null", loop({ anyOf: [{ $ref: "#/$defs/A" }, { type: "null" }] }), "anthropic"],
    ["a loop of required fields", loop({ anyOf: [{ $ref: "#/$defs/A" }, { type: "string" }] }), "anthropic", "gemini"]
  ]

  it.each(refused)("know %s", (_, schema, ...by) => {
    assert.deepStrictEqual(dialects.filter((dialect) => problemOf(schema, dialect) !== undefined), by)
  })
})
