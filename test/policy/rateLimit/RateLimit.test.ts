import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as RateLimit from "effect-llm/RateLimit"
import * as RateLimitStore from "effect-llm/RateLimitStore"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as TokenEstimator from "effect-llm/TokenEstimator"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { failure, rateLimited, serverFailed } from "../../support/errors.js"
import { errorOf, valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { answerUsing, limitedBy, mostInFlight, seconds } from "../../support/limits.js"
import { respond } from "../../support/samples.js"
import { settle, within } from "../../support/testClock.js"

const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

const forkAll = <A, E>(effects: ReadonlyArray<Effect.Effect<A, E>>) =>
  Effect.tap(Effect.forEach(effects, (effect) => Effect.fork(effect)), () => settle)

const tooLate = (exit: Exit.Exit<unknown, LlmError.LlmError>): LlmError.LlmError => {
  const error = errorOf(exit)
  assert(error.reason._tag === "TimedOut" && error.reason.phase === "queue", error.message)
  assert.deepStrictEqual([error.attempts, error.provider, error.model], [0, "openai", "m"])
  return error
}

describe("RateLimit", () => {
  describe("with concurrency", () => {
    it.effect("lets so many through at a time, and the next as soon as one ends, in the order in which they came", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, load, times, world } = yield* limitedBy({ concurrency: 2 })
        world.answer = (_, n) => seconds(n === 1 ? 3 : 1)
        const fibers = yield* forkAll(names(5).map((name) => call(name)))
        assert.deepStrictEqual(yield* asked, ["0", "1"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* asked, ["0", "1", "2"])
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.joinAll(fibers)
        assert.deepStrictEqual(yield* asked, names(5))
        assert.deepStrictEqual(yield* times, [0, 0, 1000, 2000, 3000])
        assert.strictEqual((yield* load).mostInFlight, 2)
      })))

    it.effect("takes nothing of the requests a minute for a request that finds no permit", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, world } = yield* limitedBy({ concurrency: 1, requestsPerMinute: 2 })
        world.answer = () => seconds(1)
        const fibers = yield* forkAll(names(3).map((name) => call(name)))
        // Two wait for a permit and leave; of the two requests a minute, one is left.
        yield* Fiber.interruptAll(fibers.slice(1))
        yield* TestClock.adjust("1 second")
        valueOf(yield* within("1 second")(call("next")))
        assert.deepStrictEqual(yield* asked, ["0", "next"])
      })))

    it.effect("frees the permit of what fails, dies or is interrupted", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ concurrency: 1 })
        for (const answer of [serverFailed, Effect.dieMessage("a bug"), Effect.interrupt]) {
          world.answer = () => answer
          assert.isTrue(Exit.isFailure(yield* Effect.exit(call("bad"))))
        }
        world.answer = () => Effect.never
        yield* Fiber.interrupt((yield* forkAll([call("long")]))[0]!)
        world.answer = () => Effect.succeed(respond("Elbe"))
        assert.strictEqual((yield* call("good")).text, "Elbe")
      })))

    describe("holds the permit of a stream", () => {
      const text = StreamPart.TextDelta({ text: "Elbe" })
      const finish = StreamPart.Finish({ response: answerUsing(10, 10) })
      const cut = failure(LlmError.StreamInterrupted.make({ partial: { text: "Elbe", parts: [] } }))

      type Parts = Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>

      const streams: Record<string, { readonly stream: Parts; readonly read?: (self: Parts) => Parts }> = {
        "to its end": { stream: Stream.make(text, finish) },
        "that fails": { stream: Stream.concat(Stream.make(text), Stream.fail(cut)) },
        "that ends without an end of the answer": { stream: Stream.make(text) },
        "that its reader closes": {
          stream: Stream.concat(Stream.make(text), Stream.never),
          read: (self) => Stream.take(self, 1)
        }
      }
      for (const [name, { read = (self: Parts) => self, stream: parts }] of Object.entries(streams)) {
        it.effect(`${name}, and no longer`, () =>
          leavingNoFiber(Effect.gen(function*() {
            const { asked, call, stream, world } = yield* limitedBy({ concurrency: 1 })
            const gap = Stream.drain(Stream.fromEffect(Effect.sleep("10 seconds")))
            world.stream = () => Stream.concat(gap, parts)
            const [first] = yield* forkAll([Stream.runDrain(read(stream("first")))])
            const [second] = yield* forkAll([call("second")])
            yield* TestClock.adjust("9999 millis")
            assert.deepStrictEqual(yield* asked, ["first"])
            yield* TestClock.adjust("1 millis")
            assert.deepStrictEqual(yield* asked, ["first", "second"])
            yield* Fiber.await(first!)
            yield* Fiber.join(second!)
          })))
      }

      it.effect("that is interrupted, and no longer", () =>
        leavingNoFiber(Effect.gen(function*() {
          const { asked, call, stream, world } = yield* limitedBy({ concurrency: 1 })
          world.stream = () => Stream.concat(Stream.make(text), Stream.never)
          const [first] = yield* forkAll([Stream.runDrain(stream("first"))])
          const [second] = yield* forkAll([call("second")])
          assert.deepStrictEqual(yield* asked, ["first"])
          yield* Fiber.interrupt(first!)
          yield* Fiber.join(second!)
        })))

      it.effect("and settles it by the usage of its end", () =>
        leavingNoFiber(Effect.gen(function*() {
          const { call, stream, world } = yield* limitedBy({ tokensPerMinute: 100 })
          world.stream = () => Stream.make(StreamPart.Finish({ response: answerUsing(5, 5) }))
          yield* Stream.runDrain(stream("x".repeat(90)))
          // 90 are left, and not none.
          valueOf(yield* within(0)(call("x".repeat(80))))
        })))
    })
  })

  describe("with tokens a minute", () => {
    it.effect("five calls at once never exceed 100 tokens a minute", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, times, world } = yield* limitedBy({ tokensPerMinute: 100 })
        world.answer = () => Effect.succeed(answerUsing(30, 10))
        const fibers = yield* forkAll(names(5).map((name) => call(name.repeat(30))))
        yield* TestClock.adjust("2 minutes")
        yield* Fiber.joinAll(fibers)
        // 40 each: two at once, and then as the bucket refills.
        assert.deepStrictEqual(yield* times, [0, 0, 12_000, 36_000, 60_000])
      })))

    it.effect("gives back what an answer did not need", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, times, world } = yield* limitedBy({ tokensPerMinute: 100 })
        world.answer = () => seconds(0, Effect.succeed(answerUsing(10, 0)))
        const fibers = yield* forkAll(names(3).map((name) => call(name.repeat(50), { maxTokens: 50 })))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.joinAll(fibers)
        // 100 set aside and 10 used, each time: the second waits for 10, the third for 10.
        assert.deepStrictEqual(yield* times, [0, 6000, 12_000])
      })))

    it.effect("wakes waiting requests when something is given back", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, times, world } = yield* limitedBy({ tokensPerMinute: 100 })
        world.answer = () => seconds(2, Effect.succeed(answerUsing(10, 0)))
        const fibers = yield* forkAll(["a", "b"].map((name) => call(name.repeat(50), { maxTokens: 20 })))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.joinAll(fibers)
        assert.deepStrictEqual(yield* times, [0, 2000])
      })))

    it.effect("charges what an answer needed beyond the estimate", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, times, world } = yield* limitedBy({ tokensPerMinute: 100 })
        world.answer = () => Effect.succeed(answerUsing(100, 50))
        yield* call("x")
        world.answer = () => Effect.succeed(answerUsing(10, 10))
        yield* within("35999 millis")(Effect.flip(call("x", { left: "35 seconds" })))
        valueOf(yield* within("3 seconds")(call("x")))
        assert.strictEqual((yield* times)[1], 36_600)
      })))

    it.effect("gives nothing back where the usage is not known, or the attempt failed or was interrupted", () =>
      leavingNoFiber(Effect.gen(function*() {
        const unknown = [
          Effect.succeed(respond("Elbe", { usage: {} })),
          Effect.succeed(respond("Elbe", { usage: { inputTokens: 1 } })),
          serverFailed,
          Effect.interrupt,
          Effect.dieMessage("a bug")
        ]
        for (const answer of unknown) {
          const { call, world } = yield* limitedBy({ tokensPerMinute: 100 })
          world.answer = () => answer
          yield* Effect.exit(call("x".repeat(90)))
          world.answer = () => Effect.succeed(answerUsing(1, 1))
          const error = tooLate(yield* Effect.exit(call("x".repeat(90), { left: "59 seconds" })))
          assert.include(error.message, "a turn would come in 1m")
        }
      })))

    it.effect.each([NaN, Infinity, -Infinity, -1])(
      "takes %s for no count, wherever a provider states it",
      (count) =>
        Effect.gen(function*() {
          const { call, world } = yield* limitedBy({ tokensPerMinute: 100 })
          const limit = { limit: count, remaining: count }
          world.answer = () =>
            respond("Elbe", {
              usage: { inputTokens: count, cachedInputTokens: count, outputTokens: count },
              rateLimit: { requests: limit, tokens: limit, inputTokens: limit, outputTokens: limit }
            })
          // 11 tokens are set aside for each.
          for (let i = 0; i < 9; i++) yield* call("x")
          tooLate(yield* Effect.exit(call("x", { left: 1 })))
          yield* TestClock.adjust("1 minute")
          for (let i = 0; i < 9; i++) yield* call("x")
          tooLate(yield* Effect.exit(call("x", { left: 1 })))
        })
    )

    it.effect("gives all back, the request too, where nothing was sent", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ requestsPerMinute: 1, tokensPerMinute: 100 })
        world.answer = () => failure(LlmError.CircuitOpen.make({ retryAfter: Duration.seconds(9) }), { attempts: 0 })
        yield* Effect.exit(call("x".repeat(90)))
        world.answer = () => Effect.succeed(answerUsing(1, 1))
        valueOf(yield* within(0)(call("x".repeat(90))))
      })))

    it.effect("counts input and output apart, and no input that was in the provider's cache", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ inputTokensPerMinute: 100, outputTokensPerMinute: 1000 })
        world.answer = () => Effect.succeed(answerUsing(100, 10, { cachedInputTokens: 90 }))
        yield* call("x".repeat(100), { maxTokens: 1000 })
        // 90 and 990 are left.
        valueOf(yield* within(0)(call("x".repeat(90), { maxTokens: 990 })))
        world.answer = () => Effect.succeed(answerUsing(90, 980))
        tooLate(yield* Effect.exit(call("x", { maxTokens: 1000, left: "1 second" })))
      })))

    it.effect("sets aside for the answer what the program expects, and 1,024 where nobody says", () =>
      leavingNoFiber(Effect.gen(function*() {
        const expecting = yield* limitedBy({ tokensPerMinute: 100, expectedOutputTokens: () => 20 })
        valueOf(yield* within(0)(expecting.call("x", { maxTokens: 64_000 })))
        const { asked, provider } = yield* limitedBy({ tokensPerMinute: 1030 })
        const request = yield* (yield* limitedBy({})).requestOf("x".repeat(7), { maxTokens: undefined })
        assert.strictEqual(errorOf(yield* Effect.exit(provider.call(request))).reason._tag, "InvalidRequest")
        assert.deepStrictEqual(yield* asked, [])
      })))

    it.effect("gives back only input where the provider counts all of maxTokens", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ tokensPerMinute: 100, refund: false })
        world.answer = () => Effect.succeed(answerUsing(10, 1))
        yield* call("x".repeat(50), { maxTokens: 40 })
        valueOf(yield* within(0)(call("x".repeat(10), { maxTokens: 40 })))
        const error = tooLate(yield* Effect.exit(call("x", { maxTokens: 9, left: "1 second" })))
        assert.include(error.message, "6s")
      })))

    it.effect("fails a request at once that is larger than the limit: not tried again, nobody's fault", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call } = yield* limitedBy({ requestsPerMinute: 1, tokensPerMinute: 100, maxQueue: 0 })
        const error = errorOf(yield* Effect.exit(call("x".repeat(91))))
        assert(error.reason._tag === "InvalidRequest")
        assert.deepStrictEqual([error.reason.field, error.reason.code], ["maxTokens", "request_too_large"])
        assert.strictEqual(error.reason.message, "the request needs up to 101 tokens, and the limit is 100 a minute")
        assert.deepStrictEqual(
          [error.isRetryable, error.canFailOver, error.countsAgainstBreaker, error.attempts],
          [false, false, false, 0]
        )
        const long = errorOf(yield* Effect.exit(call("x".repeat(101))))
        assert(long.reason._tag === "InvalidRequest" && long.reason.field === "messages")
        // It has taken nothing.
        valueOf(yield* within(0)(call("x".repeat(90))))
        assert.deepStrictEqual(yield* asked, ["x".repeat(90)])
      })))
  })

  describe("in the queue", () => {
    it.effect("those of higher priority go first, and those of the same in the order in which they came", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, world } = yield* limitedBy({ concurrency: 1 })
        world.answer = () => seconds(1)
        const fibers = yield* forkAll([
          call("running"),
          call("a"),
          call("b"),
          call("urgent 1", { priority: 5 }),
          call("idle", { priority: -1 }),
          call("urgent 2", { priority: 5 }),
          call("c")
        ])
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.joinAll(fibers)
        assert.deepStrictEqual(yield* asked, ["running", "urgent 1", "urgent 2", "a", "b", "c", "idle"])
      })))

    it.effect("waiting counts as priority, so that nobody waits for ever", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, world } = yield* limitedBy({ concurrency: 1, aging: "10 seconds" })
        world.answer = () => seconds(4)
        const fibers = yield* forkAll([call("running"), call("patient")])
        const urgent = yield* Effect.forEach([0, 1, 2, 3], (i) =>
          Effect.zipLeft(Effect.fork(call(`urgent ${i}`, { priority: 1 })), TestClock.adjust("4 seconds")))
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.joinAll([...fibers, ...urgent])
        // The third urgent one came 8 seconds after the patient one, the fourth 12 seconds.
        assert.deepStrictEqual(yield* asked, ["running", "urgent 0", "urgent 1", "urgent 2", "patient", "urgent 3"])
      })))

    it.effect("a cheap request does not overtake an expensive one", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, times, world } = yield* limitedBy({ tokensPerMinute: 100 })
        world.answer = () => Effect.succeed(respond("Elbe", { usage: {} }))
        const fibers = yield* forkAll([
          call("a".repeat(80)),
          call("b".repeat(80)),
          call("c")
        ])
        yield* TestClock.adjust("2 minutes")
        yield* Fiber.joinAll(fibers)
        assert.deepStrictEqual((yield* asked).map((prompt) => prompt[0]), ["a", "b", "c"])
        assert.deepStrictEqual(yield* times, [0, 48_000, 54_600])
      })))

    it.effect("there are no more than it holds: the next fails at once, and changes nothing", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, world } = yield* limitedBy({ concurrency: 1, maxQueue: 2 })
        world.answer = () => seconds(1)
        const fibers = yield* forkAll(names(3).map((name) => call(name)))
        const error = tooLate(yield* Effect.exit(call("one too many")))
        assert.include(error.message, "2 requests are waiting already")
        assert.deepStrictEqual(
          [error.isRetryable, error.canFailOver, error.countsAgainstBreaker],
          [false, true, false]
        )
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.joinAll(fibers)
        assert.deepStrictEqual(yield* asked, names(3))
      })))

    it.effect("nobody waits whose turn would come after the deadline, those before it included", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, times } = yield* limitedBy({ requestsPerMinute: 60, burst: "1 second" })
        const fibers = yield* forkAll(names(6).map((name) => call(name)))
        // Five wait: the next one's turn comes in six seconds.
        const error = tooLate(yield* Effect.exit(call("late", { left: "5999 millis" })))
        assert.include(error.message, "a turn would come in 6s, and the request can wait for 5s 999ms")
        const last = yield* forkAll([call("just in time", { left: "6 seconds" })])
        yield* TestClock.adjust("6 seconds")
        yield* Fiber.joinAll([...fibers, ...last])
        assert.deepStrictEqual(yield* asked, [...names(6), "just in time"])
        assert.deepStrictEqual(yield* times, [0, 1000, 2000, 3000, 4000, 5000, 6000])
      })))

    it.effect("nobody waits for longer than maxWait, whether that is seen at once or later", () =>
      leavingNoFiber(Effect.gen(function*() {
        const paced = yield* limitedBy({ requestsPerMinute: 1, maxWait: "30 seconds" })
        yield* paced.call("first")
        tooLate(yield* Effect.exit(paced.call("second")))
        const { call, world } = yield* limitedBy({ concurrency: 1, maxWait: "30 seconds" })
        world.answer = () => Effect.never
        const [long] = yield* forkAll([call("long")])
        const [second] = yield* forkAll([call("second")])
        yield* TestClock.adjust("29 seconds")
        assert.isNull(second!.unsafePoll())
        yield* TestClock.adjust("1 second")
        tooLate(yield* Fiber.await(second!))
        yield* Fiber.interrupt(long!)
      })))

    it.effect("a request that leaves takes nothing along, wherever it stands", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, times } = yield* limitedBy({ requestsPerMinute: 60, burst: "1 second", concurrency: 5 })
        const [first, second, third, fourth] = yield* forkAll(names(4).map((name) => call(name)))
        yield* TestClock.adjust("500 millis")
        yield* Fiber.interruptAll([second!, third!])
        yield* TestClock.adjust("500 millis")
        yield* Fiber.joinAll([first!, fourth!])
        assert.deepStrictEqual(yield* asked, ["0", "3"])
        assert.deepStrictEqual(yield* times, [0, 1000])
      })))

    it.effect("a request that leaves when its turn has come, but nothing was sent, gives all back", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, provider, requestOf, world } = yield* limitedBy({ concurrency: 1, tokensPerMinute: 100 })
        world.answer = () => seconds(1, Effect.succeed(answerUsing(0, 0)))
        const request = yield* requestOf("b".repeat(90))
        const attempt = yield* LlmProvider.CurrentAttempt
        const [first] = yield* forkAll([call("a".repeat(90))])
        // It hangs when it reports its wait.
        const [second] = yield* forkAll([
          Effect.provideService(provider.call(request), LlmProvider.CurrentAttempt, {
            ...attempt,
            report: () => Effect.never
          })
        ])
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(first!)
        yield* Fiber.interrupt(second!)
        valueOf(yield* within("1 second")(call("c".repeat(90))))
        assert.deepStrictEqual((yield* asked).map((prompt) => prompt[0]), ["a", "c"])
      })))

    it.effect("the wait is reported when it begins and when it is over, and there is no report without one", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ requestsPerMinute: 60, burst: "1 second" })
        const fibers = yield* forkAll(names(3).map((name) => call(name)))
        yield* Fiber.interrupt(fibers[2]!)
        yield* TestClock.adjust("5 seconds")
        const reported = world.events.flatMap((event) => {
          const { model, provider } = event
          if (event._tag === "RateLimitQueued") return [[provider, model, event.ahead]]
          return event._tag === "RateLimitWaited" ? [[provider, model, Duration.toMillis(event.waited)]] : []
        })
        assert.deepStrictEqual(reported, [["openai", "m", 0], ["openai", "m", 1], ["openai", "m", 1000]])
      })))

    it.effect("the rest of the limits is reported after each attempt, even after one that fails", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ concurrency: 4, requestsPerMinute: 60 })
        world.answer = (_, n) => n === 3 ? serverFailed : seconds(n)
        yield* forkAll(["first", "second", "third"].map((name) => call(name)))
        yield* TestClock.adjust("2 seconds")
        const reported = world.events.flatMap((event) => {
          if (event._tag !== "RateLimitUsed") return []
          const { concurrency, left, running } = event
          return [[running, concurrency, left]]
        })
        const left = (remaining: number, untilFull: number) => ({
          requests: { limit: 60, remaining, resetAfter: Duration.seconds(untilFull) },
          tokens: undefined,
          inputTokens: undefined,
          outputTokens: undefined
        })
        // A request a second comes back.
        assert.deepStrictEqual(reported, [[2, 4, left(57, 3)], [1, 4, left(58, 2)], [0, 4, left(59, 1)]])
      })))

    it.effect("the rest is not reported if nobody receives it", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ concurrency: 4, requestsPerMinute: 60 })
        world.isListening = false
        world.answer = (_, n) => n === 2 ? serverFailed : seconds(n)
        yield* forkAll(["first", "second"].map((name) => call(name)))
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(world.events, [])
      })))

    it.effect("the reported rest has only limits that are set and that the store knows", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ concurrency: 2 })
        yield* call("first")
        assert.deepStrictEqual(
          world.events.map((event) => event._tag === "RateLimitUsed" && [event.running, event.left.requests]),
          [[0, undefined]]
        )
      })))
  })

  describe("after a 429", () => {
    it.effect("all of the key wait until its Retry-After has passed, and the longest one counts", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, times, world } = yield* limitedBy({ requestsPerMinute: 600 })
        world.answer = (_, n) =>
          n === 1
            ? seconds(1, rateLimited("20 seconds"))
            : n === 2
            ? seconds(2, rateLimited("5 seconds"))
            : Effect.succeed(respond("Elbe"))
        yield* forkAll(["first", "second"].map((name) => call(name)))
        yield* TestClock.adjust("3 seconds")
        const [third] = yield* forkAll([call("third")])
        yield* TestClock.adjust("18 seconds")
        assert.isNull(third!.unsafePoll())
        // The bucket begins empty.
        yield* TestClock.adjust("1200 millis")
        yield* Fiber.join(third!)
        assert.isAtLeast((yield* times)[2] ?? 0, 21_100)
      })))

    it.effect("other models go on", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({})
        world.answer = () => rateLimited("20 seconds")
        yield* Effect.exit(call("first"))
        world.answer = () => Effect.succeed(respond("Elbe"))
        valueOf(yield* within(0)(call("second", { model: "other" })))
      })))

    it.effect("without a Retry-After the pause is a second, and doubles until there is an answer", () =>
      leavingNoFiber(
        Effect.gen(function*() {
          const { call, times, world } = yield* limitedBy({})
          world.answer = (_, n) => n === 8 ? Effect.succeed(respond("Elbe")) : rateLimited()
          for (let n = 0; n < 10; n++) {
            // All that wait are there already when the pause is over.
            const fiber = yield* Effect.fork(Effect.exit(call(`${n}`)))
            do yield* TestClock.adjust("1 second")
            while (fiber.unsafePoll() === null)
          }
          const all = yield* times
          const pauses = all.slice(1).map((time, n) => Math.floor((time - (all[n] ?? 0)) / 1000))
          // After the answer there is none, and then it begins anew.
          assert.deepStrictEqual([...pauses.slice(0, 7), pauses[8]], [1, 2, 4, 8, 16, 32, 60, 1])
        }).pipe(Effect.withRandom(Random.fixed([0])))
      ))

    it.effect("no pause is longer than maxPause", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ maxPause: "1 minute" })
        world.answer = () => rateLimited("24 days")
        yield* Effect.exit(call("first"))
        world.answer = () => Effect.succeed(respond("Elbe"))
        valueOf(yield* within("61 seconds")(call("second")))
      })))

    it.effect("nor is any other wait that a number from the provider causes", () =>
      leavingNoFiber(Effect.gen(function*() {
        const absurd = [
          answerUsing(10, 1e9),
          respond("Elbe", { usage: { inputTokens: 10, outputTokens: 10 }, rateLimit: { tokens: { limit: 1 } } }),
          respond("Elbe", { rateLimit: { requests: { remaining: -1e6 } } })
        ]
        for (const first of absurd) {
          const { call, world } = yield* limitedBy({
            tokensPerMinute: 10_000,
            requestsPerMinute: 600,
            maxPause: "2 minutes"
          })
          world.answer = (_, n) => Effect.succeed(n === 1 ? first : answerUsing(10, 10))
          yield* call("x".repeat(55))
          valueOf(yield* within("121 seconds")(call("x".repeat(55))))
          valueOf(yield* within("121 seconds")(call("x".repeat(55))))
        }
      })))

    it.effect("requests that cannot wait for so long fail at once, the others go on waiting", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ concurrency: 1 })
        world.answer = (_, n) => n === 1 ? seconds(1, rateLimited("1 minute")) : Effect.succeed(respond("Elbe"))
        const fibers = yield* forkAll([
          call("first"),
          call("patient"),
          call("hasty", { left: "30 seconds" }),
          call("hasty, too", { left: "40 seconds" })
        ])
        yield* TestClock.adjust("1 second")
        for (const fiber of fibers.slice(2)) tooLate(yield* Fiber.await(fiber))
        assert.isNull(fibers[1]!.unsafePoll())
        // Nor does anybody begin to.
        tooLate(yield* Effect.exit(call("late", { left: "59 seconds" })))
        yield* TestClock.adjust("62 seconds")
        yield* Fiber.join(fibers[1]!)
      })))

    it.effect("one of a policy inside, which did not send anything, pauses nobody", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({})
        const { reason } = rateLimited("1 minute")
        world.answer = (_, n) => n === 1 ? failure(reason, { attempts: 0 }) : Effect.succeed(respond("Elbe"))
        yield* Effect.exit(call("first"))
        valueOf(yield* within(0)(call("second")))
      })))

    it.effect("50 that get one at once come back spread out, with the limit of concurrency cut once", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, call, load, times, world } = yield* limitedBy({
          concurrency: 100,
          adaptive: { initial: 50, decrease: 0.5 }
        })
        world.answer = () => seconds(1, rateLimited("5 seconds"))
        yield* forkAll(names(50).map((name) => call(name)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* asked).length, 50)
        world.answer = () => seconds(60)
        const again = yield* forkAll(names(50).map((name) => call(name)))
        yield* TestClock.adjust("8 seconds")
        const back = (yield* times).slice(50)
        // 25 at a time: half of 50, and not 50 times a half.
        assert.deepStrictEqual([back.length, (yield* load).inFlight], [25, 25])
        assert.isAtLeast(back[0] ?? 0, 6000)
        assert.isAtMost(back[24] ?? Infinity, 7000)
        assert.strictEqual(new Set(back).size, 25)
        yield* Fiber.interruptAll(again)
      })))

    it.effect("they come back at the rate that the bucket refills in, where requests are limited", () =>
      leavingNoFiber(
        Effect.gen(function*() {
          const { call, times, world } = yield* limitedBy({ requestsPerMinute: 120 })
          world.answer = () => seconds(1, rateLimited("5 seconds"))
          yield* forkAll(names(20).map((name) => call(name)))
          yield* TestClock.adjust("1 second")
          world.answer = () => Effect.succeed(respond("Elbe"))
          const again = yield* forkAll(names(20).map((name) => call(name)))
          yield* TestClock.adjust("16 seconds")
          yield* Fiber.joinAll(again)
          assert.deepStrictEqual((yield* times).slice(20), names(20).map((n) => 6500 + 500 * Number(n)))
        }).pipe(Effect.withRandom(Random.fixed([0])))
      ))
  })

  describe("adaptive", () => {
    it.effect("is cut by Overloaded, too, never below one, and grows again with answers", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, timeline, world } = yield* limitedBy({ adaptive: { initial: 4, decrease: 0.5 }, concurrency: 3 })
        const most = (answer: (n: number) => typeof serverFailed | Effect.Effect<never> | ReturnType<typeof seconds>) =>
          Effect.gen(function*() {
            const before = (yield* timeline).length
            world.answer = (_, n) => Effect.zipRight(Effect.sleep("1 second"), answer(n))
            const fibers = yield* forkAll(names(4).map((name) => call(name)))
            yield* TestClock.adjust("10 seconds")
            yield* Effect.forEach(fibers, Fiber.await)
            return mostInFlight((yield* timeline).slice(before))
          })
        const overloaded = failure(LlmError.Overloaded.make({}), { status: 529 })
        // `concurrency` bounds where it begins. The first failure cuts it to 1.
        assert.strictEqual(yield* most(() => overloaded), 3)
        assert.strictEqual(yield* most(() => overloaded), 1)
        // Other failures say nothing about it.
        assert.strictEqual(yield* most(() => serverFailed), 1)
        const ok = Effect.succeed(respond("Elbe"))
        assert.strictEqual(yield* most(() => ok), 2)
        assert.strictEqual(yield* most(() => ok), 3)
        assert.strictEqual(yield* most(() => ok), 3)
      })))
  })

  describe("experience with other requests", () => {
    /** One token a character, and twice as many by experience. */
    const doubling = Effect.provideService(TokenEstimator.TokenEstimator, {
      estimate: ({ model, prompt }) => ({ model, tokens: prompt.length * 2, counted: prompt.length }),
      observe: () => {}
    })

    it.effect("refuses no request, which takes all of the limit at most", () =>
      leavingNoFiber(Effect.gen(function*() {
        const asked: Array<number> = []
        const provider = LlmProvider.make({
          name: "openai",
          endpoint: "memory:",
          call: () => Effect.map(Clock.currentTimeMillis, (now) => (asked.push(now), answerUsing(700, 10)))
        })
        const limited = yield* doubling(RateLimit.make(provider, { tokensPerMinute: 1_000 }))
        const call = (size: number) =>
          Effect.flatMap(
            Effect.orDie(LlmRequest.decode({ model: "m", maxTokens: 10, prompt: "x".repeat(size) })),
            (request) => limited.call(request)
          )
        yield* call(700)
        const fiber = yield* Effect.fork(call(700))
        yield* TestClock.adjust("43 seconds")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(asked, [0, 42_600])
        // Its own tokens are too many.
        const { reason } = errorOf(yield* Effect.exit(call(995)))
        assert(reason._tag === "InvalidRequest" && reason.code === "request_too_large")
        assert.include(reason.message, "1005 tokens")
      })))
  })

  it.effect("finds a store and an estimator in its context, which has none by default", () =>
    Effect.gen(function*() {
      const found = Effect.all([RateLimitStore.RateLimitStore, TokenEstimator.TokenEstimator])
      assert.deepStrictEqual(yield* found, [undefined, undefined])
      const [store, estimator] = yield* Effect.provide(
        found,
        Layer.merge(RateLimitStore.layerMemory(), TokenEstimator.layer())
      )
      assert(store !== undefined && estimator !== undefined)
    }))

  describe("keys", () => {
    it.effect("are those of models, unless the program says what shares a limit", () =>
      leavingNoFiber(Effect.gen(function*() {
        const apart = yield* limitedBy({ requestsPerMinute: 1 })
        yield* apart.call("a", { model: "one" })
        valueOf(yield* within(0)(apart.call("b", { model: "two" })))
        const together = yield* limitedBy({ requestsPerMinute: 1, key: () => "all" })
        yield* together.call("a", { model: "one" })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(together.call("b", { model: "two", left: "1 second" }))))
      })))

    it.effect("have limits of their own where the program gives them", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({
          requestsPerMinute: 1,
          concurrency: 1,
          models: { fast: { requestsPerMinute: 3 } }
        })
        for (let i = 0; i < 3; i++) yield* call(`${i}`, { model: "fast" })
        yield* call("slow")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(call("slow", { left: "1 second" }))))
        world.answer = () => seconds(1)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(call("fast", { model: "fast", left: "1 second" }))))
      })))

    it.effect("share what they may use with all limits that have the same store", () =>
      leavingNoFiber(Effect.gen(function*() {
        const limits = { requestsPerMinute: 1 }
        const context = yield* Layer.build(Layer.provide(
          Layer.merge(
            Layer.map(
              RateLimit.limit(LlmTest.layerEcho, limits),
              (context) => Context.make(One, Context.get(context, LlmProvider.LlmProvider))
            ),
            Layer.map(
              RateLimit.limit(Layer.fresh(LlmTest.layerEcho), limits),
              (context) => Context.make(Two, Context.get(context, LlmProvider.LlmProvider))
            )
          ),
          RateLimitStore.layerMemory()
        ))
        const request = yield* (yield* limitedBy({})).requestOf("x")
        yield* Context.get(context, One).call(request)
        const fiber = yield* Effect.fork(Context.get(context, Two).call(request))
        yield* TestClock.adjust("59 seconds")
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
      })).pipe(Effect.scoped))

    it.effect("are forgotten when there are too many, but not while anybody is there", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, world } = yield* limitedBy({ concurrency: 1 })
        world.answer = () => Effect.never
        const [long] = yield* forkAll([call("long")])
        world.answer = () => Effect.succeed(respond("Elbe"))
        for (let i = 0; i < 1100; i++) yield* call("x", { model: `model-${i}` })
        const [second] = yield* forkAll([call("second")])
        assert.isNull(second!.unsafePoll())
        yield* Fiber.interrupt(long!)
        yield* Fiber.join(second!)
      })))
  })

  describe("as a layer", () => {
    it.effect("keeps the name and the endpoint of its provider, and lets all through where nothing is limited", () =>
      Effect.gen(function*() {
        const provider = Context.get(
          yield* Layer.build(LlmTest.layerEcho.pipe(RateLimit.limit())),
          LlmProvider.LlmProvider
        )
        assert.deepStrictEqual([provider.name, provider.endpoint, provider.schemaDialect], ["test", "memory:", "plain"])
        const request = yield* (yield* limitedBy({})).requestOf("Elbe")
        const texts = yield* Effect.all(Array.from({ length: 300 }, () => provider.call(request)), {
          concurrency: "unbounded"
        })
        assert.isTrue(texts.every(({ text }) => text === "Elbe"))
        const parts = yield* Stream.runCollect(provider.stream(request))
        assert.deepStrictEqual(Array.from(parts, ({ _tag }) => _tag), ["TextDelta", "Finish"])
      }).pipe(Effect.scoped))

    it.effect("dies of options that make no sense, and names them", () =>
      Effect.gen(function*() {
        const bad: ReadonlyArray<readonly [string, RateLimit.Options]> = [
          ["requestsPerMinute", { requestsPerMinute: 0 }],
          ["tokensPerMinute", { tokensPerMinute: NaN }],
          ["inputTokensPerMinute", { inputTokensPerMinute: -1 }],
          ["outputTokensPerMinute", { outputTokensPerMinute: Infinity }],
          ["requestsPerMinute", { models: { m: { requestsPerMinute: -1 } } }],
          ["concurrency", { concurrency: 0 }],
          ["concurrency", { concurrency: 1.5 }],
          ["burst", { burst: 0 }],
          ["burst", { burst: "2 minutes" }],
          ["adaptive.initial", { adaptive: { initial: 0 } }],
          ["adaptive.decrease", { adaptive: { decrease: 1 } }],
          ["maxQueue", { maxQueue: -1 }],
          ["maxWait", { maxWait: -1 }],
          ["aging", { aging: -1 }],
          ["maxPause", { maxPause: 0 }]
        ]
        for (const [option, options] of bad) {
          const exit = yield* Effect.exit(Layer.build(RateLimit.limit(LlmTest.layerEcho, options)))
          assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
          assert.propertyVal(exit.cause.defect, "option", option)
        }
      }).pipe(Effect.scoped))
  })
})

class One extends Context.Tag("One")<One, LlmProvider.Service>() {}
class Two extends Context.Tag("Two")<Two, LlmProvider.Service>() {}
