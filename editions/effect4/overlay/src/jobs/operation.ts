// In place of declarations: a transformation of Effect 4 is a value that `decodeTo` takes, and its issues are others.
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"

const Vector = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Array(Schema.Number),
    SchemaTransformation.transformEffect<ReadonlyArray<number>, string>({
      decode: (text) => {
        const vector = VectorText.decode(text)
        return vector === undefined
          ? Effect.fail(new SchemaIssue.InvalidValue({ message: "a vector" }))
          : Effect.succeed(vector)
      },
      encode: (vector) => Effect.succeed(VectorText.encode(vector))
    })
  )
)
