import { assert, describe, it } from "@effect/vitest"
import * as Fallback from "effect-llm/Fallback"
import * as GenaiPrices from "effect-llm/GenaiPrices"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Pricing from "effect-llm/Pricing"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { readFileSync } from "node:fs"
import * as Money from "../../../src/internal/money.js"
import { serverFailed } from "../../support/errors.js"
import { errorOf } from "../../support/exits.js"
import { finished, provider, sse, streaming } from "../../support/fakeHttp.js"
import { request, respond } from "../../support/samples.js"
import { target } from "../../support/targets.js"
import { within } from "../../support/testClock.js"

const claude = {
  input: 3,
  cachedInput: 0.3,
  cacheWrite: 3.75,
  output: 15,
  tiers: [{ above: 200_000, input: 6, cachedInput: 0.6, cacheWrite: 7.5, output: 22.5 }]
} satisfies Pricing.Price

const prices: Pricing.Prices = {
  anthropic: { "claude-sonnet-4-5": claude },
  openai: {
    "gpt-4o-mini": { input: 0.15, cachedInput: 0.075, output: 0.6 },
    "gpt-5": { input: 1.25, output: 10 },
    thinking: { input: 2, output: 8, reasoning: 3 },
    asked: { input: 1, output: 1, request: 0.005 },
    free: { input: 0, output: 0 }
  },
  test: { "gpt-4o-mini": { input: 1, output: 2 }, other: { input: 10, output: 20 } },
  scripted: { "gpt-4o-mini": { input: 1, output: 2 } }
}

const costIn =
  (pricing: Layer.Layer<Pricing.Pricing>) =>
  (provider: string, model: string, usage: LlmResponse.Usage, requestedModel?: string) =>
    Effect.flatMap(Pricing.Pricing, ({ cost }) => cost({ provider, model, usage, requestedModel })).pipe(
      Effect.map(Option.getOrUndefined),
      Effect.provide(pricing)
    )

const cost = costIn(Pricing.layerPrices(prices))

// ---------------------------------------------------------------------------------------------------------------------
// Worlds
// ---------------------------------------------------------------------------------------------------------------------

/** 100 tokens in and 200 out: $0.0005 by the prices of the provider "test". */
const hundreds = (text: string, fields: LlmTest.ReplyFields = {}) =>
  LlmTest.text(text, { usage: { inputTokens: 100, outputTokens: 200 }, ...fields })

/** A client of a provider whose answers are priced. */
const clientOn = <A>(
  provider: Layer.Layer<LlmProvider.LlmProvider | A>,
  cache: Layer.Layer<LlmCache.LlmCache> = LlmCache.layerNone
) =>
  LlmClient.layer().pipe(
    Layer.provide(Pricing.priced(provider)),
    Layer.provide([Pricing.layerPrices(prices), cache]),
    Layer.provideMerge(LlmTest.layerLogger),
    Layer.merge(provider)
  )

const answering = (answer: LlmTest.Answer) => LlmTest.layer([LlmTest.repeat(answer)], { name: "scripted" })

/** A provider that gives one answer and tells of another one that came too late. */
const racing = (loser: LlmResponse.LlmResponse) =>
  answering((request) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
      Effect.as(
        attempt.spent(loser),
        respond("fast", { model: request.model, usage: { inputTokens: 100, outputTokens: 200 } })
      ))
  )

const brokenOff = (usage: LlmResponse.Usage) =>
  LlmError.StreamInterrupted.make({ partial: { text: "", parts: [], usage } })

const streamed = Effect.map(
  Stream.runLast(Stream.filter(LlmClient.stream(request), StreamPart.is("Finish"))),
  (last) => Option.getOrThrow(last).response
)

/** How an effect ends that takes less than ten seconds. */
const ended = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.flatMap(within("10 seconds")(self), (exit) => exit)

describe("Pricing", () => {
  // -------------------------------------------------------------------------------------------------------------------
  // A table
  // -------------------------------------------------------------------------------------------------------------------

  describe("layerPrices", () => {
    it.effect("charges what is written to the cache once: $0.054, not $0.091", () =>
      Effect.gen(function*() {
        const usage = { inputTokens: 12_307, cacheWriteTokens: 12_304, cachedInputTokens: 0, outputTokens: 550 }
        assert.strictEqual(yield* cost("anthropic", "claude-sonnet-4-5", usage), 0.054399)
      }))

    it.effect("charges what is read from the cache at its own rate, and not as input again", () =>
      Effect.gen(function*() {
        const usage = { inputTokens: 10_000, cachedInputTokens: 8_000, outputTokens: 100 }
        assert.strictEqual(yield* cost("openai", "gpt-4o-mini", usage), 0.00096)
        assert.strictEqual(yield* cost("anthropic", "claude-sonnet-4-5", usage), 0.0099)
      }))

    it.effect("counts reasoning as output once, at its own rate where it has one", () =>
      Effect.gen(function*() {
        const usage = { inputTokens: 1_000, outputTokens: 1_000, reasoningTokens: 600 }
        assert.strictEqual(yield* cost("openai", "gpt-5", usage), 0.01125)
        assert.strictEqual(yield* cost("openai", "thinking", usage), 0.007)
      }))

    it.effect("prices all of a long request by its tier, cached tokens included in its length", () =>
      Effect.gen(function*() {
        const long = (inputTokens: number, fields: LlmResponse.Usage = {}) =>
          cost("anthropic", "claude-sonnet-4-5", { inputTokens, outputTokens: 1_000, ...fields })
        assert.strictEqual(yield* long(300_000), 1.8225)
        assert.strictEqual(yield* long(200_000), 0.615)
        assert.strictEqual(yield* long(200_001), 1.222506)
        assert.strictEqual(yield* long(200_001, { cachedInputTokens: 200_000 }), 0.142506)
      }))

    it.effect("sorts tiers, and takes the highest that holds", () =>
      Effect.gen(function*() {
        const tiered = costIn(Pricing.layerPrices({
          a: {
            m: {
              input: 1,
              output: 0,
              tiers: [{ above: 1_000, input: 2, output: 0 }, { above: 10_000, input: 4, output: 0 }]
            }
          }
        }))
        const of = (inputTokens: number) => tiered("a", "m", { inputTokens, outputTokens: 0 })
        assert.deepStrictEqual(
          yield* Effect.all([of(1_000), of(10_000), of(100_000)]),
          [0.001, 0.02, 0.4]
        )
      }))

    it.effect("adds what it costs to ask at all", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* cost("openai", "asked", { inputTokens: 1_000, outputTokens: 0 }), 0.006)
      }))

    it.effect("applies a custom price once", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* cost("test", "gpt-4o-mini", { inputTokens: 1_000_000, outputTokens: 500_000 }), 2)
      }))

    it.effect("knows no cost of an unknown model or provider, and never says 0", () =>
      Effect.gen(function*() {
        const usage = { inputTokens: 1, outputTokens: 1 }
        assert.isUndefined(yield* cost("openai", "gpt-unheard-of", usage))
        assert.isUndefined(yield* cost("nobody", "gpt-4o-mini", usage))
        assert.isUndefined(yield* cost("openai", "__proto__", usage))
        assert.isUndefined(yield* cost("__proto__", "toString", usage))
        assert.strictEqual(yield* cost("openai", "free", usage), 0)
      }))

    it.effect("knows no cost where a count is unknown that has a price", () =>
      Effect.gen(function*() {
        assert.isUndefined(yield* cost("openai", "gpt-5", {}))
        assert.isUndefined(yield* cost("openai", "gpt-5", { inputTokens: 1 }))
        assert.isUndefined(yield* cost("openai", "gpt-5", { outputTokens: 1 }))
        assert.isUndefined(yield* cost("anthropic", "claude-sonnet-4-5", { outputTokens: 1 }))
        assert.strictEqual(yield* cost("openai", "free", {}), 0)
      }))

    it.effect("knows no cost where counts contradict each other", () =>
      Effect.gen(function*() {
        const contradictory = { inputTokens: 10, cachedInputTokens: 11, outputTokens: 1, reasoningTokens: 2 }
        assert.isUndefined(yield* cost("openai", "gpt-4o-mini", contradictory))
        assert.isUndefined(yield* cost("openai", "thinking", contradictory))
        // Where the parts cost what the rest costs, nothing depends on them.
        assert.strictEqual(yield* cost("openai", "gpt-5", contradictory), 0.0000225)
        assert.isUndefined(yield* cost("openai", "gpt-5", { inputTokens: Infinity, outputTokens: 1 }))
      }))

    it.effect("finds a model by its own name, without its date, and by the name that was asked for", () =>
      Effect.gen(function*() {
        const usage = { inputTokens: 1_000_000, outputTokens: 0 }
        assert.strictEqual(yield* cost("openai", "gpt-4o-mini-2024-07-18", usage), 0.15)
        assert.strictEqual(yield* cost("anthropic", "claude-sonnet-4-5-20250929", usage), 6)
        assert.strictEqual(yield* cost("anthropic", "claude-sonnet-4-5@20250929", usage), 6)
        assert.strictEqual(yield* cost("openai", "gpt-5", usage, "gpt-4o-mini"), 1.25)
        assert.strictEqual(yield* cost("openai", "unheard-of", usage, "gpt-4o-mini"), 0.15)
        assert.isUndefined(yield* cost("openai", "gpt-4o-mini-tts", usage))
        assert.isUndefined(yield* cost("openai", "gpt-4o", usage))
      }))

    it.effect("dies of a price that makes no sense, and names it", () =>
      Effect.gen(function*() {
        const reject = (price: Pricing.Price) =>
          Effect.map(
            Effect.sandbox(
              Effect.flip(Effect.sandbox(Effect.scoped(Layer.build(Pricing.layerPrices({ openai: { m: price } })))))
            ),
            Cause.pretty
          )
        assert.include(yield* reject({ input: -1, output: 1 }), "prices.openai.m.input must be a finite number")
        assert.include(yield* reject({ input: 1, output: NaN }), "prices.openai.m.output must be")
        assert.include(
          yield* reject({ input: 1, output: 1, tiers: [{ above: 1.5, input: 1, output: 1 }] }),
          "prices.openai.m.tiers[0].above must be an integer"
        )
      }))
  })

  it.effect("orElse asks others for what the first prices do not know", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 1_000_000, outputTokens: 0 }
      const layered = costIn(
        Pricing.layerPrices({ openai: { "gpt-5": { input: 7, output: 7 } } }).pipe(
          Pricing.orElse(Pricing.layerPrices(prices))
        )
      )
      assert.strictEqual(yield* layered("openai", "gpt-5", usage), 7)
      assert.strictEqual(yield* layered("openai", "gpt-4o-mini", usage), 0.15)
      assert.isUndefined(yield* layered("openai", "gpt-unheard-of", usage))
    }))

  // -------------------------------------------------------------------------------------------------------------------
  // Sums
  // -------------------------------------------------------------------------------------------------------------------

  describe("sums", () => {
    const amount = FastCheck.bigInt({ min: 0n, max: 10n ** 14n })

    it("are exact to the picodollar, in any order", () => {
      FastCheck.assert(FastCheck.property(FastCheck.array(amount, { maxLength: 50 }), (amounts) => {
        const expected = Money.toDollars(amounts.reduce((a, b) => a + b, 0n))
        const sum = (costs: ReadonlyArray<number>) =>
          costs.reduce((total: number | undefined, cost) => Money.add(total, cost), 0)
        const costs = amounts.map(Money.toDollars)
        assert.strictEqual(sum(costs), expected)
        assert.strictEqual(sum(costs.reverse()), expected)
      }))
    })

    it("lose nothing between dollars and picodollars", () => {
      FastCheck.assert(FastCheck.property(amount, (amount) => {
        assert.strictEqual(Money.fromDollars(Money.toDollars(amount)), amount)
      }))
      FastCheck.assert(FastCheck.property(FastCheck.integer({ min: 0, max: 10 ** 11 }), (microdollars) => {
        const amount = BigInt(microdollars) * 1_000_000n
        assert.strictEqual(Money.fromDollars(microdollars / 1e6), amount)
        assert.strictEqual(Money.toDollars(amount), microdollars / 1e6)
      }))
      assert.strictEqual(Money.fromDollars(123_456.789), 123_456_789_000_000_000n)
      assert.strictEqual(Money.toDollars(123_456_789_000_000_001n), 123_456.789)
    })

    it("are unknown where an amount is unknown or none at all", () => {
      for (const none of [undefined, NaN, -1, Infinity]) assert.isUndefined(Money.add(1, none))
    })

    it("price each of many parts as the whole: no rounding is left over", () => {
      const rate = FastCheck.integer({ min: 0, max: 10_000_000 }).map((millionths) => millionths / 1e6)
      const count = FastCheck.integer({ min: 0, max: 1_000_000 })
      FastCheck.assert(
        FastCheck.property(
          rate,
          rate,
          FastCheck.array(FastCheck.tuple(count, count), { maxLength: 20 }),
          (i, o, all) => {
            const { cost } = Effect.runSync(Pricing.make({ a: { m: { input: i, output: o } } }))
            const of = (inputTokens: number, outputTokens: number) =>
              Option.getOrThrow(
                Effect.runSync(cost({ provider: "a", model: "m", usage: { inputTokens, outputTokens } }))
              )
            const whole = of(all.reduce((sum, [n]) => sum + n, 0), all.reduce((sum, [, n]) => sum + n, 0))
            const sum = all.reduce((total: number | undefined, [i, o]) => Money.add(total, of(i, o)), 0)
            assert.strictEqual(sum, whole)
          }
        )
      )
    })

    it.effect("of 10,000 calls at a tenth of a cent come to 10 dollars", () =>
      Effect.gen(function*() {
        const decoded = yield* LlmRequest.decode(request)
        const answer = respond("yes", {
          provider: "test",
          model: "gpt-4o-mini",
          usage: { inputTokens: 600, outputTokens: 200 }
        })
        const provider = Pricing.makePriced(
          target("test", answer).provider,
          yield* Pricing.make(prices)
        )
        let total: number | undefined = 0
        let binary = 0
        for (let i = 0; i < 10_000; i++) {
          const { cost } = yield* provider.call(decoded)
          total = Money.add(total, cost)
          binary += cost ?? NaN
        }
        assert.strictEqual(total, 10)
        assert.notStrictEqual(binary, 10)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  // Around a provider
  // -------------------------------------------------------------------------------------------------------------------

  describe("priced", () => {
    it.effect("states the cost of an answer, and of the same answer in a stream", () =>
      Effect.gen(function*() {
        const { cost } = yield* LlmClient.call(request)
        assert.strictEqual(cost, 0.0005)
        assert.strictEqual((yield* streamed).cost, 0.0005)
      }).pipe(Effect.provide(clientOn(LlmTest.layer([LlmTest.repeat(hundreds("yes"))])))))

    it.effect("changes nothing but the cost of an answer, and no other part of a stream", () =>
      Effect.gen(function*() {
        const decoded = yield* LlmRequest.decode(request)
        const parts = (provider: LlmProvider.Service) =>
          Effect.map(Stream.runCollect(provider.stream(decoded)), (parts) => [...parts])
        const context = yield* Layer.build(LlmTest.layer([LlmTest.repeat(LlmTest.stream(["a", "b", "c"]))]))
        const plain = Context.get(context, LlmProvider.LlmProvider)
        const priced = Pricing.makePriced(plain, yield* Pricing.make(prices))
        const { inputTokens = NaN, outputTokens = NaN } = (yield* plain.call(decoded)).usage
        const cost = (inputTokens + 2 * outputTokens) / 1e6
        const withCost = (part: StreamPart.StreamPart) =>
          part._tag === "Finish" ? StreamPart.Finish({ response: LlmResponse.update(part.response, { cost }) }) : part
        assert.deepStrictEqual(yield* parts(priced), (yield* parts(plain)).map(withCost))
        assert.deepStrictEqual(yield* priced.call(decoded), LlmResponse.update(yield* plain.call(decoded), { cost }))
      }).pipe(Effect.scoped))

    it.effect("leaves a cost alone that the provider itself states", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* LlmClient.call(request)).cost, 0.25)
      }).pipe(Effect.provide(clientOn(LlmTest.layer([hundreds("yes", { cost: 0.25 })])))))

    it.effect("has no cost where the price is unknown", () =>
      Effect.gen(function*() {
        const response = yield* LlmClient.call({ ...request, model: "gpt-unheard-of" })
        assert.isUndefined(response.cost)
        assert.isFalse("cost" in response && response.cost === 0)
      }).pipe(Effect.provide(clientOn(LlmTest.layer([LlmTest.text("yes")])))))

    it.effect("an answer from the cache, and one that another call has paid for, cost 0", () =>
      Effect.gen(function*() {
        const both = yield* Effect.all([LlmClient.call(request), LlmClient.call(request)], {
          concurrency: "unbounded"
        }).pipe(ended)
        assert.deepStrictEqual(both.map(({ cost, origin }) => [origin, cost]), [["provider", 0.0005], ["shared", 0]])
        const { cost, origin, originalUsage } = yield* LlmClient.call(request)
        assert.deepStrictEqual([origin, cost, originalUsage?.inputTokens], ["cache", 0, 100])
        assert.strictEqual((yield* streamed).cost, 0)
      }).pipe(Effect.provide(clientOn(
        LlmTest.layer([Effect.delay(hundreds("yes"), "1 second")]),
        LlmCache.layerMemory()
      ))))

    it.effect("prices an answer of a fallback by the provider that gave it, also from outside of the fallback", () =>
      Effect.gen(function*() {
        const answered = yield* LlmClient.call(request)
        assert.deepStrictEqual([answered.provider, answered.cost], ["openai", 0.00135])
      }).pipe(
        Effect.provide(clientOn(
          Fallback.to(
            LlmTest.layer([LlmTest.fail(LlmError.Overloaded.make({}))]),
            LlmTest.layer([hundreds("yes", { usage: { inputTokens: 1_000, outputTokens: 10 } })], { name: "openai" }),
            { model: "gpt-5-2025-08-07" }
          )
        ))
      ))

    it.effect("does not take a fallback's answer for one of the model that was asked for first", () =>
      Effect.gen(function*() {
        const answered = yield* LlmClient.call(request)
        assert.deepStrictEqual([answered.provider, answered.model, answered.cost], ["test", "unheard-of", undefined])
      }).pipe(
        Effect.provide(clientOn(
          Fallback.to(
            LlmTest.layer([LlmTest.fail(LlmError.Overloaded.make({}))]),
            LlmTest.layer([hundreds("yes")]),
            { model: "unheard-of" }
          )
        ))
      ))

    it.effect("prices an alias by the name that was asked for", () =>
      Effect.gen(function*() {
        const { cost, model } = yield* LlmClient.call(request)
        assert.deepStrictEqual([model, cost], ["deployment-7", 0.0005])
      }).pipe(Effect.provide(clientOn(answering(
        respond("yes", { model: "deployment-7", usage: { inputTokens: 100, outputTokens: 200 } })
      )))))

    it.effect("adds what a stream cost that broke off and was tried again", () =>
      Effect.gen(function*() {
        const { attempts, cost } = yield* ended(streamed)
        assert.deepStrictEqual([attempts, cost], [2, 0.0006])
      }).pipe(Effect.provide(clientOn(LlmTest.layer([
        LlmTest.fail(brokenOff({ inputTokens: 100, outputTokens: 0 })),
        hundreds("yes")
      ])))))

    it.effect("knows no cost where a stream broke off and did not report all of its tokens", () =>
      Effect.gen(function*() {
        const { attempts, cost } = yield* ended(streamed)
        assert.deepStrictEqual([attempts, cost], [2, undefined])
      }).pipe(Effect.provide(clientOn(LlmTest.layer([
        LlmTest.fail(brokenOff({ inputTokens: 100 })),
        hundreds("yes")
      ])))))

    it.effect("counts a failure once, however often it is priced on its way", () =>
      Effect.gen(function*() {
        const { cost } = yield* ended(streamed)
        assert.strictEqual(cost, 0.0006)
      }).pipe(Effect.provide(clientOn(
        LlmTest.layer([LlmTest.fail(brokenOff({ inputTokens: 100, outputTokens: 0 })), hundreds("yes")]).pipe(
          Pricing.priced,
          Layer.provide(Pricing.layerPrices(prices))
        )
      ))))

    it.effect("counts each of several failures, also where a fallback keeps them together", () =>
      Effect.gen(function*() {
        const { cost } = yield* ended(streamed)
        // 0.0001 and 0.001 for the two that broke off, then 0.0005.
        assert.strictEqual(cost, 0.0016)
      }).pipe(Effect.provide(clientOn(
        Fallback.to(
          LlmTest.layer([LlmTest.fail(brokenOff({ inputTokens: 100, outputTokens: 0 })), hundreds("yes")]),
          LlmTest.layer([LlmTest.fail(brokenOff({ inputTokens: 100, outputTokens: 0 }))]),
          { model: "other" }
        )
      ))))

    it.effect("sums retries, and answers that another one beat, into the cost of the response", () =>
      Effect.gen(function*() {
        const { cost } = yield* ended(LlmClient.call(request))
        assert.strictEqual(cost, 0.0005 + 0.0005)
      }).pipe(Effect.provide(clientOn(racing(respond("slow", {
        model: "gpt-4o-mini",
        usage: { inputTokens: 100, outputTokens: 200 }
      }))))))

    it.effect("knows no cost where that of an answer is unknown that another one beat", () =>
      Effect.gen(function*() {
        assert.isUndefined((yield* LlmClient.call(request)).cost)
      }).pipe(Effect.provide(clientOn(racing(respond("slow", { usage: {} }))))))

    it.effect("sums a question that was asked again, and what its turns lost, each once", () =>
      Effect.gen(function*() {
        const { response, value } = yield* LlmClient.object(Schema.Struct({ river: Schema.String }), request).pipe(
          ended
        )
        assert.deepStrictEqual(value, { river: "Elbe" })
        // Two that failed, and two whole answers.
        assert.deepStrictEqual([response.attempts, response.cost], [4, 0.0012])
      }).pipe(Effect.provide(clientOn(LlmTest.layer([
        LlmTest.fail(brokenOff({ inputTokens: 100, outputTokens: 0 })),
        hundreds("no river"),
        LlmTest.fail(brokenOff({ inputTokens: 100, outputTokens: 0 })),
        hundreds(`{"river":"Elbe"}`)
      ])))))

    it.effect("reads usage from a last chunk that has choices, too", () =>
      Effect.gen(function*() {
        const chunk = (delta: object, fields: object = {}) => ({
          id: "c",
          object: "chat.completion.chunk",
          created: 1,
          model: "gpt-4o-mini-2024-07-18",
          choices: [{ index: 0, delta, finish_reason: null }],
          ...fields
        })
        const answer = streaming([sse([
          chunk({ role: "assistant", content: "yes" }),
          chunk({}, {
            choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
            usage: { prompt_tokens: 1_000, completion_tokens: 500, prompt_tokens_details: { cached_tokens: 0 } }
          }),
          "[DONE]"
        ])])
        const fake = yield* provider(
          OpenAiChat.layer({ apiKey: Redacted.make("sk-test-1234567890abcdef") }).pipe(
            Pricing.priced,
            Layer.provide(Pricing.layerPrices(prices))
          ),
          answer
        )
        assert.strictEqual(finished(yield* fake.stream(request)).cost, 0.00045)
      }))

    it.effect("passes failures, and asks as often as without it", () =>
      Effect.gen(function*() {
        const exit = yield* within("10 seconds")(LlmClient.call(request))
        assert.deepStrictEqual([errorOf(exit).reason._tag, errorOf(exit).attempts], ["ServerFailed", 3])
        assert.strictEqual((yield* LlmTest.requests).length, 3)
      }).pipe(Effect.provide(clientOn(LlmTest.layer([LlmTest.repeat(LlmTest.fail(serverFailed))])))))
  })

  // -------------------------------------------------------------------------------------------------------------------
  // The maintained prices
  // -------------------------------------------------------------------------------------------------------------------

  describe("GenaiPrices", () => {
    const known = costIn(GenaiPrices.layer)
    const usage = { inputTokens: 300_000, outputTokens: 1_000 }

    it.effect("prices long requests by their tier", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2026, 0, 1))
        assert.strictEqual(yield* known("anthropic", "claude-sonnet-4-5", usage), 1.8225)
        assert.strictEqual(yield* known("gemini", "gemini-2.5-pro", usage), 0.765)
      }))

    it.effect("prices what is read from and written to a cache once each", () =>
      Effect.gen(function*() {
        const one = (fields: LlmResponse.Usage) =>
          Effect.map(
            known("anthropic", "claude-sonnet-4-5", { inputTokens: 100_000, outputTokens: 0, ...fields }),
            (cost) => cost ?? NaN
          )
        const plain = yield* one({})
        const read = yield* one({ cachedInputTokens: 100_000 })
        const written = yield* one({ cacheWriteTokens: 100_000 })
        assert.isTrue(0 < read && read < plain && plain < written)
        assert.strictEqual(yield* one({ cachedInputTokens: 50_000, cacheWriteTokens: 50_000 }), (read + written) / 2)
      }))

    it.effect("knows dated snapshots, aliases, and providers by this library's names", () =>
      Effect.gen(function*() {
        const mini = yield* known("openai", "gpt-4o-mini", usage)
        assert.isDefined(mini)
        assert.strictEqual(yield* known("openai", "gpt-4o-mini-2024-07-18", usage), mini)
        assert.strictEqual(
          yield* known("azure", "our-deployment", usage, "gpt-4o-mini"),
          yield* known("azure", "gpt-4o-mini", usage)
        )
        for (
          const [provider, model] of [
            ["anthropic", "claude-haiku-4-5-20251001"],
            ["gemini", "gemini-2.5-flash"],
            ["groq", "llama-3.3-70b-versatile"],
            ["mistral", "mistral-large-latest"],
            ["deepseek", "deepseek-chat"],
            ["openrouter", "openai/gpt-4o-mini"],
            ["together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"]
          ] as const
        ) {
          const cost = yield* known(provider, model, usage)
          assert.isTrue(cost !== undefined && cost > 0, `${provider}/${model}: ${cost}`)
        }
      }))

    it.effect("agrees with the same price in a table", () =>
      Effect.gen(function*() {
        const usage = { inputTokens: 12_345, cachedInputTokens: 2_345, cacheWriteTokens: 1_111, outputTokens: 678 }
        assert.strictEqual(
          yield* known("anthropic", "claude-sonnet-4-5", usage),
          yield* cost("anthropic", "claude-sonnet-4-5", usage)
        )
      }))

    it.effect("knows no cost of unknown models, of models without prices, and of unknown or contradictory counts", () =>
      Effect.gen(function*() {
        assert.isUndefined(yield* known("openai", "surely-no-model", usage))
        assert.isUndefined(yield* known("ollama", "llama3.2", usage))
        assert.isUndefined(yield* known("lmstudio", "gpt-4o-mini", usage))
        assert.isUndefined(yield* known("gemini", "gemma-3-27b-it", usage))
        assert.isUndefined(yield* known("openai", "gpt-4o-mini", {}))
        assert.isUndefined(yield* known("openai", "gpt-4o-mini", { inputTokens: 1 }))
        assert.isUndefined(yield* known("openai", "gpt-4o-mini", { outputTokens: 1 }))
        assert.isUndefined(
          yield* known("openai", "gpt-4o-mini", { inputTokens: 1, cachedInputTokens: 2, outputTokens: 1 })
        )
      }))

    it.effect("is exact to the picodollar", () =>
      Effect.gen(function*() {
        const one = yield* known("openai", "gpt-4o-mini", { inputTokens: 1, outputTokens: 1 })
        let total: number | undefined = 0
        for (let i = 0; i < 1_000; i++) total = Money.add(total, one)
        assert.strictEqual(total, yield* known("openai", "gpt-4o-mini", { inputTokens: 1_000, outputTokens: 1_000 }))
      }))

    it("is not loaded with the rest of the library", () => {
      const seen = new Set<string>()
      const visit = (file: URL) => {
        if (seen.has(file.href)) return
        seen.add(file.href)
        for (const [, specifier = ""] of readFileSync(file, "utf8").matchAll(/ from "([^"]+)"/g)) {
          assert.notInclude(specifier, "@pydantic", file.pathname)
          if (specifier.startsWith(".")) visit(new URL(specifier.replace(/\.js$/, ".ts"), file))
        }
      }
      visit(new URL("../../../src/index.ts", import.meta.url))
      assert.isTrue(seen.has(new URL("../../../src/policy/pricing/Pricing.ts", import.meta.url).href))
    })

    it.effect("prices the answers of a provider", () =>
      Effect.gen(function*() {
        const { cost } = yield* LlmClient.call(request)
        assert.strictEqual(cost, yield* known("openai", "gpt-4o-mini", { inputTokens: 100, outputTokens: 200 }))
        assert.isDefined(cost)
      }).pipe(
        Effect.provide(LlmClient.layerDefault()),
        Effect.provide(
          LlmTest.layer([hundreds("yes")], { name: "openai" }).pipe(Pricing.priced, Layer.provide(GenaiPrices.layer))
        )
      ))
  })
})
