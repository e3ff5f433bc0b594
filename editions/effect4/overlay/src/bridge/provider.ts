// In place of declarations: a JSON Schema becomes a schema of Effect 4, and what does not fit it comes as an error.
import * as AiError from "effect/ai/AiError"
import * as Response from "effect/ai/Response"
import * as Option from "effect/Option"

const usage = new Response.Usage({ inputTokens: {}, outputTokens: {} })

/** An answer that does not fit its schema: the client finds out where, and asks again. */
const unfitting = (text: string): ReadonlyArray<AnswerReader.Part> => [
  Response.makePart("text", { text }),
  Response.makePart("finish", { reason: "stop", usage })
]

/** The parts of an answer with the text of its value, which the model may have written in another form. */
const withText = (content: ReadonlyArray<AnswerReader.Part>, value: unknown): ReadonlyArray<AnswerReader.Part> => {
  const at = content.findIndex(({ type }) => type === "text")
  return content.flatMap((part, index): ReadonlyArray<AnswerReader.Part> =>
    part.type !== "text" ? [part] : index === at ? [{ ...part, text: JSON.stringify(value) }] : []
  )
}

const askForValue = (
  ai: LanguageModel.LanguageModel,
  { prompt }: Prepared["options"],
  { name, schema }: NonNullable<LlmRequest.LlmRequest["outputSchema"]>
): Effect.Effect<ReadonlyArray<AnswerReader.Part>, AiError.AiError> =>
  Option.match(AiTools.objectSchema(schema), {
    onNone: () =>
      Effect.fail(AiError.make({
        module: "EffectAi",
        method: "generateObject",
        reason: new AiError.UnsupportedSchemaError({ description: `the schema ${name} has no form in Effect` })
      })),
    onSome: (schema) =>
      ai.generateObject({ prompt, schema, objectName: name }).pipe(
        Effect.map(({ content, value }) => withText(content, value)),
        Effect.catchReason(
          "AiError",
          "StructuredOutputError",
          ({ responseText }, error) =>
            responseText === "" ? Effect.fail(error) : Effect.succeed(unfitting(responseText))
        )
      )
  })

/** Asks for an answer, in the form of a schema if there is one. */
const ask = (
  ai: LanguageModel.LanguageModel,
  options: Prepared["options"],
  outputSchema: LlmRequest.LlmRequest["outputSchema"]
): Effect.Effect<ReadonlyArray<AnswerReader.Part>, AiError.AiError> =>
  outputSchema === undefined
    ? Effect.map(ai.generateText(options), ({ content }) => content)
    : askForValue(ai, options, outputSchema)
