import { assert, describe, it } from "@effect/vitest"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { cacheWith } from "../support/caches.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { steps, streams } from "../support/scriptedStreams.js"
import { settle, within } from "../support/testClock.js"

type Wrap = (layer: Layer.Layer<LlmProvider.LlmProvider>) => Layer.Layer<LlmProvider.LlmProvider>

/** A client with a policy around its provider, and the events as its logger gets them. */
const policedClient = (script: LlmTest.Script, wrap: Wrap) =>
  Effect.gen(function*() {
    const events: Array<LlmEvent.LlmEvent> = []
    const provider = yield* LlmTest.make(script, { name: "scripted" })
    const context = yield* Layer.build(
      LlmClient.layer({ retry: false }).pipe(
        Layer.provide([
          wrap(provider.layer),
          LlmCache.layerNone,
          LlmLogger.layerHandler((event) => void events.push(event))
        ])
      )
    )
    return { client: Context.get(context, LlmClient.LlmClient), events }
  })

const tagsOf = (events: ReadonlyArray<LlmEvent.LlmEvent>) => events.map(({ _tag }) => _tag)

const leaving = (events: ReadonlyArray<LlmEvent.LlmEvent>) =>
  events.flatMap((event) =>
    event._tag === "CallInterrupted" ? [[event.attempts, Duration.toMillis(event.latency), event.callId]] : []
  )

describe("CallInterrupted", () => {
  it.scoped("says that the caller of a call has left, and after what time", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, events } = yield* scriptedClient([Effect.never])
      const fiber = yield* Effect.fork(client.call(request))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(fiber)
      const seen = yield* events
      assert.deepStrictEqual(tagsOf(seen), ["CacheMiss", "CallStarted", "CallInterrupted"])
      assert.deepStrictEqual(leaving(seen), [[1, 2000, seen[0]?.callId]])
    })))

  it.scoped("says so for values and streams that have not begun", () =>
    leavingNoFiber(Effect.gen(function*() {
      const runs = [
        (client: LlmClient.Service) => client.object(Schema.Struct({ name: Schema.String }), request),
        (client: LlmClient.Service) => Stream.runDrain(client.stream(request))
      ]
      for (const run of runs) {
        const { client, events } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
        const fiber = yield* Effect.fork(run(client))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(leaving(yield* events).map(([attempts, latency]) => [attempts, latency]), [[1, 1000]])
      }
    })))

  it.scoped("says so for a stream whose reader stops before its end, and for no other", () =>
    leavingNoFiber(Effect.gen(function*() {
      const script = () => streams(steps("Elbe, ", 100, "Oder", respond("Elbe, Oder")))
      const left = yield* scriptedClient(script())
      yield* within("1 second")(Stream.runDrain(Stream.take(left.client.stream(request), 1)))
      assert.strictEqual(leaving(yield* left.events).length, 1)
      const read = yield* scriptedClient(script())
      yield* within("1 second")(Stream.runDrain(read.client.stream(request)))
      assert.deepStrictEqual(tagsOf(yield* read.events), ["CacheMiss", "CallStarted", "CallOk"])
    })))

  it.scoped("holds up an interruption by half a second at most, with a logger that hangs", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([Effect.never], {
        log: ({ _tag }) => _tag === "CallInterrupted" ? Effect.never : Effect.void
      })
      const fiber = yield* Effect.fork(client.call(request))
      yield* settle
      yield* within("500 millis")(Fiber.interrupt(fiber))
    })))

  it.scoped("is that of the caller alone, where others wait for its run", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, events } = yield* scriptedClient([Effect.delay(Effect.succeed(respond("Elbe")), "3 seconds")])
      const leader = yield* Effect.fork(client.call(request))
      yield* settle
      const follower = yield* Effect.fork(client.call(request))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(leader)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(follower)
      const seen = yield* events
      const [first, , second] = seen
      assert.deepStrictEqual(tagsOf(seen), [
        "CacheMiss",
        "CallStarted",
        "CacheMiss",
        "CallInterrupted",
        "CallOk",
        "CallShared"
      ])
      assert.deepStrictEqual(leaving(seen), [[1, 1000, first?.callId]])
      const shared = seen.at(-1)
      assert.isTrue(
        shared?._tag === "CallShared" && shared.callId === first?.callId && shared.followerId === second?.callId
      )
    })))
})

describe("CacheMiss", () => {
  it.scoped("says how long the search took", () =>
    Effect.gen(function*() {
      const cache = yield* cacheWith({ get: () => Effect.delay(Effect.succeedNone, "300 millis") })
      const { client, events } = yield* scriptedClient(["Elbe"], { cache })
      yield* within("1 second")(client.call(request))
      const [miss] = yield* events
      assert.isTrue(miss?._tag === "CacheMiss" && Duration.toMillis(miss.latency ?? 0) === 300)
    }))
})

describe("the requests of calls", () => {
  it.scoped("are in events for a logger that asks for them, and for no other", () =>
    Effect.gen(function*() {
      for (const receivesRequests of [true, false]) {
        const prompts: Array<unknown> = []
        const provider = yield* LlmTest.make(["Elbe"])
        const context = yield* Layer.build(
          LlmClient.layer().pipe(Layer.provide([
            provider.layer,
            LlmCache.layerMemory(),
            Layer.succeed(LlmLogger.LlmLogger, {
              receivesRequests,
              log: (event) =>
                Effect.sync(() => {
                  if ("request" in event) prompts.push([event._tag, event.request?.prompt])
                })
            })
          ]))
        )
        const client = Context.get(context, LlmClient.LlmClient)
        yield* client.call(request)
        yield* client.call(request)
        assert.deepStrictEqual(
          prompts,
          receivesRequests ? [["CallStarted", request.prompt], ["CacheHit", request.prompt]] : []
        )
      }
    }))
})

describe("RateLimitQueued", () => {
  it.scoped("comes before each wait in the queue of a limit, and RateLimitWaited after it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const answer = Effect.delay(Effect.succeed(respond("Elbe")), "1 second")
      const { client, events } = yield* policedClient([LlmTest.repeat(answer)], RateLimit.limit({ concurrency: 1 }))
      const calls = ["a", "b", "c"].map((prompt) => client.call({ ...request, prompt }))
      yield* within("3 seconds")(Effect.all(calls, { concurrency: "unbounded" }))
      const seen = events.flatMap((event) =>
        event._tag === "RateLimitQueued"
          ? [`queued behind ${event.ahead}`]
          : event._tag === "RateLimitWaited"
          ? [`waited ${Duration.toMillis(event.waited)}`]
          : []
      )
      assert.deepStrictEqual(seen, ["queued behind 0", "queued behind 1", "waited 1000", "waited 2000"])
      assert.strictEqual(new Set(events.map(({ callId }) => callId)).size, 3)
    })))
})

describe("Hedged", () => {
  it.scoped("says that a second request is sent, and after what time", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, events } = yield* policedClient(
        [Effect.never, "Elbe"],
        Hedge.after("2 seconds", { maxExtraLoad: 1 })
      )
      yield* within("2 seconds")(client.call(request))
      assert.deepStrictEqual(tagsOf(events), ["CacheMiss", "CallStarted", "Hedged", "CallOk"])
      const hedged = events[2]
      assert.isTrue(hedged?._tag === "Hedged" && Duration.toMillis(hedged.after) === 2000)
      assert.strictEqual(hedged?.callId, events[0]?.callId)
    })))
})
