import { assert, describe, it } from "@effect/vitest"
import * as Embedding from "effect-llm/Embedding"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as Faults from "effect-llm/testing/Faults"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const texts = ["The Elbe is a river.", "The Oder is a river.", "A hot oven bakes pizza."]

const request = { model: "text-embedding-3-small", input: texts }

/** Runs a test on a client whose provider does not only answer. */
const on =
  (options: LlmTest.Options, faults?: Faults.Options) =>
  <A, E>(test: Effect.Effect<A, E, LlmClient.LlmClient | LlmTest.LlmTest>) => {
    const provider = LlmTest.layer([], options)
    return test.pipe(
      Effect.provide(
        LlmClient.layerDefault().pipe(
          Layer.provideMerge(faults === undefined ? provider : provider.pipe(Faults.inject(faults)))
        )
      )
    )
  }

const outcomes = Effect.map(
  LlmTest.exchanges,
  (exchanges) => exchanges.map(({ operation, outcome }) => `${operation} ${outcome}`)
)

describe("LlmTest: embeddings, counts and models", () => {
  it.effect("has none unless an option gives it", () =>
    Effect.gen(function*() {
      const failed = yield* Effect.flip(LlmClient.embed(request))
      assert.strictEqual(failed.reason._tag, "UnsupportedFeature")
      assert.strictEqual((yield* Effect.flip(Stream.runCollect(LlmClient.models()))).reason._tag, "UnsupportedFeature")
      assert.strictEqual((yield* LlmClient.countTokens({ model: "m", prompt: "Elbe" })).source, "estimate")
    }).pipe(on({})))

  it.effect("embeds by words, so that texts with common words are close", () =>
    Effect.gen(function*() {
      const { embeddings: [elbe = [], oder = [], pizza = []], usage } = yield* LlmClient.embed(request)
      assert.strictEqual(elbe.length, 64)
      assert.isAbove(Embedding.similarity(elbe, oder), Embedding.similarity(elbe, pizza))
      assert.isAbove(usage.inputTokens ?? 0, 0)
      const short = yield* LlmClient.embed({ ...request, dimensions: 8 })
      assert.deepStrictEqual(short.embeddings.map(({ length }) => length), [8, 8, 8])
      assert.deepStrictEqual(yield* outcomes, ["embed answered", "embed answered"])
      const [seen] = yield* LlmTest.requests
      assert.deepStrictEqual(seen?.messages[0].content.map((part) => part._tag === "Text" && part.text), texts)
    }).pipe(on({ embed: "words" })))

  it.effect("embeds and fails by a function, and a client retries as it should", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(LlmClient.embed(request))
      yield* TestClock.adjust("10 seconds")
      const { attempts, embeddings } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(embeddings, [[0, 20], [1, 20], [2, 23]])
      assert.strictEqual(attempts, 2)
      assert.deepStrictEqual(yield* outcomes, ["embed failed", "embed answered"])
    }).pipe(on({
      embed: ({ input }, n) =>
        n === 1 ? LlmError.Overloaded.make({}) : Effect.succeed(input.map(({ length }, i) => [i, length]))
    })))

  it.effect("gets as many texts in a request as its limits say", () =>
    Effect.gen(function*() {
      yield* LlmClient.embed(request)
      const sizes = (yield* LlmTest.requests).map(({ messages: [{ content }] }) => content.length)
      assert.deepStrictEqual([...sizes].sort(), [1, 2])
    }).pipe(on({ embed: "words", embedLimits: { inputs: 2 } })))

  it.effect("counts tokens and lists models", () =>
    Effect.gen(function*() {
      const count = yield* LlmClient.countTokens({ model: "m", prompt: "Elbe" })
      assert.deepStrictEqual(count, { tokens: 4, source: "provider" })
      const models = yield* Stream.runCollect(LlmClient.models())
      assert.deepStrictEqual([...models], [{ id: "compass", provider: "test", inputTokenLimit: 100, metadata: {} }])
      assert.deepStrictEqual(yield* outcomes, ["countTokens answered"])
    }).pipe(on({
      countTokens: ({ prompt }) => prompt.length,
      models: [{ id: "compass", inputTokenLimit: 100 }]
    })))
})

type Run = (options?: LlmClient.CallOptions) => Effect.Effect<unknown, LlmError.LlmError, LlmClient.LlmClient>

const operations: Record<"embed" | "countTokens" | "models", Run> = {
  embed: (options) => Effect.map(LlmClient.embed(request, options), ({ embeddings }) => embeddings),
  countTokens: (options) => LlmClient.countTokens({ model: "m", prompt: "Elbe" }, options),
  models: (options) => Effect.map(Stream.runCollect(LlmClient.models(options)), (models) => [...models])
}

const answering: LlmTest.Options = {
  embed: "words",
  countTokens: ({ prompt }) => prompt.length,
  models: [{ id: "compass" }]
}

describe("Faults: embeddings, counts and lists", () => {
  const failing = (...faults: ReadonlyArray<Faults.Fault>) => on(answering, { plan: Faults.sequence(faults) })

  for (const [operation, run] of Object.entries(operations)) {
    for (
      const [name, fault] of [
        ["a rate limit", Faults.rateLimited("2 seconds")],
        ["a break", Faults.cut(3)],
        ["an overload", Faults.overloaded()],
        ["a wait", Faults.slow("3 seconds")]
      ] as const
    ) {
      it.effect(`${operation} meets ${name}, and answers in the end`, () =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(run())
          yield* TestClock.adjust("10 millis")
          assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
          yield* TestClock.adjust("10 seconds")
          const answered = yield* Fiber.join(fiber)
          assert.deepStrictEqual(answered, yield* run())
        }).pipe(failing(fault)))
    }

    it.effect(`${operation} meets a refusal, for which it is not asked again, and says so`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(run())
        assert.deepStrictEqual(
          [error.reason._tag, error.operation, error.attempts, error.status],
          ["AuthenticationFailed", operation, 1, 401]
        )
        assert.match(error.message, /injected fault \(seed 0, attempt 1\)/)
        // The provider is not asked in place of a fault.
        assert.deepStrictEqual(yield* LlmTest.exchanges, [])
      }).pipe(failing(Faults.unauthorized)))

    for (const [name, fault] of [["hangs", Faults.hang], ["falls silent", Faults.stall(1)]] as const) {
      it.effect(`${operation} ${name}, until its time is over`, () =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(Effect.flip(run({ retry: { times: 0 }, timeout: "5 seconds" })))
          yield* TestClock.adjust("5 seconds")
          assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "TimedOut")
        }).pipe(failing(fault)))
    }
  }

  it.effect("a plan knows the operation, and a count does not change what its request meets", () => {
    const met: Array<string> = []
    return Effect.gen(function*() {
      const input = { model: "m", prompt: "Elbe" }
      yield* LlmClient.countTokens(input)
      yield* LlmClient.call(input)
      yield* LlmClient.countTokens(input)
      yield* operations.models()
      assert.deepStrictEqual(met, ["countTokens m 1", "call m 1", "countTokens m 2", "models * 1"])
    }).pipe(
      Effect.provide(
        LlmClient.layerDefault().pipe(
          Layer.provide(
            LlmTest.layer([LlmTest.text("A river.")], answering).pipe(Faults.inject({
              plan: ({ attempt, operation, request }) => {
                met.push(`${operation} ${request.model} ${attempt}`)
                return Faults.ok
              }
            }))
          )
        )
      )
    )
  })

  it.effect("a provider without them has none with faults either", () =>
    Effect.gen(function*() {
      assert.propertyVal(yield* operations.countTokens(), "source", "estimate")
      assert.strictEqual((yield* Effect.flip(operations.models())).reason._tag, "UnsupportedFeature")
      assert.strictEqual((yield* Effect.flip(operations.embed())).reason._tag, "UnsupportedFeature")
    }).pipe(on({}, { plan: Faults.always(Faults.unauthorized) })))
})
