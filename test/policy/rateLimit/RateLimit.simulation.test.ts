import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as RateLimit from "effect-llm/RateLimit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { valueOf } from "../../support/exits.js"
import {
  bucket,
  type Counter,
  fixedWindow,
  type Limited,
  limitedProvider,
  type Options,
  slidingWindow
} from "../../support/limitedProvider.js"
import { runVirtually } from "../../support/virtualTime.js"

const fibers = 500

/** About 100 input tokens. */
const question = "Name three rivers. ".repeat(14)

const limits = { requestsPerMinute: 100, tokensPerMinute: 20_000 }

/** 500 calls at once, each in a fiber of its own, through a client whose provider is limited on both sides. */
const simulate = (
  provider: Limited,
  options: RateLimit.Options,
  extra: {
    readonly maxTokens?: (i: number) => number
    readonly meanwhile?: Effect.Effect<void>
  } = {}
) =>
  valueOf(runVirtually(Effect.scoped(Effect.gen(function*() {
    const client = Context.get(
      yield* Layer.build(
        LlmClient.layer({ deadline: "1 hour", retry: { times: 3, budget: false } }).pipe(
          Layer.provide(RateLimit.limit(provider.layer, options)),
          Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
        )
      ),
      LlmClient.LlmClient
    )
    if (extra.meanwhile !== undefined) yield* Effect.forkScoped(extra.meanwhile)
    const calls = yield* Effect.forEach(Array.from({ length: fibers }), (_, i) =>
      Effect.fork(client.call({ model: "m", prompt: `${question}${i}`, maxTokens: extra.maxTokens?.(i) ?? 100 })))
    const exits = yield* Effect.forEach(calls, Fiber.await)
    // Nobody starves.
    assert.strictEqual(exits.filter(Exit.isSuccess).length, fibers)
  }))))

/** In which order the calls came to the provider, each for the first time. */
const order = ({ log }: Limited): ReadonlyArray<number> => [
  ...new Set(log.map(({ prompt }) => Number(prompt.slice(question.length))))
]

const inOrder = Array.from({ length: fibers }, (_, i) => i)

const refusals = ({ log }: Limited) => log.filter(({ ok }) => !ok)

/** The estimate of the input is a little low before the first answer. */
const noneAfterTheFirstBurst = (provider: Limited) =>
  assert.isTrue(refusals(provider).length <= 1 && refusals(provider).every(({ at }) => at < 100))

/** Which part of what the provider would have taken in, from a moment on, it was asked for. */
const share = ({ log }: Limited, from: number, counted: "requests" | "tokens", perMinute: number): number => {
  const taken = log.filter(({ at, ok }) => ok && at >= from)
  const minutes = ((taken.at(-1)?.at ?? from) - from) / 60_000
  const amount = counted === "requests" ? taken.length : taken.reduce((sum, { tokens }) => sum + tokens, 0)
  return amount / (minutes * perMinute)
}

/** Of different length, from 0.3 to 2.8 seconds. */
const thinks = (n: number) => 300 + (n * 104_729) % 2500

const providerOf = (counter: (limit: number) => Counter, options: Partial<Options> = {}) => {
  const requests = counter(100)
  const tokens = counter(20_000)
  return { requests, tokens, provider: limitedProvider({ requests, tokens, thinks, input: 100, ...options }) }
}

// Each is a second of work, and the machine may have other things to do.
describe("RateLimit: 500 calls and a provider of 100 requests and 20,000 tokens a minute", { timeout: 120_000 }, () => {
  it("meet no 429 at all where nobody else uses the limit, use all of it, and keep their order", () => {
    const { provider } = providerOf(bucket)
    simulate(provider, limits)
    assert.deepStrictEqual(refusals(provider), [])
    assert.deepStrictEqual(order(provider), inOrder)
    // The bucket is full at first: what comes in the time after that is what refills.
    assert.isAbove(share(provider, 1000, "requests", 100), 0.95)
  })

  it("learn that others have used most of it, from the answers and one round of 429s, and meet none after that", () => {
    const { provider, requests, tokens } = providerOf(bucket)
    requests.take(70, 0)
    tokens.take(14_000, 0)
    simulate(provider, limits)
    const last = refusals(provider).at(-1)?.at ?? Infinity
    assert.isBelow(last, 1000)
    assert.deepStrictEqual(order(provider), inOrder)
    assert.isAbove(share(provider, 5000, "requests", 100), 0.95)
  })

  it("keep to the tokens where these are what is short, though answers need less than was set aside", () => {
    const { provider } = providerOf(bucket)
    simulate(provider, limits, { maxTokens: (i) => 200 + (i * 7919) % 400 })
    noneAfterTheFirstBurst(provider)
    assert.deepStrictEqual(order(provider), inOrder)
    // What is in fact used: half of what is set aside for the answer.
    const used = ({ log }: Limited): Limited => ({
      ...provider,
      log: log.map((entry) => ({ ...entry, tokens: 100 + (entry.tokens - 100) / 2 }))
    })
    assert.isAbove(share(used(provider), 5000, "tokens", 20_000), 0.95)
  })

  it("keep to them without refunds, too, where the provider gives none", () => {
    const { provider } = providerOf(bucket, { refunds: false })
    simulate(provider, { ...limits, refund: false }, { maxTokens: (i) => 200 + (i * 7919) % 400 })
    noneAfterTheFirstBurst(provider)
    assert.isAbove(share(provider, 5000, "tokens", 20_000), 0.95)
  })

  it("learn from the headers that the limits were halved midway, and use what there is", () => {
    const { provider, requests, tokens } = providerOf(bucket)
    const halvedAt = 120_000
    simulate(provider, limits, {
      meanwhile: Effect.delay(
        Effect.sync(() => {
          requests.limit = 50
          tokens.limit = 10_000
        }),
        halvedAt
      )
    })
    const after = refusals(provider).map(({ at }) => at)
    assert.isTrue(after.every((at) => at > halvedAt && at < halvedAt + 10_000), `${after}`)
    assert.isBelow(after.length, 10)
    assert.deepStrictEqual(order(provider), inOrder)
    assert.isAbove(share(provider, halvedAt + 10_000, "requests", 50), 0.95)
  })

  for (const [name, counter] of Object.entries({ fixedWindow, slidingWindow })) {
    it(`learn from 429s alone that it counts otherwise than they do (${name})`, () => {
      const { provider } = providerOf(counter, { headers: false })
      simulate(provider, limits)
      // After the first minute, of which all was used at once.
      assert.isTrue(refusals(provider).every(({ at }) => at < 60_000))
      assert.isBelow(refusals(provider).length, 5)
      assert.deepStrictEqual(order(provider), inOrder)
      assert.isAbove(share(provider, 60_000, "requests", 100), 0.95)
    })

    it(`never meet one where the burst is small (${name})`, () => {
      const { provider } = providerOf(counter, { headers: false })
      simulate(provider, { ...limits, burst: "600 millis" })
      assert.deepStrictEqual(refusals(provider), [])
      assert.isAbove(share(provider, 0, "requests", 100), 0.95)
    })
  }
})
