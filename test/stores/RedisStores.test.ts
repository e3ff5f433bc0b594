import { assert, describe, it } from "@effect/vitest"
import * as RedisStores from "effect-llm/RedisStores"
import * as StoreConformance from "effect-llm/testing/StoreConformance"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { Redis } from "ioredis"
import { suiteWithRedis } from "../support/redisServer.js"
import { respond } from "../support/samples.js"

const oneRequest = { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0 }

suiteWithRedis("RedisStores", (redis) => {
  const { power } = redis
  // Longer than in a program, for a machine that has other things to do.
  const options = {
    get connection() {
      return redis.server().url
    },
    account: "test",
    commandTimeout: "2 seconds"
  } as const
  const patience = 10_000

  const register = (checks: ReadonlyArray<StoreConformance.StoreCheck>) => {
    for (const { check, name } of checks) it.live(name, () => check)
  }

  /** Takes the server away, and brings it back with nothing kept. */
  const withoutServer = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(power.stop, () => self, () => power.start)

  const onceBack = <A>(self: Effect.Effect<A>, isBack: (result: A) => boolean): Effect.Effect<A> =>
    Effect.repeat(Effect.delay(self, 5), { until: isBack })

  describe("layerRateLimits", () => {
    register(StoreConformance.rateLimits({ server: power, patience, join: RedisStores.makeRateLimits(options) }))

    describe("with borrow", () => {
      const join = Effect.suspend(() =>
        RedisStores.makeRateLimits({ ...options, account: "borrowed", borrow: "200 millis" })
      )
      register(StoreConformance.rateLimits({ server: power, patience, hold: 200, join }))
    })

    const limits = { requests: 60, burst: 1 }

    it.scopedLive("closed, lets nothing through without its server, and states the problem once", () =>
      Effect.gen(function*() {
        const store = yield* RedisStores.makeRateLimits({ ...options, onUnavailable: "closed" })
        yield* withoutServer(Effect.gen(function*() {
          const outcome = yield* store.reserve("closed", limits, oneRequest)
          assert.strictEqual(outcome._tag, "Unavailable")
        }))
      }))

    it.scopedLive("open, lets all through without its server, which learns of it when it is back", () =>
      Effect.gen(function*() {
        const many = { ...limits, requests: 600 }
        const store = yield* RedisStores.makeRateLimits({ ...options, onUnavailable: "open" })
        yield* withoutServer(Effect.gen(function*() {
          for (let i = 0; i < 20; i++) {
            const outcome = yield* store.reserve("open", many, oneRequest)
            assert(outcome._tag === "Reserved")
            assert.strictEqual(outcome.problem !== undefined, i === 0)
            const used = i < 5 ? { requests: 0 } : {}
            yield* store.settle("open", many, { reservation: outcome.reservation, used, told: undefined })
          }
        }))
        const [from, back] = yield* onceBack(
          Effect.all([Effect.sync(() => performance.now()), store.reserve("open", many, oneRequest)]),
          ([, outcome]) => outcome._tag !== "Unavailable" && outcome.state !== undefined
        )
        assert(back._tag === "Reserved")
        // While it was asked in vain, others passed, too.
        const { level } = back.state!.buckets.requests!
        assert.isAtMost(level, 600 - 15 - 1)
        const other = yield* RedisStores.makeRateLimits(options)
        const seen = yield* other.reserve("open", many, oneRequest)
        assert(seen._tag === "Reserved")
        // Ten a second have refilled since.
        const refilled = seen.state!.buckets.requests!.level - (level - 1)
        assert.isAtLeast(refilled, -2)
        assert.isAtMost(refilled, 2 + (performance.now() - from) / 100)
      }))

    it.scopedLive("local, keeps to its share without its server, with nothing saved up and its permits counted", () =>
      Effect.gen(function*() {
        const store = yield* RedisStores.makeRateLimits({ ...options, localShare: 0.5 })
        const permits = { ...limits, requests: 6_000, concurrency: 5 }
        const reserve = store.reserve("local", permits, oneRequest)
        const first = yield* reserve
        assert(first._tag === "Reserved")
        yield* withoutServer(Effect.gen(function*() {
          const empty = yield* reserve
          assert(empty._tag === "Refused")
          // One of two places is taken since before.
          yield* onceBack(reserve, ({ _tag }) => _tag === "Reserved")
          for (let i = 0; i < 3; i++) assert.strictEqual((yield* reserve)._tag, "Refused")
          yield* store.settle("local", permits, { reservation: first.reservation, used: {}, told: undefined })
          yield* onceBack(reserve, ({ _tag }) => _tag === "Reserved")
        }))
      }))

    it.scopedLive("local, has as its share by default one by the number of processes", () =>
      Effect.gen(function*() {
        const shared = { ...options, account: "shares" }
        yield* RedisStores.makeRateLimits(shared)
        yield* RedisStores.makeRateLimits(shared)
        const store = yield* RedisStores.makeRateLimits(shared)
        yield* withoutServer(Effect.gen(function*() {
          const outcomes = yield* Effect.forEach(
            Array.from({ length: 4 }),
            () => store.reserve("shares", { concurrency: 6, burst: 1 }, oneRequest)
          )
          assert.deepStrictEqual(outcomes.map(({ _tag }) => _tag), ["Reserved", "Reserved", "Refused", "Refused"])
        }))
      }))

    it.scopedLive("keeps equal keys of two accounts, and of two prefixes, apart", () =>
      Effect.gen(function*() {
        const once = { requests: 1, burst: 1 }
        const reserve = (over: Partial<RedisStores.RateLimitOptions>) =>
          Effect.gen(function*() {
            const store = yield* RedisStores.makeRateLimits({ ...options, account: "apart", ...over })
            return (yield* store.reserve("openai/m", once, oneRequest))._tag
          })
        assert.strictEqual(yield* reserve({}), "Reserved")
        assert.strictEqual(yield* reserve({ account: "other" }), "Reserved")
        assert.strictEqual(yield* reserve({ prefix: "another:" }), "Reserved")
        assert.strictEqual(yield* reserve({}), "Refused")
      }))

    it.scopedLive("keeps all that belongs to a limit in one slot of a cluster", () =>
      Effect.gen(function*() {
        const store = yield* RedisStores.makeRateLimits({ ...options, account: "a{b}:c" })
        const shared = { requests: 1, concurrency: 1, burst: 1 }
        yield* store.reserve("}{", shared, oneRequest, "queue")
        yield* store.reserve("}{", shared, oneRequest, "queue")
        const keys = yield* Effect.promise(() => redis.server().redis.keys("effect-llm:limit:*%7Bb*"))
        assert.lengthOf(keys, 4)
        assert.lengthOf([...new Set(keys.map((key) => /\{(.+?)\}/.exec(key)?.[1]))], 1)
      }))

    it.scopedLive("sends nothing over a connection of the program's own that is not ready, and leaves it open", () =>
      Effect.gen(function*() {
        const connection = new Redis(options.connection)
        yield* Effect.addFinalizer(() => Effect.sync(() => connection.disconnect()))
        connection.on("error", () => {})
        yield* Effect.scoped(Effect.gen(function*() {
          const store = yield* RedisStores.makeRateLimits({ ...options, connection })
          const counted = yield* store.reserve("own", limits, oneRequest)
          assert.isTrue(counted._tag === "Reserved" && counted.state !== undefined)
          yield* withoutServer(Effect.gen(function*() {
            yield* onceBack(Effect.sync(() => connection.status), (status) => status !== "ready")
            const outcome = yield* store.reserve("own", limits, oneRequest)
            assert.isTrue(outcome._tag === "Refused" && outcome.state === undefined)
          }))
          yield* onceBack(Effect.sync(() => connection.status), (status) => status === "ready")
        }))
        assert.strictEqual(connection.status, "ready")
        // A command that waited in a queue would have been sent now.
        assert.isEmpty(yield* Effect.promise(() => redis.server().redis.keys("*own*")))
      }))

    it.effect("names the option of a mistake", () =>
      Effect.gen(function*() {
        const mistakes: ReadonlyArray<readonly [string, Partial<RedisStores.RateLimitOptions>]> = [
          ["account", { account: "" }],
          ["localShare", { localShare: 1.5 }],
          ["leaseTime", { leaseTime: 0 }],
          ["borrow", { borrow: 0 }],
          ["borrow", { borrow: "2 seconds" }],
          ["commandTimeout", { commandTimeout: 0 }]
        ]
        for (const [name, mistake] of mistakes) {
          const exit = yield* Effect.exit(Effect.scoped(
            RedisStores.makeRateLimits({ account: "a", connection: "redis://127.0.0.1:1", ...mistake })
          ))
          assert.include(String(Exit.isFailure(exit) && exit.cause), name)
        }
      }))
  })

  describe("layerBudgets", () => {
    register(StoreConformance.budgets({ server: power, patience, join: RedisStores.makeBudgets(options) }))

    const claim = { scope: "outage", key: "", limits: { tokens: 100 }, estimate: { tokens: 10, cost: 0.1 } }

    for (const onUnavailable of ["open", "local"] as const) {
      it.scopedLive(`${onUnavailable}, lets requests pass without its server, which learns of them when it is back`, () =>
        Effect.gen(function*() {
          const store = yield* RedisStores.makeBudgets({
            ...options,
            account: onUnavailable,
            onUnavailable,
            localShare: 0.5
          })
          yield* store.open("outage")
          const passed = yield* withoutServer(Effect.gen(function*() {
            let passed = 0
            for (let i = 0; i < 12; i++) {
              const result = yield* Effect.either(store.reserve([claim]))
              if (result._tag === "Left") continue
              assert.strictEqual(result.right.problem !== undefined, i === 0)
              passed++
              yield* result.right.settle({ tokens: 10, cost: 0.1 })
            }
            assert.isDefined((yield* store.spent("outage")).problem)
            return passed
          }))
          assert.strictEqual(passed, onUnavailable === "open" ? 12 : 5)
          yield* onceBack(store.spent("outage"), ({ problem }) => problem === undefined)
          const result = yield* Effect.either(store.reserve([claim]))
          const spent = yield* store.spent("outage")
          assert.strictEqual(result._tag, onUnavailable === "open" ? "Left" : "Right")
          assert.deepInclude(spent, { tokens: passed * 10, cost: passed / 10 })
        }))
    }
  })

  describe("layerCache", () => {
    register(StoreConformance.caches({ server: power, patience, join: RedisStores.makeCache(options) }))

    it.scopedLive("takes an answer that came in time, while the process was too busy to read it", () =>
      Effect.gen(function*() {
        const cache = yield* RedisStores.makeCache({ ...options, prefix: "busy:", commandTimeout: 50 })
        const waiting = yield* Effect.fork(Effect.either(cache.get("a")))
        yield* Effect.yieldNow()
        const until = performance.now() + 200
        while (performance.now() < until);
        const answer = yield* Fiber.join(waiting)
        assert.isTrue(Either.isRight(answer), String(answer))
      }))

    it.scopedLive("drops an entry that is damaged", () =>
      Effect.gen(function*() {
        const cache = yield* RedisStores.makeCache({ ...options, prefix: "mine:" })
        yield* cache.set("a", respond("Elbe"))
        yield* Effect.promise(() => redis.server().redis.set("mine:a", "half"))
        assert.isTrue(Option.isNone(yield* cache.get("a")))
        assert.strictEqual(yield* Effect.promise(() => redis.server().redis.exists("mine:a")), 0)
      }))
  })
})
