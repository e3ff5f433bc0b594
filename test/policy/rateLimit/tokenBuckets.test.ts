import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as TokenBuckets from "../../../src/policy/rateLimit/tokenBuckets.js"

type Amounts = TokenBuckets.Amounts

const cost = (requests: number, tokens = 0): Amounts => ({ requests, tokens, inputTokens: 0, outputTokens: 0 })

const limits: TokenBuckets.Limits = { requests: 60, tokens: 6000, burst: 1 }

const fresh = TokenBuckets.initial(0)

/** The state after a reservation that must be possible. */
const taken = (state: TokenBuckets.State, amounts: Amounts, now: number, within = limits) => {
  const outcome = TokenBuckets.reserve(within, state, amounts, now)
  assert(outcome._tag === "Reserved", `Refused for ${outcome._tag === "Refused" ? outcome.wait : ""}`)
  return outcome
}

const waitFor = (state: TokenBuckets.State, amounts: Amounts, now: number, within = limits): number => {
  const outcome = TokenBuckets.reserve(within, state, amounts, now)
  return outcome._tag === "Refused" ? outcome.wait : 0
}

const settled = (
  { reservation, state }: Extract<TokenBuckets.Outcome, { readonly _tag: "Reserved" }>,
  used: Partial<Amounts>,
  now: number,
  told?: TokenBuckets.Told
) => TokenBuckets.settle(limits, state, { reservation, used, told }, now)

describe("tokenBuckets", () => {
  describe("a reservation", () => {
    it("takes from all dimensions or none, and a refusal says how long", () => {
      const { state } = taken(fresh, cost(10, 6000), 0)
      assert.strictEqual(waitFor(state, cost(1, 100), 0), 1000)
      // The 50 requests that are left are all still there.
      taken(state, cost(50, 0), 0)
      assert.strictEqual(waitFor(state, cost(51, 0), 0), 1000)
    })

    it("may be as large as the bucket, and larger than what it holds at once when that is full", () => {
      const small = { ...limits, burst: 0.1 }
      const { state } = taken(fresh, cost(1, 6000), 0, small)
      // It owes 5400, and then there must be 600.
      assert.strictEqual(waitFor(state, cost(1, 600), 0, small), 60_000)
      assert.strictEqual(waitFor(state, cost(1, 6000), 0, small), 60_000)
    })

    it("is not limited in what no limit is set for", () => {
      taken(fresh, { requests: 1, tokens: 1e12, inputTokens: 1e12, outputTokens: 1e12 }, 0, { requests: 1, burst: 1 })
    })
  })

  describe("the fill", () => {
    it("is what may be reserved at once, and full after the time that it states", () => {
      FastCheck.assert(FastCheck.property(
        FastCheck.integer({ min: 1, max: 600 }),
        FastCheck.double({ min: 0.05, max: 1, noNaN: true }),
        FastCheck.array(FastCheck.tuple(FastCheck.nat(40), FastCheck.nat(20_000))),
        (requests, burst, steps) => {
          const within = { requests, burst }
          let state = fresh
          let now = 0
          for (const [amount, after] of steps) {
            now += after
            state = TokenBuckets.reserve(within, state, cost(amount), now).state
            const { limit, remaining, untilFull } = TokenBuckets.fill(within, state, now).requests!
            assert.strictEqual(limit, Math.max(1, requests * burst))
            if (remaining > 0) assert.strictEqual(waitFor(state, cost(remaining), now, within), 0)
            if (remaining < limit - 0.01) assert.isAbove(waitFor(state, cost(remaining + 0.01), now, within), 0)
            const later = TokenBuckets.fill(within, state, now + Math.ceil(untilFull)).requests!
            assert.closeTo(later.remaining, limit, 1e-6)
          }
        }
      ))
    })

    it("counts a pause, in which nothing refills", () => {
      const state = TokenBuckets.pause(limits, taken(fresh, cost(30), 0).state, 5_000, 0)
      const { remaining, untilFull } = TokenBuckets.fill(limits, state, 1_000).requests!
      assert.deepStrictEqual([remaining, untilFull], [0, 64_000])
    })
  })

  describe("a settlement", () => {
    it("gives back what was not used, to the unit", () => {
      const state = settled(taken(fresh, cost(1, 5000), 0), { tokens: 1200 }, 0)
      assert.strictEqual(waitFor(state, cost(1, 4800), 0), 0)
      assert.strictEqual(waitFor(state, cost(1, 4801), 0), 10)
    })

    it("charges what was used beyond it, and so makes the next one wait", () => {
      const state = settled(taken(fresh, cost(1, 1000), 0), { tokens: 7000 }, 0)
      assert.strictEqual(waitFor(state, cost(1, 1), 0), 10_010)
    })

    it("gives nothing back of what is not known", () => {
      const state = settled(taken(fresh, cost(1, 6000), 0), {}, 0)
      assert.strictEqual(waitFor(state, cost(1, 6000), 0), 60_000)
    })

    it("makes no bucket fuller than full", () => {
      const state = settled(taken(fresh, cost(1, 6000), 0), { tokens: 0 }, 59_000)
      assert.strictEqual(waitFor(state, cost(1, 6000), 59_000), 0)
      assert.strictEqual(waitFor(taken(state, cost(1, 6000), 59_000).state, cost(1, 100), 59_000), 1000)
    })
  })

  describe("limits that the provider reports", () => {
    it("lowers the view to what is left there", () => {
      const state = settled(taken(fresh, cost(1, 100), 0), { tokens: 100 }, 0, { requests: { remaining: 5 } })
      assert.strictEqual(waitFor(state, cost(5, 1), 0), 0)
      assert.strictEqual(waitFor(state, cost(6, 1), 0), 1000)
    })

    it("never raises it", () => {
      const first = taken(fresh, cost(50, 5000), 0)
      const state = settled(first, {}, 0, {
        requests: { limit: 1e6, remaining: 1e6 },
        tokens: { limit: 1e9, remaining: 1e9 }
      })
      assert.strictEqual(waitFor(state, cost(11, 0), 0), 1000)
      assert.strictEqual(waitFor(state, cost(0, 1100), 0), 1000)
      // Nor its rate.
      assert.strictEqual(waitFor(state, cost(60, 0), 0), 50_000)
    })

    it("lowers the rate and what may be saved up to the provider's own limit, until it says otherwise", () => {
      const first = taken(fresh, cost(60), 0)
      const halved = settled(first, {}, 0, { requests: { limit: 30 } })
      assert.strictEqual(waitFor(halved, cost(1), 0), 2000)
      assert.strictEqual(waitFor(taken(halved, cost(30), 1e9).state, cost(1), 1e9), 2000)
      const again = taken(halved, cost(30), 1e9)
      const raised = settled(again, {}, 1e9, { requests: { limit: 100 } })
      assert.strictEqual(waitFor(raised, cost(1), 1e9), 1000)
    })

    it("counts once, however many answers that were on their way report it", () => {
      // Others had used 40 before the first of ten requests.
      let state = fresh
      const reservations: Array<TokenBuckets.Reservation> = []
      for (let i = 0; i < 10; i++) {
        const outcome = taken(state, cost(1), 0)
        state = outcome.state
        reservations.push(outcome.reservation)
      }
      for (const [i, reservation] of reservations.entries()) {
        state = TokenBuckets.settle(
          limits,
          state,
          { reservation, used: {}, told: { requests: { remaining: 19 - i } } },
          0
        )
      }
      assert.strictEqual(waitFor(state, cost(10), 0), 0)
      assert.strictEqual(waitFor(state, cost(11), 0), 1000)
    })

    it("is not taken for news when it is old, or of the moment of the answer", () => {
      const burst = taken(fresh, cost(60), 0)
      // Nothing was left when the request came, and there is half of it now.
      const old = settled(burst, {}, 30_000, { requests: { remaining: 0 } })
      assert.strictEqual(waitFor(old, cost(30), 30_000), 0)
      // 59 were left when the first came, and none is left now.
      const first = taken(fresh, cost(1), 0)
      const others = taken(first.state, cost(59), 0)
      const late = TokenBuckets.settle(limits, others.state, {
        reservation: first.reservation,
        used: {},
        told: { requests: { remaining: 0 } }
      }, 0)
      assert.strictEqual(waitFor(late, cost(1), 0), 1000)
    })

    it("is ignored where it makes no sense", () => {
      const state = settled(taken(fresh, cost(1), 0), {}, 0, { requests: { limit: 0 }, tokens: {} })
      assert.strictEqual(waitFor(state, cost(59), 0), 0)
    })
  })

  describe("a pause", () => {
    it("lets nothing through until it is over, and begins with nothing saved up", () => {
      const state = TokenBuckets.pause(limits, fresh, 10_000, 0)
      assert.strictEqual(waitFor(state, cost(1), 4000), 7000)
      assert.strictEqual(waitFor(state, cost(1), 10_000), 1000)
      taken(state, cost(1), 11_000)
    })

    it("is as long as the longest", () => {
      const long = TokenBuckets.pause(limits, fresh, 10_000, 0)
      const state = TokenBuckets.pause(limits, TokenBuckets.pause(limits, long, 2000, 1000), 3000, 2000)
      assert.strictEqual(waitFor(state, cost(1), 2000), 9000)
      assert.strictEqual(waitFor(TokenBuckets.pause(limits, state, 9000, 5000), cost(1), 5000), 10_000)
    })

    it("holds where nothing else is limited", () => {
      const state = TokenBuckets.pause({ burst: 1 }, fresh, 500, 0)
      assert.strictEqual(waitFor(state, cost(1), 200, { burst: 1 }), 300)
      assert.strictEqual(waitFor(state, cost(1), 500, { burst: 1 }), 0)
    })

    it("forgets what was set aside before it, but not what was used beyond that", () => {
      const outcome = taken(fresh, cost(1, 3000), 0)
      const after = (used: number) =>
        TokenBuckets.settle(
          limits,
          TokenBuckets.pause(limits, outcome.state, 1000, 0),
          { reservation: outcome.reservation, used: { tokens: used }, told: undefined },
          1000
        )
      assert.strictEqual(waitFor(after(0), cost(0, 100), 1000), 1000)
      assert.strictEqual(waitFor(after(3100), cost(0, 100), 1000), 2000)
    })
  })

  describe("with the longest pause that a number from outside may cause", () => {
    const tenMinutes = 600_000
    const bounded = { ...limits, maxPause: tenMinutes }
    const settle = (
      outcome: ReturnType<typeof taken>,
      used: Partial<Amounts>,
      told?: TokenBuckets.Told,
      within: TokenBuckets.Limits = bounded
    ) => TokenBuckets.settle(within, outcome.state, { reservation: outcome.reservation, used, told }, 0)

    it("charge an absurd use with no more than that", () => {
      for (const tokens of [1e9, Infinity]) {
        const state = settle(taken(fresh, cost(1, 100), 0, bounded), { tokens })
        assert.strictEqual(waitFor(state, cost(1, 6000), 0, bounded), tenMinutes)
        // An honest use counts whole.
        const honest = settle(taken(fresh, cost(1, 100), 0, bounded), { tokens: 30_000 })
        assert.strictEqual(waitFor(honest, cost(1, 6000), 0, bounded), 300_000)
      }
    })

    it("believe no remaining number that is absurd", () => {
      const state = settle(taken(fresh, cost(1, 100), 0, bounded), {}, { tokens: { remaining: -1e9 } })
      assert.strictEqual(waitFor(state, cost(1, 6000), 0, bounded), tenMinutes)
    })

    it("let requests of any size through within it, whatever limit the provider states", () => {
      for (const limit of [1, 0.001]) {
        let state = settle(taken(fresh, cost(1, 55), 0, bounded), {}, { tokens: { limit } })
        let now = 0
        for (let i = 0; i < 3; i++) {
          const wait = waitFor(state, cost(1, 55), now, bounded)
          assert.isAtMost(wait, tenMinutes)
          now += wait
          state = taken(state, cost(1, 55), now, bounded).state
        }
      }
    })

    it("keep to their own limits all the same, however short it is", () => {
      const small = { ...limits, burst: 0.1, maxPause: 1000 }
      const state = settle(taken(fresh, cost(1, 6000), 0, small), { tokens: 6000 }, undefined, small)
      assert.strictEqual(waitFor(state, cost(1, 600), 0, small), 60_000)
    })
  })

  it("let no time pass when the clock goes back", () => {
    const { state } = taken(TokenBuckets.initial(1e6), cost(60), 1e6)
    assert.strictEqual(waitFor(state, cost(1), 0), 1000)
    const later = TokenBuckets.settle(
      limits,
      state,
      { reservation: taken(fresh, cost(0), 0).reservation, used: {}, told: undefined },
      0
    )
    taken(later, cost(1), 1000)
  })

  describe("for any course of events", () => {
    const amounts = FastCheck.record({ requests: FastCheck.nat(5), tokens: FastCheck.nat(900) })
    const steps = FastCheck.array(
      FastCheck.record({
        wait: FastCheck.oneof(FastCheck.constant(0), FastCheck.nat(500), FastCheck.nat(20_000)),
        asked: amounts,
        /** What was used of it, in percent; nothing: not known. */
        used: FastCheck.option(FastCheck.nat(100), { nil: undefined }),
        pause: FastCheck.option(FastCheck.nat(5000), { nil: undefined, freq: 12 })
      }),
      { maxLength: 80 }
    )
    const within = FastCheck.record({
      requests: FastCheck.integer({ min: 5, max: 100 }),
      tokens: FastCheck.integer({ min: 900, max: 10_000 }),
      burst: FastCheck.constantFrom(1, 0.5, 0.1)
    })

    it("no span of time sees more than the burst and what refills in it, and a wait is as short as it can be", () => {
      FastCheck.assert(FastCheck.property(within, steps, (limits, steps) => {
        let now = 0
        let state = TokenBuckets.initial(0)
        const log: Array<{ readonly at: number; readonly used: Amounts }> = []
        for (const { asked, pause, used, wait } of steps) {
          now += wait
          if (pause !== undefined) state = TokenBuckets.pause(limits, state, pause, now)
          const before = JSON.stringify(state)
          const needed = cost(asked.requests, asked.tokens)
          const outcome = TokenBuckets.reserve(limits, state, needed, now)
          assert.strictEqual(JSON.stringify(state), before)
          if (outcome._tag === "Refused") {
            assert.isTrue(Number.isInteger(outcome.wait) && outcome.wait > 0)
            // After it there is enough, and not a millisecond earlier.
            assert.strictEqual(TokenBuckets.reserve(limits, state, needed, now + outcome.wait)._tag, "Reserved")
            assert.strictEqual(TokenBuckets.reserve(limits, state, needed, now + outcome.wait - 1)._tag, "Refused")
            continue
          }
          const tokens = used === undefined ? asked.tokens : Math.floor(asked.tokens * used / 100)
          state = used === undefined ? outcome.state : TokenBuckets.settle(
            limits,
            outcome.state,
            { reservation: outcome.reservation, used: { tokens }, told: undefined },
            now
          )
          log.push({ at: now, used: cost(asked.requests, tokens) })
        }
        for (const dimension of ["requests", "tokens"] as const) {
          const limit = limits[dimension]
          for (let from = 0; from < log.length; from++) {
            let sum = 0
            for (const { at, used } of log.slice(from)) {
              sum += used[dimension]
              const time = (at - (log[from]?.at ?? 0)) / 60_000
              // One that is larger than the burst may begin when that is full.
              const most = Math.max(limit * limits.burst, dimension === "requests" ? 5 : 900)
              assert.isAtMost(
                sum,
                most + limit * time + 1e-3 + (dimension === "requests" ? 5 : 900) * (limits.burst < 1 ? 1 : 0)
              )
            }
          }
        }
      }))
    })

    it("tokens that are set aside and given back leave the bucket as if there had been no request", () => {
      FastCheck.assert(FastCheck.property(within, steps, (limits, steps) => {
        let now = 0
        let state = TokenBuckets.initial(0)
        let untouched = TokenBuckets.initial(0)
        for (const { asked, pause, wait } of steps) {
          now += wait
          if (pause !== undefined) {
            state = TokenBuckets.pause(limits, state, pause, now)
            untouched = TokenBuckets.pause(limits, untouched, pause, now)
          }
          const outcome = TokenBuckets.reserve(limits, state, cost(asked.requests, asked.tokens), now)
          if (outcome._tag === "Reserved") {
            const used = { requests: 0, tokens: 0 }
            state = TokenBuckets.settle(
              limits,
              outcome.state,
              { reservation: outcome.reservation, used, told: undefined },
              now
            )
          }
        }
        for (const amounts of [cost(1), cost(limits.requests), cost(0, limits.tokens)]) {
          assert.strictEqual(waitFor(state, amounts, now, limits), waitFor(untouched, amounts, now, limits))
        }
      }))
    })

    it("limits that the provider reports never make a wait shorter", () => {
      const told = FastCheck.record({
        limit: FastCheck.option(FastCheck.nat(200), { nil: undefined }),
        remaining: FastCheck.option(FastCheck.nat(200), { nil: undefined })
      })
      FastCheck.assert(FastCheck.property(within, steps, told, (limits, steps, requests) => {
        let now = 0
        let state = TokenBuckets.initial(0)
        for (const { asked, wait } of steps) {
          now += wait
          const outcome = TokenBuckets.reserve(limits, state, cost(asked.requests, asked.tokens), now)
          if (outcome._tag === "Refused") continue
          const settle = (told: TokenBuckets.Told | undefined) =>
            TokenBuckets.settle(limits, outcome.state, { reservation: outcome.reservation, used: {}, told }, now)
          const silent = waitFor(settle(undefined), cost(1), now, limits)
          assert.isAtLeast(waitFor(settle({ requests }), cost(1), now, limits), silent)
          state = settle(undefined)
        }
      }))
    })
  })
})
