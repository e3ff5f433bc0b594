import { assert, describe, it } from "@effect/vitest"
import * as RateLimitStore from "effect-llm/RateLimitStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Borrow from "../../../src/stores/borrowing/borrow.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { settle } from "../../support/testClock.js"

const one: RateLimitStore.Amounts = { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0 }

const settings = { hold: 500, slack: 250, share: () => 1 / 2 }

/** A thousand a second, of which ten seconds may be saved up. */
const limits: RateLimitStore.Limits = { requests: 60_000, burst: 1 / 6 }

/** The buckets that lend hold less: by what refills while a loan is out and on its way back. */
const lent: RateLimitStore.Limits = { ...limits, burst: 1 / 6 - 0.75 / 60 }
const full = 60_000 * lent.burst

/** A store in memory as the lender, the trips to it, and how long a loan takes. */
const lender = (latency: Duration.DurationInput = 0) =>
  Effect.map(RateLimitStore.makeMemory(), (memory) => {
    const trips: Array<string> = []
    const trip = (name: string) => <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
      Effect.suspend(() => {
        trips.push(name)
        return self
      })
    const delayed = Duration.toMillis(latency) === 0 ? <A>(self: Effect.Effect<A>) => self : Effect.delay(latency)
    const store: RateLimitStore.Service = {
      reserve: (...args) => trip("reserve")(delayed(memory.reserve(...args))),
      settle: (...args) => trip("settle")(memory.settle(...args)),
      pause: (...args) => trip("pause")(memory.pause(...args)),
      leave: (...args) => trip("leave")(memory.leave(...args))
    }
    /** What is in its buckets. */
    const level = Effect.map(memory.reserve("key", lent, { ...one, requests: 0 }), (outcome) =>
      outcome._tag === "Unavailable" ? undefined : outcome.state?.buckets.requests?.level)
    return { level, memory, store, trips }
  })

describe("a store that borrows", () => {
  it.effect("makes no more trips for more requests", () =>
    leavingNoFiber(Effect.gen(function*() {
      const tripsAt = (perMilli: number) =>
        Effect.scoped(Effect.gen(function*() {
          const { store, trips } = yield* lender()
          const borrowing = yield* Borrow.make(store, settings)
          const roomy = { ...limits, requests: 6_000_000 }
          for (let milli = 0; milli < 2_000; milli += 10) {
            for (let i = 0; i < perMilli * 10; i++) {
              const outcome = yield* borrowing.reserve("key", roomy, one, "queue")
              assert(outcome._tag === "Reserved")
              yield* borrowing.settle("key", roomy, { reservation: outcome.reservation, used: {}, told: undefined })
            }
            yield* TestClock.adjust(10)
          }
          return trips.length
        }))
      const [few, many] = [yield* tripsAt(0.1), yield* tripsAt(2)]
      assert.isAtMost(few, 30)
      assert.isAtMost(many, 30)
    })))

  it.scoped("lets requests that come while it is on its way share the next trip", () =>
    Effect.gen(function*() {
      const { store, trips } = yield* lender("10 millis")
      const borrowing = yield* Borrow.make(store, settings)
      const fiber = yield* Effect.fork(Effect.forEach(
        Array.from({ length: 200 }),
        () => borrowing.reserve("key", limits, one, "queue"),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("20 millis")
      const outcomes = yield* Fiber.join(fiber)
      assert.isTrue(outcomes.every(({ _tag }) => _tag === "Reserved"))
      assert.deepStrictEqual(trips, ["reserve", "reserve"])
    }))

  it.scoped("gives back idle amounts when they lapse, and reports unused ones", () =>
    Effect.gen(function*() {
      const { level, store, trips } = yield* lender()
      const borrowing = yield* Borrow.make(store, settings)
      for (let i = 0; i < 40; i++) yield* borrowing.reserve("key", limits, one)
      yield* TestClock.adjust(10)
      const held = full - (yield* level)! - 40 + 10
      assert.isAbove(held, 10)
      yield* TestClock.adjust(600)
      assert.strictEqual(yield* level, full)
      assert.strictEqual(trips.filter((name) => name === "settle").length, 1)

      const most = { ...one, requests: 9_000 }
      const outcome = yield* borrowing.reserve("key", limits, most)
      assert(outcome._tag === "Reserved")
      yield* TestClock.adjust(600)
      yield* borrowing.settle("key", limits, { reservation: outcome.reservation, used: one, told: undefined })
      assert.strictEqual(yield* level, full)
    }))

  it.effect("gives back all that it holds when it is closed", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { level, store } = yield* lender()
      yield* Effect.scoped(Effect.gen(function*() {
        const borrowing = yield* Borrow.make(store, settings)
        for (let i = 0; i < 40; i++) yield* borrowing.reserve("key", limits, one)
      }))
      assert.strictEqual(yield* level, full - 40)
    })))

  it.scoped("asks no more often than the lender allows, except for a request that costs less", () =>
    Effect.gen(function*() {
      const { store, trips } = yield* lender()
      const borrowing = yield* Borrow.make(store, settings)
      yield* borrowing.pause("key", limits, Duration.zero)
      const large = { ...one, requests: 500 }
      const first = yield* borrowing.reserve("key", limits, large, "queue")
      assert(first._tag === "Refused")
      const asked = trips.length
      yield* TestClock.adjust(200)
      const again = yield* borrowing.reserve("key", limits, large, "queue")
      assert(again._tag === "Refused")
      assert.strictEqual(Duration.toMillis(again.wait), Duration.toMillis(first.wait) - 200)
      assert.strictEqual(trips.length, asked)
      assert.strictEqual((yield* borrowing.reserve("key", limits, one, "queue"))._tag, "Reserved")
      yield* TestClock.adjust(400)
      assert.strictEqual((yield* borrowing.reserve("key", limits, large, "queue"))._tag, "Reserved")
    }))

  it.scoped("lets nothing through from its loans once it has heard of a pause", () =>
    Effect.gen(function*() {
      const { memory, store } = yield* lender()
      const borrowing = yield* Borrow.make(store, settings)
      for (let i = 0; i < 40; i++) yield* borrowing.reserve("key", limits, one)
      yield* borrowing.pause("key", limits, Duration.seconds(5))
      assert.strictEqual((yield* borrowing.reserve("key", limits, one))._tag, "Refused")
      yield* TestClock.adjust("6 seconds")
      for (let i = 0; i < 40; i++) yield* borrowing.reserve("key", limits, one)
      // Of one that another process asked for it hears at its next trip.
      yield* memory.pause("key", limits, Duration.seconds(5))
      yield* TestClock.adjust(settings.hold)
      const outcome = yield* borrowing.reserve("key", limits, one)
      assert(outcome._tag === "Refused" && outcome.pausedFor !== undefined)
      assert.strictEqual(Duration.toMillis(outcome.pausedFor), 5_000 - settings.hold)
    }))

  it.scoped("passes on that nobody counts, to each request, and a problem once", () =>
    Effect.gen(function*() {
      const { memory } = yield* lender()
      let isDown = true
      const borrowing = yield* Borrow.make({
        ...memory,
        reserve: (...args) =>
          isDown
            ? Effect.delay(Effect.succeed({ _tag: "Unavailable", problem: "down" }), 5)
            : Effect.map(memory.reserve(...args), (outcome) => ({ ...outcome, problem: "was down" }))
      }, settings)
      const fiber = yield* Effect.fork(Effect.all(
        Array.from({ length: 3 }, () => borrowing.reserve("key", limits, one)),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust(20)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map(({ _tag }) => _tag), Array(3).fill("Unavailable"))
      isDown = false
      const back = yield* Effect.all(Array.from({ length: 3 }, () => borrowing.reserve("key", limits, one)))
      assert.deepStrictEqual(back.map(({ problem }) => problem), ["was down", "was down", undefined])
    }))

  it.effect("holds nothing and nobody up after an interruption", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { store } = yield* lender("1 hour")
      const borrowing = yield* Borrow.make(store, settings)
      const first = yield* Effect.fork(borrowing.reserve("key", limits, one))
      yield* settle
      const second = yield* Effect.fork(borrowing.reserve("key", limits, one))
      yield* settle
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(second))._tag, "Reserved")
    }))))
})
