import type * as Json from "../../wire/json.js"
import { vertexPath, type VertexPlace } from "../cloud.js"

// Messages on Vertex AI: the model is in the path, and the version in the body.
// https://docs.anthropic.com/en/api/claude-on-vertex-ai

/** The version of the protocol at Vertex, if the program names none. */
export const version = "vertex-2023-10-16"

/** The path of Anthropic's models. */
export const modelsPath = (place: VertexPlace): string => `/v1${vertexPath(place)}/publishers/anthropic/models`

/**
 * A model's name in a path: Vertex's names have an `@`. Unpaired surrogates are replaced, as the encoding would throw.
 */
const segment = (model: string): string =>
  encodeURIComponent(model.replace(/\p{Surrogate}/gu, "\uFFFD")).replaceAll("%40", "@")

/** The path of a request. */
export const path = (models: string, model: string, streaming: boolean): string =>
  `${models}/${segment(model)}:${streaming ? "streamRawPredict" : "rawPredict"}`

/** The body of a request, made from Anthropic's own. */
export const body = ({ model: _, ...call }: Json.JsonObject, version: string): Json.JsonObject => ({
  anthropic_version: version,
  ...call
})
