import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { Color } from "./schemaKinds.js"

export type AnySchema = Schema.Schema<unknown, unknown>

/** Forgets what a schema is of. */
const any = (schema: Schema.Schema.AnyNoContext): AnySchema => Schema.make(schema.ast)

const leaves: ReadonlyArray<AnySchema> = [
  any(Schema.String),
  any(Schema.Int),
  any(Schema.Boolean),
  any(Schema.Literal("a", "b", 3)),
  any(Schema.Literal(null)),
  any(Schema.Enums(Color)),
  // Years beyond 9999 are no date-time of RFC 3339.
  any(Schema.Date.pipe(Schema.betweenDate(new Date(0), new Date("9999-12-31"))))
]

const acceptsNull = (schema: AnySchema): boolean => Schema.is(Schema.encodedSchema(schema))(null)

export const schemas: FastCheck.Arbitrary<AnySchema> = FastCheck.letrec<{ schema: AnySchema }>((tie) => ({
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

/** A schema of the family, and a value of it. */
export const schemaWithValue = schemas.chain((schema) =>
  Arbitrary.make(schema).map((value) => ({ schema, value, encode: Schema.encodeSync(schema) }))
)
