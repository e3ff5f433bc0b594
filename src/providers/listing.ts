import type { Model, ModelPage } from "../LlmProvider.js"
import * as Json from "../wire/json.js"

/** The list of a service's models, as pure functions. */
export interface ListingCodec {
  /** The path of a page, after the base URL. The first page has no token. */
  readonly path: (page: string | undefined) => string
  /** Reads a page; `undefined` if the body is not one. */
  readonly decode: (body: Json.JsonObject, provider: string) => ModelPage | undefined
}

/** A model's facts, as far as an entry of a list states them. */
export const modelOf = (
  entry: Json.JsonObject,
  provider: string,
  fields: { readonly [Field in Exclude<keyof Model, "provider" | "metadata">]: unknown }
): ReadonlyArray<Model> => {
  const id = Json.name(fields.id)
  if (id === undefined) return []
  const name = Json.name(fields.name)
  const [inputTokenLimit, outputTokenLimit] = [Json.count(fields.inputTokenLimit), Json.count(fields.outputTokenLimit)]
  return [{
    id,
    provider,
    ...(name !== undefined && { name }),
    ...(inputTokenLimit !== undefined && { inputTokenLimit }),
    ...(outputTokenLimit !== undefined && { outputTokenLimit }),
    metadata: entry
  }]
}

/** OpenAI's list, which is not divided into pages. */
export const openAiListing = (path: string): ListingCodec => ({
  path: () => path,
  // Some services send a bare list, which `Json.parse` does not give as an object.
  decode: ({ data }, provider) =>
    Array.isArray(data)
      ? {
        models: data.filter(Json.isObject).flatMap((entry) =>
          modelOf(entry, provider, {
            id: entry.id,
            name: entry.name,
            inputTokenLimit: entry.context_length,
            outputTokenLimit: undefined
          })
        )
      }
      : undefined
})
