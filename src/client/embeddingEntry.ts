import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import type * as Embedding from "../domain/Embedding.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { Text } from "../domain/Message.js"

// A cache holds answers. A vector is kept as one whose text is the vector: in 32 bits a number where that loses nothing,
// as most providers compute them, or else in 64.

const bytesOf = (numbers: Float32Array | Float64Array): Uint8Array =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)

const encode = (vector: Embedding.Vector): string =>
  vector.every((number) => Math.fround(number) === number)
    ? `f32:${Encoding.encodeBase64(bytesOf(Float32Array.from(vector)))}`
    : `f64:${Encoding.encodeBase64(bytesOf(Float64Array.from(vector)))}`

const widths: { readonly [kind: string]: number } = { f32: 4, f64: 8 }

/** The vector in a text; `undefined` for a text that has none. */
const decode = (text: string): Embedding.Vector | undefined => {
  const [kind = "", base64 = ""] = text.split(":", 2)
  const width = widths[kind]
  const decoded = Encoding.decodeBase64(base64)
  if (width === undefined || Either.isLeft(decoded)) return undefined
  // A copy begins at a multiple of the width.
  const bytes = Uint8Array.from(decoded.right)
  if (bytes.length === 0 || bytes.length % width !== 0) return undefined
  const vector = Array.from(width === 4 ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer))
  return vector.every(Number.isFinite) ? vector : undefined
}

/** A vector as an entry of a cache. */
export const make = (
  vector: Embedding.Vector,
  { model, provider }: Pick<Embedding.Response, "model" | "provider">
): LlmResponse.LlmResponse =>
  LlmResponse.make({ parts: [Text.make({ text: encode(vector) })], finishReason: "stop", model, provider })

/** The vector of an entry. Whatever else a cache gives counts as a miss. */
export const read = (entry: unknown): Embedding.Vector | undefined =>
  entry instanceof LlmResponse.LlmResponse ? decode(entry.text) : undefined
