/**
 * OpenAI's Responses: the protocol of OpenAI's own models. It carries a model's reasoning from turn to turn, encrypted, so
 * that the service need not keep it; Chat Completions forgets it. Of the other services that speak OpenAI's protocols,
 * more speak Chat Completions: see `OpenAiChat`.
 *
 * @see https://platform.openai.com/docs/api-reference/responses
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmProvider from "../../LlmProvider.js"
import * as Connection from "../../wire/connection.js"
import * as Sse from "../../wire/sse.js"
import type { Codec } from "../codec.js"
import { inputTokens, only } from "../counting.js"
import * as HttpProvider from "../httpProvider.js"
import { openAiListing } from "../listing.js"
import * as Facts from "../modelFacts.js"
import { decode, makeDecoder } from "./answer.js"
import { embeddings } from "./embeddings.js"
import { errors } from "./errors.js"
import * as Models from "./models.js"
import { encode, type Service } from "./request.js"

/**
 * How to reach the service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  /** Where the service is. Default: `https://api.openai.com/v1`. */
  readonly baseUrl?: string | undefined
  /** The name of the provider, in responses, errors, telemetry and cache keys. Default: "openai". */
  readonly name?: string | undefined
  /** The organization that is billed. */
  readonly organization?: string | undefined
  /** The project that is billed. */
  readonly project?: string | undefined
  /**
   * Whether the service may keep the answers, so that later requests can refer to them (`previous_response_id` in
   * `providerOptions`). Default: false; the service's own default is to keep them.
   */
  readonly store?: boolean | undefined
  /**
   * Facts about models, by their names (`*` stands for any text), on top of the library's own: for models that it does not
   * know, deployments under names of your own, and facts that have changed. Default: none.
   */
  readonly models?: Facts.Models | undefined
}

/**
 * The same, with the key and the address from the program's configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions extends Connection.ConfigOptions, Omit<Options, "apiKey" | "baseUrl"> {}

const protocol: Connection.Protocol = {
  baseUrl: "https://api.openai.com/v1",
  authorize: (key) => ({ authorization: `Bearer ${key}` })
}

/** The fields that count, and that the service takes with a request to count. */
const counted: ReadonlySet<string> = new Set([
  "conversation",
  "input",
  "instructions",
  "model",
  "parallel_tool_calls",
  "previous_response_id",
  "reasoning",
  "text",
  "tool_choice",
  "tools",
  "truncation"
])

const codec = (service: Service): Codec => ({
  protocol: "openai",
  schemaDialect: "openai",
  errors,
  outputMode: (model) => service.factsOf(model).outputMode ?? "native",
  path: () => "/responses",
  encode: (request, streaming, changes) => encode(request, service, streaming, changes),
  decode: (body, facts) => decode(body, service.name, facts),
  framer: Sse.make,
  decoder: (facts) => makeDecoder(service.name, facts),
  embeddings: embeddings({ name: service.name, protocol: "openai", path: "/embeddings", base64: true }),
  counting: { path: () => "/responses/input_tokens", body: only(counted), tokens: inputTokens },
  listing: openAiListing("/models")
})

/**
 * Makes a provider. Options that make no sense are a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { models, name = "openai", organization, project, store = false, ...options }: Options
): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const headers = {
      ...(organization !== undefined && { "openai-organization": organization }),
      ...(project !== undefined && { "openai-project": project }),
      ...options.headers
    }
    const connection = Connection.check({ ...options, headers }, protocol)
    return HttpProvider.make({
      name,
      connection,
      endpoint: `${connection.baseUrl}/responses`,
      codec: codec({ name, store, host: connection.host, factsOf: Facts.make(Models.known, models) })
    })
  })

/**
 * Provides OpenAI's models.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { OpenAi } from "effect-llm"
 *
 * const Gpt = OpenAi.layer({ apiKey: Redacted.make("...") })
 * ```
 */
export const layer = (options: Options): Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient> =>
  Layer.effect(LlmProvider.LlmProvider, make(options))

/**
 * Provides OpenAI's models, with the key and the address from the program's configuration. A mistake there is a
 * `ConfigError`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { OpenAi } from "effect-llm"
 *
 * const Gpt = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })
 * ```
 */
export const layerConfig = (
  options: ConfigOptions
): Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> =>
  HttpProvider.layerConfig(options, protocol, make)
