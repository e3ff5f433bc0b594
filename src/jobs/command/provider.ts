import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmCache from "../../LlmCache.js"
import * as LlmClient from "../../LlmClient.js"
import * as LlmLogger from "../../LlmLogger.js"
import type * as LlmProvider from "../../LlmProvider.js"
import * as Pricing from "../../policy/pricing/Pricing.js"
import * as Anthropic from "../../providers/anthropic/Anthropic.js"
import * as Gemini from "../../providers/gemini/Gemini.js"
import * as Ollama from "../../providers/ollama/Ollama.js"
import * as OpenAi from "../../providers/openai/OpenAi.js"
import * as OpenAiChat from "../../providers/openaiChat/OpenAiChat.js"

/** The providers that the command knows. */
export const names = ["openai", "openai-chat", "anthropic", "gemini", "ollama"] as const

/** The name of a provider. */
export type Name = typeof names[number]

/** The provider of a model, by the model's name. */
export const guess = (model: string): Name =>
  /^claude/i.test(model) ? "anthropic" : /^gemini/i.test(model) ? "gemini" : "openai"

/** The variable of the environment that has the key of a provider. */
export const keyOf: { readonly [Provider in Name]: string | undefined } = {
  openai: "OPENAI_API_KEY",
  "openai-chat": "OPENAI_API_KEY",
  anthropic: "ANTHROPIC_API_KEY",
  gemini: "GEMINI_API_KEY",
  ollama: undefined
}

const providerOf = (
  name: Name,
  baseUrl: string | undefined
): Layer.Layer<LlmProvider.LlmProvider, ConfigError> => {
  const options = {
    apiKey: Config.redacted(keyOf[name] ?? ""),
    ...(baseUrl !== undefined && { baseUrl: Config.succeed(baseUrl) })
  }
  const layer = {
    openai: () => OpenAi.layerConfig(options),
    "openai-chat": () => OpenAiChat.layerConfig(options),
    anthropic: () => Anthropic.layerConfig(options),
    gemini: () => Gemini.layerConfig(options),
    ollama: () => Ollama.layer({ baseUrl })
  }[name]()
  return Layer.provide(layer, FetchHttpClient.layer)
}

/** The prices are those of an optional package: without it, costs are not known. */
const prices: Layer.Layer<Pricing.Pricing> = Layer.unwrapEffect(
  Effect.tryPromise(() => import("../../policy/pricing/GenaiPrices.js")).pipe(
    Effect.map(({ layer }) => layer),
    Effect.orElseSucceed(() => Pricing.layerPrices({}))
  )
)

/** The client of a provider, with the key of the environment. */
export const clientOf = (
  name: Name,
  baseUrl: string | undefined
): Layer.Layer<LlmClient.LlmClient, ConfigError> =>
  LlmClient.layer().pipe(
    Layer.provide(Pricing.priced(providerOf(name, baseUrl))),
    Layer.provide([prices, LlmCache.layerNone, LlmLogger.layerSilent])
  )
