import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { SystemError } from "@effect/platform/Error"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Cassette from "effect-llm/testing/Cassette"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { kindOf } from "../support/httpFailures.js"

const key = "sk-live-0123456789abcdefghij"

// ---------------------------------------------------------------------------------------------------------------------
// A service without a network
// ---------------------------------------------------------------------------------------------------------------------

type Answer = (request: HttpClientRequest.HttpClientRequest, n: number) => Effect.Effect<Response>

/** A client that counts what it is asked. */
const service = (answer: Answer) => {
  let count = 0
  const client = HttpClient.make((request) =>
    Effect.map(
      Effect.suspend(() => answer(request, ++count)),
      (response) => HttpClientResponse.fromWeb(request, response)
    )
  )
  return { client, count: () => count }
}

const numbered = () => service((_, n) => Effect.sync(() => Response.json({ answer: n })))

/** No network: a request that comes here ends the test. */
const nowhere = service((request) => Effect.dieMessage(`Asked the network: ${request.url}`)).client

const temporary = Effect.map(
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()),
  (directory) => `${directory}/cassettes/test.json`
)

const read = (path: string) => Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path))

const url = "https://api.example.com/v1/chat"

const post = (client: HttpClient.HttpClient, body: unknown, headers: Record<string, string> = {}, to = url) =>
  HttpClientRequest.post(to).pipe(
    HttpClientRequest.setHeaders(headers),
    HttpClientRequest.bodyUnsafeJson(body),
    client.execute,
    Effect.flatMap((response) => response.text)
  )

const defect = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const died = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    return died instanceof Error ? died.message : `no defect: ${String(exit)}`
  })

const provided = <A, E>(effect: Effect.Effect<A, E, NodeContext.NodeContext | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), NodeContext.layer)

describe("Cassette", () => {
  describe("modes", () => {
    it.effect("auto asks the service once, and the cassette from then on", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const live = numbered()
        const first = yield* Cassette.make(live.client, path)
        assert.strictEqual(yield* post(first, { q: 1 }), "{\"answer\":1}")
        assert.strictEqual(yield* post(first, { q: 2 }), "{\"answer\":2}")
        const second = yield* Cassette.make(live.client, path)
        assert.strictEqual(yield* post(second, { q: 2 }), "{\"answer\":2}")
        assert.strictEqual(yield* post(second, { q: 3 }), "{\"answer\":3}")
        const third = yield* Cassette.make(nowhere, path, { mode: "replay" })
        assert.deepStrictEqual(
          yield* Effect.all([3, 2, 1].map((q) => post(third, { q }))),
          ["{\"answer\":3}", "{\"answer\":2}", "{\"answer\":1}"]
        )
        assert.strictEqual(live.count(), 3)
      })))

    it.effect("record asks the service for everything, and begins the file anew", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const live = numbered()
        yield* post(yield* Cassette.make(live.client, path), { q: 1 })
        const recording = yield* Cassette.make(live.client, path, { mode: "record" })
        assert.strictEqual(yield* post(recording, { q: 2 }), "{\"answer\":2}")
        const replaying = yield* Cassette.make(nowhere, path, { mode: "replay" })
        assert.strictEqual(yield* post(replaying, { q: 2 }), "{\"answer\":2}")
        assert.match(yield* defect(post(replaying, { q: 1 })), /has no answer/)
      })))

    it.effect("passthrough does nothing", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const live = numbered()
        const client = yield* Cassette.make(live.client, path, { mode: "passthrough" })
        yield* post(client, { q: 1 })
        assert.strictEqual(yield* post(client, { q: 1 }), "{\"answer\":2}")
        assert.isFalse(yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.exists(path)))
      })))

    it.effect("auto does not record that a key is no good, record does", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const live = service((_, n) => Effect.sync(() => Response.json({ n }, { status: n === 1 ? 401 : 200 })))
        const auto = yield* Cassette.make(live.client, path)
        assert.strictEqual(yield* post(auto, {}), "{\"n\":1}")
        assert.strictEqual(yield* post(yield* Cassette.make(live.client, path), {}), "{\"n\":2}")
        const refused = service(() => Effect.sync(() => new Response("no", { status: 401 })))
        yield* post(yield* Cassette.make(refused.client, path, { mode: "record" }), {})
        assert.strictEqual(yield* post(yield* Cassette.make(nowhere, path, { mode: "replay" }), {}), "no")
      })))

    it.effect("a file that is no cassette is reported when the layer is built", () =>
      provided(Effect.gen(function*() {
        const path = `${yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())}/x.json`
        yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString(path, "{\"cassette\": 99}"))
        const error = yield* Layer.build(Cassette.layer(path)).pipe(
          Effect.provideService(HttpClient.HttpClient, nowhere),
          Effect.flip
        )
        assert.strictEqual(error.message, `The cassette ${path}: is no cassette of this version`)
      })))
  })

  describe("a file that was changed by hand", () => {
    const json = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
    const exchange = {
      recordedAt: "2026-01-01T00:00:00.000Z",
      request: { method: "POST", url, headers: {}, body: { json: { q: 1 } } },
      response: { status: 200, headers: { "content-type": "text/plain" }, body: { lines: ["Elbe"] }, timing: [[5, 4]] }
    }
    const { request, response } = exchange
    const withResponse = (fields: object) => ({ ...exchange, response: { ...response, ...fields } })
    const withRequest = (fields: object) => ({ ...exchange, request: { ...request, ...fields } })

    const load = (exchanges: string) =>
      Effect.gen(function*() {
        const path = `${yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())}/x.json`
        const text = `{ "cassette": 1, "exchanges": ${exchanges} }`
        yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString(path, text))
        return { path, client: Cassette.make(nowhere, path, { mode: "replay", timing: true }) }
      })

    for (
      const [name, changed, place] of [
        ["no list of exchanges", {}, ": expected"],
        ["an exchange that is none", [null], "[0]: expected"],
        ["a date that is none", [{ ...exchange, recordedAt: "yesterday" }], "[0].recordedAt: expected a date"],
        ["an address that is none", [exchange, withRequest({ url: "/v1/chat" })], "[1].request.url: expected an abs"],
        ["a body of no kind", [withRequest({ body: {} })], "[0].request.body"],
        ["no status", [withResponse({ status: undefined })], "[0].response.status: expected a value: it is missing"],
        ["a status of no answer", [withResponse({ status: 101 })], "[0].response.status: expected an HTTP status"],
        ["a status out of range", [withResponse({ status: 600 })], "[0].response.status: expected an HTTP status"],
        ["half a status", [withResponse({ status: 200.5 })], "[0].response.status: expected an HTTP status"],
        [
          "a header with a bad name",
          [withResponse({ headers: { "a b": "c" } })],
          "[0].response.headers: expected HTTP"
        ],
        [
          "a header with a bad value",
          [withResponse({ headers: { a: "b\nc" } })],
          "[0].response.headers: expected HTTP"
        ],
        ["bytes that are not base64", [withResponse({ body: { base64: "?" } })], "[0].response.body.base64: expected"],
        ["lines that are not a list", [withResponse({ body: { lines: "Elbe" } })], "[0].response.body.lines: expected"],
        ["time that runs back", [withResponse({ timing: [[-1, 4]] })], "[0].response.timing[0][0]: expected millis"],
        ["a negative length", [withResponse({ timing: [[1, -4]] })], "[0].response.timing[0][1]: expected a number"]
      ] as const
    ) {
      it.effect(`fails when the layer is built, with the place: ${name}`, () =>
        provided(Effect.gen(function*() {
          const { client, path } = yield* load(JSON.stringify(changed))
          const error = yield* Effect.flip(client)
          assert.strictEqual(error._tag, "CassetteError")
          assert.include(error.message, `The cassette ${path}: exchanges${place}`)
        })))
    }

    it.effect("fails when the layer is built: endless time, and JSON that is nested too deeply", () =>
      provided(Effect.gen(function*() {
        const endless = JSON.stringify([withResponse({ timing: [["?", 4]] })]).replace("\"?\"", "1e999")
        assert.match((yield* Effect.flip((yield* load(endless)).client)).message, /timing\[0\]\[0\]: expected millis/)
        for (const change of [withRequest, withResponse]) {
          const deep = JSON.stringify([change({ body: { json: "?" } })]).replace("\"?\"", json(200_000))
          assert.match(
            (yield* Effect.flip((yield* load(deep)).client)).message,
            /\.body\.json: expected JSON of moderate depth/
          )
        }
      })))

    it.effect("answers as far as it can: dates in headers that are none, an empty timing, deep JSON", () =>
      provided(Effect.gen(function*() {
        const odd = { "x-ratelimit-reset": "2026-99-99T00:00:00Z", "retry-after": "Xxx, 99 Xxx 2026 99:99:99 GMT" }
        const { client } = yield* load(JSON.stringify([withResponse({ headers: odd, timing: [] })]))
        const replaying = yield* client
        const answered = yield* HttpClientRequest.post(url).pipe(
          HttpClientRequest.bodyUnsafeJson({ q: 1 }),
          replaying.execute
        )
        assert.strictEqual(yield* answered.text, "Elbe")
        assert.strictEqual(answered.headers["x-ratelimit-reset"], odd["x-ratelimit-reset"])
        assert.strictEqual(answered.headers["retry-after"], odd["retry-after"])
        const deep = JSON.stringify([withRequest({ body: { json: "?" } })]).replace("\"?\"", json(3_000))
        assert.include(yield* defect(post(yield* (yield* load(deep)).client, { q: 1 })), "differs:")
      })))

    it.effect.prop(
      "never ends in a defect, whatever stands in any place of it",
      [
        FastCheck.nat(),
        FastCheck.oneof(FastCheck.json(), FastCheck.constantFrom("\"\"", "1e999", "-1", "\"\\u0000\""))
      ],
      ([at, value]) =>
        provided(Effect.gen(function*() {
          const places = [...JSON.stringify([exchange]).matchAll(/(?<=":|\[)(?:"[^"]*"|\d+)/g)]
          const place = places[at % places.length]!
          const text = JSON.stringify([exchange])
          const changed = text.slice(0, place.index) + value + text.slice(place.index + place[0].length)
          const exit = yield* Effect.exit(Effect.flatMap((yield* load(changed)).client, (client) =>
            Effect.raceFirst(Effect.ignore(post(client, { q: 1 })), TestClock.adjust("1 minute")).pipe(
              Effect.catchAllDefect((died) =>
                died instanceof Cassette.NotRecorded ? Effect.void : Effect.die(died)
              )
            )))
          if (Exit.isFailure(exit)) {
            assert.instanceOf(Cause.squash(exit.cause), Cassette.CassetteError)
          }
        }))
    )
  })

  describe("matching", () => {
    /** Records one request, and replays another. */
    const recordedAndSent = (recorded: unknown, sent: unknown, to = url) =>
      Effect.gen(function*() {
        const path = yield* temporary
        yield* post(yield* Cassette.make(numbered().client, path), recorded)
        return yield* post(yield* Cassette.make(nowhere, path, { mode: "replay" }), sent, {}, to)
      })

    it.effect("the order of fields is of no importance, all else of the body is", () =>
      provided(Effect.gen(function*() {
        const answer = yield* recordedAndSent({ a: 1, b: { c: [1, 2], d: "x" } }, { b: { d: "x", c: [1, 2] }, a: 1.0 })
        assert.strictEqual(answer, "{\"answer\":1}")
        assert.match(
          yield* defect(recordedAndSent({ a: [1, 2] }, { a: [2, 1] })),
          /body\.a\[0\]: recorded 1, sent 2\n {4}body\.a\[1\]: recorded 2, sent 1/
        )
      })))

    it.effect.prop(
      "a body matches itself, whatever it is, and no other",
      { a: FastCheck.jsonValue(), b: FastCheck.jsonValue() },
      ({ a, b }) =>
        provided(Effect.gen(function*() {
          assert.strictEqual(yield* recordedAndSent(a, a), "{\"answer\":1}")
          const isSame = JSON.stringify(a) === JSON.stringify(b)
          if (!isSame && typeof a !== "object" && typeof b !== "object") {
            assert.match(yield* defect(recordedAndSent(a, b)), /has no answer/)
          }
        })),
      { fastCheck: { numRuns: 20 } }
    )

    it.effect("requests differ by method, host, path and query", () =>
      provided(Effect.gen(function*() {
        for (
          const [to, problem] of [
            ["https://api.other.com/v1/chat", "host: recorded \"api.example.com\", sent \"api.other.com\""],
            ["https://api.example.com/v2/chat", "path: recorded \"/v1/chat\", sent \"/v2/chat\""],
            ["https://api.example.com/v1/chat?alt=sse", "query: recorded \"\", sent \"?alt=sse\""]
          ] as const
        ) {
          assert.include(yield* defect(recordedAndSent({}, {}, to)), problem)
        }
      })))

    it.effect("equal requests are replayed in the order of the recording, each once", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const live = numbered()
        const recording = yield* Cassette.make(live.client, path)
        yield* post(recording, { q: "same" })
        yield* post(recording, { q: "same" })
        const replaying = yield* Cassette.make(nowhere, path, { mode: "replay" })
        assert.strictEqual(yield* post(replaying, { q: "same" }), "{\"answer\":1}")
        assert.strictEqual(yield* post(replaying, { q: "same" }), "{\"answer\":2}")
        assert.include(
          yield* defect(post(replaying, { q: "same" })),
          "It was recorded 2 times, and has been replayed as often."
        )
      })))

    it.effect("a request that is not recorded is reported with the nearest one and where it differs", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const recording = yield* Cassette.make(numbered().client, path)
        const chat = (content: string, temperature = 0) => ({
          model: "m",
          temperature,
          messages: [{ role: "system", content: "Be terse." }, { role: "user", content }]
        })
        yield* post(recording, chat("Name a lake.", 1))
        yield* post(recording, chat("Please name me a river in the north of the country."))
        yield* post(recording, {}, {}, "https://api.example.com/v1/other")
        const replaying = yield* Cassette.make(nowhere, path, { mode: "replay" })
        assert.strictEqual(
          yield* defect(post(replaying, chat("Please name me a river in the south of the country."))),
          [
            `The cassette ${path} has no answer to this request: POST ${url}`,
            "  The nearest of 3 recorded requests, number 2, differs:",
            "    body.messages[1].content: recorded …\"e me a river in the north of the country.\", " +
            "sent …\"e me a river in the south of the country.\"",
            "  Mode \"auto\" or \"record\" would record it."
          ].join("\n")
        )
        const empty = yield* Cassette.make(nowhere, `${path}.none`, { mode: "replay" })
        assert.include(yield* defect(post(empty, {})), "Nothing is recorded.")
      })))

    it.effect("times in headers are as far away as they were", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        yield* TestClock.setTime(Date.UTC(2030, 0, 1))
        const headers = { "anthropic-ratelimit-requests-reset": "2030-01-01T00:01:00Z", "retry-after": "7" }
        const dated = { ...headers, "retry-after": "Tue, 01 Jan 2030 00:00:30 GMT" }
        const live = service((_, n) => Effect.sync(() => new Response("", { headers: n === 1 ? headers : dated })))
        const ask = (client: HttpClient.HttpClient) =>
          Effect.map(client.get(url), ({ headers }) => [
            headers["anthropic-ratelimit-requests-reset"],
            headers["retry-after"]
          ])
        const recording = yield* Cassette.make(live.client, path)
        yield* ask(recording)
        yield* ask(recording)
        yield* TestClock.adjust("1 day")
        const replaying = yield* Cassette.make(nowhere, path, { mode: "replay" })
        assert.deepStrictEqual(yield* ask(replaying), ["2030-01-02T00:01:00.000Z", "7"])
        assert.deepStrictEqual(yield* ask(replaying), ["2030-01-02T00:01:00.000Z", "Wed, 02 Jan 2030 00:00:30 GMT"])
      })))

    it.effect("an old recording counts as none, and auto replaces it", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const live = numbered()
        yield* post(yield* Cassette.make(live.client, path), { q: 1 })
        yield* TestClock.adjust("8 days")
        const replaying = yield* Cassette.make(nowhere, path, { mode: "replay", maxAge: "7 days" })
        assert.include(yield* defect(post(replaying, { q: 1 })), "It was recorded more than 7d ago, which is too old.")
        assert.strictEqual(
          yield* post(yield* Cassette.make(live.client, path, { maxAge: "7 days" }), { q: 1 }),
          "{\"answer\":2}"
        )
        const again = yield* Cassette.make(nowhere, path, { mode: "replay", maxAge: "7 days" })
        assert.strictEqual(yield* post(again, { q: 1 }), "{\"answer\":2}")
        assert.include(yield* defect(post(again, { q: 1 })), "recorded 1 times")
      })))
  })

  describe("secrets", () => {
    const record = (
      request: HttpClientRequest.HttpClientRequest,
      response: () => Response,
      options: Cassette.Options = {}
    ) =>
      Effect.gen(function*() {
        const path = yield* temporary
        const client = yield* Cassette.make(service(() => Effect.sync(response)).client, path, {
          mode: "record",
          ...options
        })
        const live = yield* Effect.flatMap(client.execute(request), (answer) => answer.text)
        const replaying = yield* Cassette.make(nowhere, path, { ...options, mode: "replay" })
        const replayed = yield* Effect.flatMap(replaying.execute(request), (answer) => answer.text)
        return { file: yield* read(path), live, replayed }
      })

    const carriers: Record<
      string,
      (request: HttpClientRequest.HttpClientRequest) => HttpClientRequest.HttpClientRequest
    > = {
      "authorization": HttpClientRequest.setHeader("authorization", `Bearer ${key}`),
      "x-api-key": HttpClientRequest.setHeader("x-api-key", key),
      "x-goog-api-key": HttpClientRequest.setHeader("x-goog-api-key", key),
      "a cookie": HttpClientRequest.setHeader("cookie", `theme=dark; session=${key}`),
      "basic authentication": HttpClientRequest.basicAuth("user", key),
      "a query parameter": HttpClientRequest.setUrlParam("key", key),
      "an option": (request) => request
    }

    for (const [name, carry] of Object.entries(carriers)) {
      it.effect(`no key reaches the disk: ${name}, and quoted in bodies, addresses and headers`, () =>
        provided(Effect.gen(function*() {
          // Of no known shape, so that only the carrier tells that it is one.
          const secret = "correct/horse+battery\"staple"
          const of = (text: string) => text.replaceAll(key, secret)
          const request = HttpClientRequest.post(`${url}/${encodeURIComponent(secret)}`).pipe(
            HttpClientRequest.bodyUnsafeJson({ prompt: `My key is ${secret}.`, nested: [{ [secret]: 1 }] })
          )
          const plain = carry(request)
          const carried = HttpClientRequest.modify(plain, {
            headers: Object.fromEntries(Object.entries(plain.headers).map(([header, value]) => [header, of(value)])),
            urlParams: [...plain.urlParams].map(([param, value]) => [param, of(value)] as const)
          })
          const { file, live, replayed } = yield* record(
            name === "basic authentication" ? HttpClientRequest.basicAuth(request, "user", secret) : carried,
            () =>
              Response.json({ error: `Incorrect API key provided: ${secret}` }, {
                headers: { "x-request-id": `req-${secret}`, "set-cookie": `a=${secret}` }
              }),
            // A password is encoded in its header: only an option can name it.
            name === "an option" || name === "basic authentication" ? { secrets: [Redacted.make(secret)] } : {}
          )
          assert.include(live, JSON.stringify(secret).slice(1, -1))
          for (
            const form of [
              secret,
              JSON.stringify(secret).slice(1, -1),
              JSON.stringify(JSON.stringify(secret).slice(1, -1)).slice(1, -1),
              encodeURIComponent(secret),
              Encoding.encodeBase64(secret),
              Encoding.encodeBase64(`user:${secret}`)
            ]
          ) {
            assert.notInclude(file, form)
          }
          assert.include(replayed, "Incorrect API key provided: REDACTED")
        })))
    }

    it.effect("no secret in a field of the request reaches the disk, in any usual encoding", () =>
      provided(Effect.gen(function*() {
        const secret = "hfQ0mYt3XoA7vWb2"
        const forms = [
          secret,
          secret.toUpperCase(),
          secret.toLowerCase(),
          Encoding.encodeHex(secret),
          Encoding.encodeHex(secret).toUpperCase(),
          Encoding.encodeBase64(secret),
          Encoding.encodeBase64(`u:${secret}`)
        ]
        const bodies: ReadonlyArray<unknown> = [
          { tools: [{ type: "mcp", authorization: secret }] },
          { tools: [{ type: "mcp", headers: { "x-tenant": `Bearer ${secret}` } }] },
          { a: { b: [{ access_token: secret }] } },
          { a: `https://me:${secret}@example.com/mcp` }
        ]
        for (const body of bodies) {
          const request = HttpClientRequest.post(url).pipe(HttpClientRequest.bodyUnsafeJson(body))
          const { file } = yield* record(
            request,
            () =>
              Response.json({ error: `No: ${forms.join(", ")}` }, { headers: { "x-request-id": `req-${forms[3]}` } })
          )
          // Base64 mixes the ends of a secret with what stands beside it.
          for (const form of forms) assert.notInclude(file, form.slice(4, -4))
        }
      })))

    it.effect("no key reaches the disk that has the shape of one, of any service", () =>
      provided(Effect.gen(function*() {
        const { file } = yield* record(
          HttpClientRequest.post(url).pipe(
            HttpClientRequest.bodyUnsafeJson({ prompt: "Use AIzaSyA0123456789abcdef." })
          ),
          () => new Response(`data: {"text":"Not ${key}, but sk-ant-api03-ABCDEFGHIJKL."}\n\n`)
        )
        for (const secret of [key, "AIzaSyA0123456789abcdef", "sk-ant-api03-ABCDEFGHIJKL"]) {
          assert.notInclude(file, secret)
        }
      })))

    it.effect("no key reaches the disk in a body that is no text", () =>
      provided(Effect.gen(function*() {
        const bytes = Uint8Array.from([0xFF, 0xFE, ...new TextEncoder().encode(key), 0xFF])
        const { file } = yield* record(
          HttpClientRequest.post(url).pipe(HttpClientRequest.bearerToken(key)),
          () => new Response(bytes)
        )
        const encoded = /"base64": "([^"]+)"/.exec(file)?.[1] ?? ""
        assert.isAbove(encoded.length, 8)
        assert.notInclude(atob(encoded), key)
      })))

    it.effect("headers that name the account or change each time are left out, those that matter are kept", () =>
      provided(Effect.gen(function*() {
        const { file } = yield* record(
          HttpClientRequest.post(url).pipe(
            HttpClientRequest.setHeaders({ "x-company": "acme-internal", "anthropic-version": "2023-06-01" })
          ),
          () =>
            Response.json({}, {
              status: 429,
              headers: {
                "date": "Mon, 01 Jan 2035 00:00:00 GMT",
                "cf-ray": "volatile",
                "openai-organization": "org-acme",
                "retry-after": "7",
                "x-ratelimit-remaining-tokens": "12",
                "x-request-id": "req_1"
              }
            })
        )
        for (const gone of ["acme", "2035", "volatile"]) assert.notInclude(file, gone)
        for (
          const kept of ["2023-06-01", "\"retry-after\": \"7\"", "\"x-ratelimit-remaining-tokens\": \"12\"", "req_1"]
        ) {
          assert.include(file, kept)
        }
      })))

    it.effect("a request with another key, or none, is answered all the same", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const body = { prompt: "What is the test-key-1 of this test?" }
        yield* post(yield* Cassette.make(numbered().client, path), body, { authorization: `Bearer ${key}` })
        for (
          const headers of [{}, { authorization: "Bearer test" }, { authorization: "Bearer sk-live-other-0123456789" }]
        ) {
          const replaying = yield* Cassette.make(nowhere, path, { mode: "replay" })
          assert.strictEqual(yield* post(replaying, body, headers as Record<string, string>), "{\"answer\":1}")
        }
      })))

    it.effect("a function of one's own takes out more", () =>
      provided(Effect.gen(function*() {
        const options = { redact: (text: string) => text.replaceAll(/cust_\w+/g, "cust_X") }
        const { file, replayed } = yield* record(
          HttpClientRequest.post(`${url}/cust_42`).pipe(HttpClientRequest.bodyUnsafeJson({ user: "cust_42" })),
          () => Response.json({ hello: "cust_42" }),
          options
        )
        assert.notInclude(file, "cust_42")
        assert.strictEqual(replayed, "{\"hello\":\"cust_X\"}")
      })))
  })

  describe("files", () => {
    it.effect("are read by people: JSON as JSON, events as lines, and only what is no text as base64", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const bodies = [
          "{\"text\":\"Grüße\"}",
          "{ \"spaced\": 1 }",
          "event: a\r\ndata: {\"x\":1}\n\ndata: [DONE]\n\n",
          Uint8Array.from([0xFF, 0, 1])
        ]
        const live = service((_, n) => Effect.sync(() => new Response(bodies[n - 1])))
        const recording = yield* Cassette.make(live.client, path)
        const bytesOf = (client: HttpClient.HttpClient, q: number) =>
          Effect.flatMap(
            client.execute(HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(url), { q })),
            (response) => Effect.map(response.arrayBuffer, (buffer) => Buffer.from(buffer).toString("hex"))
          )
        const recorded = yield* Effect.forEach([1, 2, 3, 4], (q) => bytesOf(recording, q))
        assert.deepStrictEqual(
          JSON.parse(yield* read(path)).exchanges.map((each: { response: { body: unknown } }) => each.response.body),
          [
            { json: { text: "Grüße" } },
            { lines: ["{ \"spaced\": 1 }"] },
            { lines: ["event: a\r", "data: {\"x\":1}", "", "data: [DONE]", "", ""] },
            { base64: "/wAB" }
          ]
        )
        const replaying = yield* Cassette.make(nowhere, path, { mode: "replay" })
        assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3, 4], (q) => bytesOf(replaying, q)), recorded)
        assert.deepStrictEqual(
          recorded,
          bodies.map((body) => Buffer.from(body).toString("hex"))
        )
      })))

    it.effect("are whole at every moment under concurrency, keep the order of sending, and leave nothing beside", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const fs = yield* FileSystem.FileSystem
        const live = service((request) =>
          Effect.delay(
            Effect.sync(() => Response.json({ to: request.url })),
            // The first is answered last.
            100 - Number(request.url.split("/").at(-1))
          )
        )
        const recording = yield* Cassette.make(live.client, path)
        const all = Array.from({ length: 40 }, (_, i) => `https://api.example.com/${i}`)
        const fiber = yield* Effect.fork(
          Effect.forEach(all, (to) => post(recording, {}, {}, to), { concurrency: "unbounded" })
        )
        for (let i = 0; i < 20; i++) {
          yield* TestClock.adjust("5 millis")
          if (yield* fs.exists(path)) JSON.parse(yield* fs.readFileString(path))
        }
        yield* Fiber.join(fiber)
        const { exchanges } = JSON.parse(yield* read(path))
        assert.deepStrictEqual(exchanges.map((each: { request: { url: string } }) => each.request.url), all)
        assert.deepStrictEqual(yield* fs.readDirectory(path.replace("/test.json", "")), ["test.json"])
      })))

    it.effect("can be read by their owner only, also where they replace one that others could read", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const fs = yield* FileSystem.FileSystem
        const mode = Effect.map(fs.stat(path), (info) => info.mode & 0o777)
        const client = yield* Cassette.make(numbered().client, path)
        yield* post(client, { q: 1 })
        assert.strictEqual(yield* mode, 0o600)
        yield* fs.chmod(path, 0o644)
        yield* post(client, { q: 2 })
        assert.strictEqual(yield* mode, 0o600)
      })))

    it.effect("stay as they are, and leave nothing beside, where they cannot be replaced", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const fs = yield* FileSystem.FileSystem
        yield* post(yield* Cassette.make(numbered().client, path), { q: 1 })
        const before = yield* read(path)
        const full: FileSystem.FileSystem = {
          ...fs,
          rename: (from) =>
            Effect.fail(
              new SystemError({ reason: "Unknown", module: "FileSystem", method: "rename", pathOrDescriptor: from })
            )
        }
        const client = yield* Effect.provideService(
          Cassette.make(numbered().client, path),
          FileSystem.FileSystem,
          full
        )
        assert.match(yield* defect(post(client, { q: 2 })), /^The cassette .*test\.json: .*rename/)
        assert.strictEqual(yield* read(path), before)
        assert.deepStrictEqual(yield* fs.readDirectory(path.replace("/test.json", "")), ["test.json"])
      })))

    it.effect("are cleared of the temporary files of killed processes, once those are an hour old", () =>
      provided(Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const path = yield* temporary
        const directory = path.replace("/test.json", "")
        const kill: FileSystem.FileSystem = { ...fs, rename: () => Effect.never, remove: () => Effect.void }
        const killed = yield* Effect.provideService(Cassette.make(numbered().client, path), FileSystem.FileSystem, kill)
        yield* Effect.forkDaemon(post(killed, {}))
        const left = yield* fs.readDirectory(directory).pipe(
          Effect.orElseSucceed((): Array<string> => []),
          Effect.tap(() => Effect.yieldNow()),
          Effect.repeat({ until: (names) => names.length > 0 })
        )
        const other = left[0]!.replace("test.json", "other.json")
        yield* fs.writeFileString(`${directory}/${other}`, "")
        for (const name of [...left, other]) yield* fs.utimes(`${directory}/${name}`, 0, 0)
        yield* TestClock.adjust(3_599_999)
        yield* Cassette.make(nowhere, path)
        assert.deepStrictEqual((yield* fs.readDirectory(directory)).toSorted(), [other, ...left])
        yield* TestClock.adjust(1)
        yield* Cassette.make(nowhere, path)
        assert.deepStrictEqual(yield* fs.readDirectory(directory), [other])
      })))

    it.effect("give equal requests that are under way at once each an answer of its own", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const recording = yield* Cassette.make(numbered().client, path)
        const twenty = (client: HttpClient.HttpClient) =>
          Effect.all(Array.from({ length: 20 }, () => post(client, { q: "same" })), { concurrency: "unbounded" })
        const recorded = yield* twenty(recording)
        const replaying = yield* Cassette.make(nowhere, path, { mode: "replay" })
        assert.deepStrictEqual((yield* twenty(replaying)).toSorted(), recorded.toSorted())
        assert.strictEqual(new Set(recorded).size, 20)
        assert.include(yield* defect(post(replaying, { q: "same" })), "It was recorded 20 times")
      })))

    it.effect("keep nothing of an answer that breaks off, which the program sees as it is", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const broken = service(() =>
          Effect.sync(() => {
            const pieces = ["one", "two", "three"]
            return new Response(
              new ReadableStream<Uint8Array>({
                pull: (controller) => {
                  const piece = pieces.shift()
                  if (piece === undefined) return controller.error(new Error("gone"))
                  controller.enqueue(new TextEncoder().encode(piece))
                }
              }, { highWaterMark: 0 })
            )
          })
        )
        const client = yield* Cassette.make(broken.client, path)
        const seen: Array<string> = []
        const error = yield* client.execute(HttpClientRequest.post(url)).pipe(
          Effect.flatMap((response) =>
            Stream.runForEach(response.stream, (bytes) => Effect.sync(() => seen.push(new TextDecoder().decode(bytes))))
          ),
          Effect.flip
        )
        assert.match(kindOf(error), /^ResponseError/)
        assert.deepStrictEqual(seen, ["one", "two", "three"])
        assert.isFalse(yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.exists(path)))
      })))

    it.effect("keep nothing of a request that is interrupted", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const client = yield* Cassette.make(service(() => Effect.never).client, path)
        const fiber = yield* Effect.fork(post(client, {}))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        yield* post(yield* Cassette.make(numbered().client, path), {})
        assert.strictEqual(yield* post(yield* Cassette.make(nowhere, path, { mode: "replay" }), {}), "{\"answer\":1}")
      })))

    it.effect("keep the pace of an answer if asked to, and replay it on the Clock", () =>
      provided(Effect.gen(function*() {
        const path = yield* temporary
        const pieces = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]
        const encoder = new TextEncoder()
        const paced = service(() =>
          Effect.map(Effect.runtime<never>(), (runtime) =>
            new Response(Stream.toReadableStreamRuntime(
              Stream.mapEffect(Stream.fromIterable(pieces), (piece) =>
                Effect.delay(Effect.succeed(encoder.encode(piece)), "2 seconds")),
              runtime
            )))
        )
        /** What has come after each second. */
        const watch = (client: HttpClient.HttpClient) =>
          Effect.gen(function*() {
            let text = ""
            const fiber = yield* client.execute(HttpClientRequest.post(url)).pipe(
              Effect.flatMap((response) =>
                Stream.runForEach(response.stream, (bytes) =>
                  Effect.sync(() => {
                    text += new TextDecoder().decode(bytes)
                  }))
              ),
              Effect.fork
            )
            const lengths: Array<number> = []
            for (let second = 0; second < 7; second++) {
              for (let i = 0; i < 20; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
              lengths.push(text.length)
              yield* TestClock.adjust("1 second")
            }
            yield* Fiber.join(fiber)
            return lengths
          })
        yield* watch(yield* Cassette.make(paced.client, path, { timing: true }))
        const replaying = (timing: boolean) =>
          Effect.flatMap(Cassette.make(nowhere, path, { mode: "replay", timing }), watch)
        assert.deepStrictEqual(yield* replaying(true), [0, 0, 9, 9, 18, 18, 27])
        assert.deepStrictEqual(yield* replaying(false), [27, 27, 27, 27, 27, 27, 27])
      })))
  })

  describe("providers", () => {
    // Of no known shape: only where it stands tells that it is a key.
    const secret = "correct-horse-battery-staple"
    const apiKey = Redacted.make(secret)
    const providers = {
      OpenAi: { model: "gpt-4o-mini", at: (url: string) => OpenAi.layer({ apiKey, baseUrl: `${url}/v1` }) },
      OpenAiChat: { model: "gpt-4o-mini", at: (url: string) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` }) },
      Anthropic: { model: "claude-sonnet-4-5", at: (url: string) => Anthropic.layer({ apiKey, baseUrl: url }) },
      Gemini: { model: "gemini-2.5-flash", at: (url: string) => Gemini.layer({ apiKey, baseUrl: url }) },
      Ollama: { model: "llama3.2", at: (url: string) => Ollama.layer({ apiKey, baseUrl: url }) }
    }
    const tool: LlmRequest.Tool = {
      name: "weather",
      parameters: {
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
        additionalProperties: false
      }
    }

    const running = Simulator.layer({ apiKey }).pipe(
      Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
    )

    /** All that a provider said, to the byte, but for the times that are counted from now. */
    const bytesOf = (said: unknown, ...without: ReadonlyArray<string>): string =>
      JSON.stringify(said, (field, inner) => ["resetAfter", ...without].includes(field) ? undefined : inner)

    for (const [name, { at, model }] of Object.entries(providers)) {
      it.live(`${name}: what was recorded is replayed part by part, called and streamed, and holds no key`, () =>
        provided(Effect.gen(function*() {
          const path = yield* temporary
          const { url } = Context.get(yield* Layer.build(running), Simulator.Simulator)
          const requests = yield* Effect.all([
            LlmRequest.decode({ model, prompt: "Echo: The Elbe is a river, Grüße. My key?" }),
            LlmRequest.decode({ model, prompt: "What is the weather?", tools: [tool], toolChoice: "required" })
          ])
          /** All that a provider says to the requests. */
          const everything = (http: Layer.Layer<HttpClient.HttpClient>, mode: Cassette.Mode) =>
            Effect.gen(function*() {
              const cassette = Layer.provide(Cassette.layer(path, { mode }), http)
              const provider = Context.get(
                yield* Layer.build(Layer.provide(at(url), cassette)),
                LlmProvider.LlmProvider
              )
              return yield* Effect.forEach(requests, (request) =>
                Effect.all([
                  provider.call(request),
                  Effect.map(Stream.runCollect(provider.stream(request)), Chunk.toReadonlyArray),
                  // A reader that stops early leaves a whole answer in the cassette.
                  Effect.map(Stream.runCollect(Stream.take(provider.stream(request), 1)), Chunk.toReadonlyArray)
                ]))
            })
          const live = yield* everything(FetchHttpClient.layer, "passthrough")
          const recorded = yield* everything(FetchHttpClient.layer, "record")
          const replayed = yield* everything(Layer.succeed(HttpClient.HttpClient, nowhere), "replay")
          assert.strictEqual(bytesOf(replayed), bytesOf(recorded))
          assert.strictEqual(bytesOf(replayed, "requestId", "raw"), bytesOf(live, "requestId", "raw"))
          assert.include(bytesOf(replayed), "Grüße")
          assert.include(bytesOf(replayed), "ToolCallEnd")
          const file = yield* read(path)
          assert.notInclude(file, secret)
          assert.strictEqual(JSON.parse(file).exchanges.length, 6)
        })))
    }
  })
})
