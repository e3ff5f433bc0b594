// In place of declarations: a transformation of Effect 4 is a value that `decodeTo` takes.
import * as SchemaTransformation from "effect/SchemaTransformation"

const convert = <A>(schema: StandardSchema<A>, jsonSchema: Json.JsonObject | undefined): Schema.Codec<A, unknown> => {
  // Written once, as references into it are identified by their targets.
  let document = jsonSchema
  const source = () => (document ??= jsonSchemaOf(schema))
  return Schema.Unknown.pipe(
    Schema.decodeTo(
      Schema.make<Schema.Codec<A>>(Schema.Unknown.ast),
      SchemaTransformation.transformEffect<A, unknown>({
        decode: (value) => {
          const finish = (result: Result<A>) =>
            result.issues === undefined
              ? Effect.succeed(result.value)
              : Effect.fail(toParseIssue(result.issues, Schema.Unknown.ast, value))
          const result = schema["~standard"].validate(value)
          return result instanceof Promise ? Effect.flatMap(Effect.promise(() => result), finish) : finish(result)
        },
        encode: () => Effect.fail(decodesOnly())
      })
    )
  ).annotate(ForeignJsonSchema.annotations(source))
}
