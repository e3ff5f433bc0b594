import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as RateLimitStore from "../../policy/rateLimit/RateLimitStore.js"
import * as TokenBuckets from "../../policy/rateLimit/tokenBuckets.js"
import { expect, type Violation } from "../conformance/check.js"
import {
  freshKey,
  type Harness,
  inTime,
  make,
  members,
  numbers,
  onceBack,
  type StoreCheck,
  withClockOff
} from "./check.js"

type Store = RateLimitStore.Service
type Outcome = RateLimitStore.Outcome
type State = RateLimitStore.State

const amounts = (requests: number, tokens = 0): RateLimitStore.Amounts => ({
  requests,
  tokens,
  inputTokens: 0,
  outputTokens: 0
})

// ---------------------------------------------------------------------------------------------------------------------
// Against the pure functions
// ---------------------------------------------------------------------------------------------------------------------

const epsilon = 1e-6

const isNear = (one: number, other: number): boolean => Math.abs(one - other) <= epsilon * Math.max(1, Math.abs(one))

/** Whether buckets are as the pure functions say. One that is absent is full, and so the same as none. */
const isAsSaid = (limits: RateLimitStore.Limits, actual: State, said: State): boolean =>
  isNear(actual.pause, said.pause) &&
  (["requests", "tokens", "inputTokens", "outputTokens"] as const).every((dimension) => {
    const [found, expected] = [actual.buckets[dimension], said.buckets[dimension]]
    if (limits[dimension] === undefined || expected === undefined) return true
    return found !== undefined && isNear(found.level, expected.level) && isNear(found.lowered, expected.lowered) &&
      found.told === expected.told
  })

/** Whether they are as after something that happened at one of the milliseconds since a moment: at which is not known. */
const isAsSaidSince = (
  limits: RateLimitStore.Limits,
  known: State,
  actual: State,
  change: (moment: number) => State
): boolean => {
  for (let moment = known.at; moment <= actual.at; moment++) {
    if (isAsSaid(limits, actual, TokenBuckets.advance(limits, change(moment), actual.at))) return true
  }
  return false
}

const outcomesOf = (store: Store, key: string, limits: RateLimitStore.Limits, cost: RateLimitStore.Amounts) =>
  Effect.flatMap(
    store.reserve(key, limits, cost),
    (outcome) =>
      outcome._tag !== "Unavailable" && outcome.state !== undefined
        ? Effect.succeed({ outcome, state: outcome.state })
        : Effect.zipRight(
          expect(false, "an outcome with the state of the buckets", outcome),
          Effect.never
        )
  )

const asThePureFunctions = (harness: Harness<Store>, seed: number, limits: RateLimitStore.Limits) =>
  Effect.gen(function*() {
    const stores = yield* members(harness, 3)
    const key = freshKey()
    const random = numbers(seed)
    const upTo = (most: number) => Math.floor(random() * (most + 1))
    const reservations: Array<RateLimitStore.Reservation> = []
    let known: State | undefined
    for (let step = 0; step < 120; step++) {
      const store = stores[upTo(2)]!
      const kind = random()
      if (known !== undefined && kind < 0.35 && reservations.length > 0) {
        const [reservation] = reservations.splice(upTo(reservations.length - 1), 1)
        const settlement: RateLimitStore.Settlement = {
          reservation: reservation!,
          used: random() < 0.2 ? {} : amounts(1, upTo(800)),
          told: random() < 0.5 ? undefined : {
            requests: { remaining: upTo(60) },
            tokens: { limit: random() < 0.5 ? undefined : 1_000 + upTo(9_000), remaining: upTo(6_000) }
          }
        }
        yield* store.settle(key, limits, settlement)
        const { state } = yield* outcomesOf(store, key, limits, TokenBuckets.nothing)
        const before = known
        const change = (moment: number) => TokenBuckets.settle(limits, before, settlement, moment)
        yield* expect(
          isAsSaidSince(limits, before, state, change),
          `step ${step}, a settlement: ${JSON.stringify(change(state.at))}`,
          state
        )
        known = state
      } else if (known !== undefined && kind < 0.4) {
        const millis = 1 + upTo(30)
        yield* store.pause(key, limits, Duration.millis(millis))
        const { state } = yield* outcomesOf(store, key, limits, TokenBuckets.nothing)
        const before = known
        const change = (moment: number) => TokenBuckets.pause(limits, before, millis, moment)
        yield* expect(
          isAsSaidSince(limits, before, state, change),
          `step ${step}, a pause: ${JSON.stringify(change(state.at))}`,
          state
        )
        known = state
      } else {
        const cost = amounts(1, random() < 0.1 ? upTo(9_000) : upTo(500))
        const { outcome, state } = yield* outcomesOf(store, key, limits, cost)
        const said = TokenBuckets.reserve(limits, known ?? TokenBuckets.initial(state.at), cost, state.at)
        yield* expect(outcome._tag === said._tag, `step ${step}: ${said._tag}`, outcome)
        yield* expect(isAsSaid(limits, state, said.state), `step ${step}: ${JSON.stringify(said.state)}`, state)
        if (outcome._tag === "Reserved" && said._tag === "Reserved") {
          const taken = isNear(outcome.reservation.cost.tokens, said.reservation.cost.tokens)
          yield* expect(taken, `step ${step}: ${JSON.stringify(said.reservation)}`, outcome.reservation)
          reservations.push(outcome.reservation)
        }
        if (outcome._tag === "Refused" && said._tag === "Refused") {
          const wait = Duration.toMillis(outcome.wait)
          yield* expect(Math.abs(wait - said.wait) <= 1, `step ${step}: a wait of ${said.wait} ms`, wait)
        }
        known = state
      }
    }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Among processes
// ---------------------------------------------------------------------------------------------------------------------

/** So slow that nothing refills during a check. */
const slow: RateLimitStore.Limits = { requests: 50, tokens: 5_000, burst: 1 }

const countOf = (outcomes: ReadonlyArray<Outcome>): number => outcomes.filter(({ _tag }) => _tag === "Reserved").length

const reserved = (outcome: Outcome, what: string): Effect.Effect<RateLimitStore.Reservation, Violation> =>
  outcome._tag === "Reserved"
    ? Effect.succeed(outcome.reservation)
    : Effect.zipRight(expect(false, what, outcome), Effect.never)

const refused = (outcome: Outcome, what: string): Effect.Effect<Extract<Outcome, { _tag: "Refused" }>, Violation> =>
  outcome._tag === "Refused" ? Effect.succeed(outcome) : Effect.zipRight(expect(false, what, outcome), Effect.never)

/** The checks of a store of rate limits. */
export const rateLimits = (harness: Harness<Store>): ReadonlyArray<StoreCheck> => {
  const { patience = 1_000, server } = harness
  const general = [
    ...[1, 2, 3].map((seed) =>
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
    make(
      "lets no more through than a limit, however many ask at once",
      Effect.gen(function*() {
        const stores = yield* members(harness, 4)
        const key = freshKey()
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, i) => stores[i % 4]!),
          (store) => store.reserve(key, slow, amounts(1, 10)),
          { concurrency: "unbounded" }
        )
        const count = countOf(outcomes)
        yield* expect(count >= 50 && count <= 52, "50 reservations, and what refilled", count)
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
      "gives back what was not used, for all members, and charges what was used beyond",
      Effect.gen(function*() {
        const [one, other] = yield* members(harness, 2)
        const key = freshKey()
        const all = yield* reserved(yield* one!.reserve(key, slow, amounts(1, 5_000)), "a reservation of all")
        yield* refused(yield* other!.reserve(key, slow, amounts(1, 1_000)), "a refusal while all is reserved")
        yield* one!.settle(key, slow, { reservation: all, used: amounts(1, 1_000), told: undefined })
        yield* refused(yield* other!.reserve(key, slow, amounts(1, 4_100)), "a refusal of more than was given back")
        yield* reserved(yield* other!.reserve(key, slow, amounts(1, 3_990)), "a reservation of what was given back")
      })
    ),
    make(
      "lets a pause that one member asks for hold for all, states its rest, and begins with nothing saved up",
      Effect.gen(function*() {
        const [one, other] = yield* members(harness, 2)
        const key = freshKey()
        yield* one!.pause(key, slow, Duration.millis(300))
        const { pausedFor, wait } = yield* refused(yield* other!.reserve(key, slow, amounts(1)), "a refusal")
        const millis = Duration.toMillis(pausedFor ?? 0)
        yield* expect(millis > 0 && millis <= 300, "the rest of the pause", millis)
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
      "leaves to a large request what it waits for, until its queue leaves the line",
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
      "counts the same, whatever the clocks of its members say",
      Effect.gen(function*() {
        const early = yield* withClockOff(-3_600_000)(harness.join)
        const late = yield* withClockOff(3_600_000)(harness.join)
        const key = freshKey()
        const half = amounts(25, 0)
        yield* reserved(yield* withClockOff(-3_600_000)(early.reserve(key, slow, half)), "a half")
        yield* reserved(yield* withClockOff(3_600_000)(late.reserve(key, slow, half)), "the other half")
        yield* refused(yield* withClockOff(-3_600_000)(early.reserve(key, slow, amounts(2))), "that all is used")
        yield* refused(yield* withClockOff(3_600_000)(late.reserve(key, slow, amounts(2))), "that all is used")
      })
    )
  ]
  if (server === undefined) return general

  const limits: RateLimitStore.Limits = { requests: 6_000, tokens: 6_000_000, burst: 1, concurrency: 100 }

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

  /** Asks until the server counts again: it is asked again now and then. */
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
