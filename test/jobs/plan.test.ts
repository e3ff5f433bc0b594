import { assert, describe, it } from "@effect/vitest"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"

const options = { requests: 1_000, cost: 2, batch: {}, flex: {} } satisfies LlmBatch.PlanOptions

const factor = FastCheck.double({ min: 0.05, max: 1.5, noNaN: true })

const optional = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })

const anyOptions: FastCheck.Arbitrary<LlmBatch.PlanOptions> = FastCheck.record({
  requests: FastCheck.integer({ min: 0, max: 1_000_000 }),
  tokens: optional(FastCheck.integer({ min: 0, max: 1e9 })),
  cost: optional(FastCheck.double({ min: 0, max: 10_000, noNaN: true })),
  budget: optional(FastCheck.double({ min: 0, max: 10_000, noNaN: true })),
  concurrency: optional(FastCheck.integer({ min: 1, max: 1_000 })),
  latency: optional(FastCheck.integer({ min: 1, max: 120_000 })),
  requestsPerMinute: optional(FastCheck.integer({ min: 1, max: 10_000 })),
  tokensPerMinute: optional(FastCheck.integer({ min: 1, max: 10_000_000 })),
  flex: optional(FastCheck.record({
    factor: optional(factor),
    slowdown: optional(FastCheck.double({ min: 0.5, max: 20, noNaN: true }))
  })),
  batch: optional(FastCheck.record({
    factor: optional(factor),
    within: optional(FastCheck.integer({ min: 1, max: 100_000_000 }))
  }))
})

const anyDeadline = FastCheck.integer({ min: 0, max: 400_000_000 })

const ordinary = { ...options, cost: 1 }

describe("LlmBatch.plan", () => {
  it("gives a job that can wait to the batch API, and one that cannot to calls", () => {
    const wayWithin = (deadline: Duration.DurationInput) => LlmBatch.plan({ ...options, deadline }).way
    assert.deepStrictEqual(
      ["3 days", "24 hours", "23 hours", "2 hours", "15 minutes", "1 minute"].map((deadline) =>
        wayWithin(deadline as Duration.DurationInput)
      ),
      ["batch", "batch", "flex", "flex", "calls", "calls"]
    )
  })

  it("takes the batch API where nothing is said about the time, and calls where there is nothing cheaper", () => {
    assert.strictEqual(LlmBatch.plan(options).way, "batch")
    assert.strictEqual(LlmBatch.plan({ requests: 1_000 }).way, "calls")
    assert.strictEqual(LlmBatch.plan({ ...options, batch: { factor: 1 }, flex: undefined }).way, "calls")
  })

  it("says why in sentences", () => {
    assert.deepStrictEqual(LlmBatch.plan({ ...options, deadline: "15 minutes", budget: 1.5 }).reasons, [
      "There are 1,000 requests.",
      "Calls take about 10 min 30 s and cost about $2.00.",
      "A batch takes at most 24 h 0 min and costs about $1.00: too late, the results are wanted within 15 min 0 s.",
      "Calls of the tier flex may take 31 min 30 s and cost about $1.00: too late, the results are wanted within 15 min 0 s.",
      "Calls are the cheapest way that is in time.",
      "The budget of $1.50 is not enough: the job is halted once it is spent."
    ])
    assert.deepStrictEqual(LlmBatch.plan({ requests: 5, batch: {}, budget: 1 }).reasons, [
      "There are 5 requests.",
      "Calls take about 10 s and cost the ordinary price.",
      "A batch takes at most 24 h 0 min and costs 0.5 of the ordinary price.",
      "Nothing is said about the time, so a batch it is: no way is cheaper.",
      "Whether the budget of $1.00 is enough is not known, as no price is."
    ])
    const late = LlmBatch.plan({ ...options, deadline: "1 minute" })
    assert.deepStrictEqual([late.isInTime, late.reasons.at(-1)], [false, "No way is in time: calls are the fastest."])
  })

  it("keeps to the limits of an account", () => {
    const time = (limits: Partial<LlmBatch.PlanOptions>) =>
      Duration.toMinutes(LlmBatch.plan({ requests: 1_000, concurrency: 1_000, ...limits }).time)
    assert.strictEqual(time({}), 1 / 6)
    assert.strictEqual(time({ requestsPerMinute: 50 }), 20)
    assert.strictEqual(time({ requestsPerMinute: 50, tokens: 3_000_000, tokensPerMinute: 100_000 }), 30)
  })

  it("never costs more for a later deadline", () => {
    FastCheck.assert(FastCheck.property(anyOptions, anyDeadline, anyDeadline, (options, a, b) => {
      const [sooner, later] = a < b ? [a, b] : [b, a]
      const cost = (deadline: number) => LlmBatch.plan({ ...options, cost: 1, deadline }).cost ?? NaN
      assert.isAtMost(cost(later), cost(sooner))
    }))
  })

  it("is in time if any way is", () => {
    FastCheck.assert(FastCheck.property(anyOptions, anyDeadline, (options, deadline) => {
      const { isInTime, ways } = LlmBatch.plan({ ...options, deadline })
      assert.strictEqual(isInTime, ways.some(({ isInTime }) => isInTime))
    }))
  })

  it("is within the budget if any way is that is in time", () => {
    FastCheck.assert(FastCheck.property(anyOptions, anyDeadline, (options, deadline) => {
      const { budget = Infinity } = options
      const { isInTime, isWithinBudget, ways } = LlmBatch.plan({ ...options, deadline })
      const fits = ways.some(({ cost = 0, isInTime }) => isInTime && cost <= budget)
      if (isInTime) assert.strictEqual(isWithinBudget, fits)
    }))
  })

  it("names an option that makes no sense", () => {
    const wrong = (given: Partial<LlmBatch.PlanOptions>) => {
      assert.throws(() => LlmBatch.plan({ ...ordinary, ...given }), new RegExp(Object.keys(given)[0]!))
    }
    wrong({ requests: -1 })
    wrong({ cost: NaN })
    wrong({ budget: -1 })
    wrong({ deadline: -5 })
    wrong({ concurrency: 0 })
    wrong({ requestsPerMinute: 0 })
    wrong({ batch: { factor: -1 } })
    wrong({ flex: { slowdown: 0 } })
  })
})
