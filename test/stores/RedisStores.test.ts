import { assert, describe, it } from "@effect/vitest"
import * as RedisStores from "effect-llm/RedisStores"
import * as StoreConformance from "effect-llm/testing/StoreConformance"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import { hasRedis, type RedisServer, startRedis } from "../support/redisServer.js"

void assert
describe.skipIf(!hasRedis)(`RedisStores${hasRedis ? "" : " (skipped: redis-server is not installed)"}`, () => {
  const scope = Effect.runSync(Scope.make())
  let server: RedisServer
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(startRedis, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const power: StoreConformance.Server = {
    stop: Effect.promise(() => server.stop()),
    start: Effect.promise(() => server.start()),
    hang: Effect.sync(() => server.hang()),
    resume: Effect.promise(() => server.resume()),
    forgetScripts: Effect.promise(() => server.redis.script("FLUSH"))
  }

  describe("layerRateLimits", () => {
    const harness: StoreConformance.Harness<never> = {
      server: power,
      join: Effect.suspend(() => RedisStores.makeRateLimits({ connection: server.url, account: "test" }))
    } as never
    for (const { check, name } of StoreConformance.rateLimits(harness)) it.live(name, () => check)
  })
})
