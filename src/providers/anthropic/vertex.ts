import type * as Json from "../../wire/json.js"
import { vertexPath, type VertexPlace } from "../cloud.js"

// Messages on Vertex AI: the model is in the path, and the version in the body.
// https://docs.anthropic.com/en/api/claude-on-vertex-ai

/** The version of the protocol there. */
const version = "vertex-2023-10-16"

/** The path of Anthropic's models. */
export const modelsPath = (place: VertexPlace): string => `/v1${vertexPath(place)}/publishers/anthropic/models`

/** The path of a request. Unpaired surrogates are replaced: `encodeURIComponent` would throw. */
export const path = (models: string, model: string, streaming: boolean): string =>
  `${models}/${encodeURIComponent(model.replace(/\p{Surrogate}/gu, "\uFFFD"))}:${
    streaming ? "streamRawPredict" : "rawPredict"
  }`

/** The body of a request, made of Anthropic's own. */
export const body = ({ model: _, ...call }: Json.JsonObject): Json.JsonObject => ({
  anthropic_version: version,
  ...call
})
