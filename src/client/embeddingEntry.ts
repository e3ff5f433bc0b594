import type * as Embedding from "../domain/Embedding.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { Text } from "../domain/Message.js"
import * as VectorText from "../domain/vectorText.js"

// A cache holds answers. A vector is kept as an answer whose text is the vector.

/** A vector as an entry of a cache. */
export const make = (
  vector: Embedding.Vector,
  { model, provider }: Pick<Embedding.Response, "model" | "provider">
): LlmResponse.LlmResponse =>
  LlmResponse.make({ parts: [Text.make({ text: VectorText.encode(vector) })], finishReason: "stop", model, provider })

/** The vector of an entry. Anything else from a cache counts as a miss. */
export const read = (entry: unknown): Embedding.Vector | undefined =>
  entry instanceof LlmResponse.LlmResponse ? VectorText.decode(entry.text) : undefined
