/**
 * OpenAI's Responses: the protocol of OpenAI's own models. It carries what a model thought from turn to turn (encrypted,
 * so that the service need not keep it), where Chat Completions forgets it. For other services that speak OpenAI's
 * protocols, `OpenAiChat` is the more common one.
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
import * as HttpProvider from "../httpProvider.js"
import * as Codec from "./codec.js"

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
   * Whether the service may keep the answers, so that a later request can refer to one (`previous_response_id` in
   * `providerOptions`). The service's own default is to keep them. Default: false.
   */
  readonly store?: boolean | undefined
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

/**
 * Makes a provider. Options that make no sense are a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { name = "openai", organization, project, store = false, ...options }: Options
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
      codec: Codec.make({ name, store, host: connection.host })
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
 * Provides OpenAI's models, with the key and the address from the program's configuration. What is wrong there is a
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
  Layer.effect(
    LlmProvider.LlmProvider,
    Effect.flatMap(Connection.resolveConfig(options, protocol), (resolved) => make({ ...options, ...resolved }))
  )
