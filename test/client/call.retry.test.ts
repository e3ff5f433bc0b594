import { assert, describe, it } from "@effect/vitest"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import { noCache } from "../support/caches.js"
import { rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { within } from "../support/testClock.js"

const unjittered: LlmClient.Options = { retry: { jitter: false } }

describe("LlmClient.call: retries", () => {
  it.scoped("makes up to two, after about 1 and 2 seconds", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, times } = yield* scriptedClient([serverFailed, serverFailed, "Elbe"])
      const exit = yield* within("3 seconds")(Effect.withRandom(client.call(request), Random.make("a seed")))
      assert.strictEqual(valueOf(exit).attempts, 3)
      const [first = NaN, second = NaN, third = NaN] = yield* times
      assert.strictEqual(first, 0)
      assert.isTrue(second >= 500 && second <= 1000, `after ${second}`)
      assert.isTrue(third - second >= 1000 && third - second <= 2000, `after ${third - second}`)
    })))

  it.scoped("waits exactly the back-off without jitter", () =>
    Effect.gen(function*() {
      const { client, times } = yield* scriptedClient([LlmTest.repeat(serverFailed)], {
        client: { retry: { jitter: false, times: 4 } }
      })
      yield* within("1 minute")(client.call(request))
      assert.deepStrictEqual(yield* times, [0, 1000, 3000, 7000, 11_000])
    }))

  it.scoped("never asks again before Retry-After has passed", () =>
    Effect.gen(function*() {
      const { client, times } = yield* scriptedClient([rateLimited("5 seconds"), rateLimited("2500 millis"), "Elbe"])
      valueOf(yield* within("1 minute")(client.call(request)))
      assert.deepStrictEqual(yield* times, [0, 5000, 7500])
    }))

  it.scoped("counts Retry-After from the failure, not from the start of the attempt", () =>
    Effect.gen(function*() {
      const { client, times } = yield* scriptedClient([
        Effect.delay(rateLimited("5 seconds"), "3 seconds"),
        "Elbe"
      ])
      valueOf(yield* within("1 minute")(client.call(request)))
      assert.deepStrictEqual(yield* times, [0, 8000])
    }))

  it.scoped("fails at once where the server asks for more than a minute, and says so", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, eventLines, requests } = yield* scriptedClient([rateLimited("90 seconds")])
      const error = errorOf(yield* within(0)(client.call(request)))
      assert.strictEqual(error.reason._tag, "RateLimited")
      assert.strictEqual(error.attempts, 1)
      assert.include(error.message, "the server asks to wait 1m 30s, longer than maxRetryAfter (1m)")
      assert.strictEqual((yield* requests).length, 1)
      assert.deepStrictEqual((yield* eventLines).slice(2), ["CallFailed 1 RateLimited", "CallGaveUp 1 RateLimited"])
    })))

  it.scoped("fails at once where the server asks for more than is left until the deadline, and says so", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([Effect.delay(rateLimited("8 seconds"), "2 seconds")])
      const error = errorOf(yield* within("2 seconds")(client.call(request, { deadline: "10 seconds" })))
      assert.strictEqual(error.reason._tag, "RateLimited")
      assert.include(error.message, "the server asks to wait 8s, and only 8s are left until the deadline")
      assert.strictEqual((yield* requests).length, 1)
    })))

  it.scoped("retries an attempt that took too long", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, eventLines, load, times } = yield* scriptedClient([
        Effect.never,
        Effect.delay(LlmTest.text("Elbe"), "4 seconds")
      ], {
        client: { ...unjittered, timeout: "5 seconds" }
      })
      const response = valueOf(yield* within("10 seconds")(client.call(request)))
      assert.deepStrictEqual([response.text, response.attempts], ["Elbe", 2])
      assert.deepStrictEqual(yield* times, [0, 6000])
      // The first request was aborted before the second was sent.
      assert.deepStrictEqual(yield* load, { inFlight: 0, mostInFlight: 1, aborted: 1 })
      assert.deepStrictEqual(yield* eventLines, [
        "CacheMiss",
        "CallStarted 1",
        "CallFailed 1 TimedOut(attempt), retry after 1s",
        "CallStarted 2",
        "CallOk 2"
      ])
    })))

  it.scoped("gives each attempt half a minute by default", () =>
    Effect.gen(function*() {
      const { client, times } = yield* scriptedClient([LlmTest.repeat(Effect.never)], { client: unjittered })
      const error = errorOf(yield* within("93 seconds")(client.call(request)))
      assert.deepStrictEqual(yield* times, [0, 31_000, 63_000])
      assert.include(error.message, "TimedOut (attempt 30s)")
      assert.strictEqual(error.attempts, 3)
    }))

  it.scoped("makes none for what stays wrong, none with false, none with 0", () =>
    Effect.gen(function*() {
      const requestsOf = Effect.fnUntraced(function*(client: LlmClient.Options, options: LlmClient.CallOptions) {
        const scripted = yield* scriptedClient([LlmTest.repeat(serverFailed)], { client, cache: noCache })
        yield* within("1 hour")(scripted.client.call(request, options))
        return (yield* scripted.requests).length
      })
      const { client, requests } = yield* scriptedClient([LlmTest.repeat(unauthorized)])
      yield* within("1 hour")(client.call(request))
      assert.strictEqual((yield* requests).length, 1)
      assert.strictEqual(yield* requestsOf({ retry: false }, {}), 1)
      assert.strictEqual(yield* requestsOf({ retry: { times: 0 } }, {}), 1)
      assert.strictEqual(yield* requestsOf({}, { retry: false }), 1)
      assert.strictEqual(yield* requestsOf({}, { retry: { times: 0 } }), 1)
      assert.strictEqual(yield* requestsOf({ retry: false }, { retry: { times: 3 } }), 4)
      assert.strictEqual(yield* requestsOf({ retry: { times: 4 } }, { retry: { base: 1 } }), 5)
      assert.strictEqual(yield* requestsOf({ retry: { times: 4 } }, { retry: { times: undefined } }), 5)
    }))

  it.scoped("does not flood a dead provider: retries have a budget, and each model its own", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([LlmTest.repeat(serverFailed)], {
        client: { retry: { base: 0, jitter: false, budget: { ratio: 0, minimum: 10 } } }
      })
      const calls = (model: string) =>
        Effect.forEach(
          Array.from({ length: 50 }, (_, i) => i),
          (i) => Effect.flip(client.call({ model, prompt: `Question ${i}` })),
          { concurrency: 10 }
        )
      const errors = yield* calls("a")
      assert.strictEqual((yield* requests).length, 60)
      assert.include(errors.at(-1)?.message, "Not retried: the retry budget is spent")
      yield* calls("b")
      assert.strictEqual((yield* requests).length, 120)
    }))

  it.scoped("can be interrupted during the wait, at once, without a further attempt", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([rateLimited("30 seconds")])
      const fiber = yield* Effect.fork(client.call(request))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* requests).length, 1)
    })))
})
