import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as CircuitBreaker from "../../../src/policy/circuitBreaker/CircuitBreaker.js"
import * as Fallback from "../../../src/policy/targets/Fallback.js"
import { failure, rateLimited, serverFailed, unauthorized } from "../../support/errors.js"
import { errorOf, valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { request, respond } from "../../support/samples.js"
import { countOf, target } from "../../support/targets.js"
import { settle, within } from "../../support/testClock.js"

/** An answer that does not depend on the request. */
type Answer = Exclude<LlmTest.Answer, (...args: never) => unknown>

const ok = LlmTest.text("Elbe")

const reportingTo = (report: LlmProvider.Attempt["report"]) => <A, E>(self: Effect.Effect<A, E>) =>
  Effect.flatMap(
    LlmProvider.CurrentAttempt,
    (attempt) => Effect.provideService(self, LlmProvider.CurrentAttempt, { ...attempt, report })
  )

/** A breaker around a provider whose answer can be changed, and the events of its calls. */
const protectedBy = Effect.fnUntraced(function*(options: CircuitBreaker.Options) {
  const world: { answer: Answer; readonly events: Array<LlmEvent.LlmEvent> } = { answer: ok, events: [] }
  const inner = target("openai", () => world.answer)
  const provider = yield* CircuitBreaker.make(inner.provider, options)
  const decoded = yield* Effect.orDie(LlmRequest.decode(request))
  const call = reportingTo((event) => Effect.sync(() => void world.events.push(event)))(provider.call(decoded))
  const ask = (answer: Answer, times = 1) =>
    Effect.suspend(() => {
      world.answer = answer
      return Effect.repeatN(Effect.exit(call), times - 1)
    })
  return { ask, call, count: countOf(inner), decoded, provider, state: provider.state(request.model), world }
})

const unjittered = Effect.withRandom(Random.fixed([1]))

const refused = (exit: Exit.Exit<unknown, LlmError.LlmError>): Duration.Duration => {
  const { reason } = errorOf(exit)
  assert(reason._tag === "CircuitOpen")
  return reason.retryAfter
}

describe("CircuitBreaker", () => {
  describe("opens", () => {
    it.effect("when the ratio of failures within the window is reached", () =>
      Effect.gen(function*() {
        const { ask, count, state } = yield* protectedBy({ failureRatio: 0.5, window: "30 seconds" })
        yield* ask(ok, 5)
        yield* ask(serverFailed, 4)
        assert.strictEqual(yield* state, "Closed")
        yield* ask(serverFailed)
        assert.strictEqual(yield* state, "Open")
        assert.deepStrictEqual(Duration.toMillis(refused(yield* ask(ok))), 10_000)
        assert.strictEqual(yield* count, 10)
      }).pipe(unjittered))

    it.effect("never for too few attempts, and forgets those before the window", () =>
      Effect.gen(function*() {
        const { ask, state } = yield* protectedBy({ window: "30 seconds", minimumThroughput: 10 })
        yield* ask(serverFailed, 9)
        yield* TestClock.adjust("31 seconds")
        yield* ask(serverFailed, 9)
        assert.strictEqual(yield* state, "Closed")
        yield* ask(serverFailed)
        assert.strictEqual(yield* state, "Open")
      }))

    it.effect("after failures in a row, which a success interrupts", () =>
      Effect.gen(function*() {
        const { ask, state } = yield* protectedBy({ consecutive: 3 })
        yield* ask(serverFailed, 2)
        yield* ask(ok, 1)
        yield* ask(serverFailed, 2)
        assert.strictEqual(yield* state, "Closed")
        yield* ask(serverFailed)
        assert.strictEqual(yield* state, "Open")
      }))

    it.effect("by the ratio or the count, as soon as one is reached, where both are set", () =>
      Effect.gen(function*() {
        const options = { consecutive: 3, failureRatio: 0.5, minimumThroughput: 4 }
        const rowFirst = yield* protectedBy(options)
        yield* rowFirst.ask(serverFailed, 3)
        assert.strictEqual(yield* rowFirst.state, "Open")
        const ratioFirst = yield* protectedBy(options)
        for (let i = 0; i < 2; i++) {
          yield* ratioFirst.ask(ok)
          yield* ratioFirst.ask(serverFailed)
        }
        assert.strictEqual(yield* ratioFirst.state, "Open")
      }))

    it.effect("for what says something about the provider, and nothing else", () =>
      Effect.gen(function*() {
        const stateAfter = (answer: Answer) =>
          Effect.gen(function*() {
            const { ask, state } = yield* protectedBy({ consecutive: 1 })
            yield* ask(answer)
            return yield* state
          })
        for (
          const reason of [
            LlmError.ServerFailed.make({}),
            LlmError.Overloaded.make({}),
            LlmError.NetworkFailed.make({}),
            LlmError.TimedOut.make({ phase: "attempt" }),
            LlmError.MalformedResponse.make({})
          ]
        ) assert.strictEqual(yield* stateAfter(failure(reason)), "Open", reason._tag)
        const harmless = [
          rateLimited("1 second"),
          unauthorized,
          failure(LlmError.InvalidRequest.make({}), { status: 400 }),
          failure(LlmError.ContentFiltered.make({})),
          failure(LlmError.TimedOut.make({ phase: "queue" })),
          Effect.dieMessage("a bug"),
          Effect.interrupt
        ]
        for (const answer of harmless) assert.strictEqual(yield* stateAfter(answer), "Closed")
      }))

    it.effect("for each model by itself", () =>
      Effect.gen(function*() {
        const { ask, decoded, provider, state, world } = yield* protectedBy({ consecutive: 1 })
        yield* ask(serverFailed)
        assert.strictEqual(yield* state, "Open")
        world.answer = ok
        yield* provider.call(new LlmRequest.LlmRequest({ ...decoded, model: "gpt-4o" }))
        assert.strictEqual(yield* provider.state("gpt-4o"), "Closed")
      }))

    it.effect("and remembers no more models than any program has", () =>
      Effect.gen(function*() {
        const { ask, decoded, provider, state, world } = yield* protectedBy({ consecutive: 1 })
        yield* ask(serverFailed)
        world.answer = ok
        for (let i = 0; i < 1000; i++) {
          yield* provider.call(new LlmRequest.LlmRequest({ ...decoded, model: `model-${i}` }))
        }
        assert.strictEqual(yield* state, "Closed")
      }))
  })

  describe("open", () => {
    it.effect("refuses at once, without asking the provider, and says for how long", () =>
      Effect.gen(function*() {
        const { ask, count } = yield* protectedBy({ consecutive: 1, openFor: "10 seconds" })
        yield* ask(serverFailed)
        yield* TestClock.adjust("4 seconds")
        const error = errorOf(yield* ask(ok))
        assert.deepStrictEqual([error.attempts, error.provider, error.model], [0, "openai", request.model])
        assert.deepStrictEqual(error.retryAfter, Duration.seconds(6))
        assert.deepStrictEqual([error.canFailOver, error.isRetryable], [true, false])
        assert.strictEqual(yield* count, 1)
      }).pipe(unjittered))

    it.effect("doubles its time with each failed probe, up to the maximum, and starts over once it was closed", () =>
      Effect.gen(function*() {
        const { ask, count } = yield* protectedBy({ consecutive: 1, openFor: "10 seconds", maxOpenFor: "35 seconds" })
        const waits: Array<number> = []
        for (let i = 0; i < 4; i++) {
          yield* ask(serverFailed)
          const wait = refused(yield* ask(ok))
          waits.push(Duration.toSeconds(wait))
          yield* TestClock.adjust(wait)
        }
        assert.deepStrictEqual(waits, [10, 20, 35, 35])
        yield* ask(ok)
        yield* ask(serverFailed)
        assert.deepStrictEqual(refused(yield* ask(ok)), Duration.seconds(10))
        assert.strictEqual(yield* count, 6)
      }).pipe(unjittered))

    it.effect("stays so for between half and all of its time, at random", () =>
      Effect.gen(function*() {
        const waits = yield* Effect.replicateEffect(
          Effect.gen(function*() {
            const { ask } = yield* protectedBy({ consecutive: 1, openFor: "10 seconds" })
            yield* ask(serverFailed)
            return Duration.toMillis(refused(yield* ask(ok)))
          }),
          200
        )
        assert.isTrue(waits.every((wait) => wait >= 5000 && wait <= 10_000))
        assert.isAbove(Math.max(...waits) - Math.min(...waits), 4000)
      }).pipe(Effect.withRandom(Random.make("seed"))))

    it.effect("does not listen to attempts that began before it opened", () =>
      Effect.gen(function*() {
        const { ask, call, state, world } = yield* protectedBy({ consecutive: 1 })
        const late = yield* Deferred.make<LlmTest.Reply>()
        world.answer = Deferred.await(late)
        const slow = yield* Effect.fork(call)
        yield* settle
        yield* ask(serverFailed)
        yield* Deferred.complete(late, ok)
        yield* Fiber.join(slow)
        assert.strictEqual(yield* state, "Open")
      }))
  })

  describe("half open", () => {
    const opened = Effect.fnUntraced(function*() {
      const world = yield* protectedBy({ consecutive: 1, openFor: "10 seconds" })
      yield* world.ask(serverFailed)
      yield* TestClock.adjust("10 seconds")
      return world
    })

    it.effect("lets a single probe through of 100 attempts at the same time, and closes when it succeeds", () =>
      Effect.gen(function*() {
        const { call, count, state, world } = yield* opened()
        world.answer = Effect.delay(ok, "1 second")
        const fiber = yield* Effect.fork(
          Effect.forEach(Array.from({ length: 100 }), () => Effect.exit(call), { concurrency: "unbounded" })
        )
        yield* settle
        assert.strictEqual(yield* state, "HalfOpen")
        yield* TestClock.adjust("1 second")
        const [probe, ...others] = yield* Fiber.join(fiber)
        valueOf(probe!)
        assert.deepStrictEqual(new Set(others.map((exit) => Duration.toMillis(refused(exit)))), new Set([10_000]))
        assert.strictEqual(yield* count, 2)
        assert.strictEqual(yield* state, "Closed")
        assert.deepStrictEqual(world.events.map(({ _tag }) => _tag), [
          "CircuitOpened",
          "CircuitHalfOpened",
          "CircuitClosed"
        ])
      }).pipe(unjittered))

    it.effect("opens again when the probe fails", () =>
      Effect.gen(function*() {
        const { ask, state, world } = yield* opened()
        yield* ask(serverFailed)
        assert.strictEqual(yield* state, "Open")
        const [first, , second] = world.events
        assert(first?._tag === "CircuitOpened" && second?._tag === "CircuitOpened")
        assert.deepStrictEqual([first.openFor, second.openFor], [Duration.seconds(10), Duration.seconds(20)])
      }).pipe(unjittered))

    it.effect("gives the slot of an interrupted probe to the next attempt", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { ask, call, state, world } = yield* opened()
        world.answer = Effect.never
        const probe = yield* Effect.fork(call)
        yield* settle
        refused(yield* ask(Effect.never))
        yield* Fiber.interrupt(probe)
        assert.strictEqual(yield* state, "HalfOpen")
        valueOf(yield* ask(ok))
        assert.strictEqual(yield* state, "Closed")
      })))

    it.effect("gives the slot of a probe that finds out nothing to the next attempt", () =>
      Effect.gen(function*() {
        const { ask, state } = yield* opened()
        for (const answer of [rateLimited(), unauthorized, Effect.dieMessage("a bug")]) {
          yield* ask(answer)
          assert.strictEqual(yield* state, "HalfOpen")
        }
        valueOf(yield* ask(ok))
        assert.strictEqual(yield* state, "Closed")
      }))

    it.effect("loses no slot to a probe that is interrupted before its first step, or while it is reported", () =>
      Effect.gen(function*() {
        const { ask, decoded, provider } = yield* opened()
        const hanging = reportingTo(() => Effect.never)(provider.call(decoded))
        for (const call of [provider.call(decoded), hanging]) {
          const probe = yield* Effect.fork(call)
          if (call === hanging) yield* settle
          yield* Fiber.interrupt(probe)
        }
        valueOf(yield* ask(ok))
      }))
  })

  describe("under a client", () => {
    const clientOn = (provider: Layer.Layer<LlmProvider.LlmProvider>, options?: LlmClient.Options) =>
      LlmClient.layer({ retry: false, ...options }).pipe(
        Layer.provide([provider, LlmCache.layerNone]),
        Layer.provideMerge(LlmTest.layerLogger)
      )

    const hanging = target("hanging", Effect.never).layer

    it.effect("counts an attempt that takes too long, and not one that nobody waits for", () =>
      Effect.gen(function*() {
        const call = LlmClient.call(request)
        for (let i = 0; i < 3; i++) {
          const fiber = yield* Effect.fork(call)
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.interrupt(fiber)
        }
        errorOf(yield* within("2 seconds")(LlmClient.call(request, { deadline: "2 seconds" })))
        for (let i = 0; i < 2; i++) {
          const { reason } = errorOf(yield* within("30 seconds")(call))
          assert(reason._tag === "TimedOut" && reason.phase === "attempt")
        }
        refused(yield* Effect.exit(call))
        const [event] = yield* LlmTest.eventsOf("CircuitOpened")
        assert.deepStrictEqual([event?.provider, event?.model], ["hanging", request.model])
      }).pipe(Effect.provide(clientOn(CircuitBreaker.protect(hanging, { consecutive: 2 })))))

    it.effect("makes a dead provider cost nothing in front of a fallback", () =>
      Effect.gen(function*() {
        const slow = yield* within("15 seconds")(LlmClient.call(request))
        assert.strictEqual(valueOf(slow).provider, "second")
        const quick = yield* LlmClient.call(request)
        assert.deepStrictEqual([quick.provider, quick.latency], ["second", Duration.zero])
        const fallen = yield* LlmTest.eventsOf("FellBack")
        assert.deepStrictEqual(fallen.map(({ error }) => error?.reason._tag), ["TimedOut", "CircuitOpen"])
      }).pipe(Effect.provide(clientOn(
        hanging.pipe(
          CircuitBreaker.protect({ consecutive: 1 }),
          Fallback.to(LlmTest.layer([LlmTest.repeat("answer")], { name: "second" }))
        )
      ))))

    it.effect("is not held up by a logger that hangs", () => {
      const failing = LlmTest.layerFailing(LlmError.ServerFailed.make({}))
      const layer = LlmClient.layer({ retry: false }).pipe(Layer.provide([
        CircuitBreaker.protect(failing, { consecutive: 1 }),
        LlmCache.layerNone,
        LlmLogger.layerHandler((event) => event._tag === "CircuitOpened" ? Effect.never : Effect.void)
      ]))
      return Effect.gen(function*() {
        const { reason } = errorOf(yield* within("1 second")(LlmClient.call(request)))
        assert.strictEqual(reason._tag, "ServerFailed")
      }).pipe(Effect.provide(layer))
    })

    it.effect("counts a stream that is silent too long, before its first part and after it", () => {
      const silent = (parts: Stream.Stream<StreamPart.StreamPart>) =>
        CircuitBreaker.protect(
          target("silent", LlmTest.streamExactly(Stream.concat(parts, Stream.never))).layer,
          { consecutive: 1 }
        )
      return Effect.forEach(
        [Stream.empty, Stream.make(StreamPart.TextDelta({ text: "Elbe" }))],
        (parts) =>
          Effect.gen(function*() {
            const stream = Stream.runDrain(LlmClient.stream(request))
            assert.strictEqual(errorOf(yield* within("30 seconds")(stream)).reason._tag, "TimedOut")
            refused(yield* Effect.exit(stream))
            assert.lengthOf(yield* LlmTest.eventsOf("CircuitOpened"), 1)
          }).pipe(Effect.provide(clientOn(silent(parts))))
      )
    })
  })

  describe("for streams", () => {
    const delta = StreamPart.TextDelta({ text: "Elbe" })
    const finish = StreamPart.Finish({ response: respond("Elbe") })

    const streaming = Effect.fnUntraced(function*(parts: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) {
      const { provider: inner } = yield* LlmTest.make([
        LlmTest.when({ operation: "stream" }, LlmTest.streamExactly(parts)),
        LlmTest.when({ operation: "call" }, serverFailed)
      ], { name: "openai" })
      const provider = yield* CircuitBreaker.make(inner, { consecutive: 1 })
      const decoded = yield* Effect.orDie(LlmRequest.decode(request))
      return { decoded, provider, state: provider.state(request.model), stream: provider.stream(decoded) }
    })

    it.effect("counts a stream by its end: one that breaks off after some parts is a failure", () =>
      Effect.gen(function*() {
        const cut = failure(LlmError.StreamInterrupted.make({ partial: { text: "Elbe", parts: [] } }))
        const { state, stream } = yield* streaming(Stream.concat(Stream.make(delta), Stream.fail(cut)))
        assert.strictEqual(yield* Effect.flip(Stream.runDrain(stream)), cut)
        assert.strictEqual(yield* state, "Open")
        refused(yield* Effect.exit(Stream.runDrain(stream)))
      }))

    it.effect("counts one that just ends, without an end of the answer", () =>
      Effect.gen(function*() {
        const { state, stream } = yield* streaming(Stream.make(delta))
        yield* Stream.runDrain(stream)
        assert.strictEqual(yield* state, "Open")
      }))

    it.effect("does not count one whose reader stops early, and gives its slot back", () =>
      Effect.gen(function*() {
        const { decoded, provider, state, stream } = yield* streaming(Stream.concat(Stream.make(delta), Stream.never))
        yield* Stream.runDrain(Stream.take(stream, 1))
        assert.strictEqual(yield* state, "Closed")
        yield* Effect.exit(provider.call(decoded))
        yield* TestClock.adjust("10 seconds")
        // The probe.
        yield* Stream.runDrain(Stream.take(stream, 1))
        assert.strictEqual(yield* state, "HalfOpen")
        yield* Stream.runDrain(Stream.take(stream, 1))
      }))

    it.effect("lets the next probe through after 2 minutes of a stream whose reader takes its time, and listens to it alone", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { decoded, provider, state, stream } = yield* streaming(
          Stream.concat(Stream.make(delta), Stream.make(finish))
        )
        yield* Effect.exit(provider.call(decoded))
        yield* TestClock.adjust("10 seconds")
        const reader = yield* Effect.fork(Stream.runForEach(stream, () => Effect.sleep("1 hour")))
        yield* TestClock.adjust("119 seconds")
        refused(yield* Effect.exit(provider.call(decoded)))
        yield* TestClock.adjust("1 second")
        yield* Stream.runDrain(stream)
        assert.strictEqual(yield* state, "Closed")
        yield* Effect.exit(provider.call(decoded))
        assert.strictEqual(yield* state, "Open")
        yield* TestClock.adjust("2 hours")
        yield* Fiber.join(reader)
        assert.strictEqual(yield* state, "Open")
      })))

    it.effect("closes with a stream that came to its end, even if its reader takes no more after that", () =>
      Effect.gen(function*() {
        const { decoded, provider, state, stream } = yield* streaming(
          Stream.make(delta, finish)
        )
        yield* Effect.exit(provider.call(decoded))
        yield* TestClock.adjust("10 seconds")
        yield* Stream.runDrain(Stream.take(stream, 2))
        assert.strictEqual(yield* state, "Closed")
      }))
  })

  describe("as a layer", () => {
    it.effect("keeps its state across calls, and the name and the endpoint of its provider", () =>
      Effect.gen(function*() {
        const inner = LlmTest.layerFailing(LlmError.ServerFailed.make({}))
        const provider = Context.get(
          yield* Layer.build(inner.pipe(CircuitBreaker.protect({ consecutive: 2 }))),
          LlmProvider.LlmProvider
        )
        const decoded = yield* LlmRequest.decode(request)
        const call = Effect.map(Effect.flip(provider.call(decoded)), ({ reason }) => reason._tag)
        assert.deepStrictEqual([yield* call, yield* call, yield* call], ["ServerFailed", "ServerFailed", "CircuitOpen"])
        assert.deepStrictEqual([provider.name, provider.endpoint], ["test", "memory:"])
      }).pipe(Effect.scoped))

    it.effect("dies of options that make no sense, and names them", () =>
      Effect.gen(function*() {
        const bad: ReadonlyArray<readonly [string, CircuitBreaker.Options]> = [
          ["failureRatio", { failureRatio: 0 }],
          ["failureRatio", { failureRatio: 1.5 }],
          ["failureRatio", { failureRatio: NaN }],
          ["window", { window: 0 }],
          ["minimumThroughput", { minimumThroughput: 0 }],
          ["consecutive", { consecutive: 1.5 }],
          ["openFor", { openFor: -1 }],
          ["maxOpenFor", { openFor: "10 seconds", maxOpenFor: "5 seconds" }]
        ]
        for (const [option, options] of bad) {
          const exit = yield* Effect.exit(Layer.build(CircuitBreaker.protect(LlmTest.layerEcho, options)))
          assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
          assert.propertyVal(exit.cause.defect, "option", option)
        }
      }).pipe(Effect.scoped))
  })

  describe("watched", () => {
    it.effect("gives the program the states and each change of every breaker beneath it", () => {
      let down = true
      const { layer: provider } = target("first", () => down ? serverFailed : ok)
      const live = LlmClient.layer({ retry: false }).pipe(
        Layer.provide(
          provider.pipe(
            CircuitBreaker.protect({ consecutive: 1, openFor: "10 seconds" }),
            Fallback.to(LlmTest.layer([LlmTest.repeat("answer")], { name: "second" }).pipe(CircuitBreaker.protect()))
          )
        ),
        Layer.provideMerge(CircuitBreaker.layerCircuits),
        Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
      )
      return Effect.gen(function*() {
        const seen: Array<string> = []
        yield* CircuitBreaker.changes.pipe(
          Stream.runForEach(({ provider, state }) => Effect.sync(() => seen.push(`${provider} ${state}`))),
          Effect.fork
        )
        yield* settle
        assert.deepStrictEqual(yield* CircuitBreaker.states, [])
        yield* LlmClient.call(request)
        const state = (provider: string, endpoint: string, state: CircuitBreaker.State) => ({
          provider,
          endpoint,
          model: request.model,
          state
        })
        assert.deepStrictEqual(yield* CircuitBreaker.states, [
          state("first", "memory:first", "Open"),
          state("second", "memory:", "Closed")
        ])
        down = false
        yield* TestClock.adjust("10 seconds")
        yield* LlmClient.call(request)
        yield* settle
        assert.deepStrictEqual(seen, ["first Open", "first HalfOpen", "first Closed"])
        assert.isTrue((yield* CircuitBreaker.states).every(({ state }) => state === "Closed"))
      }).pipe(Effect.provide(live))
    })

    it.effect("is watched by nobody where circuits are not provided", () =>
      Effect.map(CircuitBreaker.Circuits, (circuits) => assert.isUndefined(circuits)))

    it.scoped("is forgotten with its scope", () =>
      Effect.gen(function*() {
        const circuits = yield* Layer.build(CircuitBreaker.layerCircuits)
        const ask = Effect.gen(function*() {
          const provider = yield* LlmProvider.LlmProvider
          yield* provider.call(yield* LlmRequest.decode(request))
          return (yield* CircuitBreaker.states).length
        }).pipe(Effect.provide(CircuitBreaker.protect(LlmTest.layerEcho)), Effect.provide(circuits))
        assert.strictEqual(yield* ask, 1)
        assert.deepStrictEqual(yield* Effect.provide(CircuitBreaker.states, circuits), [])
      }))
  })

  describe("half open, with 100 attempts at a time of which any may leave at any moment", () => {
    it.effect.prop(
      "has never more than one probe, and loses no slot",
      [FastCheck.array(FastCheck.tuple(FastCheck.nat(99), FastCheck.nat(3)), { minLength: 20, maxLength: 100 })],
      ([leaving]) =>
        Effect.gen(function*() {
          const inner = yield* LlmTest.make([
            LlmTest.when(({ user }) => user === "fails", serverFailed),
            // It ends when it is interrupted.
            LlmTest.when(({ user }) => user === "hangs", Effect.never),
            LlmTest.when(({ user }) => user === "answers", ok)
          ], { name: "openai" })
          const provider = yield* CircuitBreaker.make(inner.provider, { consecutive: 1, openFor: "10 seconds" })
          const decoded = yield* LlmRequest.decode(request)
          const as = (user: string) =>
            Effect.suspend(() =>
              provider.call(new LlmRequest.LlmRequest({ ...decoded, user }, { disableValidation: true }))
            )
          yield* Effect.exit(as("fails"))
          yield* TestClock.adjust("10 seconds")
          const fibers = yield* Effect.forEach(
            Array.from({ length: 100 }),
            () => Effect.fork(Effect.retry(Effect.zipRight(Effect.yieldNow(), as("hangs")), { times: 3 }))
          )
          for (const [index, steps] of leaving) {
            for (let i = 0; i < steps; i++) yield* Effect.yieldNow()
            yield* Fiber.interruptFork(fibers[index]!)
          }
          yield* Fiber.interruptAll(fibers)
          const { inFlight, mostInFlight } = yield* inner.load
          assert.isAtMost(mostInFlight, 1)
          assert.strictEqual(inFlight, 0)
          yield* as("answers")
          assert.strictEqual(yield* provider.state(request.model), "Closed")
        }),
      { fastCheck: { numRuns: 15 }, timeout: 60_000 }
    )
  })

  describe("against a simple model", () => {
    const settings = { consecutive: 4, minimumThroughput: 5, failureRatio: 0.6, window: 1000, openFor: 400 } as const
    const maxOpenFor = 1000

    type Command =
      | { readonly type: "begin" }
      | { readonly type: "end"; readonly call: number; readonly outcome: "success" | "failure" | "neutral" }
      | { readonly type: "leave"; readonly call: number }
      | { readonly type: "wait"; readonly millis: number }

    const commands = FastCheck.array(
      FastCheck.oneof<Array<FastCheck.WeightedArbitrary<Command>>>(
        { weight: 5, arbitrary: FastCheck.record({ type: FastCheck.constant("begin" as const) }) },
        {
          weight: 5,
          arbitrary: FastCheck.record({
            type: FastCheck.constant("end" as const),
            call: FastCheck.nat(5),
            outcome: FastCheck.constantFrom(
              "failure" as const,
              "failure" as const,
              "failure" as const,
              "success" as const,
              "neutral" as const
            )
          })
        },
        {
          weight: 1,
          arbitrary: FastCheck.record({ type: FastCheck.constant("leave" as const), call: FastCheck.nat(5) })
        },
        {
          weight: 2,
          arbitrary: FastCheck.record({ type: FastCheck.constant("wait" as const), millis: FastCheck.nat(900) })
        }
      ),
      { minLength: 20, maxLength: 80 }
    )

    /** Remembers everything that ever happened, and looks at all of it each time. */
    class Model {
      now = 0
      phase: "Closed" | "Open" | "HalfOpen" = "Closed"
      changes = 0
      failedInARow = 0
      openings = 0
      until = 0
      probe: number | undefined
      history: Array<{ readonly time: number; readonly failed: boolean }> = []
      readonly calls = new Map<number, number>()

      begin(id: number): "passes" | number {
        if (this.phase === "Open" && this.now < this.until) return this.until - this.now
        if (this.phase === "Open") this.change("HalfOpen")
        if (this.phase === "HalfOpen" && this.probe !== undefined) return settings.openFor
        if (this.phase === "HalfOpen") this.probe = id
        this.calls.set(id, this.changes)
        return "passes"
      }

      end(id: number, outcome: "success" | "failure" | "neutral") {
        const began = this.calls.get(id)
        this.calls.delete(id)
        if (this.phase === "HalfOpen" && this.probe === id) {
          this.probe = undefined
          if (outcome === "success") {
            this.change("Closed")
            this.openings = this.failedInARow = 0
            this.history = []
          } else if (outcome === "failure") this.open()
        } else if (this.phase === "Closed" && began === this.changes && outcome !== "neutral") {
          const failed = outcome === "failure"
          this.history.push({ time: this.now, failed })
          this.failedInARow = failed ? this.failedInARow + 1 : 0
          const slice = (time: number) => Math.floor(time / 100)
          const recent = this.history.filter(({ time }) => slice(this.now) - slice(time) < 10)
          const failures = recent.filter(({ failed }) => failed).length
          const sick = recent.length >= settings.minimumThroughput && failures / recent.length >= settings.failureRatio
          if (failed && (sick || this.failedInARow >= settings.consecutive)) this.open()
        }
      }

      private open() {
        this.change("Open")
        this.openings++
        // The random number is always one half.
        this.until = this.now + 0.75 * Math.min(maxOpenFor, settings.openFor * 2 ** (this.openings - 1))
      }

      private change(phase: Model["phase"]) {
        this.phase = phase
        this.changes++
      }
    }

    it.effect.prop(
      "lets through, refuses and changes exactly as the model does, whichever attempts leave and when",
      [commands],
      ([list]) =>
        Effect.gen(function*() {
          const model = new Model()
          const running: Array<{
            readonly id: number
            readonly fiber: Fiber.RuntimeFiber<unknown, LlmError.LlmError>
            readonly signal: Deferred.Deferred<LlmTest.Reply, LlmError.LlmError>
          }> = []
          let current = yield* Deferred.make<LlmTest.Reply, LlmError.LlmError>()
          const provider = yield* CircuitBreaker.make(
            target("openai", () => Deferred.await(current)).provider,
            { ...settings, maxOpenFor }
          )
          const decoded = yield* LlmRequest.decode(request)
          const answers = { success: ok, failure: serverFailed, neutral: rateLimited() }
          for (const [id, command] of list.entries()) {
            if (command.type === "wait") {
              model.now += command.millis
              yield* TestClock.adjust(command.millis)
            } else if (command.type === "begin") {
              current = yield* Deferred.make<LlmTest.Reply, LlmError.LlmError>()
              const fiber = yield* Effect.fork(provider.call(decoded))
              yield* Effect.repeatN(Effect.yieldNow(), 3)
              const exit = fiber.unsafePoll()
              const expected = model.begin(id)
              if (expected === "passes") {
                assert.isNull(exit)
                running.push({ id, fiber, signal: current })
              } else assert.strictEqual(Duration.toMillis(refused(exit!)), expected)
            } else {
              const [call] = running.splice(command.call, 1)
              if (call === undefined) continue
              if (command.type === "leave") yield* Fiber.interrupt(call.fiber)
              else {
                yield* Deferred.complete(call.signal, answers[command.outcome])
                yield* Fiber.await(call.fiber)
              }
              model.end(call.id, command.type === "leave" ? "neutral" : command.outcome)
            }
            assert.strictEqual(yield* provider.state(request.model), model.phase)
          }
          yield* Effect.forEach(running, ({ fiber }) => Fiber.interrupt(fiber))
          // However it went: once all have left and enough time has passed, one success closes it.
          yield* TestClock.adjust(maxOpenFor)
          current = yield* Deferred.make<LlmTest.Reply, LlmError.LlmError>()
          yield* Deferred.complete(current, ok)
          yield* provider.call(decoded)
          assert.strictEqual(yield* provider.state(request.model), "Closed")
        }).pipe(Effect.withRandom(Random.fixed([0.5]))),
      { timeout: 60_000 }
    )
  })
})
