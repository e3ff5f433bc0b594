import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import * as Balance from "effect-llm/Balance"
import * as Budget from "effect-llm/Budget"
import * as CacheKey from "effect-llm/CacheKey"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Embedding from "effect-llm/Embedding"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as KeyValueCache from "effect-llm/KeyValueCache"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as Pricing from "effect-llm/Pricing"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Batches from "../../src/client/embeddingBatches.js"
import * as Entry from "../../src/client/embeddingEntry.js"
import { rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { respond } from "../support/samples.js"
import { settle, within } from "../support/testClock.js"

const model = "compass"

/** A vector that only this text has. */
const vectorOf = (text: string): Embedding.Vector => [text.length, text.charCodeAt(0), 0.1]

type Answer = Effect.Effect<Embedding.Response, LlmError.LlmError>

interface Setup {
  readonly name?: string
  readonly limits?: Embedding.Limits
  /** What the provider does with a request: 1 is the first. Default: answers at once. */
  readonly answer?: (request: Embedding.Request, n: number, answer: Answer) => Answer
  readonly wrap?: (
    layer: Layer.Layer<LlmProvider.LlmProvider>
  ) => Layer.Layer<LlmProvider.LlmProvider, never, Budget.Budget | Pricing.Pricing>
  readonly client?: LlmClient.Options
  readonly cache?: Layer.Layer<LlmCache.LlmCache>
}

/** A provider of embeddings that remembers its requests. */
const embedder = ({ answer = (_, __, answer) => answer, limits, name = "acme" }: Setup = {}) => {
  const requests: Array<Embedding.Request> = []
  const provider = LlmProvider.make({
    name,
    endpoint: `memory:${name}`,
    call: () => Effect.dieMessage("no text is asked for"),
    embed: (request) =>
      Effect.suspend(() =>
        answer(
          request,
          requests.push(request),
          Effect.succeed(Embedding.make({
            embeddings: request.input.map(vectorOf),
            usage: { inputTokens: 10 * request.input.length },
            model: `${request.model}-1`,
            provider: name
          }))
        )
      ),
    ...(limits !== undefined && { embedLimits: () => limits })
  })
  return { layer: Layer.succeed(LlmProvider.LlmProvider, provider), provider, requests }
}

/** A dollar for a million tokens. */
const pricing = Pricing.layerPrices({ acme: { [model]: { input: 1, output: 7 } } })

const clientOf = Effect.fnUntraced(function*(setup: Setup = {}) {
  const { layer, requests } = embedder(setup)
  const { cache = LlmCache.layerMemory(), client, wrap } = setup
  const context = yield* Layer.build(
    LlmClient.layer(client).pipe(
      Layer.provide(wrap === undefined ? layer : wrap(layer)),
      Layer.provide([cache, Budget.layerMemory, pricing]),
      Layer.provideMerge(LlmTest.layerLogger)
    )
  )
  return {
    requests,
    inputs: () => requests.map(({ input }) => input),
    embed: Context.get(context, LlmClient.LlmClient).embed,
    lines: Effect.provide(LlmTest.eventLines, context)
  }
})

const numbered = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, n) => `text ${n}`)

const billing = ({ attempts, cost, origin, usage }: Embedding.Response) => ({ attempts, cost, origin, usage })

describe("LlmClient.embed", () => {
  it.scoped("gives the vectors of texts in their order, with the facts of the answer", () =>
    Effect.gen(function*() {
      const { embed } = yield* clientOf({ answer: (_, __, answer) => Effect.delay(answer, "2 seconds") })
      const { latency, ...response } = valueOf(yield* within("2 seconds")(embed({ model, input: ["Elbe", "Oder"] })))
      assert.strictEqual(Duration.toMillis(latency), 2000)
      assert.deepStrictEqual(response, {
        embeddings: [vectorOf("Elbe"), vectorOf("Oder")],
        usage: { inputTokens: 20 },
        model: "compass-1",
        provider: "acme",
        origin: "provider",
        attempts: 1,
        warnings: []
      })
    }))

  it.scoped("takes a single text", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf()
      assert.deepStrictEqual((yield* embed({ model, input: "Elbe" })).embeddings, [vectorOf("Elbe")])
      assert.deepStrictEqual(inputs(), [["Elbe"]])
    }))

  it.scoped("sends nothing for no texts", () =>
    Effect.gen(function*() {
      const { embed, lines, requests } = yield* clientOf()
      const { attempts, embeddings } = yield* embed({ model, input: [] })
      assert.deepStrictEqual([embeddings, attempts, requests.length, yield* lines], [[], 0, 0, []])
    }))

  it.scoped("sends a text once that is there twice", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf()
      const { embeddings } = yield* embed({ model, input: ["Elbe", "Oder", "Elbe"] })
      assert.deepStrictEqual(embeddings, ["Elbe", "Oder", "Elbe"].map(vectorOf))
      assert.deepStrictEqual(inputs(), [["Elbe", "Oder"]])
    }))

  it.scoped("gives a frozen answer", () =>
    Effect.gen(function*() {
      const { embed } = yield* clientOf()
      const asked = yield* embed({ model, input: ["Elbe"] })
      const cached = yield* embed({ model, input: ["Elbe"] })
      for (const response of [asked, cached]) {
        for (const value of [response, response.embeddings, response.embeddings[0], response.usage]) {
          assert.isTrue(Object.isFrozen(value))
        }
      }
    }))

  it.effect("refuses a wrong request before anything is sent, and names the field", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf()
      const wrong: ReadonlyArray<readonly [string, unknown, LlmClient.EmbedOptions?]> = [
        ["model", { model: " ", input: "a" }],
        ["input", { model }],
        ["input", { model, input: "" }],
        ["input[1]", { model, input: ["a", ""] }],
        ["input[0]", { model, input: [1] }],
        ["dimensions", { model, input: "a", dimensions: 0 }],
        ["providerOptions", { model, input: "a", providerOptions: { acme: 1 } }],
        ["dimension", { model, input: "a", dimension: 3 }],
        ["input", { model, input: "\ud800" }],
        ["batchSize", { model, input: "a" }, { batchSize: 0 }],
        ["concurrency", { model, input: "a" }, { concurrency: 0.5 }],
        ["timeout", { model, input: "a" }, { timeout: 0 }]
      ]
      for (const [field, request, options] of wrong) {
        const error = yield* Effect.flip(embed(request as Embedding.Input, options))
        assert.strictEqual(error.operation, "embed")
        assert(error.reason._tag === "InvalidRequest", error.message)
        assert.strictEqual(error.reason.field, field)
      }
      assert.deepStrictEqual(requests, [])
    }).pipe(Effect.scoped))

  it.scoped("fails with UnsupportedFeature where the provider has no embeddings", () =>
    Effect.gen(function*() {
      const { layer } = yield* LlmTest.make([])
      const context = yield* Layer.build(Layer.provide(LlmClient.layerDefault(), layer))
      const error = yield* Effect.flip(Effect.provide(LlmClient.embed({ model, input: "Elbe" }), context))
      assert.deepStrictEqual([error.reason._tag, error.attempts], ["UnsupportedFeature", 0])
    }))
})

describe("LlmClient.embed: requests", () => {
  it.scoped("keeps to the provider's number of texts, and the order", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf({ limits: { inputs: 100 } })
      const texts = numbered(250)
      const { attempts, embeddings, usage } = yield* embed({ model, input: texts })
      assert.deepStrictEqual(inputs().map(({ length }) => length), [100, 100, 50])
      assert.deepStrictEqual(inputs().flat(), texts)
      assert.deepStrictEqual(embeddings, texts.map(vectorOf))
      assert.deepStrictEqual([attempts, usage], [3, { inputTokens: 2500 }])
    }))

  it.scoped("keeps to the provider's number of tokens", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf({ limits: { tokens: 1_000 } })
      yield* embed({ model, input: ["a", "b", "c", "d"].map((letter) => letter.repeat(1_200)) })
      assert.deepStrictEqual(inputs().map(({ length }) => length), [2, 2])
    }))

  it.scoped("are smaller where the caller says so", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf({ limits: { inputs: 100 } })
      yield* embed({ model, input: numbered(5) }, { batchSize: 2 })
      assert.deepStrictEqual(inputs().map(({ length }) => length), [2, 2, 1])
    }))

  it.scoped("are under way `concurrency` at a time", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf({
        limits: { inputs: 1 },
        answer: (_, __, answer) => Effect.delay(answer, "1 second")
      })
      const fiber = yield* Effect.fork(embed({ model, input: numbered(5) }, { concurrency: 2 }))
      const seen: Array<number> = []
      for (let second = 0; second < 3; second++) {
        yield* settle
        seen.push(requests.length)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(seen, [2, 4, 5])
      assert.strictEqual((yield* Fiber.join(fiber)).embeddings.length, 5)
    }))

  it.prop(
    "lose and repeat no text, and exceed no limit but by a single text",
    [
      FastCheck.array(FastCheck.string({ minLength: 1, maxLength: 60 }), { maxLength: 60 }),
      FastCheck.integer({ min: 1, max: 9 }),
      FastCheck.integer({ min: 1, max: 60 })
    ],
    ([texts, inputs, tokens]) => {
      const batches = Batches.split(texts, { inputs, tokens })
      assert.deepStrictEqual(batches.flat(), texts)
      for (const batch of batches) {
        assert.isAtMost(batch.length, inputs)
        assert.isAtLeast(batch.length, 1)
        const bytes = batch.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0)
        assert.isTrue(batch.length === 1 || bytes / 3 <= tokens)
      }
    }
  )
})

describe("LlmClient.embed: the cache", () => {
  it.scoped("has an entry for each text", () =>
    Effect.gen(function*() {
      const { embed, inputs, lines } = yield* clientOf()
      yield* embed({ model, input: ["Elbe", "Oder"] })
      const mixed = yield* embed({ model, input: ["Oder", "Rhine", "Elbe"] })
      const cached = yield* embed({ model, input: ["Rhine"] })
      assert.deepStrictEqual(inputs(), [["Elbe", "Oder"], ["Rhine"]])
      assert.deepStrictEqual(mixed.embeddings, ["Oder", "Rhine", "Elbe"].map(vectorOf))
      assert.deepStrictEqual(billing(mixed), {
        attempts: 1,
        cost: undefined,
        origin: "provider",
        usage: { inputTokens: 10 }
      })
      assert.deepStrictEqual(billing(cached), { attempts: 0, cost: 0, origin: "cache", usage: { inputTokens: 0 } })
      assert.deepStrictEqual([cached.model, cached.provider], ["compass-1", "acme"])
      assert.deepStrictEqual((yield* lines).map((line) => line.split(" ")[0]), [
        "CacheMiss",
        "CallStarted",
        "CallOk",
        "CacheMiss",
        "CallStarted",
        "CallOk",
        "CacheHit"
      ])
    }))

  it.scoped("keeps models, dimensions, options and namespaces apart", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf()
      const input = "Elbe"
      yield* embed({ model, input })
      yield* embed({ model: "other", input })
      yield* embed({ model, input, dimensions: 3 })
      yield* embed({ model, input, providerOptions: { acme: { taskType: "QUERY" } } })
      yield* embed({ model, input }, { namespace: "tenant" })
      assert.strictEqual(requests.length, 5)
      yield* embed({ model, input, dimensions: 3 })
      assert.strictEqual(requests.length, 5)
    }))

  it.scoped("is bypassed, refreshed and only read as for a call", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf()
      const count = Effect.fnUntraced(function*(cache: LlmClient.CallOptions["cache"]) {
        const before = requests.length
        yield* embed({ model, input: "Elbe" }, { cache })
        return requests.length - before
      })
      assert.deepStrictEqual(
        yield* Effect.forEach(["readOnly", "bypass", "on", "on", "readOnly", "refresh", "bypass"] as const, count),
        [1, 1, 1, 0, 0, 1, 1]
      )
    }))

  it.scoped("keeps what came before another request failed", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf({
        limits: { inputs: 1 },
        client: { retry: false },
        answer: ({ input }, n, answer) => input[0] === "Oder" && n === 2 ? Effect.fail(unauthorized) : answer
      })
      const texts = ["Elbe", "Oder"]
      const error = yield* Effect.flip(embed({ model, input: texts }, { concurrency: 1 }))
      assert.deepStrictEqual([error.reason._tag, error.attempts], ["AuthenticationFailed", 2])
      assert.deepStrictEqual((yield* embed({ model, input: texts })).embeddings, texts.map(vectorOf))
      assert.deepStrictEqual(inputs(), [["Elbe"], ["Oder"], ["Oder"]])
    }))

  it.scoped("outlives a process", () =>
    Effect.gen(function*() {
      const store = yield* Layer.build(KeyValueStore.layerMemory)
      const cache = KeyValueCache.layer().pipe(Layer.provide(Layer.succeedContext(store)))
      const first = yield* clientOf({ cache })
      const asked = yield* first.embed({ model, input: ["Elbe"] })
      const second = yield* clientOf({ cache })
      const cached = yield* second.embed({ model, input: ["Elbe"] })
      assert.deepStrictEqual(cached.embeddings, asked.embeddings)
      assert.deepStrictEqual(second.requests, [])
    }))

  it.scoped("that hangs costs one limit, and not one for each text", () =>
    Effect.gen(function*() {
      const hanging = Layer.succeed(LlmCache.LlmCache, {
        get: () => Effect.never,
        set: () => Effect.never,
        remove: () => Effect.void
      })
      const { embed, lines } = yield* clientOf({ cache: hanging })
      const { embeddings } = valueOf(yield* within("1 second")(embed({ model, input: numbered(300) })))
      assert.strictEqual(embeddings.length, 300)
      assert.strictEqual((yield* lines).filter((line) => line.startsWith("CacheFailed")).length, 2)
    }))

  it.scoped("that holds garbage counts as a miss", () =>
    Effect.gen(function*() {
      const memory = yield* LlmCache.makeMemory()
      const [key = ""] = CacheKey.embeddings({ model, input: ["Elbe"] }, { provider: "acme", endpoint: "memory:acme" })
      const { embed, requests } = yield* clientOf({ cache: Layer.succeed(LlmCache.LlmCache, memory) })
      yield* embed({ model, input: ["Elbe"] })
      assert.strictEqual(requests.length, 1)
      const entry = yield* memory.get(key)
      assert(entry._tag === "Some")
      yield* memory.set(key, respond("no vector"))
      yield* embed({ model, input: ["Elbe"] })
      assert.strictEqual(requests.length, 2)
    }))

  it.prop(
    "gives the very numbers back",
    [FastCheck.array(FastCheck.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 })],
    ([vector]) => {
      const facts = { model, provider: "acme" }
      assert.deepStrictEqual(Entry.read(Entry.make(vector, facts)), vector)
      const rounded = vector.map(Math.fround).filter(Number.isFinite)
      if (rounded.length > 0) assert.deepStrictEqual(Entry.read(Entry.make(rounded, facts)), rounded)
    }
  )
})

describe("LlmClient.embed: failures", () => {
  it.scoped("are retried, each request by itself", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf({
        limits: { inputs: 1 },
        client: { retry: { jitter: false } },
        answer: (_, n, answer) => n === 1 ? Effect.fail(serverFailed) : answer
      })
      const { attempts } = valueOf(yield* within("1 second")(embed({ model, input: ["Elbe", "Oder"] })))
      assert.strictEqual(attempts, 3)
      assert.deepStrictEqual(inputs(), [["Elbe"], ["Oder"], ["Elbe"]])
    }))

  it.scoped("end the call at its deadline, and leave nothing behind", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { embed } = yield* clientOf({ limits: { inputs: 1 }, answer: () => Effect.never })
      const exit = yield* within("5 seconds")(embed({ model, input: numbered(9) }, { deadline: "5 seconds" }))
      const { reason } = errorOf(exit)
      assert(reason._tag === "TimedOut")
      assert.strictEqual(reason.phase, "total")
    })))

  it.scoped("of an attempt that takes too long are TimedOut, and retried", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf({
        client: { timeout: "3 seconds", retry: { times: 1, jitter: false } },
        answer: () => Effect.never
      })
      const { attempts, reason } = errorOf(yield* within("7 seconds")(embed({ model, input: "Elbe" })))
      assert(reason._tag === "TimedOut")
      assert.deepStrictEqual([reason.phase, attempts, requests.length], ["attempt", 2, 2])
    }))

  it.scoped("interrupt the requests that are under way", () =>
    leavingNoFiber(Effect.gen(function*() {
      const aborted: Array<string> = []
      const { embed } = yield* clientOf({
        limits: { inputs: 1 },
        client: { retry: false },
        answer: ({ input: [text = ""] }) =>
          text === "Oder"
            ? Effect.delay(Effect.fail(unauthorized), "1 second")
            : Effect.onInterrupt(Effect.never, () => Effect.sync(() => aborted.push(text)))
      })
      errorOf(yield* within("1 second")(embed({ model, input: ["Elbe", "Oder"] })))
      assert.deepStrictEqual(aborted, ["Elbe"])
    })))
})

describe("LlmClient.embed: equal requests at the same time", () => {
  it.scoped("share one run", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { embed, requests } = yield* clientOf({ answer: (_, __, answer) => Effect.delay(answer, "1 second") })
      const one = embed({ model, input: ["Elbe", "Oder"] })
      const responses = valueOf(yield* within("1 second")(Effect.all(Arr.replicate(one, 20), { concurrency: 20 })))
      assert.strictEqual(requests.length, 1)
      assert.deepStrictEqual(responses.map(({ origin }) => origin).sort(), [
        "provider",
        ...Arr.replicate("shared", 19)
      ])
      for (const response of responses) {
        assert.deepStrictEqual(response.embeddings, ["Elbe", "Oder"].map(vectorOf))
        if (response.origin === "shared") {
          assert.deepStrictEqual([response.attempts, response.usage], [0, { inputTokens: 0 }])
        }
      }
    })))

  it.scoped("share none if they bypass the cache, also not with their own other requests", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf({
        limits: { inputs: 1 },
        answer: (_, __, answer) => Effect.delay(answer, "1 second")
      })
      const one = embed({ model, input: ["Elbe", "Oder"] }, { cache: "bypass" })
      const responses = valueOf(yield* within("1 second")(Effect.all([one, one], { concurrency: 2 })))
      assert.strictEqual(requests.length, 4)
      for (const { embeddings } of responses) assert.deepStrictEqual(embeddings, ["Elbe", "Oder"].map(vectorOf))
    }))
})

describe("LlmClient.embed: policies", () => {
  it.scoped("states its cost by the price of input", () =>
    Effect.gen(function*() {
      const { embed } = yield* clientOf({ limits: { inputs: 1 }, wrap: Pricing.priced })
      const asked = yield* embed({ model, input: ["Elbe", "Oder"] })
      assert.strictEqual(asked.cost, 0.00002)
      assert.strictEqual((yield* embed({ model, input: ["Elbe"] })).cost, 0)
    }))

  it.scoped("waits for its turn under a rate limit, without losing time of its attempt", () =>
    Effect.gen(function*() {
      const { embed, lines } = yield* clientOf({
        limits: { inputs: 1 },
        wrap: RateLimit.limit({ concurrency: 1 }),
        client: { timeout: "2 seconds" },
        answer: (_, __, answer) => Effect.delay(answer, "1500 millis")
      })
      const response = valueOf(yield* within("6 seconds")(embed({ model, input: numbered(4) })))
      assert.strictEqual(Duration.toMillis(response.latency), 6000)
      assert.strictEqual(Duration.toMillis(response.queuedFor ?? 0), 4500)
      assert.strictEqual((yield* lines).filter((line) => line.startsWith("RateLimitWaited")).length, 3)
    }))

  it.scoped("sends requests that fit into a minute's tokens", () =>
    Effect.gen(function*() {
      const { embed, inputs } = yield* clientOf({
        limits: { inputs: 100, tokens: 300_000 },
        wrap: RateLimit.limit({ tokensPerMinute: 1_000 })
      })
      const texts = ["a", "b", "c"].map((letter) => letter.repeat(1_500))
      assert.deepStrictEqual((yield* embed({ model, input: texts })).embeddings, texts.map(vectorOf))
      assert.deepStrictEqual(inputs().map(({ length }) => length), [1, 1, 1])
    }))

  it.scoped("stops at a budget, before it is sent", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf()
      const program = Effect.gen(function*() {
        yield* embed({ model, input: "Elbe" })
        const spent = yield* Budget.spentHere
        const exit = yield* Effect.exit(embed({ model, input: "Oder ".repeat(100) }))
        return { spent, exit }
      })
      const { exit, spent } = yield* Budget.within(program, { tokens: 100 })
      assert(spent._tag === "Some")
      assert.strictEqual(spent.value.tokens, 10)
      assert.strictEqual(errorOf(exit).reason._tag, "BudgetExceeded")
      assert.strictEqual(requests.length, 1)
    }))

  it.scoped("opens a circuit that fails fast", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf({
        wrap: CircuitBreaker.protect({ consecutive: 2 }),
        client: { retry: false },
        answer: () => Effect.fail(serverFailed)
      })
      const reasons = yield* Effect.forEach(numbered(3), (input) => Effect.flip(embed({ model, input })))
      assert.deepStrictEqual(reasons.map(({ reason }) => reason._tag), ["ServerFailed", "ServerFailed", "CircuitOpen"])
      assert.strictEqual(requests.length, 2)
    }))

  it.scoped("takes the first of two hedged answers", () =>
    Effect.gen(function*() {
      const { embed, requests } = yield* clientOf({
        wrap: Hedge.after("1 second", { maxExtraLoad: 1 }),
        answer: (_, n, answer) => n === 1 ? Effect.never : answer
      })
      const { attempts, embeddings } = valueOf(yield* within("1 second")(embed({ model, input: "Elbe" })))
      assert.deepStrictEqual([attempts, requests.length, embeddings], [2, 2, [vectorOf("Elbe")]])
    }))

  it.scoped("moves on to an equal target of a balance, and keeps to the limits of all", () =>
    Effect.gen(function*() {
      const one = embedder({ name: "one", limits: { inputs: 5 }, answer: () => Effect.fail(rateLimited("9 seconds")) })
      const other = embedder({ name: "other", limits: { inputs: 2 } })
      const none = yield* LlmTest.make([])
      const { embed } = yield* clientOf({
        wrap: () => Balance.over([{ layer: none.layer }, { layer: one.layer }, { layer: other.layer }])
      })
      const texts = numbered(3)
      assert.deepStrictEqual((yield* embed({ model, input: texts })).embeddings, texts.map(vectorOf))
      assert.deepStrictEqual(other.requests.map(({ input }) => input.length), [2, 1])
    }))

  it.scoped("never asks another target of a fallback: its vectors could not be compared", () =>
    Effect.gen(function*() {
      const other = embedder({ name: "other" })
      const { embed } = yield* clientOf({
        wrap: Fallback.to(other.layer, { model: "other" }),
        client: { retry: false },
        answer: () => Effect.fail(serverFailed)
      })
      assert.strictEqual((yield* Effect.flip(embed({ model, input: "Elbe" }))).reason._tag, "ServerFailed")
      assert.deepStrictEqual(other.requests, [])
    }))
})

describe("Embedding.similarity", () => {
  const vector = FastCheck.array(FastCheck.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 3 })

  it.prop("is symmetric, between -1 and 1, and 1 for the same direction", [vector, vector], ([a, b]) => {
    const similarity = Embedding.similarity(a, b)
    assert.strictEqual(similarity, Embedding.similarity(b, a))
    assert.isTrue(similarity >= -1 && similarity <= 1)
    if (a.some((number) => number !== 0)) {
      assert.approximately(Embedding.similarity(a, a.map((number) => 3 * number)), 1, 1e-12)
    }
  })

  it("is 0 where there is nothing to compare", () => {
    assert.deepStrictEqual([Embedding.similarity([0, 0], [1, 0]), Embedding.similarity([1], [1, 0])], [0, 0])
  })
})
