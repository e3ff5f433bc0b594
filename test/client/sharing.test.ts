import { assert, describe, it } from "@effect/vitest"
import * as Budget from "effect-llm/Budget"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { estimateInput, pricing, request as limitedRequest } from "../support/budgets.js"
import { cacheWith } from "../support/caches.js"
import { serverFailed } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { settle, within } from "../support/testClock.js"

type Ended = Exit.Exit<LlmResponse.LlmResponse, LlmError.LlmError>

/** Calls in the background, each begun before this returns. */
const forked = (client: LlmClient.Service, options?: LlmClient.CallOptions) =>
  Effect.zipLeft(Effect.fork(client.call(request, options)), settle)

/** How two equal calls end that begin at the same time, and how many requests they take. */
const two = (leader: LlmClient.CallOptions, follower: LlmClient.CallOptions) =>
  Effect.gen(function*() {
    const { client, requests } = yield* scriptedClient([LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))])
    const fibers = [yield* forked(client, leader), yield* forked(client, follower)]
    yield* TestClock.adjust("1 second")
    const origins = yield* Effect.forEach(fibers, (fiber) => Effect.map(Fiber.join(fiber), ({ origin }) => origin))
    return { origins, requests: (yield* requests).length }
  })

const together = { origins: ["provider", "shared"], requests: 1 }
const apart = { origins: ["provider", "provider"], requests: 2 }

describe("equal calls with other options", () => {
  const ofEachItsOwn: { readonly [option: string]: readonly [LlmClient.CallOptions, LlmClient.CallOptions] } = {
    timeout: [{ timeout: "20 seconds" }, { timeout: "21 seconds" }],
    "retry: false": [{ retry: false }, {}],
    "retry.times": [{}, { retry: { times: 3 } }],
    "retry.base": [{}, { retry: { base: "2 seconds" } }],
    "retry.factor": [{}, { retry: { factor: 3 } }],
    "retry.cap": [{}, { retry: { cap: "5 seconds" } }],
    "retry.jitter": [{}, { retry: { jitter: false } }],
    "retry.maxRetryAfter": [{}, { retry: { maxRetryAfter: "2 minutes" } }],
    "retry.budget": [{}, { retry: { budget: false } }],
    streaming: [{}, { streaming: true }],
    firstPartTimeout: [{ streaming: true }, { streaming: true, firstPartTimeout: "29 seconds" }],
    idleTimeout: [{ streaming: true }, { streaming: true, idleTimeout: "29 seconds" }]
  }

  for (const [option, [leader, follower]] of Object.entries(ofEachItsOwn)) {
    it.scoped(`of ${option} do not share a run`, () =>
      leavingNoFiber(Effect.gen(function*() {
        assert.deepStrictEqual(yield* two(leader, follower), apart)
        assert.deepStrictEqual(yield* two(follower, leader), apart)
      })))
  }

  const ofNoConcern: { readonly [option: string]: readonly [LlmClient.CallOptions, LlmClient.CallOptions] } = {
    deadline: [{ deadline: "10 seconds" }, { deadline: "20 seconds" }],
    "cache mode": [{ cache: "readOnly" }, { cache: "on" }],
    ttl: [{ ttl: "1 minute" }, { ttl: "2 minutes" }],
    tags: [{ tags: { job: "a" } }, { tags: { job: "b" } }],
    "retry, written differently": [{ retry: { times: 2, base: "1 second" } }, { retry: { base: 1000, times: 2 } }],
    "limits of streams, for calls that are not streamed": [{ idleTimeout: "1 minute" }, {
      firstPartTimeout: "1 minute"
    }],
    "timeout, for calls that are streamed": [
      { streaming: true, timeout: "20 seconds" },
      { streaming: true, timeout: "21 seconds" }
    ]
  }

  for (const [option, [first, second]] of Object.entries(ofNoConcern)) {
    it.scoped(`of ${option} share a run`, () =>
      leavingNoFiber(Effect.gen(function*() {
        assert.deepStrictEqual(yield* two(first, second), together)
        assert.deepStrictEqual(yield* two(second, first), together)
      })))
  }

  it.scoped("of priority do not share a run", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([
        LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))
      ])
      const both = Effect.all([client.call(request), RateLimit.withPriority(client.call(request), 5)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(valueOf(yield* within("1 second")(both)).map(({ origin }) => origin), apart.origins)
      assert.strictEqual((yield* requests).length, 2)
    }))

  it.scoped("keep their own retries: one that must not be retried does not end one that may be", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([
        LlmTest.repeat(Effect.delay(serverFailed, "1 second"), 4),
        LlmTest.text("Elbe")
      ])
      const single = yield* forked(client, { retry: false })
      const patient = yield* forked(client, { retry: { times: 3, jitter: false, budget: false } })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        [errorOf(yield* Fiber.await(single)).attempts, (yield* Fiber.join(patient)).attempts],
        [1, 4]
      )
      assert.strictEqual((yield* requests).length, 5)
    })))

  it.scoped("keep their own limit of an attempt", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "5 seconds"))])
      const hasty = yield* forked(client, { retry: false, timeout: 600 })
      const patient = yield* forked(client, { retry: false, timeout: "20 seconds" })
      yield* TestClock.adjust("5 seconds")
      assert.include(errorOf(yield* Fiber.await(hasty)).message, "TimedOut (attempt 600ms)")
      assert.strictEqual((yield* Fiber.join(patient)).text, "Elbe")
    })))
})

describe("a run that calls share", () => {
  it.scoped("has the latest of their deadlines, as its policies see it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const left: Array<number> = []
      const { client } = yield* scriptedClient([LlmTest.repeat(
        Effect.gen(function*() {
          const { untilDeadline } = yield* LlmProvider.CurrentAttempt
          const note = Effect.map(untilDeadline, (duration) => left.push(Duration.toMillis(duration)))
          yield* note
          yield* Effect.sleep("2 seconds")
          yield* note
          yield* Effect.sleep("2 seconds")
          yield* note
          return yield* Effect.never
        })
      )])
      const options = { timeout: Infinity } as const
      const first = yield* forked(client, { ...options, deadline: "5 seconds" })
      yield* TestClock.adjust("1 second")
      const second = yield* forked(client, { ...options, deadline: "20 seconds" })
      yield* TestClock.adjust("2 seconds")
      const third = yield* forked(client, { ...options, deadline: "3 seconds" })
      yield* TestClock.adjust("18 seconds")
      assert.deepStrictEqual(left, [5000, 19_000, 17_000])
      assert.deepStrictEqual(
        yield* Effect.forEach([first, second, third], (fiber) =>
          Effect.map(Fiber.await(fiber), (exit) => errorOf(exit).message.match(/TimedOut \(.*?\)/)?.[0])),
        ["TimedOut (total 5s)", "TimedOut (total 20s)", "TimedOut (total 3s)"]
      )
    })))

  it.scoped("ends for each of them by its own deadline, also where the answer is streamed and has begun", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(LlmTest.stream(["Elbe"], { end: "silence" }))])
      const fibers = yield* Effect.forEach(
        ["5 seconds", "20 seconds", "10 seconds"] as const,
        (deadline) => forked(client, { streaming: true, deadline })
      )
      yield* TestClock.adjust("20 seconds")
      const errors = yield* Effect.forEach(fibers, (fiber) => Effect.map(Fiber.await(fiber), errorOf))
      assert.deepStrictEqual(
        errors.map(({ message, partial }) => [message.match(/TimedOut \(.*?\)/)?.[0], partial?.text]),
        [["TimedOut (total 5s)", "Elbe"], ["TimedOut (total 20s)", "Elbe"], ["TimedOut (total 10s)", "Elbe"]]
      )
    })))

  type Caller = Pick<LlmClient.CallOptions, "cache" | "ttl">

  const keeping: ReadonlyArray<readonly [callers: ReadonlyArray<Caller>, kept: ReadonlyArray<number | undefined>]> = [
    [[{ cache: "readOnly" }, { cache: "readOnly", ttl: "1 hour" }], []],
    [[{ cache: "readOnly", ttl: "1 hour" }, { cache: "on", ttl: 5000 }, { cache: "on", ttl: 10_000 }], [10_000]],
    [[{ cache: "on", ttl: 10_000 }, { cache: "on", ttl: 5000 }], [10_000]],
    [[{ cache: "on", ttl: 5000 }, { cache: "readOnly", ttl: "1 hour" }], [5000]],
    [[{ cache: "on", ttl: "1 hour" }, { cache: "on" }], [undefined]],
    [[{ cache: "on" }, { cache: "on", ttl: "1 hour" }], [undefined]],
    [[{ cache: "refresh", ttl: 5000 }, { cache: "readOnly" }, { cache: "on", ttl: 7000 }], [7000]],
    [[{ cache: "refresh", ttl: 5000 }, { cache: "refresh", ttl: 6000 }], [6000]]
  ]

  /** The times for which the answer to callers that ask at the same time is kept, and the requests that they take. */
  const kept = <A, E>(
    script: LlmTest.Script,
    callers: ReadonlyArray<Caller>,
    ask: (client: LlmClient.Service, options: Caller) => Effect.Effect<Fiber.Fiber<A, E>>
  ) =>
    Effect.gen(function*() {
      const kept: Array<number | undefined> = []
      const cache = yield* cacheWith({
        set: (_, __, ttl) => Effect.sync(() => void kept.push(ttl === undefined ? ttl : Duration.toMillis(ttl)))
      })
      const { client, requests } = yield* scriptedClient(script, { cache })
      const fibers = yield* Effect.forEach(callers, (options) => ask(client, options))
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      return { kept, requests: (yield* requests).length }
    })

  it.scoped("keeps its answer if one of them is to be kept, once, and for the longest time", () =>
    leavingNoFiber(Effect.gen(function*() {
      for (const [callers, expected] of keeping) {
        const script = [LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))]
        assert.deepStrictEqual(yield* kept(script, callers, forked), { kept: expected, requests: 1 })
      }
    })))

  it.scoped("keeps its answer also if the only caller that wanted it kept has left", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([
        LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))
      ])
      yield* forked(client, { cache: "readOnly" })
      yield* Effect.flatMap(forked(client, { cache: "on" }), Fiber.interrupt)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* client.call(request)).origin, "cache")
      assert.strictEqual((yield* requests).length, 1)
    })))

  describe("for a value", () => {
    const River = Schema.Struct({ name: Schema.String })

    const objects = (client: LlmClient.Service, options?: LlmClient.CallOptions) =>
      Effect.zipLeft(Effect.fork(client.object(River, request, options)), settle)

    const river = LlmTest.repeat(Effect.delay(LlmTest.object({ name: "Elbe" }), "1 second"))

    it.scoped("keeps its answer likewise: if one of them is to be kept, once, and for the longest time", () =>
      leavingNoFiber(Effect.gen(function*() {
        for (const [callers, expected] of keeping) {
          assert.deepStrictEqual(yield* kept([river], callers, objects), { kept: expected, requests: 1 })
        }
      })))

    it.scoped("keeps its answer whoever of them has left, at the price of the request", () =>
      leavingNoFiber(Effect.gen(function*() {
        for (const leaving of [0, 1, 2]) {
          const { client, requests } = yield* scriptedClient([river])
          const fibers = yield* Effect.forEach([0, 1, 2], () => objects(client))
          yield* Effect.forEach(fibers.filter((_, i) => i === leaving), Fiber.interrupt)
          yield* TestClock.adjust("1 second")
          const { response } = yield* client.object(River, request)
          assert.deepStrictEqual([response.origin, (yield* requests).length], ["cache", 1])
          assert.isAbove(response.originalUsage?.outputTokens ?? 0, 0)
        }
      })))

    it.scoped("keeps the answer that fits one of them, and not that which fits none", () =>
      leavingNoFiber(Effect.gen(function*() {
        // The filter has no JSON Schema: the requests are the same.
        const Long = River.pipe(Schema.filter(() => "a longer river"))
        for (const [schemas, origin] of [[[Long, River], "cache"], [[Long, Long], "provider"]] as const) {
          const { client } = yield* scriptedClient([river])
          const fibers = yield* Effect.forEach(
            schemas,
            (schema) => Effect.zipLeft(Effect.fork(client.object(schema, request, { name: "River", reask: 0 })), settle)
          )
          yield* TestClock.adjust("1 second")
          yield* Effect.forEach(fibers, Fiber.await)
          const again = yield* Effect.fork(client.object(River, request, { name: "River" }))
          yield* TestClock.adjust("1 second")
          assert.strictEqual((yield* Fiber.join(again)).response.origin, origin)
        }
      })))
  })
})

describe("a call that asks for a fresh answer", () => {
  const oldAndNew = (oldTakes: Duration.DurationInput, newTakes: Duration.DurationInput) =>
    scriptedClient([Effect.delay(LlmTest.text("old"), oldTakes), Effect.delay(LlmTest.text("new"), newTakes)])

  const answerOf = (fiber: Fiber.Fiber<LlmResponse.LlmResponse, LlmError.LlmError>) =>
    Effect.map(Fiber.join(fiber), ({ origin, text }) => `${text} ${origin}`)

  it.scoped("joins no run that began without one, and later calls join its run", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* oldAndNew("9 seconds", "4 seconds")
      const fibers = [
        yield* forked(client),
        yield* Effect.zipRight(TestClock.adjust("1 second"), forked(client, { cache: "refresh" })),
        yield* forked(client, { cache: "refresh" }),
        yield* forked(client)
      ]
      yield* TestClock.adjust("8 seconds")
      assert.deepStrictEqual(yield* Effect.forEach(fibers, answerOf), [
        "old provider",
        "new provider",
        "new shared",
        "new shared"
      ])
      assert.strictEqual((yield* requests).length, 2)
    })))

  it.scoped("has the last word in the cache, whether the older call ends before it or after it", () =>
    leavingNoFiber(Effect.gen(function*() {
      for (const [oldTakes, newTakes] of [[2000, 9000], [9000, 2000]] as const) {
        const { client } = yield* oldAndNew(oldTakes, newTakes)
        yield* forked(client)
        yield* TestClock.adjust(1)
        yield* forked(client, { cache: "refresh" })
        yield* TestClock.adjust("10 seconds")
        const kept = yield* client.call(request)
        assert.deepStrictEqual([kept.text, kept.origin], ["new", "cache"])
      }
    })))

  it.scoped("has the last word also if it began in the same millisecond as the older call", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* oldAndNew("9 seconds", "2 seconds")
      yield* forked(client)
      yield* forked(client, { cache: "refresh" })
      yield* TestClock.adjust("10 seconds")
      const kept = yield* client.call(request)
      assert.deepStrictEqual([kept.text, kept.origin], ["new", "cache"])
    })))

  it.scoped("leaves the older answer in the cache if it fails", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([
        Effect.delay(LlmTest.text("old"), "3 seconds"),
        Effect.delay(serverFailed, 1000)
      ])
      yield* forked(client, { retry: false })
      yield* TestClock.adjust(1)
      yield* forked(client, { cache: "refresh", retry: false })
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* client.call(request, { retry: false })).text, "old")
    })))
})

describe("equal calls in budget regions", () => {
  const region = (scope: string, tokens: number) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Budget.within(self, { estimateInput, scope, tokens })

  const many = (n: number) =>
    Effect.forEach(Array.from({ length: n }), () => Effect.exit(LlmClient.call(limitedRequest)), {
      concurrency: "unbounded"
    })

  const tally = (exits: ReadonlyArray<Ended>) => {
    const counts: Record<string, number> = {}
    for (const exit of exits) {
      const kind = Exit.match(exit, {
        onFailure: () => errorOf(exit).reason._tag,
        onSuccess: ({ origin }) => origin
      })
      counts[kind] = (counts[kind] ?? 0) + 1
    }
    return counts
  }

  it.effect("begin one further run a region after another one's budget is spent, and all end promptly", () =>
    leavingNoFiber(Effect.gen(function*() {
      const events: Array<LlmEvent.LlmEvent> = []
      // The run of the poor waits before it learns that its budget is spent, so that all others join it.
      const log = (event: LlmEvent.LlmEvent) =>
        Effect.zipRight(
          Effect.sync(() => events.push(event)),
          event._tag === "CallStarted" ? Effect.sleep("1 second") : Effect.void
        )
      const client = LlmClient.layer().pipe(
        Layer.provide([LlmCache.layerNone, LlmLogger.layerHandler(log)]),
        Layer.provideMerge(Layer.merge(
          LlmTest.layer([LlmTest.repeat(Effect.delay(
            LlmTest.text("Elbe", { usage: { inputTokens: 10, outputTokens: 10 } }),
            "1 second"
          ))]),
          pricing
        ))
      )
      const { poor, rich, requests } = yield* Effect.gen(function*() {
        const poor = yield* Effect.fork(region("poor", 40)(many(100)))
        yield* settle
        const rich = yield* Effect.fork(Effect.all([region("a", 60)(many(200)), region("b", 60)(many(200))], {
          concurrency: "unbounded"
        }))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(tally(poor.unsafePoll()?.pipe(Exit.getOrElse(() => [])) ?? []), { BudgetExceeded: 100 })
        yield* TestClock.adjust("2 seconds")
        return {
          poor: yield* Fiber.join(poor),
          rich: yield* Fiber.join(rich),
          requests: (yield* LlmTest.requests).length
        }
      }).pipe(Effect.provide(client))
      assert.deepStrictEqual(poor.length, 100)
      assert.deepStrictEqual(rich.map(tally), [{ provider: 1, shared: 199 }, { provider: 1, shared: 199 }])
      assert.strictEqual(requests, 2)
      assert.strictEqual(events.filter(({ _tag }) => _tag === "CallStarted").length, 3)
    })))

  it.effect("do not fail by the budget of another tag: they share a run of their own", () =>
    leavingNoFiber(Effect.gen(function*() {
      const provider = LlmTest.layer([
        LlmTest.repeat(
          LlmTest.when("spend", LlmTest.text("Elbe", { usage: { inputTokens: 50, outputTokens: 50 } })),
          1
        ),
        LlmTest.repeat(LlmTest.fail(LlmError.Overloaded.make({})), 1),
        LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))
      ])
      const layer = LlmClient.layer().pipe(
        Layer.provide(
          Layer.provideMerge(
            Budget.limit(provider, { scope: "tenant", key: (_, { tags }) => tags?.tenant, tokens: 100, estimateInput }),
            Budget.layerMemory
          )
        ),
        Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent]),
        Layer.provideMerge(provider)
      )
      const of = (tenant: string, job = "") =>
        Effect.zipLeft(Effect.fork(Effect.exit(LlmClient.call(limitedRequest, { tags: { tenant, job } }))), settle)
      yield* Effect.gen(function*() {
        // The run of the poor fails once, and its budget is spent before it is retried.
        const poor = [yield* of("poor"), yield* of("poor")]
        yield* LlmClient.call({ ...limitedRequest, prompt: "spend" }, { tags: { tenant: "poor" } })
        const rich = [yield* of("rich"), yield* of("rich"), yield* of("other")]
        yield* TestClock.adjust("10 seconds")
        const ends = (fibers: typeof rich) => Effect.map(Effect.forEach(fibers, Fiber.join), tally)
        assert.deepStrictEqual(yield* ends(poor), { BudgetExceeded: 2 })
        assert.deepStrictEqual(yield* ends(rich), { provider: 2, shared: 1 })
      }).pipe(Effect.provide(layer))
    })))
})
