import { vertexPath, type VertexPlace } from "../cloud.js"
import { segment } from "./request.js"

/** The path of a place. */
export const placePath = (place: VertexPlace): string => `/v1beta1${vertexPath(place)}`

/** The path of a model: one of Google's, one of another publisher, or an endpoint of the project. */
export const modelPath = (place: VertexPlace, model: string): string => {
  const named = /^(?:publishers\/[^/]+\/models|endpoints)\/[^/]+$/.test(model)
    ? model
    : `publishers/google/models/${model.replace(/^models\//, "")}`
  // The names of models have no slashes.
  const [first = "", ...others] = named.split("/")
  const [publisher, collection, ...name] = others
  return collection === undefined
    ? `${placePath(place)}/${first}/${segment(publisher ?? "")}`
    : `${placePath(place)}/${first}/${segment(publisher ?? "")}/${collection}/${segment(name.join("/"))}`
}

/** The fields that count, and that the service takes in a request to count tokens. */
export const counted: ReadonlySet<string> = new Set(["contents", "generationConfig", "systemInstruction", "tools"])
