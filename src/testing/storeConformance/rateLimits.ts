import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as RateLimitStore from "../../policy/rateLimit/RateLimitStore.js"
import * as Elapsed from "../../runtime/elapsed.js"
import { expect, type Violation } from "../conformance/check.js"
import { freshKey, type Harness, inTime, make, members, onceBack, type StoreCheck, withClockOff } from "./check.js"
import { amounts, asThePureFunctions, outcomeOf } from "./pureBuckets.js"

type Store = RateLimitStore.Service
type Outcome = RateLimitStore.Outcome
type State = RateLimitStore.State

// ---------------------------------------------------------------------------------------------------------------------
// Among processes
// ---------------------------------------------------------------------------------------------------------------------

/** So slow that little refills during a check: a request in more than a second. */
const slow: RateLimitStore.Limits = { requests: 50, tokens: 5_000, burst: 1 }

/** Sixty at once, and twenty a second. */
const fast: RateLimitStore.Limits = { requests: 1_200, burst: 0.05 }

const countOf = (outcomes: ReadonlyArray<Outcome>): number => outcomes.filter(({ _tag }) => _tag === "Reserved").length

const reserved = (outcome: Outcome, what: string): Effect.Effect<RateLimitStore.Reservation, Violation> =>
  outcome._tag === "Reserved"
    ? Effect.succeed(outcome.reservation)
    : Effect.zipRight(expect(false, what, outcome), Effect.never)

const refused = (outcome: Outcome, what: string): Effect.Effect<Extract<Outcome, { _tag: "Refused" }>, Violation> =>
  outcome._tag === "Refused" ? Effect.succeed(outcome) : Effect.zipRight(expect(false, what, outcome), Effect.never)

/** The checks of a store of rate limits. */
export const rateLimits = (harness: Harness<Store>): ReadonlyArray<StoreCheck> => {
  const { hold = 0, patience = 1_000, server } = harness
  const general = [
    // Amounts that a member holds are in no bucket.
    ...(hold > 0 ? [] : [1, 2, 3]).map((seed) =>
      make(
        `decides as the pure functions do, for any course of operations of three members (${seed})`,
        asThePureFunctions(harness, seed, {
          requests: 60,
          tokens: 6_000,
          burst: seed === 2 ? 0.1 : 1,
          maxPause: 600_000
        })
      )
    ),
    ...(hold > 0 ? [] : [
      make(
        "makes those far behind in line ask again when their turn comes, and no sooner",
        Effect.gen(function*() {
          const store = yield* harness.join
          const key = freshKey()
          const limits: RateLimitStore.Limits = { requests: 60_000, burst: 1 }
          const ask = (i: number) => store.reserve(key, limits, amounts(1), `queue ${i}`)
          const over = (yield* Elapsed.now) + 2_050
          yield* store.pause(key, limits, Duration.seconds(2))
          for (let i = 0; i < 140; i++) yield* refused(yield* ask(i), "a refusal while all is paused")
          yield* Effect.sleep(Duration.millis(Math.max(0, over - (yield* Elapsed.now))))
          // There is enough for all now, but the earlier ones have not asked yet.
          const rest = (i: number) =>
            Effect.map(
              Effect.flatMap(ask(i), (outcome) => refused(outcome, "a refusal of one far behind")),
              ({ askAgainIn }) => Duration.toMillis(askAgainIn ?? 0)
            )
          const [near, far] = [yield* rest(64), yield* rest(139)]
          yield* expect(near > 0 && far > near, `more than ${near} ms`, far)
          yield* reserved(yield* ask(0), "a reservation of the first")
          yield* reserved(yield* ask(9), "a reservation of one that is near")
        })
      )
    ]),
    make(
      "lets no more through than a limit, however many ask at once",
      Effect.gen(function*() {
        const stores = yield* members(harness, 4)
        const key = freshKey()
        const began = yield* Elapsed.now
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, i) => stores[i % 4]!),
          (store) => store.reserve(key, slow, amounts(1, 10)),
          { concurrency: "unbounded" }
        )
        const count = countOf(outcomes)
        const most = 51 + ((yield* Elapsed.now) - began) / 60_000 * 50
        // Where members hold something, the bucket is a little smaller.
        yield* expect(count >= (hold > 0 ? 45 : 50) && count <= most, "50 reservations, and the refilled ones", count)
      })
    ),
    make(
      "lets no more through in any time than the saved and the refilled amounts",
      Effect.gen(function*() {
        const stores = yield* members(harness, 4)
        const key = freshKey()
        const began = yield* Elapsed.now
        const until = began + 600
        const passed: Array<{ readonly asked: number; readonly heard: number }> = []
        let questions = 0
        yield* Effect.forEach(stores, (store) =>
          Effect.gen(function*() {
            // A pause of the machine is no reason to ask less often.
            for (let asked = began; asked < until || questions < 60; asked = yield* Elapsed.now) {
              questions++
              const outcome = yield* store.reserve(key, fast, amounts(1))
              if (outcome._tag === "Reserved") passed.push({ asked, heard: yield* Elapsed.now })
              else yield* Effect.sleep("2 millis")
            }
          }), { concurrency: "unbounded" })
        const most = (millis: number) => 60 + millis / 1_000 * 20
        for (let first = 0; first < passed.length; first += 7) {
          let from = Infinity
          for (let last = first; last < passed.length; last++) {
            const { asked, heard } = passed[last]!
            // They passed between the first question and the last answer.
            from = Math.min(from, asked)
            const [millis, count] = [heard - from, last - first + 1]
            // A server may count whole milliseconds.
            yield* expect(count <= most(millis + 50) + 1, `at most ${most(millis)} in ${millis} ms`, count)
          }
        }
        yield* expect(passed.length >= 35, "at least the saved amount", passed.length)
      })
    ),
    make(
      "gets unused amounts of a member back in time",
      Effect.gen(function*() {
        const [one, other] = yield* members(harness, 2)
        const key = freshKey()
        const limits: RateLimitStore.Limits = { requests: 12_000, burst: 1 }
        const { state: before } = yield* outcomeOf(other!, key, limits, amounts(1))
        const from = yield* Elapsed.now
        yield* Effect.forEach(
          Array.from({ length: 2_000 }),
          () => Effect.flatMap(one!.reserve(key, limits, amounts(1)), (outcome) => reserved(outcome, "a reservation")),
          { discard: true }
        )
        yield* Effect.sleep(Duration.millis(hold + 100))
        const until = yield* Elapsed.now
        const { state: after } = yield* outcomeOf(other!, key, limits, amounts(1))
        const level = (state: State) => state.buckets.requests?.level ?? 0
        // A server may read its clock a moment before it answers.
        const least = Math.min(level(before) - 2_001 + (until - from - 50) / 1_000 * 200, 12_000 - 1)
        yield* expect(level(after) >= least, `at least ${least} requests`, level(after))
      })
    ),
    make(
      "counts keys apart",
      Effect.gen(function*() {
        const store = yield* harness.join
        const keys = [freshKey(), freshKey(), "{", "}", "a:b", "a%3Ab"].map((key) => `${key}${freshKey()}`)
        for (const key of keys) {
          const outcomes = yield* Effect.forEach(
            [1, 2],
            () => store.reserve(key, { requests: 1, burst: 1 }, amounts(1))
          )
          yield* expect(countOf(outcomes) === 1, "one reservation of each key", outcomes)
        }
      })
    ),
    make(
      "gives back unused amounts, for all members, and charges excess use",
      Effect.gen(function*() {
        const [one, other, third] = yield* members(harness, 3)
        const key = freshKey()
        const most = yield* reserved(yield* one!.reserve(key, slow, amounts(1, 4_500)), "a reservation of most")
        yield* refused(yield* other!.reserve(key, slow, amounts(1, 1_000)), "a refusal while most is reserved")
        yield* one!.settle(key, slow, { reservation: most, used: amounts(1, 1_000), told: undefined })
        yield* refused(yield* other!.reserve(key, slow, amounts(1, 4_400)), "a refusal of more than was given back")
        // A store that borrows asks no more often than the lender allows: another one asks, once no member holds an amount.
        if (hold > 0) yield* Effect.sleep(Duration.millis(hold + 100))
        yield* reserved(yield* third!.reserve(key, slow, amounts(1, 3_800)), "a reservation of the returned amount")
      })
    ),
    make(
      "lets a pause that one member asks for hold for all, states its rest, and begins with nothing saved up",
      Effect.gen(function*() {
        const [one, other] = yield* members(harness, 2)
        const key = freshKey()
        yield* one!.pause(key, slow, Duration.seconds(15))
        const { pausedFor, wait } = yield* refused(yield* other!.reserve(key, slow, amounts(1)), "a refusal")
        const millis = Duration.toMillis(pausedFor ?? 0)
        yield* expect(millis > 0 && millis <= 15_000, "the rest of the pause", millis)
        yield* expect(Duration.toMillis(wait) >= millis + 1_000, "a wait until something has refilled", wait)
      })
    ),
    make(
      "lets no more through at a time than the shared limit of concurrency, and frees a place with each settlement",
      Effect.gen(function*() {
        const stores = yield* members(harness, 3)
        const key = freshKey()
        const limits: RateLimitStore.Limits = { concurrency: 4, burst: 1 }
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 12 }, (_, i) => stores[i % 3]!),
          (store) => Effect.map(store.reserve(key, limits, amounts(1)), (outcome) => ({ outcome, store })),
          { concurrency: "unbounded" }
        )
        yield* expect(countOf(outcomes.map(({ outcome }) => outcome)) === 4, "four at a time", outcomes)
        for (const { outcome, store } of outcomes) {
          if (outcome._tag !== "Reserved") continue
          yield* refused(yield* stores[0]!.reserve(key, limits, amounts(1)), "a refusal while four are under way")
          yield* store.settle(key, limits, { reservation: outcome.reservation, used: {}, told: undefined })
          yield* reserved(yield* stores[1]!.reserve(key, limits, amounts(1)), "the place that was freed")
        }
      })
    ),
    make(
      "takes no place where the tokens are short, and no tokens where there is no place",
      Effect.gen(function*() {
        const store = yield* harness.join
        const key = freshKey()
        const limits = { ...slow, concurrency: 1 }
        const first = yield* reserved(yield* store.reserve(key, limits, amounts(1, 3_000)), "a reservation")
        yield* refused(yield* store.reserve(key, limits, amounts(1, 2_000)), "a refusal without a place")
        yield* store.settle(key, limits, { reservation: first, used: {}, told: undefined })
        yield* refused(yield* store.reserve(key, limits, amounts(1, 2_500)), "a refusal without the tokens")
        yield* reserved(yield* store.reserve(key, limits, amounts(1, 2_000)), "a reservation of all that is left")
      })
    ),
    make(
      "leaves a large request the amount that it waits for, until its queue leaves the line",
      Effect.gen(function*() {
        const [one, other] = yield* members(harness, 2)
        const key = freshKey()
        yield* reserved(yield* one!.reserve(key, slow, amounts(1, 3_000)), "a reservation")
        yield* refused(yield* one!.reserve(key, slow, amounts(1, 4_000), "large"), "a refusal of the large one")
        yield* refused(yield* other!.reserve(key, slow, amounts(1, 10), "small"), "that the small one waits behind it")
        yield* other!.leave(key, "small")
        yield* one!.leave(key, "large")
        yield* reserved(yield* other!.reserve(key, slow, amounts(1, 10), "small"), "a reservation of the small one")
      })
    ),
    make(
      "lets those pass that take nothing from those before them",
      Effect.gen(function*() {
        const [one, other] = yield* members(harness, 2)
        const key = freshKey()
        const limits: RateLimitStore.Limits = { requests: 10, burst: 1, concurrency: 2 }
        const first = yield* reserved(yield* one!.reserve(key, limits, amounts(1)), "the first")
        yield* reserved(yield* one!.reserve(key, limits, amounts(1)), "the second")
        yield* refused(yield* one!.reserve(key, limits, amounts(1), "a"), "a refusal of a third")
        yield* one!.settle(key, limits, { reservation: first, used: {}, told: undefined })
        yield* refused(yield* other!.reserve(key, limits, amounts(1), "b"), "that the place is left to the third")
        yield* reserved(yield* one!.reserve(key, limits, amounts(1), "a"), "the place for the third")
      })
    ),
    make(
      "counts the same, regardless of the clocks of its members",
      Effect.gen(function*() {
        const early = yield* withClockOff(-3_600_000)(harness.join)
        const late = yield* withClockOff(3_600_000)(harness.join)
        const key = freshKey()
        const half = amounts(24, 0)
        yield* reserved(yield* withClockOff(-3_600_000)(early.reserve(key, slow, half)), "a half")
        yield* reserved(yield* withClockOff(3_600_000)(late.reserve(key, slow, half)), "the other half")
        yield* refused(yield* withClockOff(-3_600_000)(early.reserve(key, slow, amounts(20))), "that most is used")
        yield* refused(yield* withClockOff(3_600_000)(late.reserve(key, slow, amounts(20))), "that most is used")
      })
    )
  ]
  if (server === undefined) return general

  const limits: RateLimitStore.Limits = {
    requests: 6_000,
    tokens: 6_000_000,
    burst: 1,
    // Places are never taken in advance, nor are other amounts if places are counted.
    ...(hold === 0 && { concurrency: 100 })
  }

  /** All operations, each within its time. */
  const everything = (store: Store, key: string) =>
    Effect.gen(function*() {
      const outcome = yield* inTime("reserve", patience, store.reserve(key, limits, amounts(1, 10), "queue"))
      if (outcome._tag === "Reserved") {
        const settlement = { reservation: outcome.reservation, used: amounts(1, 5), told: undefined }
        yield* inTime("settle", patience, store.settle(key, limits, settlement))
      }
      yield* inTime("pause", patience, store.pause(key, limits, Duration.zero))
      yield* inTime("leave", patience, store.leave(key, "queue"))
      return outcome
    })

  /** Asks until the server counts again: it is asked from time to time. */
  const counted = (store: Store, key: string) =>
    onceBack(
      Effect.suspend(() => store.reserve(key, limits, amounts(1, 10))),
      (outcome) => outcome._tag !== "Unavailable" && outcome.state !== undefined
    )

  return [
    ...general,
    ...(server.forgetScripts === undefined ? [] : [
      make(
        "goes on when the server has forgotten its scripts",
        Effect.gen(function*() {
          const store = yield* harness.join
          const key = freshKey()
          yield* everything(store, key)
          yield* server.forgetScripts!
          const outcome = yield* everything(store, key)
          yield* expect(outcome._tag !== "Unavailable" && outcome.state !== undefined, "an outcome", outcome)
        })
      )
    ]),
    make(
      "waits for no server that hangs, and counts there again when it is back",
      Effect.gen(function*() {
        const store = yield* harness.join
        const key = freshKey()
        yield* everything(store, key)
        yield* server.hang
        yield* Effect.ensuring(
          Effect.gen(function*() {
            yield* everything(store, key)
            // From now on it is not even asked.
            yield* everything(store, key)
          }),
          server.resume
        )
        yield* counted(store, key)
      })
    ),
    make(
      "waits for no server that was killed, and counts there again when it is back with nothing kept",
      Effect.gen(function*() {
        const store = yield* harness.join
        const key = freshKey()
        const before = yield* store.reserve(key, limits, amounts(1, 10))
        yield* server.stop
        yield* Effect.ensuring(Effect.repeatN(everything(store, key), 3), server.start)
        yield* counted(store, key)
        // Earlier reservations are unknown there.
        const reservation = yield* reserved(before, "a reservation before the outage")
        yield* store.settle(key, limits, { reservation, used: amounts(0), told: undefined })
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 3 }),
          () => store.reserve(key, limits, amounts(3_000))
        )
        yield* expect(countOf(outcomes) <= 2, "no more than a full bucket", outcomes)
      })
    )
  ]
}
