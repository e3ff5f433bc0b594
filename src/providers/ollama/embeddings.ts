import * as Json from "../../wire/json.js"
import type { EmbeddingCodec } from "../codec.js"
import { rawFields, usageOf } from "../embeddings.js"
import { encodeDuration, type Service } from "./request.js"

/** Ollama's embeddings. */
export const embeddings = ({ keepAlive, name }: Service): EmbeddingCodec => ({
  // The server documents no limit. This one keeps an answer far below the bound of answers.
  limits: () => ({ inputs: 512 }),
  path: () => "/api/embed",
  encode: (request) => ({
    body: Json.defined({
      model: request.model,
      input: request.input,
      dimensions: request.dimensions,
      // Otherwise the server silently drops the end of a text that does not fit the context.
      truncate: false,
      keep_alive: keepAlive && encodeDuration(keepAlive),
      ...rawFields(request, "ollama", name)
    }),
    warnings: []
  }),
  decode: (body, { request }) => ({
    vectors: Json.array(body.embeddings),
    usage: usageOf(Json.count(body.prompt_eval_count)),
    model: Json.name(body.model) ?? request.model
  })
})
