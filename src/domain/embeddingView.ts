import { instance } from "../internal/instance.js"
import type * as Embedding from "./Embedding.js"
import { LlmRequest } from "./LlmRequest.js"
import * as LlmResponse from "./LlmResponse.js"

// Policies, spans and events work on requests and responses. For them, a request for embeddings is one for a text whose
// answer has no tokens.

/** A request for embeddings as policies see it: the texts are the parts of one user message, and there is no output. */
export const requestOf = ({ input, model, providerOptions }: Embedding.Request): LlmRequest =>
  instance(LlmRequest, {
    model,
    messages: [{ role: "user", content: input.map((text) => ({ _tag: "Text", text })) }],
    maxTokens: 0,
    ...(providerOptions !== undefined && { providerOptions })
  })

/** Embeddings as policies see them: without the vectors. */
export const responseOf = (response: Embedding.Response): LlmResponse.LlmResponse => {
  const { embeddings: _, usage, ...facts } = response
  return LlmResponse.make({ ...facts, parts: [], finishReason: "stop", usage: { outputTokens: 0, ...usage } })
}

/** Embeddings after a policy has changed its view of them. */
export const changed = (response: Embedding.Response, seen: LlmResponse.LlmResponse): Embedding.Response =>
  seen.cost === response.cost ? response : { ...response, cost: seen.cost }
