import { assert, describe, it } from "@effect/vitest"
import * as GenaiPrices from "effect-llm/GenaiPrices"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Pricing from "effect-llm/Pricing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { decodeUsage as anthropic } from "../../../src/providers/anthropic/outcome.js"
import { decodeUsage as openai } from "../../../src/providers/openai/outcome.js"

// The costs are worked out by hand from the prices that the providers have published: see `priceTable.ts` and
// `published.ts` for the sources.

/** The prices of some models, in US dollars a million tokens, as a program would write them. */
const prices: Pricing.Prices = {
  anthropic: {
    "claude-opus-5-5": { input: 4, cachedInput: 0.2, cacheWrite: 5, cacheWrite1h: 8, output: 20 },
    "claude-haiku-4-5": { input: 1, cachedInput: 0.1, cacheWrite: 1.25, cacheWrite1h: 2, output: 5 }
  },
  openai: {
    "gpt-5": {
      input: 1.25,
      cachedInput: 0.125,
      output: 10,
      serviceTiers: { priority: { input: 2.5, cachedInput: 0.25, output: 20 } }
    },
    "gpt-5.6": { input: 4, cachedInput: 0.4, cacheWrite: 5, output: 20 }
  }
}

const costIn =
  <E>(layer: Layer.Layer<Pricing.Pricing, E>) => (provider: string, model: string, usage: LlmResponse.Usage) =>
    Effect.scoped(Effect.flatMap(Layer.build(layer), (context) =>
      Effect.map(
        Context.get(context, Pricing.Pricing).cost({ provider, model, usage }),
        Option.getOrUndefined
      )))

interface Recorded {
  readonly provider: "anthropic" | "openai"
  readonly model: string
  readonly usage: LlmResponse.Usage
  /** US dollars; `undefined` where no price is published. */
  readonly cost: number | undefined
}

/** Usages as the services report them. */
const recorded: { readonly [what: string]: Recorded } = {
  "a write to the cache for five minutes": {
    provider: "anthropic",
    model: "claude-opus-5-5",
    usage: anthropic({
      input_tokens: 12,
      cache_creation_input_tokens: 100_000,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 100_000, ephemeral_1h_input_tokens: 0 },
      output_tokens: 500,
      service_tier: "standard"
    }),
    // 12 × 4 + 100,000 × 5 + 500 × 20
    cost: 0.510048
  },
  "a write to the cache for an hour": {
    provider: "anthropic",
    model: "claude-opus-5-5",
    usage: anthropic({
      input_tokens: 12,
      cache_creation_input_tokens: 100_000,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 100_000 },
      output_tokens: 500
    }),
    // 12 × 4 + 100,000 × 8 + 500 × 20
    cost: 0.810048
  },
  "both, and a read": {
    provider: "anthropic",
    model: "claude-haiku-4-5",
    usage: anthropic({
      input_tokens: 100,
      cache_creation_input_tokens: 30_000,
      cache_read_input_tokens: 50_000,
      cache_creation: { ephemeral_5m_input_tokens: 10_000, ephemeral_1h_input_tokens: 20_000 },
      output_tokens: 1_000
    }),
    // 100 × 1 + 50,000 × 0.1 + 10,000 × 1.25 + 20,000 × 2 + 1,000 × 5
    cost: 0.0626
  },
  "searches of Anthropic": {
    provider: "anthropic",
    model: "claude-haiku-4-5",
    usage: anthropic({
      input_tokens: 1_000,
      output_tokens: 1_000,
      server_tool_use: { web_search_requests: 3, web_fetch_requests: 7 }
    }),
    // 1,000 × 1 + 1,000 × 5, and 3 searches at a cent; what is fetched is free
    cost: 0.036
  },
  "a batch of Anthropic's, with searches": {
    provider: "anthropic",
    model: "claude-haiku-4-5",
    usage: anthropic({
      input_tokens: 1_000,
      cache_creation_input_tokens: 1_000,
      cache_creation: { ephemeral_1h_input_tokens: 1_000 },
      output_tokens: 1_000,
      server_tool_use: { web_search_requests: 1 },
      service_tier: "batch"
    }),
    // half of 1,000 × 1 + 1,000 × 2 + 1,000 × 5, and a search
    cost: 0.014
  },
  "a tier of Anthropic's that is agreed on by contract": {
    provider: "anthropic",
    model: "claude-haiku-4-5",
    usage: anthropic({ input_tokens: 1_000, output_tokens: 1_000, service_tier: "priority" }),
    cost: undefined
  },
  "OpenAI's ordinary tier": {
    provider: "openai",
    model: "gpt-5",
    usage: openai({
      service_tier: "default",
      usage: {
        input_tokens: 10_000,
        input_tokens_details: { cached_tokens: 8_000 },
        output_tokens: 1_000,
        output_tokens_details: { reasoning_tokens: 600 }
      }
    }),
    // 2,000 × 1.25 + 8,000 × 0.125 + 1,000 × 10
    cost: 0.0135
  },
  "flex": {
    provider: "openai",
    model: "gpt-5",
    usage: openai({
      service_tier: "flex",
      usage: { input_tokens: 10_000, input_tokens_details: { cached_tokens: 8_000 }, output_tokens: 1_000 }
    }),
    cost: 0.00675
  },
  "priority, where the price of the model has it": {
    provider: "openai",
    model: "gpt-5",
    usage: openai({
      service_tier: "priority",
      usage: { input_tokens: 10_000, input_tokens_details: { cached_tokens: 8_000 }, output_tokens: 1_000 }
    }),
    // 2,000 × 2.5 + 8,000 × 0.25 + 1,000 × 20
    cost: 0.027
  },
  "priority, where it does not": {
    provider: "openai",
    model: "gpt-5.6",
    usage: openai({ service_tier: "priority", usage: { input_tokens: 10_000, output_tokens: 1_000 } }),
    cost: undefined
  },
  "a write to OpenAI's cache": {
    provider: "openai",
    model: "gpt-5.6",
    usage: openai({
      usage: {
        input_tokens: 10_000,
        input_tokens_details: {
          cached_tokens: 1_000,
          cache_write_tokens: 8_000,
          cache_write_tokens_details: { ttl_12h_tokens: 0 }
        },
        output_tokens: 1_000
      }
    }),
    // 1,000 × 4 + 1,000 × 0.4 + 8,000 × 5 + 1,000 × 20
    cost: 0.0644
  },
  "searches of OpenAI": {
    provider: "openai",
    model: "gpt-5",
    usage: openai({
      usage: { input_tokens: 1_000, output_tokens: 1_000 },
      tool_usage: { web_search: { num_requests: 2 }, file_search: { num_requests: 4 } }
    }),
    // 1,000 × 1.25 + 1,000 × 10, 2 searches of the web at a cent, 4 of files at a quarter
    cost: 0.04125
  },
  "a tool without a price": {
    provider: "openai",
    model: "gpt-5",
    usage: openai({
      usage: { input_tokens: 1_000, output_tokens: 1_000 },
      tool_usage: { code_interpreter: { num_requests: 1 } }
    }),
    cost: undefined
  },
  "a tool without a price that was not used": {
    provider: "openai",
    model: "gpt-5",
    usage: openai({
      usage: { input_tokens: 1_000, output_tokens: 1_000 },
      tool_usage: { code_interpreter: { num_requests: 0 } }
    }),
    cost: 0.01125
  }
}

describe("Pricing: recorded usages cost what the providers have published", () => {
  const ofTable = costIn(Pricing.layerPrices(prices))
  const ofPackage = costIn(GenaiPrices.layer)

  for (const [what, { cost, model, provider, usage }] of Object.entries(recorded)) {
    it.effect(what, () => Effect.map(ofTable(provider, model, usage), (actual) => assert.strictEqual(actual, cost)))
  }

  for (const [what, { cost, model, provider, usage }] of Object.entries(recorded)) {
    // The package has no prices of other tiers.
    const expected = usage.serviceTier === "priority" ? undefined : cost
    it.effect(`by the package: ${what}`, () =>
      Effect.gen(function*() {
        // Its prices are those of a day.
        yield* TestClock.setTime(Date.UTC(2026, 10, 29))
        assert.strictEqual(yield* ofPackage(provider, model, usage), expected)
      }))
  }

  it.effect("in a tier by the factor of the program, and with its price of a tool", () =>
    Effect.gen(function*() {
      const cost = costIn(Pricing.layerPrices({
        gemini: {
          "gemini-4-argon": {
            input: 2,
            output: 10,
            tiers: [{ above: 1_000, input: 4, output: 10 }],
            serviceTiers: { priority: 1.8 },
            serverTools: { google_search: 0.014 }
          }
        }
      }))
      const usage = { inputTokens: 1_000, outputTokens: 1_000 }
      const of = (fields: LlmResponse.Usage) => cost("gemini", "gemini-4-argon", { ...usage, ...fields })
      assert.strictEqual(yield* of({}), 0.012)
      assert.strictEqual(yield* of({ serviceTier: "PRIORITY" }), 0.0216)
      // Vertex's names of the tiers.
      assert.strictEqual(yield* of({ serviceTier: "ON_DEMAND_FLEX" }), 0.006)
      assert.strictEqual(yield* of({ serviceTier: "ON_DEMAND_PRIORITY" }), 0.0216)
      assert.isUndefined(yield* of({ serviceTier: "PROVISIONED_THROUGHPUT" }))
      assert.strictEqual(yield* of({ serviceTier: "flex", inputTokens: 2_000 }), 0.009)
      assert.strictEqual(yield* of({ serverToolUse: { google_search: 2 } }), 0.04)
    }))

  it.effect("by prices of the program for models that the package does not know", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 1_000_000, outputTokens: 0 }
      const own = Pricing.layerPrices({ anthropic: { "claude-unheard-of-9": { input: 3, output: 15 } } })
      const cost = costIn(Pricing.orElse(own, GenaiPrices.layer))
      assert.isUndefined(yield* ofPackage("anthropic", "claude-unheard-of-9", usage))
      assert.strictEqual(yield* cost("anthropic", "claude-unheard-of-9", usage), 3)
      assert.strictEqual(yield* cost("anthropic", "claude-haiku-4-5", usage), 1)
    }))

  it.effect("not at all where more was written for long than was written", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 100, cacheWriteTokens: 10, cacheWrite1hTokens: 11, outputTokens: 0 }
      assert.isUndefined(yield* ofTable("anthropic", "claude-haiku-4-5", usage))
      // Where the lifetimes cost the same, nothing depends on them.
      const cost = costIn(Pricing.layerPrices({ a: { m: { input: 1, cacheWrite: 2, output: 0 } } }))
      assert.strictEqual(yield* cost("a", "m", usage), 0.00011)
    }))

  it.effect("by lifetimes alone, where the sum is not reported", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 100, cacheWrite1hTokens: 10, outputTokens: 0 }
      assert.strictEqual(yield* ofTable("anthropic", "claude-haiku-4-5", usage), 0.00011)
    }))
})
