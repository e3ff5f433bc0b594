import { describe, it } from "@effect/vitest"
import * as Budget from "effect-llm/Budget"
import * as LlmCache from "effect-llm/LlmCache"
import * as RateLimitStore from "effect-llm/RateLimitStore"
import * as StoreConformance from "effect-llm/testing/StoreConformance"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Borrow from "../../src/stores/borrowing/borrow.js"

const register = (checks: ReadonlyArray<StoreConformance.StoreCheck>) => {
  for (const { check, name } of checks) it.live(name, () => check)
}

const clocks = /regardless of (?:the clocks of its members|its members' clocks)/

describe("the stores in memory", () => {
  describe("RateLimitStore", () => {
    const store = Effect.runSync(RateLimitStore.makeMemory())
    // It counts on the clock of its process: there is no other.
    register(StoreConformance.rateLimits({ join: Effect.succeed(store) }).filter(({ name }) => !clocks.test(name)))
  })

  describe("RateLimitStore, borrowed from", () => {
    const lender = Effect.runSync(RateLimitStore.makeMemory())
    const settings = { hold: 200, slack: 100, share: () => 1 / 4 }
    register(
      StoreConformance.rateLimits({ join: Borrow.make(lender, settings), hold: settings.hold })
        .filter(({ name }) => !clocks.test(name))
    )
  })

  describe("Budget", () => {
    const store = Context.get(Effect.runSync(Effect.scoped(Layer.build(Budget.layerMemory))), Budget.Budget)
    register(StoreConformance.budgets({ join: Effect.succeed(store) }).filter(({ name }) => !clocks.test(name)))
  })

  describe("LlmCache", () => {
    const cache = Effect.runSync(LlmCache.makeMemory())
    register(StoreConformance.caches({ join: Effect.succeed(cache) }))
  })
})
