import { assert, describe, it } from "@effect/vitest"
import * as Balance from "effect-llm/Balance"
import * as Budget from "effect-llm/Budget"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as RateLimit from "effect-llm/RateLimit"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { rateLimited, serverFailed } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { withSteppingClock } from "../support/steppingClock.js"
import { settle, within } from "../support/testClock.js"

const answer = (...given: Parameters<typeof respond>) => Effect.succeed(respond(...given))

type Answer = Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>

const decoded = Effect.orDie(LlmRequest.decode(request))

/** A provider that answers as told just now. */
const provider = (name: string, first: Answer) => {
  const world = { answer: first, asked: 0 }
  const service = LlmProvider.make({
    name,
    endpoint: `memory:${name}`,
    call: () =>
      Effect.suspend(() => {
        world.asked++
        return world.answer
      })
  })
  return { service, world }
}

const call = (service: LlmProvider.Service): Answer => Effect.flatMap(decoded, (request) => service.call(request))

describe("a wall clock that steps back an hour", () => {
  it.effect("keeps no circuit open", () =>
    withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const { service, world } = provider("openai", Effect.fail(serverFailed))
        const guarded = yield* CircuitBreaker.make(service, { consecutive: 1, openFor: "10 seconds" })
        yield* Effect.exit(call(guarded))
        yield* stepBack("1 hour")
        const { reason } = errorOf(yield* Effect.exit(call(guarded)))
        assert(reason._tag === "CircuitOpen")
        assert.isAtMost(Duration.toMillis(reason.retryAfter), 10_000)
        yield* TestClock.adjust("10 seconds")
        world.answer = answer("Elbe")
        valueOf(yield* Effect.exit(call(guarded)))
        assert.strictEqual(yield* guarded.state(request.model), "Closed")
      })
    ))

  it.effect("forgets no failure of a circuit's window, and keeps none for longer", () =>
    withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const { service } = provider("openai", Effect.fail(serverFailed))
        const guarded = yield* CircuitBreaker.make(service, { minimumThroughput: 3, window: "30 seconds" })
        yield* Effect.exit(call(guarded))
        yield* stepBack("1 hour")
        yield* TestClock.adjust("31 seconds")
        yield* Effect.repeatN(Effect.exit(call(guarded)), 1)
        assert.strictEqual(yield* guarded.state(request.model), "Closed")
        yield* stepBack("1 hour")
        yield* Effect.exit(call(guarded))
        assert.strictEqual(yield* guarded.state(request.model), "Open")
      })
    ))

  it.effect("lengthens no pause of a rate limit", () =>
    leavingNoFiber(withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        for (const options of [{}, { requestsPerMinute: 6_000 }]) {
          const { service, world } = provider("openai", rateLimited("200 millis"))
          const limited = yield* RateLimit.make(service, options)
          yield* Effect.exit(call(limited))
          world.answer = answer("Elbe")
          yield* stepBack("1 hour")
          valueOf(yield* within("2 seconds")(call(limited)))
        }
      })
    )))

  it.effect("lengthens no wait in its queue, and no refill", () =>
    leavingNoFiber(withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const { service } = provider("openai", answer("Elbe"))
        const limited = yield* RateLimit.make(service, { requestsPerMinute: 1 })
        yield* call(limited)
        yield* TestClock.adjust("30 seconds")
        yield* stepBack("1 hour")
        const waiting = yield* Effect.fork(call(limited))
        yield* TestClock.adjust("15 seconds")
        yield* stepBack("1 hour")
        assert.isNull(waiting.unsafePoll())
        yield* TestClock.adjust("15 seconds")
        yield* Fiber.join(waiting)
      })
    )))

  it.effect("ends a wait for a turn no later than maxWait", () =>
    leavingNoFiber(withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<LlmResponse.LlmResponse>()
        const { service } = provider("openai", Deferred.await(gate))
        const limited = yield* RateLimit.make(service, { concurrency: 1, maxWait: "10 seconds" })
        const first = yield* Effect.fork(call(limited))
        yield* settle
        const second = yield* Effect.fork(call(limited))
        yield* settle
        yield* stepBack("1 hour")
        yield* TestClock.adjust("10 seconds")
        const { reason } = errorOf(yield* Fiber.await(second))
        assert(reason._tag === "TimedOut" && reason.phase === "queue")
        yield* Deferred.complete(gate, answer("Elbe"))
        yield* Fiber.join(first)
      })
    )))

  it.effect("lengthens no cooldown of a target", () =>
    withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const first = provider("first", rateLimited("20 seconds"))
        const second = provider("second", answer("Oder", { provider: "second" }))
        const fallback = yield* Fallback.make([{ provider: first.service }, { provider: second.service }])
        yield* call(fallback)
        first.world.answer = answer("Elbe", { provider: "first" })
        yield* stepBack("1 hour")
        assert.strictEqual((yield* call(fallback)).provider, "second")
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual((yield* call(fallback)).provider, "first")
      })
    ))

  it.effect("lengthens no cooldown of a balanced target", () =>
    withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const { service, world } = provider("only", rateLimited("20 seconds"))
        const balanced = yield* Balance.make([{ provider: service }])
        yield* Effect.exit(call(balanced))
        world.answer = answer("Elbe")
        yield* stepBack("1 hour")
        errorOf(yield* Effect.exit(call(balanced)))
        yield* TestClock.adjust("20 seconds")
        valueOf(yield* Effect.exit(call(balanced)))
      })
    ))

  it.effect("delays no second request of a hedge", () =>
    leavingNoFiber(withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const { service, world } = provider("openai", Effect.never)
        const hedged = yield* Hedge.make(service, "1 second", { maxExtraLoad: 1 })
        const asked = yield* Effect.fork(call(hedged))
        yield* settle
        world.answer = answer("Elbe")
        yield* stepBack("1 hour")
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(asked)
        assert.strictEqual(world.asked, 2)
      })
    )))

  it.effect("teaches a hedge no wrong latency", () =>
    leavingNoFiber(withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const { service, world } = provider("openai", Effect.delay(answer("Elbe"), "4 seconds"))
        const hedged = yield* Hedge.make(
          service,
          { percentile: 0.5, minimumSamples: 2, initialDelay: "1 hour", minDelay: "1 millis" },
          { maxExtraLoad: 1 }
        )
        for (let i = 0; i < 2; i++) {
          const asked = yield* Effect.fork(call(hedged))
          yield* TestClock.adjust("2 seconds")
          yield* stepBack("1 hour")
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.join(asked)
        }
        world.answer = Effect.never
        const slow = yield* Effect.fork(call(hedged))
        yield* TestClock.adjust("3900 millis")
        assert.strictEqual(world.asked, 3)
        // Latencies are known to 5%.
        yield* TestClock.adjust("400 millis")
        assert.strictEqual(world.asked, 4)
        yield* Fiber.interrupt(slow)
      })
    )))

  it.effect("renews no window of a budget twice: it lets no time pass", () =>
    withSteppingClock(({ stepBack }) =>
      Effect.gen(function*() {
        const { service } = provider("openai", answer("Elbe", { usage: { inputTokens: 10, outputTokens: 10 } }))
        const limited = yield* Budget.make(service, {
          scope: "hour",
          tokens: 1_000,
          estimateInput: () => 10,
          expectedOutput: 10,
          window: "1 hour"
        })
        const spent = Effect.map(Budget.spent("hour"), ({ tokens }) => tokens)
        yield* TestClock.adjust("90 minutes")
        yield* call(limited)
        yield* stepBack("1 hour")
        yield* call(limited)
        assert.strictEqual(yield* spent, 40)
        // Wall time is where it was before.
        yield* TestClock.adjust("60 minutes")
        assert.strictEqual(yield* spent, 40)
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual(yield* spent, 0)
      })
    ).pipe(Effect.provide(Layer.fresh(Budget.layerMemory))))
})
