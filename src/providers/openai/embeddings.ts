import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import { MalformedResponse } from "../../domain/LlmError.js"
import * as Json from "../../wire/json.js"
import type { EmbeddingCodec } from "../codec.js"
import { ordered, rawFields, usageOf } from "../embeddings.js"

// OpenAI's embeddings, which most services that speak one of its protocols also have.

/** A service. */
export interface Service {
  readonly name: string
  /** The names under which it reads raw fields, before its own. */
  readonly protocol: string
  /** The path of its embeddings, after the base URL. */
  readonly path: string
  /** Whether it sends vectors as base64, a quarter of their size in JSON. */
  readonly base64: boolean
}

/** The bytes of a number. */
const width = 4

/** The vector in base64: numbers of 32 bits, the lowest byte first. `undefined` if the text is not a vector. */
const decodeBase64 = (text: string): ReadonlyArray<number> | undefined => {
  const decoded = Encoding.decodeBase64(text)
  if (Either.isLeft(decoded) || decoded.right.length % width !== 0) return undefined
  const { buffer, byteLength, byteOffset } = decoded.right
  const view = new DataView(buffer, byteOffset, byteLength)
  return Array.from({ length: byteLength / width }, (_, index) => view.getFloat32(index * width, true))
}

/** Embeddings of OpenAI, and of services that speak its protocol. */
export const embeddings = ({ base64, name, path, protocol }: Service): EmbeddingCodec => ({
  // As OpenAI documents them. A text may have 8,192 tokens; the service refuses a longer one.
  limits: () => ({ inputs: 2_048, tokens: 300_000 }),
  path: () => path,
  encode: (request) => ({
    body: Json.defined({
      model: request.model,
      input: request.input,
      dimensions: request.dimensions,
      encoding_format: base64 ? "base64" : undefined,
      ...rawFields(request, protocol, name)
    }),
    warnings: []
  }),
  decode: (body, { request }) => {
    const items = ordered(Json.array(body.data).map(Json.object))
    if (items === undefined) return MalformedResponse.make({ message: "an embedding has no index" })
    return {
      vectors: items.map(({ embedding }) => typeof embedding === "string" ? decodeBase64(embedding) : embedding),
      usage: usageOf(Json.count(Json.object(body.usage).prompt_tokens)),
      model: Json.name(body.model) ?? request.model
    }
  }
})
