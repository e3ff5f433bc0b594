// In place of declarations: a transformation of Effect 4 is a value that `decodeTo` takes.
import * as SchemaTransformation from "effect/SchemaTransformation"

const contentOf = <S extends Schema.Codec<any, any>>(part: S) =>
  Schema.Union([Schema.String, Schema.Array(part)]).pipe(
    Schema.decodeTo(
      Schema.toType(Schema.Array(Schema.Union([Text, part]))),
      SchemaTransformation.transform<ReadonlyArray<S["Type"] | Text>, string | ReadonlyArray<S["Type"]>>({
        decode: partsOf,
        encode: (parts) => parts
      })
    )
  )
