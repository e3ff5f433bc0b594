import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { countTokens } from "../prompt.js"
import type { Json, Protocol } from "../protocol.js"
import { bearerToken, checks, invalid, problem, strings } from "../protocol.js"
import { promptOf, vectorsOf } from "../vectors.js"
import { streaming } from "./answer.js"
import { encodeProblem } from "./chat.js"

const fullLength = 768

/** The context of models for embeddings, such as nomic-embed-text. */
const contextLength = 2_048

const decode: Protocol["decode"] = (body) =>
  Either.gen(function*() {
    const request: Json = isRecord(body) ? body : {}
    const { dimensions, input, model, truncate } = request
    if (typeof model !== "string" || model === "") return yield* invalid("model is required")
    if (typeof input !== "string" && !(Array.isArray(input) && input.every((text) => typeof text === "string"))) {
      return yield* invalid("invalid input type")
    }
    const texts = strings(input)
    yield* checks(
      dimensions !== undefined && !(typeof dimensions === "number" && dimensions > 0)
        ? problem("dimensions must be a positive integer")
        : undefined,
      truncate === false && texts.some((text) => countTokens(text) > contextLength)
        ? problem("the input length exceeds the context length")
        : undefined
    )
    return promptOf({ protocol: "ollama-embeddings", request, model, texts })
  })

/** Ollama's `/api/embed`. */
export const embeddings: Protocol = {
  name: "ollama-embeddings",
  path: /\/api\/embed$/,
  key: bearerToken,
  decode,
  answer: () => ({}),
  encode: ({ usage }, prompt) => ({
    model: prompt.model,
    embeddings: vectorsOf(
      prompt,
      typeof prompt.request.dimensions === "number" ? Math.min(prompt.request.dimensions, fullLength) : fullLength
    ),
    total_duration: 14_143_917,
    load_duration: 1_019_500,
    prompt_eval_count: usage.inputTokens
  }),
  streaming,
  encodeProblem,
  headers: () => ({})
}
