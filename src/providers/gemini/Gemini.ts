/**
 * Google's Gemini, over `generateContent`.
 *
 * Raw fields for the wire body go under `providerOptions.gemini`. Its `generationConfig` is merged with the one that this
 * library sets: `{ gemini: { safetySettings: [...], generationConfig: { presencePenalty: 0.5 } } }`.
 *
 * @see https://ai.google.dev/api/generate-content
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmProvider from "../../LlmProvider.js"
import * as Connection from "../../wire/connection.js"
import * as Json from "../../wire/json.js"
import * as Sse from "../../wire/sse.js"
import * as Cloud from "../cloud.js"
import type { Codec } from "../codec.js"
import { only } from "../counting.js"
import * as HttpProvider from "../httpProvider.js"
import { modelOf } from "../listing.js"
import * as Facts from "../modelFacts.js"
import { decode, makeDecoder } from "./answer.js"
import { batches } from "./batches.js"
import { embeddings } from "./embeddings.js"
import { errors } from "./errors.js"
import * as Models from "./models.js"
import { encode, methodOf, modelPath, path, resourceName, type Service, unsealed } from "./request.js"
import * as Vertex from "./vertex.js"

/**
 * How to reach the service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  /** The address of the service. Default: `https://generativelanguage.googleapis.com`. */
  readonly baseUrl?: string | undefined
  /** The name of the provider, in responses, errors, telemetry and cache keys. Default: "gemini". */
  readonly name?: string | undefined
  /** The header that carries the key: the service's own, or `Authorization: Bearer ...`. Default: "x-goog-api-key". */
  readonly keyHeader?: "x-goog-api-key" | "authorization" | undefined
  /**
   * The project and the location at Vertex AI, which has other paths than Google's Gemini API: see `Gemini.vertex`. Default:
   * none.
   */
  readonly vertex?: Cloud.VertexPlace | undefined
  /**
   * Whether an answer that the service interrupts (finish reason `CONTINUATION`), or whose connection breaks, is
   * continued by its continuation token, streamed or not. Each part comes once: if anything has come after the newest
   * token, a stream that breaks off still fails with `StreamInterrupted`. Each request counts, and the usages add up.
   * Default: false, and such an answer has the finish reason `length`.
   */
  readonly heal?: boolean | undefined
  /**
   * Facts about models, by their names (`*` stands for any text), on top of the library's own: for models that it does not
   * know, and facts that have changed. Default: none.
   */
  readonly models?: Facts.Models | undefined
}

/**
 * The same, with the key and the address from the program's configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions extends Connection.ConfigOptions, Omit<Options, "apiKey" | "baseUrl" | "headers"> {}

const protocol = (keyHeader: Options["keyHeader"]): Connection.Protocol => ({
  baseUrl: "https://generativelanguage.googleapis.com",
  authorize: (key) => keyHeader === "authorization" ? { authorization: `Bearer ${key}` } : { "x-goog-api-key": key }
})

const codec = (service: Service, baseUrl: string): Codec => ({
  protocol: "gemini",
  schemaDialect: "gemini",
  errors,
  outputMode: (model, besideTools) => {
    const { outputMode = "native", schemaWithTools = true } = service.factsOf(model)
    return besideTools === true && !schemaWithTools ? "tool" : outputMode
  },
  path,
  encode: (request, _, changes) => encode(request, service, changes),
  unsealed,
  decode: (body, facts) => decode(body, service.name, facts),
  framer: Sse.make,
  decoder: (facts) => makeDecoder(service.name, facts, { heals: service.heal }),
  goesOn: service.heal,
  embeddings: embeddings(service.name),
  batches: batches(baseUrl),
  counting: {
    path: ({ model }) => `${modelPath(model)}:countTokens`,
    // The whole request, as its instructions and tools also count.
    body: (call, { model }) => ({ generateContentRequest: { model: resourceName(model), ...call } }),
    tokens: (body) => Json.count(body.totalTokens)
  },
  listing: {
    path: (page) => `/v1beta/models?pageSize=100${page === undefined ? "" : `&pageToken=${encodeURIComponent(page)}`}`,
    decode: ({ models, nextPageToken }, provider) => {
      if (!Array.isArray(models)) return undefined
      const next = Json.nonEmpty(nextPageToken)
      return {
        models: models.filter(Json.isObject).flatMap((entry) =>
          modelOf(entry, provider, {
            id: Json.string(entry.name)?.replace(/^models\//, ""),
            name: entry.displayName,
            inputTokenLimit: entry.inputTokenLimit,
            outputTokenLimit: entry.outputTokenLimit
          })
        ),
        ...(next !== undefined && { next })
      }
    }
  }
})

/**
 * Vertex has its own paths, and other requests for tokens, embeddings, batches and lists: of these, only tokens are
 * supported.
 */
const onVertex = (codec: Codec, place: Cloud.VertexPlace): Codec => {
  const { batches: _, embeddings: __, listing: ___, ...others } = codec
  return {
    ...others,
    path: ({ model }, streaming) => `${Vertex.modelPath(place, model)}:${methodOf(streaming)}`,
    counting: {
      path: ({ model }) => `${Vertex.modelPath(place, model)}:countTokens`,
      body: only(Vertex.counted),
      tokens: (body) => Json.count(body.totalTokens)
    }
  }
}

/**
 * Makes a provider. An invalid option is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { heal = false, keyHeader, models, name = "gemini", vertex, ...options }: Options
): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const connection = Connection.check(options, protocol(keyHeader))
    const direct = codec({ name, heal, factsOf: Facts.make(Models.known, models) }, connection.baseUrl)
    return HttpProvider.make({
      name,
      connection,
      endpoint: `${connection.baseUrl}${vertex === undefined ? "/v1beta/models" : Vertex.placePath(vertex)}`,
      codec: vertex === undefined ? direct : onVertex(direct, vertex)
    })
  })

/**
 * Provides Google's models.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Gemini } from "effect-llm"
 *
 * const Flash = Gemini.layer({ apiKey: Redacted.make("...") })
 * ```
 */
export const layer = (options: Options): Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient> =>
  Layer.effect(LlmProvider.LlmProvider, make(options))

/**
 * Provides Google's models, with the key and the address from the program's configuration. A mistake there is a
 * `ConfigError`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Gemini } from "effect-llm"
 *
 * const Flash = Gemini.layerConfig({ apiKey: Config.redacted("GEMINI_API_KEY") })
 * ```
 */
export const layerConfig = (
  options: ConfigOptions
): Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> =>
  HttpProvider.layerConfig(options, protocol(options.keyHeader), make)

// ---------------------------------------------------------------------------------------------------------------------
// Hosts
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A place of Vertex AI.
 *
 * @since 0.1.0
 * @category models
 */
export interface VertexOptions {
  /** The id of the project. */
  readonly project: string
  /** The region (`europe-west4`), a multi-region (`us`, `eu`), or `global`. Default: "global". */
  readonly location?: string | undefined
}

/**
 * Gemini on Google's Vertex AI: completes options for `layer` or `layerConfig`; those that are set win. `apiKey` is an
 * access token for the scope `https://www.googleapis.com/auth/cloud-platform`, which lasts an hour: let an effect fetch
 * it, with `google-auth-library`, for example. A model is the name of one of Google's,
 * `publishers/{publisher}/models/{model}`, or an endpoint of the project, `endpoints/{id}`. There are no embeddings and
 * no list of models.
 *
 * @see https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Gemini } from "effect-llm"
 *
 * declare const getAccessToken: () => Promise<string>
 *
 * const Flash = Gemini.layer(Gemini.vertex({
 *   project: "my-project",
 *   location: "europe-west4",
 *   apiKey: Effect.map(Effect.promise(getAccessToken), (token) => Redacted.make(token))
 * }))
 * ```
 */
export const vertex: {
  (options: Options & VertexOptions): Options
  (options: ConfigOptions & VertexOptions): ConfigOptions
} = <O extends Options | ConfigOptions>({ location = "global", project, ...options }: O & VertexOptions) => ({
  ...options,
  name: options.name ?? "vertex",
  ...(options.baseUrl === undefined && { baseUrl: Cloud.vertexAddress({ project, location }) }),
  keyHeader: "authorization" as const,
  vertex: { project, location }
})
