import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import {
  bytes,
  ends,
  finished,
  json,
  networkFailure,
  provider,
  reasonOf,
  type Service,
  service,
  sse,
  streaming
} from "../support/fakeHttp.js"
import { transports } from "../support/overHttp.js"

const secret = "sk-test-1234567890abcdefXYZ"
const apiKey = Redacted.make(secret)

const request = { model: "gpt-4o", prompt: "Which rivers flow through Dresden?" } as const

const completion = {
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }]
}
const events = [{ choices: [{ delta: { content: "Hi" }, finish_reason: "stop" }] }, "[DONE]"]

const openAi = (options: OpenAiChat.Options = {}) => OpenAiChat.layer({ apiKey, ...options })

const called = (answer: Service) => Effect.flatMap(provider(openAi(), answer), (service) => service.call(request))
const failed = (answer: Service) => Effect.flip(called(answer))

const kib = 1024
const mib = 1024 * 1024

/** A body without an end that knows how much of it was taken, and whether it was left. */
const endless = (
  options: { readonly chunk?: Uint8Array; readonly init?: ResponseInit; readonly stallAfter?: number }
) => {
  const { chunk = new Uint8Array(64 * kib).fill(0x20), init, stallAfter = Infinity } = options
  const seen = { bytes: 0, left: false }
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (seen.bytes >= stallAfter) return new Promise(() => {})
      seen.bytes += chunk.length
      return controller.enqueue(chunk)
    },
    cancel: () => {
      seen.left = true
    }
  }, { highWaterMark: 0 })
  return { seen, answer: () => new Response(body, init) }
}

/** Everything that a program or its logs may print of an error. */
const printed = (error: unknown): string =>
  [
    String(error),
    JSON.stringify(error),
    inspect(error, { depth: 20, showHidden: true }),
    Cause.pretty(Cause.fail(error))
  ]
    .join("\n")

// ---------------------------------------------------------------------------------------------------------------------
// A server on this machine
// ---------------------------------------------------------------------------------------------------------------------

const serve = (handle: (request: IncomingMessage, response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer(handle)
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

/** The provider of a layer over real HTTP. */
const over = (transport: Layer.Layer<HttpClient.HttpClient>) => (layer: ProviderLayer) =>
  Effect.map(Layer.build(Layer.provide(layer, transport)), (context) => {
    const { call, stream } = Effect.runSync(Effect.provide(LlmProvider.LlmProvider, context))
    return {
      call: () => Effect.flatMap(LlmRequest.decode(request), call),
      stream: () => Stream.flatMap(Stream.fromEffect(LlmRequest.decode(request)), stream)
    }
  })

const respond = (response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(typeof body === "string" ? body : JSON.stringify(body))
}

describe("http", () => {
  // -------------------------------------------------------------------------------------------------------------------
  describe("the body of an answer", () => {
    it.effect("is read up to 32 MiB", () =>
      Effect.gen(function*() {
        const { answer, seen } = endless({ init: { headers: { "content-type": "application/json" } } })
        const reason = reasonOf(yield* failed(answer), "MalformedResponse")
        assert.include(reason.message, "longer than")
        assert.isTrue(seen.left)
        assert.isAtMost(seen.bytes, 33 * mib)
        assert.isAtLeast(seen.bytes, 32 * mib)
      }))

    it.effect("is not read further because it said how long it is", () =>
      Effect.gen(function*() {
        const { answer, seen } = endless({ init: { headers: { "content-length": `${40 * mib}` } } })
        reasonOf(yield* failed(answer), "MalformedResponse")
        assert.isAtMost(seen.bytes, 33 * mib)
      }))

    it.effect("that is compressed is not taken for short because it was", () =>
      Effect.gen(function*() {
        const { answer, seen } = endless({
          init: { headers: { "content-length": "1000", "content-encoding": "gzip" } }
        })
        reasonOf(yield* failed(answer), "MalformedResponse")
        assert.isAtMost(seen.bytes, 33 * mib)
      }))

    it.effect("may come in pieces, divided anywhere", () =>
      Effect.gen(function*() {
        const text = JSON.stringify({ ...completion, choices: [{ message: { content: "Wörld 😊" } }] })
        for (const size of [1, 7, 1000]) {
          const all = bytes(text)
          const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
            all.subarray(i * size, (i + 1) * size))
          const response = yield* called(streaming(chunks, { contentType: "application/json" }))
          assert.strictEqual(response.text, "Wörld 😊")
        }
      }))

    it.effect("that breaks off is a network failure, with the system's code", () =>
      Effect.gen(function*() {
        const error = yield* failed(streaming(["{\"choices\":["], { contentType: "application/json", end: "cut" }))
        assert.strictEqual(reasonOf(error, "NetworkFailed").code, "UND_ERR_SOCKET")
        assert.isTrue(error.isRetryable)
      }))

    it.effect("shows no more than its type and length, if it is no JSON", () =>
      Effect.gen(function*() {
        const error = yield* failed(
          json(`<html>${secret} Dresden</html>`, { headers: { "content-type": "text/html" } })
        )
        assert.deepStrictEqual(
          error.reason.message,
          "the answer is not a JSON object (text/html, 48 characters)"
        )
      }))
  })

  describe("the body of an error", () => {
    it.effect("is read up to 64 KiB", () =>
      Effect.gen(function*() {
        const chunk = new Uint8Array(8 * kib).fill(0x78)
        const { answer, seen } = endless({ chunk, init: { status: 500 } })
        const error = yield* failed(answer)
        reasonOf(error, "ServerFailed")
        assert.isAtMost(error.reason.message?.length ?? 0, 500)
        assert.isTrue(seen.left)
        assert.isAtMost(seen.bytes, 72 * kib)
      }))

    it.effect("counts up to 64 KiB also where the status says that all is well, or an event holds it", () =>
      Effect.gen(function*() {
        const far = `${" ".repeat(100 * kib)}too far away`
        const error = { message: `slow down${far}`, details: [{ message: "x".repeat(8 * mib) }], code: "rate_limited" }
        const calling = yield* failed(json({ error }))
        reasonOf(calling, "RateLimited")
        assert.strictEqual(calling.reason.message, "slow down")
        const fake = yield* provider(openAi(), () => streaming([sse([{ error }])]))
        const { error: streamed } = yield* fake.stream(request)
        assert(streamed !== undefined)
        reasonOf(streamed, "RateLimited")
        assert.strictEqual(streamed.reason.message, "slow down")
      }))

    it.effect("steers no terminal", () =>
      Effect.gen(function*() {
        const error = yield* failed(
          json({ error: { message: "\u001b]0;title\u0007 \u202eno", code: "\u001b[2J", param: "\u0000" } }, {
            status: 400,
            headers: { "x-request-id": "req\u009b2J" }
          })
        )
        assert.strictEqual(error.reason.message?.slice(0, 32), "\\u001b]0;title\\u0007 \\u202eno")
        assert.strictEqual(error.requestId, "req\\u009b2J")

        assert.notMatch(printed(error), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      }))

    it.effect("is waited for five seconds: the status says enough", () =>
      Effect.gen(function*() {
        for (const operation of ["call", "stream"] as const) {
          const { answer, seen } = endless({ chunk: bytes("{\"error\":"), init: { status: 429 }, stallAfter: 1 })
          const slow = yield* provider(openAi(), answer)
          const fiber = yield* Effect.fork(
            operation === "call"
              ? Effect.flip(slow.call(request))
              : Effect.map(slow.stream(request), ({ error }) => error)
          )
          yield* TestClock.adjust("4900 millis")
          assert.isNull(yield* Fiber.poll(fiber).pipe(Effect.map((exit) => exit._tag === "None" ? null : exit)))
          yield* TestClock.adjust("200 millis")
          reasonOf(yield* Fiber.join(fiber), "RateLimited")
          assert.isTrue(seen.left)
        }
      }))

    it.effect("that breaks off leaves what the status says", () =>
      Effect.gen(function*() {
        const cut = () => new Response(streaming(["{\"error\":{\"mess"], { end: "cut" }).body, { status: 503 })
        reasonOf(yield* failed(cut), "Overloaded")
      }))

    it.effect("is at hand where the program's client fails on a status", () =>
      Effect.gen(function*() {
        const fake = service(json({ error: { message: "slow", code: "rate_limit_exceeded" } }, {
          status: 429,
          headers: { "retry-after": "2", "x-request-id": "req_1" }
        }))
        const strict = Layer.effect(
          HttpClient.HttpClient,
          Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk)
        )
        const layer = openAi().pipe(Layer.provide(strict), Layer.provide(fake.layer))
        const { call, stream } = yield* Effect.provide(LlmProvider.LlmProvider, layer)
        const decoded = yield* LlmRequest.decode(request)
        for (const error of [yield* Effect.flip(call(decoded)), yield* Effect.flip(Stream.runDrain(stream(decoded)))]) {
          reasonOf(error, "RateLimited")
          assert.strictEqual(error.requestId, "req_1")
          assert.strictEqual(error.status, 429)
          assert.isDefined(error.retryAfter)
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("a stream", () => {
    it.effect("is left where it is longer than any answer, comments included", () =>
      Effect.gen(function*() {
        const comment = bytes(`:${"x".repeat(mib - 2)}\n`)
        const { answer, seen } = endless({ chunk: comment, init: { headers: { "content-type": "text/event-stream" } } })
        const { error } = yield* Effect.flatMap(provider(openAi(), answer), (service) => service.stream(request))
        reasonOf(error, "MalformedResponse")
        assert.isTrue(seen.left)
        assert.isAtMost(seen.bytes, 260 * mib)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("headers", () => {
    it.effect("do not trace the request to others, even within a span", () =>
      Effect.gen(function*() {
        for (const layer of [openAi(), Anthropic.layer({ apiKey })]) {
          const fake = yield* provider(layer, json(completion))
          yield* Effect.withSpan(Effect.ignore(fake.call(request)), "parent")
          yield* Effect.withSpan(fake.stream(request), "parent")
          assert.strictEqual(fake.sent.length, 2)
          for (const { headers } of fake.sent) {
            for (const name of ["traceparent", "tracestate", "b3", "x-b3-traceid", "baggage"]) {
              assert.notProperty(headers, name)
            }
          }
        }
      }))

    it.effect("do not trace it where the program's client turns its own tracing on", () =>
      Effect.gen(function*() {
        const fake = service(json(completion))
        const traced = Layer.effect(
          HttpClient.HttpClient,
          Effect.map(HttpClient.HttpClient, HttpClient.withTracerDisabledWhen(() => false))
        )
        const layer = openAi().pipe(Layer.provide(traced), Layer.provide(fake.layer))
        const { call } = yield* Effect.provide(LlmProvider.LlmProvider, layer)
        yield* Effect.withSpan(Effect.flatMap(LlmRequest.decode(request), call), "parent")
        assert.strictEqual(fake.sent.length, 1)
        for (const { headers } of fake.sent) {
          assert.notProperty(headers, "traceparent")
          assert.notProperty(headers, "b3")
        }
      }))

    const requestIds = [
      "x-request-id",
      "request-id",
      "apim-request-id",
      "x-ms-request-id",
      "x-generation-id",
      "x-goog-request-id",
      "mistral-correlation-id"
    ]
    for (const name of requestIds) {
      it.effect(`state the id of the request: ${name}`, () =>
        Effect.gen(function*() {
          const headers = { [name]: "id-1" }
          assert.strictEqual((yield* called(json(completion, { headers }))).requestId, "id-1")
          assert.strictEqual((yield* failed(json({}, { headers, status: 500 }))).requestId, "id-1")
          assert.strictEqual((yield* failed(json("", { headers }))).requestId, "id-1")
          const streams = yield* provider(openAi(), streaming([sse(events)], { headers }))
          assert.strictEqual(finished(yield* streams.stream(request)).requestId, "id-1")
        }))
    }

    it.effect("may be without an id, or with one that is too long", () =>
      Effect.gen(function*() {
        assert.isUndefined((yield* called(json(completion))).requestId)
        assert.isUndefined((yield* called(json(completion, { headers: { "x-request-id": "" } }))).requestId)
        const long = yield* called(json(completion, { headers: { "x-request-id": "x".repeat(10_000) } }))
        assert.strictEqual(long.requestId?.length, 200)
      }))

    it.effect("say whether to send the request again, but not where that is of no use", () =>
      Effect.gen(function*() {
        const cases = [
          [500, "true", true],
          [500, "false", false],
          [429, "false", false],
          [400, "true", true],
          [400, "false", false],
          [401, "true", false],
          [403, "true", false],
          [402, "true", false],
          // Exactly so, or it says nothing.
          [500, "FALSE", true],
          [400, "TRUE", false]
        ] as const
        for (const [status, word, expected] of cases) {
          const error = yield* failed(
            json({ error: { message: "m" } }, { status, headers: { "x-should-retry": word } })
          )
          assert.strictEqual(error.isRetryable, expected, `${status} ${word}`)
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("the fiber that calls", () => {
    const told = Effect.all([
      Effect.context<never>(),
      FiberRef.get(HttpClient.currentTracerDisabledWhen),
      FiberRef.get(HttpClient.currentTracerPropagation)
    ])

    for (const [how, answer] of Object.entries(ends)) {
      it.effect(`is afterwards as before, when the call ${how}`, () =>
        Effect.gen(function*() {
          const { provider: { call, stream } } = yield* provider(openAi(), answer)
          const decoded = yield* LlmRequest.decode(request)
          for (const run of [call(decoded), Effect.scoped(Stream.toPull(stream(decoded)).pipe(Effect.flatten))]) {
            const before = yield* told
            yield* Effect.exit<unknown, unknown, never>(run)
            assert.deepStrictEqual(yield* told, before)
          }
        }))
    }
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("a connection that fails", () => {
    const codes = [
      ["ECONNREFUSED", true],
      ["ECONNRESET", true],
      ["EAI_AGAIN", true],
      ["UND_ERR_SOCKET", true],
      ["UND_ERR_HEADERS_TIMEOUT", true],
      ["ENOTFOUND", false],
      ["CERT_HAS_EXPIRED", false],
      ["DEPTH_ZERO_SELF_SIGNED_CERT", false]
    ] as const
    for (const [code, retryable] of codes) {
      it.effect(`with ${code} ${retryable ? "can" : "cannot"} be tried again`, () =>
        Effect.gen(function*() {
          const error = yield* failed((_, request) => Effect.fail(networkFailure(request, code)))
          assert.strictEqual(reasonOf(error, "NetworkFailed").code, code)
          assert.strictEqual(error.isRetryable, retryable)
          assert.isUndefined(error.status)
          assert.strictEqual(error.attempts, 1)
        }))
    }

    const causes = [
      ["as the cause itself", Object.assign(new Error("x"), { code: "ECONNRESET" })],
      [
        "among several",
        new TypeError("fetch failed", {
          cause: Object.assign(new AggregateError([Object.assign(new Error("x"), { code: "ECONNRESET" })]))
        })
      ],
      [
        "deep inside",
        new Error("a", { cause: new Error("b", { cause: Object.assign(new Error("c"), { code: "ECONNRESET" }) }) })
      ]
    ] as const
    for (const [name, cause] of causes) {
      it.effect(`gives the code that stands ${name}`, () =>
        Effect.gen(function*() {
          const error = yield* failed((_, request) =>
            Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause }))
          )
          assert.strictEqual(reasonOf(error, "NetworkFailed").code, "ECONNRESET")
        }))
    }

    it.effect("without a code says no more than that, and quotes nothing", () =>
      Effect.gen(function*() {
        const circular: { cause?: unknown } = {}
        circular.cause = circular
        for (const cause of [new Error(`secret ${secret}`), circular, "text", null, undefined]) {
          const error = yield* failed((_, request) =>
            Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause }))
          )
          assert.deepStrictEqual({ ...reasonOf(error, "NetworkFailed") }, {
            _tag: "NetworkFailed",
            message: "the connection failed"
          })
          assert.notInclude(printed(error), secret)
        }
      }))

    it.effect("because the request could not be built is the request's fault", () =>
      Effect.gen(function*() {
        for (const reason of ["Encode", "InvalidUrl"] as const) {
          const error = yield* failed((_, request) =>
            Effect.fail(new HttpClientError.RequestError({ request, reason }))
          )
          reasonOf(error, "InvalidRequest")
          assert.isFalse(error.isRetryable)
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("no error holds", () => {
    const hostile = `Incorrect API key provided: ${secret}. You sent "${request.prompt}" with Bearer ${secret}`
    const answers: ReadonlyArray<readonly [name: string, answer: Service]> = [
      [
        "a message that quotes them",
        json({ error: { message: hostile, param: secret, code: secret } }, { status: 400 })
      ],
      ["a text that quotes them", json(hostile, { status: 500, headers: { "content-type": "text/plain" } })],
      ["a page that quotes them", json(`<html><title>${hostile}</title></html>`, { status: 502 })],
      [
        "a request id that is the key",
        json({ error: { message: "x" } }, { status: 500, headers: { "x-request-id": secret } })
      ],
      ["a type of content that is the key", json("oops", { headers: { "content-type": `text/html; x=${secret}` } })],
      ["a 200 that quotes them", json({ error: { message: hostile } })],
      ["a broken connection", (_, request) => Effect.fail(networkFailure(request, "ECONNRESET"))],
      ["an event that quotes them", streaming([sse([{ error: { message: hostile } }])])],
      [
        "an event that quotes them after content",
        streaming([sse([{ choices: [{ delta: { content: "Hi" } }] }, { error: { message: hostile } }])])
      ],
      ["a stream that breaks off", streaming([sse([{ choices: [{ delta: { content: "Hi" } }] }])], { end: "cut" })]
    ]
    for (const [name, answer] of answers) {
      it.effect(`the key or the prompt, after ${name}`, () =>
        Effect.gen(function*() {
          for (
            const layer of [
              openAi({ headers: { "x-other": Redacted.make("other-secret-123456") } }),
              OpenAiChat.layer({ headers: { "x-key": apiKey } })
            ]
          ) {
            const fake = yield* provider(layer, answer)
            const errors: Array<LlmError.LlmError | undefined> = [(yield* fake.stream(request)).error]
            if (!(answer instanceof Response) || answer.headers.get("content-type") !== "text/event-stream") {
              errors.push(yield* Effect.flip(fake.call(request)))
            }
            for (const error of errors) {
              assert(error !== undefined)
              assert.notInclude(printed(error), secret)
              assert.notInclude(printed(error), "other-secret-123456")
              assert.notInclude(printed(error), request.prompt)
            }
          }
        }))
    }
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("options", () => {
    /** What keeps a layer from being built. */
    const refused = (layer: Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient>) =>
      Effect.gen(function*() {
        const fake = service(json(completion))
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(layer, fake.layer))))
        assert(Exit.isFailure(exit), "the layer was built")
        assert.isEmpty(fake.sent)
        return exit.cause
      })

    const withConfig = (config: Record<string, string>) =>
      Layer.provide(
        OpenAiChat.layerConfig({ apiKey: Config.redacted("KEY"), baseUrl: Config.string("URL") }),
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(config))))
      )

    const addresses = [
      ["with a user", "https://user:pa55word@llm.example.com/v1"],
      ["with a query", "https://llm.example.com/v1?key=pa55word"],
      ["with a fragment", "https://llm.example.com/v1#pa55word"],
      ["of another protocol", "ftp://llm.example.com/pa55word"],
      ["that is none", "pa55word"],
      ["that is empty", ""],
      ["over plain http to another machine, with a key", "http://llm.example.com/v1"],
      ["over plain http to another machine of the network, with a key", "http://192.168.0.7:8000/v1"],
      ["over plain http to what only looks like this machine", "http://127.0.0.1.example.com/v1"]
    ] as const
    for (const [name, baseUrl] of addresses) {
      it.effect(`refuse an address ${name}, without quoting it`, () =>
        Effect.gen(function*() {
          for (const layer of [openAi({ baseUrl }), Anthropic.layer({ apiKey, baseUrl })]) {
            const cause = yield* refused(layer)
            assert.isTrue(Cause.isDie(cause))
            assert.include(Cause.pretty(cause), "baseUrl must be")
            assert.notInclude(Cause.pretty(cause), "pa55word")
            assert.notInclude(Cause.pretty(cause), secret)
          }
          const cause = yield* refused(withConfig({ KEY: secret, URL: baseUrl }))
          const [error] = Cause.failures(cause)
          assert(error !== undefined && ConfigError.isConfigError(error), Cause.pretty(cause))
          assert.include(String(error), "baseUrl must be")
          assert.notInclude(String(error), "pa55word")
          assert.notInclude(String(error), secret)
        }))
    }

    const reachable = [
      "http://127.0.0.1:8000/v1",
      "http://127.1.2.3/v1",
      "http://localhost:8000/v1",
      "http://vllm.localhost/v1",
      "http://[::1]:8000/v1",
      "https://llm.example.com"
    ]
    for (const baseUrl of reachable) {
      it.effect(`take a key to ${baseUrl}`, () =>
        Effect.gen(function*() {
          const fake = yield* provider(openAi({ baseUrl }), json(completion))
          yield* fake.call(request)
          assert.strictEqual(fake.sent[0]?.url, `${baseUrl}/chat/completions`)
          assert.strictEqual(fake.sent[0]?.headers.authorization, `Bearer ${secret}`)
        }))
    }

    it.effect("take plain http to another machine without a key, or where the program insists", () =>
      Effect.gen(function*() {
        const baseUrl = "http://llm.example.com/v1"
        for (const layer of [OpenAiChat.layer({ baseUrl }), openAi({ baseUrl, insecure: true })]) {
          const fake = yield* provider(layer, json(completion))
          yield* fake.call(request)
          assert.strictEqual(fake.sent.length, 1)
        }
        const secretHeader = OpenAiChat.layer({ baseUrl, headers: { "x-key": apiKey } })
        assert.include(Cause.pretty(yield* refused(secretHeader)), "baseUrl must be")
      }))

    it.effect.each(["x trace", "", " x", "x:", "x\n", "x\u0000", "x(y)", "x/y", "x@y", "höhe", "x\u001b[2J"])(
      "refuse the header %j, which no client can send, naming the option",
      (name) =>
        Effect.gen(function*() {
          const headers = { [name]: "1" }
          for (
            const layer of [openAi({ headers }), Anthropic.layer({ apiKey, headers }), OpenAiChat.layer({ headers })]
          ) {
            const message = Cause.pretty(yield* refused(layer))
            assert.include(message, "headers must be names")

            assert.notMatch(message, /[\u0000\u001b]/)
          }
          const fromConfig = OpenAiChat.layerConfig({ apiKey: Config.succeed(apiKey), headers })
          assert.include(String([...Cause.failures(yield* refused(fromConfig))][0]), "headers must be names")
        })
    )

    it.effect("take every name that HTTP allows", () =>
      Effect.gen(function*() {
        const name = "X-a1!#$%&'*+.^_`|~-"
        const fake = yield* provider(openAi({ headers: { [name]: "1" } }), json(completion))
        yield* fake.call(request)
        assert.strictEqual(fake.sent[0]?.headers[name.toLowerCase()], "1")
      }))

    it.effect("join address and path by one slash", () =>
      Effect.gen(function*() {
        for (
          const baseUrl of ["https://a.example.com/foo", "https://a.example.com/foo/", "https://a.example.com/foo//"]
        ) {
          const fake = yield* provider(openAi({ baseUrl }), json(completion))
          yield* fake.call(request)
          assert.strictEqual(fake.sent[0]?.url, "https://a.example.com/foo/chat/completions")
        }
      }))

    const keys = [
      ["a line break at its end", "pa55word-1234567890\n"],
      ["a line break in it", "pa55word\r\nx-injected: 1"],
      ["NUL in it", "pa55word\0"],
      ["spaces around it", " pa55word "],
      ["nothing in it", ""],
      ["what no header can hold", "pa55word€"]
    ] as const
    for (const [name, key] of keys) {
      it.effect(`refuse a key with ${name}, without quoting it`, () =>
        Effect.gen(function*() {
          for (
            const layer of [
              OpenAiChat.layer({ apiKey: Redacted.make(key) }),
              Anthropic.layer({ apiKey: Redacted.make(key) }),
              OpenAiChat.layer({ headers: { "x-key": Redacted.make(key) } }),
              OpenAiChat.layer({ headers: { "x-key": key } })
            ]
          ) {
            const cause = yield* refused(layer)
            assert.isTrue(Cause.isDie(cause))
            assert.match(Cause.pretty(cause), /(?:apiKey|headers\.x-key) must be/)
            assert.notInclude(Cause.pretty(cause), "pa55word")
          }
          const cause = yield* refused(withConfig({ KEY: key, URL: "https://llm.example.com" }))
          assert.isTrue(Cause.isFailType(cause), Cause.pretty(cause))
          assert.notInclude(Cause.pretty(cause), "pa55word")
        }))
    }

    it.effect("that are missing in the configuration are named", () =>
      Effect.gen(function*() {
        const cause = yield* refused(withConfig({ URL: "https://llm.example.com" }))
        assert.include(Cause.pretty(cause), "KEY")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe.each(["fetch", "lean"] as const)("over a real connection, by %s", (transport) => {
    const live = over(transports[transport])

    it.scopedLive("sends a request and reads its answer", () =>
      Effect.gen(function*() {
        const seen: Array<
          { readonly url: string | undefined; readonly headers: IncomingMessage["headers"]; body: string }
        > = []
        const { url } = yield* serve((request, response) => {
          const one = { url: request.url, headers: request.headers, body: "" }
          seen.push(one)
          request.on("data", (chunk: Buffer) => one.body += chunk.toString())
          request.on("end", () => respond(response, completion, 200, { "x-request-id": "req_1" }))
        })
        const { call } = yield* live(openAi({ baseUrl: `${url}/v1` }))
        const response = yield* Effect.withSpan(call(), "parent")
        assert.strictEqual(response.text, "Hi")
        assert.strictEqual(response.requestId, "req_1")
        assert.strictEqual(seen[0]?.url, "/v1/chat/completions")
        assert.strictEqual(seen[0]?.headers.authorization, `Bearer ${secret}`)
        assert.strictEqual(JSON.parse(seen[0]?.body ?? "").messages[0].content, request.prompt)
        for (const name of ["traceparent", "b3"]) assert.notProperty(seen[0]?.headers, name)
      }))

    it.scopedLive("follows no redirect, and sends nothing elsewhere", () =>
      Effect.gen(function*() {
        let elsewhere = 0
        const other = yield* serve((_, response) => {
          elsewhere++
          respond(response, completion)
        })
        for (const status of [301, 302, 303, 307, 308]) {
          const { url } = yield* serve((_, response) =>
            respond(response, "", status, { location: `${other.url}/v1/x` })
          )
          const { call, stream } = yield* live(openAi({ baseUrl: url }))
          for (const error of [yield* Effect.flip(call()), yield* Effect.flip(Stream.runDrain(stream()))]) {
            assert.strictEqual(reasonOf(error, "InvalidRequest").code, "redirect")
            assert.strictEqual(error.status, status)
            assert.isFalse(error.isRetryable)
          }
        }
        assert.strictEqual(elsewhere, 0)
      }))

    it.scopedLive("fails with ECONNREFUSED where nobody listens", () =>
      Effect.gen(function*() {
        const { close, url } = yield* serve(() => {})
        close()
        const { call, stream } = yield* live(openAi({ baseUrl: url }))
        for (const error of [yield* Effect.flip(call()), yield* Effect.flip(Stream.runDrain(stream()))]) {
          assert.strictEqual(reasonOf(error, "NetworkFailed").code, "ECONNREFUSED")
          assert.isTrue(error.isRetryable)
          assert.notInclude(printed(error), secret)
        }
      }))

    it.scopedLive("fails where the connection closes before an answer, or in the middle of one", () =>
      Effect.gen(function*() {
        const silent = yield* serve((_, response) => response.destroy())
        reasonOf(yield* Effect.flip((yield* live(openAi({ baseUrl: silent.url }))).call()), "NetworkFailed")
        const half = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
          response.write("{\"choices\":[", () => response.destroy())
        })
        reasonOf(yield* Effect.flip((yield* live(openAi({ baseUrl: half.url }))).call()), "NetworkFailed")
        const stream = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(
            sse([{ choices: [{ delta: { content: "Hel" } }] }]),
            () => setTimeout(() => response.destroy(), 20)
          )
        })
        const error = yield* Effect.flip(Stream.runDrain((yield* live(openAi({ baseUrl: stream.url }))).stream()))
        assert.strictEqual(reasonOf(error, "StreamInterrupted").partial.text, "Hel")
      }))

    it.scopedLive("closes the connection where the answer is longer than it may be", () =>
      Effect.gen(function*() {
        const closed = yield* Deferred.make<void>()
        const { url } = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "application/json" })
          const chunk = Buffer.alloc(mib, 0x20)
          const more = () => {
            while (!response.destroyed && response.write(chunk));
          }
          response.on("drain", more)
          response.on("close", () => Deferred.unsafeDone(closed, Exit.void))
          more()
        })
        const error = yield* Effect.flip((yield* live(openAi({ baseUrl: url }))).call())
        assert.include(reasonOf(error, "MalformedResponse").message, "longer than")
        yield* Deferred.await(closed)
      }))

    for (const operation of ["call", "stream"] as const) {
      it.scopedLive(`closes the connection where a ${operation} is interrupted: before the answer, and within it`, () =>
        Effect.gen(function*() {
          for (const begun of [false, true]) {
            const received = yield* Deferred.make<void>()
            const closed = yield* Deferred.make<void>()
            const { url } = yield* serve((_, response) => {
              response.on("close", () => Deferred.unsafeDone(closed, Exit.void))
              if (begun) {
                response.writeHead(200, {
                  "content-type": operation === "call" ? "application/json" : "text/event-stream"
                })
                response.write("\n")
              }
              Deferred.unsafeDone(received, Exit.void)
            })
            const { call, stream } = yield* live(openAi({ baseUrl: url }))
            const fiber = yield* Effect.fork(operation === "call" ? call() : Stream.runDrain(stream()))
            yield* Deferred.await(received)
            if (begun) yield* Effect.sleep("20 millis")
            yield* Fiber.interrupt(fiber)
            yield* Effect.timeoutFail(Deferred.await(closed), {
              duration: "15 seconds",
              onTimeout: () => "the connection stayed open"
            })
          }
        }))
    }

    it.scopedLive("closes the connection where the consumer of a stream has enough", () =>
      Effect.gen(function*() {
        const closed = yield* Deferred.make<void>()
        const { url } = yield* serve((_, response) => {
          response.on("close", () => Deferred.unsafeDone(closed, Exit.void))
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(sse([{ choices: [{ delta: { content: "a" } }] }, { choices: [{ delta: { content: "b" } }] }]))
        })
        const { stream } = yield* live(openAi({ baseUrl: url }))
        assert.strictEqual((yield* Stream.runCollect(Stream.take(stream(), 2))).length, 2)
        yield* Effect.timeoutFail(Deferred.await(closed), {
          duration: "15 seconds",
          onTimeout: () => "the connection stayed open"
        })
      }))

    it.scopedLive("closes the connection at the end of an answer, though the server keeps it open", () =>
      Effect.gen(function*() {
        const closed = yield* Deferred.make<void>()
        const { url } = yield* serve((_, response) => {
          response.on("close", () => Deferred.unsafeDone(closed, Exit.void))
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(sse(events))
        })
        const { stream } = yield* live(openAi({ baseUrl: url }))
        yield* Stream.runDrain(stream())
        yield* Effect.timeoutFail(Deferred.await(closed), {
          duration: "15 seconds",
          onTimeout: () => "the connection stayed open"
        })
      }))
  })
})
