import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { rateLimited, serverFailed } from "../support/errors.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request } from "../support/samples.js"
import { type Options, scriptedClient } from "../support/scriptedClient.js"
import { settle } from "../support/testClock.js"

/** A stage that can be waited for, and at which a call stays the first time. */
const stage = Effect.gen(function*() {
  const reached = yield* Deferred.make<void>()
  const seen = { entered: 0, left: 0 }
  const stay = Effect.suspend(() => {
    seen.entered++
    return seen.entered > 1
      ? Effect.void
      : Effect.zipRight(Deferred.succeed(reached, undefined), Effect.never)
  }).pipe(Effect.ensuring(Effect.sync(() => seen.left++)))
  return { reached: Deferred.await(reached), seen, stay }
})

type Stage = Effect.Effect.Success<typeof stage>

/** Where a call can stay. */
const stages: Record<string, (stage: Stage) => Effect.Effect<readonly [LlmTest.Script, Options]>> = {
  "the look-up in the cache": ({ stay }) =>
    Effect.map(LlmCache.makeMemory(), (cache) => [
      [LlmTest.repeat("Elbe")],
      { cache: { ...cache, get: (key) => Effect.zipRight(stay, cache.get(key)) } }
    ]),
  "the provider": ({ stay }) => Effect.succeed([[LlmTest.repeat(Effect.zipRight(stay, LlmTest.text("Elbe")))], {}]),
  "a second attempt": ({ stay }) =>
    Effect.succeed([
      [serverFailed, LlmTest.repeat(Effect.zipRight(stay, LlmTest.text("Elbe")))],
      { client: { retry: { base: 0 } } }
    ]),
  "the writing to the cache": ({ stay }) =>
    Effect.map(LlmCache.makeMemory(), (cache) => [
      [LlmTest.repeat("Elbe")],
      { cache: { ...cache, set: (...args) => Effect.zipRight(stay, cache.set(...args)) } }
    ]),
  "the logger": ({ stay }) =>
    Effect.succeed([[LlmTest.repeat("Elbe")], { log: ({ _tag }) => _tag === "CallInterrupted" ? Effect.void : stay }])
}

describe("LlmClient.call: interruption", () => {
  for (const [where, arrange] of Object.entries(stages)) {
    it.scoped(`during ${where} leaves nothing behind, and a later call begins anew`, () =>
      leavingNoFiber(Effect.gen(function*() {
        const staying = yield* stage
        const { client, load, requests } = yield* scriptedClient(...(yield* arrange(staying)))
        const fiber = yield* Effect.fork(client.call(request))
        yield* staying.reached
        // Until it waits there.
        yield* settle
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        assert.strictEqual(staying.seen.left, 1)
        assert.strictEqual((yield* load).inFlight, 0)
        const before = (yield* requests).length
        const response = yield* client.call(request)
        assert.deepStrictEqual([response.text, response.origin, (yield* requests).length], [
          "Elbe",
          "provider",
          before + 1
        ])
      })))
  }

  it.scoped("during the wait between two attempts leaves nothing behind, and a later call begins anew", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([rateLimited("30 seconds"), "Elbe"])
      const fiber = yield* Effect.fork(client.call(request))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* client.call(request)).attempts, 1)
      assert.strictEqual((yield* requests).length, 2)
    })))

  it.scoped("of one that waits for another's run leaves that alone", () =>
    leavingNoFiber(Effect.gen(function*() {
      const staying = yield* stage
      const { client, load } = yield* scriptedClient([
        LlmTest.repeat(Effect.zipRight(staying.stay, LlmTest.text("Elbe")))
      ])
      const leader = yield* Effect.fork(client.call(request))
      yield* staying.reached
      const follower = yield* Effect.fork(client.call(request))
      yield* settle
      yield* Fiber.interrupt(follower)
      assert.deepStrictEqual([(yield* load).inFlight, (yield* load).aborted], [1, 0])
      yield* Fiber.interrupt(leader)
      assert.deepStrictEqual([(yield* load).inFlight, (yield* load).aborted], [0, 1])
    })))

  it.scoped("waits until the provider has cleaned up", () =>
    leavingNoFiber(Effect.gen(function*() {
      let closed = false
      const hanging = Effect.never.pipe(
        Effect.onInterrupt(() => Effect.zipRight(Effect.sleep(100), Effect.sync(() => closed = true)))
      )
      const { client } = yield* scriptedClient([hanging])
      const fiber = yield* Effect.fork(client.call(request))
      yield* settle
      const leaving = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust(99)
      assert.isNull(leaving.unsafePoll())
      yield* TestClock.adjust(1)
      yield* Fiber.join(leaving)
      assert.isTrue(closed)
    })))

  it.scoped("after any number of steps leaves nothing behind, and neither request nor answer is lost to others", () =>
    leavingNoFiber(Effect.gen(function*() {
      const turns = Effect.repeatN(Effect.yieldNow(), 2)
      let ended = false
      for (let steps = 0; !ended; steps++) {
        const memory = yield* LlmCache.makeMemory()
        const { client, load } = yield* scriptedClient(
          [LlmTest.repeat((_, n) => Effect.zipRight(turns, n === 1 ? serverFailed : LlmTest.text("Elbe")))],
          {
            cache: {
              ...memory,
              get: (key) => Effect.zipRight(turns, memory.get(key)),
              set: (...args) => Effect.zipRight(turns, memory.set(...args))
            },
            client: { retry: { base: 0, jitter: false } }
          }
        )
        const leaving = yield* Effect.fork(client.call(request))
        const staying = steps % 2 === 0 ? Option.some(yield* Effect.fork(client.call(request))) : Option.none()
        for (let i = 0; i < steps; i++) yield* Effect.yieldNow()
        const exit = yield* Fiber.interrupt(leaving)
        // The call's own end may have been quicker: then every step there is has been tried.
        ended = Exit.isSuccess(exit) && steps % 2 === 1
        if (Option.isSome(staying)) assert.strictEqual((yield* Fiber.join(staying.value)).text, "Elbe")
        assert.strictEqual((yield* load).inFlight, 0)
        assert.strictEqual((yield* client.call(request)).text, "Elbe")
        assert.isBelow(steps, 500)
      }
    })))
})
