import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { within } from "../support/testClock.js"

const options = { timeout: "10 seconds", retry: { jitter: false } } as const

describe("LlmClient.call: the time of an attempt", () => {
  it.scoped("goes on with the next attempt when the one that took too long has ended, and not before", () =>
    leavingNoFiber(Effect.gen(function*() {
      const slow = Effect.onInterrupt(Effect.never, () => Effect.sleep("3 seconds"))
      const { client, eventLines, times } = yield* scriptedClient([slow, "Elbe"], { client: options })
      const response = valueOf(yield* within("14 seconds")(client.call(request)))
      assert.deepStrictEqual([response.text, response.attempts], ["Elbe", 2])
      assert.deepStrictEqual(yield* times, [0, 14_000])
      assert.deepStrictEqual((yield* eventLines).slice(1), [
        "CallStarted 1",
        "CallFailed 1 TimedOut(attempt), retry after 1s",
        "CallStarted 2",
        "CallOk 2"
      ])
    })))

  it.scoped("awaits what cannot be interrupted, and then makes the next attempt", () =>
    leavingNoFiber(Effect.gen(function*() {
      const stubborn = Effect.uninterruptible(Effect.delay(LlmTest.text("Oder"), "12 seconds"))
      const { client, times } = yield* scriptedClient([stubborn, "Elbe"], { client: options })
      const response = valueOf(yield* within("13 seconds")(client.call(request)))
      assert.deepStrictEqual([response.text, response.attempts], ["Elbe", 2])
      assert.deepStrictEqual(yield* times, [0, 13_000])
    })))

  it.scoped("makes no further attempt once nobody waits, though the last one is still ending", () =>
    leavingNoFiber(Effect.gen(function*() {
      const slow = Effect.onInterrupt(Effect.never, () => Effect.sleep("5 seconds"))
      const { client, eventLines, requests } = yield* scriptedClient([LlmTest.repeat(slow)], { client: options })
      const caller = yield* Effect.fork(client.call(request))
      yield* TestClock.adjust("11 seconds")
      const leaving = yield* Effect.fork(Fiber.interrupt(caller))
      yield* TestClock.adjust("4 seconds")
      assert.isTrue(Exit.isInterrupted(yield* Fiber.join(leaving)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* requests).length, 1)
      assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallInterrupted"])
    })))

  it.scoped("begins when the attempt does, not when the call does", () =>
    leavingNoFiber(Effect.gen(function*() {
      const slowLogger: LlmLogger.Service["log"] = () => Effect.sleep("4 seconds")
      const { client } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "9 seconds")], {
        client: options,
        log: slowLogger
      })
      // Two reports before the attempt, and one after it.
      assert.strictEqual(valueOf(yield* within("21 seconds")(client.call(request))).text, "Elbe")
    })))

  it.scoped("is known to the first attempt as to all others", () =>
    leavingNoFiber(Effect.gen(function*() {
      const seen: Array<readonly [left: number, expired: boolean]> = []
      const look = Effect.flatMap(LlmProvider.CurrentAttempt, ({ expired, left }) =>
        Effect.zipWith(left, expired, (left, expired) => {
          seen.push([Duration.toSeconds(left), expired])
        }))
      const slow = Effect.delay(look, "4 seconds").pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() =>
          look
        )
      )
      const { client } = yield* scriptedClient([LlmTest.repeat(slow)], {
        client: { timeout: "10 seconds", retry: { times: 1 } }
      })
      yield* within("30 seconds")(Effect.exit(client.call(request)))
      assert.deepStrictEqual(seen, [[6, false], [0, true], [6, false], [0, true]])
    })))
})

/** A client with a logger that takes events on the spot, and a cache in memory. */
const clientWith = (
  reply: LlmTest.Answer,
  handler: (event: LlmEvent.LlmEvent) => Effect.Effect<void> | void
) =>
  Effect.map(
    Layer.build(
      LlmClient.layer().pipe(Layer.provide([
        LlmTest.layer([LlmTest.repeat(reply)]),
        LlmCache.layerMemory(),
        LlmLogger.layerHandler(handler)
      ]))
    ),
    Context.get(LlmClient.LlmClient)
  )

describe("LlmClient.call: loggers and caches in memory", () => {
  it.scoped("reports in the same order to a function as to an effect", () =>
    Effect.gen(function*() {
      const plain: Array<LlmEvent.LlmEvent> = []
      const effectful: Array<LlmEvent.LlmEvent> = []
      for (
        const client of [
          yield* clientWith("Elbe", (event) => void plain.push(event)),
          yield* clientWith("Elbe", (event) => Effect.asVoid(Effect.sync(() => effectful.push(event))))
        ]
      ) {
        yield* client.call(request)
        yield* client.call(request)
      }
      assert.deepStrictEqual(plain.map(LlmTest.eventLine), ["CacheMiss", "CallStarted 1", "CallOk 1", "CacheHit"])
      assert.deepStrictEqual(effectful.map(LlmTest.eventLine), plain.map(LlmTest.eventLine))
    }))

  it.scoped("survives a handler that throws, or whose effect dies", () =>
    Effect.gen(function*() {
      const handlers = [
        () => {
          throw new Error("no disk")
        },
        () => Effect.dieMessage("no disk")
      ]
      for (const handler of handlers) {
        const client = yield* clientWith("Elbe", handler)
        assert.strictEqual((yield* client.call(request)).origin, "provider")
        assert.strictEqual((yield* client.call(request)).origin, "cache")
      }
    }))

  it.scoped("waits for a handler that takes its time", () =>
    leavingNoFiber(Effect.gen(function*() {
      const client = yield* clientWith("Elbe", () => Effect.sleep("1 second"))
      const caller = yield* Effect.fork(client.call(request))
      yield* TestClock.adjust(2_999)
      assert.isNull(caller.unsafePoll())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(caller)).text, "Elbe")
    })))

  it.scoped("lets the attempt say whether anybody receives events", () =>
    Effect.gen(function*() {
      for (const [logger, isListening] of [[LlmLogger.layerSilent, false], [LlmLogger.layer, true]] as const) {
        const seen: Array<boolean | undefined> = []
        const asking = LlmTest.repeat(() =>
          Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
            seen.push(attempt.isListening)
            return LlmTest.text("Elbe")
          })
        )
        yield* LlmClient.call(request).pipe(
          Effect.provide(
            LlmClient.layer().pipe(
              Layer.provide([LlmTest.layer([asking]), LlmCache.layerNone, logger])
            )
          )
        )
        assert.deepStrictEqual(seen, [isListening])
      }
    }))

  it.scoped("reports an answer that the memory cannot keep, and gives it", () =>
    Effect.gen(function*() {
      const events: Array<LlmEvent.LlmEvent> = []
      // JSON has no such number, and so no length.
      const odd = respond("Elbe", { providerMetadata: { count: 1n } })
      const client = yield* clientWith(odd, (event) => void events.push(event))
      assert.strictEqual((yield* client.call(request)).text, "Elbe")
      assert.strictEqual((yield* client.call(request)).origin, "provider")
      assert.deepStrictEqual(events.map(LlmTest.eventLine).slice(0, 4), [
        "CacheMiss",
        "CallStarted 1",
        "CallOk 1",
        "CacheFailed set"
      ])
    }))
})
