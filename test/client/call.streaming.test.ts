import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import {
  answer,
  errorOf,
  failure,
  leavingNoFiber,
  lines,
  request,
  respond,
  serverFailed,
  valueOf,
  within
} from "../support/pipeline.js"
import { finishOf, make, seen, steps } from "../support/scriptedStreams.js"

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

describe("LlmClient.call, streaming", () => {
  it.effect("gives the whole answer of the provider's stream, and does not ask its call", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, events, provider, requests } = yield* make([steps("Elbe, ", "Oder", rivers)])
      const response = yield* client.call(request, { streaming: true })
      assert.strictEqual(response.text, "Elbe, Oder")
      assert.strictEqual(response.attempts, 1)
      assert.deepStrictEqual(response.usage, rivers.usage)
      assert.strictEqual(requests.length, 1)
      assert.strictEqual(provider.open, 0)
      assert.deepStrictEqual(lines(events), ["CacheMiss", "CallStarted 1", "CallOk 1"])
    }))))

  it.effect("takes the time that a long answer needs, beyond the limit of an attempt", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client } = yield* make([slow])
      const options = { streaming: true, timeout: "30 seconds", deadline: "10 minutes" } as const
      const exit = yield* within("5 minutes")(client.call(request, options))
      assert.deepStrictEqual(valueOf(exit).latency, Duration.minutes(4))
    })))

  it.effect("keeps to the deadline all the same", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, trace } = yield* make([slow])
      const error = errorOf(yield* within("1 minute")(client.call(request, { streaming: true, deadline: "1 minute" })))
      assert.deepInclude(error.reason, { _tag: "TimedOut", phase: "total" })
      assert.deepStrictEqual(trace, ["opened 1 at 0", "closed 1 at 60000"])
    }))))

  it.effect("shares keys with call and stream", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, requests } = yield* make([steps("Elbe, ", "Oder", rivers)])
      yield* client.call(request, { streaming: true })
      assert.strictEqual((yield* client.call(request)).origin, "cache")
      assert.strictEqual(finishOf(yield* seen(client.stream(request))).origin, "cache")
      assert.strictEqual(requests.length, 1)
    })))

  it.effect("shares the run of equal calls", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, requests } = yield* make([steps("Elbe, ", 1_000, rivers)])
      const call = client.call(request, { streaming: true })
      const both = valueOf(yield* within("1 second")(Effect.all([call, call], { concurrency: "unbounded" })))
      assert.deepStrictEqual(both.map(({ origin }) => origin), ["provider", "shared"])
      assert.strictEqual(requests.length, 1)
    })))

  it.effect("begins anew where the stream was cut after content: nobody has seen a part of it", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, events, trace } = yield* make([
        steps("Elbe", cut),
        steps("Elbe, "),
        steps("Elbe, ", "Oder", rivers)
      ], { client: unjittered })
      const exit = yield* within("3 seconds")(client.call(request, { streaming: true }))
      assert.strictEqual(valueOf(exit).text, "Elbe, Oder")
      assert.deepStrictEqual(lines(events), [
        "CacheMiss",
        "CallStarted 1",
        "CallFailed 1 StreamInterrupted retry 1000",
        "CallStarted 2",
        "CallFailed 2 StreamInterrupted retry 2000",
        "CallStarted 3",
        "CallOk 3"
      ])
      assert.deepStrictEqual(trace.filter((line) => line.startsWith("closed")).length, 3)
    }))))

  it.effect("waits for the first content, and between two pieces of it, as long as for a stream", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, events, trace } = yield* make([steps(60_000, rivers), steps("Elbe", 60_000, rivers)], {
        client: { retry: { jitter: false, times: 1 } }
      })
      const options = { streaming: true, firstPartTimeout: "5 seconds", idleTimeout: "10 seconds" } as const
      const error = errorOf(yield* within("16 seconds")(client.call(request, options)))
      assert.deepInclude(error.reason, { _tag: "TimedOut", phase: "idle" })
      assert.deepStrictEqual(lines(events), [
        "CacheMiss",
        "CallStarted 1",
        "CallFailed 1 TimedOut(firstPart) retry 1000",
        "CallStarted 2",
        "CallFailed 2 TimedOut(idle) end",
        "CallGaveUp 2 TimedOut(idle)"
      ])
      assert.deepStrictEqual(trace, ["opened 1 at 0", "closed 1 at 5000", "opened 2 at 6000", "closed 2 at 16000"])
    }))))

  it.effect("retries what fails before and after content alike", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client } = yield* make([steps(serverFailed), steps("Elbe", serverFailed), steps(rivers)], {
        client: unjittered
      })
      const exit = yield* within("3 seconds")(client.call(request, { streaming: true }))
      assert.strictEqual(valueOf(exit).attempts, 3)
    })))

  it.effect("closes the stream where its caller is interrupted", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { client, provider, trace } = yield* make([slow])
      const fiber = yield* Effect.fork(client.call(request, { streaming: true, deadline: "10 minutes" }))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(provider.open, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(provider.open, 0)
      assert.deepStrictEqual(trace, ["opened 1 at 0", "closed 1 at 30000"])
    }))))

  it.effect("can be set for all calls of a client", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, requests } = yield* make([steps(rivers)], {
        client: { streaming: true },
        call: () => answer("called")
      })
      assert.strictEqual((yield* client.call(request)).text, "Elbe, Oder")
      assert.strictEqual((yield* client.call({ ...request, seed: 1 }, { streaming: false })).text, "called")
      assert.strictEqual(requests.length, 1)
    })))
})
