// In place of declarations: a schema of Effect 4 has an encoding as JSON beside its own, and a model says what it can.
import * as Tool from "effect/ai/Tool"

/** The schema of an object as its text is read: its encoding as JSON. */
const codecOf = (schema: Schema.Codec<unknown, unknown>): Schema.Codec<unknown, unknown> => Schema.toCodecJson(schema)

/** The failure of an object that its schema does not encode. */
const unencodable = (error: Schema.SchemaError): AiError.AiError =>
  AiError.make({
    module: "EffectAi",
    method: "generateObject",
    reason: AiError.InvalidOutputError.fromSchemaError(error)
  })

/** A language model that asks in these ways. */
const asking = (
  ways: Pick<Parameters<typeof LanguageModel.make>[0], "generateText" | "streamText">
): Effect.Effect<LanguageModel.LanguageModel> =>
  LanguageModel.make({
    ...ways,
    codecTransformer: (schema) => {
      const codec = Schema.toCodecJson(schema)
      return {
        codec,
        // The client writes its own.
        get jsonSchema() {
          return Tool.getJsonSchemaFromSchema(codec)
        }
      }
    },
    supportsSystemMessagesInHistory: Effect.succeed(true)
  })
