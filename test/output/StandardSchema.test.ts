import { assert, describe, it } from "@effect/vitest"
import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type { SchemaDialect } from "effect-llm/LlmProvider"
import * as LlmTool from "effect-llm/LlmTool"
import * as StandardSchema from "effect-llm/StandardSchema"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { isRecord } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as v from "valibot"
import * as z from "zod"
import * as JsonSchemaDialect from "../../src/output/jsonSchemaDialect.js"
import { valueOf } from "../../src/testing/simulator/schemaValue.js"
import { judge } from "../support/ajv.js"
import { problemOf } from "../support/schemaRules.js"

const dialects: ReadonlyArray<SchemaDialect> = ["openai", "anthropic", "gemini", "plain"]

const wireOf = (schema: Schema.Schema.All, dialect: SchemaDialect) => JsonSchemaDialect.make(schema, dialect)

/** The JSON Schema of the one property of a struct. */
const emitted = (schema: Schema.Schema.All, dialect: SchemaDialect): unknown => {
  const wire = wireOf(Schema.Struct({ it: Schema.make(schema.ast) }), dialect)
  return (Either.getOrThrow(wire).schema.properties as Record<string, unknown>).it
}

const messageOf = (schema: Schema.Schema.All, dialect: SchemaDialect) =>
  Either.getOrThrow(Either.flip(wireOf(schema, dialect))).message

const Node = z.object({
  label: z.string(),
  get children() {
    return z.array(Node)
  }
})

/** Forgets what a schema is of. */
const any = (schema: Schema.Schema.AnyNoContext): Schema.Schema<unknown, unknown> => Schema.make(schema.ast)

/** Schemas of each library. */
const examples: { readonly [library: string]: Schema.Schema<unknown, unknown> } = {
  zod: any(StandardSchema.from(z.object({
    name: z.string().min(2).describe("in full"),
    born: z.iso.datetime(),
    email: z.email().optional(),
    height: z.int().positive().nullable(),
    role: z.enum(["admin", "user"]).default("user"),
    tags: z.array(z.string()).max(3),
    place: z.tuple([z.number(), z.number()]),
    scores: z.record(z.string(), z.number()),
    pet: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("cat"), lives: z.number() }),
      z.object({ kind: z.literal("dog"), breed: z.string().optional() })
    ]),
    size: z.string().transform((text) => text.length)
  }))),
  valibot: any(StandardSchema.from(toStandardJsonSchema(v.object({
    name: v.pipe(v.string(), v.minLength(2), v.description("in full")),
    email: v.optional(v.pipe(v.string(), v.email())),
    height: v.nullable(v.pipe(v.number(), v.integer())),
    role: v.optional(v.picklist(["admin", "user"]), "user"),
    tags: v.array(v.string()),
    place: v.tuple([v.number(), v.number()]),
    scores: v.record(v.string(), v.number()),
    pet: v.variant("kind", [
      v.object({ kind: v.literal("cat"), lives: v.number() }),
      v.object({ kind: v.literal("dog"), breed: v.optional(v.string()) })
    ])
  })))),
  arktype: any(StandardSchema.from(type({
    name: "string > 1",
    "email?": "string.email",
    height: "number.integer | null",
    "role?": "'admin' | 'user'",
    tags: "string[] <= 3",
    place: ["number", "number"],
    scores: { "[string]": "number" },
    pet: type({ kind: "'cat'", lives: "number" }).or({ kind: "'dog'", "breed?": "string" })
  })))
}

const ada = {
  name: "Ada",
  born: "1815-12-10T00:00:00Z",
  height: null,
  tags: ["x"],
  place: [1, 2],
  scores: { chess: 3 },
  pet: { kind: "dog" },
  size: "four"
}

describe("StandardSchema", () => {
  describe.each(Object.entries(examples))("of %s", (library, schema) => {
    it.each(dialects)("is sent to a provider in its dialect, and reads its answer: %s", (dialect) => {
      const wire = Either.getOrThrow(wireOf(schema, dialect))
      assert.strictEqual(problemOf(wire.schema, dialect), undefined)
      const problem = judge(wire.schema)
      const { born: _born, size: _size, ...others } = ada
      const written: unknown = JSON.parse(JSON.stringify(wire.write(library === "zod" ? ada : others)))
      assert.strictEqual(problem(written), undefined)
      const value = Schema.decodeUnknownSync(schema)(wire.read(written))
      assert(isRecord(value))
      assert.deepInclude(value, { name: "Ada", height: null, place: [1, 2], scores: { chess: 3 } })
      assert.notProperty(value, "email")
      assert.deepStrictEqual(value.pet, { kind: "dog" })
      if (library === "zod") assert.deepInclude(value, { role: "user", size: 4 })
      if (library === "valibot") assert.deepInclude(value, { role: "user" })
    })

    // What a mail address looks like is not a keyword of Gemini's.
    it.each(dialects.filter((dialect) => dialect !== "gemini"))(
      "has a model that follows it write values of it: %s",
      (dialect) => {
        const wire = Either.getOrThrow(wireOf(schema, dialect))
        Schema.decodeUnknownSync(schema)(wire.read(valueOf(wire.schema, ["Elbe", "Oder"])))
      }
    )
  })

  describe("shows the model", () => {
    it("descriptions, and in words what the dialect has no keyword for", () => {
      const name = z.object({ it: z.string().min(2).describe("in full") })
      const of = (dialect: SchemaDialect) =>
        (Either.getOrThrow(wireOf(StandardSchema.from(name), dialect)).schema.properties as Record<string, unknown>).it
      assert.deepStrictEqual(of("openai"), { type: "string", description: "in full; {minLength: 2}" })
      assert.deepStrictEqual(of("plain"), { type: "string", minLength: 2, description: "in full" })
    })

    it("a format, and not the pattern that spells it out; no bounds that all numbers keep", () => {
      assert.deepStrictEqual(emitted(StandardSchema.from(z.iso.date()), "anthropic"), {
        type: "string",
        format: "date"
      })
      assert.deepStrictEqual(emitted(StandardSchema.from(z.int()), "anthropic"), { type: "integer" })
      assert.property(emitted(StandardSchema.from(z.iso.date()), "plain"), "pattern")
    })

    it("examples as it would have to write them, and a default where that is a keyword", () => {
      const Visit = z.object({ day: z.string(), note: z.string().optional(), by: z.record(z.string(), z.number()) })
        .meta({ title: "Visit", examples: [{ day: "Monday", by: { Ada: 2 } }] })
      assert.deepInclude(Either.getOrThrow(wireOf(StandardSchema.from(Visit), "openai")).schema, {
        title: "Visit",
        description: "Examples: {\"day\":\"Monday\",\"note\":null,\"by\":[{\"key\":\"Ada\",\"value\":2}]}"
      })
      assert.deepStrictEqual(Either.getOrThrow(wireOf(StandardSchema.from(Visit), "plain")).schema.examples, [
        { day: "Monday", by: { Ada: 2 } }
      ])
      assert.deepInclude(emitted(StandardSchema.from(z.string().default("x")), "plain"), { default: "x" })
      assert.notProperty(emitted(StandardSchema.from(z.string().default("x")), "openai"), "default")
    })

    it("a schema that refers to itself once, wherever the library has put it", () => {
      const Linked = type({ value: "number", "next?": "this" })
      for (const dialect of ["openai", "gemini", "plain"] as const) {
        for (const schema of [StandardSchema.from(Node), StandardSchema.from(Linked)]) {
          const whole = Either.getOrThrow(wireOf(schema, dialect)).schema
          assert.strictEqual(problemOf(whole, dialect), undefined)
          assert.lengthOf(Object.keys(whole.$defs as object), 1)
          // Inside another schema its references point elsewhere.
          const inner = Either.getOrThrow(wireOf(Schema.Struct({ a: schema, b: Schema.Array(schema) }), dialect))
          assert.strictEqual(problemOf(inner.schema, dialect), undefined)
        }
      }
      const tree = { label: "a", children: [{ label: "b", children: [] }] }
      assert.deepStrictEqual(Schema.decodeUnknownSync(StandardSchema.from(Node))(tree), tree)
      assert.include(messageOf(StandardSchema.from(Node), "anthropic"), "children[] is a schema that refers to itself")
    })

    it("combinations as one schema", () => {
      const both = StandardSchema.from(v.object({}), {
        jsonSchema: {
          description: "both",
          allOf: [
            { type: "object", properties: { a: { type: "number", minimum: 1 } }, required: ["a"] },
            { $ref: "#/$defs/Other" }
          ],
          $defs: {
            Other: { type: "object", properties: { a: { type: "integer", minimum: 2 }, b: { type: "string" } } }
          }
        }
      })
      assert.deepStrictEqual(emitted(both, "openai"), {
        type: "object",
        description: "both",
        properties: {
          a: { type: "integer", minimum: 2 },
          b: { anyOf: [{ type: "string" }, { type: "null" }] }
        },
        required: ["a", "b"],
        additionalProperties: false
      })
    })

    it("drafts of old and several types at once", () => {
      const old = StandardSchema.from(z.any(), {
        jsonSchema: {
          type: "object",
          properties: {
            pair: { type: "array", items: [{ type: "string" }, { const: 3 }], additionalItems: false, minItems: 2 },
            either: { type: ["string", "number", "null"], maxLength: 3, maximum: 5 },
            by: { type: "object", patternProperties: { "^x-": { type: "boolean" } }, additionalProperties: false }
          },
          required: ["pair", "either", "by"],
          definitions: {}
        }
      })
      assert.deepStrictEqual((emitted(old, "plain") as { properties: unknown }).properties, {
        pair: {
          type: "array",
          prefixItems: [{ type: "string" }, { type: "number", enum: [3] }],
          items: false,
          minItems: 2,
          maxItems: 2
        },
        either: { anyOf: [{ type: "string", maxLength: 3 }, { type: "number", maximum: 5 }, { type: "null" }] },
        by: {
          type: "object",
          properties: {},
          required: [],
          additionalProperties: { type: "boolean" },
          propertyNames: { pattern: "^x-" }
        }
      })
      for (const dialect of dialects) {
        const wire = Either.getOrThrow(wireOf(old, dialect))
        assert.strictEqual(problemOf(wire.schema, dialect), undefined)
        const value = { pair: ["a", 3], either: "ab", by: { "x-1": true } }
        assert.deepStrictEqual(wire.read(JSON.parse(JSON.stringify(wire.write(value)))), value)
      }
    })
  })

  describe("cannot be sent to a provider, and names the path, where", () => {
    const inside = (schema: StandardSchema.WithJsonSchema<unknown>) =>
      Schema.Struct({ list: Schema.Array(StandardSchema.from(schema)) })

    it("its library has no JSON Schema for it", () => {
      for (const dialect of dialects) {
        assert.include(messageOf(inside(z.object({ at: z.date() })), dialect), "list[] is a schema whose library")
      }
      assert.include(messageOf(inside(z.date()), "plain"), "Date cannot be represented in JSON Schema")
    })

    it("it has no JSON Schema at all", () => {
      const schema = StandardSchema.from(v.object({}) as unknown as StandardSchema.WithJsonSchema<object>)
      assert.include(messageOf(schema, "plain"), "valibot writes none: pass it to StandardSchema.from")
    })

    it("the dialect has no words for it", () => {
      const loose = z.object({ a: z.object({ b: z.unknown() }) })
      assert.include(messageOf(inside(loose), "openai"), "list[].a.b is a value of any type")
      assert.isTrue(Either.isRight(wireOf(inside(loose), "plain")))
      const open = z.object({ a: z.string() }).catchall(z.number())
      assert.include(messageOf(inside(open), "anthropic"), "list[] is named properties beside further ones")
      assert.include(messageOf(inside(z.never()), "plain"), "list[] is ")
    })

    it("its JSON Schema makes no sense", () => {
      const of = (jsonSchema: Record<string, unknown>) =>
        messageOf(StandardSchema.from(z.any(), { jsonSchema }), "plain")
      assert.include(of({ $ref: "#/$defs/Nowhere" }), "a reference to nowhere")
      assert.include(of({ $ref: "https://example.com/schema" }), "a reference to nowhere")
      assert.include(
        of({ allOf: [{ type: "string" }, { type: "number" }] }),
        "a combination (allOf) that differs in type"
      )
      assert.include(of({ type: "date" }), "of the type \"date\"")
      assert.include(of({ enum: [] }), "an enum without values")
      assert.include(of({ $defs: { A: { allOf: [{ $ref: "#/$defs/A" }] } }, $ref: "#/$defs/A" }), "refers to itself")
    })
  })

  describe("complains", () => {
    const secret = "the answer's words"
    const wrong = { name: "x", height: secret, role: secret, tags: 5, pet: { kind: secret } }

    const issuesOf = (schema: Schema.Schema<unknown, unknown>, value: unknown) =>
      LlmClient.object(schema, { model: "m", prompt: "p" }, { reask: 0 }).pipe(
        Effect.flip,
        Effect.map(({ reason }) => reason._tag === "OutputInvalid" ? reason.issues : assert.fail(reason._tag)),
        Effect.provide(
          LlmClient.layer().pipe(
            Layer.provide([LlmTest.layer([LlmTest.object(value)]), LlmCache.layerNone, LlmTest.layerLogger])
          )
        )
      )

    it.effect.each(Object.entries(examples))(
      "of where a value of %s does not fit, and quotes none of it",
      ([_, schema]) =>
        Effect.gen(function*() {
          const issues = yield* issuesOf(schema, wrong)
          const paths = issues.map(({ path }) => path)
          for (const path of ["name", "height", "role", "tags", "pet.kind", "scores"]) {
            assert.isTrue(paths.some((each) => each === path), `${path} in ${paths.join()}`)
          }
          assert.notInclude(JSON.stringify(issues), "words")
        })
    )

    it.effect("in words of the schema, without those of the value", () =>
      Effect.gen(function*() {
        const Even = z.object({
          a: z.number().refine((n) => n % 2 === 0, "must be even"),
          b: z.string().refine(() => false, { error: ({ input }) => `got "${String(input)}", which is odd` }),
          c: z.enum(["x", "y"]),
          d: z.string().min(3),
          e: z.strictObject({})
        })
        assert.deepStrictEqual(
          yield* issuesOf(any(StandardSchema.from(Even)), { a: 1, b: "me", c: "z", d: "a", e: { key: 1 } }),
          [
            { path: "a", expected: "must be even" },
            { path: "b", expected: "got […], which is odd" },
            { path: "c", expected: "one of \"x\"|\"y\"" },
            { path: "d", expected: "string to have >=3 characters" },
            { path: "e", expected: "Unrecognized key: […]" }
          ]
        )
      }))

    it.effect("without a number that was there instead", () =>
      Effect.gen(function*() {
        const Role = StandardSchema.from(type({ "role?": "'admin' | 'user'" }))
        assert.deepStrictEqual(yield* issuesOf(any(Role), { role: 170451 }), [
          { path: "role", expected: "role must be \"admin\" or \"user\"" }
        ])
      }))
  })

  it.effect("validates asynchronously, and does not encode", () =>
    Effect.gen(function*() {
      const Taken = StandardSchema.from(
        z.object({ name: z.string().refine((name) => Promise.resolve(name !== "Elbe")) })
      )
      assert.deepStrictEqual(yield* Schema.decodeUnknown(Taken)({ name: "Oder" }), { name: "Oder" })
      assert.isTrue(Either.isLeft(yield* Effect.either(Schema.decodeUnknown(Taken)({ name: "Elbe" }))))
      assert.isTrue(Either.isLeft(yield* Effect.either(Schema.encode(Taken)({ name: "Oder" }))))
    }))

  it("stands among schemas of Effect's, annotated and filtered", () => {
    const Short = StandardSchema.from(z.object({ a: z.string() })).pipe(
      Schema.filter(({ a }) => a.length < 3 || "a short one"),
      Schema.annotations({ description: "short", identifier: "Short" })
    )
    assert.deepInclude(Either.getOrThrow(wireOf(Short, "openai")), { name: "Short" })
    assert.deepInclude(emitted(Short, "openai"), { description: "short" })
    assert.isTrue(Either.isLeft(Schema.decodeUnknownEither(Short)({ a: "long" })))
  })

  it("leaves a schema of Effect's that follows the standard as it is", () => {
    const own = Schema.standardSchemaV1(Schema.Struct({ a: Schema.String }))
    assert.isFalse(StandardSchema.isStandardSchema(own))
    assert.strictEqual(StandardSchema.toSchema(own).ast, own.ast)
    assert.isTrue(StandardSchema.isStandardSchema(type("string")))
    const River = z.object({})
    assert.strictEqual(StandardSchema.toSchema(River), StandardSchema.toSchema(River))
  })

  it.effect("is taken by `object` and by tools as it is", () =>
    Effect.gen(function*() {
      const River = z.object({ name: z.string(), length: z.string().transform(Number) })
      const { value } = yield* LlmClient.object(River, { model: "m", prompt: "Which river?" })
      assert.deepStrictEqual(value, { name: "Elbe", length: 1094 })
      const tool = LlmTool.make("length", {
        parameters: type({ river: "string" }),
        handler: ({ river }) => Effect.succeed(river.length)
      })
      const run = yield* LlmClient.runTools({ model: "m", prompt: "How long?" }, [tool])
      assert.strictEqual(run.steps[0]?.results[0]?.result, 4)
    }).pipe(Effect.provide(
      LlmClient.layer().pipe(Layer.provide([
        LlmTest.layer([
          LlmTest.object({ name: "Elbe", length: "1094" }),
          LlmTest.toolCalls([{ name: "length", arguments: { river: "Elbe" } }]),
          "4"
        ]),
        LlmCache.layerNone,
        LlmTest.layerLogger
      ]))
    )))
})
