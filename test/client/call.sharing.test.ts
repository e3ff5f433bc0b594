import { assert, describe, it } from "@effect/vitest"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { noCache } from "../support/caches.js"
import { rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { settle, within } from "../support/testClock.js"

const unjittered = { retry: { jitter: false } } as const

/** Calls in the background, each begun before this returns. */
const forked = (client: LlmClient.Service, options?: LlmClient.CallOptions) =>
  Effect.zipLeft(Effect.fork(client.call(request, options)), settle)

describe("LlmClient.call: equal calls at the same time", () => {
  it.scoped("sends one request for 100 of them", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "1 second")])
      const all = Effect.all(Array.from({ length: 100 }, () => client.call(request)), { concurrency: "unbounded" })
      const responses = valueOf(yield* within("1 second")(all))
      assert.strictEqual((yield* requests).length, 1)
      assert.isTrue(responses.every(({ text }) => text === "Elbe"))
      assert.strictEqual(responses.filter(({ origin }) => origin === "provider").length, 1)
      assert.strictEqual(responses.filter(({ origin }) => origin === "shared").length, 99)
    })))

  it.scoped("sends one request for each tier of service: who pays for haste does not wait with others", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([
        LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))
      ])
      const tiers = [undefined, "flex", "priority", "priority"] as const
      const all = Effect.forEach(tiers, (serviceTier) => client.call({ ...request, serviceTier }), {
        concurrency: "unbounded"
      })
      const responses = valueOf(yield* within("1 second")(all))
      assert.deepStrictEqual(responses.map(({ origin }) => origin), ["provider", "provider", "provider", "shared"])
      assert.lengthOf(yield* requests, 3)
    })))

  it.scoped("bills the first, and states its usage to the others", () =>
    Effect.gen(function*() {
      const original = respond("Elbe", { cost: 0.25 })
      const { client } = yield* scriptedClient([serverFailed, Effect.delay(Effect.succeed(original), "2 seconds")], {
        client: unjittered
      })
      const first = yield* forked(client)
      yield* TestClock.adjust("1 second")
      const second = yield* forked(client)
      yield* TestClock.adjust("2 seconds")
      const leader = yield* Fiber.join(first)
      const follower = yield* Fiber.join(second)
      const billing = ({ attempts, cost, latency, origin, originalUsage, usage }: typeof leader) => ({
        attempts,
        cost,
        latency: Duration.toMillis(latency),
        origin,
        originalUsage,
        usage
      })
      assert.deepStrictEqual(billing(leader), {
        attempts: 2,
        cost: 0.25,
        latency: 3000,
        origin: "provider",
        originalUsage: undefined,
        usage: original.usage
      })
      assert.deepStrictEqual(billing(follower), {
        attempts: 0,
        cost: 0,
        latency: 2000,
        origin: "shared",
        originalUsage: original.usage,
        usage: { inputTokens: 0, outputTokens: 0 }
      })
    }))

  it.scoped("keeps different requests, models and namespaces apart", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([
        LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))
      ])
      yield* within("1 second")(Effect.all([
        client.call(request),
        client.call({ ...request, seed: 1 }),
        client.call({ ...request, model: "gpt-4o" }),
        client.call(request, { namespace: "tenant" })
      ], { concurrency: "unbounded" }))
      assert.strictEqual((yield* requests).length, 4)
    }))

  it.scoped("shares also where nothing is kept, but not where the cache is bypassed", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([
        LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))
      ], { cache: noCache })
      const two = (options: LlmClient.CallOptions) =>
        Effect.map(
          within("1 second")(
            Effect.all([client.call(request, options), client.call(request, options)], { concurrency: 2 })
          ),
          (exit) => valueOf(exit).map(({ origin }) => origin)
        )
      assert.deepStrictEqual(yield* two({}), ["provider", "shared"])
      assert.deepStrictEqual(yield* two({ cache: "refresh" }), ["provider", "shared"])
      assert.deepStrictEqual(yield* two({ cache: "readOnly" }), ["provider", "shared"])
      assert.strictEqual((yield* requests).length, 3)
      assert.deepStrictEqual(yield* two({ cache: "bypass" }), ["provider", "provider"])
      assert.strictEqual((yield* requests).length, 5)
    }))

  it.scoped("asks anew once the run has ended, when nothing is kept", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([LlmTest.repeat("Elbe")], { cache: noCache })
      yield* client.call(request)
      yield* client.call(request)
      assert.strictEqual((yield* requests).length, 2)
    }))

  it.scoped("shares a failure, which is reported for every caller, and does not keep it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, eventLines, requests } = yield* scriptedClient([Effect.delay(unauthorized, 100), "Elbe"])
      const fibers = [yield* forked(client), yield* forked(client)]
      yield* TestClock.adjust(100)
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      for (const exit of exits) {
        const error = errorOf(exit)
        assert.deepStrictEqual([error.reason._tag, error.attempts], ["AuthenticationFailed", 1])
      }
      assert.strictEqual((yield* requests).length, 1)
      assert.strictEqual((yield* eventLines).filter((line) => line.startsWith("CallGaveUp")).length, 2)
      assert.strictEqual((yield* eventLines).filter((line) => line.startsWith("CallFailed")).length, 1)
      assert.strictEqual((yield* client.call(request)).text, "Elbe")
    })))

  it.scoped("shares a provider's bug, which is a defect for every caller", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([Effect.delay(Effect.dieMessage("a bug"), 100), "Elbe"])
      const fibers = [yield* forked(client), yield* forked(client)]
      yield* TestClock.adjust(100)
      for (const exit of yield* Effect.forEach(fibers, Fiber.await)) {
        assert(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      }
      assert.strictEqual((yield* requests).length, 1)
      assert.strictEqual((yield* client.call(request)).text, "Elbe")
    })))

  describe("when some leave", () => {
    it.scoped("goes on for the others when the first is interrupted", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, load } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "1 second")])
        const first = yield* forked(client)
        const second = yield* forked(client)
        yield* TestClock.adjust(500)
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust(500)
        assert.deepStrictEqual([(yield* Fiber.join(second)).text, (yield* load).aborted], ["Elbe", 0])
        // What the first had paid for is kept for later calls.
        assert.strictEqual((yield* client.call(request)).origin, "cache")
      })))

    it.scoped("aborts the request when all have left", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, load } = yield* scriptedClient([Effect.never, "Elbe"])
        const fibers = [yield* forked(client), yield* forked(client)]
        yield* Fiber.interruptAll(fibers)
        assert.deepStrictEqual(yield* load, { inFlight: 0, mostInFlight: 1, aborted: 1 })
        assert.strictEqual((yield* client.call(request)).origin, "provider")
      })))

    it.scoped("interrupts what is under way when the client's scope closes", () =>
      leavingNoFiber(Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { client, load } = yield* Scope.extend(scriptedClient([Effect.never]), scope)
        const fiber = yield* forked(client)
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.await(fiber)))
        assert.deepStrictEqual(yield* load, { inFlight: 0, mostInFlight: 1, aborted: 1 })
      })))
  })

  describe("with different deadlines", () => {
    it.scoped("gives each its own: the first one's end is not the end of the one that can wait", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, load } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "8 seconds")])
        const hasty = yield* forked(client, { deadline: "5 seconds", retry: false })
        const patient = yield* forked(client, { deadline: "60 seconds", retry: false })
        yield* TestClock.adjust("5 seconds")
        const error = errorOf(yield* Fiber.await(hasty))
        assert.include(error.message, "TimedOut (total 5s)")
        yield* TestClock.adjust("3 seconds")
        const response = yield* Fiber.join(patient)
        assert.deepStrictEqual([response.text, response.origin], ["Elbe", "shared"])
        // It is the first one's request that was answered, without a second one.
        assert.deepStrictEqual(yield* load, { inFlight: 0, mostInFlight: 1, aborted: 0 })
      })))

    it.scoped("lets the one that comes later leave earlier", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "8 seconds")])
        const patient = yield* forked(client)
        const hasty = yield* forked(client, { deadline: "5 seconds" })
        yield* TestClock.adjust("5 seconds")
        const error = errorOf(yield* Fiber.await(hasty))
        assert.deepStrictEqual([error.reason._tag, error.attempts], ["TimedOut", 0])
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual((yield* Fiber.join(patient)).origin, "provider")
      })))

    it.scoped("waits out a Retry-After that is too long for the first, but not for the one that can wait", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, times } = yield* scriptedClient([Effect.delay(rateLimited("20 seconds"), "1 second"), "Elbe"])
        const hasty = yield* forked(client, { deadline: "5 seconds" })
        const patient = yield* forked(client, { deadline: "60 seconds" })
        yield* TestClock.adjust("21 seconds")
        assert.include(errorOf(yield* Fiber.await(hasty)).message, "TimedOut (total 5s)")
        assert.strictEqual((yield* Fiber.join(patient)).text, "Elbe")
        assert.deepStrictEqual(yield* times, [0, 21_000])
      })))

    it.scoped("ends the run with the last of them", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, load } = yield* scriptedClient([Effect.never])
        const hasty = yield* forked(client, { deadline: "5 seconds" })
        const patient = yield* forked(client, { deadline: "10 seconds" })
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* load).inFlight, 1)
        yield* TestClock.adjust("5 seconds")
        assert.include(errorOf(yield* Fiber.await(hasty)).message, "total 5s")
        assert.include(errorOf(yield* Fiber.await(patient)).message, "total 10s")
        assert.deepStrictEqual(yield* load, { inFlight: 0, mostInFlight: 1, aborted: 1 })
      })))
  })
})
