import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createHook } from "node:async_hooks"
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { watch } from "./support/fibers.js"
import {
  client,
  type ClientOptions,
  type Connections,
  eventually,
  providers,
  serve,
  serveSockets,
  settled,
  simulated,
  type Transport,
  transportNames,
  transports,
  turn
} from "./support/overHttp.js"

// ---------------------------------------------------------------------------------------------------------------------
// What can leak
// ---------------------------------------------------------------------------------------------------------------------

/** Runs an effect, and asserts that no fiber and no timer outlives it that it has started. */
const leavingNothing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const timers = new Map<number, NodeJS.Timeout>()
    const hook = createHook({
      init: (id, type, _, resource) => {
        if (type === "Timeout") timers.set(id, resource as NodeJS.Timeout)
      },
      destroy: (id) => void timers.delete(id)
    })
    const fibers = yield* watch
    yield* Effect.addFinalizer(() => Effect.sync(() => hook.disable()))
    hook.enable()
    const exit = yield* Effect.exit(fibers.over(effect))
    yield* eventually("the end of all fibers", Effect.map(fibers.running, (running) => running === 0))
    // Those that do not keep the process alive are pools' own, for connections that are kept.
    const running = () => [...timers.values()].filter((timer) => timer.hasRef())
    yield* eventually("the end of all timers", Effect.sync(() => running().length === 0))
    return yield* exit
  }).pipe(Effect.scoped)

/** Waits until a server has lost all its clients. */
const noConnection = (connections: Connections) =>
  eventually("the end of all connections", Effect.sync(() => connections.open === 0))

/** Interrupts a call once it has come to a stage, and asserts that it ends at once. */
const interruptedAt = <A, E>(call: Effect.Effect<A, E>, stage: Effect.Effect<unknown>) =>
  leavingNothing(Effect.gen(function*() {
    const fiber = yield* Effect.fork(call)
    yield* stage
    yield* settled
    assert.strictEqual(fiber.unsafePoll(), null, "the call has ended before it could be interrupted")
    const started = performance.now()
    const exit = yield* Fiber.interrupt(fiber)
    assert(Exit.isInterrupted(exit))
    assert.isBelow(performance.now() - started, 5_000)
  }))

const { at, model } = providers.openai

const json = { "content-type": "application/json" }

const answer = (text: string) =>
  JSON.stringify({ choices: [{ message: { role: "assistant", content: text }, finish_reason: "stop" }] })

/** A client of a server of one's own. */
const calling = (url: string, transport: Transport, options: Partial<ClientOptions> = {}) =>
  Effect.map(
    client({ provider: at(url), transport: transports[transport], ...options }),
    ({ client }) => (prompt: string, options?: LlmClient.CallOptions) => client.call({ model, prompt }, options)
  )

// ---------------------------------------------------------------------------------------------------------------------
// Interruption
// ---------------------------------------------------------------------------------------------------------------------

describe.each(transportNames)("over %s", (transport) => {
  describe("a call leaves nothing behind that is interrupted", () => {
    /** Stages of an exchange: what the server does. It has come to the stage when the request is there. */
    const stages: Readonly<Record<string, (response: ServerResponse) => void>> = {
      "waiting for the headers": () => {},
      "waiting for the body": (response) => response.writeHead(200, json).flushHeaders(),
      "in the middle of the body": (response) => void response.writeHead(200, json).write(answer("hello").slice(0, 30)),
      "in the middle of a body of known length": (response) =>
        void response.writeHead(200, { ...json, "content-length": 1_000 }).write(answer("hello").slice(0, 30)),
      "in the middle of the body of an error": (response) => void response.writeHead(400, json).write("{\"error\":"),
      "in the wait before a retry": (response) => response.writeHead(429, { ...json, "retry-after": "30" }).end("{}")
    }

    it.live.each(Object.entries(stages))("%s", ([stage, answer]) =>
      Effect.gen(function*() {
        const { connections, requests, url } = yield* serve((response) => answer(response))
        yield* Effect.scoped(Effect.gen(function*() {
          const call = yield* calling(url, transport)
          yield* interruptedAt(call("hello"), eventually("the request", Effect.sync(() => requests.length === 1)))
        }))
        assert.strictEqual(requests.length, 1)
        // What `fetch` keeps for the next request is everybody's.
        if (transport !== "fetch" || stage !== "in the wait before a retry") yield* noConnection(connections)
      }).pipe(Effect.scoped))

    it.live("while it connects", () =>
      Effect.gen(function*() {
        // Takes the connection, and keeps silent where the client would like to hear of TLS.
        const { connections, url } = yield* serveSockets((socket) => void socket.resume())
        yield* Effect.scoped(Effect.gen(function*() {
          const call = yield* calling(url.replace("http:", "https:"), transport)
          yield* interruptedAt(call("hello"), eventually("a connection", Effect.sync(() => connections.total === 1)))
          // Undici, and so `fetch`, goes on connecting for those who may come, for ten seconds.
          if (transport === "node") yield* noConnection(connections)
        }))
      }).pipe(Effect.scoped))

    it.live("while it sends", () =>
      Effect.gen(function*() {
        // Takes the connection, and reads nothing at first.
        const sockets: Array<Socket> = []
        const { connections, url } = yield* serveSockets((socket) => void sockets.push(socket.pause()))
        const call = yield* calling(url, transport)
        const prompt = "long ".repeat(3_000_000)
        yield* interruptedAt(call(prompt), eventually("a connection", Effect.sync(() => sockets.length === 1)))
        sockets[0]?.resume()
        yield* noConnection(connections)
      }).pipe(Effect.scoped))

    it.live("in a stream, before its first content and in the middle of it", () =>
      Effect.gen(function*() {
        const delta = (content: string) =>
          `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`
        const { connections, requests, url } = yield* serve((response, _, n) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(n === 1 ? ": wait\n\n" : delta("one") + delta("two"))
        })
        const { client: made } = yield* client({ provider: at(url), transport: transports[transport] })
        const stream = made.stream({ model, prompt: "hello" })
        yield* interruptedAt(
          Stream.runDrain(stream),
          eventually("the request", Effect.sync(() => requests.length === 1))
        )
        yield* noConnection(connections)
        const came = yield* Deferred.make<void>()
        yield* interruptedAt(Stream.runForEach(stream, () => Deferred.succeed(came, undefined)), Deferred.await(came))
        yield* noConnection(connections)
        const taken = yield* leavingNothing(Stream.runCollect(Stream.take(stream, 1)))
        assert.strictEqual(taken.length, 1)
        yield* noConnection(connections)
      }).pipe(Effect.scoped))
  })

  it.live("a client leaves nothing behind that was used in every way, and then closed", () =>
    Effect.gen(function*() {
      const faults = [
        Simulator.ok,
        Simulator.status(500),
        Simulator.status(400),
        Simulator.reset,
        Simulator.cut,
        Simulator.halfJson,
        Simulator.emptyBody(204),
        Simulator.silence,
        Simulator.stalledBody({ afterBytes: 30 })
      ]
      const scope = yield* Scope.make()
      const { connections, simulator } = yield* simulated({ provider: "openai" })
      const call = yield* Scope.extend(calling(simulator.url, transport), scope)
      yield* simulator.setFaults(Simulator.perPrompt(faults))
      yield* leavingNothing(Effect.gen(function*() {
        yield* Effect.forEach(
          Array.from({ length: 40 }, (_, i) => i),
          (i) =>
            Effect.exit(call(`Echo: ${i % 30}`, {
              timeout: "30 millis",
              ...(i % 7 === 0 && { deadline: "5 millis" }),
              retry: i % 3 === 0 ? false : { base: "1 millis" }
            })),
          { concurrency: 8 }
        )
        // Connections that are kept for later are no leak; they go with the client.
        yield* Scope.close(scope, Exit.void)
      }))
      if (transport === "fetch") return
      yield* noConnection(connections)
    }).pipe(Effect.scoped))

  it.live("nothing is left behind by 200 calls that are interrupted at any time", () =>
    Effect.gen(function*() {
      const { connections, simulator } = yield* simulated({
        provider: "openai",
        faults: Simulator.random({
          seed: 7,
          rate: 0.7,
          faults: [
            Simulator.silence,
            Simulator.status(503),
            Simulator.slowBody({ chunkBytes: 40, delay: "1 millis" }),
            Simulator.stalledBody({ afterBytes: 50 }),
            Simulator.reset,
            Simulator.cut
          ]
        })
      })
      yield* leavingNothing(Effect.scoped(Effect.gen(function*() {
        const call = yield* calling(simulator.url, transport, { client: { retry: { base: "2 millis" } } })
        yield* Effect.forEach(
          Array.from({ length: 200 }, (_, i) => i),
          (i) =>
            Effect.gen(function*() {
              // Some of the calls are equal, and share a run.
              const fiber = yield* Effect.fork(call(`Echo: ${i - i % 3}`))
              yield* Effect.repeatN(turn, yield* Random.nextIntBetween(0, 60))
              yield* Fiber.interrupt(fiber)
            }),
          { concurrency: 16 }
        )
      })))
      const requests = yield* simulator.awaitRequests((all) => all.every(({ outcome }) => outcome !== "pending"))
      assert.isAtLeast(requests.filter(({ outcome }) => outcome === "aborted").length, 1)
      if (transport !== "fetch") yield* noConnection(connections)
    }).pipe(Effect.withRandom(Random.make("leaks")), Effect.scoped))
})

describe("a call leaves nothing behind that is interrupted", () => {
  const cacheWith = (service: Partial<LlmCache.Service>) =>
    Layer.succeed(LlmCache.LlmCache, {
      get: () => Effect.succeedNone,
      set: () => Effect.void,
      remove: () => Effect.void,
      ...service
    })

  it.live("while it reads the cache, and while it writes it", () =>
    Effect.gen(function*() {
      const { url } = yield* serve((response) => response.writeHead(200, json).end(answer("hello")))
      for (const operation of ["get", "set"] as const) {
        const reached = yield* Deferred.make<void>()
        const hanging = Effect.zipRight(Deferred.succeed(reached, undefined), Effect.never)
        const call = yield* calling(url, "undici", {
          cache: cacheWith({ [operation]: () => hanging }),
          client: { cache: { getTimeout: "1 minute" } }
        })
        yield* interruptedAt(call("hello"), Deferred.await(reached))
      }
    }).pipe(Effect.scoped))

  it.live("while it waits for an equal call, which goes on", () =>
    Effect.gen(function*() {
      const held: Array<ServerResponse> = []
      const { requests, url } = yield* serve((response) => void held.push(response))
      const call = yield* calling(url, "undici")
      const leader = yield* Effect.fork(call("hello"))
      yield* eventually("the request", Effect.sync(() => held.length === 1))
      yield* interruptedAt(call("hello"), settled)
      held[0]?.writeHead(200, json).end(answer("hello"))
      assert.strictEqual((yield* Fiber.join(leader)).text, "hello")
      assert.strictEqual(requests.length, 1)
    }).pipe(Effect.scoped))

  it.live("with many others, some of which had not begun", () =>
    Effect.gen(function*() {
      const { connections, requests, url } = yield* serve(() => {})
      const { client: made } = yield* client({ provider: at(url), transport: transports.undici })
      const prompts = Array.from({ length: 1_000 }, (_, i) => ({ model, prompt: `hello ${i}` }))
      yield* interruptedAt(
        Stream.runDrain(made.callAll(prompts, { concurrency: 10 })),
        eventually("ten requests", Effect.sync(() => requests.length === 10))
      )
      yield* noConnection(connections)
      yield* settled
      assert.strictEqual(requests.length, 10)
    }).pipe(Effect.scoped))

  it.live("by the end of the client's scope", () =>
    Effect.gen(function*() {
      const { connections, requests, url } = yield* serve(() => {})
      yield* leavingNothing(Effect.gen(function*() {
        const scope = yield* Scope.make()
        const call = yield* Scope.extend(calling(url, "undici"), scope)
        const fibers = yield* Effect.forEach([1, 2, 3], (i) => Effect.fork(call(`hello ${i}`)))
        yield* eventually("the requests", Effect.sync(() => requests.length === 3))
        yield* Scope.close(scope, Exit.void)
        for (const fiber of fibers) assert(Exit.isInterrupted(yield* Fiber.await(fiber)))
      }))
      yield* noConnection(connections)
    }).pipe(Effect.scoped))
})

// ---------------------------------------------------------------------------------------------------------------------
// Memory
// ---------------------------------------------------------------------------------------------------------------------

const mebibyte = 1024 * 1024

/** What the heap holds that is in use. */
const heapUsed = Effect.sync(() => {
  assert(globalThis.gc !== undefined, "the tests run with --expose-gc")
  globalThis.gc()
  return process.memoryUsage().heapUsed
})

/** Waits until the heap is as small as it was. One collection does not find everything, nor do all timers end at once. */
const noMoreThan = (bytes: number, before: number) =>
  eventually(`a heap that has not grown by ${bytes} bytes`, Effect.map(heapUsed, (now) => now - before < bytes))

describe("the heap does not grow", () => {
  it.live(
    "from 2,000 calls to 10,000, of which some fail, some are retried and some are equal",
    () =>
      Effect.gen(function*() {
        let requests = 0
        const provider = LlmProvider.layer({
          name: "memory",
          endpoint: "memory:",
          call: (request) =>
            Effect.suspend(() => {
              requests++
              if (requests % 10 !== 0) {
                return Effect.succeed(LlmResponse.make({
                  parts: [Message.Text.make({ text: request.prompt })],
                  finishReason: "stop",
                  model: request.model,
                  provider: "memory"
                }))
              }
              const reason = requests % 20 === 0
                ? LlmError.ServerFailed.make({})
                : LlmError.AuthenticationFailed.make({})
              return new LlmError.LlmError({ operation: "call", attempts: 1, reason })
            })
        })
        const live = LlmClient.layer({ retry: { base: 0 } }).pipe(
          Layer.provide([provider, LlmCache.layerMemory({ capacity: 500 }), LlmLogger.layerSilent])
        )
        yield* Effect.gen(function*() {
          const calls = (from: number, to: number) =>
            Effect.forEach(
              Array.from({ length: to - from }, (_, i) => from + i),
              (i) =>
                Effect.exit(LlmClient.call({ model: `model-${i % 1_500}`, prompt: `${i - i % 2} ${"x".repeat(500)}` })),
              { concurrency: 20, discard: true }
            )
          yield* calls(0, 2_000)
          const before = yield* heapUsed
          yield* calls(2_000, 10_000)
          yield* noMoreThan(2 * mebibyte, before)
          // Each of the 8,000 has a prompt of half a kilobyte: kept, they would be twice the bound.
          assert.isAtLeast(requests, 5_000)
        }).pipe(Effect.provide(live))
      }),
    30_000
  )

  it.live.each(transportNames)("over %s, from 200 calls to 700", (transport) =>
    Effect.gen(function*() {
      let n = 0
      const { connections, forget, url } = yield* serve((response) => {
        n++
        if (n % 10 === 0) response.writeHead(500, json).end("{\"error\":{\"message\":\"no\"}}")
        else if (n % 25 === 0) response.destroy()
        else response.writeHead(200, json).end(answer("x".repeat(5_000)))
      })
      const live = LlmClient.layer({ retry: { base: 0 } }).pipe(
        Layer.provide(Layer.provide(at(url), transports[transport])),
        Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
      )
      yield* Effect.gen(function*() {
        const calls = (from: number, to: number) =>
          Effect.forEach(
            Array.from({ length: to - from }, (_, i) => from + i),
            (i) => Effect.exit(LlmClient.call({ model, prompt: `${i} ${"x".repeat(5_000)}` })),
            { concurrency: 10, discard: true }
          ).pipe(Effect.tap(() => Effect.sync(forget)))
        yield* calls(0, 200)
        const before = yield* heapUsed
        yield* calls(200, 700)
        // The prompts and the answers of the 500 are 5 MB.
        yield* noMoreThan(2 * mebibyte, before)
      }).pipe(Effect.provide(live))
      if (transport !== "node") assert.isAtMost(connections.open, 20)
    }).pipe(Effect.scoped))
})
