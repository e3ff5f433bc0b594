/**
 * OpenAI's Responses: the protocol of OpenAI's own models. It carries a model's reasoning from turn to turn, encrypted,
 * so that the service need not keep it; Chat Completions drops it. Most other services speak Chat Completions: see
 * `OpenAiChat`.
 *
 * @see https://platform.openai.com/docs/api-reference/responses
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmProvider from "../../LlmProvider.js"
import * as Connection from "../../wire/connection.js"
import * as Sse from "../../wire/sse.js"
import * as Cloud from "../cloud.js"
import type { Codec } from "../codec.js"
import { inputTokens, only } from "../counting.js"
import * as HttpProvider from "../httpProvider.js"
import { openAiListing } from "../listing.js"
import * as Facts from "../modelFacts.js"
import { decode, makeDecoder } from "./answer.js"
import { background } from "./background.js"
import { batches } from "./batches.js"
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
  /** The address of the service. Default: `https://api.openai.com/v1`. */
  readonly baseUrl?: string | undefined
  /** The name of the provider, in responses, errors, telemetry and cache keys. Default: "openai". */
  readonly name?: string | undefined
  /** The header that carries the key: `Authorization: Bearer ...`, or Azure's. Default: "authorization". */
  readonly keyHeader?: "authorization" | "api-key" | undefined
  /** Segments of the path after `baseUrl`, which may already end with the first or all of them. Default: none. */
  readonly path?: ReadonlyArray<string> | undefined
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
   * Whether a stream outlives its connection: the service writes the answer in the background, and if the connection
   * breaks, a new one continues after the last event. Each part comes once, and each new connection counts as a
   * request. The service has to keep such an answer, so `store` is true for it, with a warning. The answer begins
   * later, and not every model and account may run in the background. A stream that its reader leaves is cancelled.
   * Default: false, and a stream that breaks off fails with `StreamInterrupted`.
   *
   * A whole answer runs in the background if the request says so: `providerOptions: { openai: { background: true } }`.
   * The client then asks for it until it is ready, until the deadline at most: `timeout` limits each exchange. A
   * failure after the start is not retried, and has the id of the answer (`LlmError.responseId`). If the deadline
   * passes, the service goes on; interruption stops it.
   *
   * @see https://platform.openai.com/docs/guides/background
   */
  readonly heal?: boolean | undefined
  /**
   * Facts about models, by their names (`*` stands for any text), on top of the library's own: for models that it does
   * not know, deployments under your own names, and facts that have changed. Default: none.
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

const protocol = (keyHeader: Options["keyHeader"]): Connection.Protocol => ({
  baseUrl: "https://api.openai.com/v1",
  authorize: (key) => keyHeader === "api-key" ? { "api-key": key } : { authorization: `Bearer ${key}` }
})

/** The fields that count, and that the service takes in a request to count tokens. */
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
  background,
  embeddings: embeddings({ name: service.name, protocol: "openai", path: "/embeddings", base64: true }),
  counting: { path: () => "/responses/input_tokens", body: only(counted), tokens: inputTokens },
  listing: openAiListing("/models"),
  ...(!Cloud.isBedrock(service.host) && {
    batches: batches({ path: (resource) => resource, endpoint: "/v1/responses" })
  })
})

/**
 * An address with a path, part of which it may already have: Azure's portal shows the endpoint of a resource in three
 * forms.
 */
const within = (baseUrl: string, path: ReadonlyArray<string>): string => {
  const segments = path.map((segment) => `/${encodeURIComponent(segment)}`)
  const known = segments.findLastIndex((_, index) => baseUrl.endsWith(segments.slice(0, index + 1).join("")))
  return baseUrl + segments.slice(known + 1).join("")
}

/**
 * Makes a provider. An invalid option is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { heal = false, keyHeader, models, name = "openai", organization, path = [], project, store = false, ...options }:
    Options
): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const headers = {
      ...(organization !== undefined && { "openai-organization": organization }),
      ...(project !== undefined && { "openai-project": project }),
      ...options.headers
    }
    const checked = Connection.check({ ...options, headers }, protocol(keyHeader))
    const connection = { ...checked, baseUrl: within(checked.baseUrl, path) }
    return HttpProvider.make({
      name,
      connection,
      endpoint: `${connection.baseUrl}/responses`,
      codec: codec({ name, store, heal, host: connection.host, factsOf: Facts.make(Models.known, models) })
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
  HttpProvider.layerConfig(options, protocol(options.keyHeader), make)

// ---------------------------------------------------------------------------------------------------------------------
// Hosts
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Azure OpenAI, through its v1 API: completes options for `layer` or `layerConfig`; those that are set win. `baseUrl`
 * is the endpoint of the resource, with or without `/openai/v1`, and `model` the name of a deployment. The key travels
 * in the header `api-key`. For a token of Microsoft Entra ID, set `keyHeader: "authorization"` and let an effect fetch
 * it, as `getBearerTokenProvider` of `@azure/identity` does for the scope `https://ai.azure.com/.default`.
 *
 * A deployment can have any name. The facts about its model are known only if it is named like the model, or if the
 * option `models` likens it to one: `{ "my-deployment": { like: "gpt-5.2" } }`.
 *
 * @see https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Config, Effect, Redacted } from "effect"
 * import { OpenAi } from "effect-llm"
 *
 * const ByKey = OpenAi.layerConfig(OpenAi.azure({
 *   baseUrl: Config.string("AZURE_OPENAI_ENDPOINT"),
 *   apiKey: Config.redacted("AZURE_OPENAI_API_KEY")
 * }))
 *
 * declare const getToken: () => Promise<string>
 *
 * const ByToken = OpenAi.layer(OpenAi.azure({
 *   baseUrl: "https://my-resource.openai.azure.com",
 *   keyHeader: "authorization",
 *   apiKey: Effect.map(Effect.promise(getToken), (token) => Redacted.make(token))
 * }))
 * ```
 */
export const azure: {
  (options: Options & { readonly baseUrl: string }): Options
  (options: ConfigOptions & { readonly baseUrl: Config.Config<string> | string }): ConfigOptions
} = <O extends Options | ConfigOptions>({ keyHeader = "api-key", path = ["openai", "v1"], ...options }: O) => ({
  ...options,
  keyHeader,
  path,
  name: options.name ?? "azure",
  // The key must not go to OpenAI, whose address is the default.
  ...(options.baseUrl === undefined && { baseUrl: "" })
})

/**
 * Amazon Bedrock, through its endpoint for OpenAI's protocols: completes options for `layer` or `layerConfig`; those
 * that are set win. The key is Bedrock's own (`AWS_BEARER_TOKEN_BEDROCK`), or an effect that makes one. With AWS
 * credentials, leave it out and sign the requests: `sign` takes the result of `AwsSignature.make`.
 *
 * @see https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
 * @since 0.1.0
 * @category hosts
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { OpenAi } from "effect-llm"
 *
 * const Bedrock = OpenAi.layerConfig(OpenAi.bedrock({
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
  ...(options.baseUrl === undefined && { baseUrl: `${Cloud.bedrockAddress(region)}/openai/v1` })
})
