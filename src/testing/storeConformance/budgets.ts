import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as BudgetStore from "../../policy/budget/store.js"
import { expect, same, type Violation } from "../conformance/check.js"
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

type Store = BudgetStore.Service
type Result = Either.Either<BudgetStore.Reservation, BudgetStore.Refusal>

const claim = (
  scope: string,
  tokens: number,
  limits: BudgetStore.Limits,
  cost?: number
): BudgetStore.Claim => ({ scope, key: "", limits, estimate: { tokens, cost } })

const reserve = (store: Store, ...claims: ReadonlyArray<BudgetStore.Claim>): Effect.Effect<Result> =>
  Effect.either(store.reserve(claims))

const granted = (result: Result, what: string): Effect.Effect<BudgetStore.Reservation, Violation> =>
  Either.isRight(result)
    ? Effect.succeed(result.right)
    : Effect.zipRight(expect(false, what, result.left), Effect.never)

const refused = (result: Result, what: string): Effect.Effect<BudgetStore.Refusal, Violation> =>
  Either.isLeft(result)
    ? Effect.succeed(result.left)
    : Effect.zipRight(expect(false, what, "a reservation"), Effect.never)

const totals = (spent: BudgetStore.Spent) => ({ tokens: spent.tokens, cost: spent.cost, reserved: spent.reserved })

/** A refusal without its time. */
const said = (result: Result) => {
  if (Either.isRight(result)) return "granted"
  const refusal = result.left
  return refusal._tag === "TooLittleLeft"
    ? { unit: refusal.unit, limit: refusal.limit, left: refusal.left }
    : refusal._tag
}

/** The same operations on the store and on the one in memory. */
const asInMemory = (harness: Harness<Store>, seed: number) =>
  Effect.gen(function*() {
    const stores = yield* members(harness, 3)
    const memory = yield* BudgetStore.makeMemory
    const scope = freshKey()
    yield* Effect.forEach([...stores, memory], (store) => store.open(scope), { discard: true })
    const random = numbers(seed)
    const upTo = (most: number) => Math.floor(random() * (most + 1))
    const open: Array<readonly [BudgetStore.Reservation, BudgetStore.Reservation]> = []
    for (let step = 0; step < 150; step++) {
      const store = stores[upTo(2)]!
      const billed = {
        ...(random() < 0.8 && { tokens: upTo(1_500) }),
        ...(random() < 0.8 && { cost: upTo(2_000_000) / 1e9 })
      }
      if (random() < 0.5) {
        const limits: BudgetStore.Limits = {
          ...(random() < 0.9 && { tokens: 20_000 }),
          ...(random() < 0.9 && { dollars: 0.02 }),
          onUnknownPrice: random() < 0.5 ? "allow" : "refuse"
        }
        const asked = claim(scope, upTo(1_000), limits, random() < 0.9 ? upTo(1_000_000) / 1e9 : undefined)
        const [actual, expected] = [yield* reserve(store, asked), yield* reserve(memory, asked)]
        yield* same(`step ${step}`, said(actual), said(expected))
        if (Either.isRight(actual) && Either.isRight(expected)) open.push([actual.right, expected.right])
      } else if (open.length > 0 && random() < 0.9) {
        for (const reservation of open.splice(upTo(open.length - 1), 1)[0]!) {
          yield* reservation.settle(billed)
          // Only once.
          yield* reservation.settle(billed)
        }
      } else if (open.length > 0) {
        for (const reservation of open[upTo(open.length - 1)]!) yield* reservation.charge(billed)
      }
      const [actual, expected] = [yield* store.spent(scope), yield* memory.spent(scope)]
      yield* same(`step ${step}: the amount spent`, totals(actual), totals(expected))
    }
  })

/** The checks of a store of budgets. */
export const budgets = (harness: Harness<Store>): ReadonlyArray<StoreCheck> => {
  const { patience = 1_000, server } = harness

  const opened = (count: number, window?: Duration.Duration) =>
    Effect.gen(function*() {
      const stores = yield* members(harness, count)
      const scope = freshKey()
      yield* Effect.forEach(stores, (store) => store.open(scope, window), { discard: true })
      return { scope, stores }
    })

  const general = [
    ...[1, 2].map((seed) =>
      make(
        `decides and counts as the store in memory does, for any course of operations of three members (${seed})`,
        asInMemory(harness, seed)
      )
    ),
    make(
      "lets no more be reserved than a limit, however many ask at once",
      Effect.gen(function*() {
        const { scope, stores } = yield* opened(4)
        const results = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, i) => stores[i % 4]!),
          (store) => reserve(store, claim(scope, 10, { tokens: 305, dollars: 1 }, 0.01)),
          { concurrency: "unbounded" }
        )
        const count = results.filter(Either.isRight).length
        yield* expect(count === 30, "30 reservations of 10 of 305 tokens", count)
      })
    ),
    make(
      "counts money to the picodollar, beyond the precision of binary fractions",
      Effect.gen(function*() {
        const { scope, stores: [store] } = yield* opened(1)
        const limits = { dollars: 200_000.000000000003 }
        const large = yield* granted(yield* reserve(store!, claim(scope, 1, limits, 100_000.1)), "a reservation")
        yield* large.settle({ tokens: 1, cost: 100_000.2 })
        const more = yield* granted(
          yield* reserve(store!, claim(scope, 1, limits, 99_999.8)),
          "a reservation of the rest"
        )
        yield* more.settle({ tokens: 1, cost: 99_999.8 })
        yield* same("the amount spent", (yield* store!.spent(scope)).cost, 200_000)
        const [one, two] = [yield* opened(1), yield* opened(1)]
        for (const { scope, stores: [store] } of [one, two]) {
          for (let i = 0; i < 3; i++) {
            const tenth = yield* granted(yield* reserve(store!, claim(scope, 1, { dollars: 0.3 }, 0.1)), "a tenth")
            yield* tenth.settle({ tokens: 1, cost: 0.1 })
          }
          yield* refused(yield* reserve(store!, claim(scope, 1, { dollars: 0.3 }, 1e-12)), "that nothing is left")
          yield* same("the amount spent", (yield* store!.spent(scope)).cost, 0.3)
        }
      })
    ),
    make(
      "reserves in all accounts or in none",
      Effect.gen(function*() {
        const { scope, stores: [store] } = yield* opened(1)
        const full = freshKey()
        yield* store!.open(full)
        yield* granted(yield* reserve(store!, claim(full, 95, { tokens: 100 })), "a reservation")
        const both = [claim(scope, 10, { tokens: 100 }), claim(full, 10, { tokens: 100 })]
        const refusal = yield* refused(yield* reserve(store!, ...both), "that the second has no room")
        yield* expect(refusal._tag === "TooLittleLeft" && refusal.left === 5, "5 tokens left", refusal)
        const { reserved, tokens } = yield* store!.spent(scope)
        yield* same("the first account", { reserved: reserved.tokens, tokens }, { reserved: 0, tokens: 0 })
      })
    ),
    make(
      "counts the keys of a scope apart",
      Effect.gen(function*() {
        const { scope, stores: [store] } = yield* opened(1)
        const tenants = ["a", "b:c", "{", "}", ""]
        for (const key of tenants) {
          const asked = { ...claim(scope, 60, { tokens: 100 }), key }
          yield* granted(yield* reserve(store!, asked), "a reservation for each key")
          yield* refused(yield* reserve(store!, asked), "a refusal for each key")
        }
      })
    ),
    make(
      "begins anew with each window of the server's clock, regardless of its members' clocks, and drops older amounts",
      Effect.gen(function*() {
        const window = Duration.millis(700)
        const early = withClockOff(-3_600_000)
        const late = withClockOff(3_600_000)
        const { scope, stores: [one, other] } = yield* opened(2, window)
        const all = claim(scope, 100, { tokens: 100 })
        // At the very end of a window, the second would already be in the next one.
        const { refusal, reservation } = yield* Effect.repeat(
          Effect.gen(function*() {
            const reservation = yield* early(reserve(one!, all))
            return { reservation, refusal: yield* late(reserve(other!, all)) }
          }),
          { until: ({ refusal, reservation }) => Either.isRight(reservation) && Either.isLeft(refusal) }
        )
        const { renewedIn = Duration.zero } = {
          ...(Either.isLeft(refusal) && refusal.left._tag === "TooLittleLeft" && refusal.left)
        }
        const millis = Duration.toMillis(renewedIn)
        yield* expect(millis > 0 && millis <= 700, "the time until the next window", millis)
        yield* Effect.sleep(Duration.millis(millis + 5))
        const next = yield* granted(yield* late(reserve(other!, claim(scope, 40, { tokens: 100 }))), "a new window")
        yield* (yield* granted(reservation, "the first reservation")).settle({ tokens: 90 })
        yield* next.settle({ tokens: 30 })
        const { tokens } = yield* one!.spent(scope)
        yield* expect(tokens === 30 || tokens === 0, "30 tokens in the new window, or 0 in one still later", tokens)
      })
    ),
    make(
      "refuses another window for the same scope",
      Effect.gen(function*() {
        const { scope, stores: [store] } = yield* opened(1, Duration.hours(1))
        const exit = yield* Effect.exit(store!.open(scope, Duration.hours(2)))
        yield* expect(exit._tag === "Failure", "a defect", exit._tag)
      })
    )
  ]
  if (server === undefined) return general

  return [
    ...general,
    make(
      "spends nothing while the server hangs, says so in time, and goes on where it was",
      Effect.gen(function*() {
        const { scope, stores: [store] } = yield* opened(1)
        const asked = claim(scope, 60, { tokens: 100 })
        const first = yield* granted(yield* reserve(store!, asked), "a reservation")
        yield* server.hang
        yield* Effect.ensuring(
          Effect.gen(function*() {
            for (let i = 0; i < 3; i++) {
              const refusal = yield* refused(yield* inTime("reserve", patience, reserve(store!, asked)), "a refusal")
              yield* expect(refusal._tag === "Unavailable", "that the budget cannot be checked", refusal)
              yield* inTime("spent", patience, store!.spent(scope))
            }
          }),
          server.resume
        )
        const isBack = (result: Result) => Either.isRight(result) || result.left._tag !== "Unavailable"
        yield* refused(yield* onceBack(reserve(store!, asked), isBack), "that 60 are reserved")
        yield* first.settle({ tokens: 20 })
        yield* granted(yield* reserve(store!, asked), "a reservation of the returned amount")
      })
    ),
    ...(server.isLasting === true ?
      [
        make(
          "spends nothing while the server is gone, says so in time, and goes on where it was",
          Effect.gen(function*() {
            const { scope, stores: [store] } = yield* opened(1)
            const asked = claim(scope, 60, { tokens: 100 })
            const first = yield* granted(yield* reserve(store!, asked), "a reservation")
            yield* server.stop
            yield* Effect.ensuring(
              Effect.gen(function*() {
                for (let i = 0; i < 3; i++) {
                  const refusal = yield* refused(
                    yield* inTime("reserve", patience, reserve(store!, asked)),
                    "a refusal"
                  )
                  yield* expect(refusal._tag === "Unavailable", "that the budget cannot be checked", refusal)
                  yield* inTime("spent", patience, store!.spent(scope))
                }
              }),
              server.start
            )
            const isBack = (result: Result) => Either.isRight(result) || result.left._tag !== "Unavailable"
            yield* refused(yield* onceBack(reserve(store!, asked), isBack), "that 60 are reserved")
            yield* first.settle({ tokens: 20 })
            yield* granted(yield* reserve(store!, asked), "a reservation of the returned amount")
          })
        )
      ] :
      [
        make(
          "charges the whole bill of a request whose reservation was lost with the server's data",
          Effect.gen(function*() {
            const { scope, stores: [store] } = yield* opened(1)
            const first = yield* granted(yield* reserve(store!, claim(scope, 60, { tokens: 100 }, 1)), "a reservation")
            yield* server.stop
            yield* server.start
            const second = claim(scope, 10, { tokens: 100 }, 1)
            yield* granted(yield* onceBack(reserve(store!, second), Either.isRight), "a reservation")
            yield* first.settle({ tokens: 20, cost: 0.5 })
            const { cost, reserved, tokens } = yield* store!.spent(scope)
            yield* same("spent", { cost, tokens, reserved: reserved.tokens }, { cost: 0.5, tokens: 20, reserved: 10 })
          })
        )
      ])
  ]
}
