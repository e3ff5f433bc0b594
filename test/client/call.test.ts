import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { failure, rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { settle, within } from "../support/testClock.js"

const plain = { retry: { jitter: false } } as const

describe("LlmClient", () => {
  describe("call", () => {
    it.scoped("gives the provider's answer with the attempts and the latency that it took", () =>
      leavingNoFiber(Effect.gen(function*() {
        const original = respond("Elbe", {
          finishReason: "tool_calls",
          id: "chatcmpl-1",
          requestId: "req_1",
          cost: 0.25,
          warnings: ["temperature was left out"],
          rateLimit: { requests: { limit: 50, remaining: 49 } },
          providerMetadata: { service_tier: "default" },
          parts: [
            Message.Reasoning.make({ text: "hm" }),
            Message.Text.make({ text: "Elbe" }),
            Message.ToolCall.make({ id: "call_1", name: "map", arguments: { river: "Elbe" } })
          ]
        })
        const { client, requests } = yield* scriptedClient([Effect.delay(Effect.succeed(original), "3 seconds")])
        const response = valueOf(yield* within("3 seconds")(client.call(request)))
        assert.instanceOf(response, LlmResponse.LlmResponse)
        assert.deepStrictEqual(
          response,
          new LlmResponse.LlmResponse({ ...original, attempts: 1, latency: Duration.seconds(3), origin: "provider" })
        )
        assert.strictEqual((yield* requests).length, 1)
      })))

    it.scoped("counts latency from the call on, with all attempts and waits", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([
          Effect.delay(serverFailed, "1 second"),
          Effect.delay(LlmTest.text("Elbe"), "2 seconds")
        ], {
          client: plain
        })
        const response = valueOf(yield* within("4 seconds")(client.call(request)))
        assert.deepStrictEqual(Duration.toMillis(response.latency), 4000)
        assert.strictEqual(response.attempts, 2)
      }))

    it.scoped("takes a prompt for one user message, and leaves absent what nobody set", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat("Elbe")])
        yield* client.call(request)
        assert.deepStrictEqual({ ...(yield* requests)[0] }, {
          model: "gpt-4o-mini",
          messages: [{ role: "user", content: [Message.Text.make({ text: "Name three rivers." })] }]
        })
      }))

    it.scoped("fills in the client's defaults, which never overrule the request", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat("Elbe")], {
          client: { defaults: { temperature: 0.5, maxTokens: 100, system: "Be brief.", stop: "END" } }
        })
        yield* client.call({ ...request, temperature: 0, system: "Be verbose." })
        yield* client.call({ ...request, maxTokens: undefined })
        const settings = (yield* requests).map(({ maxTokens, stop, system, temperature }) => ({
          maxTokens,
          stop,
          system,
          temperature
        }))
        assert.deepStrictEqual(settings, [
          { maxTokens: 100, stop: ["END"], system: "Be verbose.", temperature: 0 },
          { maxTokens: 100, stop: ["END"], system: "Be brief.", temperature: 0.5 }
        ])
      }))

    it.scoped("works on a client that brings its own cache and logger", () =>
      Effect.gen(function*() {
        const Provider = LlmTest.layer([LlmTest.repeat((_, n) => `answer ${n}`)])
        const [first, second] = yield* Effect.all([LlmClient.call(request), LlmClient.call(request)]).pipe(
          Effect.provide(Layer.provide(LlmClient.layerDefault(), Provider))
        )
        assert.deepStrictEqual([first.text, first.origin], ["answer 1", "provider"])
        assert.deepStrictEqual([second.text, second.origin], ["answer 1", "cache"])
      }))

    it.scoped("works on a client that brings one of them, and takes the other one", () =>
      Effect.gen(function*() {
        const Provider = LlmTest.layer([LlmTest.repeat((_, n) => `answer ${n}`)])
        const tags: Array<string> = []
        const logger = LlmLogger.layerHandler(({ _tag }) => {
          tags.push(_tag)
        })
        const answersOn = (layers: LlmClient.DefaultLayers) =>
          Effect.all([LlmClient.call(request), LlmClient.call(request)]).pipe(
            Effect.map((answers) => answers.map(({ text }) => text)),
            Effect.provide(Layer.provide(LlmClient.layerDefault({}, layers), Provider))
          )
        assert.deepStrictEqual(yield* answersOn({ logger }), ["answer 1", "answer 1"])
        assert.deepStrictEqual(tags, ["CacheMiss", "CallStarted", "CallOk", "CacheHit"])
        assert.deepStrictEqual(yield* answersOn({ cache: LlmCache.layerNone }), ["answer 1", "answer 2"])
        assert.strictEqual(tags.length, 4)
      }))
  })

  describe("errors", () => {
    it.scoped("name the provider, the operation and the count of attempts", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([
          serverFailed,
          failure(LlmError.QuotaExhausted.make({ message: "no credit" }), { status: 429, requestId: "req_2" })
        ])
        const error = errorOf(yield* within("1 minute")(client.call(request)))
        const { attempts, model, operation, provider, requestId, status } = error
        assert.deepStrictEqual(error.reason, LlmError.QuotaExhausted.make({ message: "no credit" }))
        assert.deepStrictEqual({ attempts, model, operation, provider, requestId, status }, {
          attempts: 2,
          model: "gpt-4o-mini",
          operation: "call",
          provider: "scripted",
          requestId: "req_2",
          status: 429
        })
      }))

    it.scoped("keep the provider and the model that a provider behind another one names", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([
          failure(LlmError.Refused.make({}), { provider: "behind", model: "other" })
        ])
        const error = yield* Effect.flip(client.call(request))
        assert.deepStrictEqual([error.provider, error.model], ["behind", "other"])
      }))

    it.scoped("keep whether and when the server wants to be asked again", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([
          failure(LlmError.Overloaded.make({ retryAfter: Duration.seconds(7) }), { shouldRetry: false })
        ])
        const error = yield* Effect.flip(client.call(request))
        assert.deepStrictEqual([error.retryAfter, error.shouldRetry], [Duration.seconds(7), false])
      }))

    it.scoped("of a provider that has a bug are defects: not retried, not kept", () =>
      leavingNoFiber(Effect.gen(function*() {
        const bug = new Error("a bug")
        const { client, requests } = yield* scriptedClient([LlmTest.repeat((_, n) => {
          if (n === 1) return Effect.die(bug)
          if (n === 2) throw bug
          return LlmTest.text("Elbe")
        })])
        for (let i = 0; i < 2; i++) {
          const exit = yield* within("1 hour")(client.call(request))
          assert(exit._tag === "Failure" && Cause.isDie(exit.cause))
          assert.propertyVal(Cause.squash(exit.cause), "message", "a bug")
          assert.strictEqual((yield* requests).length, i + 1)
        }
        assert.strictEqual((yield* client.call(request)).origin, "provider")
      })))
  })

  describe("events", () => {
    it.scoped("of a call that succeeds: miss, start, ok", () =>
      Effect.gen(function*() {
        const { client, eventLines, events } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "2 seconds")])
        const response = valueOf(yield* within("1 minute")(client.call(request)))
        assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallOk 1"])
        const ok = (yield* events)[2]
        assert(ok?._tag === "CallOk")
        assert.deepStrictEqual(ok.response, response)
        assert.strictEqual(Duration.toMillis(ok.latency), 2000)
      }))

    it.scoped("of a call that is retried have each attempt, its own latency, and the wait after it", () =>
      Effect.gen(function*() {
        const { client, eventLines, events } = yield* scriptedClient([
          Effect.delay(serverFailed, 300),
          Effect.delay(rateLimited("5 seconds"), 200),
          Effect.delay(LlmTest.text("Elbe"), 100)
        ], { client: plain })
        yield* within("1 minute")(client.call(request))
        assert.deepStrictEqual(yield* eventLines, [
          "CacheMiss",
          "CallStarted 1",
          "CallFailed 1 ServerFailed, retry after 1s",
          "CallStarted 2",
          "CallFailed 2 RateLimited, retry after 5s",
          "CallStarted 3",
          "CallOk 3"
        ])
        assert.deepStrictEqual(
          (yield* events).flatMap((event) =>
            event._tag === "CallFailed" || event._tag === "CallOk" ? [Duration.toMillis(event.latency)] : []
          ),
          [300, 200, 100]
        )
      }))

    it.scoped("of a call that fails for good end with it, and have the whole time", () =>
      Effect.gen(function*() {
        const { client, eventLines, events } = yield* scriptedClient(
          [LlmTest.repeat(Effect.delay(serverFailed, 100))],
          { client: plain }
        )
        const error = errorOf(yield* within("1 minute")(client.call(request)))
        assert.deepStrictEqual(yield* eventLines, [
          "CacheMiss",
          "CallStarted 1",
          "CallFailed 1 ServerFailed, retry after 1s",
          "CallStarted 2",
          "CallFailed 2 ServerFailed, retry after 2s",
          "CallStarted 3",
          "CallFailed 3 ServerFailed",
          "CallGaveUp 3 ServerFailed"
        ])
        const gaveUp = (yield* events).at(-1)
        assert(gaveUp?._tag === "CallGaveUp")
        assert.strictEqual(gaveUp.error, error)
        assert.strictEqual(Duration.toMillis(gaveUp.latency), 3300)
      }))

    it.scoped("of a call that is not retried", () =>
      Effect.gen(function*() {
        const { client, eventLines } = yield* scriptedClient([unauthorized])
        yield* Effect.flip(client.call(request, { cache: "bypass" }))
        assert.deepStrictEqual(yield* eventLines, [
          "CallStarted 1",
          "CallFailed 1 AuthenticationFailed",
          "CallGaveUp 1 AuthenticationFailed"
        ])
      }))

    it.scoped("of a second call: a hit, and nothing else", () =>
      Effect.gen(function*() {
        const { client, events } = yield* scriptedClient(["Elbe"])
        yield* client.call(request)
        const before = (yield* events).length
        const response = yield* client.call(request)
        const after = (yield* events).slice(before)
        assert.deepStrictEqual(after.map(LlmTest.eventLine), ["CacheHit"])
        assert(after[0]?._tag === "CacheHit")
        assert.deepStrictEqual(after[0].response, response)
      }))

    it.scoped("of calls that share a run: one start, one ok, and a note of each that shared", () =>
      Effect.gen(function*() {
        const { client, events } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "1 second")])
        yield* within("1 second")(Effect.all([client.call(request), client.call(request), client.call(request)], {
          concurrency: 3
        }))
        assert.strictEqual((yield* events).filter(({ _tag }) => _tag === "CacheMiss").length, 3)
        assert.deepStrictEqual(
          (yield* events).filter(({ _tag }) => _tag !== "CacheMiss").map(LlmTest.eventLine),
          ["CallStarted 1", "CallOk 1", "CallShared", "CallShared"]
        )
      }))

    it.scoped("name the provider, the model and the tags of the call", () =>
      Effect.gen(function*() {
        const { client, events } = yield* scriptedClient([serverFailed, "Elbe"])
        yield* within("1 minute")(client.call(request, { tags: { job: "nightly" } }))
        assert.strictEqual((yield* events).length, 5)
        for (const { model, provider, tags } of (yield* events)) {
          assert.deepStrictEqual({ model, provider, tags }, {
            model: "gpt-4o-mini",
            provider: "scripted",
            tags: { job: "nightly" }
          })
        }
      }))

    it.scoped("go to a logger that cannot hurt the call: one that dies, one that throws", () =>
      leavingNoFiber(Effect.gen(function*() {
        const loggers: ReadonlyArray<LlmLogger.Service["log"]> = [
          () => Effect.dieMessage("disk full"),
          () => {
            throw new Error("disk full")
          }
        ]
        for (const log of loggers) {
          const { client } = yield* scriptedClient([serverFailed, "Elbe", unauthorized], { log })
          assert.strictEqual(valueOf(yield* within("1 minute")(client.call(request))).text, "Elbe")
          assert.strictEqual(valueOf(yield* within(0)(client.call(request))).origin, "cache")
          const error = errorOf(yield* within(0)(client.call({ ...request, seed: 1 })))
          assert.strictEqual(error.reason._tag, "AuthenticationFailed")
        }
      })))

    it.scoped("come before the answer: a program that has it has seen them", () =>
      Effect.gen(function*() {
        let logged = 0
        const { client } = yield* scriptedClient(["Elbe"], {
          log: () => Effect.zipRight(settle, Effect.sync(() => logged++))
        })
        yield* client.call(request)
        assert.strictEqual(logged, 3)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(logged, 3)
      }))
  })

  it("has the types that programs rely on", () => {
    type Call = Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError, LlmClient.LlmClient>
    expectTypeOf(LlmClient.call(request)).toEqualTypeOf<Call>()
    expectTypeOf(LlmClient.callAll([request], { concurrency: 2 })).toEqualTypeOf<
      Stream.Stream<LlmClient.CallResult, never, LlmClient.LlmClient>
    >()
    expectTypeOf(LlmClient.layer).returns.toEqualTypeOf<
      Layer.Layer<
        LlmClient.LlmClient,
        never,
        LlmProvider.LlmProvider | LlmCache.LlmCache | LlmLogger.LlmLogger
      >
    >()
    expectTypeOf(LlmClient.layerDefault()).toEqualTypeOf<
      Layer.Layer<LlmClient.LlmClient, never, LlmProvider.LlmProvider>
    >()
    const cache: Layer.Layer<LlmCache.LlmCache, "error", "service"> = Layer.fail("error")
    expectTypeOf(LlmClient.layerDefault({}, { cache })).toEqualTypeOf<
      Layer.Layer<LlmClient.LlmClient, "error", LlmProvider.LlmProvider | "service">
    >()
    expectTypeOf(LlmClient.withOptions(LlmClient.call(request), { timeout: 1 })).toEqualTypeOf<Call>()
    expectTypeOf(LlmClient.call(request).pipe(LlmClient.withOptions({ timeout: 1 }))).toEqualTypeOf<Call>()
    const other: Effect.Effect<1, "error", "service"> = Effect.never
    expectTypeOf(other.pipe(LlmClient.withOptions({}))).toEqualTypeOf<Effect.Effect<1, "error", "service">>()
    // @ts-expect-error both a prompt and messages
    void LlmClient.call({ model: "gpt-4o-mini", prompt: "a", messages: [{ role: "user", content: "a" }] })
    // @ts-expect-error neither a prompt nor messages
    void LlmClient.call({ model: "gpt-4o-mini" })
    // @ts-expect-error no such field
    void LlmClient.call({ ...request, temprature: 0 })
    // @ts-expect-error no such cache mode
    void LlmClient.call(request, { cache: "off" })
    // @ts-expect-error no concurrency
    void LlmClient.callAll([request], {})
  })
})
