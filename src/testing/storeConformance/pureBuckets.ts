import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as RateLimitStore from "../../policy/rateLimit/RateLimitStore.js"
import * as TokenBuckets from "../../policy/rateLimit/tokenBuckets.js"
import { expect } from "../conformance/check.js"
import { freshKey, type Harness, members, numbers } from "./check.js"

type Store = RateLimitStore.Service
type State = RateLimitStore.State

/** Amounts of requests and tokens. */
export const amounts = (requests: number, tokens = 0): RateLimitStore.Amounts => ({
  requests,
  tokens,
  inputTokens: 0,
  outputTokens: 0
})

const epsilon = 1e-6

const isNear = (one: number, other: number): boolean => Math.abs(one - other) <= epsilon * Math.max(1, Math.abs(one))

/** Whether buckets agree with the pure functions. An absent bucket counts as full. */
const isAsSaid = (limits: RateLimitStore.Limits, actual: State, said: State): boolean =>
  isNear(actual.pause, said.pause) &&
  (["requests", "tokens", "inputTokens", "outputTokens"] as const).every((dimension) => {
    const [found, expected] = [actual.buckets[dimension], said.buckets[dimension]]
    if (limits[dimension] === undefined || expected === undefined) return true
    return found !== undefined && isNear(found.level, expected.level) && isNear(found.lowered, expected.lowered) &&
      found.told === expected.told
  })

/** Whether they agree with an operation at some unknown millisecond since a moment. */
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

/** The outcome of a reservation, with the state of the buckets after it. */
export const outcomeOf = (store: Store, key: string, limits: RateLimitStore.Limits, cost: RateLimitStore.Amounts) =>
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

/** Lets three members do random operations, and compares each outcome with that of the pure functions. */
export const asThePureFunctions = (harness: Harness<Store>, seed: number, limits: RateLimitStore.Limits) =>
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
        const { state } = yield* outcomeOf(store, key, limits, TokenBuckets.nothing)
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
        const { state } = yield* outcomeOf(store, key, limits, TokenBuckets.nothing)
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
        const { outcome, state } = yield* outcomeOf(store, key, limits, cost)
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
