import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const request = LlmRequest.decode({ model: "m", prompt: "Name rivers." })

const call = Effect.gen(function*() {
  const provider = yield* LlmProvider.LlmProvider
  return yield* provider.call(yield* request)
})

/** What comes of a stream, with the time of the Clock at which each part comes. */
const streamed = Effect.gen(function*() {
  const provider = yield* LlmProvider.LlmProvider
  const parts: Array<StreamPart.StreamPart> = []
  const times: Array<number> = []
  const error = yield* Stream.unwrap(Effect.map(request, provider.stream)).pipe(
    Stream.runForEach((part) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        parts.push(part)
        times.push(now)
      })
    ),
    Effect.flip,
    Effect.option
  )
  return { parts, times, error: Option.getOrUndefined(error) }
})

/** Runs an effect on a script while an hour passes. */
const onScript = <A, E>(script: LlmTest.Script, effect: Effect.Effect<A, E, LlmProvider.LlmProvider>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.provide(effect, LlmTest.layer(script)))
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

describe("LlmTest", () => {
  describe("streams", () => {
    it.effect("come part by part on the Clock, and end in a Finish", () =>
      Effect.gen(function*() {
        const { parts, times } = yield* onScript([LlmTest.stream(["El", "be"], { every: "1 second" })], streamed)
        assert.deepStrictEqual(parts, [
          StreamPart.TextDelta({ text: "El" }),
          StreamPart.TextDelta({ text: "be" }),
          StreamPart.Finish({
            response: LlmResponse.make({
              parts: [Message.Text.make({ text: "Elbe" })],
              finishReason: "stop",
              model: "m",
              provider: "test",
              usage: { inputTokens: 3, outputTokens: 1 }
            })
          })
        ])
        assert.deepStrictEqual(times, [1000, 2000, 2000])
      }))

    it.effect("give to a call what they give to a stream", () =>
      Effect.gen(function*() {
        const answer = LlmTest.stream([
          StreamPart.ReasoningDelta({ text: "H" }),
          StreamPart.ReasoningDelta({ text: "m." }),
          "Let me ",
          "look.",
          StreamPart.ToolCallStart({ id: "a", name: "look" }),
          StreamPart.ToolCallDelta({ id: "a", delta: "{\"at\":" }),
          StreamPart.ToolCallDelta({ id: "a", delta: "1}" }),
          StreamPart.ToolCallEnd({ id: "a", name: "look", arguments: { at: 1 } })
        ], { usage: { outputTokens: 9 } })
        const { parts } = yield* onScript([answer], streamed)
        const response = yield* onScript([answer], call)
        assert.deepStrictEqual(parts.at(-1), StreamPart.Finish({ response }))
        assert.strictEqual(parts.length, 9)
        assert.deepStrictEqual(response.parts, [
          Message.Reasoning.make({ text: "Hm." }),
          Message.Text.make({ text: "Let me look." }),
          Message.ToolCall.make({ id: "a", name: "look", arguments: { at: 1 } })
        ])
        assert.deepStrictEqual([response.finishReason, response.usage], ["tool_calls", { outputTokens: 9 }])
      }))

    it.effect("can be streams of one's own, with times and a Finish of their own", () =>
      Effect.gen(function*() {
        const response = LlmResponse.make({ parts: [], finishReason: "length", model: "own", provider: "own" })
        const parts = Stream.make("El", StreamPart.Finish({ response }), "too late").pipe(
          Stream.schedule(Schedule.spaced("2 seconds"))
        )
        const came = yield* onScript([LlmTest.stream(parts)], streamed)
        assert.deepStrictEqual(came.parts, [StreamPart.TextDelta({ text: "El" }), StreamPart.Finish({ response })])
        assert.deepStrictEqual(came.times, [2000, 4000])
      }))

    it.effect("break off with what had come; a call loses its connection", () =>
      Effect.gen(function*() {
        const cut = LlmTest.stream([
          "El",
          "be",
          StreamPart.ToolCallStart({ id: "a", name: "look" }),
          StreamPart.ToolCallDelta({ id: "a", delta: "{\"at" })
        ], { end: "cut" })
        const { error, parts } = yield* onScript([cut], streamed)
        assert.strictEqual(parts.length, 4)
        assert(error?.reason._tag === "StreamInterrupted")
        assert.strictEqual(error.operation, "stream")
        assert.deepStrictEqual(error.reason.partial, {
          text: "Elbe",
          parts: [
            Message.Text.make({ text: "Elbe" }),
            Message.ToolCall.make({ id: "a", name: "look", arguments: "{\"at", incomplete: true })
          ]
        })
        const lost = yield* Effect.flip(onScript([cut], call))
        assert.deepStrictEqual([lost.reason._tag, lost.operation], ["NetworkFailed", "call"])
      }))

    it.effect("fail in their midst, from the end or from within", () =>
      Effect.gen(function*() {
        const reason = LlmError.Overloaded.make({})
        const within = Stream.concat(Stream.make("El"), Stream.fail(reason))
        for (const answer of [LlmTest.stream(["El"], { end: reason }), LlmTest.stream(within)]) {
          const { error, parts } = yield* onScript([answer], streamed)
          assert.deepStrictEqual(parts, [StreamPart.TextDelta({ text: "El" })])
          assert.deepStrictEqual([error?.reason._tag, error?.provider, error?.model], ["Overloaded", "test", "m"])
        }
      }))

    it.effect("fall silent", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(
          Effect.provide(streamed, LlmTest.layer([LlmTest.stream(["El"], { end: "silence" })]))
        )
        yield* TestClock.adjust("1 day")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        yield* Fiber.interrupt(fiber)
      }))

    it.effect("let a client show what it does with time: first part, idle, and a retry before any content", () =>
      Effect.gen(function*() {
        const run = (script: LlmTest.Script) =>
          Effect.gen(function*() {
            const fiber = yield* LlmClient.streamText({ model: "m", prompt: "Name rivers." }, {
              firstPartTimeout: "3 seconds",
              idleTimeout: "5 seconds",
              deadline: "1 minute"
            }).pipe(Stream.runCollect, Effect.exit, Effect.fork)
            yield* TestClock.adjust("2 minutes")
            const exit = yield* Fiber.join(fiber)
            return { exit: exit.toString(), lines: yield* LlmTest.eventLines }
          }).pipe(Effect.provide(Layer.provideMerge(
            LlmClient.layer({ retry: { jitter: false } }),
            Layer.mergeAll(LlmTest.layer(script), LlmTest.layerLogger, LlmCache.layerNone)
          )))
        assert.deepStrictEqual((yield* run([LlmTest.stream([], { end: "silence" }), "Elbe"])).lines, [
          "CacheMiss",
          "CallStarted 1",
          "CallFailed 1 TimedOut(firstPart), retry after 1s",
          "CallStarted 2",
          "CallOk 2"
        ])
        const silent = yield* run([LlmTest.stream(["El"], { end: "silence" })])
        assert.deepStrictEqual(silent.lines.slice(2), ["CallFailed 1 TimedOut(idle)", "CallGaveUp 1 TimedOut(idle)"])
      }))
  })

  describe("in order", () => {
    const ask = (prompt: string, system?: string) =>
      Effect.gen(function*() {
        const provider = yield* LlmProvider.LlmProvider
        const decoded = yield* LlmRequest.decode({ model: "m", prompt, ...(system !== undefined && { system }) })
        return (yield* provider.call(decoded)).text
      })

    const script = [LlmTest.repeat(LlmTest.when("a", "A"), 2), LlmTest.repeat(LlmTest.when("b", "B"), 1)]

    const defect = <A, R>(effect: Effect.Effect<A, LlmError.LlmError, R>) =>
      Effect.map(Effect.sandbox(effect).pipe(Effect.flip), (cause) => Cause.pretty(cause))

    it.effect("each request must match the first step that is left", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.all([ask("a"), ask("a"), ask("b")]), ["A", "A", "B"])
        yield* LlmTest.assertDone
      }).pipe(Effect.provide(LlmTest.layer(script, { inOrder: true }))))

    it.effect("one that comes too early is unexpected, and the message says so", () =>
      Effect.gen(function*() {
        yield* ask("a")
        const message = yield* defect(ask("b"))
        assert.include(message, "  step 1: wants the text \"a\"\n  step 2: matches, but it is not its turn")
      }).pipe(Effect.provide(LlmTest.layer(script, { inOrder: true }))))

    it.effect("in any order, the same requests are answered", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.all([ask("a"), ask("b"), ask("a")]), ["A", "B", "A"])
      }).pipe(Effect.provide(LlmTest.layer(script))))

    it.effect("of a request that nearly matches, the message says how far it does", () =>
      Effect.gen(function*() {
        const message = yield* defect(ask("Name a lake in the north.", "Be terse."))
        for (
          const line of [
            "model \"m\", prompt \"Name a lake in the north.\", instructions \"Be terse.\"",
            "  step 1: wants the text \"Name a river.\" (it has \"Name a \", then \"lake in the north.\")",
            "  step 2: wants the text \"name a lake\" (it differs in case)",
            "  step 3: wants the model \"big\"; wants the instructions /verbose/; wants the text \"sea\""
          ]
        ) assert.include(message, line)
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.when("Name a river.", "Elbe"),
        LlmTest.when("name a lake", "Müritz"),
        LlmTest.when({ model: "big", system: /verbose/, text: "sea" }, "Baltic")
      ]))))

    it.effect("instructions can be matched", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.all([ask("x", "Be terse."), ask("x")]), ["T", "else"])
      }).pipe(Effect.provide(LlmTest.layer([LlmTest.when({ system: "terse" }, "T"), "else"]))))
  })

  describe("queries over events", () => {
    const common = { provider: "test", model: "m" }
    const error = new LlmError.LlmError({
      reason: LlmError.Overloaded.make({}),
      operation: "call",
      attempts: 1
    })
    const failed = (attempt: number, willRetry: boolean) =>
      LlmEvent.CallFailed({
        ...common,
        attempt,
        latency: Duration.zero,
        error,
        willRetry,
        delay: willRetry ? Duration.millis(1500) : undefined
      })
    const events = [
      LlmEvent.CacheMiss(common),
      LlmEvent.CallStarted({ ...common, attempt: 1 }),
      failed(1, true),
      LlmEvent.CallStarted({ ...common, attempt: 2 }),
      failed(2, false),
      LlmEvent.CallGaveUp({ ...common, attempts: 2, latency: Duration.zero, error }),
      LlmEvent.FellBack({ ...common, to: "other", error })
    ]
    const report = Effect.flatMap(
      LlmLogger.LlmLogger,
      (logger) => Effect.forEach(events, logger.log, { discard: true })
    )

    it.effect("counts them by name", () =>
      Effect.gen(function*() {
        yield* report
        assert.deepStrictEqual(yield* LlmTest.eventCounts, {
          CacheMiss: 1,
          CallStarted: 2,
          CallFailed: 2,
          CallGaveUp: 1,
          FellBack: 1
        })
      }).pipe(Effect.provide(LlmTest.layerLogger)))

    it.effect("shows each in a line", () =>
      Effect.gen(function*() {
        yield* report
        assert.deepStrictEqual(yield* LlmTest.eventLines, [
          "CacheMiss",
          "CallStarted 1",
          "CallFailed 1 Overloaded, retry after 1s 500ms",
          "CallStarted 2",
          "CallFailed 2 Overloaded",
          "CallGaveUp 2 Overloaded",
          "FellBack other Overloaded"
        ])
      }).pipe(Effect.provide(LlmTest.layerLogger)))

    it.effect("waits for one to come, and takes one that came before", () =>
      Effect.gen(function*() {
        const waiting = yield* Effect.fork(LlmTest.awaitEvent("CallFailed", ({ willRetry }) => !willRetry))
        const hopeless = yield* Effect.fork(LlmTest.awaitEvent("CallOk"))
        yield* Effect.yieldNow()
        assert.isTrue(Option.isNone(yield* Fiber.poll(waiting)))
        yield* report
        assert.deepStrictEqual(yield* Fiber.join(waiting), failed(2, false))
        assert.deepStrictEqual(yield* LlmTest.awaitEvent("CallFailed"), failed(1, true))
        assert.isTrue(Option.isNone(yield* Fiber.poll(hopeless)))
        yield* Fiber.interrupt(hopeless)
      }).pipe(Effect.provide(LlmTest.layerLogger)))
  })
})
