import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as Duration from "effect/Duration"
import * as Policies from "../../src/inspector/policies.js"
import type { Stamped } from "../../src/inspector/timeline.js"
import { respond } from "../support/samples.js"
import { at, common, failed, failing, fellBack, queued, waited } from "./history.js"

const after = (...events: ReadonlyArray<Stamped>) => events.reduce(Policies.step, Policies.empty)

const { model, provider } = common("a")

describe("the reports of policies", () => {
  it("has the state of each circuit, and when an open one lets a probe through", () => {
    const opened = at(1_000, LlmEvent.CircuitOpened({ ...common("a"), openFor: Duration.seconds(2) }))
    const stateOf = (...events: ReadonlyArray<Stamped>) => after(...events).circuits.get("openai/gpt-4o-mini")
    assert.deepStrictEqual(stateOf(opened), { provider, model, state: "open", until: 3_000, openings: 1 })
    const half = at(3_000, LlmEvent.CircuitHalfOpened(common("b")))
    assert.strictEqual(stateOf(opened, half)?.state, "half open")
    assert.strictEqual(stateOf(opened, half, at(3_100, LlmEvent.CircuitClosed(common("b"))))?.state, "closed")
    assert.strictEqual(stateOf(opened, half, opened)?.openings, 2)
  })

  it("has what budgets have spent and have left", () => {
    const spent = (more: Partial<LlmEvent.BudgetSpent>) =>
      at(0, LlmEvent.BudgetSpent({ ...common("a"), scope: "day", tokens: 30, ...more }))
    assert.deepStrictEqual(
      Array.from(
        after(spent({ tokensLeft: 70 }), spent({ cost: 0.25, costLeft: 9, tokensLeft: 40 }), spent({})).budgets
      ),
      [["day", { scope: "day", tokens: 90, cost: 0.25, tokensLeft: 40, costLeft: 9 }]]
    )
  })

  it("has the waits in the queue of a limit", () => {
    const [limit] = after(at(0, queued("a")), at(100, waited("a", 100)), at(400, waited("b", 300))).limits.values()
    assert.deepStrictEqual([limit?.waits, limit?.waited, limit?.longest], [2, 400, 300])
  })

  it("has what the program's own limits held after the last attempt", () => {
    const used = (running: number, left: LlmEvent.RateLimitUsed["left"]) =>
      LlmEvent.RateLimitUsed({ ...common("a"), running, concurrency: 8, left })
    const after40 = used(3, {
      requests: { limit: 60, remaining: 20, resetAfter: Duration.seconds(40) },
      inputTokens: { limit: 1_000, remaining: -5, resetAfter: Duration.seconds(61) }
    })
    const [limit] = after(at(0, used(1, {})), at(1_000, after40)).limits.values()
    assert.deepStrictEqual(limit?.own, {
      running: 3,
      concurrency: 8,
      buckets: [
        { name: "requests", limit: 60, remaining: 20, at: 1_000, until: 41_000 },
        { name: "input tokens", limit: 1_000, remaining: -5, at: 1_000, until: 62_000 }
      ]
    })
  })

  it("has what the headers of an answer say, the scarcest of input and output tokens", () => {
    const response = respond("Elbe", {
      provider: "openai",
      rateLimit: {
        requests: { limit: 500, remaining: 499, resetAfter: Duration.millis(120) },
        inputTokens: { limit: 1_000, remaining: 900 },
        outputTokens: { limit: 400, remaining: 300 }
      }
    })
    const ok = LlmEvent.CallOk({ ...common("a"), attempt: 1, latency: Duration.zero, response })
    const plain = LlmEvent.CallOk({ ...common("a"), attempt: 1, latency: Duration.zero, response: respond("Elbe") })
    const limit = after(at(1_000, ok), at(2_000, plain)).limits.get("openai/gpt-4o-mini")
    assert.deepStrictEqual(limit?.requests, { limit: 500, remaining: 499, until: 1_120 })
    assert.deepStrictEqual(limit?.tokens, { limit: 400, remaining: 300, until: undefined })
  })

  it("has the Retry-After of a refusal, also of a target that another one stood in for", () => {
    const refusal = failed(LlmError.RateLimited.make({ retryAfter: Duration.seconds(3) }))
    for (const event of [failing("a", 1, true, refusal), fellBack("a", "south/haiku", refusal)]) {
      assert.strictEqual(after(at(500, event)).limits.get("openai/gpt-4o-mini")?.pausedUntil, 3_500)
    }
    assert.strictEqual(after(at(500, failing("a", 1))).limits.size, 0)
  })

  it("has the last problem of each store", () => {
    const down = (problem: string) => LlmEvent.StoreUnavailable({ ...common("a"), store: "budgets", problem })
    const { stores } = after(at(0, down("ECONNREFUSED")), at(9, down("timed out")))
    assert.deepStrictEqual(Array.from(stores.values()), [{ store: "budgets", problem: "timed out", at: 9 }])
  })

  it("is bounded: the first of a kind are forgotten", () => {
    const scopes = Array.from(
      { length: 150 },
      (_, n) => at(n, LlmEvent.BudgetSpent({ ...common("a"), scope: `tenant ${n}`, tokens: 1 }))
    )
    const { budgets } = after(...scopes)
    assert.deepStrictEqual([budgets.size, Array.from(budgets.keys())[0]], [100, "tenant 50"])
  })
})
