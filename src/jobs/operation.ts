import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as CacheKey from "../domain/CacheKey.js"
import * as Embedding from "../domain/Embedding.js"
import { InvalidRequest, LlmError } from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as VectorText from "../domain/vectorText.js"
import { decodeUnknownEither } from "../internal/schemaIssue.js"

/** The schema of the kinds of requests. */
export const OperationName = Schema.Literal("call", "object", "embed")

/**
 * The kind of a job's requests: for answers, values of a schema, or vectors.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof OperationName.Type

// ---------------------------------------------------------------------------------------------------------------------
// Requests, as canonical JSON: equal requests have equal texts
// ---------------------------------------------------------------------------------------------------------------------

const encodeRequest = Schema.encodeSync(LlmRequest.LlmRequest)

const writeJson = (operation: "call" | "embed", model: string, value: () => unknown): Effect.Effect<string, LlmError> =>
  Effect.try({
    try: () => CacheKey.canonicalJson(value()),
    catch: (error) =>
      new LlmError({
        operation,
        attempts: 0,
        model,
        reason: InvalidRequest.make({ message: error instanceof Error ? error.message : String(error) })
      })
  })

/** Checks and writes a request of a call. */
export const writeCall = (input: LlmRequest.Input): Effect.Effect<string, LlmError> =>
  Effect.flatMap(
    LlmRequest.decode(input),
    (request) => writeJson("call", request.model, () => encodeRequest(request))
  )

/** Checks and writes a request of embeddings. */
export const writeEmbedding = (input: Embedding.Input): Effect.Effect<string, LlmError> =>
  Effect.flatMap(Embedding.decode(input), (request) => writeJson("embed", request.model, () => request))

/** Reads a request of a call, as `writeCall` has written it. */
export const readCall = Schema.decodeSync(Schema.parseJson(LlmRequest.LlmRequest))

/** Reads a request of embeddings, as `writeEmbedding` has written it. */
export const readEmbedding = (text: string): Embedding.Input => JSON.parse(text) as Embedding.Input

// ---------------------------------------------------------------------------------------------------------------------
// Results
// ---------------------------------------------------------------------------------------------------------------------

const Vector = Schema.transformOrFail(Schema.String, Schema.Array(Schema.Number), {
  strict: true,
  decode: (text, _, ast) => {
    const vector = VectorText.decode(text)
    return vector === undefined
      ? ParseResult.fail(new ParseResult.Type(ast, text, "a vector"))
      : ParseResult.succeed(vector)
  },
  encode: (vector) => ParseResult.succeed(VectorText.encode(vector))
})

const Embeddings = Schema.Struct({
  embeddings: Schema.Array(Vector),
  usage: LlmResponse.Usage,
  model: Schema.String,
  provider: Schema.String,
  requestId: Schema.optional(Schema.String),
  origin: LlmResponse.Origin,
  attempts: Schema.NonNegativeInt,
  latency: Schema.DurationFromMillis,
  queuedFor: Schema.optional(Schema.DurationFromMillis),
  cost: Schema.optional(Schema.Number),
  rateLimit: Schema.optional(LlmResponse.RateLimit),
  warnings: Schema.Array(Schema.String)
})

const Value = <A, I>(schema: Schema.Schema<A, I>) => Schema.Struct({ value: schema, response: LlmResponse.LlmResponse })

/** A result as text, and back. */
export interface ResultCodec<A> {
  readonly write: (result: Exit.Exit<A, LlmError>) => Effect.Effect<string, ParseResult.ParseError>
  /** The problem names the path, never the value. */
  readonly read: (text: string) => Effect.Effect<Exit.Exit<A, LlmError>, string>
}

const resultCodec = <A, I>(success: Schema.Schema<A, I>): ResultCodec<A> => {
  const schema = Schema.parseJson(Schema.Exit({ success, failure: LlmError, defect: Schema.Defect }))
  const decode = decodeUnknownEither(schema)
  return {
    write: Schema.encode(schema),
    read: (text) =>
      Effect.mapError(
        Effect.suspend(() => decode(text)),
        ({ issues: [first] }) => `${first?.path ?? ""}: expected ${first?.expected ?? "another shape"}`
      )
  }
}

/** Results of calls. */
export const answers: ResultCodec<LlmResponse.LlmResponse> = resultCodec(LlmResponse.LlmResponse)

/** Results of embeddings. */
export const embeddings: ResultCodec<Embedding.Response> = resultCodec<Embedding.Response, typeof Embeddings.Encoded>(
  Embeddings
)

/** Results of calls for values of a schema. */
export const values = <A, I>(
  schema: Schema.Schema<A, I>
): ResultCodec<{ readonly value: A; readonly response: LlmResponse.LlmResponse }> => resultCodec(Value(schema))

// ---------------------------------------------------------------------------------------------------------------------
// Differences
// ---------------------------------------------------------------------------------------------------------------------

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null

const difference = (a: unknown, b: unknown, path: string): string => {
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return path
  const keys = Array.from(new Set([...Object.keys(a), ...Object.keys(b)]))
  const key = keys.find((key) => CacheKey.canonicalJson(a[key] ?? null) !== CacheKey.canonicalJson(b[key] ?? null))
  if (key === undefined) return path
  return difference(a[key], b[key], Array.isArray(a) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`)
}

/** The path of the first difference between two requests. */
export const firstDifference = (a: string, b: string): string => difference(JSON.parse(a), JSON.parse(b), "")
