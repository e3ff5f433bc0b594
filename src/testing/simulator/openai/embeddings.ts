import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Invalid, Json, Protocol } from "../protocol.js"
import { bearerToken, checks, invalid, problem } from "../protocol.js"
import { promptOf, vectorsOf } from "../vectors.js"
import { streaming } from "./chatAnswer.js"
import { encodeProblem, headers, numberProblem } from "./service.js"

const maxInputs = 2_048

/** The most that a request may have, in the simulator's own tokens. */
const maxTokens = 300_000

const fullLength = (model: string): number => /-large\b/.test(model) ? 3_072 : 1_536

const fields = new Set(["dimensions", "encoding_format", "input", "model", "user"])

const dimensionsOf = ({ model, request }: Prompt): number =>
  typeof request.dimensions === "number" ? request.dimensions : fullLength(model)

const inputProblem = (texts: ReadonlyArray<unknown>): Invalid | undefined => {
  if (texts.length > maxInputs) {
    return problem(
      `Invalid 'input': array too long. Expected an array with maximum length ${maxInputs}, but got an array with ` +
        `length ${texts.length} instead.`,
      "input",
      "array_above_max_length"
    )
  }
  if (texts.length === 0 || texts.some((text) => typeof text !== "string" || text === "")) {
    return problem("Invalid 'input': input cannot be an empty string.", "input")
  }
  const tokens = texts.reduce((sum: number, text) => sum + String(text).length / 4, 0)
  return tokens > maxTokens
    ? problem(
      `Invalid 'input': maximum request size is ${maxTokens} tokens per request.`,
      "input",
      "max_tokens_per_request"
    )
    : undefined
}

const settingsProblem = (request: Json, model: string): Invalid | undefined => {
  const unknown = Object.keys(request).find((name) => !fields.has(name))
  const { dimensions = null, encoding_format: format = null } = request
  if (unknown !== undefined && /^text-embedding/.test(model)) {
    return problem(`Unknown parameter: '${unknown}'.`, unknown, "unknown_parameter")
  }
  if (format !== null && format !== "float" && format !== "base64") {
    return problem(
      "Invalid value for 'encoding_format'. Supported values are: 'float' and 'base64'.",
      "encoding_format"
    )
  }
  return dimensions !== null && /ada-002/.test(model)
    ? problem("This model does not support specifying dimensions.")
    : numberProblem(request, "dimensions", "integer", 1, fullLength(model))
}

const decode = (body: unknown): Either.Either<Prompt, Invalid> =>
  Either.gen(function*() {
    const request: Json = isRecord(body) ? body : {}
    const { input, model } = request
    if (typeof model !== "string" || model === "") return yield* invalid("you must provide a model parameter")
    const texts: ReadonlyArray<unknown> = Array.isArray(input) ? input : [input]
    yield* checks(inputProblem(texts), settingsProblem(request, model))
    return promptOf({ protocol: "openai-embeddings", request, model, texts: texts.map(String) })
  })

const toBase64 = (vector: ReadonlyArray<number>): string => {
  const view = new DataView(new ArrayBuffer(4 * vector.length))
  vector.forEach((number, index) => view.setFloat32(4 * index, number, true))
  return Encoding.encodeBase64(new Uint8Array(view.buffer))
}

/** OpenAI's embeddings, and those of compatible hosts. */
export const embeddings: Protocol = {
  name: "openai-embeddings",
  path: /\/embeddings$/,
  key: bearerToken,
  decode,
  answer: () => ({}),
  encode: ({ usage }, prompt) => ({
    object: "list",
    data: vectorsOf(prompt, dimensionsOf(prompt)).map((vector, index) => ({
      object: "embedding",
      index,
      embedding: prompt.request.encoding_format === "base64" ? toBase64(vector) : vector
    })),
    model: prompt.model,
    usage: { prompt_tokens: usage.inputTokens, total_tokens: usage.inputTokens }
  }),
  streaming,
  encodeProblem,
  headers
}
