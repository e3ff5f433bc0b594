/**
 * Testing a service that uses the client: with a scripted provider, under faults, over real HTTP, and with a recording; and
 * checking a provider. No network, no key, no test runner; test/testing/examples.test.ts tests the same service with
 * vitest.
 *
 *     npx tsx examples/testing.ts
 *
 * Look at the checks: each names its result, and takes no time for its waits.
 */
import { FetchHttpClient, FileSystem, HttpClient } from "@effect/platform"
import { NodeContext, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { LlmCache, LlmClient, LlmError, LlmLogger, OpenAiChat } from "effect-llm"
import { Cassette, Conformance, Faults, LlmTest, Simulator } from "effect-llm/testing"
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { Headlines, HeadlinesLive } from "./testing/headlines.js"

const article = "The new bridge over the Elbe opened on Monday. It carries two lanes and a path for bicycles."

const write = Effect.flatMap(Headlines, (headlines) => headlines.write(article))

/** Runs a spec and prints its result. A spec that fails ends the program with exit code 1. */
const check = <A, E, R>(what: string, spec: Effect.Effect<A, E, R>) =>
  spec.pipe(
    Effect.tapErrorCause(() => Console.error(`FAILED: ${what}`)),
    Effect.zipRight(Console.log(`ok: ${what}`))
  )

/** The service on a client as in production, with shorter waits between attempts. */
const Service = HeadlinesLive.pipe(
  Layer.provide(LlmClient.layer({ retry: { base: "5 millis" } })),
  Layer.provide(LlmCache.layerMemory())
)

// ---------------------------------------------------------------------------------------------------------------------
// One answer at a time: LlmTest
// ---------------------------------------------------------------------------------------------------------------------

/** A spec of the service on a scripted provider. */
const scripted = <E>(
  what: string,
  script: LlmTest.Script,
  spec: Effect.Effect<void, E, Headlines | LlmTest.LlmTest | LlmTest.Events>
) =>
  check(
    what,
    Effect.zipRight(spec, LlmTest.assertDone).pipe(
      Effect.provide(Layer.provideMerge(Service, Layer.merge(LlmTest.layer(script), LlmTest.layerLogger)))
    )
  )

const unit = Effect.all([
  scripted(
    "the model is given the article, and its answer is the headline",
    ["  Bridge opens\n"],
    Effect.gen(function*() {
      assert.equal(yield* write, "Bridge opens")
      const [request] = yield* LlmTest.requests
      assert.equal(request?.prompt, article)
      assert.match(request?.system ?? "", /at most eight words/)
    })
  ),
  scripted(
    "an overloaded provider is asked again",
    [LlmTest.fail(LlmError.Overloaded.make({})), "Bridge opens"],
    Effect.gen(function*() {
      assert.equal(yield* write, "Bridge opens")
      const [failure] = yield* LlmTest.eventsOf("CallFailed")
      assert.equal(failure?.error.reason._tag, "Overloaded")
      assert.equal(failure?.willRetry, true)
    })
  ),
  scripted(
    "if a filter blocks the answer, the headline is the article's first sentence",
    [LlmTest.fail(LlmError.ContentFiltered.make({}))],
    Effect.gen(function*() {
      assert.equal(yield* write, "The new bridge over the Elbe opened on Monday")
    })
  ),
  scripted(
    "a headline that was cut off is a failure",
    [LlmTest.text("Bridge over the", { finishReason: "length" })],
    Effect.gen(function*() {
      const error = yield* Effect.flip(write)
      assert.equal(error._tag, "HeadlineTooLong")
    })
  ),
  scripted(
    "an error that no retry can mend fails at once, with its reason",
    [LlmTest.fail(LlmError.QuotaExhausted.make({ message: "no credit left" }))],
    Effect.gen(function*() {
      const error = yield* Effect.flip(write)
      assert.equal(error.message, "QuotaExhausted from test/gpt-4o-mini: no credit left")
    })
  ),
  scripted(
    "the same article is asked about once",
    ["Bridge opens"],
    Effect.gen(function*() {
      yield* write
      assert.equal(yield* write, "Bridge opens")
      assert.equal((yield* LlmTest.requests).length, 1)
    })
  )
])

// ---------------------------------------------------------------------------------------------------------------------
// Bad days: Faults
// ---------------------------------------------------------------------------------------------------------------------

const onABadDay = LlmTest.layerEcho.pipe(
  Faults.inject({ plan: Faults.perRequest([Faults.overloaded("10 millis"), Faults.reset]) })
)

const faults = check(
  "a headline is written although its first two requests fail",
  Effect.gen(function*() {
    assert.equal(yield* write, article)
    assert.equal((yield* LlmTest.eventCounts).CallFailed, 2)
  }).pipe(Effect.provide(Layer.provideMerge(Service, Layer.merge(onABadDay, LlmTest.layerLogger))))
)

// ---------------------------------------------------------------------------------------------------------------------
// Over real HTTP: Simulator
// ---------------------------------------------------------------------------------------------------------------------

const Server = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

/** The provider of production, at the simulator's address. */
const AtSimulator = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1` }))
)

const http = check(
  "a service that is down and a broken connection cost two attempts",
  Effect.gen(function*() {
    assert.match(yield* write, /Elbe/)
    const requests = yield* Simulator.requests
    assert.deepEqual(requests.map(({ fault, outcome }) => fault ?? outcome), ["Status 503", "Reset", "answered"])
  }).pipe(
    Effect.provide(Service.pipe(
      Layer.provide(AtSimulator),
      Layer.provide([FetchHttpClient.layer, LlmLogger.layerSilent]),
      Layer.provideMerge(Simulator.layer({ faults: Simulator.sequence([Simulator.status(503), Simulator.reset]) })),
      Layer.provide(Server)
    ))
  )
)

// ---------------------------------------------------------------------------------------------------------------------
// The real service, once: Cassette
// ---------------------------------------------------------------------------------------------------------------------

/** Here the simulator plays the real service. */
const recording = check(
  "a recorded request is answered without the service",
  Effect.gen(function*() {
    const { url } = yield* Simulator.Simulator
    const folder = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
    const through = (mode: Cassette.Mode, network: Layer.Layer<HttpClient.HttpClient>) =>
      Effect.provide(
        write,
        Service.pipe(
          Layer.provide(OpenAiChat.layer({ baseUrl: `${url}/v1` })),
          Layer.provide(Cassette.layer(`${folder}/headlines.json`, { mode })),
          Layer.provide([network, LlmLogger.layerSilent])
        )
      )
    const nowhere = HttpClient.make(() => Effect.dieMessage("asked the network"))
    const live = yield* through("record", FetchHttpClient.layer)
    assert.equal(yield* through("replay", Layer.succeed(HttpClient.HttpClient, nowhere)), live)
  }).pipe(
    Effect.scoped,
    Effect.provide([Layer.provide(Simulator.layer(), Server), NodeContext.layer])
  )
)

// ---------------------------------------------------------------------------------------------------------------------
// Your own provider: Conformance
// ---------------------------------------------------------------------------------------------------------------------

const promises = Conformance.checks({ model: "gpt-4o-mini" })

const provider = check(
  `a provider keeps its ${promises.length} promises`,
  Effect.forEach(promises, ({ check }) => check).pipe(
    Effect.provide(
      Conformance.simulated(({ apiKey, url }) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` })).pipe(
        Layer.provide([FetchHttpClient.layer, Server])
      )
    )
  )
)

NodeRuntime.runMain(
  Effect.all([unit, faults, http, recording, provider], { discard: true }).pipe(
    Effect.zipRight(Console.log("Look at the source of each check: a few lines, and no real wait."))
  )
)
