import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { finishOf, seen } from "../support/consumers.js"
import { failure, serverFailed } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { steps, streams } from "../support/scriptedStreams.js"
import { within } from "../support/testClock.js"

const rivers = respond("Elbe, Oder")

const unjittered = { retry: { jitter: false } } as const

/** A word every 20 seconds, for four minutes. */
const slow = steps(...Array.from({ length: 12 }, () => ["w ", 20_000] as const).flat(), respond("w ".repeat(12)))

const cut = failure(
  LlmError.StreamInterrupted.make({
    message: "cut",
    partial: { text: "Elbe", parts: [{ _tag: "Text", text: "Elbe" }] }
  })
)

describe("LlmClient.call: streaming", () => {
  it.effect("gives the whole answer of the provider's stream, and does not ask its call", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, eventLines, load, requests } = yield* scriptedClient(streams(steps("Elbe, ", "Oder", rivers)))
      const response = yield* client.call(request, { streaming: true })
      assert.strictEqual(response.text, "Elbe, Oder")
      assert.strictEqual(response.attempts, 1)
      assert.deepStrictEqual(response.usage, rivers.usage)
      assert.strictEqual((yield* requests).length, 1)
      assert.strictEqual((yield* load).inFlight, 0)
      assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallOk 1"])
    }))))

  it.effect("takes the time that a long answer needs, beyond the limit of an attempt", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client } = yield* scriptedClient(streams(slow))
      const options = { streaming: true, timeout: "30 seconds", deadline: "10 minutes" } as const
      const exit = yield* within("5 minutes")(client.call(request, options))
      assert.deepStrictEqual(valueOf(exit).latency, Duration.minutes(4))
    })))

  it.effect("keeps to the deadline all the same", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, timeline } = yield* scriptedClient(streams(slow))
      const error = errorOf(yield* within("1 minute")(client.call(request, { streaming: true, deadline: "1 minute" })))
      assert.deepInclude(error.reason, { _tag: "TimedOut", phase: "total" })
      assert.deepStrictEqual(yield* timeline, ["stream 1 at 0", "stream 1 aborted at 60000"])
    }))))

  it.effect("shares keys with call and stream", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient(streams(steps("Elbe, ", "Oder", rivers)))
      yield* client.call(request, { streaming: true })
      assert.strictEqual((yield* client.call(request)).origin, "cache")
      assert.strictEqual(finishOf(yield* seen(client.stream(request))).origin, "cache")
      assert.strictEqual((yield* requests).length, 1)
    })))

  it.effect("shares the run of equal calls", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient(streams(steps("Elbe, ", 1_000, rivers)))
      const call = client.call(request, { streaming: true })
      const both = valueOf(yield* within("1 second")(Effect.all([call, call], { concurrency: "unbounded" })))
      assert.deepStrictEqual(both.map(({ origin }) => origin), ["provider", "shared"])
      assert.strictEqual((yield* requests).length, 1)
    })))

  it.effect("begins anew where the stream was cut after content: nobody has seen a part of it", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, eventLines, timeline } = yield* scriptedClient(
        streams(steps("Elbe", cut), steps("Elbe, "), steps("Elbe, ", "Oder", rivers)),
        { client: unjittered }
      )
      const exit = yield* within("3 seconds")(client.call(request, { streaming: true }))
      assert.strictEqual(valueOf(exit).text, "Elbe, Oder")
      assert.deepStrictEqual(yield* eventLines, [
        "CacheMiss",
        "CallStarted 1",
        "CallFailed 1 StreamInterrupted, retry after 1s",
        "CallStarted 2",
        "CallFailed 2 StreamInterrupted, retry after 2s",
        "CallStarted 3",
        "CallOk 3"
      ])
      assert.deepStrictEqual((yield* timeline).filter((line) => / (failed|answered) at /.test(line)).length, 3)
    }))))

  it.effect("waits for the first content, and between two pieces of it, as long as for a stream", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, eventLines, timeline } = yield* scriptedClient(
        streams(steps(60_000, rivers), steps("Elbe", 60_000, rivers)),
        {
          client: { retry: { jitter: false, times: 1 } }
        }
      )
      const options = { streaming: true, firstPartTimeout: "5 seconds", idleTimeout: "10 seconds" } as const
      const error = errorOf(yield* within("16 seconds")(client.call(request, options)))
      assert.deepInclude(error.reason, { _tag: "TimedOut", phase: "idle" })
      assert.deepStrictEqual(yield* eventLines, [
        "CacheMiss",
        "CallStarted 1",
        "CallFailed 1 TimedOut(firstPart), retry after 1s",
        "CallStarted 2",
        "CallFailed 2 TimedOut(idle)",
        "CallGaveUp 2 TimedOut(idle)"
      ])
      assert.deepStrictEqual(yield* timeline, [
        "stream 1 at 0",
        "stream 1 aborted at 5000",
        "stream 2 at 6000",
        "stream 2 aborted at 16000"
      ])
    }))))

  it.effect("retries what fails before and after content alike", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client } = yield* scriptedClient(
        streams(steps(serverFailed), steps("Elbe", serverFailed), steps(rivers)),
        {
          client: unjittered
        }
      )
      const exit = yield* within("3 seconds")(client.call(request, { streaming: true }))
      assert.strictEqual(valueOf(exit).attempts, 3)
    })))

  it.effect("closes the stream where its caller is interrupted", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, load, timeline } = yield* scriptedClient(streams(slow))
      const fiber = yield* Effect.fork(client.call(request, { streaming: true, deadline: "10 minutes" }))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* load).inFlight, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* load).inFlight, 0)
      assert.deepStrictEqual(yield* timeline, ["stream 1 at 0", "stream 1 aborted at 30000"])
    }))))

  it.effect("can be set for all calls of a client", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, exchanges } = yield* scriptedClient([
        ...streams(steps(rivers)),
        LlmTest.when({ operation: "call" }, "called")
      ], {
        client: { streaming: true }
      })
      assert.strictEqual((yield* client.call(request)).text, "Elbe, Oder")
      assert.strictEqual((yield* client.call({ ...request, seed: 1 }, { streaming: false })).text, "called")
      assert.deepStrictEqual((yield* exchanges).map(({ operation }) => operation), ["stream", "call"])
    })))
})
