import type * as Embedding from "../domain/Embedding.js"
import { MalformedResponse, type Reason } from "../domain/LlmError.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import type * as Json from "../wire/json.js"

const malformed = (message: string): Reason => MalformedResponse.make({ message })

const isVector = (value: unknown): value is Embedding.Vector =>
  Array.isArray(value) && value.length > 0 && value.every((number) => Number.isFinite(number))

/** The vectors of an answer, if it has one for each text, all of one length, of finite numbers. */
export const checked = (
  vectors: ReadonlyArray<unknown>,
  { dimensions, input }: Embedding.Request
): ReadonlyArray<Embedding.Vector> | Reason => {
  if (vectors.length !== input.length) return malformed(`${vectors.length} embeddings for ${input.length} texts`)
  if (!vectors.every(isVector)) return malformed("an embedding is not a list of finite numbers")
  const length = dimensions ?? vectors[0]?.length
  const odd = vectors.find((vector) => vector.length !== length)
  return odd === undefined ? vectors : malformed(`an embedding has ${odd.length} dimensions in place of ${length}`)
}

/**
 * The items of an answer by their `index`, from 0 to their number. `undefined` where an index is missing, or is there
 * twice.
 */
export const ordered = (items: ReadonlyArray<Json.JsonObject>): ReadonlyArray<Json.JsonObject> | undefined => {
  const places = new Map(items.map((item) => [item.index, item]))
  const inOrder = items.flatMap((_, index): ReadonlyArray<Json.JsonObject> => {
    const item = places.get(index)
    return item === undefined ? [] : [item]
  })
  return inOrder.length === items.length ? inOrder : undefined
}

/** The usage, if the answer states it. */
export const usageOf = (inputTokens: number | undefined): LlmResponse.Usage =>
  inputTokens === undefined ? {} : { inputTokens }

/** Raw fields for the body. Those under the provider's own name override those of its protocol. */
export const rawFields = (
  { providerOptions }: Embedding.Request,
  protocol: string,
  provider: string
): Json.JsonObject => ({ ...providerOptions?.[protocol], ...providerOptions?.[provider] })
