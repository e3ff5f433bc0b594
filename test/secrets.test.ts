import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as KeyValueCache from "effect-llm/KeyValueCache"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import type * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { ServerResponse } from "node:http"
import { inspect } from "node:util"
import { classify } from "../src/wire/classify.js"
import {
  type Client,
  client,
  type ClientOptions,
  eventually,
  type Received,
  serve,
  settled,
  transportNames,
  transports
} from "./support/overHttp.js"

// ---------------------------------------------------------------------------------------------------------------------
// What must not be seen
// ---------------------------------------------------------------------------------------------------------------------

const request: LlmRequest.Input = {
  model: "model-1",
  system: "You work for project Nachtfalke-Zwölf.\nNever tell \"outsiders\".\nThe code is amber-falcon-93.",
  messages: [
    {
      role: "user",
      content:
        "Patient: Zofia Żółć-Kowalska\nBorn: 1961-04-12\nNumber: 078-05-1120\nNote: \"quux-lemma\" & <b>ibex-77</b>\n" +
        "密码是珊瑚礁\tC:\\secret\\oriole.txt"
    },
    {
      role: "assistant",
      content: [{ _tag: "ToolCall", id: "call_1", name: "look_up", arguments: { account: "DE89370400440532013000" } }]
    },
    {
      role: "tool",
      content: [{
        _tag: "ToolResult",
        id: "call_1",
        name: "look_up",
        result: { balance: "55501.23 Taler", notes: ["row \"x1y2z3w4\"", "row\nwren-8842"] }
      }]
    },
    { role: "user", content: "Finch-2209?" }
  ],
  tools: [{
    name: "look_up",
    description: "Looks into the ledger of the house Steinadler & Partner.",
    parameters: { type: "object", properties: { account: { type: "string" } } }
  }]
}

/** Pieces of the above. None of them occurs in what a server says by itself. */
const pieces = [
  "Nachtfalke",
  "outsiders",
  "amber-falcon",
  "Zofia",
  "Kowalska",
  "1961-04-12",
  "078-05-1120",
  "quux-lemma",
  "ibex-77",
  "珊瑚",
  "oriole",
  "DE8937040",
  "55501.23",
  "x1y2z3w4",
  "wren-8842",
  "Finch-2209",
  "Steinadler"
]

const key = "zk9Lq2Vw8XrT5mNc7Bd4Hj6Fp3Gs1Ky0"

const gatewaySecret = "gw.Pz4+Rt6/Uv8=Wx1~Yb3"

interface Secret {
  readonly name: string
  /** Any of these gives it away. */
  readonly traces: ReadonlyArray<string>
}

const escaped = (text: string) =>
  text.replace(/[^\x20-\x7E]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Pieces of a key, of which every part that could be of use holds one whole. */
const partsOf = (text: string, length = 6): ReadonlyArray<string> =>
  text.length <= length
    ? [text]
    : Array.from({ length: Math.floor(text.length / length) }, (_, n) => text.slice(n * length, (n + 1) * length))

const keySecret = (name: string, text: string): Secret => ({
  name,
  traces: [
    ...partsOf(text),
    ...partsOf(encodeURIComponent(text), 12),
    ...partsOf(Buffer.from(text).toString("base64"), 12)
  ]
})

const secrets: ReadonlyArray<Secret> = [
  keySecret("the key", key),
  keySecret("the header", gatewaySecret),
  ...pieces.map((piece) => ({ name: `the prompt's ${piece}`, traces: [piece, escaped(piece)] }))
]

/** Where a text gives something away: with what stands around it. */
const leaksIn = (text: string, hidden: ReadonlyArray<Secret>): ReadonlyArray<string> =>
  hidden.flatMap(({ name, traces }) => {
    const at = traces.map((trace) => text.indexOf(trace)).find((at) => at >= 0)
    return at === undefined ? [] : [`${name}: …${text.slice(Math.max(0, at - 80), at + 80)}…`]
  })

const assertClean = (where: string, text: string, hidden: ReadonlyArray<Secret> = secrets) =>
  assert.deepStrictEqual(leaksIn(text, hidden), [], where)

// ---------------------------------------------------------------------------------------------------------------------
// All that can be seen
// ---------------------------------------------------------------------------------------------------------------------

const bare = { customInspect: false, depth: null, showHidden: true, maxStringLength: null } as const

const full = { depth: null, showHidden: true, maxStringLength: null } as const

/** A value in every way in which programs print one. */
const printed = (value: unknown): ReadonlyArray<readonly [how: string, text: string]> => [
  ["String", String(value)],
  ["JSON.stringify", JSON.stringify(value) ?? ""],
  ["inspect", inspect(value, full)],
  ["inspect without manners", inspect(value, bare)],
  ["Inspectable", Inspectable.toStringUnknown(value)],
  ["format", Inspectable.format(value)]
]

const encode = Schema.encodeSync(LlmError.LlmError)

/** An error in every way in which programs print or store one. */
const printedError = (error: LlmError.LlmError): ReadonlyArray<readonly [how: string, text: string]> => [
  ...printed(error),
  ...printed(error.reason),
  ...printed(Exit.fail(error)),
  ...printed(Cause.parallel(Cause.fail(error), Cause.die(error))),
  ["message", error.message],
  ["stack", error.stack ?? ""],
  ["Cause.pretty", Cause.pretty(Cause.fail(error), { renderErrorCause: true })],
  ["an error around it", inspect(new Error("outer", { cause: error }), full)],
  ["Schema", JSON.stringify(encode(error))]
]

/** A console that keeps what is written. */
const makeConsole = (lines: Array<string>): Console.Console => {
  const write = (...values: ReadonlyArray<unknown>) =>
    void lines.push(values.map((value) => inspect(value, full)).join(" "))
  const unsafe = new Proxy(globalThis.console, { get: () => write })
  return new Proxy<Console.Console>({} as Console.Console, {
    get: (_, name) =>
      name === "unsafe" ? unsafe : (...values: ReadonlyArray<unknown>) => Effect.sync(() => write(...values))
  })
}

/** A tracer that keeps all that spans are told. */
const makeTracer = (lines: Array<string>): Tracer.Tracer =>
  Tracer.make({
    context: (f) => f(),
    span: (name, parent, context, links, startTime, kind) => {
      const told = (...values: ReadonlyArray<unknown>) =>
        void lines.push(values.map((value) => inspect(value, full)).join(" "))
      told(name, links)
      return {
        _tag: "Span",
        name,
        spanId: "s",
        traceId: "t",
        parent,
        context,
        status: { _tag: "Started", startTime },
        attributes: new Map(),
        links,
        sampled: true,
        kind,
        end: (_, exit) => {
          told("end", exit)
          if (Exit.isFailure(exit)) told(Cause.pretty(exit.cause, { renderErrorCause: true }))
        },
        attribute: told,
        event: told,
        addLinks: told
      }
    }
  })

const loggers = [
  Logger.defaultLogger,
  Logger.stringLogger.pipe(Logger.withConsoleLog),
  Logger.logfmtLogger.pipe(Logger.withConsoleLog),
  Logger.jsonLogger.pipe(Logger.withConsoleLog),
  Logger.structuredLogger.pipe(Logger.withConsoleLog),
  Logger.prettyLogger({ colors: false, mode: "tty" }),
  Logger.prettyLogger({ mode: "browser" }),
  Logger.tracerLogger
]

/** Runs a program with all that watches it, and gives what was written. */
const watched = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const written: Array<string> = []
    return program.pipe(
      Effect.withSpan("program"),
      Effect.withTracer(makeTracer(written)),
      Effect.provide(Layer.mergeAll(Logger.remove(Logger.defaultLogger), ...loggers.map(Logger.add))),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.withConsole(makeConsole(written)),
      Effect.map((value) => ({ value, written }))
    )
  })

// ---------------------------------------------------------------------------------------------------------------------
// Servers that talk too much
// ---------------------------------------------------------------------------------------------------------------------

type Echo = (response: ServerResponse, received: Received, status: number) => void

const headersOf = ({ headers }: Received) =>
  Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`).join(", ")

const html = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

/** What Python makes of a text. */
const repr = (text: string) => `'${escaped(text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/\t/g, "\\t"))}'`

/** Every string in a JSON value. */
const stringsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : typeof value === "object" && value !== null
    ? Object.values(value).flatMap(stringsIn)
    : []

const longStrings = ({ body }: Received) => stringsIn(JSON.parse(body)).filter(({ length }) => length > 8)

const replyJson =
  (make: (received: Received) => unknown, headers: Record<string, string> = {}): Echo => (response, received, status) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(make(received)))

const replyText = (contentType: string, make: (received: Received) => string): Echo => (response, received, status) =>
  response.writeHead(status, { "content-type": contentType }).end(make(received))

const openAiError = (message: string, fields: Record<string, unknown> = {}) => ({
  error: { message, type: "invalid_request_error", param: null, code: null, ...fields }
})

const echoes: Readonly<Record<string, Echo>> = {
  "the request in a message": replyJson((r) => openAiError(`Could not process ${r.body}`)),
  "the headers in a message": replyJson((r) => openAiError(`Could not process ${headersOf(r)}`)),
  "all in a message, behind 400 words": replyJson((r) =>
    openAiError(`${"so sorry ".repeat(400)} ${headersOf(r)} ${r.body} ${headersOf(r)}`)
  ),
  "each text in a message": replyJson((r) => openAiError(longStrings(r).map((text) => `got «${text}»`).join("; "))),
  "each text, abridged": replyJson((r) =>
    openAiError(longStrings(r).map((text) => `got ${text.slice(0, 40)}... (${text.length})`).join("; "))
  ),
  "each text as Python writes it": replyJson((r) => ({
    detail: longStrings(r).map((text) => ({
      type: "string_type",
      loc: ["body", "messages", 0, "content"],
      msg: `Input should be valid, input_value=${repr(text)}`,
      input: text
    }))
  })),
  "the request as Python's JSON": replyJson((r) => openAiError(escaped(JSON.stringify(JSON.parse(r.body))))),
  "the request as JSON in JSON": replyJson((r) => openAiError(JSON.stringify(openAiError(JSON.stringify(r.body))))),
  "the key in every field": replyJson((r) => {
    const told = `${headersOf(r)} ${r.body}`
    return openAiError(told, { type: told, param: told, code: told, status: told, details: [{ reason: told }] })
  }),
  "the key as a code": replyJson((r) => openAiError("no", { code: keyOf(r), type: keyOf(r), param: keyOf(r) })),
  "a page": replyText(
    "text/html",
    (r) => `<html><head><title>${html(headersOf(r))} ${html(r.body)}</title></head><body>${r.body}</body></html>`
  ),
  "a page that escapes nothing": replyText("text/html", (r) => `<html><title>${r.body} ${headersOf(r)}</title></html>`),
  "plain text": replyText("text/plain", (r) => `${headersOf(r)}\n\n${r.body}`),
  "the request itself": replyText("application/json", (r) => r.body),
  "half a JSON": replyText(
    "application/json",
    (r) => JSON.stringify(openAiError(`no ${r.body} ${headersOf(r)}`)).slice(0, -40)
  ),
  "an event": replyText(
    "text/event-stream",
    (r) =>
      `event: error\ndata: ${
        JSON.stringify({ type: "error", error: { type: "api_error", message: `${r.body} ${headersOf(r)}` } })
      }\n\n`
  ),
  "garbage as an event": replyText("text/event-stream", (r) => `data: ${r.body} ${headersOf(r)}\n\n`),
  "lines of JSON": replyText(
    "application/x-ndjson",
    (r) => `${JSON.stringify({ error: `${r.body} ${headersOf(r)}` })}\n`
  ),
  "the request, and the end is cut off": (response, received, status) => {
    response.writeHead(status, { "content-type": "application/json", "content-length": 1_000_000 })
    response.write(received.body, () => response.destroy())
  },
  "the key in headers": (response, received, status) =>
    response.writeHead(status, {
      "content-type": `application/${keyOf(received)}`,
      "x-request-id": `${"r".repeat(190)}${keyOf(received)}`,
      "request-id": keyOf(received),
      "retry-after": keyOf(received),
      "x-ratelimit-limit-requests": keyOf(received)
    }).end(),
  "the key at the end of what is read": replyJson((r) => {
    const { error } = openAiError("")
    const before = JSON.stringify({ pad: "", error }).indexOf("\"message\":\"") + "\"message\":\"".length
    return {
      pad: "x".repeat(64 * 1024 - before - 20 - 12),
      error: { ...error, message: `${"y".repeat(12)} ${keyOf(r)} no` }
    }
  })
}

const keyOf = ({ headers }: Received): string =>
  [headers.authorization?.replace("Bearer ", ""), headers["x-api-key"], headers["x-goog-api-key"]].find((it) =>
    typeof it === "string"
  )?.toString() ?? "none"

const statuses = [200, 401, 500]

const options = (apiKey: string) => ({
  apiKey: Redacted.make(apiKey),
  headers: { "x-gateway-key": Redacted.make(gatewaySecret) }
})

const protocols = {
  openAiChat: (baseUrl: string, apiKey = key) => OpenAiChat.layer({ ...options(apiKey), baseUrl }),
  openAi: (baseUrl: string, apiKey = key) => OpenAi.layer({ ...options(apiKey), baseUrl }),
  anthropic: (baseUrl: string, apiKey = key) => Anthropic.layer({ ...options(apiKey), baseUrl }),
  gemini: (baseUrl: string, apiKey = key) => Gemini.layer({ ...options(apiKey), baseUrl }),
  ollama: (baseUrl: string, apiKey = key) => Ollama.layer({ ...options(apiKey), baseUrl })
} as const

/** What each protocol answers. */
const answers: { readonly [protocol in keyof typeof protocols]: unknown } = {
  openAiChat: { choices: [{ index: 0, message: { role: "assistant", content: "Fine." }, finish_reason: "stop" }] },
  openAi: {
    id: "resp_1",
    object: "response",
    status: "completed",
    output: [{
      type: "message",
      id: "msg_1",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "Fine.", annotations: [] }]
    }],
    instructions: request.system
  },
  anthropic: {
    type: "message",
    role: "assistant",
    content: [{ type: "text", text: "Fine." }],
    stop_reason: "end_turn"
  },
  gemini: { candidates: [{ content: { role: "model", parts: [{ text: "Fine." }] }, finishReason: "STOP", index: 0 }] },
  ollama: { message: { role: "assistant", content: "Fine." }, done: true, done_reason: "stop" }
}

const protocolNames = Object.keys(protocols) as ReadonlyArray<keyof typeof protocols>

/** How a call and a stream of a client fail, if they do. */
const failuresOf = ({ call, stream }: LlmClient.Service) =>
  Effect.map(
    Effect.all([Effect.exit(Effect.asVoid(call(request))), Effect.exit(Stream.runDrain(stream(request)))]),
    (exits) =>
      exits.flatMap((exit) => {
        if (Exit.isSuccess(exit)) return []
        assert(exit.cause._tag === "Fail", Cause.pretty(exit.cause))
        return [exit.cause.error]
      })
  )

/** Makes a call and a stream of a client, and walks everything that can be seen of them. */
const walk = (where: string, made: Client, hidden: ReadonlyArray<Secret> = secrets) =>
  Effect.gen(function*() {
    const { value: errors, written } = yield* watched(failuresOf(made.client))
    for (const error of errors) {
      for (const [how, text] of printedError(error)) assertClean(`${where}: the error, ${how}`, text, hidden)
    }
    assertClean(`${where}: logs and spans`, written.join("\n"), hidden)
    for (const event of yield* made.events) {
      for (const [how, text] of printed(event)) assertClean(`${where}: an event, ${how}`, text, hidden)
      assertClean(`${where}: a log line`, inspect(LlmLogger.format(event), full), hidden)
    }
    return { errors, written }
  })

/** A client that logs its events, and collects them. */
const made = (provider: ClientOptions["provider"], options: Partial<ClientOptions> = {}) =>
  client({ provider, client: { retry: false }, ...options })

describe("secrets", () => {
  afterAll(() => {
    for (const pair of Metric.unsafeSnapshot()) assertClean("a metric", inspect(pair, full))
  })

  describe.each(protocolNames)("of %s are nowhere when the server", (protocol) => {
    // What tells the protocols apart are their requests, not what is made of an error.
    const names = Object.keys(echoes).filter((name) =>
      /Chat|anthropic/.test(protocol) || !/key|page|abridged/.test(name)
    )

    it.live.each(names)("sends back %s", (name) =>
      Effect.gen(function*() {
        let status = 200
        const { requests, url } = yield* serve((response, received) => echoes[name]?.(response, received, status))
        for (status of statuses) yield* walk(`status ${status}`, yield* made(protocols[protocol](url)))
        assert.strictEqual(requests.length, 2 * statuses.length)
        // They were there to be sent back.
        for (const { body, headers } of requests) assert.isNotEmpty(leaksIn(inspect(headers) + body, secrets))
      }).pipe(Effect.scoped))

    it.live("answers, and they are in no file of the cache", () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const directory = yield* fs.makeTempDirectoryScoped()
        const cache = KeyValueCache.layerFile({ directory }).pipe(Layer.provide(NodeContext.layer), Layer.orDie)
        const { url } = yield* serve((response, received) =>
          response.writeHead(200, {
            "content-type": "application/json",
            "x-request-id": keyOf(received),
            "x-ratelimit-remaining-tokens": keyOf(received),
            "anthropic-ratelimit-tokens-reset": keyOf(received)
          }).end(JSON.stringify(answers[protocol]))
        )
        const { client, events } = yield* made(protocols[protocol](url), { cache })
        const { value: response, written } = yield* watched(client.call(request))
        assert.strictEqual(response.text, "Fine.")
        assertClean("logs and spans", written.join("\n"))
        for (const [how, text] of printed(response)) assertClean(`the response, ${how}`, text)
        for (const [how, text] of printed(yield* events)) assertClean(`the events, ${how}`, text)
        const files = yield* fs.readDirectory(directory)
        assert.strictEqual(files.length, 1)
        for (const file of files) {
          assert.match(file, /^[0-9a-f]{64}\.json$/)
          const content = yield* fs.readFileString(`${directory}/${file}`)
          assert.include(content, "Fine.")
          assertClean("the file", content)
        }
      }).pipe(Effect.scoped, Effect.provide(NodeContext.layer)))
  })

  describe.each(transportNames)("over %s are nowhere when", (transport) => {
    /** The network fails at each stage, and so does the answer. */
    const breaks: Readonly<Record<string, (response: ServerResponse, received: Received) => void>> = {
      "the connection is reset": ({ socket }) => void socket?.resetAndDestroy(),
      "nothing is answered": () => {},
      "the headers make no sense": ({ socket }, { body }) => void socket?.end(`HTTP/1.1 200 OK\r\n${body}\r\n\r\n`),
      "the body is cut": (response, { body }) =>
        void response.writeHead(200, { "content-length": 1_000_000 }).write(body, () => response.destroy()),
      "the body of an error is cut": (response, { body }) =>
        void response.writeHead(400, { "content-length": 1_000_000 }).write(body, () => response.destroy()),
      "chunks are cut": (response, { body }) => void response.writeHead(200).write(body, () => response.destroy()),
      "a stream is cut": (response, { body }) =>
        void response.writeHead(200, { "content-type": "text/event-stream" }).write(
          `data: ${body}\n\n`,
          () => response.destroy()
        ),
      "it stalls": (response, { body }) => void response.writeHead(200).write(body),
      "it leads elsewhere": (response, received) =>
        response.writeHead(307, { location: `http://127.0.0.1:1/${encodeURIComponent(keyOf(received))}` }).end()
    }

    it.live.each(Object.keys(breaks))("%s", (name) =>
      Effect.gen(function*() {
        const { requests, url } = yield* serve((response, received) => breaks[name]?.(response, received))
        for (const protocol of ["gemini", "openAiChat"] as const) {
          const { errors } = yield* walk(
            protocol,
            yield* made(protocols[protocol](url), {
              transport: transports[transport],
              client: {
                timeout: "50 millis",
                firstPartTimeout: "50 millis",
                idleTimeout: "50 millis",
                retry: { times: 1, base: 0 }
              }
            })
          )
          assert.strictEqual(errors.length, 2)
        }
        assert.isAtLeast(requests.length, 4)
      }).pipe(Effect.scoped))

    it.live("nothing listens", () =>
      Effect.gen(function*() {
        const { url } = yield* Effect.scoped(serve(() => {}))
        const { errors } = yield* walk(
          "refused",
          yield* made(protocols.gemini(url), { transport: transports[transport] })
        )
        assert.deepStrictEqual(errors.map((error) => error.reason._tag), ["NetworkFailed", "NetworkFailed"])
      }).pipe(Effect.scoped))

    it.live("a call is interrupted", () =>
      Effect.gen(function*() {
        const { requests, url } = yield* serve((response, { body }) => void response.writeHead(200).write(body))
        const { client } = yield* made(protocols.gemini(url), { transport: transports[transport] })
        const { written } = yield* watched(Effect.gen(function*() {
          const fiber = yield* Effect.fork(client.call(request))
          yield* eventually("the request", Effect.sync(() => requests.length === 1))
          yield* settled
          return yield* Fiber.interrupt(fiber)
        }))
        assertClean("logs and spans", written.join("\n"))
      }).pipe(Effect.scoped))
  })

  describe("of unusual shapes are nowhere when the server sends them back:", () => {
    const unusual: Readonly<Record<string, string>> = {
      "short": "b7Qz",
      "hexadecimal": "0f9e8d7c6b5a49382716f5e4d3c2b1a0",
      "a UUID": "6f1c2b3a-9d8e-4f70-a1b2-c3d4e5f60718",
      "words with spaces": "correct  horse   battery staple",
      "quotes and backslashes": "a\"b'c\\d\"e\\\\f'g\"h\\ni",
      "what regular expressions mean": "$&.*(x|y)+[z]{2}^$1\\d$`",
      "what HTML means": "<b>&amp;&lt;\"q\"</b>&#39;x",
      "what URLs mean": "a+b/c=d%20e?f#g&h",
      "Latin letters beyond ASCII": "schl\u00fcssel-\u00e4\u00f6\u00fc-\u00dfp\u00e4t-f\u00fcr-alle",
      "very long": Array.from({ length: 300 }, (_, i) => (i * 7919 % 46_656).toString(36)).join("-"),
      "a JSON Web Token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzdmMtYWNjb3VudCJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
      "all the same letter": "k".repeat(40)
    }

    it.live.each(Object.entries(unusual))("%s", ([, apiKey]) =>
      Effect.gen(function*() {
        let name = ""
        const { requests, url } = yield* serve((response, received) => echoes[name]?.(response, received, 401))
        const hidden = [keySecret("the key", apiKey), ...secrets.slice(1)]
        for (name of Object.keys(echoes).filter((name) => /key|headers|all|page|text/.test(name))) {
          const protocol = requests.length % 4 === 0 ? "anthropic" : "openAiChat"
          yield* walk(name, yield* made(protocols[protocol](url, apiKey)), hidden)
        }
        // What Node gives is Latin-1 as it came.
        for (const { headers } of requests) assert.include(Object.values(headers).join(), apiKey)
      }).pipe(Effect.scoped))
  })

  it("are hidden however often a server quotes them, and in whichever language", () => {
    const word = FastCheck.stringMatching(/^[a-z]{5,9}[0-9]{3}$/)
    const between = FastCheck.constantFrom(
      " ",
      "\n",
      "\t",
      "\"",
      "'",
      "\\",
      "\\n",
      "&",
      "<",
      ">",
      "é",
      "珊瑚",
      "😊",
      "\\\"",
      ", ",
      "&amp;"
    )
    const text = FastCheck.array(FastCheck.tuple(word, between), { minLength: 3, maxLength: 20 })
    const asJson = (text: string) => JSON.stringify(text)
    const writers = FastCheck.array(
      FastCheck.constantFrom(asJson, repr, html, (text: string) => escaped(asJson(text))),
      {
        minLength: 1,
        maxLength: 3
      }
    )
    FastCheck.assert(
      FastCheck.property(text, writers, (pairs, writers) => {
        const prompt = pairs.flat().join("")
        const message = writers.reduce((text, write) => write(text), prompt)
        const reason = classify(
          { status: 400, headers: {}, body: { error: { message: `cannot do ${message}` } } },
          { sources: [prompt] }
        )
        for (const [word] of pairs) assert.notInclude(reason.message, word)
      }),
      { numRuns: 500 }
    )
  })

  describe("are not shown by what holds them:", () => {
    const shown = (what: string, value: unknown) => {
      assertClean(`${what}, inspect`, inspect(value, full))
      assertClean(`${what}, inspect without manners`, inspect(value, bare))
      assertClean(`${what}, format`, Inspectable.format(value))
    }

    const config = ConfigProvider.fromMap(new Map([["KEY", key]]))

    it.live.each(protocolNames)(
      "%s, its layers, its service and the client on it",
      (protocol) =>
        Effect.gen(function*() {
          const layer = protocols[protocol]("http://127.0.0.1:9")
          shown("layer", layer)
          const context = yield* Layer.build(Layer.provide(layer, transports.fetch))
          shown("service", Context.get(context, LlmProvider.LlmProvider))
          shown("context", context)
          const { client } = yield* made(layer)
          shown("client", client)
          shown("call", client.call(request))
        }).pipe(Effect.scoped)
    )

    it.live("layers that read them from the configuration", () =>
      Effect.gen(function*() {
        const apiKey = Config.redacted("KEY")
        for (const module of [OpenAiChat, OpenAi, Anthropic, Gemini, Ollama]) {
          const layer = module.layerConfig({ apiKey, baseUrl: "http://127.0.0.1:9" })
          shown("layer", layer)
          const context = yield* Layer.build(Layer.provide(layer, transports.fetch))
          shown("context", context)
        }
      }).pipe(Effect.withConfigProvider(config), Effect.scoped))

    it.live("complaints about a key, a header or an address", () =>
      Effect.gen(function*() {
        const wrong: ReadonlyArray<OpenAiChat.Options> = [
          { apiKey: Redacted.make(`${key}\n`) },
          { apiKey: Redacted.make(` ${key}`) },
          { apiKey: Redacted.make(`${key}\u{1F511}`) },
          { apiKey: Redacted.make(key), baseUrl: "http://example.com/v1" },
          { baseUrl: `https://user:${key}@example.com/v1` },
          { baseUrl: `https://example.com/v1?key=${key}` },
          { baseUrl: `${key}` },
          { headers: { "x-gateway-key": Redacted.make(`${gatewaySecret}\r\nx: y`) } }
        ]
        for (const options of wrong) {
          const exit = yield* Effect.exit(Layer.build(Layer.provide(OpenAiChat.layer(options), transports.fetch)))
          assert(Exit.isFailure(exit))
          for (const [how, text] of printed(exit)) assertClean(how, text)
          assertClean("pretty", Cause.pretty(exit.cause, { renderErrorCause: true }))
        }
        const fromConfig = yield* Effect.exit(Layer.build(
          Layer.provide(OpenAiChat.layerConfig({ apiKey: Config.redacted("KEY") }), transports.fetch)
        )).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["KEY", `${key}\n`]]))))
        assert(Exit.isFailure(fromConfig))
        for (const [how, text] of printed(fromConfig)) assertClean(how, text)
      }).pipe(Effect.scoped))
  })
})
