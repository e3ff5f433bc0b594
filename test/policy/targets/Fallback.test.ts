import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Fallback from "../../../src/policy/targets/Fallback.js"
import {
  answer,
  errorOf,
  failure,
  leavingNoFiber,
  rateLimited,
  request,
  serverFailed,
  settle,
  valueOf,
  within
} from "../../support/pipeline.js"

type Call = LlmProvider.Service["call"]

/** A provider that remembers what it was asked, and when; how many calls are under way; how often it was built. */
const scripted = (name: string, respond: Call | Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>) => {
  const seen: Array<LlmRequest.LlmRequest> = []
  const state = { running: 0, built: 0, times: Array<number>() }
  const call: Call = (request) =>
    Effect.acquireUseRelease(
      Effect.map(Clock.currentTimeMillis, (now) => {
        seen.push(request)
        state.times.push(now)
        state.running++
      }),
      () => Effect.isEffect(respond) ? respond : respond(request),
      () => Effect.sync(() => state.running--)
    )
  const layer = Layer.effect(
    LlmProvider.LlmProvider,
    Effect.sync(() => {
      state.built++
      return LlmProvider.make({ name, endpoint: `memory:${name}`, call })
    })
  )
  return { layer, seen, state }
}

const says = (text: string, provider: string): Call => (request) => answer(text, { provider, model: request.model })

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
        const first = scripted("first", says("one", "first"))
        const second = scripted("second", says("two", "second"))
        const provider = yield* build(first.layer.pipe(Fallback.to(second.layer)))
        const response = yield* provider.call(yield* decoded)
        assert.deepStrictEqual([response.text, response.provider], ["one", "first"])
        assert.lengthOf(second.seen, 0)
      }))

    it.scoped("asks the next provider under its own model name, and the response says who answered", () =>
      Effect.gen(function*() {
        const first = scripted("first", serverFailed)
        const second = scripted("second", says("two", "second"))
        const provider = yield* build(Fallback.to(first.layer, second.layer, { model: "claude-haiku-4-5" }))
        const { model, provider: who, text } = yield* provider.call(yield* decoded)
        assert.deepStrictEqual({ model, text, who }, { model: "claude-haiku-4-5", text: "two", who: "second" })
        assert.strictEqual(first.seen[0]?.model, "gpt-4o-mini")
        assert.strictEqual(second.seen[0]?.prompt, request.prompt)
      }))

    it.scoped("gives mapRequest the request with the target's model", () =>
      Effect.gen(function*() {
        const second = scripted("second", says("two", "second"))
        const provider = yield* build(Fallback.to(scripted("first", serverFailed).layer, second.layer, {
          model: "small",
          mapRequest: (request) =>
            new LlmRequest.LlmRequest({ ...request, maxTokens: 10, model: `${request.model}-latest` })
        }))
        yield* provider.call(yield* decoded)
        assert.deepStrictEqual([second.seen[0]?.model, second.seen[0]?.maxTokens], ["small-latest", 10])
      }))

    it.scoped("keeps each failure in the order of the targets, fallbacks within fallbacks too", () =>
      Effect.gen(function*() {
        const failing = (name: string, error: LlmError.LlmError) => scripted(name, error).layer
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
        const second = scripted("second", says("two", "second"))
        const provider = yield* build(Fallback.to(scripted("first", invalid).layer, second.layer))
        assert.strictEqual(yield* Effect.flip(provider.call(yield* decoded)), invalid)
        assert.lengthOf(second.seen, 0)
      }))

    it.scoped("tells what a later target finds wrong with the request as it is", () =>
      Effect.gen(function*() {
        const provider = yield* build(
          Fallback.to(scripted("first", serverFailed).layer, scripted("second", contextTooLong).layer)
        )
        assert.strictEqual(yield* Effect.flip(provider.call(yield* decoded)), contextTooLong)
      }))

    it.scoped("has routes for one kind of failure: others go past them", () =>
      Effect.gen(function*() {
        const route = scripted("long", says("long", "long"))
        const other = scripted("other", says("other", "other"))
        const ask = (error: LlmError.LlmError) =>
          Effect.gen(function*() {
            const provider = yield* build(Fallback.order([
              { layer: scripted("first", error).layer },
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
        const first = scripted("first", serverFailed)
        const second = scripted("second", says("two", "second"))
        const provider = yield* build(Fallback.to(first.layer, second.layer))
        const request = yield* decoded
        yield* Effect.repeatN(provider.call(request), 4)
        assert.deepStrictEqual([first.state.built, second.state.built, second.seen.length], [1, 1, 5])
        assert.deepStrictEqual([provider.name, provider.endpoint], ["first", "memory:first"])
      }))

    it.scoped("lets a defect be one", () =>
      Effect.gen(function*() {
        const second = scripted("second", says("two", "second"))
        const provider = yield* build(Fallback.to(scripted("first", Effect.dieMessage("bug")).layer, second.layer))
        const exit = yield* Effect.exit(provider.call(yield* decoded))
        assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
        assert.lengthOf(second.seen, 0)
      }))
  })

  describe("under a client", () => {
    it.effect("reports each change, with the call's tags, and counts each request", () => {
      const first = scripted("first", serverFailed)
      const second = scripted("second", says("two", "second"))
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
        assert.strictEqual(error.reason._tag, "ServerFailed")
      }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer, { model: "claude-haiku-4-5" }))))
    })

    it.effect("gives a provider that hangs its share of the attempt, so that the others are reached", () => {
      const targets = [
        scripted("a", Effect.never),
        scripted("b", Effect.never),
        scripted("c", says("three", "c"))
      ] as const
      const [{ layer: a }, { layer: b }, { layer: c }] = targets
      return leavingNoFiber(Effect.gen(function*() {
        const exit = yield* within("30 seconds")(LlmClient.call(request))
        assert(Exit.isSuccess(exit))
        assert.deepStrictEqual([exit.value.provider, exit.value.attempts], ["c", 3])
        assert.deepStrictEqual(targets.flatMap(({ state }) => state.times), [0, 10_000, 20_000])
        assert.isTrue(targets.every(({ state }) => state.running === 0))
        const [first] = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual(
          first?.error.reason,
          LlmError.TimedOut.make({ phase: "attempt", limit: Duration.seconds(10) })
        )
      })).pipe(Effect.provide(clientOn(Fallback.order([{ layer: a }, { layer: b }, { layer: c }]))))
    })

    it.effect("leaves what a quick failure did not use to the next", () => {
      const second = scripted("second", Effect.delay(answer("two"), "29 seconds"))
      return Effect.gen(function*() {
        const exit = yield* within("29 seconds")(LlmClient.call(request))
        assert(Exit.isSuccess(exit))
      }).pipe(Effect.provide(clientOn(Fallback.to(scripted("first", serverFailed).layer, second.layer))))
    })

    it.effect("divides what is left of the deadline where that is less, and the deadline holds", () => {
      const first = scripted("first", Effect.never)
      const second = scripted("second", Effect.never)
      return leavingNoFiber(Effect.gen(function*() {
        const error = errorOf(yield* within("4 seconds")(LlmClient.call(request, { deadline: "4 seconds" })))
        assert(error.reason._tag === "TimedOut" && error.reason.phase === "total")
        assert.deepStrictEqual([first.state.times, second.state.times], [[0], [2000]])
        assert.strictEqual(error.attempts, 2)
      })).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })

    it.effect("keeps no share for a target that is not asked after a time-out", () => {
      const first = scripted("first", Effect.delay(answer("slow"), "29 seconds"))
      const route = scripted("route", answer("never"))
      return Effect.gen(function*() {
        assert(Exit.isSuccess(yield* within("29 seconds")(LlmClient.call(request))))
        assert.lengthOf(route.seen, 0)
      }).pipe(Effect.provide(clientOn(
        Fallback.to(first.layer, route.layer, { canFailOver: ({ reason }) => reason._tag === "ContextLengthExceeded" })
      )))
    })

    it.effect("does not count the time in a queue", () => {
      const first = scripted("first", () =>
        Effect.gen(function*() {
          const attempt = yield* LlmProvider.CurrentAttempt
          yield* attempt.queued(Effect.sleep("1 minute"))
          return yield* Effect.delay(answer("one"), "14 seconds")
        }))
      const second = scripted("second", answer("two"))
      return Effect.gen(function*() {
        const exit = yield* within("74 seconds")(LlmClient.call(request))
        assert(Exit.isSuccess(exit) && exit.value.text === "one")
      }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })

    it.effect("is tried again as a whole where that may help", () => {
      let failures = 0
      const first = scripted("first", () => failures++ === 0 ? serverFailed : answer("one"))
      const second = scripted("second", failure(LlmError.AuthenticationFailed.make({})))
      return Effect.gen(function*() {
        const exit = yield* within("1 second")(LlmClient.call(request))
        assert(Exit.isSuccess(exit) && exit.value.text === "one")
        assert.strictEqual(exit.value.attempts, 3)
      }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })

    it.effect("is not tried again where nobody would answer", () => {
      const locked = scripted("locked", failure(LlmError.AuthenticationFailed.make({})))
      const poor = scripted("poor", failure(LlmError.QuotaExhausted.make({})))
      return Effect.gen(function*() {
        const error = yield* Effect.flip(LlmClient.call(request))
        assert.strictEqual(error.reason._tag, "AllProvidersFailed")
        assert.deepStrictEqual([locked.seen.length, poor.seen.length], [1, 1])
      }).pipe(Effect.provide(clientOn(Fallback.to(locked.layer, poor.layer))))
    })

    it.effect("is tried again once the first wait is over where all ask to wait, and then asks only who is ready", () => {
      const long = scripted("long", rateLimited("50 seconds"))
      const short = scripted("short", () => short.seen.length === 1 ? rateLimited("20 seconds") : answer("short"))
      return Effect.gen(function*() {
        const exit = yield* within("20 seconds")(LlmClient.call(request))
        assert.strictEqual(valueOf(exit).text, "short")
        assert.deepStrictEqual([long.state.times, short.state.times], [[0], [0, 20_000]])
      }).pipe(Effect.provide(clientOn(Fallback.to(long.layer, short.layer))))
    })

    it.effect("passes over a target that asks to wait, by itself for each model, and asks it again after that", () => {
      const limited = scripted("limited", () => rateLimited("20 seconds"))
      const other = scripted("other", answer("other"))
      const call = (model: string) => LlmClient.call({ ...request, model })
      return Effect.gen(function*() {
        yield* call("a")
        yield* TestClock.adjust("19999 millis")
        yield* call("a")
        assert.lengthOf(limited.seen, 1)
        assert.strictEqual((yield* call("b")).text, "other")
        assert.lengthOf(limited.seen, 2)
        yield* TestClock.adjust("1 millis")
        yield* call("a")
        assert.lengthOf(limited.seen, 3)
        const [, passedOver] = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual(passedOver?.error.reason, LlmError.RateLimited.make({ retryAfter: Duration.millis(1) }))
        assert.deepStrictEqual(other.seen.map(({ model }) => model), ["a", "a", "b", "a"])
      }).pipe(Effect.provide(clientOn(Fallback.to(limited.layer, other.layer))))
    })

    it.effect("asks a target that asks to wait for hours again after a minute", () => {
      const limited = scripted("limited", () => limited.seen.length === 1 ? rateLimited("5 hours") : answer("limited"))
      return Effect.gen(function*() {
        yield* LlmClient.call(request)
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual((yield* LlmClient.call(request)).text, "other")
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* LlmClient.call(request)).text, "limited")
      }).pipe(Effect.provide(clientOn(Fallback.to(limited.layer, scripted("other", answer("other")).layer))))
    })

    it.effect("counts no request for a target that sent none", () => {
      const refusing = scripted(
        "refusing",
        failure(LlmError.CircuitOpen.make({ retryAfter: Duration.seconds(1) }), { attempts: 0 })
      )
      return Effect.gen(function*() {
        assert.strictEqual((yield* LlmClient.call(request)).attempts, 1)
      }).pipe(Effect.provide(clientOn(Fallback.to(refusing.layer, scripted("second", answer("two")).layer))))
    })

    it.effect("aborts the request of whichever target is asked when the caller leaves", () => {
      const second = scripted("second", Effect.never)
      return leavingNoFiber(Effect.gen(function*() {
        const fiber = yield* Effect.fork(LlmClient.call(request))
        yield* settle
        assert.strictEqual(second.state.running, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(second.state.running, 0)
      })).pipe(Effect.provide(clientOn(Fallback.to(scripted("first", serverFailed).layer, second.layer))))
    })
  })

  describe("for streams", () => {
    const delta = (text: string) => StreamPart.TextDelta({ text })

    /** A provider of streams, and how many of its streams are open. */
    const streaming = (name: string, parts: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) => {
      const state = { opened: 0, open: 0 }
      const layer = LlmProvider.layer({
        name,
        endpoint: "memory:",
        call: () => Effect.dieMessage("not called"),
        stream: () =>
          Stream.unwrapScoped(Effect.as(
            Effect.acquireRelease(
              Effect.sync(() => {
                state.opened++
                state.open++
              }),
              () => Effect.sync(() => state.open--)
            ),
            parts
          ))
      })
      return { layer, state }
    }

    const whole = (text: string, provider: string) =>
      Stream.unwrap(
        Effect.map(answer(text, { provider }), (response) => Stream.make(delta(text), StreamPart.Finish({ response })))
      )

    const texts = (parts: Chunk.Chunk<StreamPart.StreamPart>) =>
      Chunk.toReadonlyArray(parts).map((part) => part._tag === "TextDelta" ? part.text : part._tag)

    it.scoped("falls back before the first part, and closes the stream that failed first", () =>
      Effect.gen(function*() {
        const first = streaming("first", Stream.fail(serverFailed))
        const second = streaming(
          "second",
          Stream.suspend(() => {
            assert.strictEqual(first.state.open, 0)
            return whole("two", "second")
          })
        )
        const provider = yield* build(Fallback.to(first.layer, second.layer))
        assert.deepStrictEqual(texts(yield* Stream.runCollect(provider.stream(yield* decoded))), ["two", "Finish"])
        assert.deepStrictEqual([first.state, second.state], [{ opened: 1, open: 0 }, { opened: 1, open: 0 }])
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
        assert.deepStrictEqual([first.state.open, second.state.opened], [0, 0])
      }))

    it.scoped("closes the stream when its reader stops early", () =>
      Effect.gen(function*() {
        const second = streaming("second", Stream.concat(Stream.make(delta("two")), Stream.never))
        const provider = yield* build(Fallback.to(streaming("first", Stream.fail(serverFailed)).layer, second.layer))
        yield* Stream.runDrain(Stream.take(provider.stream(yield* decoded), 1))
        assert.deepStrictEqual(second.state, { opened: 1, open: 0 })
      }))

    it.effect("gives a stream that stays silent its share of the time to the first part", () => {
      const first = streaming("first", Stream.never)
      const second = streaming("second", whole("two", "second"))
      return leavingNoFiber(Effect.gen(function*() {
        const fiber = yield* Effect.fork(Stream.runCollect(LlmClient.stream(request)))
        yield* TestClock.adjust("14999 millis")
        assert.deepStrictEqual([first.state.open, second.state.opened], [1, 0])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(texts(yield* Fiber.join(fiber)), ["two", "Finish"])
        assert.deepStrictEqual([first.state.open, second.state.open], [0, 0])
        const [event] = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual(
          event?.error.reason,
          LlmError.TimedOut.make({ phase: "firstPart", limit: Duration.seconds(15) })
        )
      })).pipe(Effect.provide(clientOn(Fallback.to(first.layer, second.layer))))
    })
  })
})
