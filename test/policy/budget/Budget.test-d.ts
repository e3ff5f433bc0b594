/** What policies about money need, as the compiler must infer it. Checked by `tsc`; there is nothing to run. */
import * as Budget from "effect-llm/Budget"
import * as GenaiPrices from "effect-llm/GenaiPrices"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as Pricing from "effect-llm/Pricing"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expectTypeOf } from "vitest"

declare const provider: Layer.Layer<LlmProvider.LlmProvider, "no key", "HttpClient">
declare const work: Effect.Effect<"done", "failed", "Database">
declare const options: Budget.Options

type Provider<R> = Layer.Layer<LlmProvider.LlmProvider, "no key", "HttpClient" | R>

// A provider keeps its errors and its needs.
expectTypeOf(Pricing.priced(provider)).toEqualTypeOf<Provider<Pricing.Pricing>>()
expectTypeOf(provider.pipe(Budget.limit({ scope: "day", tokens: 1 }))).toEqualTypeOf<Provider<Budget.Budget>>()
expectTypeOf(Budget.limit(provider, { scope: "day", tokens: 1 })).toEqualTypeOf<Provider<Budget.Budget>>()

// Only money needs prices.
expectTypeOf(provider.pipe(Budget.limit({ scope: "day", dollars: 1 }))).toEqualTypeOf<
  Provider<Budget.Budget | Pricing.Pricing>
>()
expectTypeOf(Budget.limit(provider, { scope: "day", dollars: undefined })).toEqualTypeOf<Provider<Budget.Budget>>()
expectTypeOf(Budget.limit(provider, options)).toEqualTypeOf<Provider<Budget.Budget | Pricing.Pricing>>()

expectTypeOf(work.pipe(Budget.within({ tokens: 1 }))).toEqualTypeOf<Effect.Effect<"done", "failed", "Database">>()
expectTypeOf(Budget.within(work, {})).toEqualTypeOf<Effect.Effect<"done", "failed", "Database">>()
expectTypeOf(work.pipe(Budget.within({ dollars: 1 }))).toEqualTypeOf<
  Effect.Effect<"done", "failed", "Database" | Pricing.Pricing>
>()

declare const prices: Layer.Layer<Pricing.Pricing, "no file", "FileSystem">

expectTypeOf(prices.pipe(Pricing.orElse(GenaiPrices.layer))).toEqualTypeOf<
  Layer.Layer<Pricing.Pricing, "no file", "FileSystem">
>()
expectTypeOf(
  provider.pipe(Pricing.priced, Budget.limit({ scope: "day", dollars: 1 }), Layer.provide(prices))
).toEqualTypeOf<
  Layer.Layer<LlmProvider.LlmProvider, "no key" | "no file", "HttpClient" | "FileSystem" | Budget.Budget>
>()

// @ts-expect-error a scope has a name
Budget.limit(provider, { tokens: 1 })
// @ts-expect-error no such option
Budget.limit({ scope: "day", token: 1 })
// @ts-expect-error a price has both
Pricing.layerPrices({ openai: { "gpt-4o-mini": { input: 1 } } })
