import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmProvider from "../LlmProvider.js"
import * as Connection from "../wire/connection.js"

/** Makes a provider from its options. */
type Make<Options> = (options: Options) => Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient>

/** The options of a program's configuration, once it has been read. */
type Resolved<ConfigOptions> = Omit<ConfigOptions, keyof Connection.ResolvedConfig> & Connection.ResolvedConfig

/** The `layer` of a provider's module. */
export const layer =
  <Options>(make: Make<Options>) =>
  (options: Options): Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient> =>
    Layer.effect(LlmProvider.LlmProvider, make(options))

/** The `layerConfig` of a provider's module. */
export const layerConfig = <ConfigOptions extends Connection.ConfigOptions>(
  make: Make<Resolved<ConfigOptions>>,
  protocolOf: (options: ConfigOptions) => Connection.Protocol
) =>
(options: ConfigOptions): Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    LlmProvider.LlmProvider,
    Effect.flatMap(
      Connection.resolveConfig(options, protocolOf(options)),
      (resolved) => make({ ...options, ...resolved })
    )
  )
