/**
 * Anthropic's Messages.
 *
 * @see https://docs.anthropic.com/en/api/messages
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
import { inputTokens, only } from "../counting.js"
import * as HttpProvider from "../httpProvider.js"
import { modelOf } from "../listing.js"
import * as Facts from "../modelFacts.js"
import { decode, makeDecoder } from "./answer.js"
import { batches } from "./batches.js"
import * as Models from "./models.js"
import { encode } from "./request.js"
import type { Service } from "./service.js"
import * as Vertex from "./vertex.js"

/**
 * How to reach the service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  /** The address of the service. Default: `https://api.anthropic.com`. */
  readonly baseUrl?: string | undefined
  /** The name of the provider, in responses, errors, telemetry and cache keys. Default: "anthropic". */
  readonly name?: string | undefined
  /** The header that carries the key: the service's own, or `Authorization: Bearer ...`. Default: "x-api-key". */
  readonly keyHeader?: "x-api-key" | "authorization" | undefined
  /**
   * The project and the location at Vertex AI, which has other paths than Anthropic, and does not take the model in the
   * body: see `Anthropic.vertex`. Default: none.
   */
  readonly vertex?: Cloud.VertexPlace | undefined
  /**
   * The version of the protocol. From "2026-10-21" on it has no temperature, topP or topK. Default: "2023-06-01"; on
   * Vertex AI, which has it in the body, "vertex-2023-10-16".
   */
  readonly version?: string | undefined
  /** The beta features to turn on. */
  readonly beta?: ReadonlyArray<string> | undefined
  /**
   * Keeps the beginning of each prompt in the service's cache for five minutes or an hour. A request with the same
   * beginning reads it for a tenth of the price; writing it costs 1.25 or 2 times the price. The `promptCache` of a request
   * has precedence, and a `CachePoint` in a message marks the end of a prefix. Default: no caching.
   *
   * @see https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
   */
  readonly promptCache?: "5m" | "1h" | undefined
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
  baseUrl: "https://api.anthropic.com",
  authorize: (key) => keyHeader === "authorization" ? { authorization: `Bearer ${key}` } : { "x-api-key": key }
})

/** The fields that count, and that the service takes in a request to count tokens. */
const counted: ReadonlySet<string> = new Set([
  "cache_control",
  "context_management",
  "mcp_servers",
  "messages",
  "model",
  "output_config",
  "system",
  "thinking",
  "tool_choice",
  "tools"
])

const codec = (service: Service, host: string): Codec => ({
  protocol: "anthropic",
  schemaDialect: "anthropic",
  outputMode: (model) => service.factsOf(model).outputMode ?? "native",
  takesNoTokens: true,
  cachesPrompts: service.promptCache !== undefined,
  path: () => "/v1/messages",
  encode: (request, streaming, changes) => encode(request, service, streaming, changes),
  decode: (body, facts) => decode(body, service.name, facts),
  framer: Sse.make,
  decoder: (facts) => makeDecoder(service.name, facts),
  ...(!Cloud.isBedrock(host) && { batches }),
  counting: { path: () => "/v1/messages/count_tokens", body: only(counted), tokens: inputTokens },
  listing: {
    path: (page) => `/v1/models?limit=100${page === undefined ? "" : `&after_id=${encodeURIComponent(page)}`}`,
    decode: ({ data, has_more: hasMore, last_id: last }, provider) => {
      if (!Array.isArray(data)) return undefined
      const next = hasMore === true ? Json.nonEmpty(last) : undefined
      return {
        models: data.filter(Json.isObject).flatMap((entry) =>
          modelOf(entry, provider, {
            id: entry.id,
            name: entry.display_name,
            inputTokenLimit: entry.max_input_tokens,
            outputTokenLimit: entry.max_tokens
          })
        ),
        ...(next !== undefined && { next })
      }
    }
  }
})

/** Vertex has its own paths, no batches of this kind and no list of models, and wants the model in the path. */
const onVertex = (codec: Codec, place: Cloud.VertexPlace, version: string): Codec => {
  const { batches: _, listing: __, ...others } = codec
  const models = Vertex.modelsPath(place)
  return {
    ...others,
    path: ({ model }, streaming) => Vertex.path(models, model, streaming),
    encode: (request, streaming, changes) => {
      const encoded = codec.encode(request, streaming, changes)
      return { ...encoded, body: Vertex.body(encoded.body, version) }
    },
    counting: {
      path: () => Vertex.path(models, "count-tokens", false),
      // Without a model in its path, it has one in its body.
      body: (call, { model }) => ({ ...Vertex.body({}, version), ...only(counted)({ ...call, model }) }),
      tokens: inputTokens
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
  { beta = [], keyHeader, models, name = "anthropic", promptCache, version: chosen, vertex, ...options }: Options
): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const version = chosen ?? "2023-06-01"
    const headers = {
      ...(vertex === undefined && { "anthropic-version": version }),
      ...(beta.length > 0 && { "anthropic-beta": beta.join(",") }),
      ...options.headers
    }
    const connection = Connection.check({ ...options, headers }, protocol(keyHeader))
    const direct = codec({ name, promptCache, version, factsOf: Facts.make(Models.known, models) }, connection.host)
    return HttpProvider.make({
      name,
      connection,
      endpoint: `${connection.baseUrl}${vertex === undefined ? "/v1/messages" : Vertex.modelsPath(vertex)}`,
      codec: vertex === undefined ? direct : onVertex(direct, vertex, chosen ?? Vertex.version)
    })
  })

/**
 * Provides Anthropic's models.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Anthropic } from "effect-llm"
 *
 * const Claude = Anthropic.layer({ apiKey: Redacted.make("...") })
 * ```
 */
export const layer = (options: Options): Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient> =>
  Layer.effect(LlmProvider.LlmProvider, make(options))

/**
 * Provides Anthropic's models, with the key and the address from the program's configuration. A mistake there is a
 * `ConfigError`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Anthropic } from "effect-llm"
 *
 * const Claude = Anthropic.layerConfig({ apiKey: Config.redacted("ANTHROPIC_API_KEY") })
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
 * Claude on Google's Vertex AI: completes options for `layer` or `layerConfig`; those that are set win. `apiKey` is an
 * access token for the scope `https://www.googleapis.com/auth/cloud-platform`, which lasts an hour: let an effect fetch
 * it, with `google-auth-library`, for example. Models have their names at Vertex: `claude-sonnet-4-5@20250929`.
 *
 * @see https://docs.anthropic.com/en/api/claude-on-vertex-ai
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Anthropic } from "effect-llm"
 *
 * declare const getAccessToken: () => Promise<string>
 *
 * const Claude = Anthropic.layer(Anthropic.vertex({
 *   project: "my-project",
 *   apiKey: Effect.map(Effect.promise(getAccessToken), (token) => Redacted.make(token))
 * }))
 * ```
 */
export const vertex: {
  (options: Options & VertexOptions): Options
  (options: ConfigOptions & VertexOptions): ConfigOptions
} = <O extends Options | ConfigOptions>({ location = "global", project, ...options }: O & VertexOptions) => ({
  ...options,
  name: options.name ?? "vertex-anthropic",
  ...(options.baseUrl === undefined && { baseUrl: Cloud.vertexAddress({ project, location }) }),
  keyHeader: "authorization" as const,
  vertex: { project, location }
})

/**
 * A place of Vertex AI.
 *
 * @since 0.1.0
 * @category models
 */
export interface VertexOptions {
  /** The id of the project. */
  readonly project: string
  /** The region (`europe-west1`), a multi-region (`us`, `eu`), or `global`. Default: "global". */
  readonly location?: string | undefined
}

/**
 * Claude on Amazon Bedrock, through its endpoint for Anthropic's protocol: completes options for `layer` or
 * `layerConfig`; those that are set win. The key is Bedrock's own (`AWS_BEARER_TOKEN_BEDROCK`), or an effect that makes
 * one. With AWS credentials, leave it out and sign the requests: `sign` takes the result of `AwsSignature.make`.
 *
 * @see https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Anthropic } from "effect-llm"
 *
 * const Claude = Anthropic.layerConfig(Anthropic.bedrock({
 *   region: "us-east-1",
 *   apiKey: Config.redacted("AWS_BEARER_TOKEN_BEDROCK")
 * }))
 * ```
 */
export const bedrock: {
  (options: Options & { readonly region: string }): Options
  (options: ConfigOptions & { readonly region: string }): ConfigOptions
} = <O extends Options | ConfigOptions>({ region, ...options }: O & { readonly region: string }) => ({
  ...options,
  name: options.name ?? "bedrock-anthropic",
  ...(options.baseUrl === undefined && { baseUrl: `${Cloud.bedrockAddress(region)}/anthropic` }),
  keyHeader: "authorization" as const
})
