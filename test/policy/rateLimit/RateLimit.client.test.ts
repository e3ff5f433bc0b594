import { assert, describe, it } from "@effect/vitest"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import { rateLimited, serverFailed } from "../../support/errors.js"
import { errorOf, valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { request } from "../../support/samples.js"
import { countOf, inFlightOf, target } from "../../support/targets.js"
import { settle, within } from "../../support/testClock.js"

const clientOf = Effect.fnUntraced(function*(
  layer: Layer.Layer<LlmProvider.LlmProvider>,
  options: LlmClient.Options = {}
) {
  const events: Array<LlmEvent.LlmEvent> = []
  const client = Context.get(
    yield* Layer.build(
      LlmClient.layer(options).pipe(
        Layer.provide(layer),
        Layer.provide([LlmCache.layerMemory(), LlmLogger.layerHandler((event) => void events.push(event))])
      )
    ),
    LlmClient.LlmClient
  )
  const ask = (prompt: string, options?: LlmClient.CallOptions) => client.call({ ...request, prompt }, options)
  return { ask, client, events }
})

const queuedFor = (response: LlmResponse.LlmResponse) =>
  response.queuedFor === undefined ? undefined : Duration.toMillis(response.queuedFor)

const perSecond: RateLimit.Options = { requestsPerMinute: 60, burst: "1 second" }

describe("RateLimit in a client", () => {
  it.scoped("does not take the wait for a turn from the attempt's time, and states it in the response", () =>
    leavingNoFiber(Effect.gen(function*() {
      const inner = target("openai", Effect.delay(LlmTest.text("Elbe"), "8 seconds"))
      const { ask, events } = yield* clientOf(RateLimit.limit(inner.layer, { concurrency: 1 }), {
        timeout: "10 seconds"
      })
      const fibers = yield* Effect.forEach(
        ["a", "b", "c"],
        (prompt) => Effect.zipLeft(Effect.fork(ask(prompt)), settle)
      )
      yield* TestClock.adjust("24 seconds")
      const responses = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(responses.map(queuedFor), [undefined, 8000, 16_000])
      assert.deepStrictEqual(responses.map(({ latency }) => Duration.toMillis(latency)), [8000, 16_000, 24_000])
      assert.deepStrictEqual([yield* countOf(inner), responses[2]?.attempts], [3, 1])
      assert.deepStrictEqual(
        events.flatMap((event) => event._tag === "RateLimitWaited" ? [Duration.toMillis(event.waited)] : []),
        [8000, 16_000]
      )
    })))

  it.scoped("takes it from the call's deadline: fails at once where the turn would come too late", () =>
    leavingNoFiber(Effect.gen(function*() {
      const inner = target("openai", "Elbe")
      const { ask, events } = yield* clientOf(RateLimit.limit(inner.layer, { requestsPerMinute: 1 }), {
        timeout: "5 seconds"
      })
      yield* ask("first")
      const error = errorOf(yield* Effect.exit(ask("second", { deadline: "30 seconds" })))
      assert(error.reason._tag === "TimedOut" && error.reason.phase === "queue")
      assert.deepStrictEqual(error.reason.limit, Duration.seconds(30))
      assert.include(error.message, "a turn would come in 1m, and the request can wait for 30s")
      assert.strictEqual(yield* countOf(inner), 1)
      assert.deepStrictEqual(events.filter(({ _tag }) => _tag === "CallStarted").length, 2)
      // A minute is longer than the attempt may take, and not than the call.
      assert.strictEqual(queuedFor(valueOf(yield* within("1 minute")(ask("third")))), 60_000)
    })))

  it.scoped("ends a wait at the deadline, which leaves nothing behind", () =>
    leavingNoFiber(Effect.gen(function*() {
      const inner = target("openai", Effect.never)
      const { ask } = yield* clientOf(RateLimit.limit(inner.layer, { concurrency: 1 }), { timeout: "10 minutes" })
      const long = yield* Effect.fork(ask("long", { deadline: "10 minutes" }))
      yield* settle
      const error = errorOf(yield* within("30 seconds")(ask("second", { deadline: "30 seconds" })))
      assert(error.reason._tag === "TimedOut" && error.reason.phase === "total")
      yield* Fiber.interrupt(long)
      assert.deepStrictEqual([yield* countOf(inner), yield* inFlightOf(inner)], [1, 0])
    })))

  it.scoped("answers from the cache and shared ones were not queued", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { layer } = target("openai", Effect.delay(LlmTest.text("Elbe"), "1 second"))
      const { ask } = yield* clientOf(RateLimit.limit(layer, perSecond))
      yield* within("1 second")(ask("first"))
      const leader = yield* Effect.fork(ask("second", { cache: "refresh" }))
      yield* Effect.fork(ask("third"))
      yield* settle
      const follower = yield* Effect.fork(ask("third"))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(leader)
      const shared = yield* Fiber.join(follower)
      assert.deepStrictEqual([shared.origin, queuedFor(shared)], ["shared", undefined])
      const cached = yield* ask("third")
      assert.deepStrictEqual([cached.origin, queuedFor(cached)], ["cache", undefined])
    })))

  it.scoped("states the wait in a stream's response, and as an attribute of the span", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { layer } = target("openai", "Elbe")
      const { ask, client } = yield* clientOf(RateLimit.limit(layer, perSecond))
      const attributes: Array<readonly [string, unknown]> = []
      const tracer = Tracer.make({
        context: (f) => f(),
        span: (name, parent, context, links, startTime, kind) => ({
          _tag: "Span",
          name,
          spanId: "s",
          traceId: "t",
          parent,
          context,
          status: { _tag: "Started", startTime },
          attributes: new Map(),
          links,
          sampled: true,
          kind,
          end: () => {},
          attribute: (key, value) => {
            if (key.startsWith("effect_llm")) attributes.push([key, value])
          },
          event: () => {},
          addLinks: () => {}
        })
      })
      yield* Effect.withTracer(ask("first"), tracer)
      const exit = yield* within("1 second")(
        Effect.withTracer(Stream.runLast(client.stream({ ...request, prompt: "second" })), tracer)
      )
      const last = valueOf(exit)
      assert(last._tag === "Some" && last.value._tag === "Finish")
      assert.strictEqual(queuedFor(last.value.response), 1000)
      assert.deepStrictEqual(attributes, [["effect_llm.queued_for", 1]])
      const encoded = Schema.encodeSync(LlmResponse.LlmResponse)(last.value.response)
      assert.strictEqual(encoded.queuedFor, 1000)
    })))

  it.scoped("meets no second 429: retries wait for their turn", () =>
    leavingNoFiber(Effect.gen(function*() {
      const inner = target("openai", (_, n) => n <= 3 ? Effect.delay(rateLimited("5 seconds"), "100 millis") : "Elbe")
      const { ask } = yield* clientOf(RateLimit.limit(inner.layer, { requestsPerMinute: 60 }))
      const fibers = yield* Effect.forEach(["a", "b", "c"], (prompt) => Effect.fork(ask(prompt)))
      yield* TestClock.adjust("10 seconds")
      const responses = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(responses.map(({ attempts }) => attempts), [2, 2, 2])
      assert.strictEqual(yield* countOf(inner), 6)
    })))
})

describe("RateLimit among the policies", () => {
  it.scoped("reads as a sentence with them, and each does its part", () =>
    leavingNoFiber(Effect.gen(function*() {
      const first = target("openai", (_, n) => n <= 2 ? serverFailed : "Elbe")
      const second = target("anthropic", "Oder")
      const { ask, events } = yield* clientOf(
        first.layer.pipe(
          RateLimit.limit({ requestsPerMinute: 500, tokensPerMinute: 200_000, concurrency: 64 }),
          CircuitBreaker.protect({ consecutive: 2, openFor: "10 seconds" }),
          Fallback.to(second.layer, { model: "claude-haiku-4-5" })
        ),
        { retry: false }
      )
      const texts = yield* Effect.forEach(["a", "b", "c"], (prompt) => Effect.map(ask(prompt), ({ text }) => text))
      assert.deepStrictEqual(texts, ["Oder", "Oder", "Oder"])
      // The third found the circuit open.
      assert.deepStrictEqual([yield* countOf(first), yield* countOf(second)], [2, 3])
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* ask("d")).text, "Elbe")
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag).filter((tag) => tag.startsWith("Circuit")),
        ["CircuitOpened", "CircuitHalfOpened", "CircuitClosed"]
      )
    })))

  it.scoped("lets a fallback take over at once where the wait would be too long, and no circuit opens for it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const first = target("openai", "Elbe")
      const second = target("anthropic", "Oder")
      const { ask, events } = yield* clientOf(
        first.layer.pipe(
          RateLimit.limit({ requestsPerMinute: 1, maxWait: "1 second" }),
          CircuitBreaker.protect({ consecutive: 1 }),
          Fallback.to(second.layer)
        )
      )
      const texts = yield* Effect.forEach(["a", "b", "c"], (prompt) => Effect.map(ask(prompt), ({ text }) => text))
      assert.deepStrictEqual(texts, ["Elbe", "Oder", "Oder"])
      assert.deepStrictEqual(events.filter(({ _tag }) => _tag === "CircuitOpened"), [])
    })))

  it.scoped("a request that is too large is neither tried again nor counted by a breaker", () =>
    leavingNoFiber(Effect.gen(function*() {
      const inner = target("openai", "Elbe")
      const { client } = yield* clientOf(
        inner.layer.pipe(RateLimit.limit({ tokensPerMinute: 500 }), CircuitBreaker.protect({ consecutive: 1 }))
      )
      const error = errorOf(yield* Effect.exit(client.call({ ...request, maxTokens: 1000 })))
      assert.deepStrictEqual([error.reason._tag, error.attempts], ["InvalidRequest", 1])
      assert.strictEqual((yield* client.call({ ...request, maxTokens: 100 })).text, "Elbe")
      assert.strictEqual(yield* countOf(inner), 1)
    })))

  it.scoped("a second request of a hedge has a turn of its own, and the wait for one needs no second request", () =>
    leavingNoFiber(Effect.gen(function*() {
      const inner = target(
        "openai",
        (_, n) => Effect.delay(LlmTest.text(`${n}`), n === 11 ? "1 minute" : "1 millis")
      )
      const { ask } = yield* clientOf(
        inner.layer.pipe(RateLimit.limit({ requestsPerMinute: 12 }), Hedge.after("2 seconds", { maxExtraLoad: 0.2 }))
      )
      for (let i = 0; i < 10; i++) yield* within("1 millis")(ask(`${i}`))
      const hedged = valueOf(yield* within("2001 millis")(ask("slow")))
      assert.deepStrictEqual([hedged.text, hedged.attempts, yield* countOf(inner)], ["12", 2, 12])
      // Nothing is left of the minute's requests: the next one waits, for longer than the hedge's delay.
      const waited = valueOf(yield* within("10 seconds")(ask("waits")))
      assert.deepStrictEqual([waited.attempts, yield* countOf(inner), yield* inFlightOf(inner)], [1, 13, 0])
      assert.isAbove(queuedFor(waited) ?? 0, 2000)
    })))

  it.scoped("interrupted anywhere leaves no permit, fiber or timer", () =>
    leavingNoFiber(Effect.gen(function*() {
      for (let steps = 0; steps < 40; steps++) {
        const inner = target(
          "openai",
          Effect.as(Effect.repeatN(Effect.yieldNow(), 3), "Elbe")
        )
        const { ask } = yield* clientOf(
          inner.layer.pipe(
            RateLimit.limit({ concurrency: 1, tokensPerMinute: 10_000 }),
            CircuitBreaker.protect(),
            Fallback.to(LlmTest.layerFailing(LlmError.ServerFailed.make({})))
          ),
          { retry: false }
        )
        const staying = yield* Effect.fork(ask("staying"))
        const leaving = yield* Effect.fork(ask("leaving"))
        for (let i = 0; i < steps; i++) yield* Effect.yieldNow()
        yield* Fiber.interrupt(leaving)
        assert.strictEqual((yield* Fiber.join(staying)).text, "Elbe")
        assert.strictEqual((yield* ask("next")).text, "Elbe")
        assert.strictEqual(yield* inFlightOf(inner), 0)
      }
    })), 60_000)
})
