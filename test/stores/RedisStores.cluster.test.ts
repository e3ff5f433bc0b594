import { assert, describe, it } from "@effect/vitest"
import * as RedisStores from "effect-llm/RedisStores"
import * as StoreConformance from "effect-llm/testing/StoreConformance"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import { type RedisCluster, startRedisCluster } from "../support/redisCluster.js"
import { hasRedis } from "../support/redisServer.js"

const name = "RedisStores on a cluster of three nodes"

describe.skipIf(!hasRedis)(hasRedis ? name : `${name} (skipped: redis-server is not installed)`, () => {
  const scope = Effect.runSync(Scope.make())
  let running: RedisCluster | undefined
  const cluster = () => {
    if (running === undefined) throw new Error("The cluster is not running yet")
    return running
  }
  beforeAll(async () => {
    running = await Effect.runPromise(Scope.extend(startRedisCluster, scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const options = Effect.map(Effect.suspend(() => cluster().connection), (connection) => ({
    connection,
    account: "test",
    // Longer than in a program, for a machine that has other things to do.
    commandTimeout: "2 seconds" as const
  }))

  const register = (checks: ReadonlyArray<StoreConformance.StoreCheck>) => {
    for (const { check, name } of checks) it.live(name, () => check)
  }

  describe("layerRateLimits", () => {
    register(StoreConformance.rateLimits({ join: Effect.flatMap(options, RedisStores.makeRateLimits) }))

    it.scopedLive("counts on all nodes, and each limit on one", () =>
      Effect.gen(function*() {
        const store = yield* RedisStores.makeRateLimits({ ...yield* options, account: "a{b}:c" })
        const limits = { requests: 1, concurrency: 1, burst: 1 }
        const cost = { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0 }
        const names = Array.from({ length: 30 }, (_, i) => `}{ ${i}`)
        for (const name of names) {
          // Buckets, permits, and a place in line: all keys of a limit.
          assert.strictEqual((yield* store.reserve(name, limits, cost, "queue"))._tag, "Reserved")
          assert.strictEqual((yield* store.reserve(name, limits, cost, "queue"))._tag, "Refused")
        }
        const found = yield* Effect.promise(() =>
          Promise.all(cluster().nodes.map((node) => node.keys("effect-llm:limit:*%7Bb*")))
        )
        assert.strictEqual(found.flat().length, 4 * names.length)
        for (const keys of found) {
          assert.isNotEmpty(keys)
          const counts = new Map<string, number>()
          for (const key of keys) {
            const tag = /\{(.+?)\}/.exec(key)?.[1] ?? ""
            counts.set(tag, (counts.get(tag) ?? 0) + 1)
          }
          assert.deepStrictEqual([...new Set(counts.values())], [4])
        }
        for (const name of names) yield* store.leave(name, "queue")
      }))
  })

  describe("layerBudgets", () => {
    register(StoreConformance.budgets({ join: Effect.flatMap(options, RedisStores.makeBudgets) }))
  })

  describe("layerCache", () => {
    register(StoreConformance.caches({ join: Effect.flatMap(options, RedisStores.makeCache) }))
  })
})
