/**
 * The prices of `@pydantic/genai-prices`, a package that is kept up to date for most providers and models. Install it
 * beside this one: `npm install @pydantic/genai-prices`.
 *
 * @since 0.1.0
 */
import { calcPrice, type PriceCalculation } from "@pydantic/genai-prices"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Usage } from "../../domain/LlmResponse.js"
import * as Money from "../../internal/money.js"
import { type Billed, Pricing, type Service } from "./Pricing.js"

/** The package's names of our counts: in both, the whole includes its parts. */
const namedAsThere = (usage: Usage) => ({
  input_tokens: usage.inputTokens,
  cache_read_tokens: usage.cachedInputTokens,
  cache_write_tokens: usage.cacheWriteTokens,
  output_tokens: usage.outputTokens,
  output_reasoning_tokens: usage.reasoningTokens
})

const isFree = (price: PriceCalculation["model_price"][string]): boolean => price === undefined || price === 0

/** The package takes a missing count for 0, and a model without prices for free. */
const isKnown = ({ model_price: price }: PriceCalculation, usage: Usage): boolean =>
  price.input_mtok !== undefined &&
  (isFree(price.input_mtok) || usage.inputTokens !== undefined) &&
  (isFree(price.output_mtok) || usage.outputTokens !== undefined)

/** It throws where counts contradict each other. */
const calculate = Option.liftThrowable(calcPrice)

const costOf = ({ provider, usage }: Billed, model: string, now: number): Option.Option<number> =>
  calculate(namedAsThere(usage), model, { providerId: provider, timestamp: new Date(now) }).pipe(
    Option.flatMap(Option.fromNullable),
    Option.filter((price) => isKnown(price, usage)),
    // Its sums are binary fractions: off by far less than a picodollar.
    Option.map((price) => Money.toDollars(Money.fromDollars(price.total_price)))
  )

/**
 * The prices that the package knows at the time of the Clock. Its own `updatePrices` keeps them up to date in a program
 * that runs for long.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Service> = Effect.succeed({
  cost: (billed) =>
    Effect.map(
      Clock.currentTimeMillis,
      (now) =>
        Option.orElse(costOf(billed, billed.model, now), () =>
          billed.requestedModel === undefined || billed.requestedModel === billed.model
            ? Option.none()
            : costOf(billed, billed.requestedModel, now))
    )
})

/**
 * The prices that the package knows at the time of the Clock: for most models of OpenAI, Anthropic, Gemini, Azure, Groq,
 * Mistral, DeepSeek, OpenRouter, Together and others, by the names that providers have in this library. Put your own on
 * top with `Pricing.orElse`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { Anthropic, Pricing } from "effect-llm"
 * import * as GenaiPrices from "effect-llm/GenaiPrices"
 *
 * const Provider = Anthropic.layerConfig({ apiKey: Config.redacted("ANTHROPIC_API_KEY") }).pipe(
 *   Pricing.priced,
 *   Layer.provide(GenaiPrices.layer)
 * )
 * ```
 */
export const layer: Layer.Layer<Pricing> = Layer.effect(Pricing, make)
