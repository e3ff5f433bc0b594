import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { ended, eventually, failureOf, providerNames, quickly, settled, simulated } from "../support/overHttp.js"

const many = Array.from({ length: 100 }, (_, i) => i)

/** An answer takes so long that all have asked before it comes. */
const joining = "1 second"

const tags = (events: ReadonlyArray<{ readonly _tag: string }>, tag: string) =>
  events.filter((event) => event._tag === tag).length

describe.each(providerNames)("sharing over HTTP, %s", (provider) => {
  describe("100 equal calls at the same time", () => {
    it.live("are one request, and all get its answer", () =>
      Effect.gen(function*() {
        const { call, events, requestCount } = yield* simulated({ provider, latency: joining })
        const responses = yield* Effect.forEach(many, () => call("Echo: all"), { concurrency: "unbounded" })
        assert.strictEqual(yield* requestCount, 1)
        assert.deepStrictEqual(new Set(responses.map(({ text }) => text)), new Set(["all"]))
        assert.strictEqual(responses.filter(({ origin }) => origin === "provider").length, 1)
        assert.strictEqual(responses.filter(({ origin }) => origin === "shared").length, 99)
        const all = yield* events
        assert.deepStrictEqual([tags(all, "CallStarted"), tags(all, "CallOk"), tags(all, "CallShared")], [1, 1, 99])
      }).pipe(Effect.scoped))

    it.live("share the retries, too", () =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* simulated({
          provider,
          faults: Simulator.sequence([Simulator.status(500), Simulator.reset]),
          client: quickly
        })
        const responses = yield* Effect.forEach(many, () => call("Echo: all"), { concurrency: "unbounded" })
        assert.strictEqual(yield* requestCount, 3)
        // Who shares has made none.
        assert.deepStrictEqual(responses.map(({ attempts }) => attempts).filter((n) => n > 0), [3])
      }).pipe(Effect.scoped))

    it.live("share a failure, which is not kept", () =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* simulated({
          provider,
          faults: Simulator.sequence([Simulator.status(401)]),
          latency: joining
        })
        const errors = yield* Effect.forEach(many, () => failureOf(call("Echo: all")), { concurrency: "unbounded" })
        assert.strictEqual(yield* requestCount, 1)
        assert.deepStrictEqual(new Set(errors.map((error) => error.reason._tag)), new Set(["AuthenticationFailed"]))
        assert.strictEqual((yield* call("Echo: all")).origin, "provider")
        assert.strictEqual(yield* requestCount, 2)
      }).pipe(Effect.scoped))

    it.live("are 100 requests where they are not equal", () =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* simulated({ provider })
        const responses = yield* Effect.forEach(many, (i) => call(`Echo: ${i}`), { concurrency: "unbounded" })
        assert.deepStrictEqual(responses.map(({ text }) => text), many.map(String))
        assert.strictEqual(yield* requestCount, 100)
      }).pipe(Effect.scoped))
  })

  describe("interruption", () => {
    const underWay = (run: { readonly requestCount: Effect.Effect<number> }) =>
      eventually("the request", Effect.map(run.requestCount, (n) => n === 1))

    it.scoped("of the first leaves the others their answer: one request, which is not aborted", () =>
      Effect.gen(function*() {
        const run = yield* simulated({ provider, faults: Simulator.sequence([slow]) })
        const leader = yield* Effect.fork(run.call("Echo: all"))
        yield* underWay(run)
        const others = yield* Effect.forEach(many, () => Effect.fork(run.call("Echo: all")))
        yield* settled
        yield* Fiber.interrupt(leader)
        for (const fiber of others) assert.strictEqual((yield* yield* ended(fiber)).text, "all")
        assert.deepStrictEqual((yield* run.simulator.requests).map(({ outcome }) => outcome), ["faulted"])
      }))

    it.scoped("of all aborts the request: the server sees the connection close", () =>
      Effect.gen(function*() {
        const run = yield* simulated({ provider, faults: Simulator.sequence([Simulator.silence]) })
        const fibers = yield* Effect.forEach(many, () => Effect.fork(run.call("Echo: all")))
        yield* underWay(run)
        yield* settled
        yield* Fiber.interruptAll(fibers.slice(1))
        yield* settled
        assert.deepStrictEqual((yield* run.simulator.requests).map(({ outcome }) => outcome), ["pending"])
        yield* Fiber.interruptAll(fibers)
        yield* run.simulator.awaitRequests(([only]) => only?.outcome === "aborted")
        yield* eventually("no connection", Effect.sync(() => run.connections.open === 0))
        // Who comes later begins anew.
        assert.strictEqual((yield* run.call("Echo: all")).text, "all")
        assert.strictEqual(yield* run.requestCount, 2)
      }))

    it.scoped("by a deadline of its own ends only that call", () =>
      Effect.gen(function*() {
        const run = yield* simulated({ provider, faults: Simulator.sequence([Simulator.silence]) })
        const hurried = yield* Effect.fork(Effect.flip(run.call("Echo: all", { deadline: "1 second" })))
        const patient = yield* Effect.fork(run.call("Echo: all", { deadline: "1 minute" }))
        yield* underWay(run)
        yield* settled
        yield* TestClock.adjust("1 second")
        const error = yield* yield* ended(hurried)
        assert.match(error.message, /TimedOut \(total 1s\)/)
        assert.strictEqual(patient.unsafePoll(), null)
        yield* Fiber.interrupt(patient)
        yield* run.simulator.awaitRequests(([only]) => only?.outcome === "aborted")
      }))
  })

  describe("the cache", () => {
    it.live("answers an equal call without a request", () =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* simulated({ provider })
        const first = yield* call("Echo: again")
        const second = yield* call("Echo: again")
        assert.deepStrictEqual([first.origin, second.origin], ["provider", "cache"])
        assert.strictEqual(second.text, first.text)
        assert.deepStrictEqual(second.originalUsage, first.usage)
        assert.strictEqual(yield* requestCount, 1)
      }).pipe(Effect.scoped))

    const cache = (service: Partial<LlmCache.Service>) =>
      Layer.succeed(LlmCache.LlmCache, {
        get: () => Effect.succeedNone,
        set: () => Effect.void,
        remove: () => Effect.void,
        ...service
      })

    const garbage = (value: unknown) => Effect.succeed(Option.some(value as LlmResponse.LlmResponse))

    const bad: ReadonlyArray<readonly [what: string, service: Partial<LlmCache.Service>]> = [
      ["fails", { get: () => Effect.fail(new LlmCache.CacheError({ operation: "get", problem: "no" })) }],
      ["dies", { get: () => Effect.die(new Error("no")) }],
      [
        "throws",
        {
          get: () => {
            throw new Error("no")
          }
        }
      ],
      ["is interrupted", { get: () => Effect.interrupt }],
      ["hangs", { get: () => Effect.never }],
      ["holds nothing that makes sense", { get: () => garbage({ text: 42 }) }],
      ["holds null", { get: () => garbage(null) }],
      ["gives no option", { get: () => Effect.succeed(null as unknown as Option.Option<LlmResponse.LlmResponse>) }],
      ["fails to write", { set: () => Effect.fail(new LlmCache.CacheError({ operation: "set", problem: "no" })) }],
      ["dies when written", { set: () => Effect.die("no") }],
      [
        "throws when written",
        {
          set: () => {
            throw new Error("no")
          }
        }
      ],
      ["is interrupted when written", { set: () => Effect.interrupt }],
      ["hangs when written", { set: () => Effect.never }]
    ]

    it.live.each(bad)("that %s never fails a call", ([, service]) =>
      Effect.gen(function*() {
        const { call, events, requestCount } = yield* simulated({
          provider,
          cache: cache(service),
          client: { cache: { getTimeout: "20 millis" } }
        })
        assert.strictEqual((yield* call("Echo: anyway")).text, "anyway")
        assert.strictEqual((yield* call("Echo: anyway")).text, "anyway")
        assert.strictEqual(yield* requestCount, 2)
        assert.strictEqual(tags(yield* events, "CacheFailed"), 2)
      }).pipe(Effect.scoped))

    it.live("keeps no answer that was cut short by its token limit", () =>
      Effect.gen(function*() {
        const { client, requestCount } = yield* simulated({ provider })
        const request = { model: "gpt-4o-mini", prompt: "Echo: one two three four five six seven", maxTokens: 2 }
        const first = yield* client.call(request)
        assert.strictEqual(first.finishReason, "length")
        assert.strictEqual((yield* client.call(request)).origin, "provider")
        assert.strictEqual(yield* requestCount, 2)
      }).pipe(Effect.scoped))

    it.live("keeps nothing of what failed: the next call asks", () =>
      Effect.gen(function*() {
        const sets: Array<string> = []
        const { call, requestCount, simulator } = yield* simulated({
          provider,
          cache: cache({ set: (key) => Effect.sync(() => void sets.push(key)) }),
          client: { retry: false }
        })
        const faults = [
          Simulator.status(500),
          Simulator.status(400),
          Simulator.halfJson,
          Simulator.emptyBody(),
          Simulator.html(200),
          Simulator.cut,
          Simulator.reset
        ]
        yield* simulator.setFaults(Simulator.sequence(faults))
        for (const _ of faults) yield* failureOf(call("Echo: hello"))
        assert.deepStrictEqual(sets, [])
        assert.strictEqual((yield* call("Echo: hello")).text, "hello")
        assert.strictEqual(sets.length, 1)
        assert.strictEqual(yield* requestCount, faults.length + 1)
      }).pipe(Effect.scoped))
  })
})

/** Answers, but takes its time for it. */
const slow = Simulator.slowBody({ chunkBytes: 64, delay: "5 millis" })
