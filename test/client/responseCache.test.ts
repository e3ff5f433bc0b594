import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import type * as LlmClient from "effect-llm/LlmClient"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { cacheWith } from "../support/caches.js"
import { serverFailed, unauthorized } from "../support/errors.js"
import { valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { within } from "../support/testClock.js"

/** Answers with the number of the request. */
const numbered = (_: LlmRequest.LlmRequest, n: number) => LlmTest.text(`answer ${n}`)

const failing = Effect.fail(new LlmCache.CacheError({ operation: "get", problem: "no connection" }))

describe("LlmClient.call: the cache", () => {
  describe("hits", () => {
    it.scoped("give the same answer, from the cache, for nothing", () =>
      Effect.gen(function*() {
        const original = respond("Elbe", {
          parts: [Message.Text.make({ text: "Elbe" }), Message.ToolCall.make({ id: "1", name: "map", arguments: {} })],
          cost: 0.25,
          requestId: "req_1",
          usage: { inputTokens: 11, cachedInputTokens: 3, outputTokens: 7, reasoningTokens: 2 }
        })
        const { client, requests } = yield* scriptedClient([
          serverFailed,
          Effect.delay(Effect.succeed(original), "1 second")
        ])
        const first = valueOf(yield* within("1 minute")(client.call(request)))
        const second = yield* client.call(request)
        assert.strictEqual((yield* requests).length, 2)
        const { attempts, cost, latency, origin, originalUsage, usage, ...same } = second
        assert.deepStrictEqual({ attempts, cost, latency, origin, originalUsage, usage }, {
          attempts: 0,
          cost: 0,
          latency: Duration.zero,
          origin: "cache",
          originalUsage: original.usage,
          usage: { inputTokens: 0, outputTokens: 0 }
        })
        const { attempts: _1, cost: _2, latency: _3, origin: _4, usage: _5, ...expected } = first
        assert.deepStrictEqual({ ...same }, { ...expected })
        assert.deepStrictEqual(second.toolCalls, first.toolCalls)
      }))

    it.scoped("hold no raw body, which only the caller has that the provider answered", () =>
      Effect.gen(function*() {
        const stored: Array<LlmResponse.LlmResponse> = []
        const original = LlmResponse.update(respond("Elbe"), { raw: { id: "resp_1" } })
        const { client } = yield* scriptedClient([original], {
          cache: yield* cacheWith({ set: (_, response) => Effect.sync(() => void stored.push(response)) })
        })
        assert.deepStrictEqual((yield* client.call(request)).raw, { id: "resp_1" })
        assert.strictEqual(stored.length, 1)
        assert.notProperty(stored[0], "raw")
      }))

    it.scoped("stay hits, each with the original usage, however often", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat(numbered)])
        const first = yield* client.call(request)
        for (let i = 0; i < 5; i++) {
          const hit = yield* client.call(request)
          assert.deepStrictEqual([hit.text, hit.origin, hit.originalUsage], ["answer 1", "cache", first.usage])
        }
        assert.strictEqual((yield* requests).length, 1)
      }))

    it.scoped("keep a cost that is not known unknown", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([LlmTest.repeat(numbered)])
        yield* client.call(request)
        assert.isUndefined((yield* client.call(request)).cost)
      }))

    it.scoped("have the latency of the cache", () =>
      Effect.gen(function*() {
        const slow = yield* LlmCache.makeMemory()
        const cache: LlmCache.Service = { ...slow, get: (key) => Effect.delay(slow.get(key), 200) }
        const { client } = yield* scriptedClient([LlmTest.repeat(numbered)], { cache })
        yield* within(200)(client.call(request))
        const hit = valueOf(yield* within(200)(client.call(request)))
        assert.strictEqual(hit.origin, "cache")
        assert.strictEqual(Duration.toMillis(hit.latency), 200)
      }))
  })

  describe("keys", () => {
    it.scoped("are the same for equal requests, however they are written", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat(numbered)])
        yield* client.call({ model: "m", prompt: "Hi", temperature: 0, stop: "END" })
        const same: ReadonlyArray<LlmRequest.Input> = [
          { stop: ["END"], temperature: 0, prompt: "Hi", model: "m" },
          { model: "m", messages: [{ role: "user", content: "Hi" }], temperature: 0, stop: "END" },
          {
            model: "m",
            messages: [{ role: "user", content: [{ _tag: "Text", text: "Hi" }] }],
            temperature: 0,
            stop: "END",
            maxTokens: undefined
          }
        ]
        for (const input of same) assert.strictEqual((yield* client.call(input)).text, "answer 1")
        assert.strictEqual((yield* requests).length, 1)
      }))

    it.scoped("are the same for a default of the client and for a setting of the request", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat(numbered)], {
          client: { defaults: { temperature: 0.5 } }
        })
        yield* client.call(request)
        yield* client.call({ ...request, temperature: 0.5 })
        assert.strictEqual((yield* requests).length, 1)
        yield* client.call({ ...request, temperature: 0.4 })
        assert.strictEqual((yield* requests).length, 2)
      }))

    it.scoped("do not depend on limits, retries and tags", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat(numbered)])
        yield* client.call(request)
        yield* client.call(request, { timeout: 1, deadline: 2, retry: false, tags: { a: "b" }, ttl: 5 })
        assert.strictEqual((yield* requests).length, 1)
      }))

    it.scoped("keep namespaces, providers, endpoints and models apart", () =>
      Effect.gen(function*() {
        const cache = yield* LlmCache.makeMemory()
        const { client, requests } = yield* scriptedClient([LlmTest.repeat(numbered)], {
          cache,
          client: { namespace: "tenant" }
        })
        const ask = (options?: LlmClient.CallOptions) => Effect.map(client.call(request, options), ({ text }) => text)
        assert.strictEqual(yield* ask(), "answer 1")
        assert.strictEqual(yield* ask({ namespace: "other" }), "answer 2")
        assert.strictEqual(yield* ask({ namespace: "" }), "answer 3")
        assert.strictEqual(yield* ask({ namespace: "tenant" }), "answer 1")
        assert.strictEqual(yield* ask({ namespace: "other" }), "answer 2")
        assert.strictEqual((yield* client.call({ ...request, model: "gpt-4o" })).text, "answer 4")
        assert.strictEqual((yield* requests).length, 4)
        for (const other of [{}, { name: "other" }, { endpoint: "memory:other" }]) {
          const { client, requests } = yield* scriptedClient([LlmTest.repeat(numbered)], {
            cache,
            ...other,
            client: { namespace: "name" in other || "endpoint" in other ? "tenant" : "nobody" }
          })
          assert.strictEqual((yield* client.call(request)).origin, "provider")
          assert.strictEqual((yield* requests).length, 1)
        }
      }))
  })

  describe("modes", () => {
    const observed = Effect.gen(function*() {
      const memory = yield* LlmCache.makeMemory()
      const seen = { gets: 0, sets: 0 }
      const cache: LlmCache.Service = {
        ...memory,
        get: (key) => Effect.zipRight(Effect.sync(() => seen.gets++), memory.get(key)),
        set: (key, response, ttl) => Effect.zipRight(Effect.sync(() => seen.sets++), memory.set(key, response, ttl))
      }
      return { seen, ...(yield* scriptedClient([LlmTest.repeat(numbered)], { cache })) }
    })

    it.scoped("on: read and filled", () =>
      Effect.gen(function*() {
        const { client, seen } = yield* observed
        assert.strictEqual((yield* client.call(request, { cache: "on" })).text, "answer 1")
        assert.strictEqual((yield* client.call(request)).text, "answer 1")
        assert.deepStrictEqual(seen, { gets: 2, sets: 1 })
      }))

    it.scoped("bypass: left alone", () =>
      Effect.gen(function*() {
        const { client, seen } = yield* observed
        yield* client.call(request)
        assert.strictEqual((yield* client.call(request, { cache: "bypass" })).text, "answer 2")
        assert.deepStrictEqual(seen, { gets: 1, sets: 1 })
        assert.strictEqual((yield* client.call(request)).text, "answer 1")
      }))

    it.scoped("refresh: filled, not read", () =>
      Effect.gen(function*() {
        const { client, seen } = yield* observed
        yield* client.call(request)
        assert.strictEqual((yield* client.call(request, { cache: "refresh" })).text, "answer 2")
        assert.deepStrictEqual(seen, { gets: 1, sets: 2 })
        assert.strictEqual((yield* client.call(request)).text, "answer 2")
      }))

    it.scoped("readOnly: read, not filled", () =>
      Effect.gen(function*() {
        const { client, seen } = yield* observed
        assert.strictEqual((yield* client.call(request, { cache: "readOnly" })).text, "answer 1")
        assert.strictEqual((yield* client.call(request)).text, "answer 2")
        assert.strictEqual((yield* client.call(request, { cache: "readOnly" })).text, "answer 2")
        assert.deepStrictEqual(seen, { gets: 3, sets: 1 })
      }))
  })

  describe("time to live", () => {
    const ttls = (client: LlmClient.Options, options: LlmClient.CallOptions) =>
      Effect.gen(function*() {
        const seen: Array<Duration.DurationInput | undefined> = []
        const cache = yield* cacheWith({ set: (_key, _response, ttl) => Effect.sync(() => void seen.push(ttl)) })
        const pipeline = yield* scriptedClient([LlmTest.repeat(numbered)], { cache, client })
        yield* pipeline.client.call(request, options)
        return seen.map((ttl) => ttl === undefined ? undefined : Duration.toMillis(ttl))
      })

    it.scoped("is the call's, else the client's, else the cache's own", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* ttls({}, {}), [undefined])
        assert.deepStrictEqual(yield* ttls({ cache: { timeToLive: "1 hour" } }, {}), [3_600_000])
        assert.deepStrictEqual(yield* ttls({ cache: { timeToLive: "1 hour" } }, { ttl: "1 minute" }), [60_000])
        assert.deepStrictEqual(yield* ttls({}, { ttl: 0 }), [0])
      }))

    it.scoped("ends on the Clock", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([LlmTest.repeat(numbered)], {
          client: { cache: { timeToLive: "1 hour" } }
        })
        yield* client.call(request)
        yield* TestClock.adjust(3_599_999)
        assert.strictEqual((yield* client.call(request)).text, "answer 1")
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* client.call(request)).text, "answer 2")
      }))
  })

  describe("an answer that is kept", () => {
    const origins = Effect.fnUntraced(function*(
      first: LlmTest.Answer
    ) {
      const { client } = yield* scriptedClient([first, "second"])
      yield* Effect.exit(client.call(request, { retry: false }))
      return (yield* client.call(request)).origin
    })

    it.scoped("is an answer that came to its end or asks for tools", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* origins("Elbe"), "cache")
        assert.strictEqual(
          yield* origins(respond("", {
            parts: [Message.ToolCall.make({ id: "call_1", name: "look", arguments: {} })],
            finishReason: "tool_calls"
          })),
          "cache"
        )
      }))

    it.scoped("is none that is empty, or announces calls and has none", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* origins(respond("")), "provider")
        assert.strictEqual(yield* origins(respond("\n")), "provider")
        assert.strictEqual(yield* origins(respond("", { parts: [], finishReason: "tool_calls" })), "provider")
      }))

    it.scoped("is none that was truncated, filtered, refused, paused or ended for no known reason", () =>
      Effect.gen(function*() {
        const reasons = ["length", "content_filter", "refusal", "pause", "context_window", "other"] as const
        for (const finishReason of reasons) {
          assert.strictEqual(yield* origins(LlmTest.text("Elbe", { finishReason })), "provider", finishReason)
        }
        const refusal = respond("", { parts: [Message.Refusal.make({ text: "No." })] })
        assert.strictEqual(yield* origins(refusal), "provider")
      }))

    it.scoped("is no failure and no defect", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* origins(unauthorized), "provider")
        assert.strictEqual(yield* origins(serverFailed), "provider")
        assert.strictEqual(yield* origins(Effect.die("a bug")), "provider")
      }))
  })

  describe("that cannot be read", () => {
    const thrown = (): never => {
      throw new Error("broken")
    }
    const lie = <A>(value: unknown): A => value as A
    const broken: ReadonlyArray<readonly [string, LlmCache.Service["get"]]> = [
      ["fails", () => failing],
      ["dies", () => Effect.dieMessage("broken")],
      ["throws", thrown],
      ["throws in its effect", () => Effect.sync(thrown)],
      ["interrupts itself", () => Effect.interrupt],
      ["gives no effect", () => lie("an answer")],
      ["gives a promise", () => lie(Promise.resolve(Option.none()))],
      ["gives null", () => Effect.succeed(lie(null))],
      ["gives undefined", () => Effect.succeed(lie(undefined))],
      ["gives an answer, but no Option of one", () => Effect.succeed(lie(respond("bare")))],
      ["holds null", () => Effect.succeed(Option.some(lie(null)))],
      ["holds a plain object", () => Effect.succeed(Option.some(lie({ ...respond("plain") })))],
      ["holds JSON", () => Effect.succeed(Option.some(lie(JSON.stringify(respond("text")))))]
    ]

    for (const [what, get] of broken) {
      it.scoped(`costs nothing but the hit: it ${what}`, () =>
        leavingNoFiber(Effect.gen(function*() {
          const cache = yield* cacheWith({ get })
          const { client, eventLines } = yield* scriptedClient([LlmTest.repeat(numbered)], { cache })
          const response = valueOf(yield* within(0)(client.call(request)))
          assert.deepStrictEqual([response.text, response.origin], ["answer 1", "provider"])
          assert.deepStrictEqual(yield* eventLines, ["CacheFailed get", "CacheMiss", "CallStarted 1", "CallOk 1"])
        })))
    }

    it.scoped("because it hangs is waited for half a second, and not longer", () =>
      leavingNoFiber(Effect.gen(function*() {
        const cache = yield* cacheWith({ get: () => Effect.never })
        const { client, eventLines, events, times } = yield* scriptedClient([LlmTest.repeat(numbered)], { cache })
        valueOf(yield* within(500)(client.call(request)))
        assert.deepStrictEqual(yield* times, [500])
        assert.strictEqual((yield* eventLines)[0], "CacheFailed get")
        const [failed] = yield* events
        assert(failed?._tag === "CacheFailed")
        assert.include(failed.problem, "timed out")
      })))

    it.scoped("because it hangs is waited for as long as the client's option says", () =>
      Effect.gen(function*() {
        const cache = yield* cacheWith({ get: () => Effect.never })
        const { client, times } = yield* scriptedClient([LlmTest.repeat(numbered)], {
          cache,
          client: { cache: { getTimeout: 50 } }
        })
        valueOf(yield* within(50)(client.call(request)))
        assert.deepStrictEqual(yield* times, [50])
      }))

    it.scoped("is reported without the prompt that it may quote", () =>
      Effect.gen(function*() {
        const prompt = "My name is Ada Lovelace and my number is 4711, please write a letter."
        const cache = yield* cacheWith({ get: () => Effect.dieMessage(`cannot parse {"prompt":"${prompt}"}`) })
        const { client, events } = yield* scriptedClient([LlmTest.repeat(numbered)], { cache })
        yield* client.call({ model: "m", prompt })
        const [failed] = yield* events
        assert(failed?._tag === "CacheFailed")
        assert.include(failed.problem, "cannot parse")
        assert.notInclude(failed.problem, "Lovelace")
      }))
  })

  describe("that cannot be written", () => {
    const broken: ReadonlyArray<readonly [string, LlmCache.Service["set"]]> = [
      ["fails", () => Effect.fail(new LlmCache.CacheError({ operation: "set", problem: "disk full" }))],
      ["dies", () => Effect.dieMessage("disk full")],
      ["interrupts itself", () => Effect.interrupt],
      ["throws", () => {
        throw new Error("disk full")
      }]
    ]

    for (const [what, set] of broken) {
      it.scoped(`never costs the answer: it ${what}`, () =>
        leavingNoFiber(Effect.gen(function*() {
          const cache = yield* cacheWith({ set })
          const { client, eventLines } = yield* scriptedClient([LlmTest.repeat(numbered)], { cache })
          assert.strictEqual(valueOf(yield* within(0)(client.call(request))).text, "answer 1")
          assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallOk 1", "CacheFailed set"])
          assert.strictEqual((yield* client.call(request)).text, "answer 2")
        })))
    }

    it.scoped("because it hangs delays the answer by half a second at most", () =>
      leavingNoFiber(Effect.gen(function*() {
        const cache = yield* cacheWith({ set: () => Effect.never })
        const { client, eventLines } = yield* scriptedClient([LlmTest.repeat(numbered)], { cache })
        const fiber = yield* Effect.fork(client.call(request))
        yield* TestClock.adjust(500)
        assert.strictEqual((yield* Fiber.join(fiber)).text, "answer 1")
        assert.strictEqual((yield* eventLines).at(-1), "CacheFailed set")
      })))

    it.scoped("because it hangs never costs an answer that comes shortly before the deadline", () =>
      leavingNoFiber(Effect.gen(function*() {
        for (const takes of [9500, 9900, 9998, 9999]) {
          const cache = yield* cacheWith({ set: () => Effect.never })
          const { client } = yield* scriptedClient([LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), takes))], {
            cache
          })
          const exit = yield* within("10 seconds")(client.call(request, { deadline: "10 seconds" }))
          assert.strictEqual(valueOf(exit).text, "Elbe", `after ${takes} ms`)
        }
      })))
  })
})
