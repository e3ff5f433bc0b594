import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAi from "effect-llm/OpenAi"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as CircuitBreaker from "../../../src/policy/circuitBreaker/CircuitBreaker.js"
import * as Hedge from "../../../src/policy/hedge/Hedge.js"
import * as Fallback from "../../../src/policy/targets/Fallback.js"
import { failure, serverFailed } from "../../support/errors.js"
import { errorOf, valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { request } from "../../support/samples.js"
import { countOf, inFlightOf, target, timesOf } from "../../support/targets.js"
import { settle, within } from "../../support/testClock.js"

const overloaded = failure(LlmError.Overloaded.make({}))

/** Hedges a scripted provider after a second, as often as it likes. */
const hedging = Effect.fnUntraced(function*(script: LlmTest.Script, options: Hedge.Options = { maxExtraLoad: 1 }) {
  const inner = yield* LlmTest.make(script, { name: "openai" })
  const provider = yield* Hedge.make(inner.provider, "1 second", options)
  const decoded = yield* Effect.orDie(LlmRequest.decode(request))
  return { call: provider.call(decoded), decoded, inner, provider }
})

const textOf = (exit: Exit.Exit<LlmResponse.LlmResponse, LlmError.LlmError>) => valueOf(exit).text

describe("Hedge", () => {
  it.effect("sends one request where the answer comes in time", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, inner } = yield* hedging([Effect.delay(LlmTest.text("one"), "999 millis")])
      assert.strictEqual(textOf(yield* within("999 millis")(call)), "one")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* timesOf(inner), [0])
    })))

  it.effect("sends a second one after the delay, takes the first answer, and ends the other request before that", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, inner } = yield* hedging([Effect.never, Effect.delay(LlmTest.text("two"), "1 second")])
      const ended = Effect.flatMap(call, ({ text }) => Effect.map(inFlightOf(inner), (inFlight) => [text, inFlight]))
      assert.deepStrictEqual(valueOf(yield* within("2 seconds")(ended)), ["two", 0])
      assert.deepStrictEqual(yield* timesOf(inner), [0, 1000])
    })))

  it.effect("gives the second one settings of its own, on top of the request's", () =>
    Effect.gen(function*() {
      const settings = { serviceTier: "priority" as const, maxTokens: 7 }
      const { call, decoded, inner, provider } = yield* hedging(
        [Effect.never, LlmTest.text("two"), Effect.never, LlmTest.text("two")],
        { maxExtraLoad: 1, settings }
      )
      assert.strictEqual(textOf(yield* within("1 second")(call)), "two")
      yield* within("1 second")(Stream.runDrain(provider.stream(decoded)))
      const [first, second, third, fourth] = yield* inner.requests
      assert.deepStrictEqual([first, third], [decoded, decoded])
      for (const request of [second, fourth]) {
        assert.deepStrictEqual({ ...request }, { ...decoded, ...settings })
      }
    }))

  it.effect("dies of settings that make no sense", () =>
    Effect.gen(function*() {
      const { provider } = yield* LlmTest.make(["one"])
      const exit = yield* Effect.exit(Hedge.make(provider, "1 second", { settings: { temperature: 7 } }))
      assert.include(String(exit), "settings")
    }))

  it.effect("ends the second request where the first one answers after all", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, inner } = yield* hedging([Effect.delay(LlmTest.text("one"), "3 seconds"), Effect.never])
      const ended = Effect.flatMap(call, ({ text }) => Effect.map(inFlightOf(inner), (inFlight) => [text, inFlight]))
      assert.deepStrictEqual(valueOf(yield* within("3 seconds")(ended)), ["one", 0])
    })))

  it.effect("sends no second one after a failure: that is for a retry", () =>
    Effect.gen(function*() {
      const { call, inner } = yield* hedging([Effect.delay(serverFailed, "999 millis")])
      assert.strictEqual(errorOf(yield* within("999 millis")(call)), serverFailed)
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(yield* inner.requests, 1)
    }))

  it.effect("waits for the other request where one fails", () =>
    Effect.gen(function*() {
      const firstFails = yield* hedging([
        Effect.delay(serverFailed, "2 seconds"),
        Effect.delay(LlmTest.text("two"), "5 seconds")
      ])
      assert.strictEqual(textOf(yield* within("6 seconds")(firstFails.call)), "two")
      const secondFails = yield* hedging([Effect.delay(LlmTest.text("one"), "5 seconds"), serverFailed])
      assert.strictEqual(textOf(yield* within("5 seconds")(secondFails.call)), "one")
    }))

  it.effect("fails with the failure that came first where both fail", () =>
    Effect.gen(function*() {
      const inOrder = yield* hedging([Effect.delay(serverFailed, "2 seconds"), Effect.delay(overloaded, "5 seconds")])
      assert.strictEqual(errorOf(yield* within("6 seconds")(inOrder.call)), serverFailed)
      const reversed = yield* hedging([Effect.delay(serverFailed, "5 seconds"), overloaded])
      assert.strictEqual(errorOf(yield* within("5 seconds")(reversed.call)), overloaded)
    }))

  describe("when an answer is to be better", () => {
    const options = { maxExtraLoad: 1, when: Fallback.onFinish("refusal") }
    const refusal = (millis: number, cost = 0.25) =>
      Effect.delay(LlmTest.text(`after ${millis}`, { finishReason: "refusal", cost }), millis)

    it.effect("lets one that is not wait for the other request, and charges both", () =>
      leavingNoFiber(Effect.gen(function*() {
        const script = [refusal(1_500), Effect.delay(LlmTest.text("two", { cost: 0.5 }), "1 second")]
        const spent: Array<number | undefined> = []
        const { call } = yield* hedging(script, options)
        const attempt = yield* LlmProvider.CurrentAttempt
        const charged = Effect.provideService(call, LlmProvider.CurrentAttempt, {
          ...attempt,
          spent: ({ cost }) => Effect.sync(() => void spent.push(cost))
        })
        assert.strictEqual(textOf(yield* within("2 seconds")(charged)), "two")
        assert.deepStrictEqual(spent, [0.25])
      })))

    it.effect("takes the one that came first where neither is", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call } = yield* hedging([refusal(1_500), refusal(1_000)], options)
        assert.strictEqual(textOf(yield* within("2 seconds")(call)), "after 1500")
      })))

    it.effect("takes it where the other request fails", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call } = yield* hedging([refusal(1_500), Effect.delay(Effect.fail(overloaded), "1 second")], options)
        assert.strictEqual(textOf(yield* within("2 seconds")(call)), "after 1500")
      })))

    it.effect("takes it where the other request hangs, before the time of the attempt is over", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, inner } = yield* hedging([refusal(1_500), Effect.never], options)
        const attempt = yield* LlmProvider.CurrentAttempt
        const limited = Effect.provideService(call, LlmProvider.CurrentAttempt, {
          ...attempt,
          left: Effect.succeed(Duration.seconds(10))
        })
        assert.strictEqual(textOf(yield* within("10500 millis")(limited)), "after 1500")
        assert.strictEqual(yield* inFlightOf(inner), 0)
      })))

    it.effect("ends the other request when the caller leaves while an answer waits for it", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, inner } = yield* hedging([refusal(1_500), Effect.never], options)
        const attempt = yield* LlmProvider.CurrentAttempt
        const left = Effect.succeed(Duration.seconds(10))
        const fiber = yield* Effect.fork(
          Effect.provideService(call, LlmProvider.CurrentAttempt, { ...attempt, left })
        )
        yield* TestClock.adjust("2 seconds")
        yield* within("0 seconds")(Fiber.interrupt(fiber))
        assert(Exit.isInterrupted(yield* Fiber.await(fiber)))
        assert.strictEqual(yield* inFlightOf(inner), 0)
      })))

    it.effect("takes it at once where there is no other request yet", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, inner } = yield* hedging([refusal(500)], options)
        assert.strictEqual(textOf(yield* within("500 millis")(call)), "after 500")
        assert.deepStrictEqual(yield* timesOf(inner), [0])
      })))
  })

  it.effect("lets a defect end it at once", () =>
    Effect.gen(function*() {
      const { call, inner } = yield* hedging([Effect.never, Effect.dieMessage("a bug")])
      const exit = yield* within("1 second")(call)
      assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
      assert.strictEqual(yield* inFlightOf(inner), 0)
    }))

  it.effect("ends both requests when the caller leaves, before the caller goes on", () =>
    leavingNoFiber(Effect.gen(function*() {
      const slowToEnd = Effect.onInterrupt(Effect.never, () => Effect.repeatN(Effect.yieldNow(), 20))
      for (const wait of [500, 1500]) {
        const { call, inner } = yield* hedging([LlmTest.repeat(slowToEnd)])
        const fiber = yield* Effect.fork(call)
        yield* TestClock.adjust(wait)
        assert.strictEqual(yield* inFlightOf(inner), wait > 1000 ? 2 : 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* inFlightOf(inner), 0)
      }
    })))

  it.effect("ends the request that it waits for after the other one failed, when the caller leaves", () =>
    leavingNoFiber(Effect.gen(function*() {
      for (const script of [[Effect.never, serverFailed], [Effect.delay(serverFailed, "1200 millis"), Effect.never]]) {
        const { call, inner } = yield* hedging(script)
        const fiber = yield* Effect.fork(call)
        yield* TestClock.adjust("1500 millis")
        assert.strictEqual(yield* inFlightOf(inner), 1)
        yield* within("0 seconds")(Fiber.interrupt(fiber))
        assert(Exit.isInterrupted(yield* Fiber.await(fiber)))
        assert.strictEqual(yield* inFlightOf(inner), 0)
      }
    })))

  it.effect("adds no more load than allowed, and makes use of it", () =>
    Effect.gen(function*() {
      const { call, inner } = yield* hedging([LlmTest.repeat(Effect.delay(LlmTest.text("slow"), "2 seconds"))], {
        maxExtraLoad: 0.1
      })
      yield* within("2 seconds")(Effect.replicateEffect(call, 100, { concurrency: "unbounded", discard: true }))
      // All at once: only so much can have been saved up.
      assert.strictEqual(yield* countOf(inner), 102)
      for (let i = 1; i <= 60; i++) {
        yield* within("2 seconds")(call)
        assert.isAtMost((yield* countOf(inner)) - 102 - i, 0.1 * i + 2)
      }
      assert.isAtLeast((yield* countOf(inner)) - 102, 65)
    }))

  it.effect("adds none to the first attempts", () =>
    Effect.gen(function*() {
      const { call, inner } = yield* hedging([LlmTest.repeat(Effect.delay(LlmTest.text("slow"), "2 seconds"))], {})
      for (let i = 0; i < 9; i++) yield* within("2 seconds")(call)
      assert.lengthOf(yield* inner.requests, 9)
      yield* within("2 seconds")(call)
      assert.lengthOf(yield* inner.requests, 11)
    }))

  it.effect("dies of options that make no sense, and names them", () =>
    Effect.gen(function*() {
      const bad: ReadonlyArray<readonly [string, Duration.DurationInput | Hedge.Percentile, Hedge.Options]> = [
        ["delay", -1, {}],
        ["delay", NaN, {}],
        ["percentile", { percentile: 0 }, {}],
        ["percentile", { percentile: 95 }, {}],
        ["initialDelay", { percentile: 0.95, initialDelay: -1 }, {}],
        ["minDelay", { percentile: 0.95, minDelay: NaN }, {}],
        ["minimumSamples", { percentile: 0.95, minimumSamples: 0 }, {}],
        ["window", { percentile: 0.95, window: 0 }, {}],
        ["maxExtraLoad", "1 second", { maxExtraLoad: -0.1 }],
        ["maxExtraLoad", "1 second", { maxExtraLoad: 1.1 }]
      ]
      for (const [option, delay, options] of bad) {
        const exit = yield* Effect.exit(Layer.build(Hedge.after(LlmTest.layerEcho, delay, options)))
        assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
        assert.propertyVal(exit.cause.defect, "option", option)
      }
    }).pipe(Effect.scoped))

  describe("after a percentile", () => {
    const learning: Hedge.Percentile = {
      percentile: 0.95,
      initialDelay: "10 seconds",
      minDelay: "100 millis",
      minimumSamples: 20,
      window: "1 hour"
    }

    /** A hedge that learns from a provider whose pace can be set, and its delay as it shows from outside. */
    const learner = Effect.fnUntraced(function*(percentile: Partial<Hedge.Percentile> = {}) {
      const pace = { takes: (_n: number) => 0 as Duration.DurationInput, queue: 0 }
      const inner = yield* LlmTest.make([
        LlmTest.repeat((_, n) =>
          Effect.gen(function*() {
            const attempt = yield* LlmProvider.CurrentAttempt
            if (pace.queue > 0) yield* attempt.queued(Effect.sleep(pace.queue))
            return yield* Effect.delay(LlmTest.text("done"), pace.takes(n))
          })
        )
      ], { name: "openai" })
      const provider = yield* Hedge.make(inner.provider, { ...learning, ...percentile }, { maxExtraLoad: 1 })
      const decoded = yield* Effect.orDie(LlmRequest.decode(request))
      const call = provider.call(decoded)
      /** When the second request of an attempt is sent, whose first never gets an answer. */
      const delay = (of = call) =>
        Effect.gen(function*() {
          pace.takes = () => "1 hour"
          const before = yield* countOf(inner)
          const fiber = yield* Effect.fork(of)
          yield* TestClock.adjust("1 minute")
          yield* Fiber.interrupt(fiber)
          const [first = NaN, second = NaN] = (yield* timesOf(inner)).slice(before)
          return second - first
        })
      const train = (millis: ReadonlyArray<number>) =>
        Effect.forEach(millis, (time) => {
          pace.takes = () => time
          return within(time + pace.queue)(call)
        }, { discard: true })
      return { call, decoded, delay, inner, pace, provider, train }
    })

    it.effect("waits for as long as most answers take, once it knows that", () =>
      Effect.gen(function*() {
        const { delay, train } = yield* learner()
        yield* train(Array.from({ length: 19 }, (_, i) => 200 + i))
        assert.strictEqual(yield* delay(), 10_000)
        yield* train([3000])
        // 19 of 20 took no longer than 218 milliseconds.
        const learned = yield* delay()
        assert.isAtLeast(learned, 218)
        assert.isAtMost(learned, 240)
      }))

    it.effect("waits for the shortest delay at least", () =>
      Effect.gen(function*() {
        const { delay, train } = yield* learner({ minDelay: "1 second" })
        yield* train(Array.from({ length: 20 }, () => 5))
        assert.strictEqual(yield* delay(), 1000)
      }))

    it.effect("learns for each model by itself, and forgets", () =>
      Effect.gen(function*() {
        const { decoded, delay, provider, train } = yield* learner({ window: "1 minute" })
        yield* train(Array.from({ length: 20 }, () => 200))
        const other = provider.call(new LlmRequest.LlmRequest({ ...decoded, model: "other" }))
        assert.strictEqual(yield* delay(other), 10_000)
        assert.isAtMost(yield* delay(), 220)
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(yield* delay(), 10_000)
      }))

    it.effect("takes no time in a queue for slowness, neither for the delay nor for what it learns", () =>
      Effect.gen(function*() {
        const { delay, pace, train } = yield* learner()
        pace.queue = 5000
        yield* train(Array.from({ length: 20 }, () => 200))
        pace.queue = 0
        assert.isAtMost(yield* delay(), 220)
        pace.queue = 5000
        // Its turn came after five seconds.
        const delayed = yield* delay()
        assert.isAtLeast(delayed, 5200)
        assert.isAtMost(delayed, 5220)
      }))

    it.effect("does not take the slowest for faster than they are because they were beaten", () =>
      Effect.gen(function*() {
        const { call, delay, inner, pace, train } = yield* learner()
        yield* train(Array.from({ length: 20 }, () => 200))
        for (let i = 0; i < 5; i++) {
          // The first would take a minute; the second has its answer after 300 milliseconds.
          const before = yield* countOf(inner)
          pace.takes = (n) => n === before + 1 ? "1 minute" : 300
          yield* within("10 seconds")(call)
          assert.strictEqual(yield* countOf(inner), before + 2)
        }
        // 5 of 25 took longer than half a second.
        assert.isAtLeast(yield* delay(), 490)
      }))

    it.effect("learns nothing from failures, which may be quick, and from callers that leave", () =>
      Effect.gen(function*() {
        const hedged = yield* Hedge.make(target("openai", serverFailed).provider, learning)
        const decoded = yield* Effect.orDie(LlmRequest.decode(request))
        for (let i = 0; i < 30; i++) yield* Effect.exit(hedged.call(decoded))
        const { call, delay, pace, train } = yield* learner()
        yield* train(Array.from({ length: 19 }, () => 200))
        pace.takes = () => "1 hour"
        for (let i = 0; i < 5; i++) {
          const fiber = yield* Effect.fork(call)
          yield* TestClock.adjust(10)
          yield* Fiber.interrupt(fiber)
        }
        assert.strictEqual(yield* delay(), 10_000)
      }))

    it.effect("learns the time to the first part of a stream", () =>
      Effect.gen(function*() {
        const part = (text: string, after: Duration.DurationInput) =>
          Stream.fromEffect(Effect.delay(Effect.succeed(StreamPart.TextDelta({ text })), after))
        const inner = target("openai", (_, n) =>
          LlmTest.streamExactly(Stream.concat(part("a", n <= 20 ? 200 : "1 hour"), part("b", "30 seconds"))))
        const hedged = yield* Hedge.make(inner.provider, learning, { maxExtraLoad: 1 })
        const decoded = yield* Effect.orDie(LlmRequest.decode(request))
        for (let i = 0; i < 20; i++) {
          yield* within("31 seconds")(Stream.runDrain(hedged.stream(decoded)))
        }
        const fiber = yield* Effect.fork(Stream.runDrain(hedged.stream(decoded)))
        yield* TestClock.adjust(199)
        assert.strictEqual(yield* countOf(inner), 21)
        yield* TestClock.adjust(21)
        assert.strictEqual(yield* countOf(inner), 22)
        yield* Fiber.interrupt(fiber)
      }))

    it.effect("adds little load where answers take as long as ever", () =>
      Effect.gen(function*() {
        const { inner, train } = yield* learner({ minimumSamples: 50 })
        // A long tail.
        const times = yield* Effect.replicateEffect(
          Effect.map(Random.next, (u) => Math.round(200 / Math.max(u, 0.001) ** 0.7)),
          200
        ).pipe(Effect.withRandom(Random.make("seed")))
        yield* train(times.slice(0, 50))
        const before = yield* countOf(inner)
        yield* train(times.slice(50))
        const requests = (yield* countOf(inner)) - before
        assert.isAtMost(requests, 1.1 * 150)
        assert.isAtLeast(requests, 151)
      }))
  })

  describe("under a client", () => {
    const clientOn = (provider: LlmTest.Scripted) =>
      LlmClient.layer({ retry: false }).pipe(Layer.provide([
        provider.layer.pipe(Hedge.after("1 second", { maxExtraLoad: 1 })),
        LlmCache.layerNone,
        LlmTest.layerLogger
      ]))

    it.effect("counts both requests, and keeps to the attempt's time", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { attempts, text } = valueOf(yield* within("2 seconds")(LlmClient.call(request)))
        assert.deepStrictEqual({ attempts, text }, { attempts: 2, text: "two" })
        const { reason } = errorOf(yield* within("30 seconds")(LlmClient.call(request)))
        assert.deepStrictEqual(reason, LlmError.TimedOut.make({ phase: "attempt", limit: Duration.seconds(30) }))
      })).pipe(
        Effect.provide(
          clientOn(target("slow", (_, n) => n === 2 ? Effect.delay(LlmTest.text("two"), "1 second") : Effect.never))
        )
      ))

    it.effect("charges an answer that came too late to the call", () => {
      const gate = Deferred.unsafeMake<void>(FiberId.none)
      return Effect.gen(function*() {
        const fiber = yield* Effect.fork(LlmClient.call(request))
        yield* TestClock.adjust("2 seconds")
        // Both have their answers at the same moment.
        yield* Deferred.succeed(gate, undefined)
        const tied = yield* Fiber.join(fiber)
        assert.deepStrictEqual([tied.cost, tied.attempts], [0.5, 2])
      }).pipe(
        Effect.provide(
          clientOn(target("slow", () => Effect.zipRight(Deferred.await(gate), LlmTest.text("tied", { cost: 0.25 }))))
        )
      )
    })

    it.effect("charges nothing for an answer that never came", () =>
      Effect.gen(function*() {
        const beaten = valueOf(yield* within("2 seconds")(LlmClient.call(request)))
        assert.deepStrictEqual([beaten.text, beaten.cost, beaten.attempts], ["second", 0.25, 2])
      }).pipe(
        Effect.provide(
          clientOn(target("slow", (_, n) => n === 1 ? Effect.never : LlmTest.text("second", { cost: 0.25 })))
        )
      ))

    it.effect("does not hedge a request that waits for its turn", () => {
      const slow = target("slow", () =>
        Effect.gen(function*() {
          const attempt = yield* LlmProvider.CurrentAttempt
          yield* attempt.queued(Effect.sleep("40 seconds"))
          return yield* LlmTest.text("one")
        }))
      return Effect.gen(function*() {
        assert.strictEqual(valueOf(yield* within("40 seconds")(LlmClient.call(request))).text, "one")
        assert.strictEqual(yield* countOf(slow), 1)
      }).pipe(Effect.provide(clientOn(slow)))
    })
  })

  describe("for streams", () => {
    const delta = (text: string) => StreamPart.TextDelta({ text })

    const streaming = Effect.fnUntraced(function*(
      streams: ReadonlyArray<Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>>
    ) {
      const inner = yield* LlmTest.make(streams.map(LlmTest.streamExactly), { name: "openai" })
      const provider = yield* Hedge.make(inner.provider, "1 second", { maxExtraLoad: 1 })
      const seen: Array<string> = []
      const decoded = yield* Effect.orDie(LlmRequest.decode(request))
      const run = provider.stream(decoded).pipe(
        Stream.runForEach((part) => Effect.sync(() => seen.push(part._tag === "TextDelta" ? part.text : part._tag)))
      )
      return { inner, run, seen }
    })

    it.effect("takes the stream whose first part comes first, and closes the other at once", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { inner, run, seen } = yield* streaming([
          Stream.never,
          Stream.concat(Stream.make(delta("a"), delta("b")), Stream.never)
        ])
        const fiber = yield* Effect.fork(run)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(seen, ["a", "b"])
        assert.deepStrictEqual([yield* countOf(inner), yield* inFlightOf(inner)], [2, 1])
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* inFlightOf(inner), 0)
      })))

    it.effect("sends no second request after the first part, however long the rest takes", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { inner, run, seen } = yield* streaming([
          Stream.concat(
            Stream.make(delta("a")),
            Stream.fromEffect(Effect.delay(Effect.succeed(delta("b")), "1 minute"))
          )
        ])
        valueOf(yield* within("1 minute")(run))
        assert.deepStrictEqual(seen, ["a", "b"])
        assert.deepStrictEqual([yield* countOf(inner), yield* inFlightOf(inner)], [1, 0])
      })))

    it.effect("keeps only one stream open where both have their first part at the same moment", () =>
      leavingNoFiber(Effect.gen(function*() {
        const at = (time: Duration.DurationInput, text: string) =>
          Stream.concat(Stream.fromEffect(Effect.delay(Effect.succeed(delta(text)), time)), Stream.never)
        const { inner, run, seen } = yield* streaming([at("2 seconds", "a"), at("1 second", "b")])
        const fiber = yield* Effect.fork(run)
        yield* TestClock.adjust("2 seconds")
        yield* settle
        assert.lengthOf(seen, 1)
        assert.deepStrictEqual([yield* countOf(inner), yield* inFlightOf(inner)], [2, 1])
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* inFlightOf(inner), 0)
      })))
  })

  it("composes with the other policies: errors and needs of all layers add up", () => {
    const Provider: Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> = OpenAi
      .layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
        Hedge.after("3 seconds"),
        CircuitBreaker.protect({ failureRatio: 0.5, window: "30 seconds", openFor: "10 seconds" }),
        Fallback.to(Anthropic.layerConfig({ apiKey: Config.redacted("ANTHROPIC_API_KEY") }), {
          model: "claude-haiku-4-5"
        })
      )
    const Ordered: Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> = Fallback
      .order([{ layer: Provider }, { layer: LlmTest.layerEcho, model: "echo" }])
    assert.isTrue(Layer.isLayer(Ordered))
    // @ts-expect-error The errors of a target are not lost.
    const _lost: Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient> = Ordered
  })
})
