import { assert, describe, it } from "@effect/vitest"
import type * as RateLimit from "effect-llm/RateLimit"
import * as RateLimitStore from "effect-llm/RateLimitStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { rateLimited } from "../../support/errors.js"
import { errorOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { answerUsing, limitedBy, seconds } from "../../support/limits.js"
import { settle, within } from "../../support/testClock.js"

const on = (store: RateLimitStore.Service) => (options: RateLimit.Options) =>
  Effect.provideService(limitedBy(options), RateLimitStore.RateLimitStore, store)

/** Two limiters, as two processes have them, on one store. */
const two = (options: RateLimit.Options) =>
  Effect.flatMap(RateLimitStore.makeMemory(), (store) => Effect.all([on(store)(options), on(store)(options)]))

describe("RateLimit on a shared store", () => {
  it.effect("lets so many through at a time of all limiters together, each in its turn", () =>
    leavingNoFiber(Effect.gen(function*() {
      const [one, other] = yield* two({ sharedConcurrency: 2 })
      for (const { world } of [one, other]) world.answer = () => seconds(1)
      const fibers = yield* Effect.forEach(
        [one, one, one, one, other, other],
        ({ call }, i) => Effect.tap(Effect.fork(call(`${i}`)), () => settle)
      )
      // They ask again every 20 to 250 milliseconds.
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(yield* one.asked, ["0", "1", "2"])
      assert.deepStrictEqual(yield* other.asked, ["4"])
      yield* TestClock.adjust("3 seconds")
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.strictEqual((yield* other.asked).length, 2)
    })))

  it.effect("after a 429 of another limiter, fails what cannot wait for so long as soon as it learns of it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const [one, other] = yield* two({ requestsPerMinute: 60, burst: "1 second" })
      yield* other.call("first")
      one.world.answer = () => rateLimited(Duration.toMillis("30 seconds"))
      yield* Effect.fork(Effect.exit(one.call("refused")))
      yield* settle
      const patient = yield* Effect.fork(other.call("patient"))
      const hurried = yield* Effect.fork(other.call("hurried", { left: "10 seconds" }))
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      const { reason } = errorOf(yield* Fiber.await(hurried))
      assert(reason._tag === "TimedOut" && reason.phase === "queue")
      assert.isNull(patient.unsafePoll())
      yield* TestClock.adjust("40 seconds")
      yield* Fiber.join(patient)
    })))

  it.effect("asks once more for a request that has to wait, and foresees the waits of all others by itself", () =>
    leavingNoFiber(Effect.gen(function*() {
      const memory = yield* RateLimitStore.makeMemory()
      let trips = 0
      const store: RateLimitStore.Service = {
        ...memory,
        reserve: (...asked) => {
          trips++
          return memory.reserve(...asked)
        }
      }
      const { call } = yield* on(store)({ requestsPerMinute: 120, burst: "500 millis" })
      yield* call("first")
      assert.strictEqual(trips, 1)
      const second = yield* Effect.fork(call("second"))
      yield* settle
      assert.strictEqual(trips, 2)
      yield* TestClock.adjust(500)
      yield* Fiber.join(second)
      assert.strictEqual(trips, 3)
      const third = yield* Effect.fork(call("third"))
      yield* settle
      assert.strictEqual(trips, 4)
      const { reason } = errorOf(yield* Effect.exit(call("late", { left: "900 millis" })))
      assert(reason._tag === "TimedOut" && reason.phase === "queue")
      assert.strictEqual(trips, 4)
      yield* Fiber.interrupt(third)
    })))

  it.effect("gives up its place in line when nobody waits any more", () =>
    leavingNoFiber(Effect.gen(function*() {
      const [one, other] = yield* two({ tokensPerMinute: 1_000 })
      one.world.answer = () => answerUsing(790, 10)
      yield* one.call("x".repeat(790))
      const large = yield* Effect.fork(one.call("x".repeat(900)))
      yield* settle
      const small = yield* Effect.fork(other.call("x".repeat(10)))
      yield* settle
      assert.isNull(small.unsafePoll())
      yield* Fiber.interrupt(large)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(small)
    })))

  const unavailable: RateLimitStore.Service = {
    reserve: () => Effect.succeed({ _tag: "Unavailable", problem: "connect ECONNREFUSED" }),
    leave: () => Effect.void,
    settle: () => Effect.void,
    pause: () => Effect.void
  }

  it.effect("fails with TimedOut of phase queue where a store cannot count, and reports it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, world } = yield* on(unavailable)({ requestsPerMinute: 1 })
      const error = errorOf(yield* within(0)(call("a")))
      assert(error.reason._tag === "TimedOut" && error.reason.phase === "queue")
      assert.include(error.message, "connect ECONNREFUSED")
      assert.isTrue(error.canFailOver)
      assert.deepInclude(world.events[0], {
        _tag: "StoreUnavailable",
        store: "rateLimits",
        problem: "connect ECONNREFUSED"
      })
    })))
})
