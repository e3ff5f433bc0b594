import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"

/**
 * The schema of a struct whose type (and encoded type, if it is given) is a named interface, so that editors show the
 * name instead of the fields.
 */
export interface NamedStruct<
  A,
  Fields extends Schema.Struct.Fields,
  I = Types.Simplify<Schema.Struct.Encoded<Fields>>
> extends Schema.Schema<A, I> {
  readonly fields: Fields
  readonly make: (...args: Parameters<Schema.Struct<Fields>["make"]>) => A
  readonly pick: Schema.Struct<Fields>["pick"]
  readonly omit: Schema.Struct<Fields>["omit"]
}
