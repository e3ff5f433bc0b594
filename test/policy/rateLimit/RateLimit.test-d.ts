/** What the compiler must infer and refuse. Checked by `tsc`; there is nothing to run. */
import type { HttpClient } from "@effect/platform/HttpClient"
import * as Anthropic from "effect-llm/Anthropic"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Fallback from "effect-llm/Fallback"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as OpenAi from "effect-llm/OpenAi"
import * as RateLimit from "effect-llm/RateLimit"
import * as RateLimitStore from "effect-llm/RateLimitStore"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expectTypeOf } from "vitest"

interface NoStore {
  readonly _: unique symbol
}
declare const provider: Layer.Layer<LlmProvider.LlmProvider, "no key", NoStore>

// Layer in, layer out: what it may fail with and what it needs stay as they are, in both forms.
expectTypeOf(provider.pipe(RateLimit.limit({ requestsPerMinute: 1 }))).toEqualTypeOf<typeof provider>()
expectTypeOf(provider.pipe(RateLimit.limit())).toEqualTypeOf<typeof provider>()
expectTypeOf(RateLimit.limit(provider, { concurrency: 1 })).toEqualTypeOf<typeof provider>()

// A store may be provided to it, but need not.
expectTypeOf(
  provider.pipe(RateLimit.limit(), Layer.provide(RateLimitStore.layerMemory()))
).toEqualTypeOf<typeof provider>()

// The sentence.
expectTypeOf(
  OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
    RateLimit.limit({ requestsPerMinute: 500, tokensPerMinute: 200_000, concurrency: 64 }),
    CircuitBreaker.protect({ failureRatio: 0.5, window: "30 seconds", openFor: "10 seconds" }),
    Fallback.to(Anthropic.layerConfig({ apiKey: Config.redacted("ANTHROPIC_API_KEY") }), { model: "claude-haiku-4-5" })
  )
).toEqualTypeOf<Layer.Layer<LlmProvider.LlmProvider, ConfigError, HttpClient>>()

declare const effect: Effect.Effect<1, 2, NoStore>
expectTypeOf(effect.pipe(RateLimit.withPriority(1))).toEqualTypeOf<typeof effect>()
expectTypeOf(RateLimit.withPriority(effect, 1)).toEqualTypeOf<typeof effect>()

// @ts-expect-error: not an option
RateLimit.limit({ requestsPerSecond: 1 })
