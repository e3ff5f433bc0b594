import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Fallback from "../../../src/policy/targets/Fallback.js"
import { failure, rateLimited, serverFailed } from "../../support/errors.js"
import { errorOf, valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { request, respond } from "../../support/samples.js"
import { counted, countOf, inFlightOf, target, timesOf } from "../../support/targets.js"
import { settle, within } from "../../support/testClock.js"

const build = <E>(layer: Layer.Layer<LlmProvider.LlmProvider, E>) =>
  Effect.map(Layer.build(layer), Context.get(LlmProvider.LlmProvider))

const decoded = Effect.orDie(LlmRequest.decode(request))

const clientOn = (provider: Layer.Layer<LlmProvider.LlmProvider>, options?: LlmClient.Options) =>
  LlmClient.layer(options).pipe(
    Layer.provide([provider, LlmCache.layerNone]),
    Layer.provideMerge(LlmTest.layerLogger)
  )

const contextTooLong = failure(LlmError.ContextLengthExceeded.make({}), { status: 400 })
const invalid = failure(LlmError.InvalidRequest.make({}), { status: 400 })

describe("Fallback", () => {
  describe("order", () => {
    it.scoped("asks only the first provider as long as it answers", () =>
      Effect.gen(function*() {
        const first = target("first", "one")
        const second = target("second", "two")
        const provider = yield* build(first.layer.pipe(Fallback.to(second.layer)))
        const response = yield* provider.call(yield* decoded)
        assert.deepStrictEqual([response.text, response.provider], ["one", "first"])
        assert.lengthOf(yield* second.requests, 0)
      }))

    it.scoped("asks the next provider under its own model name, and the response names the provider that answered", () =>
      Effect.gen(function*() {
        const first = target("first", serverFailed)
        const second = target("second", "two")
        const provider = yield* build(Fallback.to(first.layer, second.layer, { model: "claude-haiku-4-5" }))
        const { model, provider: who, text } = yield* provider.call(yield* decoded)
        assert.deepStrictEqual({ model, text, who }, { model: "claude-haiku-4-5", text: "two", who: "second" })
        assert.strictEqual((yield* first.requests)[0]?.model, "gpt-4o-mini")
        assert.strictEqual((yield* second.requests)[0]?.prompt, request.prompt)
      }))

    it.scoped("gives mapRequest the request with the target's model", () =>
      Effect.gen(function*() {
        const second = target("second", "two")
        const provider = yield* build(Fallback.to(target("first", serverFailed).layer, second.layer, {
          model: "small",
          mapRequest: (request) =>
            new LlmRequest.LlmRequest({ ...request, maxTokens: 10, model: `${request.model}-latest` })
        }))
        yield* provider.call(yield* decoded)
        const [asked] = yield* second.requests
        assert.deepStrictEqual([asked?.model, asked?.maxTokens], ["small-latest", 10])
      }))

    it.scoped("keeps each failure in the order of the targets, fallbacks within fallbacks too", () =>
      Effect.gen(function*() {
        const failing = (name: string, error: LlmError.LlmError) => target(name, error).layer
        const provider = yield* build(
          failing("a", serverFailed).pipe(
            Fallback.to(failing("b", failure(LlmError.Overloaded.make({}), { provider: "b" }))),
            Fallback.to(failing("c", failure(LlmError.QuotaExhausted.make({}), { provider: "c" })))
          )
        )
        const error = yield* Effect.flip(provider.call(yield* decoded))
        assert(error.reason._tag === "AllProvidersFailed")
        assert.deepStrictEqual(error.reason.errors.map(({ reason }) => reason._tag), [
          "ServerFailed",
          "Overloaded",
          "QuotaExhausted"
        ])
        assert.deepStrictEqual([error.attempts, error.provider, error.model], [3, "a", "gpt-4o-mini"])
      }))

    it.scoped("asks nobody else after a failure that all providers would have", () =>
      Effect.gen(function*() {
        const second = target("second", "two")
        const provider = yield* build(Fallback.to(target("first", invalid).layer, second.layer))
        assert.strictEqual(yield* Effect.flip(provider.call(yield* decoded)), invalid)
        assert.lengthOf(yield* second.requests, 0)
      }))

    it.scoped("passes on the error of a later target that rejects the request as it is", () =>
      Effect.gen(function*() {
        const provider = yield* build(
          Fallback.to(target("first", serverFailed).layer, target("second", contextTooLong).layer)
        )
        assert.strictEqual(yield* Effect.flip(provider.call(yield* decoded)), contextTooLong)
      }))

    it.scoped("has routes for one kind of failure: others go past them", () =>
      Effect.gen(function*() {
        const route = target("long")
        const other = target("other")
        const ask = (error: LlmError.LlmError) =>
          Effect.gen(function*() {
            const provider = yield* build(Fallback.order([
              { layer: target("first", error).layer },
              { layer: route.layer, canFailOver: Fallback.on("ContextLengthExceeded", "ContentFiltered") },
              { layer: other.layer }
            ]))
            return (yield* provider.call(yield* decoded)).text
          })
        assert.strictEqual(yield* ask(contextTooLong), "long")
        assert.strictEqual(yield* ask(failure(LlmError.ContentFiltered.make({}))), "long")
        assert.strictEqual(yield* ask(serverFailed), "other")
      }))

    it.scoped("builds each layer once, and keeps the name and the endpoint of the first", () =>
      Effect.gen(function*() {
        const first = target("first", serverFailed)
        const second = target("second", "two")
        const [countedFirst, countedSecond] = [counted(first), counted(second)]
        const provider = yield* build(Fallback.to(countedFirst.layer, countedSecond.layer))
        const request = yield* decoded
        yield* Effect.repeatN(provider.call(request), 4)
        assert.deepStrictEqual([countedFirst.built.times, countedSecond.built.times, yield* countOf(second)], [1, 1, 5])
        assert.deepStrictEqual([provider.name, provider.endpoint], ["first", "memory:first"])
      }))

    it.scoped("lets a defect be one", () =>
      Effect.gen(function*() {
        const second = target("second", "two")
        const provider = yield* build(Fallback.to(target("first", Effect.dieMessage("bug")).layer, second.layer))
        const exit = yield* Effect.exit(provider.call(yield* decoded))
        assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
        assert.lengthOf(yield* second.requests, 0)
      }))
  })

  describe("under a client", () => {
    it.effect("reports each change, with the call's tags, and counts each request", () => {
      const first = target("first", serverFailed)
      const second = target("second", "two")
      return Effect.gen(function*() {
        const response = yield* LlmClient.call(request, { tags: { job: "nightly" } })
        assert.strictEqual(response.attempts, 2)
        const [event, ...others] = yield* LlmTest.eventsOf("FellBack")
        assert.lengthOf(others, 0)
        const { error, model, provider, tags, to } = event!
        assert.deepStrictEqual({ model, provider, tags, to }, {
          model: "gpt-4o-mini",
          provider: "first",
          tags: { job: "nightly" },
          to: "second/claude-haiku-4-5"
        })
        assert.strictEqual(error?.reason._tag, "ServerFailed")
      }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer, { model: "claude-haiku-4-5" }))))
    })

    it.effect("gives a provider that hangs its share of the attempt, so that the others are reached", () => {
      const targets = [
        target("a", Effect.never),
        target("b", Effect.never),
        target("c", "three")
      ] as const
      const [{ layer: a }, { layer: b }, { layer: c }] = targets
      return leavingNoFiber(Effect.gen(function*() {
        const exit = yield* within("30 seconds")(LlmClient.call(request))
        assert(Exit.isSuccess(exit))
        assert.deepStrictEqual([exit.value.provider, exit.value.attempts], ["c", 3])
        assert.deepStrictEqual((yield* Effect.forEach(targets, timesOf)).flat(), [0, 10_000, 20_000])
        assert.deepStrictEqual(yield* Effect.forEach(targets, inFlightOf), [0, 0, 0])
        const [first] = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual(
          first?.error?.reason,
          LlmError.TimedOut.make({ phase: "attempt", limit: Duration.seconds(10) })
        )
      })).pipe(Effect.provide(clientOn(Fallback.order([{ layer: a }, { layer: b }, { layer: c }]))))
    })

    it.effect("leaves what a quick failure did not use to the next", () => {
      const second = target("second", Effect.delay(LlmTest.text("two"), "29 seconds"))
      return Effect.gen(function*() {
        const exit = yield* within("29 seconds")(LlmClient.call(request))
        assert(Exit.isSuccess(exit))
      }).pipe(Effect.provide(clientOn(Fallback.to(target("first", serverFailed).layer, second.layer))))
    })

    it.effect("divides what is left of the deadline where that is less, and the deadline holds", () => {
      const first = target("first", Effect.never)
      const second = target("second", Effect.never)
      return leavingNoFiber(Effect.gen(function*() {
        const error = errorOf(yield* within("4 seconds")(LlmClient.call(request, { deadline: "4 seconds" })))
        assert(error.reason._tag === "TimedOut" && error.reason.phase === "total")
        assert.deepStrictEqual([yield* timesOf(first), yield* timesOf(second)], [[0], [2000]])
        assert.strictEqual(error.attempts, 2)
      })).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })

    it.effect("keeps no share for a target that is not asked after a time-out", () => {
      const first = target("first", Effect.delay(LlmTest.text("slow"), "29 seconds"))
      const route = target("route", "never")
      return Effect.gen(function*() {
        assert(Exit.isSuccess(yield* within("29 seconds")(LlmClient.call(request))))
        assert.lengthOf(yield* route.requests, 0)
      }).pipe(Effect.provide(clientOn(
        Fallback.to(first.layer, route.layer, { canFailOver: ({ reason }) => reason._tag === "ContextLengthExceeded" })
      )))
    })

    it.effect("does not count the time in a queue", () => {
      const first = target("first", () =>
        Effect.gen(function*() {
          const attempt = yield* LlmProvider.CurrentAttempt
          yield* attempt.queued(Effect.sleep("1 minute"))
          return yield* Effect.delay(LlmTest.text("one"), "14 seconds")
        }))
      const second = target("second", "two")
      return Effect.gen(function*() {
        const exit = yield* within("74 seconds")(LlmClient.call(request))
        assert(Exit.isSuccess(exit) && exit.value.text === "one")
      }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })

    it.effect("is tried again as a whole where that may help", () => {
      const first = target("first", (_, n) => n === 1 ? serverFailed : "one")
      const second = target("second", failure(LlmError.AuthenticationFailed.make({})))
      return Effect.gen(function*() {
        const exit = yield* within("1 second")(LlmClient.call(request))
        assert(Exit.isSuccess(exit) && exit.value.text === "one")
        assert.strictEqual(exit.value.attempts, 3)
      }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })

    it.effect("is not tried again where nobody would answer", () => {
      const locked = target("locked", failure(LlmError.AuthenticationFailed.make({})))
      const poor = target("poor", failure(LlmError.QuotaExhausted.make({})))
      return Effect.gen(function*() {
        const error = yield* Effect.flip(LlmClient.call(request))
        assert.strictEqual(error.reason._tag, "AllProvidersFailed")
        assert.deepStrictEqual([yield* countOf(locked), yield* countOf(poor)], [1, 1])
      }).pipe(Effect.provide(clientOn(Fallback.to(locked.layer, poor.layer))))
    })

    it.effect("is tried again once the first wait is over where all ask to wait, and then asks only the target that is ready", () => {
      const long = target("long", rateLimited("50 seconds"))
      const short = target("short", (_, n) => n === 1 ? rateLimited("20 seconds") : "short")
      return Effect.gen(function*() {
        const exit = yield* within("20 seconds")(LlmClient.call(request))
        assert.strictEqual(valueOf(exit).text, "short")
        assert.deepStrictEqual([yield* timesOf(long), yield* timesOf(short)], [[0], [0, 20_000]])
      }).pipe(Effect.provide(clientOn(Fallback.to(long.layer, short.layer))))
    })

    it.effect("passes over a target that asks to wait, by itself for each model, and asks it again after that", () => {
      const limited = target("limited", () => rateLimited("20 seconds"))
      const other = target("other")
      const call = (model: string) => LlmClient.call({ ...request, model })
      return Effect.gen(function*() {
        yield* call("a")
        yield* TestClock.adjust("19999 millis")
        yield* call("a")
        assert.lengthOf(yield* limited.requests, 1)
        assert.strictEqual((yield* call("b")).text, "other")
        assert.lengthOf(yield* limited.requests, 2)
        yield* TestClock.adjust("1 millis")
        yield* call("a")
        assert.lengthOf(yield* limited.requests, 3)
        const [, passedOver] = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual(passedOver?.error?.reason, LlmError.RateLimited.make({ retryAfter: Duration.millis(1) }))
        assert.deepStrictEqual((yield* other.requests).map(({ model }) => model), ["a", "a", "b", "a"])
      }).pipe(Effect.provide(clientOn(Fallback.to(limited.layer, other.layer))))
    })

    it.effect("asks a target that asks to wait for hours again after a minute", () => {
      const limited = target(
        "limited",
        (_, n) => n === 1 ? rateLimited("5 hours") : "limited"
      )
      return Effect.gen(function*() {
        yield* LlmClient.call(request)
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual((yield* LlmClient.call(request)).text, "other")
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* LlmClient.call(request)).text, "limited")
      }).pipe(Effect.provide(clientOn(Fallback.to(limited.layer, target("other").layer))))
    })

    it.effect("counts no request for a target that sent none", () => {
      const refusing = target(
        "refusing",
        failure(LlmError.CircuitOpen.make({ retryAfter: Duration.seconds(1) }), { attempts: 0 })
      )
      return Effect.gen(function*() {
        assert.strictEqual((yield* LlmClient.call(request)).attempts, 1)
      }).pipe(Effect.provide(clientOn(Fallback.to(refusing.layer, target("second", "two").layer))))
    })

    it.effect("aborts the request to the current target when the caller leaves", () => {
      const second = target("second", Effect.never)
      return leavingNoFiber(Effect.gen(function*() {
        const fiber = yield* Effect.fork(LlmClient.call(request))
        yield* settle
        assert.strictEqual((yield* second.load).inFlight, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* second.load).inFlight, 0)
      })).pipe(Effect.provide(clientOn(Fallback.to(target("first", serverFailed).layer, second.layer))))
    })
  })

  describe("for streams", () => {
    const delta = (text: string) => StreamPart.TextDelta({ text })

    const streaming = (name: string, parts: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) =>
      target(name, LlmTest.streamExactly(parts))

    const whole = (text: string, provider: string) =>
      Stream.make(delta(text), StreamPart.Finish({ response: respond(text, { provider }) }))

    const texts = (parts: Chunk.Chunk<StreamPart.StreamPart>) =>
      Chunk.toReadonlyArray(parts).map((part) => part._tag === "TextDelta" ? part.text : part._tag)

    it.scoped("falls back before the first part, and closes the stream that failed first", () =>
      Effect.gen(function*() {
        const first = streaming("first", Stream.fail(serverFailed))
        const second = streaming(
          "second",
          Stream.unwrap(Effect.map(first.load, ({ inFlight }) => {
            assert.strictEqual(inFlight, 0)
            return whole("two", "second")
          }))
        )
        const provider = yield* build(Fallback.to(first.layer, second.layer))
        assert.deepStrictEqual(texts(yield* Stream.runCollect(provider.stream(yield* decoded))), ["two", "Finish"])
        assert.deepStrictEqual(yield* first.timeline, ["stream 1 at 0", "stream 1 failed at 0"])
        assert.deepStrictEqual(yield* second.timeline, ["stream 1 at 0", "stream 1 answered at 0"])
      }))

    it.scoped("falls back from a stream that ends without a part", () =>
      Effect.gen(function*() {
        const first = streaming("first", Stream.empty)
        const provider = yield* build(Fallback.to(first.layer, streaming("second", whole("two", "second")).layer))
        assert.deepStrictEqual(texts(yield* Stream.runCollect(provider.stream(yield* decoded))), ["two", "Finish"])
      }))

    it.scoped("never falls back after the first part", () =>
      Effect.gen(function*() {
        const first = streaming("first", Stream.concat(Stream.make(delta("one")), Stream.fail(serverFailed)))
        const second = streaming("second", whole("two", "second"))
        const provider = yield* build(Fallback.to(first.layer, second.layer))
        const seen: Array<StreamPart.StreamPart> = []
        const error = yield* provider.stream(yield* decoded).pipe(
          Stream.runForEach((part) => Effect.sync(() => seen.push(part))),
          Effect.flip
        )
        assert.strictEqual(error, serverFailed)
        assert.deepStrictEqual(texts(Chunk.fromIterable(seen)), ["one"])
        assert.deepStrictEqual([yield* inFlightOf(first), yield* countOf(second)], [0, 0])
      }))

    it.scoped("closes the stream when its reader stops early", () =>
      Effect.gen(function*() {
        const second = streaming("second", Stream.concat(Stream.make(delta("two")), Stream.never))
        const provider = yield* build(Fallback.to(streaming("first", Stream.fail(serverFailed)).layer, second.layer))
        yield* Stream.runDrain(Stream.take(provider.stream(yield* decoded), 1))
        assert.deepStrictEqual(yield* second.timeline, ["stream 1 at 0", "stream 1 aborted at 0"])
      }))

    it.effect("gives a stream that stays silent its share of the time to the first part", () => {
      const first = streaming("first", Stream.never)
      const second = streaming("second", whole("two", "second"))
      return leavingNoFiber(Effect.gen(function*() {
        const fiber = yield* Effect.fork(Stream.runCollect(LlmClient.stream(request)))
        yield* TestClock.adjust("14999 millis")
        assert.deepStrictEqual([yield* inFlightOf(first), yield* countOf(second)], [1, 0])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(texts(yield* Fiber.join(fiber)), ["two", "Finish"])
        assert.deepStrictEqual([yield* inFlightOf(first), yield* inFlightOf(second)], [0, 0])
        const [event] = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual(
          event?.error?.reason,
          LlmError.TimedOut.make({ phase: "firstPart", limit: Duration.seconds(15) })
        )
      })).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })

    it.effect("passes over an answer that is whole with its first parts, and closes its stream", () => {
      const refused = respond("", { finishReason: "refusal", provider: "first" })
      const first = streaming(
        "first",
        Stream.concat(Stream.make(StreamPart.Finish({ response: refused })), Stream.never)
      )
      const second = streaming("second", whole("two", "second"))
      return leavingNoFiber(Effect.gen(function*() {
        assert.deepStrictEqual(texts(yield* Stream.runCollect(LlmClient.stream(request))), ["two", "Finish"])
        assert.deepStrictEqual([yield* inFlightOf(first), yield* inFlightOf(second)], [0, 0])
      })).pipe(
        Effect.provide(clientOn(Fallback.to(first.layer, second.layer, { when: Fallback.onFinish("refusal") })))
      )
    })

    it.effect("keeps an answer whose parts have reached the caller", () => {
      const cut = respond("one", { finishReason: "length", provider: "first" })
      const first = streaming(
        "first",
        Stream.concat(Stream.make(delta("one")), Stream.make(StreamPart.Finish({ response: cut })))
      )
      const second = streaming("second", whole("two", "second"))
      return Effect.gen(function*() {
        assert.deepStrictEqual(texts(yield* Stream.runCollect(LlmClient.stream(request))), ["one", "Finish"])
        assert.strictEqual(yield* countOf(second), 0)
      }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer, { when: Fallback.onFinish("length") }))))
    })
  })

  describe("after an answer", () => {
    const refusing = (name: string, cost?: number) =>
      target(name, LlmTest.text("", { finishReason: "refusal", ...(cost !== undefined && { cost }) }))

    it.effect("asks the next target for which it is a reason, and the answer has the cost of both", () => {
      const first = refusing("first", 0.25)
      const long = target("long")
      const second = target("second", LlmTest.text("two", { cost: 0.5 }))
      return Effect.gen(function*() {
        const { attempts, cost, text } = yield* LlmClient.call(request)
        assert.deepStrictEqual({ attempts, cost, text }, { attempts: 2, cost: 0.75, text: "two" })
        assert.strictEqual(yield* countOf(long), 0)
        const [{ answer, error, to } = {}] = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual([answer?.finishReason, error, to], ["refusal", undefined, "second/gpt-4o-mini"])
      }).pipe(Effect.provide(clientOn(Fallback.order([
        { layer: first.layer },
        { layer: long.layer, when: Fallback.onFinish("length") },
        { layer: second.layer, when: (answer) => answer.text === "" }
      ]))))
    })

    it.effect("keeps to that answer if the next target fails, at the cost of that answer", () => {
      const second = target("second", serverFailed)
      return Effect.gen(function*() {
        const { attempts, cost, finishReason, provider } = yield* LlmClient.call(request)
        assert.deepStrictEqual({ attempts, cost, finishReason, provider }, {
          attempts: 2,
          cost: 0.25,
          finishReason: "refusal",
          provider: "first"
        })
      }).pipe(Effect.provide(clientOn(
        Fallback.to(refusing("first", 0.25).layer, second.layer, { when: Fallback.onFinish("refusal") })
      )))
    })

    it.effect("keeps to that answer if the next target hangs, before the time of the attempt is over", () => {
      const second = target("second", Effect.never)
      return leavingNoFiber(Effect.gen(function*() {
        for (const streaming of [false, true]) {
          const call = LlmClient.call(request, { cache: "bypass", streaming })
          const { attempts, finishReason } = valueOf(yield* within("27 seconds")(call))
          assert.deepStrictEqual({ attempts, finishReason }, { attempts: 2, finishReason: "refusal" })
          assert.strictEqual(yield* inFlightOf(second), 0)
        }
      })).pipe(
        Effect.provide(
          clientOn(Fallback.to(refusing("first").layer, second.layer, { when: Fallback.onFinish("refusal") }))
        )
      )
    })

    it.effect("charges it once if it is lost, as a later attempt has won", () => {
      const flaky = (name: string) => target(name, LlmTest.text("", { finishReason: "refusal", cost: 0.25 }))
      const [first, second] = [flaky("first"), flaky("second")]
      const third = LlmTest.unsafeMake([Effect.never, LlmTest.text("three", { cost: 0.5 })], { name: "third" })
      const when = Fallback.onFinish("refusal")
      // The attempt ends while the third target is asked: the policy outside has less time than the one that falls back.
      const impatient = LlmProvider.transform((provider: LlmProvider.Service) =>
        Effect.succeed({
          ...provider,
          call: (request) =>
            Effect.timeoutFail(provider.call(request), {
              duration: "1 second",
              onTimeout: () =>
                new LlmError.LlmError({ operation: "call", attempts: 1, reason: LlmError.Overloaded.make({}) })
            })
        })
      )
      return leavingNoFiber(Effect.gen(function*() {
        const { cost, text } = valueOf(yield* within("10 seconds")(LlmClient.call(request)))
        assert.deepStrictEqual({ cost, text }, { cost: 1.5, text: "three" })
      })).pipe(Effect.provide(clientOn(
        impatient(Fallback.order([
          { layer: first.layer },
          { layer: second.layer, when },
          { layer: third.layer, when }
        ]))
      )))
    })

    it.effect("gives the last answer if none is good", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* LlmClient.call(request)).provider, "second")
      }).pipe(Effect.provide(clientOn(
        Fallback.to(refusing("first").layer, refusing("second").layer, { when: Fallback.onFinish("refusal") })
      ))))

    it.effect("does not ask a target without `when`", () => {
      const second = target("second", "two")
      return Effect.gen(function*() {
        assert.strictEqual((yield* LlmClient.call(request)).finishReason, "refusal")
        assert.strictEqual(yield* countOf(second), 0)
      }).pipe(Effect.provide(clientOn(Fallback.to(refusing("first").layer, second.layer))))
    })

    it.effect("gives a target its own settings, on top of the request's", () => {
      const second = target("second", "two")
      return Effect.gen(function*() {
        yield* LlmClient.call({ ...request, maxTokens: 10, topP: 0.5 })
        const [asked] = yield* second.requests
        assert.deepStrictEqual([asked?.maxTokens, asked?.topP, asked?.prompt], [1000, 0.5, request.prompt])
      }).pipe(Effect.provide(clientOn(
        Fallback.to(target("first", serverFailed).layer, second.layer, { settings: { maxTokens: 1000 } })
      )))
    })

    it.scoped("dies of a setting that no request may have", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          build(Fallback.to(refusing("a").layer, refusing("b").layer, { settings: { temperature: 7 } }))
        )
        assert.include(String(exit), "settings")
      }))
  })
})
