// In place of the file: a struct of Effect 4 has types of what `make` takes, and `mapFields` for `pick` and `omit`.
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type * as Types from "effect/Types"

/**
 * The schema of a struct whose type (and encoded type, if it is given) is a named interface, which is what editors then
 * show instead of its fields.
 */
export interface NamedStruct<
  A,
  Fields extends Schema.Struct.Fields,
  I = Types.Simplify<Schema.Struct.Encoded<Fields>>
> extends Schema.BottomLazy<SchemaAST.Objects, Schema.Struct<Fields>> {
  readonly "Type": A
  readonly "Encoded": I
  readonly "DecodingServices": never
  readonly "EncodingServices": never
  readonly "~type.make.in": Schema.Struct.MakeIn<Fields>
  readonly "~type.make": Schema.Struct.MakeIn<Fields>
  readonly "Iso": Schema.Struct.Iso<Fields>
  readonly fields: Fields
  readonly mapFields: Schema.Struct<Fields>["mapFields"]
}
