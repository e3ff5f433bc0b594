import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { respond } from "./support/samples.js"

const elbe = respond("Elbe")
const oder = respond("Oder")
const main = respond("Main")

/** Which of some keys a cache has an answer for. Asking counts as use. */
const has = (cache: LlmCache.Service, ...keys: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach(keys, (key) => Effect.map(cache.get(key), Option.isSome)),
    (found) => keys.filter((_, i) => found[i])
  )

/** How many bytes an answer counts. */
const sizeOf = (response: LlmResponse.LlmResponse): Effect.Effect<number> =>
  Effect.gen(function*() {
    // The smallest bound that keeps it.
    let low = 1
    let high = 100_000
    while (low < high) {
      const maxBytes = Math.floor((low + high) / 2)
      const cache = yield* LlmCache.makeMemory({ maxBytes })
      yield* Effect.orDie(cache.set("a", response))
      if (Option.isSome(yield* Effect.orDie(cache.get("a")))) high = maxBytes
      else low = maxBytes + 1
    }
    return low
  })

describe("LlmCache", () => {
  describe("layerMemory", () => {
    it.effect("gives back what it was given, the newest under each key, and nothing for other keys", () =>
      Effect.gen(function*() {
        const cache = yield* LlmCache.LlmCache
        assert.deepStrictEqual(yield* cache.get("a"), Option.none())
        yield* cache.set("a", elbe)
        yield* cache.set("b", oder)
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(elbe))
        yield* cache.set("a", main)
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(main))
        assert.deepStrictEqual(yield* cache.get("b"), Option.some(oder))
        assert.deepStrictEqual(yield* cache.get("A"), Option.none())
        yield* cache.remove("a")
        yield* cache.remove("a")
        assert.deepStrictEqual(yield* has(cache, "a", "b"), ["b"])
      }).pipe(Effect.provide(LlmCache.layerMemory())))

    it.effect("takes names of things that every object has for keys like any other", () =>
      Effect.gen(function*() {
        const cache = yield* LlmCache.makeMemory()
        const keys = ["__proto__", "constructor", "toString", ""]
        assert.deepStrictEqual(yield* has(cache, ...keys), [])
        yield* Effect.forEach(keys, (key) => cache.set(key, elbe))
        assert.deepStrictEqual(yield* has(cache, ...keys), keys)
      }))

    it.effect("is a cache of its own each time it is made", () =>
      Effect.gen(function*() {
        const [first, second] = [yield* LlmCache.makeMemory(), yield* LlmCache.makeMemory()]
        yield* first.set("a", elbe)
        assert.deepStrictEqual(yield* has(second, "a"), [])
      }))

    describe("capacity", () => {
      it.effect("drops the entry that was not used for longest: reading and writing are use", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory({ capacity: 3 })
          yield* Effect.forEach(["a", "b", "c"], (key) => cache.set(key, elbe))
          yield* cache.get("a")
          yield* cache.set("b", oder)
          yield* cache.set("d", elbe)
          assert.deepStrictEqual(yield* has(cache, "a", "b", "c", "d"), ["a", "b", "d"])
          yield* cache.set("e", elbe)
          assert.deepStrictEqual(yield* has(cache, "a", "b", "d", "e"), ["b", "d", "e"])
        }))

      it.effect("is 1,000 by default", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory()
          for (let i = 0; i <= 1000; i++) yield* cache.set(String(i), elbe)
          assert.deepStrictEqual(yield* has(cache, "0", "1", "1000"), ["1", "1000"])
        }))

      it.effect("counts an entry once however often it is written, and a removed one not at all", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory({ capacity: 2 })
          for (let i = 0; i < 10; i++) yield* cache.set("a", elbe)
          yield* cache.set("b", elbe)
          assert.deepStrictEqual(yield* has(cache, "a", "b"), ["a", "b"])
          yield* cache.remove("a")
          yield* cache.set("c", elbe)
          assert.deepStrictEqual(yield* has(cache, "b", "c"), ["b", "c"])
        }))
    })

    describe("maxBytes", () => {
      it.effect("counts twice the length of the answer's JSON", () =>
        Effect.gen(function*() {
          const base = yield* sizeOf(respond(""))
          // The text stands there twice: as such, and as a part.
          assert.strictEqual(yield* sizeOf(respond("x".repeat(500))), base + 2 * 2 * 500)
        }))

      it.effect("makes room from the oldest on, as much as is needed", () =>
        Effect.gen(function*() {
          const size = yield* sizeOf(elbe)
          const cache = yield* LlmCache.makeMemory({ maxBytes: 4 * size })
          yield* Effect.forEach(["a", "b", "c", "d"], (key) => cache.set(key, elbe))
          assert.deepStrictEqual(yield* has(cache, "a", "b", "c", "d"), ["a", "b", "c", "d"])
          const large = respond("x".repeat(size / 4))
          assert.isTrue((yield* sizeOf(large)) > size && (yield* sizeOf(large)) <= 3 * size)
          yield* cache.set("e", large)
          assert.deepStrictEqual(yield* has(cache, "a", "b", "c", "d", "e"), ["c", "d", "e"])
        }))

      it.effect("has no room for an answer that is larger by itself, which drops no others", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory({ maxBytes: 2 * (yield* sizeOf(elbe)) })
          yield* cache.set("a", elbe)
          yield* cache.set("b", respond("x".repeat(10_000)))
          assert.deepStrictEqual(yield* has(cache, "a", "b"), ["a"])
          // But under its own key no older answer stays.
          yield* cache.set("a", respond("x".repeat(10_000)))
          assert.deepStrictEqual(yield* has(cache, "a"), [])
        }))

      it.effect("gets back what is removed, overwritten or over", () =>
        Effect.gen(function*() {
          const size = yield* sizeOf(elbe)
          const cache = yield* LlmCache.makeMemory({ maxBytes: 2 * size })
          for (let i = 0; i < 10; i++) {
            yield* cache.set("a", elbe)
            yield* cache.remove("a")
            yield* cache.set("b", elbe)
            yield* cache.set("c", elbe, "1 second")
            assert.deepStrictEqual(yield* has(cache, "b", "c"), ["b", "c"])
            yield* TestClock.adjust("1 second")
            assert.deepStrictEqual(yield* has(cache, "b", "c"), ["b"])
          }
        }))
    })

    describe("timeToLive", () => {
      it.effect("ends on the Clock, to the millisecond", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory({ timeToLive: "1 minute" })
          yield* cache.set("a", elbe)
          yield* TestClock.adjust(59_999)
          assert.deepStrictEqual(yield* has(cache, "a"), ["a"])
          yield* TestClock.adjust(1)
          assert.deepStrictEqual(yield* has(cache, "a"), [])
        }))

      it.effect("begins with writing: reading does not prolong it, writing again does", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory({ timeToLive: "1 minute" })
          yield* cache.set("read", elbe)
          yield* cache.set("written", elbe)
          yield* TestClock.adjust("30 seconds")
          yield* cache.get("read")
          yield* cache.set("written", elbe)
          yield* TestClock.adjust("30 seconds")
          assert.deepStrictEqual(yield* has(cache, "read", "written"), ["written"])
        }))

      it.effect("can be set for each entry", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory({ timeToLive: "1 minute" })
          yield* cache.set("shorter", elbe, "1 second")
          yield* cache.set("longer", elbe, "1 hour")
          yield* cache.set("default", elbe, undefined)
          yield* cache.set("for ever", elbe, Duration.infinity)
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* has(cache, "shorter", "default"), ["default"])
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(yield* has(cache, "default", "longer"), ["longer"])
          yield* TestClock.adjust("36500 days")
          assert.deepStrictEqual(yield* has(cache, "longer", "for ever"), ["for ever"])
        }))

      it.effect("of nothing keeps nothing, and drops what was there", () =>
        Effect.gen(function*() {
          const cache = yield* LlmCache.makeMemory()
          yield* cache.set("a", elbe)
          yield* cache.set("a", oder, 0)
          assert.deepStrictEqual(yield* has(cache, "a"), [])
          const none = yield* LlmCache.makeMemory({ timeToLive: 0 })
          yield* none.set("a", elbe)
          assert.deepStrictEqual(yield* has(none, "a"), [])
        }))
    })

    it.effect("refuses options that make no sense, naming them", () =>
      Effect.gen(function*() {
        const bad: ReadonlyArray<readonly [LlmCache.MemoryOptions, option: string]> = [
          [{ capacity: 0 }, "LlmCache.capacity"],
          [{ capacity: -1 }, "LlmCache.capacity"],
          [{ capacity: 1.5 }, "LlmCache.capacity"],
          [{ capacity: NaN }, "LlmCache.capacity"],
          [{ maxBytes: 0 }, "LlmCache.maxBytes"],
          [{ maxBytes: NaN }, "LlmCache.maxBytes"],
          [{ timeToLive: -1 }, "LlmCache.timeToLive"],
          [{ timeToLive: NaN }, "LlmCache.timeToLive"]
        ]
        for (const [options, option] of bad) {
          const exit = yield* Effect.exit(Effect.scoped(Layer.build(LlmCache.layerMemory(options))))
          assert(exit._tag === "Failure" && Cause.isDie(exit.cause), option)
          assert.include(Cause.pretty(exit.cause), `${option} must be`)
        }
      }))

    // Answers of three sizes, so that the bound of bytes matters.
    const answers = [respond("x"), respond("y".repeat(100)), respond("z".repeat(300))]
    const bytes = answers.map((answer) => 2 * JSON.stringify(answer).length)
    const key = FastCheck.constantFrom("a", "b", "c", "d")
    const command = FastCheck.oneof(
      FastCheck.record({ type: FastCheck.constant("get" as const), key }),
      FastCheck.record({
        type: FastCheck.constant("set" as const),
        key,
        size: FastCheck.nat(2),
        ttl: FastCheck.option(FastCheck.constantFrom(0, 1, 5, 20), { nil: undefined })
      }),
      FastCheck.record({ type: FastCheck.constant("remove" as const), key }),
      FastCheck.record({ type: FastCheck.constant("wait" as const), millis: FastCheck.nat(6) })
    )

    it.effect.prop(
      "does what a list would do that is searched, sorted and cut each time",
      [
        FastCheck.record({
          capacity: FastCheck.integer({ min: 1, max: 4 }),
          sizes: FastCheck.integer({ min: 1, max: 8 }),
          timeToLive: FastCheck.constantFrom(3, 10, Infinity)
        }),
        FastCheck.array(command, { minLength: 1, maxLength: 60 })
      ],
      ([{ capacity, sizes, timeToLive }, commands]) =>
        Effect.gen(function*() {
          const maxBytes = sizes * 700
          const cache = yield* LlmCache.makeMemory({ capacity, maxBytes, timeToLive })
          // The oldest first.
          let list: ReadonlyArray<{ readonly key: string; readonly size: number; readonly until: number }> = []
          for (const command of commands) {
            switch (command.type) {
              case "get": {
                const found = list.find(({ key, until }) => key === command.key && now < until)
                list = list.filter(({ key }) => key !== command.key)
                if (found !== undefined) list = [...list, found]
                const answer = yield* cache.get(command.key)
                assert.deepStrictEqual(answer, Option.map(Option.fromNullable(found), ({ size }) => answers[size]))
                break
              }
              case "set": {
                const { key, size, ttl = timeToLive } = command
                const fits = ttl > 0 && (bytes[size] ?? 0) <= maxBytes
                list = list.filter((entry) => entry.key !== key)
                if (fits) list = [...list, { key, size, until: now + ttl }]
                while (
                  list.length > capacity || list.reduce((sum, entry) => sum + (bytes[entry.size] ?? 0), 0) > maxBytes
                ) list = list.slice(1)
                yield* cache.set(key, answers[size] ?? elbe, command.ttl)
                break
              }
              case "remove": {
                list = list.filter(({ key }) => key !== command.key)
                yield* cache.remove(command.key)
                break
              }
              case "wait":
                now += command.millis
            }
          }
          const left = yield* has(cache, "a", "b", "c", "d")
          assert.deepStrictEqual(left, list.filter(({ until }) => now < until).map(({ key }) => key).sort())
        }).pipe(Effect.withClock(clock))
    )

    // Quicker than the test clock, which waits for fibers each time.
    let now = 0
    const clock: Clock.Clock = {
      ...Clock.make(),
      currentTimeMillis: Effect.sync(() => now),
      unsafeCurrentTimeMillis: () => now
    }
  })

  it.effect("layerNone keeps nothing", () =>
    Effect.gen(function*() {
      const cache = yield* LlmCache.LlmCache
      yield* cache.set("a", elbe)
      assert.deepStrictEqual(yield* has(cache, "a"), [])
      yield* cache.remove("a")
    }).pipe(Effect.provide(LlmCache.layerNone)))

  describe("layerTiered", () => {
    const failing = (operation: LlmCache.CacheError["operation"]) =>
      Effect.fail(new LlmCache.CacheError({ operation, problem: "no connection" }))
    const broken: LlmCache.Service = {
      get: () => failing("get"),
      set: () => failing("set"),
      remove: () => failing("remove")
    }
    const tiers = (near: LlmCache.Service, far: LlmCache.Service) =>
      Effect.map(
        Layer.build(
          LlmCache.layerTiered(Layer.succeed(LlmCache.LlmCache, near), Layer.succeed(LlmCache.LlmCache, far))
        ),
        Context.get(LlmCache.LlmCache)
      )

    it.scoped("asks the near one first, and keeps near what it finds far", () =>
      Effect.gen(function*() {
        const near = yield* LlmCache.makeMemory({ timeToLive: "1 minute" })
        const far = yield* LlmCache.makeMemory()
        const cache = yield* tiers(near, far)
        assert.deepStrictEqual(yield* cache.get("a"), Option.none())
        yield* far.set("a", elbe)
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(elbe))
        assert.deepStrictEqual(yield* near.get("a"), Option.some(elbe))
        yield* far.set("a", oder)
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(elbe))
        // The near one's own time to live.
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(oder))
      }))

    it.scoped("writes to both, with the same time to live, and removes from both", () =>
      Effect.gen(function*() {
        const near = yield* LlmCache.makeMemory()
        const far = yield* LlmCache.makeMemory()
        const cache = yield* tiers(near, far)
        yield* cache.set("a", elbe, "1 minute")
        yield* cache.set("b", elbe)
        assert.deepStrictEqual([yield* has(near, "a", "b"), yield* has(far, "a", "b")], [["a", "b"], ["a", "b"]])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual([yield* has(near, "a", "b"), yield* has(far, "a", "b")], [["b"], ["b"]])
        yield* cache.remove("b")
        assert.deepStrictEqual([yield* has(near, "b"), yield* has(far, "b")], [[], []])
      }))

    it.scoped("works on with the far one when the near one fails, but reports the failed write", () =>
      Effect.gen(function*() {
        const far = yield* LlmCache.makeMemory()
        const cache = yield* tiers(broken, far)
        yield* far.set("a", elbe)
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(elbe))
        assert.strictEqual((yield* Effect.flip(cache.set("b", elbe))).operation, "set")
        assert.deepStrictEqual(yield* has(far, "b"), ["b"])
        assert.strictEqual((yield* Effect.flip(cache.remove("b"))).operation, "remove")
        assert.deepStrictEqual(yield* has(far, "b"), [])
      }))

    it.scoped("works on with the near one when the far one fails, but reports the failed look-up", () =>
      Effect.gen(function*() {
        const near = yield* LlmCache.makeMemory()
        const cache = yield* tiers(near, broken)
        yield* near.set("a", elbe)
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(elbe))
        const error = yield* Effect.flip(cache.get("b"))
        assert.strictEqual(error.message, "Cache get failed: no connection")
        assert.strictEqual((yield* Effect.flip(cache.set("b", elbe))).operation, "set")
        assert.deepStrictEqual(yield* has(near, "b"), ["b"])
        assert.strictEqual((yield* Effect.flip(cache.remove("b"))).operation, "remove")
        assert.deepStrictEqual(yield* has(near, "b"), [])
      }))

    it.scoped("builds each of its tiers once", () =>
      Effect.gen(function*() {
        let built = 0
        const counted = Layer.effect(
          LlmCache.LlmCache,
          Effect.zipRight(Effect.sync(() => built++), LlmCache.makeMemory())
        )
        const context = yield* Layer.build(LlmCache.layerTiered(counted, counted))
        const cache = Context.get(context, LlmCache.LlmCache)
        yield* cache.set("a", elbe)
        yield* cache.get("a")
        assert.strictEqual(built, 2)
      }))
  })
})
