/**
 * Embeddings: texts as vectors. The closer two texts are in meaning, the closer are the directions of their vectors.
 *
 * Vectors of different models, or of different `dimensions`, cannot be compared with each other.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { freezePlain } from "../internal/freeze.js"
import * as LlmError from "./LlmError.js"
import type * as LlmResponse from "./LlmResponse.js"

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A request for embeddings, as a program writes it.
 *
 * @since 0.1.0
 * @category models
 * @example
 * ```ts
 * import type { Embedding } from "effect-llm"
 *
 * const request: Embedding.Input = {
 *   model: "text-embedding-3-small",
 *   input: ["The Elbe rises in the Giant Mountains.", "The Oder flows into the Baltic Sea."],
 *   dimensions: 512
 * }
 * ```
 */
export interface Input {
  /** The provider's name of the model. */
  readonly model: string
  /** The texts: any number of them, none empty. A single text counts as a list of one. */
  readonly input: string | ReadonlyArray<string>
  /** The length of the vectors, for models that can shorten them. Default: the model's own. */
  readonly dimensions?: number | undefined
  /**
   * Raw fields for the wire body, by the name of the provider or its protocol: `{ gemini: { taskType: "RETRIEVAL_QUERY" } }`.
   * For Gemini they are fields of the request for each text.
   */
  readonly providerOptions?:
    | { readonly [provider: string]: { readonly [field: string]: unknown } | undefined }
    | undefined
}

/**
 * A checked request, for a provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** The provider's name of the model. */
  readonly model: string
  /** The texts: none empty. */
  readonly input: ReadonlyArray<string>
  /** The length of the vectors. Default: the model's own. */
  readonly dimensions?: number | undefined
  /** Raw fields for the wire body, by the name of the provider or its protocol. */
  readonly providerOptions?: { readonly [provider: string]: { readonly [field: string]: unknown } } | undefined
}

/**
 * The limits of one request. The client splits larger ones.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** The number of texts. Default: no limit. */
  readonly inputs?: number | undefined
  /** The number of tokens of all texts together, as this library estimates them. Default: no limit. */
  readonly tokens?: number | undefined
}

const invalid = (model: unknown, field: string, expected: string) =>
  new LlmError.LlmError({
    operation: "embed",
    attempts: 0,
    ...(typeof model === "string" && { model }),
    reason: LlmError.InvalidRequest.make({ field, message: `${field}: expected ${expected}` })
  })

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const fields: { readonly [Field in keyof Required<Input>]: true } = {
  model: true,
  input: true,
  dimensions: true,
  providerOptions: true
}

/**
 * Checks a request. It fails with reason `InvalidRequest`, whose `field` and `message` name the mistake and never quote
 * the request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const decode = (request: Input): Effect.Effect<Request, LlmError.LlmError> =>
  Effect.suspend(() => {
    const given: unknown = request
    if (!isRecord(given)) return invalid(undefined, "request", "an object")
    const { dimensions, input, model, providerOptions = {} } = given
    const wrong = (field: string, expected: string) => invalid(model, field, expected)
    const unknown = Object.keys(given).find((field) => !Object.hasOwn(fields, field))
    if (unknown !== undefined) return wrong(unknown.slice(0, 64), "no such field")
    if (typeof model !== "string" || model.trim() === "") return wrong("model", "text that is not empty")
    const texts: ReadonlyArray<unknown> | undefined = typeof input === "string"
      ? [input]
      : Array.isArray(input)
      ? input
      : undefined
    if (texts === undefined) return wrong("input", "a text or a list of texts")
    const index = texts.findIndex((text) => typeof text !== "string" || text === "")
    if (index >= 0) return wrong(typeof input === "string" ? "input" : `input[${index}]`, "text that is not empty")
    if (dimensions !== undefined && !(Number.isSafeInteger(dimensions) && Number(dimensions) > 0)) {
      return wrong("dimensions", "a positive integer")
    }
    if (
      !isRecord(providerOptions) || !Object.values(providerOptions).every((raw) => raw === undefined || isRecord(raw))
    ) {
      return wrong("providerOptions", "JSON objects by the name of the provider")
    }
    const raw = Object.entries(providerOptions).flatMap(([name, fields]) => isRecord(fields) ? [[name, fields]] : [])
    return Effect.succeed({
      model,
      input: texts.filter((text) => typeof text === "string"),
      ...(typeof dimensions === "number" && { dimensions }),
      ...(raw.length > 0 && { providerOptions: Object.fromEntries(raw) })
    })
  })

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The vector of a text: finite numbers, as the provider gave them.
 *
 * @since 0.1.0
 * @category models
 */
export type Vector = ReadonlyArray<number>

/**
 * Embeddings, in the order of the texts of the request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  /** One vector for each text, all of the same length. */
  readonly embeddings: ReadonlyArray<Vector>
  /** The billed tokens of all requests that were sent; texts from the cache add none. */
  readonly usage: LlmResponse.Usage
  /** The model that answered, as the provider names it. */
  readonly model: string
  /** The name of the provider that answered. */
  readonly provider: string
  /** The provider's id of the last HTTP request, for its support. */
  readonly requestId?: string | undefined
  /** The origin: the cache or a shared run only if all vectors came from there. */
  readonly origin: LlmResponse.Origin
  /** The number of requests sent: 0 if all vectors came from the cache or a shared run. */
  readonly attempts: number
  /** The time from the call to the answer. */
  readonly latency: Duration.Duration
  /** The longest wait in a queue. Absent if no request waited. */
  readonly queuedFor?: Duration.Duration | undefined
  /** The cost in US dollars, if the price is known. */
  readonly cost?: number | undefined
  /** The provider's limits, as the headers of the last answer state them. */
  readonly rateLimit?: LlmResponse.RateLimit | undefined
  /** Parts of the request that could not be sent. */
  readonly warnings: ReadonlyArray<string>
}

/** The fields that only the client knows. */
type Known = "origin" | "attempts" | "latency"

/**
 * Makes the answer of a provider of your own. The client fills in the origin, the number of attempts and the latency.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Embedding } from "effect-llm"
 *
 * const response = Embedding.make({
 *   embeddings: [[1, 0], [0, 1]],
 *   usage: { inputTokens: 12 },
 *   model: "compass",
 *   provider: "acme"
 * })
 *
 * response.attempts // => 1
 * ```
 */
export const make = (
  response: Omit<Response, Known | "warnings"> & Partial<Pick<Response, Known | "warnings">>
): Response => ({ origin: "provider", attempts: 1, latency: Duration.zero, warnings: [], ...response })

/**
 * Freezes an answer at any depth, so that no receiver can change it for another.
 *
 * @since 0.1.0
 * @category combinators
 */
export const freeze = (response: Response): Response => freezePlain(response)

/**
 * The closeness of two vectors of the same model, from -1 to 1: the cosine of the angle between them. 0 for vectors of
 * different lengths, and for a vector without a direction.
 *
 * @since 0.1.0
 * @category comparing
 * @example
 * ```ts
 * import { Embedding } from "effect-llm"
 *
 * Embedding.similarity([3, 4], [6, 8]) // => 1
 * Embedding.similarity([1, 0], [0, 1]) // => 0
 * ```
 */
export const similarity = (a: Vector, b: Vector): number => {
  if (a.length !== b.length) return 0
  let [product, ofA, ofB] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x = 0, y = 0] = [a[i], b[i]]
    product += x * y
    ofA += x * x
    ofB += y * y
  }
  return ofA === 0 || ofB === 0 ? 0 : Math.min(1, Math.max(-1, product / Math.sqrt(ofA * ofB)))
}
