import { assert, describe, it } from "@effect/vitest"
import {
  LlmCache,
  LlmClient,
  LlmError,
  LlmEvent,
  LlmLogger,
  LlmProvider,
  LlmRequest,
  LlmResponse,
  Message
} from "effect-llm"
import { LlmTest } from "effect-llm/testing"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const ask = (prompt: string, fields: Partial<LlmRequest.Settings> & { readonly model?: string } = {}) =>
  Effect.gen(function*() {
    const provider = yield* LlmProvider.LlmProvider
    return yield* provider.call(yield* LlmRequest.decode({ model: "m", prompt, ...fields }))
  })

const answer = (prompt: string, fields: Parameters<typeof ask>[1] = {}) =>
  Effect.map(ask(prompt, fields), (response) => response.text)

/** The message of the defect that an effect dies with. */
const defect = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const died = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.dieOption(exit.cause)) : undefined
    return died instanceof Error ? died.message : `no defect: ${String(exit)}`
  })

describe("LlmTest", () => {
  describe("answers", () => {
    const one = (given: LlmTest.Answer) => ask("Name a river.").pipe(Effect.provide(LlmTest.layer([given])))

    it.effect("a string is the text of an answer by the model that was asked", () =>
      Effect.gen(function*() {
        const response = yield* one("Elbe")
        assert.deepStrictEqual(
          response,
          LlmResponse.make({
            parts: [Message.Text.make({ text: "Elbe" })],
            finishReason: "stop",
            model: "m",
            provider: "test",
            usage: { inputTokens: 4, outputTokens: 1 }
          })
        )
      }))

    it.effect("text takes what else the answer is to say", () =>
      Effect.gen(function*() {
        const response = yield* one(LlmTest.text("El", { finishReason: "length", usage: {}, warnings: ["cut"] }))
        assert.deepStrictEqual(
          [response.finishReason, response.usage, response.warnings],
          ["length", {}, ["cut"]]
        )
      }))

    it.effect("object is JSON, toolCalls are calls with ids", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* one(LlmTest.object({ rivers: ["Elbe"] }))).text, "{\"rivers\":[\"Elbe\"]}")
        const response = yield* one(LlmTest.toolCalls([
          { name: "look", arguments: { at: "map" } },
          { name: "look", arguments: {}, id: "mine" }
        ]))
        assert.strictEqual(response.finishReason, "tool_calls")
        assert.deepStrictEqual(response.toolCalls, [
          Message.ToolCall.make({ id: "call_1", name: "look", arguments: { at: "map" } }),
          Message.ToolCall.make({ id: "mine", name: "look", arguments: {} })
        ])
      }))

    it.effect("a response is given as it is", () =>
      Effect.gen(function*() {
        const response = LlmResponse.make({
          parts: [Message.Refusal.make({ text: "No." })],
          finishReason: "refusal",
          model: "other",
          provider: "elsewhere"
        })
        assert.strictEqual(yield* one(response), response)
      }))

    it.effect("a reason fails, as a value, from fail and from an Effect", () =>
      Effect.gen(function*() {
        const reason = LlmError.RateLimited.make({ retryAfter: Duration.seconds(3) })
        for (const given of [reason, LlmTest.fail(reason), Effect.succeed(reason), () => reason]) {
          const error = yield* Effect.flip(one(given))
          assert.strictEqual(error._tag, "LlmError")
          assert.deepStrictEqual(error.reason, reason)
          assert.deepStrictEqual(
            [error.provider, error.model, error.attempts, error.operation],
            ["test", "m", 1, "call"]
          )
        }
      }))

    it.effect("an LlmError fails as it is", () =>
      Effect.gen(function*() {
        const error = new LlmError.LlmError({
          reason: LlmError.ServerFailed.make({}),
          operation: "call",
          attempts: 1,
          status: 503
        })
        for (const given of [error, LlmTest.fail(error), () => error]) {
          assert.strictEqual(yield* Effect.flip(one(given)), error)
        }
      }))

    it.effect("a function sees the request, and may give an Effect", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* one((request) => request.prompt.toUpperCase())).text, "NAME A RIVER.")
        assert.strictEqual((yield* one((request) => LlmTest.text(request.model))).text, "m")
      }))

    it.effect("an Effect runs anew for each request", () =>
      Effect.gen(function*() {
        const count = yield* Ref.make(0)
        const texts = Effect.map(Ref.updateAndGet(count, (n) => n + 1), (n) => `answer ${n}`)
        assert.deepStrictEqual(
          yield* Effect.all([answer("a"), answer("b")]).pipe(
            Effect.provide(LlmTest.layer([LlmTest.repeat(texts)]))
          ),
          ["answer 1", "answer 2"]
        )
      }))

    it.effect("are delayed on the Clock, and can be interrupted meanwhile", () =>
      Effect.gen(function*() {
        const slow = LlmTest.text("Elbe").pipe(Effect.delay("1 minute"))
        const patient = yield* Effect.fork(one(slow))
        const hasty = yield* Effect.fork(Effect.timeout(one(slow), "1 second"))
        yield* TestClock.adjust("59 seconds")
        assert.isTrue(Option.isNone(yield* Fiber.poll(patient)))
        assert.isTrue(Exit.isFailure(yield* Fiber.await(hasty)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(patient)).text, "Elbe")
      }))

    it.effect("stream as they are called: the same script, the same answer", () =>
      Effect.gen(function*() {
        const provider = yield* LlmProvider.LlmProvider
        const request = yield* LlmRequest.decode({ model: "m", prompt: "Name a river." })
        const parts = Chunk.toReadonlyArray(yield* Stream.runCollect(provider.stream(request)))
        assert.deepStrictEqual(parts.map((part) => part._tag), ["TextDelta", "Finish"])
        const error = yield* Effect.flip(Stream.runCollect(provider.stream(request)))
        assert.strictEqual(error.reason._tag, "Overloaded")
        assert.strictEqual((yield* LlmTest.requests).length, 2)
      }).pipe(Effect.provide(LlmTest.layer(["Elbe", LlmError.Overloaded.make({})]))))
  })

  describe("scripts", () => {
    it.effect("plain answers are given in order, one each", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.all([answer("x"), answer("y"), answer("x")]), ["a", "b", "c"])
      }).pipe(Effect.provide(LlmTest.layer(["a", "b", "c"]))))

    it.effect("rules answer what matches, in no order and as often as asked", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* Effect.all([
            answer("Which lakes?"),
            answer("Which rivers?", { model: "big" }),
            answer("Which rivers?"),
            answer("Which seas?", { temperature: 1 }),
            answer("Which lakes?")
          ]),
          ["Müritz", "Rhine", "Elbe", "Baltic", "Müritz"]
        )
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.when({ model: "big" }, "Rhine"),
        LlmTest.when("rivers", "Elbe"),
        LlmTest.when(/LAKES/i, "Müritz"),
        LlmTest.when((request) => request.temperature === 1, "Baltic")
      ]))))

    it.effect("a rule of several conditions wants them all", () =>
      Effect.gen(function*() {
        const script = [LlmTest.when({ model: "big", text: /rivers/g }, "Rhine"), LlmTest.repeat("else")]
        assert.deepStrictEqual(
          yield* Effect.all([
            answer("rivers", { model: "big" }),
            answer("rivers", { model: "big" }),
            answer("lakes", { model: "big" }),
            answer("rivers")
          ]).pipe(Effect.provide(LlmTest.layer(script))),
          ["Rhine", "Rhine", "else", "else"]
        )
      }))

    it.effect("repeat bounds a rule, and the next step that matches takes over", () =>
      Effect.gen(function*() {
        const failed = yield* Effect.flip(answer("rivers"))
        assert.strictEqual(failed.reason._tag, "ServerFailed")
        assert.deepStrictEqual(yield* Effect.all([answer("rivers"), answer("lakes")]), ["Elbe", "Müritz"])
      }).pipe(Effect.provide(LlmTest.layer([
        LlmTest.repeat(LlmTest.when("rivers", LlmError.ServerFailed.make({})), 1),
        LlmTest.when("rivers", "Elbe"),
        LlmTest.when("lakes", "Müritz")
      ]))))

    it.effect("repeat gives a plain answer several times, or for ever", () =>
      Effect.gen(function*() {
        const script = [LlmTest.repeat("a", 2), LlmTest.repeat("b")]
        assert.deepStrictEqual(
          yield* Effect.forEach(["1", "2", "3", "4"], (prompt) => answer(prompt)).pipe(
            Effect.provide(LlmTest.layer(script))
          ),
          ["a", "a", "b", "b"]
        )
      }))

    it.effect("begin anew in each layer", () =>
      Effect.gen(function*() {
        const layer = LlmTest.layer(["a"])
        assert.strictEqual(yield* Effect.provide(answer("x"), layer), "a")
        assert.strictEqual(yield* Effect.provide(answer("x"), layer), "a")
      }))

    it.effect("die over a number of times that makes no sense", () =>
      Effect.gen(function*() {
        const message = yield* defect(answer("x").pipe(Effect.provide(LlmTest.layer([LlmTest.repeat("a", 0)]))))
        assert.match(message, /times of step 1 must be an integer of at least 1, but is 0/)
      }))
  })

  describe("an unexpected request", () => {
    it.effect("is a defect that shows the request, and why no step answered", () =>
      Effect.gen(function*() {
        yield* answer("first")
        assert.strictEqual(
          yield* defect(answer("Name a \"lake\".")),
          [
            "No step of the script answers this request: model \"m\", prompt \"Name a \\\"lake\\\".\"",
            "  step 1: used up after 1",
            "  step 2: wants the model \"big\"",
            "  step 3: wants the text \"river\"",
            "  step 4: wants the text /sea/",
            "  step 5: its predicate does not hold"
          ].join("\n")
        )
      }).pipe(Effect.provide(LlmTest.layer([
        "a",
        LlmTest.when({ model: "big", text: "lake" }, "b"),
        LlmTest.when("river", "c"),
        LlmTest.when(/sea/, "d"),
        LlmTest.when(() => false, "e")
      ]))))

    it.effect("is a defect when the script is empty, with a prompt of bounded length", () =>
      Effect.gen(function*() {
        const message = yield* defect(answer("long ".repeat(1000)))
        assert.match(message, /The script is empty\./)
        assert.isBelow(message.length, 400)
      }).pipe(Effect.provide(LlmTest.layer([]))))

    it.effect("is neither retried by the client nor turned into an error", () =>
      Effect.gen(function*() {
        const message = yield* defect(LlmClient.call({ model: "m", prompt: "Name a river." }))
        assert.match(message, /^No step of the script answers this request/)
        assert.strictEqual((yield* LlmTest.requests).length, 1)
      }).pipe(Effect.provide(Layer.provideMerge(LlmClient.layerDefault(), LlmTest.layer([])))))
  })

  describe("memory", () => {
    it.effect("keeps the requests in order, failed ones too", () =>
      Effect.gen(function*() {
        yield* answer("a")
        yield* Effect.flip(answer("b"))
        assert.deepStrictEqual((yield* LlmTest.requests).map((request) => request.prompt), ["a", "b"])
      }).pipe(Effect.provide(LlmTest.layer(["x", LlmError.Overloaded.make({})]))))

    it.effect("assertDone passes once the script is used up, rules and endless answers aside", () =>
      Effect.gen(function*() {
        yield* answer("a")
        yield* LlmTest.assertDone
      }).pipe(Effect.provide(LlmTest.layer(["x", LlmTest.when("b", "y"), LlmTest.repeat("z")]))))

    it.effect("assertDone dies while something is left, and says what and what was asked", () =>
      Effect.gen(function*() {
        yield* answer("a")
        assert.strictEqual(
          yield* defect(LlmTest.assertDone),
          [
            "2 of the script's steps are left:",
            "  step 2: used 0 of 3 times",
            "  step 3: used 0 of 1 times",
            "after 1 requests:",
            "  model \"m\", prompt \"a\""
          ].join("\n")
        )
      }).pipe(Effect.provide(LlmTest.layer(["x", LlmTest.repeat("y", 3), "z"]))))

    it.effect("presents itself by any name", () =>
      Effect.gen(function*() {
        const { endpoint, name } = yield* LlmProvider.LlmProvider
        assert.deepStrictEqual([name, endpoint], ["openai", "https://api.openai.com/v1"])
        assert.strictEqual((yield* ask("a")).provider, "openai")
      }).pipe(
        Effect.provide(LlmTest.layer(["x"], { name: "openai", endpoint: "https://api.openai.com/v1" }))
      ))
  })

  describe("ready-made layers", () => {
    it.effect("layerEcho answers with the prompt", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.all([answer("a"), answer("b")]), ["a", "b"])
      }).pipe(Effect.provide(LlmTest.layerEcho)))

    it.effect("layerFailing fails each request", () =>
      Effect.gen(function*() {
        for (const prompt of ["a", "b"]) {
          assert.strictEqual((yield* Effect.flip(answer(prompt))).reason._tag, "ModelNotFound")
        }
      }).pipe(Effect.provide(LlmTest.layerFailing(LlmError.ModelNotFound.make({})))))
  })

  describe("layerLogger", () => {
    const hit = LlmEvent.CacheMiss({ provider: "test", model: "a" })
    const started = (attempt: number) => LlmEvent.CallStarted({ provider: "test", model: "a", attempt })

    it.effect("keeps the events in order", () =>
      Effect.gen(function*() {
        const logger = yield* LlmLogger.LlmLogger
        for (const event of [hit, started(1), started(2)]) yield* logger.log(event)
        assert.deepStrictEqual(yield* LlmTest.events, [hit, started(1), started(2)])
        assert.deepStrictEqual((yield* LlmTest.eventsOf("CallStarted")).map((event) => event.attempt), [1, 2])
        assert.deepStrictEqual(yield* LlmTest.eventsOf("CallOk"), [])
      }).pipe(Effect.provide(LlmTest.layerLogger)))

    it.effect("sees what a client does, on the TestClock", () =>
      Effect.gen(function*() {
        const call = yield* Effect.fork(LlmClient.call({ model: "m", prompt: "Name a river." }))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* Fiber.join(call)).text, "Elbe")
        yield* LlmTest.assertDone
        const [failed] = yield* LlmTest.eventsOf("CallFailed")
        assert.deepStrictEqual(
          [failed?.attempt, failed?.willRetry, failed?.error.reason._tag],
          [1, true, "Overloaded"]
        )
        assert.strictEqual((yield* LlmTest.eventsOf("CallOk")).length, 1)
      }).pipe(Effect.provide(Layer.provideMerge(
        LlmClient.layer(),
        Layer.mergeAll(
          LlmTest.layer([LlmTest.fail(LlmError.Overloaded.make({})), "Elbe"]),
          LlmTest.layerLogger,
          LlmCache.layerNone
        )
      ))))
  })
})
