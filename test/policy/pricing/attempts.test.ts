import { assert, describe, it } from "@effect/vitest"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Pricing from "effect-llm/Pricing"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { serverFailed } from "../../support/errors.js"
import { valueOf } from "../../support/exits.js"
import { recorder } from "../../support/recordedSpans.js"
import { request } from "../../support/samples.js"
import { target } from "../../support/targets.js"
import { within } from "../../support/testClock.js"

/** A dollar a token of input; two of the second provider, and half a dollar in the tier flex. */
const prices = Pricing.layerPrices({
  first: { "gpt-4o-mini": { input: 1e6, output: 0, serviceTiers: { flex: 0.5 } } },
  second: { "gpt-4o-mini": { input: 2e6, output: 0 } }
})

type Layered = Layer.Layer<LlmProvider.LlmProvider>

const priced = (self: Layered): Layered => Layer.provide(Pricing.priced(self), prices)

const clientOn = (provider: Layered) =>
  LlmClient.layer({ retry: false }).pipe(Layer.provide([provider, LlmCache.layerNone, LlmTest.layerLogger]))

/** An answer of so many tokens of input. */
const costly = (inputTokens: number) => LlmTest.text("yes", { usage: { inputTokens, outputTokens: 0 } })

const refusal = (inputTokens: number, usage: LlmResponse.Usage = {}) =>
  LlmTest.text("", {
    finishReason: "refusal",
    usage: { inputTokens, outputTokens: 0, ...usage }
  })

/** Prices around each of two targets, and around both. */
const ways = {
  "around each": (first: Layered, second: Layered, combine: (first: Layered, second: Layered) => Layered) =>
    combine(priced(first), priced(second)),
  "around all": (first: Layered, second: Layered, combine: (first: Layered, second: Layered) => Layered) =>
    priced(combine(first, second))
}

describe("Pricing of every attempt", () => {
  for (const [way, over] of Object.entries(ways)) {
    it.effect(`a fallback after an answer that counted is charged with it: prices ${way}`, () =>
      Effect.gen(function*() {
        const { cost, provider } = yield* LlmClient.call(request)
        // 3 tokens at 1, and 5 at 2.
        assert.deepStrictEqual([provider, cost], ["second", 13])
      }).pipe(Effect.provide(clientOn(over(
        target("first", refusal(3)).layer,
        target("second", costly(5)).layer,
        (first, second) => Fallback.to(first, second, { when: Fallback.onFinish("refusal") })
      )))))

    it.effect(`the replaced answer at the price of its tier: prices ${way}`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* LlmClient.call(request)).cost, 11.5)
      }).pipe(Effect.provide(clientOn(over(
        target("first", refusal(3, { serviceTier: "flex" })).layer,
        target("second", costly(5)).layer,
        (first, second) => Fallback.to(first, second, { when: Fallback.onFinish("refusal") })
      )))))

    it.effect(`an answer that stands where the next target fails is charged once: prices ${way}`, () =>
      Effect.gen(function*() {
        const { cost, finishReason } = yield* LlmClient.call(request)
        assert.deepStrictEqual([finishReason, cost], ["refusal", 3])
      }).pipe(Effect.provide(clientOn(over(
        target("first", refusal(3)).layer,
        target("second", serverFailed).layer,
        (first, second) => Fallback.to(first, second, { when: Fallback.onFinish("refusal") })
      )))))
  }

  for (
    const [way, provider] of Object.entries({
      within: (self: Layered) =>
        Hedge.after(priced(self), "1 second", { maxExtraLoad: 1, when: ({ text }) => text === "" }),
      around: (self: Layered) =>
        priced(Hedge.after(self, "1 second", { maxExtraLoad: 1, when: ({ text }) => text === "" }))
    })
  ) {
    it.effect(`a hedge's answer that waited for a better one is charged, too: prices ${way}`, () =>
      Effect.gen(function*() {
        const { cost, text } = valueOf(yield* within("3 seconds")(LlmClient.call(request)))
        assert.deepStrictEqual([text, cost], ["yes", 8])
      }).pipe(Effect.provide(clientOn(provider(
        target(
          "first",
          (_, n) => n === 1 ? Effect.delay(refusal(3), "2 seconds") : Effect.delay(costly(5), "2 seconds")
        )
          .layer
      )))))

    it.effect(`a hedge's request that was cut off has no known cost, and the answer has its own: prices ${way}`, () =>
      Effect.gen(function*() {
        const { attempts, cost } = valueOf(yield* within("3 seconds")(LlmClient.call(request)))
        assert.deepStrictEqual([attempts, cost], [2, 5])
      }).pipe(Effect.provide(clientOn(provider(
        target("first", (_, n) => n === 1 ? Effect.never : Effect.delay(costly(5), "1 second")).layer
      )))))
  }

  it.effect("is on the span of the call", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      yield* traced(LlmClient.call(request))
      const [span] = spans.filter(({ name }) => name.startsWith("chat"))
      assert.strictEqual(span?.attributes.get("effect_llm.cost"), 13)
    }).pipe(Effect.provide(clientOn(Fallback.to(
      priced(target("first", refusal(3)).layer),
      priced(target("second", costly(5)).layer),
      { when: Fallback.onFinish("refusal") }
    )))))
})
