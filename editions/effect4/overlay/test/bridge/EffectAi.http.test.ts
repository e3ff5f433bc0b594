// In place of declarations: an AiError of Effect 4 has a reason, usage another form, and vectors come with theirs.

const totalTokens = ({ inputTokens, outputTokens }: Response.Usage): number =>
  (inputTokens.total ?? 0) + (outputTokens.total ?? 0)

const kindOf = (error: AiError.AiError): string => error.reason._tag

const invalidKind = "InvalidRequestError"

const embedMany = (texts: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const model = yield* EmbeddingModel.EmbeddingModel
    const { embeddings, usage } = yield* model.embedMany(texts)
    assert.isAbove(usage.inputTokens ?? 0, 0)
    return embeddings.map(({ vector }) => vector)
  })

const embed = (text: string) =>
  Effect.gen(function*() {
    const model = yield* EmbeddingModel.EmbeddingModel
    return (yield* model.embed(text)).vector
  })

class River extends Schema.Class<River>("River")({
  name: Schema.String,
  lengthInKm: Schema.Number,
  mouth: Schema.optional(Schema.String),
  seen: Schema.Option(Schema.Date)
}) {}
