/**
 * Testing a service that uses the client: a provider that follows a script takes the place of the real one. No network,
 * no test runner; test/examples.testing.test.ts has the same service under vitest.
 *
 *     npx tsx examples/testing.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { LlmCache, LlmClient, LlmError } from "effect-llm"
import { LlmTest } from "effect-llm/testing"
import assert from "node:assert/strict"
import { Headlines, HeadlinesLive } from "./testing/headlines.js"

const article = "The new bridge over the Elbe opened on Monday. It carries two lanes and a path for bicycles."

/** The service on a client as in production, but for its provider and for the time that it waits between attempts. */
const withScript = (script: LlmTest.Script) =>
  HeadlinesLive.pipe(
    Layer.provide(LlmClient.layer({ retry: { base: "5 millis" } })),
    Layer.provideMerge(Layer.merge(LlmTest.layer(script), LlmTest.layerLogger)),
    Layer.provide(LlmCache.layerMemory())
  )

const write = Effect.flatMap(Headlines, (headlines) => headlines.write(article))

/** Says what it is about, runs it, and says that it holds. What does not hold ends the program with exit code 1. */
const check = <E>(
  what: string,
  script: LlmTest.Script,
  spec: Effect.Effect<void, E, Headlines | LlmTest.LlmTest | LlmTest.Events>
) =>
  spec.pipe(
    Effect.zipRight(LlmTest.assertDone),
    Effect.provide(withScript(script)),
    Effect.tapErrorCause(() => Console.error(`FAILED: ${what}`)),
    Effect.zipRight(Console.log(`ok: ${what}`))
  )

const specs = Effect.all([
  check(
    "the model is given the article, and its answer is the headline",
    ["  Bridge opens\n"],
    Effect.gen(function*() {
      assert.equal(yield* write, "Bridge opens")
      const [request] = yield* LlmTest.requests
      assert.equal(request?.prompt, article)
      assert.match(request?.system ?? "", /at most eight words/)
    })
  ),
  check(
    "a provider that is overloaded is asked again",
    [LlmTest.fail(LlmError.Overloaded.make({})), "Bridge opens"],
    Effect.gen(function*() {
      assert.equal(yield* write, "Bridge opens")
      const [failure] = yield* LlmTest.eventsOf("CallFailed")
      assert.equal(failure?.error.reason._tag, "Overloaded")
      assert.equal(failure?.willRetry, true)
    })
  ),
  check(
    "where a filter cuts in, the article's first sentence is the headline",
    [LlmTest.fail(LlmError.ContentFiltered.make({}))],
    Effect.gen(function*() {
      assert.equal(yield* write, "The new bridge over the Elbe opened on Monday")
    })
  ),
  check(
    "a headline that was cut off is no headline",
    [LlmTest.text("Bridge over the", { finishReason: "length" })],
    Effect.gen(function*() {
      const error = yield* Effect.flip(write)
      assert.equal(error._tag, "HeadlineTooLong")
    })
  ),
  check(
    "what no retry mends fails at once, and tells why",
    [LlmTest.fail(LlmError.QuotaExhausted.make({ message: "no credit left" }))],
    Effect.gen(function*() {
      const error = yield* Effect.flip(write)
      assert.equal(error.message, "QuotaExhausted from test/gpt-4o-mini: no credit left")
    })
  ),
  check(
    "the same article is asked about once",
    ["Bridge opens"],
    Effect.gen(function*() {
      yield* write
      assert.equal(yield* write, "Bridge opens")
      assert.equal((yield* LlmTest.requests).length, 1)
    })
  )
])

NodeRuntime.runMain(specs)
