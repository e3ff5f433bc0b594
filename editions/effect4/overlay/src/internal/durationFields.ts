// In place of declarations: a struct of Effect 4 has types of what `make` takes.
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaParser from "effect/SchemaParser"

export interface NamedStructOfDurations<
  A,
  Fields extends Schema.Struct.Fields,
  I = Types.Simplify<Schema.Struct.Encoded<Fields>>
> extends Omit<Schema.BottomLazy<SchemaAST.Objects, Schema.Struct<Fields>>, "make"> {
  new(_: never): {}
  readonly "Type": A
  readonly "Encoded": I
  readonly "DecodingServices": never
  readonly "EncodingServices": never
  readonly "~type.make.in": Schema.Struct.MakeIn<Fields>
  readonly "~type.make": Schema.Struct.MakeIn<Fields>
  readonly "Iso": Schema.Struct.Iso<Fields>
  readonly fields: Fields
  readonly mapFields: Schema.Struct<Fields>["mapFields"]
  readonly make: (
    ...args: object extends Given<A> ? [fields?: Given<A> | void, options?: Schema.MakeOptions]
      : [fields: Given<A>, options?: Schema.MakeOptions]
  ) => A
}

export const withDurations = <A, Fields extends Schema.Struct.Fields, I>(
  struct: NamedStruct<A, Fields, I>
): NamedStructOfDurations<A, Fields, I> => {
  const make = SchemaParser.make(struct) as (fields: object, options?: Schema.MakeOptions) => A
  const withInput = (fields?: object | void, options?: Schema.MakeOptions) =>
    make(decodeDurations(fields ?? {}), options)
  // The schema itself, as a copy would lose what belongs to its class. Its own `make` comes with its first use, for good.
  return Object.defineProperty<object>(struct, "make", {
    value: withInput,
    enumerable: true
  }) as NamedStructOfDurations<
    A,
    Fields,
    I
  >
}
