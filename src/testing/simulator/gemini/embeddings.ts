import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Invalid, Json, Protocol } from "../protocol.js"
import { checks, problem, records, strings } from "../protocol.js"
import { promptOf, vectorOf } from "../vectors.js"
import { streaming } from "./answer.js"
import { camelCase, decodeName, encodeProblem, headers, key, member } from "./service.js"

const path = /\/(?:models|tunedModels)\/([^/]+):(embedContent|batchEmbedContents)$/

const maxInputs = 100

const fullLength = 3_072

const fields = new Set([
  "autoTruncate",
  "content",
  "embedContentConfig",
  "model",
  "outputDimensionality",
  "taskType",
  "title"
])

const tasks: ReadonlyArray<unknown> = [
  "TASK_TYPE_UNSPECIFIED",
  "RETRIEVAL_QUERY",
  "RETRIEVAL_DOCUMENT",
  "SEMANTIC_SIMILARITY",
  "CLASSIFICATION",
  "CLUSTERING",
  "QUESTION_ANSWERING",
  "FACT_VERIFICATION",
  "CODE_RETRIEVAL_QUERY"
]

/** The requests for one text each: all of a batch, or the only one. */
const requestsOf = (request: Json, isBatch: boolean): ReadonlyArray<Json> =>
  isBatch ? records(request.requests) : [request]

const textOf = (request: Json): string => {
  const content = request.content
  return strings(records(isRecord(content) ? content.parts : []).map(({ text }) => text)).join("")
}

const requestProblem = (model: string) => (request: Json): Invalid | undefined => {
  const unknown = Object.keys(request).find((name) => !fields.has(camelCase(name)))
  if (unknown !== undefined) {
    return problem(`Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`, "")
  }
  const [task = tasks[0], length = fullLength] = [member(request, "taskType"), member(request, "outputDimensionality")]
  if (!tasks.includes(task)) return problem(`Invalid value at 'task_type', ${JSON.stringify(task)}`, "task_type")
  if (typeof length !== "number" || !Number.isInteger(length) || length < 1 || length > fullLength) {
    return problem(`Invalid value at 'output_dimensionality' (TYPE_INT32), ${JSON.stringify(length)}`)
  }
  if (request.model !== undefined && request.model !== `models/${model}`) {
    return problem("* BatchEmbedContentsRequest.requests[0].model: model does not match the model of the parent.\n")
  }
  return textOf(request) === "" ? problem("* EmbedContentRequest.content contains an empty Part.\n") : undefined
}

const decode: Protocol["decode"] = (body, envelope) =>
  Either.gen(function*() {
    const request: Json = isRecord(body) ? body : {}
    const [, name = "", method] = path.exec(envelope.path) ?? []
    const model = decodeName(name)
    const requests = requestsOf(request, method === "batchEmbedContents")
    yield* checks(
      requests.length === 0 || requests.length > maxInputs
        ? problem(`* BatchEmbedContentsRequest.requests: at most ${maxInputs} requests can be in one batch\n`)
        : undefined,
      ...requests.map(requestProblem(model))
    )
    return promptOf({ protocol: "gemini-embeddings", request, model, texts: requests.map(textOf) })
  })

const encode: Protocol["encode"] = ({ usage }, { request }: Prompt) => {
  const isBatch = "requests" in request
  const vectors = requestsOf(request, isBatch).map((each) => {
    const length = member(each, "outputDimensionality")
    return { values: vectorOf(textOf(each), typeof length === "number" ? length : fullLength) }
  })
  const usageMetadata = { promptTokenCount: usage.inputTokens }
  return isBatch ? { embeddings: vectors, usageMetadata } : { embedding: vectors[0], usageMetadata }
}

/** Gemini's `embedContent` and `batchEmbedContents`. */
export const embeddings: Protocol = {
  name: "gemini-embeddings",
  path,
  key,
  decode,
  answer: () => ({}),
  encode,
  streaming,
  encodeProblem,
  waitInBody: true,
  headers
}
