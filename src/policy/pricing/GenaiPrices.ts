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
import * as PriceTable from "./priceTable.js"
import { type Billed, Pricing, type Service } from "./Pricing.js"
import * as Published from "./published.js"

/** The package's names for our counts: in both, the whole includes its parts. */
const namedAsThere = (usage: Usage) => ({
  input_tokens: usage.inputTokens,
  cache_read_tokens: usage.cachedInputTokens,
  cache_write_tokens: usage.cacheWriteTokens,
  cache_write_1h_tokens: usage.cacheWrite1hTokens,
  output_tokens: usage.outputTokens,
  output_reasoning_tokens: usage.reasoningTokens
})

const isFree = (price: PriceCalculation["model_price"][string]): boolean => price === undefined || price === 0

/** The package takes a missing count as 0, and a model without prices as free. */
const isKnown = ({ model_price: price }: PriceCalculation, usage: Usage): boolean =>
  price.input_mtok !== undefined &&
  (isFree(price.input_mtok) || usage.inputTokens !== undefined) &&
  (isFree(price.output_mtok) || usage.outputTokens !== undefined)

/** It throws if counts contradict each other. */
const calculate = Option.liftThrowable(calcPrice)

/** The package's names of the prices of tools, for a thousand uses. */
const toolKeys: ReadonlyMap<string, string> = new Map([
  ["web_search", "web_searches_kcount"],
  ["web_search_requests", "web_searches_kcount"],
  ["file_search", "storage_searches_kcount"]
])

/** The price of one use of a tool: the package's, or else the one that the provider has published. */
const toolPrice = (provider: string, price: PriceCalculation["model_price"]) => (tool: string) => {
  const thousand = price[toolKeys.get(tool) ?? ""]
  const dollars = typeof thousand === "number" ? thousand / 1_000 : Published.toolPrice(provider, tool)
  return dollars === undefined ? undefined : Money.fromDollars(dollars)
}

/** The package knows the ordinary tier only. */
const factorOf = ({ provider, usage: { serviceTier } }: Billed): Option.Option<number> =>
  serviceTier === undefined ? Option.some(1) : Option.fromNullable(Published.tierFactor(provider, serviceTier))

const costOf = (billed: Billed, model: string, now: number): Option.Option<number> =>
  Option.gen(function*() {
    const { provider, usage } = billed
    const factor = yield* factorOf(billed)
    const price = yield* calculate(namedAsThere(usage), model, { providerId: provider, timestamp: new Date(now) }).pipe(
      Option.flatMap(Option.fromNullable),
      Option.filter((price) => isKnown(price, usage))
    )
    const tools = yield* Option.fromNullable(
      PriceTable.costOfTools(usage, toolPrice(provider, price.model_price))
    )
    // Its sums are binary fractions: off by far less than a picodollar.
    return Money.toDollars(Money.fromDollars(price.total_price * factor) + tools)
  })

/**
 * The prices that the package knows at the time of the Clock. Its own `updatePrices` keeps them up to date in a
 * long-running program.
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
 * The prices that the package knows at the time of the Clock: for most models of OpenAI, Anthropic, Gemini, Azure,
 * Groq, Mistral, DeepSeek, OpenRouter, Together and others, by the names that providers have in this library. It
 * includes tokens written to a cache for an hour, and searches; other tiers of service have the prices that their
 * providers have published for all models (`Pricing.Price`). Put your own on top with `Pricing.orElse`, for example for
 * models that the package does not know yet.
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
