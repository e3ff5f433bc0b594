import { assert, describe, it } from "@effect/vitest"
import { LlmError, LlmProvider, LlmRequest, LlmResponse, StreamPart } from "effect-llm"
import { LlmTest } from "effect-llm/testing"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { settle } from "../support/testClock.js"

const request = (prompt = "Name a river.") => Effect.orDie(LlmRequest.decode({ model: "m", prompt }))

const call = (prompt?: string) =>
  Effect.flatMap(LlmProvider.LlmProvider, (provider) => Effect.flatMap(request(prompt), provider.call))

const stream = (prompt?: string) =>
  Stream.unwrap(
    Effect.zipWith(LlmProvider.LlmProvider, request(prompt), (provider, request) => provider.stream(request))
  )

const finish = StreamPart.Finish({
  response: LlmResponse.make({ parts: [], finishReason: "stop", model: "m", provider: "p" })
})
const delta = StreamPart.TextDelta({ text: "Elbe" })

describe("LlmTest", () => {
  describe("exchanges", () => {
    it.effect("have the time and the outcome of each request", () =>
      Effect.gen(function*() {
        const first = yield* Effect.fork(call("a"))
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(first)
        yield* Effect.exit(call("b"))
        yield* Effect.exit(call("c"))
        const hanging = yield* Effect.fork(call("d"))
        yield* TestClock.adjust("3 seconds")
        const outcomes = Effect.map(LlmTest.exchanges, (all) =>
          all.map(({ endedAt, operation, outcome, request, startedAt }) => [
            operation,
            request.prompt,
            startedAt,
            endedAt,
            outcome
          ]))
        const ended = [
          ["call", "a", 0, 2000, "answered"],
          ["call", "b", 2000, 2000, "failed"],
          ["call", "c", 2000, 2000, "failed"]
        ]
        assert.deepStrictEqual(yield* outcomes, [...ended, ["call", "d", 2000, undefined, "pending"]])
        yield* Fiber.interrupt(hanging)
        assert.deepStrictEqual(yield* outcomes, [...ended, ["call", "d", 2000, 5000, "aborted"]])
        assert.deepStrictEqual(
          (yield* LlmTest.requests).map(({ prompt }) =>
            prompt
          ),
          ["a", "b", "c", "d"]
        )
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.text("Elbe").pipe(Effect.delay("2 seconds")),
        LlmError.Overloaded.make({}),
        Effect.dieMessage("a bug"),
        Effect.never
      ]))))

    it.effect("of a request that no step answers have failed", () =>
      Effect.gen(function*() {
        yield* Effect.exit(call())
        assert.deepStrictEqual((yield* LlmTest.exchanges).map(({ outcome }) => outcome), ["failed"])
      }).pipe(Effect.provide(LlmTest.layer([]))))

    it.effect("of streams end when they are closed: with a Finish, a failure, without either, or early", () =>
      Effect.gen(function*() {
        yield* Stream.runDrain(stream())
        yield* Effect.exit(Stream.runDrain(stream()))
        yield* Stream.runDrain(stream())
        yield* Stream.runDrain(Stream.take(stream(), 1))
        const hanging = yield* Effect.fork(Stream.runDrain(stream()))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(hanging)
        assert.deepStrictEqual(yield* LlmTest.timeline, [
          "stream 1 at 0",
          "stream 1 answered at 0",
          "stream 2 at 0",
          "stream 2 failed at 0",
          "stream 3 at 0",
          "stream 3 failed at 0",
          "stream 4 at 0",
          "stream 4 aborted at 0",
          "stream 5 at 0",
          "stream 5 aborted at 1000"
        ])
      }).pipe(Effect.provide(LlmTest.layer([
        "Elbe",
        LlmTest.stream(["Elbe"], { end: "cut" }),
        LlmTest.streamExactly(Stream.make(delta)),
        LlmTest.stream(["Elbe", "Oder"]),
        LlmTest.stream(["Elbe"], { end: "silence" })
      ]))))

    it.effect("begin when a stream runs, not when it is made", () =>
      Effect.gen(function*() {
        const made = stream()
        assert.deepStrictEqual(yield* LlmTest.timeline, [])
        yield* Stream.runDrain(made)
        assert.lengthOf(yield* LlmTest.timeline, 2)
      }).pipe(Effect.provide(LlmTest.layerEcho)))
  })

  it.effect("load counts requests in flight, the most of them, and aborted ones", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* LlmTest.load, { inFlight: 0, mostInFlight: 0, aborted: 0 })
      const fibers = yield* Effect.replicateEffect(Effect.fork(call()), 3)
      yield* settle
      assert.deepStrictEqual(yield* LlmTest.load, { inFlight: 3, mostInFlight: 3, aborted: 0 })
      yield* Fiber.interrupt(fibers[0]!)
      assert.deepStrictEqual(yield* LlmTest.load, { inFlight: 2, mostInFlight: 3, aborted: 1 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* LlmTest.load, { inFlight: 0, mostInFlight: 3, aborted: 1 })
    }).pipe(Effect.provide(LlmTest.layer([LlmTest.repeat(LlmTest.text("Elbe").pipe(Effect.delay("1 second")))]))))

  it.effect("the timeline has the starts and the ends of requests in the order in which they came", () =>
    Effect.gen(function*() {
      const slow = yield* Effect.fork(call("slow"))
      yield* settle
      yield* call("quick")
      yield* TestClock.adjust("250 millis")
      yield* Fiber.join(slow)
      assert.deepStrictEqual(yield* LlmTest.timeline, [
        "call 1 at 0",
        "call 2 at 0",
        "call 2 answered at 0",
        "call 1 answered at 250"
      ])
    }).pipe(Effect.provide(LlmTest.layer([
      LlmTest.when("slow", LlmTest.text("Elbe").pipe(Effect.delay("250 millis"))),
      LlmTest.when("quick", "Oder")
    ]))))

  describe("make", () => {
    it.effect("gives several providers, each with a script and a memory of its own", () =>
      Effect.gen(function*() {
        const first = yield* LlmTest.make(["a"], { name: "first" })
        const second = yield* LlmTest.make(["b", "c"], { name: "second" })
        const texts = yield* Effect.forEach([first, second, second], ({ layer }) =>
          Effect.map(Effect.provide(call(), layer), ({ provider, text }) => [provider, text]))
        assert.deepStrictEqual(texts, [["first", "a"], ["second", "b"], ["second", "c"]])
        assert.deepStrictEqual([(yield* first.requests).length, (yield* second.requests).length], [1, 2])
        yield* Effect.all([first.assertDone, second.assertDone])
      }))

    it.effect("takes the schema dialect of a provider, or none; by default, a plain one", () =>
      Effect.gen(function*() {
        const dialects = yield* Effect.forEach(
          [{}, { schemaDialect: "openai" }, { schemaDialect: undefined }] as const,
          (options) => Effect.map(LlmTest.make([], options), ({ provider }) => provider.schemaDialect)
        )
        assert.deepStrictEqual(dialects, ["plain", "openai", undefined])
      }))

    it.effect("begins anew each time, which the layer of one does not", () =>
      Effect.gen(function*() {
        const make = LlmTest.make(["a"])
        yield* (yield* make).provider.call(yield* request())
        const { layer } = yield* make
        yield* Effect.provide(call(), layer)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.provide(call(), Layer.fresh(layer)))))
      }))
  })

  describe("a script", () => {
    it.effect("counts the requests of each step for its function", () =>
      Effect.gen(function*() {
        const texts = yield* Effect.forEach(["a", "b", "a", "b", "b"], (prompt) =>
          Effect.map(call(prompt), ({ text }) => text))
        assert.deepStrictEqual(texts, ["a 1", "b 1", "a 2", "b 2", "b 3"])
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.when("a", (_, n) =>
          `a ${n}`),
        LlmTest.when("b", (_, n) => `b ${n}`)
      ]))))

    it.effect("may answer calls and streams differently, and says so of a request that no step answers", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* call()).text, "whole")
        const parts = yield* Stream.runCollect(stream())
        assert.deepStrictEqual(Chunk.toReadonlyArray(Chunk.take(parts, 1)), [
          StreamPart.TextDelta({ text: "in parts" })
        ])
        const defect = yield* Effect.flip(Effect.sandbox(call()))
        assert.include(Cause.pretty(defect), "step 1: used up after 1")
        assert.include(Cause.pretty(defect), "step 2: wants a stream")
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.repeat(LlmTest.when({ operation: "call" }, "whole"), 1),
        LlmTest.when({ operation: "stream" }, "in parts")
      ]))))

    it.effect("may hold its answers back until the spec lets go of them", () =>
      Effect.gen(function*() {
        const gate = yield* Effect.makeLatch()
        const { layer, load } = yield* LlmTest.make([LlmTest.repeat(gate.whenOpen(LlmTest.text("Elbe")))])
        const fiber = yield* Effect.fork(Effect.provide(Effect.all([call(), call()], { concurrency: 2 }), layer))
        yield* settle
        assert.strictEqual((yield* load).inFlight, 2)
        yield* gate.open
        assert.deepStrictEqual((yield* Fiber.join(fiber)).map(({ text }) => text), ["Elbe", "Elbe"])
      }))
  })

  describe("streamExactly", () => {
    it.effect("gives the chunks and the parts as they are, also after a Finish and without one", () =>
      Effect.gen(function*() {
        const chunks = Effect.map(
          Stream.runCollect(Stream.chunks(stream())),
          (all) => Chunk.toReadonlyArray(all).map(Chunk.toReadonlyArray)
        )
        assert.deepStrictEqual(yield* chunks, [[delta, finish], [delta]])
        assert.deepStrictEqual(yield* chunks, [[delta, delta]])
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.streamExactly(Stream.fromChunks(Chunk.make(delta, finish), Chunk.make(delta))),
        LlmTest.streamExactly(Stream.fromIterable([delta, delta]))
      ]))))

    it.effect("gives a call the response of its Finish, and fails with its failure", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* call(), finish.response)
        const error = yield* Effect.flip(call())
        assert.deepStrictEqual([error.reason._tag, error.provider, error.model], ["Overloaded", "test", "m"])
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.streamExactly(Stream.make(delta, finish)),
        LlmTest.streamExactly(Stream.fail(LlmError.Overloaded.make({})))
      ]))))
  })
})
