import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as Faults from "effect-llm/testing/Faults"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const request = (prompt = "Name a river.") => LlmRequest.decode({ model: "m", prompt })

const providerOf = <R>(layer: Layer.Layer<R | LlmProvider.LlmProvider>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, LlmProvider.LlmProvider)).pipe(Effect.scoped)

/** An echo under faults. */
const faulty = (options: Faults.Options) => providerOf(LlmTest.layerEcho.pipe(Faults.inject(options)))

const call = (provider: LlmProvider.Service, prompt?: string) => Effect.flatMap(request(prompt), provider.call)

/** "ok", or the reason of the failure. */
const outcome = <R>(effect: Effect.Effect<unknown, LlmError.LlmError, R>): Effect.Effect<string, never, R> =>
  Effect.match(effect, { onFailure: (error) => error.reason._tag, onSuccess: () => "ok" })

const prompts = Array.from({ length: 60 }, (_, i) => `prompt ${i}`)

const outcomes = (provider: LlmProvider.Service, order: ReadonlyArray<string> = prompts) =>
  Effect.map(
    Effect.forEach(order, (prompt) => Effect.map(outcome(call(provider, prompt)), (came) => [prompt, came] as const), {
      concurrency: 8
    }),
    (all) => Object.fromEntries(all)
  )

const deltas = ["El", "be, ", "Od", "er"]
const whole = LlmResponse.make({
  parts: [Message.Text.make({ text: deltas.join("") })],
  finishReason: "stop",
  model: "m",
  provider: "streaming"
})

/** A provider that streams four pieces of text. */
const streaming = (options: Faults.Options) =>
  providerOf(
    LlmTest.layer([
      LlmTest.repeat(LlmTest.streamExactly(Stream.fromIterable([
        ...deltas.map((text) => StreamPart.TextDelta({ text })),
        StreamPart.Finish({ response: whole })
      ])))
    ]).pipe(Faults.inject(options))
  )

/** What came of a stream: its parts so far, and its failure. */
const streamed = (provider: LlmProvider.Service) =>
  Effect.gen(function*() {
    const parts: Array<StreamPart.StreamPart> = []
    const error = yield* Stream.fromEffect(request()).pipe(
      Stream.flatMap(provider.stream),
      Stream.runForEach((part) => Effect.sync(() => parts.push(part))),
      Effect.flip,
      Effect.option
    )
    return { parts, error: Option.getOrUndefined(error) }
  })

const textOf = (parts: ReadonlyArray<StreamPart.StreamPart>): string =>
  parts.map((part) => part._tag === "TextDelta" ? part.text : "").join("")

describe("Faults", () => {
  describe("inject", () => {
    it.effect("lets through what meets no fault, and keeps the provider's name and address", () =>
      Effect.gen(function*() {
        const provider = yield* faulty({ rate: 0 })
        assert.deepStrictEqual([provider.name, provider.endpoint], ["test", "memory:"])
        assert.strictEqual((yield* call(provider, "Elbe")).text, "Elbe")
      }))

    it.effect("keeps what else the layer provides", () =>
      Effect.gen(function*() {
        const provider = yield* LlmProvider.LlmProvider
        yield* outcome(call(provider, "a"))
        yield* call(provider, "b")
        // What met the fault never came to the provider.
        assert.deepStrictEqual((yield* LlmTest.requests).map((request) => request.prompt), ["b"])
      }).pipe(
        Effect.provide(LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.sequence([Faults.serverError()]) })))
      ))

    it.effect("the same seed gives the same faults, whatever the order of the requests; another seed gives others", () =>
      Effect.gen(function*() {
        const options = { seed: "a", rate: 0.5 }
        const first = yield* outcomes(yield* faulty(options))
        assert.deepStrictEqual(yield* outcomes(yield* faulty(options), [...prompts].reverse()), first)
        assert.notDeepEqual(yield* outcomes(yield* faulty({ ...options, seed: "b" })), first)
        // All kinds of transient faults come, and no other.
        assert.deepStrictEqual(
          [...new Set(Object.values(first))].sort(),
          ["MalformedResponse", "NetworkFailed", "Overloaded", "RateLimited", "ServerFailed", "ok"]
        )
      }))

    it.effect("draws anew for each attempt of a request", () =>
      Effect.gen(function*() {
        const provider = yield* faulty({ seed: 1, rate: 0.5 })
        const came = yield* Effect.all(Array.from({ length: 40 }, () => outcome(call(provider))))
        assert.isAbove(came.filter((each) => each === "ok").length, 8)
        assert.isAbove(came.filter((each) => each !== "ok").length, 8)
      }))

    it.effect.prop(
      "as many requests as the rate says meet a fault",
      { percent: FastCheck.integer({ min: 0, max: 100 }), seed: FastCheck.string() },
      ({ percent, seed }) =>
        Effect.gen(function*() {
          const rate = percent / 100
          const came = Object.values(yield* outcomes(yield* faulty({ rate, seed })))
          const share = came.filter((each) => each !== "ok").length / came.length
          const tolerance = rate === 0 || rate === 1 ? 0 : 6 * Math.sqrt(rate * (1 - rate) / came.length) + 0.1
          assert.isAtMost(Math.abs(share - rate), tolerance)
        }),
      { fastCheck: { numRuns: 15 } }
    )

    it.effect("failures name the provider, the model, the operation, the seed and the attempt", () =>
      Effect.gen(function*() {
        const provider = yield* faulty({ seed: 7, plan: Faults.always(Faults.rateLimited("2 seconds")) })
        yield* outcome(call(provider))
        const error = yield* Effect.flip(call(provider))
        assert.deepStrictEqual(
          [error.provider, error.model, error.operation, error.attempts, error.status],
          ["test", "m", "call", 1, 429]
        )
        assert.deepStrictEqual(error.retryAfter, Duration.seconds(2))
        assert.strictEqual(error.reason.message, "injected fault (seed 7, attempt 2)")
        const stream = yield* Effect.flip(Stream.runDrain(Stream.unwrap(Effect.map(request(), provider.stream))))
        assert.deepStrictEqual([stream.operation, stream.reason._tag], ["stream", "RateLimited"])
      }))

    it.effect("dies over a rate that is none", () =>
      Effect.gen(function*() {
        for (const rate of [-0.1, 1.1, NaN]) {
          const exit = yield* Effect.exit(faulty({ rate }))
          assert.match(String(Exit.isFailure(exit) && exit.cause), /rate must be a number between 0 and 1/)
        }
      }))
  })

  describe("plans", () => {
    const tags = (options: Faults.Options, asked: ReadonlyArray<string>) =>
      Effect.flatMap(faulty(options), (provider) => Effect.forEach(asked, (prompt) => outcome(call(provider, prompt))))

    it.effect("sequence goes by the order of the requests", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* tags(
            { plan: Faults.sequence([Faults.reset, Faults.ok, Faults.quotaExhausted]) },
            ["a", "a", "b", "c"]
          ),
          ["NetworkFailed", "ok", "QuotaExhausted", "ok"]
        )
      }))

    it.effect("perRequest goes by the attempts of each request", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* tags({ plan: Faults.perRequest([Faults.reset, Faults.malformed]) }, ["a", "b", "a", "a", "b", "b"]),
          ["NetworkFailed", "NetworkFailed", "MalformedResponse", "ok", "MalformedResponse", "ok"]
        )
      }))

    it.effect("oneOf goes by the weights", () =>
      Effect.gen(function*() {
        const plan = Faults.oneOf([[9, Faults.reset], [1, Faults.always(Faults.malformed)], [0, Faults.unauthorized]])
        const came = Object.values(yield* outcomes(yield* faulty({ plan })))
        const malformed = came.filter((each) => each === "MalformedResponse").length
        assert.isAbove(malformed, 0)
        assert.isBelow(malformed, 20)
        assert.strictEqual(came.filter((each) => each === "NetworkFailed").length, came.length - malformed)
      }))

    it.effect("during holds between its times on the Clock", () =>
      Effect.gen(function*() {
        const plan = Faults.during({ from: "10 seconds", to: "20 seconds" }, Faults.always(Faults.overloaded()))
        const provider = yield* faulty({ plan })
        const came: Array<string> = []
        for (const _ of [0, 10, 20]) {
          came.push(yield* outcome(call(provider)))
          yield* TestClock.adjust("10 seconds")
        }
        assert.deepStrictEqual(came, ["ok", "Overloaded", "ok"])
      }))

    it.effect("during ends on time although the wall clock is set back meanwhile", () =>
      Effect.gen(function*() {
        const clock = yield* Effect.clock
        let setBack = 0
        const wallClock: Clock.Clock = {
          [Clock.ClockTypeId]: Clock.ClockTypeId,
          unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() - setBack,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (millis) => millis - setBack),
          unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
          currentTimeNanos: clock.currentTimeNanos,
          sleep: (duration) => clock.sleep(duration)
        }
        const plan = Faults.during({ to: "10 seconds" }, Faults.always(Faults.overloaded()))
        const provider = yield* Effect.withClock(faulty({ plan }), wallClock)
        const ask = Effect.withClock(outcome(call(provider)), wallClock)
        const before = yield* ask
        setBack = 3_600_000
        yield* TestClock.adjust("10 seconds")
        const came = [before, yield* ask]
        assert.deepStrictEqual(came, ["Overloaded", "ok"])
      }))

    it.effect("a plan of one's own sees the request, the operation and the counts", () =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        const provider = yield* faulty({
          plan: ({ attempt, index, operation, request }) => {
            seen.push([operation, request.prompt, index, attempt])
            return Faults.ok
          }
        })
        yield* call(provider, "a")
        yield* call(provider, "b")
        yield* Stream.runDrain(Stream.unwrap(Effect.map(request("a"), provider.stream)))
        assert.deepStrictEqual(seen, [["call", "a", 0, 1], ["call", "b", 1, 1], ["stream", "a", 2, 2]])
      }))
  })

  describe("time", () => {
    /** How many milliseconds of the Clock a call takes. */
    const duration = (provider: LlmProvider.Service, prompt: string) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(Effect.zipRight(call(provider, prompt), Clock.currentTimeMillis))
        const began = yield* Clock.currentTimeMillis
        yield* TestClock.adjust("10 minutes")
        return (yield* Fiber.join(fiber)) - began
      })

    it.effect("hang never answers, and can be interrupted", () =>
      Effect.gen(function*() {
        const provider = yield* faulty({ plan: Faults.always(Faults.hang) })
        const fiber = yield* Effect.fork(call(provider))
        yield* TestClock.adjust("1 day")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      }))

    it.effect("latency comes on top of every request, fault or not", () =>
      Effect.gen(function*() {
        const provider = yield* faulty({
          latency: "3 seconds",
          plan: Faults.sequence([Faults.slow("4 seconds"), Faults.ok])
        })
        assert.deepStrictEqual([yield* duration(provider, "a"), yield* duration(provider, "b")], [7000, 3000])
      }))

    it.effect("a distribution has the median and the percentile that it was asked for", () =>
      Effect.gen(function*() {
        const latency = Faults.longTail({ median: "2 seconds", p95: "10 seconds" })
        const provider = yield* faulty({ rate: 0, latency })
        const times = (yield* Effect.forEach(prompts, (prompt) => duration(provider, prompt))).sort((a, b) => a - b)
        assert.isTrue((times[20] ?? 0) < 2000 && 2000 < (times[40] ?? 0), `median: ${times[20]} to ${times[40]}`)
        assert.isTrue((times[50] ?? 0) < 10_000 && (times[59] ?? 0) > 6000, `tail: ${times[50]} to ${times[59]}`)
      }))

    it("longTail hits its median, its percentile and its bound exactly", () => {
      const latency = Faults.longTail({ median: "2 seconds", p95: "10 seconds", maximum: "30 seconds" })
      const at = (quantile: number) => Math.round(Duration.toMillis(latency(quantile)))
      assert.deepStrictEqual([at(0), at(0.5), at(0.95), at(1 - 1e-12)], [0, 2000, 10_000, 30_000])
    })

    it("uniform spans its range", () => {
      const latency = Faults.uniform("1 second", "3 seconds")
      assert.deepStrictEqual([0, 0.5, 1].map((u) => Duration.toMillis(latency(u))), [1000, 2000, 3000])
      assert.throws(() => Faults.uniform("3 seconds", "1 second"), /uniform\.maximum must be at least the minimum/)
    })

    it.effect("slow streams wait before their first part and before each", () =>
      Effect.gen(function*() {
        const provider = yield* streaming({ plan: Faults.always(Faults.slow("5 seconds", { perPart: "1 second" })) })
        const times: Array<number> = []
        const fiber = yield* Stream.unwrap(Effect.map(request(), provider.stream)).pipe(
          Stream.runForEach(() => Effect.map(Clock.currentTimeMillis, (now) => times.push(now))),
          Effect.fork
        )
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(times, [6000, 7000, 8000, 9000, 10_000])
      }))
  })

  describe("streams", () => {
    it.effect("are cut after the parts that the plan says, and the error has just these", () =>
      Effect.gen(function*() {
        for (const [afterParts, text] of [[0, ""], [1, "El"], [3, "Elbe, Od"], [99, "Elbe, Oder"]] as const) {
          const { error, parts } = yield* streamed(
            yield* streaming({ plan: Faults.always(Faults.cut(afterParts)) })
          )
          assert.strictEqual(textOf(parts), text)
          assert.isFalse(parts.some(StreamPart.is("Finish")))
          assert(error?.reason._tag === "StreamInterrupted")
          assert.deepStrictEqual(error.reason.partial, {
            text,
            parts: text === "" ? [] : [Message.Text.make({ text })]
          })
        }
      }))

    it.effect("keep the pieces of a tool call that was cut", () =>
      Effect.gen(function*() {
        const provider = yield* providerOf(
          LlmTest.layer([LlmTest.toolCalls([{ name: "look", arguments: { at: "map" } }])]).pipe(
            Faults.inject({ plan: Faults.always(Faults.cut(2)) })
          )
        )
        const { error } = yield* streamed(provider)
        assert(error?.reason._tag === "StreamInterrupted")
        assert.deepStrictEqual(error.reason.partial.parts, [
          Message.ToolCall.make({ id: "call_1", name: "look", arguments: "{\"at\":\"map\"}", incomplete: true })
        ])
      }))

    it.effect("fall silent, and a call of the same fault loses its connection or never ends", () =>
      Effect.gen(function*() {
        const provider = yield* streaming({
          plan: Faults.perRequest([Faults.stall(2), Faults.cut(2), Faults.stall(2)])
        })
        const seen: Array<StreamPart.StreamPart> = []
        const stalled = yield* Stream.unwrap(Effect.map(request(), provider.stream)).pipe(
          Stream.runForEach((part) => Effect.sync(() => seen.push(part))),
          Effect.fork
        )
        yield* TestClock.adjust("1 hour")
        assert.isTrue(Option.isNone(yield* Fiber.poll(stalled)))
        assert.strictEqual(textOf(seen), "Elbe, ")
        yield* Fiber.interrupt(stalled)
        assert.strictEqual(yield* outcome(call(provider)), "NetworkFailed")
        assert.isTrue(Option.isNone(
          yield* Effect.timeoutOption(call(provider), "1 second").pipe(
            Effect.fork,
            Effect.tap(() => TestClock.adjust("1 second")),
            Effect.flatMap(Fiber.join)
          )
        ))
      }))

    it.effect("cutSomewhere cuts anywhere in its range, by the seed", () =>
      Effect.gen(function*() {
        const lengths = yield* Effect.forEach(Array.from({ length: 40 }, (_, seed) => seed), (seed) =>
          Effect.flatMap(
            streaming({ seed, plan: Faults.cutSomewhere({ atMost: 3 }) }),
            (provider) => Effect.map(streamed(provider), ({ parts }) => parts.length)
          ))
        assert.deepStrictEqual([...new Set(lengths)].sort(), [1, 2, 3])
      }))

    it.effect("that meet no fault come to their end", () =>
      Effect.gen(function*() {
        const provider = yield* streaming({ rate: 0 })
        const parts = Chunk.toReadonlyArray(
          yield* Stream.runCollect(Stream.unwrap(Effect.map(request(), provider.stream)))
        )
        assert.deepStrictEqual(parts.at(-1), StreamPart.Finish({ response: whole }))
      }))
  })

  describe("scenarios", () => {
    const documents = prompts.slice(0, 20)

    /** A job of many calls through a client that keeps nothing. */
    const job = (options: Faults.Options, client: LlmClient.Options = {}) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forEach(
          documents,
          (prompt) => outcome(LlmClient.call({ model: "m", prompt })),
          { concurrency: "unbounded" }
        ).pipe(Effect.fork)
        yield* TestClock.adjust("10 minutes")
        const came = yield* Fiber.join(fiber)
        const attempts = (yield* LlmTest.eventsOf("CallStarted")).length
        const counts: Record<string, number> = {}
        for (const each of came) counts[each] = (counts[each] ?? 0) + 1
        return { attempts, counts }
      }).pipe(
        Effect.provide(LlmClient.layer(client)),
        Effect.provide(Layer.mergeAll(
          LlmTest.layerEcho.pipe(Faults.inject(options)),
          LlmTest.layerLogger,
          LlmCache.layerNone
        ))
      )

    const patient: LlmClient.Options = { retry: { times: 8, budget: { ratio: 10 } }, deadline: "5 minutes" }

    for (const name of ["flaky", "rateLimited", "overloaded", "slow", "silent", "malformed", "brownout"] as const) {
      it.effect(`a patient client gets through ${name}, in the same way each time`, () =>
        Effect.gen(function*() {
          const first = yield* job(Faults.scenarios[name], patient)
          assert.deepStrictEqual(first.counts, { ok: documents.length })
          if (name !== "slow") assert.isAbove(first.attempts, documents.length)
          assert.deepStrictEqual(yield* job(Faults.scenarios[name], patient), first)
        }))
    }

    it.effect("nobody gets through outOfCredit, and nobody tries twice", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* job(Faults.scenarios.outOfCredit, patient), {
          attempts: documents.length,
          counts: { QuotaExhausted: documents.length }
        })
      }))

    it.effect("an outage is over after 30 seconds", () =>
      Effect.gen(function*() {
        const provider = yield* faulty(Faults.scenarios.outage)
        const quick = Effect.map(
          Effect.timeoutOption(outcome(call(provider)), "1 second"),
          Option.getOrElse(() => "none")
        )
        const during = yield* Effect.fork(quick)
        yield* TestClock.adjust("30 seconds")
        assert.notStrictEqual(yield* Fiber.join(during), "ok")
        assert.strictEqual(yield* outcome(call(provider)), "ok")
      }))

    it.effect("cutStreams and stalledStreams leave calls and half of the streams alone", () =>
      Effect.gen(function*() {
        const provider = yield* streaming({ ...Faults.scenarios.cutStreams, seed: 3 })
        const ends = yield* Effect.all(
          Array.from({ length: 40 }, () => Effect.map(streamed(provider), ({ error }) => error?.reason._tag ?? "ok"))
        )
        assert.isAbove(ends.filter((end) => end === "StreamInterrupted").length, 10)
        assert.isAbove(ends.filter((end) => end === "ok").length, 10)
      }))
  })
})
