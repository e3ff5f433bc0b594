/**
 * OpenAI's Chat Completions, for OpenAI and for every service that speaks the same protocol. Some of them have their
 * own constructor here (`groq`, `mistral`, `azure` ...); for any other, set `baseUrl`.
 *
 * A stream ends with `[DONE]` or the end of the body; content after a finish reason belongs to the answer. If a service
 * leaves the connection open, 1 second of silence after the finish reason ends the stream, or 3 seconds if the finish
 * reason came with content.
 *
 * @see https://platform.openai.com/docs/api-reference/chat
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { invalidOption } from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Connection from "../../wire/connection.js"
import * as Sse from "../../wire/sse.js"
import * as Cloud from "../cloud.js"
import type { Codec } from "../codec.js"
import * as HttpProvider from "../httpProvider.js"
import { openAiListing } from "../listing.js"
import * as Facts from "../modelFacts.js"
import { batches } from "../openai/batches.js"
import { embeddings } from "../openai/embeddings.js"
import { decode, makeDecoder } from "./answer.js"
import { errors } from "./errors.js"
import * as Hosts from "./hosts.js"
import * as Models from "./models.js"
import { encode, type Service } from "./request.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How to reach a service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  /** The address of the service. Default: `https://api.openai.com/v1`. */
  readonly baseUrl?: string | undefined
  /** The segments of the path between `baseUrl` and `/chat/completions`. Default: none. */
  readonly path?: ReadonlyArray<string> | undefined
  /** The version of the service's API, sent as `?api-version=`. Default: not sent. */
  readonly apiVersion?: string | undefined
  /** The header that carries the key: `authorization` as a bearer token, `api-key` as it is. Default: "authorization". */
  readonly keyHeader?: "authorization" | "api-key" | undefined
  /**
   * The name of the provider, in responses, errors, telemetry, cache keys and as a key of `providerOptions`, beside
   * `openaiChat`, which every host reads. Default: "openai".
   */
  readonly name?: string | undefined
  /** The organization that is billed. */
  readonly organization?: string | undefined
  /** The project that is billed. */
  readonly project?: string | undefined
  /** The differences of the service from others. Default: by `baseUrl`. */
  readonly capabilities?: Partial<Capabilities> | undefined
  /**
   * Facts about models, by their names (`*` stands for any text), on top of the library's own: for models that it does
   * not know, deployments under your own names (`{ "my-deployment": { like: "gpt-5.2" } }`), and facts that have
   * changed. Default: none.
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

/**
 * The differences between services in the requests that they take.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities extends Hosts.Capabilities {}

// ---------------------------------------------------------------------------------------------------------------------
// Making
// ---------------------------------------------------------------------------------------------------------------------

const protocol = (keyHeader: Options["keyHeader"]): Connection.Protocol => ({
  baseUrl: Hosts.openAi.baseUrl,
  authorize: (key) => keyHeader === "api-key" ? { "api-key": key } : { authorization: `Bearer ${key}` }
})

const codec = (service: Service, pathOf: (method: string) => string): Codec => ({
  protocol: "openaiChat",
  schemaDialect: Hosts.schemaDialectOf(service.capabilities),
  errors,
  outputMode: (model, besideTools) =>
    Hosts.outputModeOf(service.capabilities, service.factsOf(model).outputMode, besideTools),
  path: () => pathOf("/chat/completions"),
  encode: (request, streaming, changes) => encode(request, service, streaming, changes),
  decode: (body, facts) => decode(body, service, facts),
  framer: Sse.make,
  decoder: (facts) => makeDecoder(service, facts),
  embeddings: embeddings({
    name: service.name,
    protocol: "openaiChat",
    path: pathOf("/embeddings"),
    base64: service.capabilities.embeddingFormat === "base64"
  }),
  listing: openAiListing(pathOf("/models")),
  ...(service.capabilities.batches && { batches: batches({ path: pathOf, endpoint: "/v1/chat/completions" }) })
})

/** A segment of dots would send the key and the prompt to another path. */
const encodeSegment = (segment: string): string =>
  /^\.{0,2}$/.test(segment)
    ? invalidOption("path", "a list of segments, none of them empty, \".\" or \"..\"", JSON.stringify(segment))
    : `/${encodeURIComponent(segment)}`

/** Azure's portal shows the endpoint of a resource with and without the path of its API: the path is not repeated. */
const withoutPath = (baseUrl: string, [first]: ReadonlyArray<string>): string =>
  first === "openai" ? baseUrl.replace(/\/openai(?:\/v1)?$/, "") : baseUrl

/**
 * Makes a provider. An invalid option is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { apiVersion, capabilities, keyHeader, models, name = "openai", organization, path = [], project, ...options }:
    Options
): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const headers = {
      ...(organization !== undefined && { "openai-organization": organization }),
      ...(project !== undefined && { "openai-project": project }),
      ...options.headers
    }
    const checked = Connection.check({ ...options, headers }, protocol(keyHeader))
    const connection = { ...checked, baseUrl: withoutPath(checked.baseUrl, path) }
    const query = apiVersion === undefined ? "" : `?api-version=${encodeURIComponent(apiVersion)}`
    const before = path.map(encodeSegment).join("")
    const pathOf = (method: string) => `${before}${method}${query}`
    const service = {
      name,
      capabilities: { ...Hosts.capabilitiesOf(connection.host), ...capabilities },
      factsOf: Facts.make(Models.known, models)
    }
    return HttpProvider.make({
      name,
      connection,
      endpoint: `${connection.baseUrl}${pathOf("/chat/completions")}`,
      codec: codec(service, pathOf)
    })
  })

/**
 * Provides a service that speaks Chat Completions.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { OpenAiChat } from "effect-llm"
 *
 * const Hosted = OpenAiChat.layer({ apiKey: Redacted.make("...") })
 *
 * const Proxied = OpenAiChat.layer({ baseUrl: "http://127.0.0.1:4000/v1", name: "proxy" })
 * ```
 */
export const layer = (options: Options): Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient> =>
  Layer.effect(LlmProvider.LlmProvider, make(options))

/**
 * Provides a service that speaks Chat Completions, with the key and the address from the program's configuration. A
 * mistake there is a `ConfigError`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { OpenAiChat } from "effect-llm"
 *
 * const OpenAi = OpenAiChat.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })
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
 * Completes the options of a service that this library knows: for `layer`, or for `layerConfig` if the key comes from
 * the configuration. Options that the program sets win.
 *
 * @since 0.1.0
 * @category models
 */
export interface Host {
  (options: Options): Options
  (options: ConfigOptions): ConfigOptions
}

const host = (known: Hosts.Host): Host => {
  function complete(options: Options): Options
  function complete(options: ConfigOptions): ConfigOptions
  function complete<O extends Options | ConfigOptions>({ capabilities, ...options }: O) {
    return {
      ...options,
      name: options.name ?? known.name,
      ...(options.baseUrl === undefined && { baseUrl: known.baseUrl }),
      capabilities: { ...known.capabilities, ...capabilities }
    }
  }
  return complete
}

/**
 * Groq.
 *
 * @see https://console.groq.com/docs/openai
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { OpenAiChat } from "effect-llm"
 *
 * const Groq = OpenAiChat.layerConfig(OpenAiChat.groq({ apiKey: Config.redacted("GROQ_API_KEY") }))
 * ```
 */
export const groq: Host = host(Hosts.groq)

/**
 * OpenRouter. Its `reasoning_details` go back to it with later turns.
 *
 * @see https://openrouter.ai/docs/api-reference/chat-completion
 * @since 0.1.0
 * @category hosts
 */
export const openRouter: Host = host(Hosts.openRouter)

/**
 * Mistral. It refuses fields that it does not know, so `user` and `topK` are left out, with a warning.
 *
 * @see https://docs.mistral.ai/api
 * @since 0.1.0
 * @category hosts
 */
export const mistral: Host = host(Hosts.mistral)

/**
 * DeepSeek. It does not enforce schemas: an `outputSchema` is sent as instructions, with a warning.
 *
 * @see https://api-docs.deepseek.com
 * @since 0.1.0
 * @category hosts
 */
export const deepSeek: Host = host(Hosts.deepSeek)

/**
 * Together.
 *
 * @see https://docs.together.ai/docs/openai-api-compatibility
 * @since 0.1.0
 * @category hosts
 */
export const together: Host = host(Hosts.together)

/**
 * vLLM, by default at `http://127.0.0.1:8000/v1`.
 *
 * @see https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { OpenAiChat } from "effect-llm"
 *
 * const Local = OpenAiChat.layer(OpenAiChat.vllm({}))
 * ```
 */
export const vllm: Host = host(Hosts.vllm)

/**
 * LM Studio, by default at `http://127.0.0.1:1234/v1`.
 *
 * @see https://lmstudio.ai/docs/developer/openai-compat
 * @since 0.1.0
 * @category hosts
 */
export const lmStudio: Host = host(Hosts.lmStudio)

/**
 * Amazon Bedrock, through its endpoint for OpenAI's protocols: completes options for `layer` or `layerConfig`. The key
 * is Bedrock's own (`AWS_BEARER_TOKEN_BEDROCK`), or an effect that makes one. With AWS credentials, leave it out and
 * sign the requests: `sign` takes the result of `AwsSignature.make`. OpenAI's newest models are at `/openai/v1` of the
 * endpoint (`baseUrl`).
 *
 * @see https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { OpenAiChat } from "effect-llm"
 *
 * const Bedrock = OpenAiChat.layerConfig(OpenAiChat.bedrock({
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
  name: options.name ?? "bedrock",
  ...(options.baseUrl === undefined && { baseUrl: `${Cloud.bedrockAddress(region)}/v1` })
})

/**
 * The choice between Azure's addresses.
 *
 * @since 0.1.0
 * @category models
 */
export interface AzureOptions {
  /**
   * The deployment that answers all requests, whatever their `model`. Default: none; `model` is then the name of a
   * deployment, and requests go to Azure's v1 address.
   */
  readonly deployment?: string | undefined
  /** The version of the API. Default: "2024-10-21" with a `deployment`; not sent without. */
  readonly apiVersion?: string | undefined
}

/**
 * Azure OpenAI. `baseUrl` is the endpoint of the resource, with or without `/openai/v1`. The key travels in the header
 * `api-key`; for a token of Microsoft Entra ID set `keyHeader: "authorization"`.
 *
 * A deployment can have any name. The facts about its model are known only if it is named like the model, or if the
 * option `models` likens it to one: `{ "my-deployment": { like: "gpt-5.2" } }`.
 *
 * @see https://learn.microsoft.com/azure/ai-foundry/openai/reference
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { OpenAiChat } from "effect-llm"
 *
 * const Azure = OpenAiChat.layerConfig(OpenAiChat.azure({
 *   baseUrl: Config.string("AZURE_OPENAI_ENDPOINT"),
 *   apiKey: Config.redacted("AZURE_OPENAI_API_KEY")
 * }))
 * ```
 */
export const azure: {
  (options: Options & AzureOptions & { readonly baseUrl: string }): Options
  (options: ConfigOptions & AzureOptions & { readonly baseUrl: Config.Config<string> | string }): ConfigOptions
} = <O extends Options | ConfigOptions>({ deployment, ...options }: O & AzureOptions) => ({
  ...options,
  name: options.name ?? "azure",
  // The key must not go to OpenAI, whose address is the default.
  ...(options.baseUrl === undefined && { baseUrl: "" }),
  keyHeader: options.keyHeader ?? "api-key",
  path: deployment === undefined ? ["openai", "v1"] : ["openai", "deployments", deployment],
  apiVersion: options.apiVersion ?? (deployment === undefined ? undefined : "2024-10-21"),
  capabilities: { ...Hosts.openAi.capabilities, ...options.capabilities }
})
