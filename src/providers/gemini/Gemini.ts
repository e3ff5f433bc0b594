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
import type { Codec } from "../codec.js"
import * as HttpProvider from "../httpProvider.js"
import { modelOf } from "../listing.js"
import * as Facts from "../modelFacts.js"
import { decode, makeDecoder } from "./answer.js"
import { embeddings } from "./embeddings.js"
import { errors } from "./errors.js"
import * as Models from "./models.js"
import { encode, modelPath, path, resourceName, type Service, unsealed } from "./request.js"

/**
 * How to reach the service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  /** Where the service is. Default: `https://generativelanguage.googleapis.com`. */
  readonly baseUrl?: string | undefined
  /** The name of the provider, in responses, errors, telemetry and cache keys. Default: "gemini". */
  readonly name?: string | undefined
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

const protocol: Connection.Protocol = {
  baseUrl: "https://generativelanguage.googleapis.com",
  authorize: (key) => ({ "x-goog-api-key": key })
}

const codec = (service: Service): Codec => ({
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
  decoder: (facts) => makeDecoder(service.name, facts),
  embeddings: embeddings(service.name),
  counting: {
    path: ({ model }) => `${modelPath(model)}:countTokens`,
    // The whole request, as its instructions and tools count, too.
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
 * Makes a provider. Options that make no sense are a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { models, name = "gemini", ...options }: Options
): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const connection = Connection.check(options, protocol)
    return HttpProvider.make({
      name,
      connection,
      endpoint: `${connection.baseUrl}/v1beta/models`,
      codec: codec({ name, factsOf: Facts.make(Models.known, models) })
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
  HttpProvider.layerConfig(options, protocol, make)
