import { assert, describe, it } from "@effect/vitest"
import { LlmCache, LlmClient, LlmError } from "effect-llm"
import { LlmTest } from "effect-llm/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Headlines, HeadlinesLive } from "../examples/testing/headlines.js"

const article = "The new bridge over the Elbe opened on Monday. It carries two lanes and a path for bicycles."

const write = Effect.flatMap(Headlines, (headlines) => headlines.write(article))

/** The service on a client with the settings of production: only its provider and its logger are the spec's. */
const withScript = (script: LlmTest.Script) =>
  HeadlinesLive.pipe(
    Layer.provide(LlmClient.layer()),
    Layer.provideMerge(Layer.merge(LlmTest.layer(script), LlmTest.layerLogger)),
    Layer.provide(LlmCache.layerMemory())
  )

describe("Headlines", () => {
  it.effect("asks the model about the article and trims its answer", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* write, "Bridge opens")
      const requests = yield* LlmTest.requests
      assert.deepStrictEqual(requests.map((request) => request.prompt), [article])
    }).pipe(Effect.provide(withScript(["  Bridge opens\n"]))))

  // `it.effect` runs on the TestClock: the client's real waits pass in no time.
  it.effect("waits as long as a provider asks it to", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(write)
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual((yield* LlmTest.requests).length, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "Bridge opens")
      yield* LlmTest.assertDone
    }).pipe(
      Effect.provide(withScript([
        LlmTest.fail(LlmError.RateLimited.make({ retryAfter: Duration.seconds(20) })),
        "Bridge opens"
      ]))
    ))

  it.effect("gives up a provider that does not answer, and asks it again", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(write)
      yield* TestClock.adjust("32 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "Bridge opens")
      const [failure] = yield* LlmTest.eventsOf("CallFailed")
      assert.strictEqual(failure?.error.reason._tag, "TimedOut")
    }).pipe(Effect.provide(withScript([Effect.never, "Bridge opens"]))))

  it.effect("takes the first sentence where a filter cuts in", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* write, "The new bridge over the Elbe opened on Monday")
    }).pipe(Effect.provide(withScript([LlmTest.fail(LlmError.ContentFiltered.make({}))]))))

  it.effect("fails with a headline that was cut off", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(write)
      assert.deepInclude(error, { _tag: "HeadlineTooLong", headline: "Bridge over the" })
    }).pipe(Effect.provide(withScript([LlmTest.text("Bridge over the", { finishReason: "length" })]))))

  it.effect("fails at once where no credit is left", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(write)
      assert.isTrue(LlmError.isLlmError(error) && error.reason._tag === "QuotaExhausted")
      assert.strictEqual((yield* LlmTest.requests).length, 1)
    }).pipe(Effect.provide(withScript([LlmTest.fail(LlmError.QuotaExhausted.make({}))]))))
})
