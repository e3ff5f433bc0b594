import { assert, describe, it } from "@effect/vitest"
import type * as LlmBatch from "effect-llm/LlmBatch"
import { dollars, duration } from "../../../src/jobs/amounts.js"
import { progressLine, statusLine } from "../../../src/jobs/command/progressLine.js"

const progress = (fields: Partial<LlmBatch.Progress>): LlmBatch.Progress => ({
  id: "rivers",
  operation: "call",
  status: "running",
  total: 2_000,
  succeeded: 0,
  failed: 0,
  pending: 2_000,
  pass: 1,
  usage: { inputTokens: 0, outputTokens: 0 },
  cost: 0,
  unpriced: 0,
  interrupted: { requests: 0, cost: 0 },
  submittedAt: 0,
  ...fields
})

describe("progressLine", () => {
  it("shows how much is done, the rate, the cost, and the time left", () => {
    const earlier = { at: 10_000, progress: progress({ succeeded: 100, pending: 1_900 }) }
    const now = { at: 15_000, progress: progress({ succeeded: 490, failed: 10, pending: 1_500, cost: 0.0123456 }) }
    assert.strictEqual(
      progressLine(earlier, now, 8),
      "██░░░░░░ 500/2,000 · 10 failed · 80/s · $0.0123 · 19 s left"
    )
  })

  it("leaves out what is not known yet", () => {
    const now = { at: 0, progress: progress({}) }
    assert.strictEqual(progressLine(now, now, 4), "░░░░ 0/2,000 · $0")
  })

  it("shows a job without requests as done", () => {
    const now = { at: 0, progress: progress({ total: 0, pending: 0 }) }
    assert.strictEqual(progressLine(now, now, 4), "████ 0/0 · $0")
  })
})

describe("statusLine", () => {
  it("names what was lost, and why a job was halted", () => {
    assert.strictEqual(
      statusLine(progress({
        status: "halted",
        succeeded: 3,
        interrupted: { requests: 12, cost: 1 },
        unpriced: 2,
        halted: { message: "no key" }
      })),
      "rivers: halted · 3 of 2,000 answered · $0, 2 answers without a known price, " +
        "up to 12 requests lost when it was interrupted · no key"
    )
  })
})

it("shows how far batches are", () => {
  const batches = { count: 2, requests: 2_000, answered: 1_200 }
  const now = { at: 0, progress: progress({ batches }) }
  assert.strictEqual(progressLine(now, now, 4), "░░░░ 0/2,000 · 2 batches at the service: 1,200/2,000 · $0")
  assert.match(statusLine(progress({ batches: { ...batches, count: 1 } })), /1 batch at the service: 1,200\/2,000$/)
})

it("durations and amounts of money are as a person reads them", () => {
  assert.deepStrictEqual([0.2, 59, 61, 3_599, 7_260].map(duration), [
    "1 s",
    "59 s",
    "1 min 1 s",
    "59 min 59 s",
    "2 h 1 min"
  ])
  assert.deepStrictEqual([0, 0.000000123456, 0.5, 12.346].map(dollars), ["$0", "$0.000000123", "$0.5", "$12.35"])
})
