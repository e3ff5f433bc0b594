import { assert, describe, it } from "@effect/vitest"
import { type Scenario, simulate } from "../../support/borrowSimulation.js"

/** A hundred processes that ask for 10,000 requests a second together. */
const scenario: Scenario = {
  processes: 100,
  demand: () => 100,
  limit: 9_000,
  burst: 3_000,
  hold: 1_000,
  duration: 6_000,
  from: 3_000,
  network: 0.25,
  work: 0.028,
  workInLine: 0.0014,
  seed: 1
}

describe("borrowing, of many processes in virtual time", () => {
  it("keeps to the limit and lets through what it allows, in equal parts, on few trips", () => {
    const { fairness, leastLeft, served, trips, wait } = simulate(scenario)
    assert.isAtLeast(leastLeft, -1e-6)
    assert.isAtLeast(served, 0.97 * scenario.limit)
    assert.isAtLeast(fairness, 0.95)
    assert.isAtMost(trips, 4 * scenario.processes)
    assert.isAtMost(wait.longest, 2_500)
  })

  it("gives processes that ask for little all they ask for, and those that ask for more the rest in equal parts", () => {
    const { fairness, leastLeft, served } = simulate({
      ...scenario,
      demand: (process) => process < 10 ? 526 : 52.6
    })
    assert.isAtLeast(leastLeft, -1e-6)
    assert.isAtLeast(served, 0.97 * scenario.limit)
    assert.isAtLeast(fairness, 0.95)
  })

  it("lets requests wait for nothing where the limit is not reached", () => {
    const { served, trips, wait } = simulate({ ...scenario, limit: 15_000 })
    assert.isAtLeast(served, 9_700)
    assert.isAtMost(wait.p99, 2)
    assert.isAtMost(trips, 3 * scenario.processes)
  })

  it("spares the trips that grow with the requests", () => {
    const [few, many] = [100, 300].map((each) =>
      simulate({ ...scenario, demand: () => each, limit: 110 * each, duration: 4_000, from: 2_000 })
    )
    assert.isAtMost(many!.trips, 1.2 * few!.trips)
    const without = simulate({ ...scenario, hold: undefined, duration: 2_000, from: 1_000 })
    assert.isAtLeast(without.trips, 10 * few!.trips)
  })
})
