import { assert, describe, it } from "@effect/vitest"
import * as Balance from "effect-llm/Balance"
import * as Budget from "effect-llm/Budget"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Pricing from "effect-llm/Pricing"
import * as RateLimit from "effect-llm/RateLimit"
import * as RateLimitStore from "effect-llm/RateLimitStore"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { leavingNoFiber } from "../support/fibers.js"
import { bucket } from "../support/limitedProvider.js"
import { respond } from "../support/samples.js"
import { settle } from "../support/testClock.js"
import { runVirtually } from "../support/virtualTime.js"

/** A provider that remembers when it was asked, and answers after a while. */
const provider = (answer: Duration.DurationInput = "1 second") => {
  const asked: Array<{ readonly at: number; readonly prompt: string }> = []
  const layer = LlmProvider.layer({
    name: "openai",
    endpoint: "memory:",
    call: (request) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        asked.push({ at, prompt: request.prompt })
        return Effect.as(Effect.sleep(answer), respond("Elbe"))
      })
  })
  return { asked, layer }
}

const clientOf = (
  layer: Layer.Layer<LlmProvider.LlmProvider>,
  options: LlmClient.Options = {},
  cache: Layer.Layer<LlmCache.LlmCache> = LlmCache.layerMemory()
) =>
  Effect.map(
    Layer.build(
      LlmClient.layer(options).pipe(Layer.provide(layer), Layer.provide([cache, LlmLogger.layerSilent]))
    ),
    Context.get(LlmClient.LlmClient)
  )

const rivers = (count: number, prompt = (n: number) => `River ${n}?`): ReadonlyArray<LlmRequest.Input> =>
  Array.from({ length: count }, (_, n) => ({ model: "m", prompt: prompt(n) }))

const all = (
  client: LlmClient.Service,
  requests: ReadonlyArray<LlmRequest.Input>,
  options: Partial<LlmClient.CallAllOptions> = {}
) =>
  Effect.map(
    Stream.runCollect(client.callAll(requests, { concurrency: "unbounded", ...options })),
    Chunk.toReadonlyArray
  )

const isOk = ({ result }: LlmClient.CallResult): boolean => Exit.isSuccess(result)

/** How many requests a strict service would have refused. */
const refused = (asked: ReadonlyArray<{ readonly at: number }>, perMinute: number): number => {
  const counter = bucket(perMinute)
  return asked.filter(({ at }) => {
    const wait = counter.wait(1, at)
    counter.take(1, at)
    return wait > 0
  }).length
}

/** A store elsewhere: in memory, but each operation takes a while. */
const distant = (trip: Duration.DurationInput) =>
  Effect.map(RateLimitStore.makeMemory(), (near): RateLimitStore.Service => ({
    reserve: (...args) => Effect.delay(near.reserve(...args), trip),
    leave: (...args) => Effect.delay(near.leave(...args), trip),
    settle: (...args) => Effect.delay(near.settle(...args), trip),
    pause: (...args) => Effect.delay(near.pause(...args), trip)
  }))

const withoutState = Effect.map(RateLimitStore.makeMemory(), (near): RateLimitStore.Service => ({
  ...near,
  reserve: (...args) => Effect.map(near.reserve(...args), (outcome) => ({ ...outcome, state: undefined }))
}))

const stores = [
  { name: "its own store", store: Effect.succeed(undefined), calls: 500 },
  { name: "a store in memory", store: RateLimitStore.makeMemory(), calls: 5_000 },
  { name: "a store 20 milliseconds away", store: distant("20 millis"), calls: 1_000 },
  { name: "a store that states nothing", store: withoutState, calls: 500 }
]

describe("LlmClient.callAll: turns", () => {
  for (const { calls, name, store } of stores) {
    const perMinute = calls / 2.5
    it(`answers ${calls} calls at once within their deadlines, and none over the limit, through ${name}`, () => {
      const { asked, layer } = provider()
      const exit = runVirtually(Effect.scoped(Effect.gen(function*() {
        const limited = RateLimit.limit(layer, { requestsPerMinute: perMinute }).pipe(
          Layer.provide(Layer.effect(RateLimitStore.RateLimitStore, store))
        )
        const client = yield* clientOf(limited, { deadline: "20 seconds" })
        return [yield* all(client, rivers(calls)), yield* Clock.currentTimeMillis] as const
      })))
      assert(Exit.isSuccess(exit), String(exit))
      const [results, took] = exit.value
      assert.strictEqual(results.filter(isOk).length, calls)
      assert.strictEqual(refused(asked, perMinute), 0)
      assert.strictEqual(asked.length, calls)
      // One minute's worth at once, and the rest at its rate.
      assert.isAtLeast(took, 90_000)
      assert.isAtMost(took, 93_000)
    }, 120_000)
  }

  it("keeps to a limit of tokens, and to one of requests at a time", () => {
    const { asked, layer } = provider("3 seconds")
    const exit = runVirtually(Effect.scoped(Effect.gen(function*() {
      const limited = RateLimit.limit(layer, {
        tokensPerMinute: 6_000,
        concurrency: 8,
        expectedOutputTokens: () => 50,
        refund: false
      })
      const client = yield* clientOf(limited, { deadline: "10 seconds" })
      return yield* all(client, rivers(200))
    })))
    assert(Exit.isSuccess(exit), String(exit))
    assert.strictEqual(exit.value.filter(isOk).length, 200)
    assert.isTrue(asked.every(({ at }, n) => n < 8 || at - (asked[n - 8]?.at ?? 0) >= 3_000))
  }, 60_000)

  it("leaves requests that are on their way what they need", () => {
    const { asked, layer } = provider()
    const exit = runVirtually(Effect.scoped(Effect.gen(function*() {
      // As a budget whose store is far away.
      const limited = RateLimit.limit(layer, { requestsPerMinute: 60 }).pipe(
        LlmProvider.transform((inner) => ({
          ...inner,
          call: (request) => Effect.delay(inner.call(request), "200 millis")
        }))
      )
      const client = yield* clientOf(limited, { deadline: "3 seconds" })
      return yield* all(client, rivers(100))
    })))
    assert(Exit.isSuccess(exit), String(exit))
    assert.strictEqual(exit.value.filter(isOk).length, 100)
    assert.strictEqual(refused(asked, 60), 0)
  }, 60_000)

  it.scoped("asks once for equal requests, which wait for no turn of their own", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { asked, layer } = provider()
      const client = yield* clientOf(RateLimit.limit(layer, { requestsPerMinute: 1 }), {}, LlmCache.layerNone)
      const fiber = yield* Effect.fork(all(client, rivers(50, () => "Name a river.")))
      yield* TestClock.adjust("1 second")
      const results = yield* Fiber.join(fiber)
      assert.strictEqual(results.filter(isOk).length, 50)
      assert.strictEqual(asked.length, 1)
    })))

  it.scoped.each(
    [
      ["nothing is kept", LlmCache.layerNone, {}],
      ["the answer is refreshed", LlmCache.layerMemory(), { cache: "refresh" }],
      ["the answer is not to be kept", LlmCache.layerMemory(), { cache: "readOnly" }],
      ["the cache is bypassed", LlmCache.layerMemory(), { cache: "bypass" }]
    ] as const
  )(
    "asks again for equal requests, each at a turn of its own, where %s",
    ([_, cache, options]) =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, layer } = provider()
        const client = yield* clientOf(RateLimit.limit(layer, { requestsPerMinute: 1 }), {}, cache)
        const fiber = yield* Effect.fork(
          all(client, rivers(5, () => "Name a river."), { deadline: "30 seconds", concurrency: 1, ...options })
        )
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* Fiber.join(fiber)).filter(isOk).length, 5)
        assert.deepStrictEqual(asked.map(({ at }) => Math.floor(at / 60_000)), [0, 1, 2, 3, 4])
      }))
  )

  it.scoped("gives a turn of its own to a request that equals one that has failed", () =>
    leavingNoFiber(Effect.gen(function*() {
      const scripted = yield* LlmTest.make([LlmTest.fail(LlmError.InvalidRequest.make({})), "Elbe"])
      const client = yield* clientOf(RateLimit.limit(scripted.layer, { requestsPerMinute: 1 }))
      const fiber = yield* Effect.fork(
        all(client, rivers(3, () => "Name a river."), { deadline: "30 seconds", concurrency: 1 })
      )
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map(isOk), [false, true, true])
      assert.strictEqual((yield* scripted.requests).length, 2)
    })))

  it.scoped("looks in the cache again when its turn has come", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { asked, layer } = provider()
      const client = yield* clientOf(RateLimit.limit(layer, { requestsPerMinute: 1, burst: "1 second" }))
      // The second one waits for a minute, and the third for its turn to ask.
      const fiber = yield* Effect.fork(all(client, rivers(3, (n) => n === 1 ? "Another?" : "Name a river.")))
      yield* TestClock.adjust("61 seconds")
      const results = yield* Fiber.join(fiber)
      assert.strictEqual(results.filter(isOk).length, 3)
      assert.deepStrictEqual(asked.map(({ prompt }) => prompt), ["Name a river.", "Another?"])
    })))

  it.scoped("counts the wait neither as latency nor against the deadline", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { layer } = provider()
      const client = yield* clientOf(RateLimit.limit(layer, { requestsPerMinute: 1, burst: "1 second" }), {
        deadline: "2 seconds"
      })
      const fiber = yield* Effect.fork(all(client, rivers(3)))
      yield* TestClock.adjust("2 minutes")
      yield* TestClock.adjust("1 second")
      const results = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        results.map(({ result }) => Exit.isSuccess(result) ? Duration.toMillis(result.value.latency) : result),
        [1_000, 1_000, 1_000]
      )
    })))

  it.scoped("keeps no place in line when it is stopped", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { asked, layer } = provider()
      const client = yield* clientOf(RateLimit.limit(layer, { concurrency: 1 }))
      const fiber = yield* Effect.fork(all(client, rivers(20)))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fiber)
      const other = yield* Effect.fork(client.call({ model: "m", prompt: "After that?" }))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(other)))
      assert.strictEqual(asked.length, 2)
    })))
})

// ---------------------------------------------------------------------------------------------------------------------
// Through policies
// ---------------------------------------------------------------------------------------------------------------------

const request = Effect.orDie(LlmRequest.decode({ model: "m", prompt: "Name a river." }))

const readiness = Effect.fnUntraced(function*(layer: Layer.Layer<LlmProvider.LlmProvider, LlmError.LlmError>) {
  const { ready } = Context.get(yield* Layer.build(layer), LlmProvider.LlmProvider)
  assert(ready !== undefined, "it has no `ready`")
  return yield* Effect.fork(Effect.flatMap(request, ready))
})

const isReady = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) => Effect.as(settle, fiber.unsafePoll() !== null)

/** A provider that is ready when a latch is open, and remembers for which model it was asked. */
const gated = (models: Array<string> = []) => {
  const gate = Deferred.unsafeMake<void>(FiberId.none)
  const layer = Layer.map(provider().layer, (context) =>
    Context.make(LlmProvider.LlmProvider, {
      ...Context.get(context, LlmProvider.LlmProvider),
      ready: ({ model }) => {
        models.push(model)
        return Deferred.await(gate)
      }
    }))
  return { gate, layer }
}

describe("LlmProvider.ready", () => {
  type Policy = (layer: Layer.Layer<LlmProvider.LlmProvider>) => Layer.Layer<LlmProvider.LlmProvider>
  const policies: Readonly<Record<string, Policy>> = {
    "CircuitBreaker": CircuitBreaker.protect(),
    "Hedge": Hedge.after("1 second"),
    "Budget": (layer) => Budget.limit(layer, { scope: "all", tokens: 1_000 }).pipe(Layer.provide(Budget.layerMemory)),
    "Pricing": (layer) => Pricing.priced(layer).pipe(Layer.provide(Pricing.layerPrices({}))),
    "RateLimit": RateLimit.limit({ requestsPerMinute: 100 }),
    "LlmProvider.transform": LlmProvider.transform((provider) => ({ ...provider }))
  }
  for (const [name, policy] of Object.entries(policies)) {
    it.scoped(`passes through ${name}`, () =>
      Effect.gen(function*() {
        const { gate, layer } = gated()
        const fiber = yield* readiness(policy(layer))
        yield* settle
        assert.isFalse(yield* isReady(fiber))
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.isTrue(yield* isReady(fiber))
      }))
  }

  it.scoped("is that of the first target of a Fallback, for the request as that gets it", () =>
    Effect.gen(function*() {
      const models: Array<string> = []
      const first = gated(models)
      const fiber = yield* readiness(
        Fallback.order([{ layer: first.layer, model: "first" }, { layer: gated(models).layer, model: "second" }])
      )
      yield* settle
      assert.isFalse(yield* isReady(fiber))
      yield* Deferred.succeed(first.gate, undefined)
      yield* settle
      assert.isTrue(yield* isReady(fiber))
      assert.deepStrictEqual(models, ["first"])
    }))

  it.scoped("is that of any target of a Balance", () =>
    Effect.gen(function*() {
      const second = gated()
      const fiber = yield* readiness(Balance.over([{ layer: gated().layer }, { layer: second.layer }]))
      yield* settle
      assert.isFalse(yield* isReady(fiber))
      yield* Deferred.succeed(second.gate, undefined)
      yield* settle
      assert.isTrue(yield* isReady(fiber))
    }))

  it.scoped("takes nothing", () =>
    Effect.gen(function*() {
      const { layer } = provider()
      const limited = Context.get(
        yield* Layer.build(RateLimit.limit(layer, { requestsPerMinute: 1 })),
        LlmProvider.LlmProvider
      )
      yield* Effect.flatMap(request, limited.ready ?? (() => Effect.dieMessage("it has no `ready`")))
      const fiber = yield* Effect.fork(Effect.flatMap(request, limited.call))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
    }))

  it.scoped("waits until the pause after a 429 is over", () =>
    Effect.gen(function*() {
      const { layer } = provider()
      const store = yield* RateLimitStore.makeMemory()
      const limited = RateLimit.limit(layer, { requestsPerMinute: 60 }).pipe(
        Layer.provide(Layer.succeed(RateLimitStore.RateLimitStore, store))
      )
      const service = Context.get(yield* Layer.build(limited), LlmProvider.LlmProvider)
      yield* store.pause("openai/m", { requests: 60, burst: 1 }, Duration.seconds(30))
      const first = yield* Effect.fork(Effect.flatMap(request, service.call))
      yield* settle
      const fiber = yield* Effect.fork(Effect.flatMap(request, service.ready ?? (() => Effect.void)))
      yield* TestClock.adjust("30 seconds")
      assert.isFalse(yield* isReady(fiber))
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(yield* isReady(fiber))
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(first)))
    }))
})
