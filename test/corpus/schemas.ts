import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import * as LlmTool from "effect-llm/LlmTool"
import type * as StandardSchema from "effect-llm/StandardSchema"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as v from "valibot"
import { z } from "zod"

/**
 * Schemas of all kinds that can be said in every edition; each is sent in the dialect of each provider. Their filters are
 * described, as Effect 3 describes its own ("an integer"), and Effect 4 does not.
 */

const described = { description: "as the name says" }

const Whole = Schema.Int.annotations(described)

const Filled = Schema.NonEmptyString.annotations(described)

interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
}

const Tree = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })

class Address extends Schema.Class<Address>("app/Address")({
  street: Filled,
  zip: Schema.optional(Schema.String)
}, { description: "where somebody lives" }) {}

enum Size {
  Small,
  Large
}

const Circle = Schema.TaggedStruct("Circle", { radius: Whole })
const Square = Schema.TaggedStruct("Square", { side: Whole, tags: Schema.optional(Schema.Array(Schema.String)) })

const schema = <A, I>(schema: Schema.Schema<A, I>): StandardSchema.AnySchema<unknown, unknown, never> =>
  schema as Schema.Schema<unknown, unknown>

export const schemas: { readonly [name: string]: StandardSchema.AnySchema<unknown, unknown, never> } = {
  "a struct": schema(Schema.Struct({ a: Schema.String, b: Schema.Boolean, c: Schema.Number, d: Whole })),
  "an empty struct": schema(Schema.Struct({})),
  "optional and nullable fields": schema(Schema.Struct({
    a: Schema.optional(Schema.String),
    b: Schema.NullOr(Schema.String),
    c: Schema.optional(Schema.NullOr(Whole)),
    d: Schema.UndefinedOr(Schema.String)
  })),
  "an array": schema(Schema.Array(Whole)),
  "an array that is not empty": schema(Schema.NonEmptyArray(Schema.String)),
  "arrays in arrays": schema(Schema.Struct({ a: Schema.Array(Schema.Array(Whole)) })),
  "a tuple": schema(Schema.Tuple(Schema.String, Whole)),
  "a record": schema(Schema.Record({ key: Schema.String, value: Whole })),
  "a record of records": schema(
    Schema.Record({ key: Schema.String, value: Schema.Record({ key: Schema.String, value: Schema.Boolean }) })
  ),
  "a literal": schema(Schema.Literal("x")),
  "literals": schema(Schema.Literal("x", 1, true)),
  "literals or null": schema(Schema.Struct({ a: Schema.NullOr(Schema.Literal("x", "y")) })),
  "optional literals": schema(Schema.Struct({ a: Schema.optional(Schema.Literal("x", "y")) })),
  "an enum": schema(Schema.Enums(Size)),
  "a union of tagged structs": schema(Schema.Union(Circle, Square)),
  "a union of literals and a struct": schema(
    Schema.Union(Schema.Literal("none", "all"), Schema.Struct({ only: Schema.Array(Whole) }))
  ),
  "a class": schema(Address),
  "a class in a struct": schema(Schema.Struct({ home: Schema.optional(Address), work: Address })),
  "a recursive struct": schema(Tree),
  "a branded text": schema(Schema.String.pipe(Schema.pattern(/^[a-z]+$/, described), Schema.brand("Slug"))),
  "numbers with limits": schema(Schema.Struct({
    a: Whole.pipe(Schema.between(0, 150, described)),
    b: Schema.Number.pipe(Schema.greaterThan(0, described)),
    c: Schema.Number.pipe(Schema.lessThanOrEqualTo(1, described)),
    d: Schema.Number.pipe(Schema.multipleOf(5, described))
  })),
  "texts with limits": schema(Schema.Struct({
    a: Schema.String.pipe(Schema.minLength(2, described), Schema.maxLength(9, described)),
    b: Filled
  })),
  "lists with limits": schema(Schema.Struct({
    a: Schema.Array(Schema.String).pipe(Schema.minItems(1, described), Schema.maxItems(3, described))
  })),
  "any value": schema(Schema.Struct({ a: Schema.Unknown })),
  "annotated all over": schema(
    Schema.Struct({
      name: Schema.String.annotations({ title: "Name", description: "in full", examples: ["Ada"] }),
      age: Whole
    }).annotations({ identifier: "Annotated", title: "Somebody", description: "somebody" })
  ),
  "Zod": z.object({
    a: z.string().min(1).describe("a text"),
    b: z.int().max(9).optional(),
    c: z.union([z.literal("x"), z.array(z.boolean())]).nullable()
  }),
  "Valibot": toStandardJsonSchema(v.object({ a: v.pipe(v.string(), v.minLength(1)), b: v.optional(v.number()) })),
  "ArkType": type({ a: "string > 0", "b?": "number", c: "'x' | 'y'" })
}

export const tools = [
  LlmTool.make("weather", {
    description: "The weather of a city.",
    parameters: Schema.Struct({ city: Schema.String, days: Schema.optional(Whole) }),
    handler: ({ city }) => Effect.succeed({ city, sky: "clear" })
  }),
  LlmTool.make("shape", { parameters: Schema.Struct({ of: Schema.Union(Circle, Square) }), handler: Effect.succeed }),
  LlmTool.make("zod", { parameters: z.object({ a: z.string() }), handler: Effect.succeed })
]
