// In place of declarations: the default of a constructor is an effect in Effect 4, and an optional field another schema.
import * as Effect from "effect/Effect"
import * as SchemaTransformation from "effect/SchemaTransformation"

const withDefault = <S extends Schema.Constraint & Schema.WithoutConstructorDefault>(
  schema: S,
  value: S["~type.make.in"]
) => Schema.withConstructorDefault<S>(Effect.succeed(value))(schema)

/** A field that lives in the process only: it is left out where an answer is encoded, and ignored where one is decoded. */
const neverEncoded = Schema.optionalKey(Schema.Unknown).pipe(
  Schema.decodeTo(
    Schema.optionalKey(Schema.Unknown),
    SchemaTransformation.transformOptional<unknown, unknown>({
      decode: () => Option.none(),
      encode: () => Option.none()
    })
  )
)

type Given = NonNullable<ConstructorParameters<typeof LlmResponse>[0]>

/** The fields as they are in an answer; what its constructor takes may leave tags out. */
type Fields = { readonly [Name in keyof Given]: Name extends keyof LlmResponse ? LlmResponse[Name] : Given[Name] }
