/**
 * Ollama, over its own protocol: local models, and those of its cloud.
 *
 * A conversation that is longer than the model's context fails with `ContextLengthExceeded` (`truncate: false`); by
 * default the server would silently drop the oldest messages.
 *
 * Raw fields for the wire body go under `providerOptions.ollama`. Its `options` are merged with those that this library
 * sets: `{ ollama: { options: { num_ctx: 32768 } } }` makes the context larger.
 *
 * @see https://docs.ollama.com/api/chat
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { duration } from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Connection from "../../wire/connection.js"
import * as Json from "../../wire/json.js"
import * as Ndjson from "../../wire/ndjson.js"
import type { Codec } from "../codec.js"
import * as HttpProvider from "../httpProvider.js"
import { modelOf } from "../listing.js"
import * as Facts from "../modelFacts.js"
import { decode, makeDecoder } from "./answer.js"
import { embeddings } from "./embeddings.js"
import * as Models from "./models.js"
import { encode, type Service } from "./request.js"

/**
 * How to reach the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  /** The key of Ollama's cloud, sent as a bearer token. Default: none; your own server needs none. */
  readonly apiKey?: Connection.Options["apiKey"]
  /** The address of the server. Default: `http://127.0.0.1:11434`. The cloud's is `https://ollama.com`. */
  readonly baseUrl?: string | undefined
  /** The name of the provider, in responses, errors, telemetry and cache keys. Default: "ollama". */
  readonly name?: string | undefined
  /**
   * How long the model stays loaded after a call; `Duration.infinity` for forever. Default: the server's, 5 minutes.
   */
  readonly keepAlive?: Duration.DurationInput | undefined
  /**
   * Facts about models, by their names (`*` stands for any text), on top of the library's own. Default: none.
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
  baseUrl: "http://127.0.0.1:11434",
  authorize: (key) => ({ authorization: `Bearer ${key}` })
}

const codec = (service: Service): Codec => ({
  protocol: "ollama",
  schemaDialect: "plain",
  // A model that is held to a format cannot write calls.
  outputMode: (model, besideTools) => besideTools === true ? "tool" : service.factsOf(model).outputMode ?? "native",
  path: () => "/api/chat",
  encode: (request, streaming, changes) => encode(request, service, streaming, changes),
  decode: (body, facts) => decode(body, service.name, facts),
  framer: Ndjson.make,
  decoder: (facts) => makeDecoder(service.name, facts),
  embeddings: embeddings(service),
  listing: {
    path: () => "/api/tags",
    decode: ({ models }, provider) =>
      Array.isArray(models)
        ? {
          models: models.filter(Json.isObject).flatMap((entry) =>
            modelOf(entry, provider, {
              id: entry.model ?? entry.name,
              name: undefined,
              inputTokenLimit: undefined,
              outputTokenLimit: undefined
            })
          )
        }
        : undefined
  }
})

/**
 * Makes a provider. An invalid option is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { keepAlive, models, name = "ollama", ...options }: Options = {}
): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const connection = Connection.check(options, protocol)
    return HttpProvider.make({
      name,
      connection,
      endpoint: `${connection.baseUrl}/api/chat`,
      codec: codec({
        name,
        keepAlive: keepAlive === undefined ? undefined : duration("keepAlive", keepAlive),
        factsOf: Facts.make(Models.known, models)
      })
    })
  })

/**
 * Provides the models of an Ollama server.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Ollama } from "effect-llm"
 *
 * const Local = Ollama.layer({ keepAlive: "1 hour" })
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient> =>
  Layer.effect(LlmProvider.LlmProvider, make(options))

/**
 * Provides the models of an Ollama server, with the key and the address from the program's configuration. A mistake
 * there is a `ConfigError`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Ollama } from "effect-llm"
 *
 * const Server = Ollama.layerConfig({
 *   baseUrl: Config.string("OLLAMA_URL").pipe(Config.withDefault("http://127.0.0.1:11434"))
 * })
 * ```
 */
export const layerConfig = (
  options: ConfigOptions
): Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> =>
  HttpProvider.layerConfig(options, protocol, make)
