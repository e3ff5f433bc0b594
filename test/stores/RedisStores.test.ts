import { describe, it } from "@effect/vitest"
import * as RedisStores from "effect-llm/RedisStores"
import * as StoreConformance from "effect-llm/testing/StoreConformance"
import { suiteWithRedis } from "../support/redisServer.js"

suiteWithRedis("RedisStores", (redis) => {
  const { power } = redis
  // Longer than in a program, for a machine that has other things to do.
  const options = { get connection() { return redis.server().url }, account: "test", commandTimeout: "1 second" } as const
  const patience = 3_000

  const register = (checks: ReadonlyArray<StoreConformance.StoreCheck>) => {
    for (const { check, name } of checks) it.live(name, () => check)
  }

  describe("layerRateLimits", () => {
    register(StoreConformance.rateLimits({ server: power, patience, join: RedisStores.makeRateLimits(options) }))
  })

  describe("layerBudgets", () => {
    register(StoreConformance.budgets({ server: power, patience, join: RedisStores.makeBudgets(options) }))
  })

  describe("layerCache", () => {
    register(StoreConformance.caches({ server: power, patience, join: RedisStores.makeCache(options) }))
  })
})
