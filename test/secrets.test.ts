import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as KeyValueCache from "effect-llm/KeyValueCache"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { ServerResponse } from "node:http"
import { inspect } from "node:util"
import { classify } from "../src/wire/classify.js"
import { echoes, html, keyOf, repr } from "./support/echoes.js"
import {
  assertClean,
  bare,
  escaped,
  full,
  gatewaySecret,
  key,
  keySecret,
  leaksIn,
  printed,
  printedError,
  request,
  type Secret,
  secrets,
  watched
} from "./support/observers.js"
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
const walk = (where: string, { client, events }: Client, hidden: ReadonlyArray<Secret> = secrets) =>
  Effect.gen(function*() {
    const { value: errors, written } = yield* watched(Effect.gen(function*() {
      const failed = yield* failuresOf(client)
      const logger = yield* LlmLogger.LlmLogger
      for (const event of yield* events) yield* logger.log(event)
      return failed
    })).pipe(Effect.provide(LlmLogger.layer))
    for (const error of errors) {
      for (const [how, text] of printedError(error)) assertClean(`${where}: the error, ${how}`, text, hidden)
    }
    for (const event of yield* events) {
      for (const [how, text] of printed(event)) assertClean(`${where}: an event, ${how}`, text, hidden)
    }
    assertClean(`${where}: logs and spans`, written.join("\n"), hidden)
    return { errors, written }
  })

/** A client that makes one attempt. */
const made = (provider: ClientOptions["provider"], options: Partial<ClientOptions> = {}) =>
  client({ provider, client: { retry: false }, ...options })

describe("secrets", () => {
  afterAll(() => {
    for (const pair of Metric.unsafeSnapshot()) assertClean("a metric", inspect(pair, full))
  })

  it.live("would be seen in logs, spans and fibers by the observers of these tests", () =>
    Effect.gen(function*() {
      const leaks: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
        "a log at the lowest level": Effect.logTrace(key),
        "an annotation of a log": Effect.annotateLogs(Effect.log("hello"), "key", key),
        "a log of a cause": Effect.logDebug(Cause.fail(new Error("outer", { cause: { headers: [key] } }))),
        "the name of a span": Effect.withSpan(Effect.void, key),
        "an attribute of a span": Effect.withSpan(Effect.void, "span", { attributes: { key } }),
        "the failure of a span": Effect.withSpan(Effect.fail({ headers: { key } }), "span"),
        "the failure of a fiber": Effect.flatMap(Effect.fork(Effect.fail({ headers: { key } })), Fiber.await),
        "a console": Console.log(key)
      }
      for (const [what, leak] of Object.entries(leaks)) {
        const { written } = yield* watched(Effect.exit(leak))
        assert.isNotEmpty(leaksIn(written.join("\n"), secrets), what)
      }
    }))

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
        // The body of an answer may repeat the request: only the caller has it.
        for (const [how, text] of printed(LlmResponse.withoutRaw(response))) assertClean(`the response, ${how}`, text)
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

  describe("in headers that are plain text, and in options that a provider hands on, are nowhere when a server sends back", () => {
    const [bearer, session, tool, tenant, password] = [
      "hfQ0mYt3XoA7vWb2kLp9",
      "sess-81f0c2e4b6d8a9e7",
      "mcp-Zr5tYu8iOpL2kJhG",
      "tenant-Qw3rTy6uIo9p",
      "pw-Nm4bVc7xZa1sDf"
    ] as const

    const hidden = [bearer, session, tool, tenant, password].map((text) => keySecret(text.slice(0, 4), text))

    const providerOptions = Object.fromEntries(["openaiChat", "anthropic", "openai"].map((name) => [name, {
      metadata: { database: { password } },
      mcp_servers: [{ type: "url", authorization_token: tool, headers: { "x-tenant": tenant } }]
    }]))

    const all = [bearer, session, tool, tenant, password]

    const writings: { readonly [what: string]: (received: Received) => string } = {
      "all headers and the body": ({ body, headers }) => inspect(headers) + body,
      "each in base64": () => all.map((text) => btoa(`user:${text}`)).join(" "),
      "each in hexadecimal": () => all.map((text) => Buffer.from(text).toString("hex")).join(", "),
      "each in upper case": () => all.map((text) => text.toUpperCase()).join(", "),
      "each with percents": () => all.map((text) => Buffer.from(text).toString("hex").replace(/../g, "%$&")).join("&"),
      "each with spaces in between": () => all.map((text) => [...text].join(" ")).join("; ")
    }

    /** What would be left of a secret in any of these encodings. */
    const encoded = hidden.concat(all.flatMap((text) => [
      keySecret("upper case", text.toUpperCase()),
      keySecret("hexadecimal", Buffer.from(text).toString("hex")),
      keySecret("base64", btoa(`user:${text}`).slice(8, -4)),
      keySecret("spaces", [...text].join(" "))
    ]))

    const services: { readonly [protocol: string]: (baseUrl: string) => ClientOptions["provider"] } = {
      openAiChat: (baseUrl) =>
        OpenAiChat.layer({
          baseUrl,
          headers: { Authorization: `Bearer ${bearer}`, cookie: `theme=dark; session=${session}` }
        }),
      openAi: (baseUrl) => OpenAi.layer({ baseUrl, headers: { "api-key": bearer, "X-Session-Token": session } }),
      anthropic: (baseUrl) =>
        Anthropic.layer({
          baseUrl,
          headers: { "x-api-key": bearer, "proxy-authorization": `Basic ${btoa(`me:${session}`)}` }
        })
    }

    for (const [protocol, service] of Object.entries(services)) {
      it.live.each(Object.entries(writings))(`%s: ${protocol}`, ([, write]) =>
        Effect.gen(function*() {
          let status = 200
          const { requests, url } = yield* serve((response, received) => {
            const text = write(received)
            response.writeHead(status, {
              "content-type": "application/json",
              "x-request-id": `r-${bearer.toUpperCase()}`
            })
              .end(JSON.stringify({ error: { message: `Cannot use ${text}`, code: text.slice(0, 60) } }))
          })
          for (status of [...statuses, 400]) {
            const { client, events } = yield* made(service(url))
            const input = { ...request, providerOptions }
            const { value: exits, written } = yield* watched(
              Effect.all([
                Effect.exit(Effect.asVoid(client.call(input))),
                Effect.exit(Stream.runDrain(client.stream(input)))
              ])
            )
            for (const exit of exits) {
              assert(Exit.isFailure(exit) && exit.cause._tag === "Fail")
              for (const [how, text] of printedError(exit.cause.error)) assertClean(how, text, encoded)
            }
            for (const event of yield* events) for (const [how, text] of printed(event)) assertClean(how, text, encoded)
            assertClean("logs and spans", written.join("\n"), encoded)
          }
          for (const { body } of requests) assert.include(body, tool)
          assert.isNotEmpty(requests)
        }).pipe(Effect.scoped))
    }

    it.live("and headers of them are not sent over plain http to another machine", () =>
      Effect.gen(function*() {
        const built = (name: string, options: OpenAiChat.Options) =>
          Effect.exit(Layer.build(
            Layer.provide(
              OpenAiChat.layer({ baseUrl: "http://10.0.0.1/v1", headers: { [name]: bearer }, ...options }),
              transports.fetch
            )
          ))
        for (
          const name of [
            "authorization",
            "X-Api-Key",
            "api-key",
            "cookie",
            "proxy-authorization",
            "x-goog-api-key",
            "x-auth-token"
          ]
        ) {
          const exit = yield* built(name, {})
          assert(Exit.isFailure(exit), name)
          assert.include(Cause.pretty(exit.cause), "baseUrl must be https")
          assertClean("the complaint", Cause.pretty(exit.cause), hidden)
          assert.isTrue(Exit.isSuccess(yield* built(name, { insecure: true })))
          assert.isTrue(Exit.isSuccess(yield* built(name, { baseUrl: "http://127.0.0.1:9" })))
          assert.isTrue(Exit.isSuccess(yield* built(name, { baseUrl: "https://example.com" })))
        }
        assert.isTrue(Exit.isSuccess(yield* built("x-trace", {})))
      }).pipe(Effect.scoped))
  })

  it("are hidden however often a server quotes them, and in any language", () => {
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
