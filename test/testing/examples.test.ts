import { NodeContext, NodeHttpServer } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it, layer } from "@effect/vitest"
import type { LlmProvider } from "effect-llm"
import { LlmCache, LlmClient, LlmError, OpenAiChat } from "effect-llm"
import { Cassette, Conformance, Faults, LlmTest, Simulator } from "effect-llm/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { Headlines, HeadlinesLive } from "../../examples/testing/headlines.js"

const article = "The new bridge over the Elbe opened on Monday. It carries two lanes and a path for bicycles."

const write = Effect.flatMap(Headlines, (headlines) => headlines.write(article))

/** The service on a client with the settings of production: only its provider and its logger are the spec's. */
const onClient = <A, E, R>(provider: Layer.Layer<A | LlmProvider.LlmProvider, E, R>) =>
  HeadlinesLive.pipe(
    Layer.provide(LlmClient.layer()),
    Layer.provideMerge(Layer.merge(provider, LlmTest.layerLogger)),
    Layer.provide(LlmCache.layerMemory())
  )

const withScript = (script: LlmTest.Script) => onClient(LlmTest.layer(script))

const Server = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

const onSimulator = (options: Simulator.Options) =>
  onClient(Layer.unwrapEffect(
    Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1` }))
  )).pipe(
    Layer.provideMerge(Layer.provide(Simulator.layer(options), Server)),
    Layer.provide(FetchHttpClient.layer)
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

  it.effect("comes through a day on which every request fails twice", () =>
    Effect.gen(function*() {
      const articles = Array.from({ length: 20 }, (_, i) => `${i}. ${article}`)
      const fiber = yield* Effect.fork(
        Effect.flatMap(Headlines, (headlines) => Effect.forEach(articles, headlines.write, { concurrency: 5 }))
      )
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* Fiber.join(fiber), articles)
      assert.strictEqual((yield* LlmTest.eventCounts).CallFailed, 40)
    }).pipe(
      Effect.provide(onClient(LlmTest.layerEcho.pipe(
        Faults.inject({ plan: Faults.perRequest([Faults.rateLimited("5 seconds"), Faults.reset]) })
      )))
    ))

  it.live("comes through over real HTTP", () =>
    Effect.gen(function*() {
      assert.match(yield* write, /Elbe/)
      assert.deepStrictEqual(
        (yield* Simulator.requests).map(({ fault, outcome }) => fault ?? outcome),
        ["Status 503", "answered"]
      )
    }).pipe(
      Effect.provide(onSimulator({
        faults: Simulator.sequence([Simulator.status(503, { retryAfter: "10 millis" })])
      }))
    ))

  it.scopedLive("writes from a recording what the model wrote", () =>
    Effect.gen(function*() {
      const { url } = yield* Simulator.Simulator
      const folder = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
      const through = (mode: Cassette.Mode, network: Layer.Layer<HttpClient.HttpClient>) =>
        write.pipe(
          Effect.provide(onClient(
            OpenAiChat.layer({ baseUrl: `${url}/v1` }).pipe(
              Layer.provide(Cassette.layer(`${folder}/headlines.json`, { mode })),
              Layer.provide(network)
            )
          ))
        )
      const live = yield* through("record", FetchHttpClient.layer)
      const nowhere = HttpClient.make(() => Effect.dieMessage("asked the network"))
      assert.strictEqual(yield* through("replay", Layer.succeed(HttpClient.HttpClient, nowhere)), live)
      assert.strictEqual((yield* Simulator.requests).length, 1)
    }).pipe(Effect.provide([Layer.provide(Simulator.layer(), Server), NodeContext.layer])))
})

layer(
  Conformance.simulated(({ apiKey, url }) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` })).pipe(
    Layer.provide([FetchHttpClient.layer, Server])
  )
)("A provider of one's own", (it) => {
  for (const { check, name } of Conformance.checks({ model: "gpt-4o-mini", capabilities: { situations: [] } })) {
    it.effect(name, () => check)
  }
})
