import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { cacheWith } from "../support/caches.js"
import { rateLimited, serverFailed } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { within } from "../support/testClock.js"

const unjittered = { retry: { jitter: false } } as const

describe("LlmClient.call: the deadline", () => {
  it.scoped("ends a call whose provider hangs, aborts the request, and states the phase and the limit", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, eventLines, load } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
      const error = errorOf(yield* within("5 seconds")(client.call(request, { deadline: "5 seconds" })))
      assert.deepStrictEqual(
        error.reason,
        LlmError.TimedOut.make({ phase: "total", limit: Duration.seconds(5) })
      )
      const { attempts, model, operation } = error
      assert.deepStrictEqual({ attempts, model, operation, provider: error.provider }, {
        attempts: 1,
        model: "gpt-4o-mini",
        operation: "call",
        provider: "scripted"
      })
      assert.deepStrictEqual(yield* load, { inFlight: 0, mostInFlight: 1, aborted: 1 })
      assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallGaveUp 1 TimedOut(total)"])
    })))

  it.scoped("is two minutes by default", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(Effect.never)], { client: { timeout: "1 hour" } })
      const fiber = yield* Effect.fork(Effect.flip(client.call(request)))
      yield* TestClock.adjust(119_999)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      assert.include((yield* Fiber.join(fiber)).message, "TimedOut (total 2m)")
    }))

  it.scoped("is the call's, else the client's", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(Effect.never)], { client: { deadline: "10 seconds" } })
      assert.include(errorOf(yield* within("10 seconds")(client.call(request))).message, "total 10s")
      assert.include(errorOf(yield* within("3 seconds")(client.call(request, { deadline: 3000 }))).message, "total 3s")
    }))

  it.scoped("can be for ever", () =>
    Effect.gen(function*() {
      const options = { deadline: Infinity, timeout: Infinity, retry: false } as const
      const { client } = yield* scriptedClient([
        Effect.delay(LlmTest.text("Elbe"), "100 days"),
        rateLimited("30 seconds"),
        "Oder"
      ])
      assert.strictEqual(valueOf(yield* within("101 days")(client.call(request, options))).text, "Elbe")
      const other = { ...request, seed: 1 }
      assert.strictEqual(valueOf(yield* within("1 minute")(client.call(other, { deadline: Infinity }))).text, "Oder")
    }))

  it.scoped("ends retries, and says how the last attempt had failed", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, eventLines } = yield* scriptedClient([LlmTest.repeat(Effect.delay(serverFailed, "1 second"))], {
        client: { retry: { jitter: false, times: 1000 } }
      })
      const error = errorOf(yield* within("29 seconds")(client.call(request, { deadline: "29 seconds" })))
      assert.strictEqual(error.attempts, 7)
      assert(error.reason._tag === "TimedOut")
      assert.strictEqual(error.reason.phase, "total")
      assert.include(error.message, "the last attempt had failed: ServerFailed from scripted/gpt-4o-mini (status 500")
      assert.include(error.message, "boom")
      assert.strictEqual((yield* eventLines).at(-1), "CallGaveUp 7 TimedOut(total)")
    })))

  it.scoped("ends a wait between two attempts", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([LlmTest.repeat(serverFailed)], { client: unjittered })
      const error = errorOf(yield* within(1500)(client.call(request, { deadline: 1500 })))
      assert.include(error.message, "total 1s 500ms")
      assert.strictEqual((yield* requests).length, 2)
    })))

  it.scoped("covers the time that the cache takes", () =>
    leavingNoFiber(Effect.gen(function*() {
      const cache = yield* cacheWith({ get: () => Effect.never })
      const { client, requests } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), 50)], { cache })
      const error = errorOf(yield* within(520)(client.call(request, { deadline: 520 })))
      assert.deepStrictEqual([error.reason._tag, error.attempts], ["TimedOut", 1])
      // One that is shorter than the client waits for its cache.
      const other = errorOf(yield* within(100)(client.call({ ...request, seed: 1 }, { deadline: 100 })))
      assert.deepStrictEqual([other.reason._tag, other.attempts], ["TimedOut", 0])
      assert.strictEqual((yield* requests).length, 1)
    })))

  it.scoped("covers the time that the logger takes", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat("Elbe")], {
        log: (event) => event._tag === "CacheMiss" ? Effect.never : Effect.void
      })
      assert.include(errorOf(yield* within(5000)(client.call(request, { deadline: 5000 }))).message, "total 5s")
    })))

  it.scoped("holds even if the logger that it is reported to hangs", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(Effect.never)], { log: () => Effect.never })
      assert.include(errorOf(yield* within(6000)(client.call(request, { deadline: 5000 }))).message, "total 5s")
    })))

  it.scoped("cuts an attempt short: the error names the deadline, and no further attempt is announced", () =>
    leavingNoFiber(Effect.gen(function*() {
      for (const timeout of [5001, 30_000]) {
        const { client, eventLines, load } = yield* scriptedClient([LlmTest.repeat(Effect.never)], {
          client: unjittered
        })
        const error = errorOf(yield* within(5000)(client.call(request, { deadline: 5000, timeout })))
        assert.include(error.message, "TimedOut (total 5s)", `timeout ${timeout}`)
        assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallGaveUp 1 TimedOut(total)"])
        assert.strictEqual((yield* load).inFlight, 0)
      }
    })))

  it.scoped("cuts the last attempt short, too", () =>
    Effect.gen(function*() {
      const { client, times } = yield* scriptedClient([serverFailed, Effect.never], {
        client: { retry: { jitter: false, times: 1 } }
      })
      const error = errorOf(yield* within(5000)(client.call(request, { deadline: 5000, timeout: "30 seconds" })))
      assert.include(error.message, "TimedOut (total 5s)")
      assert.include(error.message, "the last attempt had failed: ServerFailed")
      assert.deepStrictEqual(yield* times, [0, 1000])
      assert.strictEqual(error.attempts, 2)
    }))

  it.scoped("leaves the limit of an attempt to end it first where that is shorter", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, eventLines } = yield* scriptedClient([LlmTest.repeat(Effect.never)], { client: { retry: false } })
      const error = errorOf(yield* within(4000)(client.call(request, { deadline: 5000, timeout: 4000 })))
      assert.deepStrictEqual(error.reason, LlmError.TimedOut.make({ phase: "attempt", limit: Duration.seconds(4) }))
      assert.deepStrictEqual(yield* eventLines, [
        "CacheMiss",
        "CallStarted 1",
        "CallFailed 1 TimedOut(attempt)",
        "CallGaveUp 1 TimedOut(attempt)"
      ])
    })))

  it.scoped("holds for a call that bypasses the cache, too", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
      const error = errorOf(yield* within(5000)(client.call(request, { cache: "bypass", deadline: 5000 })))
      assert.include(error.message, "TimedOut (total 5s)")
    })))
})
