import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { serverFailed } from "../support/errors.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"

/** What an attempt gives, once it has taken a second. */
type Outcome = LlmResponse.LlmResponse | LlmError.LlmError

/**
 * A client on a cache, a provider, a logger and a Clock that write what they are asked into one list. An operation of
 * the cache takes 10 milliseconds.
 */
const recording = Effect.fnUntraced(function*(outcomes: ReadonlyArray<Outcome>) {
  const steps: Array<string> = []
  const note = (step: string) => Effect.sync(() => void steps.push(step))

  const memory = yield* LlmCache.makeMemory()
  const cache: LlmCache.Service = {
    get: (key) => Effect.zipRight(note("cache.get"), Effect.delay(memory.get(key), 10)),
    set: (...args) => Effect.zipRight(note("cache.set"), Effect.delay(memory.set(...args), 10)),
    remove: memory.remove
  }

  let attempts = 0
  const attempt = Effect.suspend(() => {
    const outcome = outcomes[attempts++] ?? respond("beyond the script")
    return Effect.delay(outcome instanceof LlmResponse.LlmResponse ? Effect.succeed(outcome) : outcome, "1 second")
  })
  const provider = LlmProvider.layer({
    name: "scripted",
    endpoint: "memory:",
    call: () => Effect.zipRight(note("provider.call"), attempt),
    stream: () =>
      Stream.unwrap(Effect.map(
        Effect.zipRight(note("provider.stream"), attempt),
        (response) =>
          Stream.concat(
            Stream.make(StreamPart.TextDelta({ text: response.text })),
            Stream.fromEffect(Effect.delay(Effect.succeed(StreamPart.Finish({ response })), "2 seconds"))
          )
      ))
  })

  /** The Clock of the test, which notes how long anybody sleeps. */
  const clock = yield* Clock.clockWith((clock): Effect.Effect<Clock.Clock> =>
    Effect.succeed({
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      currentTimeMillis: clock.currentTimeMillis,
      currentTimeNanos: clock.currentTimeNanos,
      sleep: (duration) =>
        Effect.suspend(() => {
          const name = waits[Duration.toMillis(duration)]
          return name === undefined ? clock.sleep(duration) : Effect.zipRight(note(name), clock.sleep(duration))
        })
    })
  )

  const client = LlmClient.layer({ retry: { jitter: false, base: "3 seconds" }, ...limits }).pipe(
    Layer.provide([
      provider,
      Layer.succeed(LlmCache.LlmCache, cache),
      LlmLogger.layerHandler((event) =>
        Effect.zipRight(
          note(LlmTest.eventLine(event)),
          // The deadline's timer begins to run when the call first lets others go on.
          event._tag === "CallStarted" ? Effect.yieldNow() : Effect.void
        )
      )
    ])
  )
  const scope = yield* Effect.scope
  const { call, stream } = yield* Effect.provide(LlmClient.LlmClient, yield* Layer.buildWithScope(client, scope))
  return {
    /** What has happened since the last look. */
    steps: () => steps.splice(0),
    call: (options?: LlmClient.CallOptions) => Effect.withClock(call(request, options), clock),
    stream: Effect.withClock(
      Stream.runForEach(stream(request), ({ _tag }) => note(`the program gets ${_tag}`)),
      clock
    )
  }
})

/** Limits that differ from one another, so that a sleep tells what it is for. */
const limits = {
  deadline: 60_010,
  timeout: 30_001,
  firstPartTimeout: 30_002,
  idleTimeout: 30_003,
  cache: { getTimeout: 503 }
} as const

const waits: { readonly [millis: number]: string } = {
  // The deadline is what the look-up has left of it.
  60_000: "the deadline begins",
  60_010: "the deadline begins",
  30_001: "the time of an attempt begins",
  30_002: "the time of the first part begins",
  30_003: "a wait for parts begins",
  503: "the time of the cache begins",
  3000: "back-off"
}

const run = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(self)
    yield* TestClock.adjust("20 seconds")
    return yield* Fiber.join(fiber)
  })

describe("the steps of a call, in their order", () => {
  it.scoped("of one that is retried once", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, steps } = yield* recording([serverFailed, respond("Elbe")])
      assert.strictEqual((yield* run(call())).text, "Elbe")
      assert.deepStrictEqual(steps(), [
        "cache.get",
        "the time of the cache begins",
        "CacheMiss",
        "CallStarted 1",
        "the deadline begins",
        "provider.call",
        "the time of an attempt begins",
        "CallFailed 1 ServerFailed, retry after 3s",
        "back-off",
        "CallStarted 2",
        "provider.call",
        "the time of an attempt begins",
        "CallOk 2",
        "cache.set",
        "the time of the cache begins"
      ])
    })))

  it.scoped("of one that the cache answers: no deadline, no attempt, nothing kept", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, steps } = yield* recording([respond("Elbe")])
      yield* run(call())
      steps()
      assert.strictEqual((yield* run(call())).origin, "cache")
      assert.deepStrictEqual(steps(), ["cache.get", "the time of the cache begins", "CacheHit"])
    })))

  it.scoped("of one that joins another's run: its own look-up and deadline, and none of the run's steps", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, steps } = yield* recording([respond("Elbe")])
      const leader = yield* Effect.fork(call())
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(steps(), [
        "cache.get",
        "the time of the cache begins",
        "CacheMiss",
        "CallStarted 1",
        "the deadline begins",
        "provider.call",
        "the time of an attempt begins"
      ])
      const follower = yield* Effect.fork(call())
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(steps(), [
        "cache.get",
        "the time of the cache begins",
        "CacheMiss",
        "the deadline begins"
      ])
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(steps(), ["CallOk 1", "cache.set", "the time of the cache begins", "CallShared"])
      assert.deepStrictEqual(
        [(yield* Fiber.join(leader)).origin, (yield* Fiber.join(follower)).origin],
        ["provider", "shared"]
      )
    })))

  it.scoped("of one that fails for good: nothing kept", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, steps } = yield* recording([serverFailed])
      yield* run(Effect.flip(call({ retry: false })))
      assert.deepStrictEqual(steps(), [
        "cache.get",
        "the time of the cache begins",
        "CacheMiss",
        "CallStarted 1",
        "the deadline begins",
        "provider.call",
        "the time of an attempt begins",
        "CallFailed 1 ServerFailed",
        "CallGaveUp 1 ServerFailed"
      ])
    })))

  it.scoped("of one that bypasses the cache", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, steps } = yield* recording([respond("Elbe")])
      yield* run(call({ cache: "bypass" }))
      assert.deepStrictEqual(steps(), [
        "CallStarted 1",
        "the deadline begins",
        "provider.call",
        "the time of an attempt begins",
        "CallOk 1"
      ])
    })))

  it.scoped("of a stream that is retried once", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { steps, stream } = yield* recording([serverFailed, respond("Elbe")])
      yield* run(stream)
      assert.deepStrictEqual(steps(), [
        "cache.get",
        "the time of the cache begins",
        "CacheMiss",
        "CallStarted 1",
        "the deadline begins",
        "provider.stream",
        "the time of the first part begins",
        "CallFailed 1 ServerFailed, retry after 3s",
        "back-off",
        "CallStarted 2",
        "provider.stream",
        "the time of the first part begins",
        "the program gets TextDelta",
        "a wait for parts begins",
        "CallOk 2",
        "cache.set",
        "the time of the cache begins",
        "the program gets Finish"
      ])
    })))

  it.scoped("of a stream that the cache answers", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { call, steps, stream } = yield* recording([respond("Elbe")])
      yield* run(call())
      steps()
      yield* run(stream)
      assert.deepStrictEqual(steps(), [
        "cache.get",
        "the time of the cache begins",
        "CacheHit",
        "the program gets TextDelta",
        "the program gets Finish"
      ])
    })))
})
