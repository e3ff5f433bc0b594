import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { finishOf, type Seen, seen } from "../support/consumers.js"
import { errorOf } from "../support/exits.js"
import { type Transport, transportNames, transports } from "../support/overHttp.js"

// ---------------------------------------------------------------------------------------------------------------------
// A service that sends what a test tells it to
// ---------------------------------------------------------------------------------------------------------------------

/** A request that came in. */
interface Received {
  readonly prompt: string
  /** Counts the requests of all prompts, and those of this one, from 1. */
  readonly n: number
  readonly attempt: number
}

interface Served {
  readonly url: string
  readonly received: ReadonlyArray<Received>
  /** How many connections are open. */
  readonly open: () => number
  /** How many responses were broken off by the client. */
  readonly aborted: () => number
}

const promptOf = (body: string): string => {
  const { messages: [{ content }] } = JSON.parse(body)
  return typeof content === "string" ? content : content[0].text
}

const serve = (answer: (response: ServerResponse, received: Received) => void) =>
  Effect.acquireRelease(
    Effect.async<Served & { readonly close: Effect.Effect<void> }>((resume) => {
      const received: Array<Received> = []
      const sockets = new Set<Socket>()
      const attempts = new Map<string, number>()
      let aborted = 0
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          const prompt = promptOf(Buffer.concat(chunks).toString())
          const attempt = (attempts.get(prompt) ?? 0) + 1
          attempts.set(prompt, attempt)
          const one = { prompt, attempt, n: received.length + 1 }
          received.push(one)
          response.on("close", () => {
            if (!response.writableEnded) aborted++
          })
          answer(response, one)
        })
      })
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({
          url: `http://127.0.0.1:${port}`,
          received,
          open: () => sockets.size,
          aborted: () => aborted,
          close: Effect.async<void>((resume) => {
            server.close(() => resume(Effect.void))
            for (const socket of sockets) socket.destroy()
          })
        }))
      })
    }),
    ({ close }) => close
  )

const begin = (response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" })

/** Writes the same again and again, until the connection closes. */
const forever = (response: ServerResponse, every: number, text: string) => {
  const timer = setInterval(() => response.write(text), every)
  response.on("close", () => clearInterval(timer))
}

/** Writes one text after another, no faster than they are taken; tells how many bytes were. */
const pour = (response: ServerResponse, texts: Iterable<string>) => {
  const poured = { bytes: 0 }
  const iterator = texts[Symbol.iterator]()
  const next = (): void => {
    for (;;) {
      const { done, value } = iterator.next()
      if (done === true) return void response.end()
      poured.bytes += value.length
      if (!response.write(value)) return void response.once("drain", next)
    }
  }
  next()
  return poured
}

// ---------------------------------------------------------------------------------------------------------------------
// Protocols
// ---------------------------------------------------------------------------------------------------------------------

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

interface Protocol {
  readonly model: string
  readonly layer: (url: string) => ProviderLayer
  readonly start: string
  readonly delta: (text: string) => string
  /** What comes after the text. The first of these with the marker says that the answer is whole. */
  readonly end: ReadonlyArray<string>
  /** The end of the answer, where the connection closes in good order, and where it breaks. */
  readonly terminal: { readonly end: string; readonly destroy: string }
  readonly overloaded: string
}

const apiKey = Redacted.make("k-0123456789abcdef")

const chatEvent = (fields: unknown) => `data: ${JSON.stringify(fields)}\n\n`
const choice = (delta: unknown) => chatEvent({ choices: [{ delta }] })
const chatFinish = chatEvent({ choices: [{ delta: {}, finish_reason: "stop" }] })
const chatUsage = chatEvent({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 5 } })

const messagesEvent = (fields: { readonly type: string; readonly [name: string]: unknown }) =>
  `event: ${fields.type}\ndata: ${JSON.stringify(fields)}\n\n`
const messageStop = messagesEvent({ type: "message_stop" })

const protocols = {
  "Chat Completions": {
    model: "gpt-4o-mini",
    layer: (url) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` }),
    start: choice({ role: "assistant", content: "" }),
    delta: (content) => choice({ content }),
    end: [chatFinish, chatUsage, "data: [DONE]\n\n"],
    terminal: { end: chatFinish.trimEnd(), destroy: chatUsage },
    overloaded: chatEvent({ error: { message: "Slow down", type: "overloaded_error", code: "overloaded" } })
  },
  "Messages": {
    model: "claude-sonnet-4-5",
    layer: (url) => Anthropic.layer({ apiKey, baseUrl: url }),
    start: [
      messagesEvent({ type: "message_start", message: { id: "msg_1", model: "m", usage: { input_tokens: 3 } } }),
      messagesEvent({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
      messagesEvent({ type: "ping" })
    ].join(""),
    delta: (text) => messagesEvent({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }),
    end: [
      messagesEvent({ type: "content_block_stop", index: 0 }),
      messagesEvent({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } }),
      messageStop
    ],
    terminal: { end: messageStop.trimEnd(), destroy: messageStop },
    overloaded: messagesEvent({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })
  }
} as const satisfies { readonly [name: string]: Protocol }

type ProtocolName = keyof typeof protocols

const protocolNames: ReadonlyArray<ProtocolName> = ["Chat Completions", "Messages"]

const words = ["Elbe, ", "Grüße ", "😊 ", "Rhein"]
const text = words.join("")

const whole = (protocol: Protocol, pieces: ReadonlyArray<string> = words) =>
  [protocol.start, ...pieces.map(protocol.delta), ...protocol.end].join("")

// ---------------------------------------------------------------------------------------------------------------------
// Clients
// ---------------------------------------------------------------------------------------------------------------------

/** A client that keeps nothing and retries at once; gives the streams of prompts. */
const streaming = (name: ProtocolName, url: string, transport: Transport = "fetch") =>
  Effect.map(
    Layer.build(
      LlmClient.layer({ retry: { base: 0, budget: false } }).pipe(
        Layer.provide(Layer.provide(protocols[name].layer(url), transports[transport])),
        Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
      )
    ),
    (context) => (prompt: string, options?: LlmClient.CallOptions) =>
      Context.get(context, LlmClient.LlmClient).stream({ model: protocols[name].model, prompt }, options)
  )

const textOf = ({ parts }: Pick<Seen, "parts">) =>
  parts.map((part) => part._tag === "TextDelta" ? part.text : "").join("")

/** How long it takes until something holds, in milliseconds; a defect if it does not within seconds. */
const until = (what: string, holds: () => boolean): Effect.Effect<number> =>
  Effect.gen(function*() {
    const started = performance.now()
    while (!holds()) {
      if (performance.now() - started > 15_000) return yield* Effect.dieMessage(`Has not come: ${what}`)
      yield* Effect.sleep(1)
    }
    return performance.now() - started
  })

/** The memory in use, in bytes. */
const memory = (): number => {
  globalThis.gc?.()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

const MB = 1024 * 1024

/** The server sees it within 100 ms where it has a core for itself. */
const soon = 10_000

describe.each(protocolNames)("streams over HTTP, %s", (name) => {
  const protocol: Protocol = protocols[name]

  it.live("come whole", () =>
    Effect.gen(function*() {
      const { url } = yield* serve((response) => begin(response).end(whole(protocol)))
      for (const transport of transportNames) {
        const result = yield* seen((yield* streaming(name, url, transport))("Hi"))
        assert.strictEqual(textOf(result), text)
        const response = finishOf(result)
        assert.deepStrictEqual([response.text, response.finishReason, response.attempts], [text, "stop", 1])
        assert.deepStrictEqual(response.usage, { inputTokens: 3, outputTokens: 5 })
      }
    }).pipe(Effect.scoped))

  // -------------------------------------------------------------------------------------------------------------------
  describe.each(["end", "destroy"] as const)("cut anywhere (%s)", (how) => {
    it.live("are asked for again before the first content, and StreamInterrupted with what came after it", () =>
      Effect.gen(function*() {
        const body = Buffer.from(whole(protocol))
        const terminal = Buffer.from(protocol.terminal[how])
        const length = body.indexOf(terminal) + terminal.length
        // Every byte takes long over HTTP; the tests of the decoders have them all.
        const offsets = Array.from({ length }, (_, offset) => offset).filter((offset) => offset % 9 === length % 9)
        const { received, url } = yield* serve((response, { attempt, prompt }) => {
          begin(response).flushHeaders()
          if (attempt > 1) return response.end(body)
          const part = body.subarray(0, Number(prompt))
          return how === "end" ? response.end(part) : response.write(part, () => response.destroy())
        })
        const stream = yield* streaming(name, url)
        const outcomes = { retried: 0, interrupted: 0 }
        yield* Effect.forEach(offsets, (offset) =>
          Effect.gen(function*() {
            const result = yield* seen(stream(`${offset}`))
            const attempts = received.filter(({ prompt }) => prompt === `${offset}`).length
            const at = `cut at ${offset}`
            if (result.exit._tag === "Success") {
              outcomes.retried++
              assert.strictEqual(textOf(result), text, at)
              assert.deepStrictEqual([finishOf(result).text, finishOf(result).attempts, attempts], [text, 2, 2], at)
            } else {
              outcomes.interrupted++
              const { attempts: counted, isRetryable, reason } = errorOf(result.exit)
              assert(reason._tag === "StreamInterrupted", `${at}: ${reason._tag}`)
              assert.isAbove(textOf(result).length, 0, at)
              assert.strictEqual(textOf(result), reason.partial.text, at)
              assert.isTrue(text.startsWith(reason.partial.text), at)
              assert.deepStrictEqual([attempts, counted, isRetryable], [1, 1, false], at)
            }
          }), { concurrency: 8, discard: true })
        assert.isAbove(outcomes.retried, 5)
        assert.isAbove(outcomes.interrupted, 5)
      }).pipe(Effect.scoped))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe.each(transportNames)("left before their end, over %s", (transport) => {
    const endless = Effect.gen(function*() {
      const served = yield* serve((response, { prompt }) => {
        if (prompt === "no answer") return
        begin(response).flushHeaders()
        response.write(protocol.start)
        if (prompt === "no content") return
        forever(response, 5, protocol.delta("Elbe, "))
      })
      return { ...served, stream: yield* streaming(name, served.url, transport) }
    })

    it.live("after two parts close the connection at once: the server sees it", () =>
      Effect.gen(function*() {
        const { aborted, open, stream } = yield* endless
        const parts = yield* Stream.runCollect(Stream.take(stream("Hi"), 2))
        const took = yield* until("the end of the response", () => aborted() === 1 && open() === 0)
        assert.strictEqual(Chunk.size(parts), 2)
        assert.isBelow(took, soon)
      }).pipe(Effect.scoped))

    it.live.each(["no answer", "no content", "content"])(
      "by an interruption close it likewise: during %s",
      (prompt) =>
        Effect.gen(function*() {
          const { aborted, open, received, stream } = yield* endless
          let parts = 0
          const fiber = yield* Effect.fork(Stream.runForEach(stream(prompt), () => Effect.sync(() => parts++)))
          yield* until("the request", () => prompt === "content" ? parts > 2 : received.length === 1)
          if (prompt === "no content") yield* Effect.sleep(10)
          assert.strictEqual(aborted(), 0)
          yield* Fiber.interrupt(fiber)
          const took = yield* until("the end of the response", () => aborted() === 1 && open() === 0)
          assert.isBelow(took, soon)
          assert.strictEqual(received.length, 1)
        }).pipe(Effect.scoped)
    )
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("that fail", () => {
    it.live("before the first part are asked for again: 429, then an error in a stream, then an answer", () =>
      Effect.gen(function*() {
        const { received, url } = yield* serve((response, { n }) => {
          if (n === 1) {
            response.writeHead(429, { "content-type": "application/json", "retry-after-ms": "20" })
            return response.end(JSON.stringify({ error: { type: "rate_limit_error", message: "Slow down" } }))
          }
          begin(response)
          return response.end(n === 2 ? protocol.start + protocol.overloaded : whole(protocol))
        })
        const started = performance.now()
        const result = yield* seen((yield* streaming(name, url))("Hi"))
        assert.strictEqual(textOf(result), text)
        assert.strictEqual(finishOf(result).attempts, 3)
        assert.strictEqual(received.length, 3)
        assert.isAtLeast(performance.now() - started, 20)
      }).pipe(Effect.scoped))

    it.live("after the first part are not: the error that the stream reports is the reason", () =>
      Effect.gen(function*() {
        const { open, received, url } = yield* serve((response) => {
          // The connection stays open: the event is the end of it.
          begin(response).write([protocol.start, protocol.delta("Elbe, "), protocol.overloaded].join(""))
        })
        const result = yield* seen((yield* streaming(name, url))("Hi"))
        const error = errorOf(result.exit)
        assert.strictEqual(textOf(result), "Elbe, ")
        assert.strictEqual(error.reason._tag, "Overloaded")
        assert.strictEqual(error.gaveUp, "a part of the answer had been delivered")
        assert.deepStrictEqual([error.attempts, received.length], [1, 1])
        yield* until("the end of the connection", () => open() === 0)
      }).pipe(Effect.scoped))

    it.live("by silence end at firstPartTimeout: comments and the beginning of an answer are no content", () =>
      Effect.gen(function*() {
        const { aborted, received, url } = yield* serve((response, { attempt, prompt }) => {
          if (attempt > 1) return begin(response).end(whole(protocol))
          begin(response).write(prompt === "comments" ? ": hi\n\n" : protocol.start)
          return forever(response, 20, ": keep-alive\n\n")
        })
        const stream = yield* streaming(name, url)
        for (const prompt of ["comments", "beginning"]) {
          // The answer that comes at once is a hundred times as fast: a busy machine must not lose it, too.
          const result = yield* seen(stream(prompt, { firstPartTimeout: 600 }))
          assert.strictEqual(textOf(result), text)
          assert.strictEqual(finishOf(result).attempts, 2)
          assert.isAtLeast(Duration.toMillis(finishOf(result).latency), 600)
        }
        assert.strictEqual(received.length, 4)
        const error = errorOf((yield* seen(stream("comments again", { firstPartTimeout: 5000, deadline: 150 }))).exit)
        assert.deepStrictEqual(error.reason, LlmError.TimedOut.make({ phase: "total", limit: Duration.millis(150) }))
        yield* until("the end of the silent responses", () => aborted() === 3)
      }).pipe(Effect.scoped))

    it.live("by silence after the first part end at idleTimeout: comments do not reset it", () =>
      Effect.gen(function*() {
        const { open, received, url } = yield* serve((response) => {
          begin(response).write(protocol.start + protocol.delta("Elbe, "))
          forever(response, 20, ": keep-alive\n\n")
        })
        const started = performance.now()
        const result = yield* seen((yield* streaming(name, url))("Hi", { idleTimeout: 200 }))
        assert.strictEqual(textOf(result), "Elbe, ")
        assert.deepStrictEqual(
          errorOf(result.exit).reason,
          LlmError.TimedOut.make({ phase: "idle", limit: Duration.millis(200) })
        )
        assert.isAtLeast(performance.now() - started, 200)
        yield* until("the end of the connection", () => open() === 0)
        assert.strictEqual(received.length, 1)
      }).pipe(Effect.scoped))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("and memory", () => {
    it.live.each(transportNames)(
      "a slow consumer stops the server, over %s: nothing piles up on the way",
      (transport) =>
        Effect.gen(function*() {
          const piece = "x".repeat(1024)
          const count = 40 * 1024
          const deltas = function*() {
            yield protocol.start
            for (let i = 0; i < count; i++) yield protocol.delta(piece)
            yield* protocol.end
          }
          let poured = { bytes: 0 }
          const { url } = yield* serve((response) => {
            poured = pour(begin(response), deltas())
          })
          const stream = yield* streaming(name, url, transport)
          const before = memory()
          let used = 0
          yield* stream("Hi").pipe(
            Stream.take(30),
            Stream.runForEach(() => Effect.sleep(10)),
            Effect.ensuring(Effect.sync(() => used = memory() - before))
          )
          // What the system buffers for a socket, there and here, is not ours: up to some megabytes on loopback.
          assert.isBelow(poured.bytes / MB, 20)
          assert.isBelow(used / MB, 10)
        }).pipe(Effect.scoped)
    )
  })
})

describe("streams over HTTP", () => {
  it.live("200 of 500 deltas at the same time all come whole, in bounded memory, and leave nothing", () =>
    Effect.gen(function*() {
      const pieces = Array.from({ length: 500 }, (_, i) => `word ${i} `)
      const expected = pieces.join("")
      const deltas = function*(protocol: Protocol) {
        yield protocol.start
        for (const piece of pieces) yield protocol.delta(piece)
        yield* protocol.end
      }
      const { received, url } = yield* serve((response, { prompt }) => {
        const name = protocolNames.find((name) => prompt.startsWith(name)) ?? "Messages"
        pour(begin(response), deltas(protocols[name]))
      })
      const streams = {
        "Chat Completions": yield* streaming("Chat Completions", url),
        "Messages": yield* streaming("Messages", url)
      }
      const one = (name: ProtocolName, i: number) =>
        Effect.gen(function*() {
          let came = ""
          let last = ""
          yield* Stream.runForEach(streams[name](`${name} ${i}`), (part) =>
            Effect.sync(() => {
              last = part._tag
              if (part._tag === "TextDelta") came += part.text
              else if (part._tag === "Finish") assert.strictEqual(part.response.text, expected)
            }))
          assert.deepStrictEqual([last, came === expected], ["Finish", true])
        })
      yield* Effect.forEach(protocolNames, (name) => one(name, 0))
      const before = memory()
      let peak = 0
      const sample = Effect.sync(() => {
        const { external, heapUsed } = process.memoryUsage()
        peak = Math.max(peak, heapUsed + external - before)
      })
      const sampling = yield* Effect.fork(Effect.forever(Effect.zipRight(Effect.sleep(20), sample)))
      yield* Effect.forEach(
        Array.from({ length: 200 }, (_, i) => i + 1),
        (i) => one(i % 2 === 0 ? "Messages" : "Chat Completions", i),
        { concurrency: "unbounded", discard: true }
      )
      yield* Fiber.interrupt(sampling)
      assert.strictEqual(received.length, 202)
      assert.isBelow(peak / MB, 200)
      // The idle connections of both sides are still there.
      assert.isBelow((memory() - before) / MB, 40)
    }).pipe(Effect.scoped))
})
