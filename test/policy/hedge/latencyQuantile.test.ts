import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as LatencyQuantile from "../../../src/policy/hedge/latencyQuantile.js"

const settings = { quantile: 0.95, window: 1_000, minimum: 1 }

describe("latencyQuantile", () => {
  it.prop(
    "is the value of that rank, or up to 5% more",
    [
      FastCheck.array(FastCheck.integer({ min: 0, max: 10_000_000 }), { minLength: 1 }),
      FastCheck.integer({ min: 1, max: 99 })
    ],
    ([values, percent]) => {
      const quantile = percent / 100
      const latencies = LatencyQuantile.make({ ...settings, quantile })
      for (const value of values) latencies.record("a", value, 0)
      const sorted = [...values].sort((a, b) => a - b)
      const exact = sorted[Math.ceil(quantile * values.length - 1e-9) - 1]!
      const estimate = latencies.estimate("a", 0)!
      assert.isAtLeast(estimate, exact * (1 - 1e-9))
      assert.isAtMost(estimate, Math.max(1, exact * 1.05 * (1 + 1e-9)))
    }
  )

  it("knows nothing before there is enough, of each key by itself", () => {
    const latencies = LatencyQuantile.make({ ...settings, minimum: 3 })
    for (const millis of [10, 20]) latencies.record("a", millis, 0)
    assert.isUndefined(latencies.estimate("a", 0))
    latencies.record("a", 30, 0)
    assert.closeTo(latencies.estimate("a", 0)!, 30, 1.5)
    assert.isUndefined(latencies.estimate("b", 0))
  })

  it("looks back for one window at least, and less than two", () => {
    const latencies = LatencyQuantile.make(settings)
    for (let i = 0; i < 100; i++) latencies.record("a", 500, 0)
    latencies.record("a", 10, 1_000)
    assert.isAbove(latencies.estimate("a", 1_999)!, 400)
    assert.closeTo(latencies.estimate("a", 2_000)!, 10, 1)
    assert.isUndefined(latencies.estimate("a", 4_000))
  })

  it("takes times beyond all measure for the longest it knows", () => {
    const latencies = LatencyQuantile.make(settings)
    latencies.record("a", 1e15, 0)
    assert.isAbove(latencies.estimate("a", 0)!, 7 * 24 * 3_600_000)
  })

  it("remembers no more keys than any program has", () => {
    const latencies = LatencyQuantile.make(settings)
    for (let i = 0; i <= 1_000; i++) latencies.record(`model-${i}`, 10, 0)
    assert.isUndefined(latencies.estimate("model-0", 0))
    assert.isDefined(latencies.estimate("model-1000", 0))
  })
})
