import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import type { Vector } from "./Embedding.js"

// A vector as a short text, for stores: with 32 bits a number if that loses nothing (most providers compute so), or
// else in 64.

const bytesOf = (numbers: Float32Array | Float64Array): Uint8Array =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)

/** Writes a vector. */
export const encode = (vector: Vector): string =>
  vector.every((number) => Math.fround(number) === number)
    ? `f32:${Encoding.encodeBase64(bytesOf(Float32Array.from(vector)))}`
    : `f64:${Encoding.encodeBase64(bytesOf(Float64Array.from(vector)))}`

const widths: { readonly [kind: string]: number } = { f32: 4, f64: 8 }

/** The vector in a text; `undefined` for a text that has none. */
export const decode = (text: string): Vector | undefined => {
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
