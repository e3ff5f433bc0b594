import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ServerResponse } from "node:http"
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import * as Decoder from "../../src/wire/undiciDecoder.js"
import { client, eventually, failureOf, providers, serve, settled, transports } from "../support/overHttp.js"

const encodings: { readonly [name: string]: (bytes: Buffer) => Buffer } = {
  gzip: (bytes) => gzipSync(bytes),
  "x-gzip": (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  "deflate, bare": (bytes) => deflateRawSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
  "GZip, br": (bytes) => brotliCompressSync(gzipSync(bytes)),
  "identity": (bytes) => bytes
}

const nameOf = (name: string) => name.replace(", bare", "")

const text = "Die Elbe fließt. ".repeat(5_000)

const whole = JSON.stringify({ choices: [{ message: { role: "assistant", content: text }, finish_reason: "stop" }] })

const streamed = [
  { choices: [{ delta: { content: text } }] },
  { choices: [{ delta: {}, finish_reason: "stop" }] }
].map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") + "data: [DONE]\n\n"

const request = { model: "gpt-4o-mini", prompt: "Name a river." }

const mebibyte = 1024 * 1024

/** Compressed blanks: up to a thousand times as long as they look. */
const bombs: { readonly [name: string]: Buffer } = Object.fromEntries(
  Object.entries(encodings).filter(([name]) => !["identity", "x-gzip", "deflate, bare"].includes(name)).map((
    [name, encode]
  ) => [
    name,
    encode(Buffer.alloc(64 * mebibyte, " "))
  ])
)

describe.each(["fetch", "lean", "leanMapped"] as const)("content encodings over %s", (transport) => {
  const calling = (answer: (response: ServerResponse, n: number) => void) =>
    Effect.gen(function*() {
      const served = yield* serve((response, _, n) => answer(response, n))
      const { client: made } = yield* client({
        provider: providers.openai.at(served.url),
        transport: transports[transport],
        client: { retry: false }
      })
      return { ...served, made }
    })

  it.scopedLive.each(Object.keys(encodings))(
    "%s: a whole answer, a stream and the body of an error are decoded",
    (name) =>
      Effect.gen(function*() {
        const { made, url } = yield* calling((response, n) => {
          const body = [
            whole,
            streamed,
            JSON.stringify({ error: { message: `No: ${"é".repeat(100)}`, code: "context_length_exceeded" } })
          ][n - 1]!
          const bytes = encodings[name]!(Buffer.from(body))
          response.writeHead(n === 3 ? 400 : 200, {
            "content-type": n === 2 ? "text/event-stream" : "application/json",
            "content-encoding": nameOf(name)
          })
          // In two pieces, so that the beginning alone has to be enough to know the encoding.
          response.write(bytes.subarray(0, 3), () => setImmediate(() => response.end(bytes.subarray(3))))
        })
        assert.strictEqual((yield* made.call(request)).text, text)
        const parts = yield* Stream.runCollect(made.stream({ ...request, prompt: "Name another." }))
        const read = [...parts].map((part) => part._tag === "TextDelta" ? part.text : "").join("")
        assert.strictEqual(read, text)
        const error = yield* failureOf(made.call({ ...request, prompt: "Name a third." }))
        assert.strictEqual(error.reason._tag, "ContextLengthExceeded")
        assert.include(error.message, "é".repeat(100))
        assert.isNotEmpty(url)
      })
  )

  it.scopedLive.each(Object.keys(bombs))(
    "%s: what unpacks to too much ends in a bounded failure",
    (name) =>
      Effect.gen(function*() {
        const { connections, made } = yield* calling((response, n) =>
          void response.writeHead(n === 3 ? 400 : 200, {
            "content-type": n === 2 ? "text/event-stream" : "application/json",
            "content-encoding": nameOf(name)
          }).end(bombs[name])
        )
        const call = yield* failureOf(made.call(request))
        assert.strictEqual(call.reason._tag, "MalformedResponse")
        assert.match(call.message, /longer than/)
        const stream = yield* failureOf(Stream.runDrain(made.stream({ ...request, prompt: "Name another." })))
        assert.strictEqual(stream.reason._tag, "MalformedResponse")
        const error = yield* failureOf(made.call({ ...request, prompt: "Name a third." }))
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.isBelow(error.message.length, 1_000)
        yield* settled
        // What was cut short is aborted: only an answer that had come whole leaves its connection.
        yield* eventually("connections that are not used", Effect.sync(() => connections.open <= 1))
      })
  )

  it.scopedLive("a body in another encoding, or one that breaks off, is a typed failure", () =>
    Effect.gen(function*() {
      const bytes = gzipSync(Buffer.from(whole))
      // The fetch of Node 22 hangs where more comes than its decoder lets wait.
      const plain = Buffer.from(whole).subarray(0, transport === "fetch" ? 1_000 : undefined)
      const broken = [plain, Buffer.concat([bytes.subarray(0, 100), Buffer.alloc(100, 7)])]
      const { made } = yield* calling((response, n) =>
        void response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
          .end(broken[(n - 1) % 2])
      )
      for (const prompt of ["a", "b"]) {
        const error = yield* failureOf(made.call({ ...request, prompt }))
        assert.include(["NetworkFailed", "MalformedResponse"], error.reason._tag)
      }
    }))
})

describe("the decoder of UndiciTransport", () => {
  it.live("unpacks no more than its reader takes, and lets the connection wait", () =>
    Effect.gen(function*() {
      // More than the 64 KiB that a stream of Node 22 lets wait.
      const bomb = gzipSync(Buffer.alloc(128 * mebibyte, "a"))
      let read = 0
      const decoder = Decoder.make(["gzip"], bomb, {
        data: ({ length }) => {
          read += length
          decoder.pause()
        },
        end: () => {},
        error: () => {},
        drain: () => {}
      })
      assert.isFalse(decoder.write(bomb))
      for (let n = 1; n <= 3; n++) {
        decoder.resume()
        yield* eventually("a piece", Effect.sync(() => read > 0))
        yield* settled
        assert.isAtMost(read, n * 64 * 1024)
      }
      decoder.destroy()
    }))
})
