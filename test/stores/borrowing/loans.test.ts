import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as TokenBuckets from "../../../src/policy/rateLimit/tokenBuckets.js"
import * as Loans from "../../../src/stores/borrowing/loans.js"

type Amounts = TokenBuckets.Amounts

const amounts = (requests: number, tokens: number): Amounts => ({ requests, tokens, inputTokens: 0, outputTokens: 0 })

/** Twenty requests and 2,000 tokens a second, of which three seconds may be saved up. */
const limits: TokenBuckets.Limits = { requests: 1_200, tokens: 120_000, burst: 0.05 }
const settings = { hold: 1_000, slack: 250 }
const processes = 2

const termsOf = (limits: TokenBuckets.Limits, settings: Loans.Settings): Loans.Terms => {
  const terms = Loans.termsOf(limits, settings)
  assert(terms !== undefined)
  return terms
}

const terms = termsOf(limits, settings)

const dimensions = ["requests", "tokens"] as const

/** A request for more than the buckets of the lender hold is let through when they are full, and owes the rest. */
const fullTokens = Math.floor(120_000 * terms.limits.burst)

/** Processes with books of their own over the same buckets. */
class World {
  now = 0
  state = TokenBuckets.initial(0)
  readonly books: Array<Loans.Book> = Array.from({ length: processes }, () => Loans.empty)
  readonly underWay: Array<{ readonly process: number; readonly reservation: TokenBuckets.Reservation }> = []
  /** What was let through, by cost, and when. */
  readonly passed: Array<{ readonly at: number; readonly cost: Amounts }> = []
  /** What was let through and settled differently since. */
  corrected = amounts(0, 0)

  readonly pass = (process: number, cost: Amounts, newest?: "lent"): boolean => {
    const taken = Loans.take(this.books[process]!, terms, cost, this.now, newest)
    if (taken === undefined) return false
    this.books[process] = taken.book
    this.underWay.push({ process, reservation: taken.reservation })
    this.passed.push({ at: this.now, cost })
    return true
  }

  readonly ask = (process: number, cost: Amounts, waiting: number): void => {
    if (this.pass(process, cost)) return
    const book = this.books[process]!
    const group = amounts(cost.requests * waiting, cost.tokens * waiting)
    const size = Loans.sizeOf(book, terms, cost, group, 1 / processes, this.now)
    const outcome = TokenBuckets.reserve(terms.limits, this.state, size, this.now)
    this.state = outcome.state
    if (outcome._tag === "Refused") return
    this.books[process] = Loans.lend(book, terms, outcome.reservation, outcome.state, this.now, this.now)
    assert.isTrue(this.pass(process, cost, "lent"), "the request that a loan was taken for")
  }

  readonly end = (index: number, percent: number): void => {
    const [call] = this.underWay.splice(index % Math.max(1, this.underWay.length), 1)
    if (call === undefined) return
    const { process, reservation } = call
    const tokens = Math.round(reservation.cost.tokens * percent / 100)
    this.corrected = Loans.plus(this.corrected, amounts(0, tokens - reservation.cost.tokens))
    this.books[process] = Loans.settle(this.books[process]!, terms, {
      reservation,
      used: amounts(1, tokens),
      told: undefined
    })
  }

  readonly giveBack = (process: number, moment = this.now): void => {
    const { book, settlements } = Loans.collect(this.books[process]!, moment)
    this.books[process] = book
    for (const settlement of settlements) {
      this.state = TokenBuckets.settle(terms.limits, this.state, settlement, this.now)
    }
  }

  readonly wait = (millis: number): void => {
    const until = this.now + millis
    for (;;) {
      const dues = this.books.map((book) => Loans.dueAt(book, terms))
      const due = Math.min(...dues)
      if (due > until) break
      this.now = Math.max(this.now, due)
      dues.forEach((moment, process) => {
        if (moment <= this.now) this.giveBack(process)
      })
    }
    this.now = until
  }
}

type Command =
  | { readonly type: "ask"; readonly process: number; readonly tokens: number; readonly waiting: number }
  | { readonly type: "drain"; readonly process: number }
  | { readonly type: "end"; readonly call: number; readonly percent: number }
  | { readonly type: "giveBack"; readonly process: number }
  | { readonly type: "wait"; readonly millis: number }

const process = FastCheck.nat(processes - 1)

const commands = (
  percent: FastCheck.Arbitrary<number>,
  millis: FastCheck.Arbitrary<number>,
  mostTokens = 8_000
) =>
  FastCheck.array(
    FastCheck.oneof(
      {
        weight: 4,
        arbitrary: FastCheck.record({
          type: FastCheck.constant("ask" as const),
          process,
          tokens: FastCheck.oneof(FastCheck.nat(60), FastCheck.nat(mostTokens)),
          waiting: FastCheck.integer({ min: 1, max: 20 })
        })
      },
      { weight: 2, arbitrary: FastCheck.record({ type: FastCheck.constant("drain" as const), process }) },
      {
        weight: 3,
        arbitrary: FastCheck.record({ type: FastCheck.constant("end" as const), call: FastCheck.nat(), percent })
      },
      { weight: 1, arbitrary: FastCheck.record({ type: FastCheck.constant("giveBack" as const), process }) },
      { weight: 4, arbitrary: FastCheck.record({ type: FastCheck.constant("wait" as const), millis }) }
    ),
    { minLength: 10, maxLength: 80 }
  )

const run = (course: ReadonlyArray<Command>, after: (world: World) => void): World => {
  const world = new World()
  for (const command of course) {
    if (command.type === "ask") world.ask(command.process, amounts(1, command.tokens), command.waiting)
    if (command.type === "drain") { for (let i = 0; i < 80; i++) world.ask(command.process, amounts(1, 0), 10) }
    if (command.type === "end") world.end(command.call, command.percent)
    if (command.type === "giveBack") world.giveBack(command.process)
    if (command.type === "wait") world.wait(command.millis)
    after(world)
  }
  return world
}

const level = (state: TokenBuckets.State, dimension: "requests" | "tokens"): number =>
  state.buckets[dimension]?.level ?? terms.limits[dimension]! * terms.limits.burst

describe("Loans", () => {
  it("lose nothing and invent nothing: what is in the buckets, held, to be given back and used is always the same", () => {
    FastCheck.assert(FastCheck.property(
      commands(FastCheck.integer({ min: 0, max: 150 }), FastCheck.constant(0)),
      (course) => {
        const world = run(course, ({ books, corrected, passed, state }) => {
          for (const dimension of dimensions) {
            const held = books.flatMap(({ loans }) => loans).reduce((sum, { held }) => sum + held[dimension], 0)
            const returns = books.flatMap(({ returns }) => returns)
              .reduce((sum, { amounts }) => sum + amounts[dimension], 0)
            const used = passed.reduce((sum, { cost }) => sum + cost[dimension], 0) + corrected[dimension]
            assert.approximately(
              level(state, dimension) + held + returns + used,
              limits[dimension]! * terms.limits.burst,
              1e-6
            )
          }
        })
        // At the end all that was not used is back in the buckets.
        for (let process = 0; process < processes; process++) world.giveBack(process, Infinity)
        for (const dimension of dimensions) {
          const used = world.passed.reduce((sum, { cost }) => sum + cost[dimension], 0) + world.corrected[dimension]
          assert.approximately(level(world.state, dimension), limits[dimension]! * terms.limits.burst - used, 1e-6)
        }
      }
    ))
  })

  it("let no more through in any time than the burst and what refills, of all processes together", () => {
    FastCheck.assert(
      FastCheck.property(
        commands(FastCheck.constant(100), FastCheck.oneof(FastCheck.nat(900), FastCheck.nat(4_000)), fullTokens),
        (course) => {
          const { passed } = run(course, () => {})
          for (const dimension of dimensions) {
            const limit = limits[dimension]!
            // One bucket from which all is taken when it is used.
            let left = limit * limits.burst
            let at = 0
            for (const request of passed) {
              left = Math.min(limit * limits.burst, left + (request.at - at) / 60_000 * limit)
              at = request.at
              left -= request.cost[dimension]
              assert.isAtLeast(left, -1e-6)
            }
          }
        }
      ),
      { numRuns: 500 }
    )
  })

  it("hold nothing for longer than their time, and no more than the share of a process beyond its request", () => {
    FastCheck.assert(FastCheck.property(
      commands(FastCheck.integer({ min: 0, max: 150 }), FastCheck.nat(900)),
      (course) => {
        run(course, ({ books, now }) => {
          for (const { loans } of books) {
            for (const { held, lapsesAt } of loans) {
              assert.isAtMost(lapsesAt, now + settings.hold)
              for (const dimension of dimensions) {
                assert.isAtMost(held[dimension], limits[dimension]! * settings.hold / 60_000 / processes)
                assert.isAtLeast(held[dimension], 0)
              }
            }
          }
        })
      }
    ))
  })

  it("grow to what a process uses, so that its trips do not grow with its requests", () => {
    const tripsAt = (perSecond: number): number => {
      let book = Loans.empty
      let trips = 0
      const roomy = termsOf({ requests: 6_000_000, burst: 0.1 }, settings)
      for (let i = 0; i < perSecond * 10; i++) {
        const now = i / perSecond * 1_000
        const taken = Loans.take(book, roomy, amounts(1, 0), now)
        if (taken !== undefined) {
          book = taken.book
          continue
        }
        trips++
        const cost = Loans.sizeOf(book, roomy, amounts(1, 0), amounts(1, 0), 0.5, now)
        const reservation = { cost, left: {}, lowered: {}, pauses: 0 }
        book = Loans.lend(book, roomy, reservation, undefined, now, now)
        book = Loans.take(book, roomy, amounts(1, 0), now, "lent")!.book
      }
      return trips
    }
    const [few, many] = [tripsAt(100), tripsAt(10_000)]
    assert.isAtMost(few, 10 * 4)
    assert.isAtMost(many, 10 * 4 + 10)
  })

  it("are none for a single request now and then", () => {
    const size = Loans.sizeOf(Loans.empty, terms, amounts(1, 50), amounts(1, 50), 1 / processes, 0)
    assert.deepStrictEqual(size, amounts(1, 50))
  })

  it("are not made where places are counted, or where little may be saved up", () => {
    assert.isUndefined(Loans.termsOf({ ...limits, concurrency: 4 }, settings))
    assert.isUndefined(Loans.termsOf({ ...limits, burst: 0.5 / 60 }, settings))
    // Half of what may be saved up, at most.
    assert.strictEqual(Loans.termsOf({ ...limits, burst: 1 / 60 }, settings)?.hold, 250)
  })

  it("end at a pause, and what was reserved before it is not given back after it", () => {
    const world = new World()
    for (let i = 0; i < 4; i++) world.ask(0, amounts(1, 100), 20)
    assert.isNotEmpty(world.books[0]!.loans)
    world.state = TokenBuckets.pause(terms.limits, world.state, 0, world.now)
    // Another process hears of it with its next loan, which ends the earlier ones.
    world.wait(100)
    world.end(0, 0)
    const before = world.books[0]!
    const outcome = TokenBuckets.reserve(terms.limits, world.state, amounts(1, 100), world.now)
    assert(outcome._tag === "Reserved")
    const after = Loans.lend(before, terms, outcome.reservation, outcome.state, world.now, world.now)
    assert.deepStrictEqual(after.loans.map(({ held }) => held), [amounts(1, 100)])
    const { settlements } = Loans.collect(after, world.now)
    assert.lengthOf(settlements, 1)
    const settled = TokenBuckets.settle(terms.limits, outcome.state, settlements[0]!, world.now)
    assert.strictEqual(settled.buckets.tokens?.level, outcome.state.buckets.tokens?.level)
    assert.isEmpty(Loans.voided(after).loans)
  })

  it("pass on the provider's statement with the least rest, in comparison with the state known here", () => {
    const known = (left: number) => ({
      cost: amounts(1, 100),
      left: { tokens: left },
      lowered: { tokens: 0 },
      pauses: 0
    })
    const told = (remaining: number, limit?: number) => ({ tokens: { remaining, limit } })
    let book = Loans.empty
    for (
      const [left, remaining, limit] of [[9_000, 8_900, undefined], [8_900, 8_000, 50_000], [
        8_800,
        8_700,
        undefined
      ]] as const
    ) {
      book = Loans.settle(book, terms, { reservation: known(left), used: {}, told: told(remaining, limit) })
    }
    const { settlements } = Loans.collect(book, 0)
    assert.lengthOf(settlements, 1)
    assert.deepInclude(settlements[0]!.told?.tokens, { remaining: 8_000, limit: 50_000 })
    assert.strictEqual(settlements[0]!.reservation.left.tokens, 8_900)
  })
})
