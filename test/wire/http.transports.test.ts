import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import type { ServerResponse } from "node:http"
import { gzipSync } from "node:zlib"
import {
  client,
  ended,
  eventually,
  failureOf,
  type Provider,
  providers,
  quickly,
  serve,
  serveSockets,
  settled,
  simulated,
  sleepingUntil,
  transports
} from "../support/overHttp.js"

/** A whole answer of each protocol. */
const answers: { readonly [name in Provider]: (text: string) => string } = {
  openai: (text) =>
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model: "gpt-4o-mini",
      choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
    }),
  anthropic: (text) =>
    JSON.stringify({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-sonnet-4-5",
      content: [{ type: "text", text }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 3, output_tokens: 2 }
    })
}

const json = { "content-type": "application/json" }

const matrix = [
  ["fetch", "openai"],
  ["fetch", "anthropic"],
  ["undici", "openai"],
  ["node", "anthropic"],
  ["lean", "openai"],
  ["lean", "anthropic"],
  ["leanMapped", "openai"]
] as const

describe.each(matrix)("over %s, %s", (transport, provider) => {
  /** A client of a server of one's own, and a call of it. */
  const calling = (url: string) =>
    Effect.map(
      client({ provider: providers[provider].at(url), transport: transports[transport], client: quickly }),
      ({ client }) => (prompt: string, options?: Parameters<typeof client.call>[1]) =>
        client.call({ model: providers[provider].model, prompt }, options)
    )

  const answering = (answer: (response: ServerResponse, n: number) => void) =>
    Effect.gen(function*() {
      const served = yield* serve((response, _, n) => answer(response, n))
      return { ...served, call: yield* calling(served.url) }
    })

  describe("an answer", () => {
    it.live("comes back with the facts of its headers and its body", () =>
      Effect.gen(function*() {
        const { call, simulator } = yield* simulated({ provider, transport })
        const response = yield* call("Echo: Grüße, 你好 😊")
        assert.strictEqual(response.text, "Grüße, 你好 😊")
        assert.match(response.requestId ?? "", /^req_/)
        assert.isDefined(response.rateLimit)
        assert.isAbove(response.usage.outputTokens ?? 0, 0)
        const [request] = yield* simulator.requests
        assert.strictEqual(request?.headers["content-type"], "application/json")
        assert.isUndefined(request?.headers.traceparent)
        assert.isUndefined(request?.headers.b3)
      }).pipe(Effect.withSpan("parent"), Effect.scoped))

    it.live("may come a byte at a time, in the middle of characters, behind blank lines and a BOM", () =>
      Effect.gen(function*() {
        const bytes = Buffer.from(`\uFEFF\n\n \n${answers[provider]("Grüße, 你好 😊")}`)
        const { call } = yield* answering((response) => {
          response.writeHead(200, json)
          const next = (at: number): void => {
            if (at >= bytes.length) response.end()
            else response.write(bytes.subarray(at, at + 1), () => next(at + 1))
          }
          next(0)
        })
        assert.strictEqual((yield* call("hello")).text, "Grüße, 你好 😊")
      }).pipe(Effect.scoped))

    it.live("may come whole, with its length, and a BOM", () =>
      Effect.gen(function*() {
        const bytes = Buffer.from(`\uFEFF${answers[provider]("Grüße")}`)
        const { call } = yield* answering((response) =>
          response.writeHead(200, { ...json, "content-length": bytes.length }).end(bytes)
        )
        assert.strictEqual((yield* call("hello")).text, "Grüße")
      }).pipe(Effect.scoped))

    it.live("may come from a server that closes the connection each time, announced or not", () =>
      Effect.gen(function*() {
        const { call } = yield* answering((response, n) => {
          response.writeHead(200, n % 2 === 0 ? { ...json, connection: "close" } : json)
          response.end(answers[provider](`${n}`), () => setImmediate(() => response.socket?.destroy()))
        })
        for (let i = 1; i <= 6; i++) assert.match((yield* call(`hello ${i}`)).text, /^\d+$/)
      }).pipe(Effect.scoped))
  })

  describe("a body without an answer", () => {
    const malformed: ReadonlyArray<readonly [what: string, fault: Simulator.Fault]> = [
      ["a page", Simulator.html(200)],
      ["half a JSON", Simulator.halfJson],
      ["an empty body", Simulator.emptyBody()],
      ["204", Simulator.emptyBody(204)],
      ["a string", Simulator.status(200, { body: "\"hello\"" })],
      ["null", Simulator.status(200, { body: "null" })],
      ["an empty object", Simulator.status(200, { body: {} })],
      ["a list", Simulator.status(200, { body: [] })],
      ["another protocol's answer", Simulator.status(200, { body: { response: "hello" } })]
    ]

    it.live.each(malformed)(
      "with status 200 is malformed, and asked for again: %s",
      ([, fault]) =>
        Effect.gen(function*() {
          const { call, events, requestCount } = yield* simulated({
            provider,
            transport,
            faults: Simulator.sequence([fault]),
            client: quickly
          })
          assert.strictEqual((yield* call("Echo: hello")).text, "hello")
          assert.strictEqual(yield* requestCount, 2)
          const reasons = (yield* events).flatMap((event) =>
            event._tag === "CallFailed" ? [event.error.reason._tag] : []
          )
          assert.deepStrictEqual(reasons, ["MalformedResponse"])
        }).pipe(Effect.scoped)
    )

    it.live("an error with status 200 has its own reason", () =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* simulated({
          provider,
          transport,
          faults: Simulator.sequence([
            Simulator.status(200, { body: { error: { type: "invalid_request_error", message: "no such thing" } } })
          ]),
          client: quickly
        })
        const error = yield* failureOf(call("Echo: hello"))
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.strictEqual(yield* requestCount, 1)
      }).pipe(Effect.scoped))

    it.live("something without an end is read to a bound, and the connection closed", () =>
      Effect.gen(function*() {
        const block = Buffer.alloc(1024 * 1024, 0x20)
        const { call, connections } = yield* answering((response, n) => {
          response.writeHead(n === 1 ? 200 : 500, json)
          const more = (): void => void (response.destroyed || response.write(block, more))
          more()
        })
        const failed = yield* failureOf(call("hello", { retry: false }))
        assert.strictEqual(failed.reason._tag, "MalformedResponse")
        assert.match(failed.message, /longer than/)
        yield* eventually("no connection", Effect.sync(() => connections.open === 0))
        const error = yield* failureOf(call("hello", { retry: false }))
        assert.strictEqual(error.reason._tag, "ServerFailed")
        yield* eventually("no connection", Effect.sync(() => connections.open === 0))
      }).pipe(Effect.scoped))
  })

  describe("the network", () => {
    it.live("refuses: the failure says so, after all retries", () =>
      Effect.gen(function*() {
        const { url } = yield* Effect.scoped(serve(() => {}))
        const call = yield* calling(url)
        const error = yield* failureOf(call("hello"))
        assert.deepStrictEqual(error.reason, { _tag: "NetworkFailed", code: "ECONNREFUSED" } as LlmError.Reason)
        assert.strictEqual(error.attempts, 3)
      }).pipe(Effect.scoped))

    it.live.each(
      [
        ["resets before the headers", Simulator.reset],
        ["cuts the body", Simulator.cut]
      ] as const
    )("%s: retried", ([, fault]) =>
      Effect.gen(function*() {
        const { call, events, requestCount } = yield* simulated({
          provider,
          transport,
          faults: Simulator.sequence([fault, fault]),
          client: quickly
        })
        assert.strictEqual((yield* call("Echo: hello")).text, "hello")
        assert.strictEqual(yield* requestCount, 3)
        const reasons = (yield* events).flatMap((event) => event._tag === "CallFailed" ? [event.error.reason._tag] : [])
        assert.deepStrictEqual(reasons, ["NetworkFailed", "NetworkFailed"])
      }).pipe(Effect.scoped))

    it.live("cuts a body whose length nobody knows: no half answer is taken for a whole one", () =>
      Effect.gen(function*() {
        const { call, requests } = yield* answering((response, n) => {
          response.writeHead(200, json)
          if (n === 2) response.end(answers[provider]("whole"))
          else response.write(answers[provider]("part").slice(0, 60), () => response.socket?.destroy())
        })
        assert.strictEqual((yield* call("hello")).text, "whole")
        assert.strictEqual(requests.length, 2)
      }).pipe(Effect.scoped))

    it.live("leads to something that speaks no HTTP", () =>
      Effect.gen(function*() {
        const { url } = yield* serveSockets((socket) => void socket.end("SSH-2.0-OpenSSH_9.6\r\n"))
        const call = yield* calling(url)
        const error = yield* failureOf(call("hello"))
        assert.deepStrictEqual([error.reason._tag, error.attempts], ["NetworkFailed", 3])
      }).pipe(Effect.scoped))

    it.live.each([301, 302, 303, 307, 308])("is not left for elsewhere: %i", (status) =>
      Effect.gen(function*() {
        const elsewhere = yield* serve((response) => response.writeHead(200, json).end(answers[provider]("stolen")))
        const { call, requestCount } = yield* simulated({
          provider,
          transport,
          faults: Simulator.always(Simulator.redirect(`${elsewhere.url}/v1/messages`, status)),
          client: quickly
        })
        const error = yield* failureOf(call("Echo: hello"))
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.strictEqual(yield* requestCount, 1)
        assert.strictEqual(elsewhere.connections.total, 0)
      }).pipe(Effect.scoped))
  })

  describe("time", () => {
    const aborted = (run: { readonly simulator: Simulator.Service }) =>
      run.simulator.awaitRequests((requests) => requests.every(({ outcome }) => outcome === "aborted"))

    const stalls: ReadonlyArray<readonly [what: string, fault: Simulator.Fault, status: number | undefined]> = [
      ["a server that says nothing", Simulator.silence, undefined],
      ["a body that stalls before its first byte", Simulator.stalledBody({ afterBytes: 0 }), 200],
      ["a body that stalls", Simulator.stalledBody({ afterBytes: 40 }), 200]
    ]

    it.scoped.each(stalls)(
      "is up for %s: after the timeout, not before, and the server sees it",
      ([, fault, status]) =>
        Effect.gen(function*() {
          const run = yield* simulated({ provider, transport, faults: Simulator.always(fault) })
          const fiber = yield* Effect.fork(Effect.flip(run.call("Echo: hello", { timeout: "7 seconds", retry: false })))
          yield* run.simulator.awaitRequests(([first]) => first !== undefined && first.status === status)
          yield* settled
          yield* TestClock.adjust(6_999)
          yield* settled
          assert.strictEqual(fiber.unsafePoll(), null)
          yield* TestClock.adjust(1)
          const error = yield* yield* ended(fiber)
          assert.strictEqual(error.reason._tag, "TimedOut")
          assert.match(error.message, /attempt 7s/)
          yield* aborted(run)
          yield* eventually("no connection", Effect.sync(() => run.connections.open === 0))
        })
    )

    it.scoped("is no matter for a body that trickles as long as it comes within the timeout", () =>
      Effect.gen(function*() {
        const run = yield* simulated({
          provider,
          transport,
          faults: Simulator.always(Simulator.slowBody({ chunkBytes: 200, delay: "2 millis" }))
        })
        const fiber = yield* Effect.fork(run.call("Echo: hello"))
        assert.strictEqual((yield* yield* ended(fiber)).text, "hello")
      }))

    it.scoped("that runs out for one attempt is given to the next", () =>
      Effect.gen(function*() {
        const run = yield* simulated({
          provider,
          transport,
          faults: Simulator.sequence([Simulator.silence]),
          client: { timeout: "7 seconds", retry: { base: 0 } }
        })
        const fiber = yield* Effect.fork(run.call("Echo: hello"))
        yield* run.simulator.awaitRequests((requests) => requests.length === 1)
        yield* settled
        yield* TestClock.adjust("7 seconds")
        const response = yield* yield* ended(fiber)
        assert.deepStrictEqual([response.text, response.attempts], ["hello", 2])
      }))

    it.scoped("ends at once for a caller that is interrupted: the server sees the connection close", () =>
      Effect.gen(function*() {
        for (const fault of [Simulator.silence, Simulator.stalledBody({ afterBytes: 40 })]) {
          const run = yield* simulated({ provider, transport, faults: Simulator.always(fault) })
          const fiber = yield* Effect.fork(run.call("Echo: hello"))
          yield* run.simulator.awaitRequests(([first]) =>
            first !== undefined && (fault._tag === "Silence" || first.status === 200)
          )
          yield* settled
          yield* Fiber.interrupt(fiber)
          yield* aborted(run)
          yield* eventually("no connection", Effect.sync(() => run.connections.open === 0))
        }
      }))
  })
})

describe("over HTTP", () => {
  it.live("an answer that is compressed is bounded by what it unpacks to", () =>
    Effect.gen(function*() {
      const bomb = gzipSync(Buffer.alloc(33 * 1024 * 1024, 0x20))
      const { connections, url } = yield* serve((response) =>
        response.writeHead(200, { ...json, "content-encoding": "gzip", "content-length": bomb.length }).end(bomb)
      )
      const { client: made } = yield* client({ provider: providers.openai.at(url), client: { retry: false } })
      const error = yield* failureOf(made.call({ model: "gpt-4o-mini", prompt: "hello" }))
      assert.strictEqual(error.reason._tag, "MalformedResponse")
      assert.match(error.message, /longer than/)
      yield* eventually("no connection", Effect.sync(() => connections.open === 0))
    }).pipe(Effect.scoped))

  it.live("a name that does not exist is not asked for again", () =>
    Effect.gen(function*() {
      const nowhere = NodeHttpClient.makeAgentLayer({
        lookup: (hostname, _, callback) =>
          callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" }), "")
      })
      const { client: made } = yield* client({
        provider: providers.openai.at("http://nowhere.localhost"),
        transport: Layer.provide(NodeHttpClient.layerWithoutAgent, nowhere),
        client: quickly
      })
      const error = yield* failureOf(made.call({ model: "gpt-4o-mini", prompt: "hello" }))
      assert.deepStrictEqual(error.reason, { _tag: "NetworkFailed", code: "ENOTFOUND" } as LlmError.Reason)
      assert.strictEqual(error.attempts, 1)
    }).pipe(Effect.scoped))

  it.live("connections are used again where the client keeps them", () =>
    Effect.gen(function*() {
      for (const transport of ["fetch", "undici"] as const) {
        const { call, connections } = yield* simulated({
          provider: "openai",
          transport,
          faults: Simulator.perPrompt([Simulator.ok, Simulator.status(500), Simulator.status(429)]),
          client: quickly
        })
        for (let i = 0; i < 12; i++) yield* call(`Echo: ${i}`)
        // One, or two where the next call begins before the last answer's end has been seen.
        assert.isAtMost(connections.total, 2, transport)
      }
    }).pipe(Effect.scoped))

  it.scoped("an error body that stalls does not hide what the status says", () =>
    Effect.gen(function*() {
      const { connections, url } = yield* serve((response) => void response.writeHead(401, json).write("{\"error\":"))
      const { client: made } = yield* client({ provider: providers.openai.at(url) })
      const fiber = yield* Effect.fork(Effect.flip(made.call({ model: "gpt-4o-mini", prompt: "hello" })))
      yield* sleepingUntil(5_000)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* yield* ended(fiber)).reason._tag, "AuthenticationFailed")
      yield* eventually("no connection", Effect.sync(() => connections.open === 0))
    }))
})
