// In place of declarations: the usage of Effect 4 divides both of its counts, and a name that is not there is undefined.

const usageOf = ({ inputTokens, outputTokens }: Response.Usage): LlmResponse.Usage =>
  Json.defined({
    inputTokens: Json.count(inputTokens.total),
    outputTokens: Json.count(outputTokens.total),
    reasoningTokens: Json.count(outputTokens.reasoning),
    cachedInputTokens: Json.count(inputTokens.cacheRead),
    cacheWriteTokens: Json.count(inputTokens.cacheWrite)
  })

/** The names that an answer gives of itself and its model. */
const namesOf = ({ id, modelId }: Response.ResponseMetadataPart) => ({ id: Json.name(id), model: Json.name(modelId) })
