import type * as Schema from "effect/Schema"

/** The schema of a struct whose type is a named interface, which is what editors then show instead of its fields. */
export interface NamedStruct<A, Fields extends Schema.Struct.Fields>
  extends Schema.Schema<A, Schema.Struct.Encoded<Fields>>
{
  readonly fields: Fields
  readonly make: (...args: Parameters<Schema.Struct<Fields>["make"]>) => A
  readonly pick: Schema.Struct<Fields>["pick"]
  readonly omit: Schema.Struct<Fields>["omit"]
}
