import * as Json from "../../wire/json.js"
import type { EmbeddingCodec } from "../codec.js"
import { rawFields, usageOf } from "../embeddings.js"
import { modelPath, resourceName } from "./request.js"

/** Gemini's embeddings, which it gives in batches. */
export const embeddings = (provider: string): EmbeddingCodec => ({
  limits: () => ({ inputs: 100 }),
  path: ({ model }) => `${modelPath(model)}:batchEmbedContents`,
  encode: (request) => ({
    body: {
      requests: request.input.map((text) =>
        Json.defined({
          model: resourceName(request.model),
          // Each text is its own content, as the parts of one content make one vector.
          content: { parts: [{ text }] },
          outputDimensionality: request.dimensions,
          ...rawFields(request, "gemini", provider)
        })
      )
    },
    warnings: []
  }),
  decode: (body, { request: { model } }) => ({
    vectors: Json.array(body.embeddings).map((embedding) => Json.object(embedding).values),
    usage: usageOf(Json.count(Json.object(body.usageMetadata).promptTokenCount)),
    model
  })
})
