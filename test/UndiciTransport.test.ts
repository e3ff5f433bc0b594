import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as UndiciTransport from "effect-llm/UndiciTransport"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { ServerResponse } from "node:http"
import { Agent, interceptors, MockAgent } from "undici"
import { reasonOf } from "./support/fakeHttp.js"
import { kindOf } from "./support/httpFailures.js"
import { eventually, serve, settled, turn } from "./support/overHttp.js"

const completion = JSON.stringify({
  choices: [{ message: { role: "assistant", content: "Elbe" }, finish_reason: "stop" }]
})

const answering = (response: ServerResponse, body = completion): void => {
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body)
}

/** The provider of a client, and a request for it. */
const provided = (client: HttpClient.HttpClient, url: string) =>
  Effect.gen(function*() {
    const provider = yield* OpenAiChat.make({ apiKey: Redacted.make("k-0123456789abcdef"), baseUrl: url })
    const request = yield* LlmRequest.decode({ model: "gpt-4o-mini", prompt: "Name a river." })
    return { call: provider.call(request), stream: provider.stream(request) }
  }).pipe(Effect.provideService(HttpClient.HttpClient, client))

const layered = (options?: UndiciTransport.Options) =>
  Effect.map(Layer.build(UndiciTransport.layer(options)), Context.get(HttpClient.HttpClient))

const agent = Effect.acquireRelease(Effect.sync(() => new Agent()), (agent) => Effect.promise(() => agent.destroy()))

// ---------------------------------------------------------------------------------------------------------------------
describe("UndiciTransport: a provider", () => {
  it.scopedLive("takes the short way over the client as it is", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve((response) => answering(response))
      const client = yield* layered()
      const untouched = Object.assign(client, { execute: () => Effect.dieMessage("the long way") })
      const { call } = yield* provided(untouched, url)
      assert.strictEqual((yield* call).text, "Elbe")
      assert.strictEqual(requests[0]?.headers["content-type"], "application/json")
      assert.strictEqual(requests[0]?.headers.authorization, "Bearer k-0123456789abcdef")
      assert.isUndefined(requests[0]?.headers["accept-encoding"])
    }))

  it.scopedLive("takes the way through everything that the program has put around the client", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve((response) => answering(response))
      const client = yield* layered()
      const clients = [
        HttpClient.mapRequest(client, HttpClientRequest.setHeader("x-mapped", "yes")),
        HttpClient.transform(
          client,
          (_, request) => client.execute(HttpClientRequest.setHeader(request, "x-mapped", "yes"))
        ),
        HttpClient.withTracerPropagation(
          HttpClient.mapRequestInput(client, HttpClientRequest.setHeader("x-mapped", "yes")),
          true
        )
      ]
      for (const mapped of clients) {
        const { call, stream } = yield* provided(mapped, url)
        assert.strictEqual((yield* call).text, "Elbe")
        yield* Effect.exit(Stream.runDrain(stream))
      }
      assert.deepStrictEqual(requests.map(({ headers }) => headers["x-mapped"]), Array(6).fill("yes"))
    }))

  it.scopedLive("follows no redirect, though the dispatcher would", () =>
    Effect.gen(function*() {
      const elsewhere = yield* serve((response) => answering(response))
      const { url } = yield* serve((response) => response.writeHead(307, { location: elsewhere.url }).end())
      const following = (yield* agent).compose(interceptors.redirect({ maxRedirections: 3 }))
      const { call, stream } = yield* provided(UndiciTransport.make(following), url)
      for (const error of [yield* Effect.flip(call), yield* Effect.flip(Stream.runDrain(stream))]) {
        assert.strictEqual(reasonOf(error, "InvalidRequest").code, "redirect")
      }
      assert.isEmpty(elsewhere.requests)
    }))

  it.live("works on a dispatcher that answers without a network", () =>
    Effect.gen(function*() {
      const mock = new MockAgent()
      mock.disableNetConnect()
      mock.get("https://llm.example.com").intercept({ path: "/v1/chat/completions", method: "POST" })
        .reply(200, completion, { headers: { "content-type": "application/json", "set-cookie": ["a=1", "b=2"] } })
      const { call } = yield* provided(UndiciTransport.make(mock), "https://llm.example.com/v1")
      assert.strictEqual((yield* call).text, "Elbe")
      // Nothing is left to answer with.
      const error = yield* Effect.flip(call)
      assert.match(reasonOf(error, "NetworkFailed").code ?? "", /MOCK/)
      yield* Effect.promise(() => mock.close())
    }))

  it.scopedLive("gets a typed failure where the dispatcher throws, or is closed", () =>
    Effect.gen(function*() {
      const { url } = yield* serve((response) => answering(response))
      const throwing = Object.assign(yield* agent, {
        dispatch: () => {
          throw Object.assign(new Error("no"), { code: "EBROKEN" })
        }
      })
      const broken = yield* provided(UndiciTransport.make(throwing), url)
      assert.strictEqual(reasonOf(yield* Effect.flip(broken.call), "NetworkFailed").code, "EBROKEN")
      const closed = yield* agent
      yield* Effect.promise(() => closed.close())
      const late = yield* provided(UndiciTransport.make(closed), url)
      assert.match(reasonOf(yield* Effect.flip(late.call), "NetworkFailed").code ?? "", /^UND_ERR_/)
    }))

  it.scopedLive("has a request refused that cannot be sent", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve((response) => answering(response))
      const provider = yield* OpenAiChat.make({ baseUrl: url, headers: { "transfer-encoding": "chunked" } }).pipe(
        Effect.provideService(HttpClient.HttpClient, yield* layered())
      )
      const request = yield* LlmRequest.decode({ model: "gpt-4o-mini", prompt: "Name a river." })
      reasonOf(yield* Effect.flip(provider.call(request)), "InvalidRequest")
      assert.isEmpty(requests)
    }))

  it.scopedLive("does not take for an answer what only says that one will come", () =>
    Effect.gen(function*() {
      const { url } = yield* serve((response) => {
        response.writeEarlyHints({ link: "</a>; rel=preload" })
        setTimeout(() => answering(response), 20)
      })
      const { call } = yield* provided(yield* layered(), url)
      assert.strictEqual((yield* call).text, "Elbe")
    }))

  it.scopedLive("is not held up by requests that left while they waited for a connection", () =>
    Effect.gen(function*() {
      const held: Array<ServerResponse> = []
      const { connections, requests, url } = yield* serve((response) => void held.push(response))
      const { call } = yield* provided(yield* layered({ connections: 1 }), url)
      const first = yield* Effect.fork(call)
      yield* eventually("the first request", Effect.sync(() => held.length === 1))
      const others = yield* Effect.forEach([1, 2, 3], () => Effect.fork(call))
      yield* settled
      for (const fiber of others) assert(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      const last = yield* Effect.fork(call)
      answering(held[0]!)
      assert.strictEqual((yield* Fiber.join(first)).text, "Elbe")
      yield* eventually("the last request", Effect.sync(() => requests.length === 2))
      answering(held[1]!)
      assert.strictEqual((yield* Fiber.join(last)).text, "Elbe")
      assert.deepStrictEqual(connections, { open: 1, total: 1 })
    }))

  describe("frees the bodies of requests that are left while all connections are busy, and sends nothing of them", () => {
    const clients = {
      "a layer of one connection": layered({ connections: 1 }),
      "a layer of two": layered({ connections: 2 }),
      "an agent of two": Effect.acquireRelease(
        Effect.sync(() => new Agent({ connections: 2 })),
        (agent) => Effect.promise(() => agent.destroy())
      ).pipe(Effect.map(UndiciTransport.make)),
      // The ordinary way, on which the client is asked and not the transport.
      "a mapped client": Effect.map(layered({ connections: 1 }), HttpClient.mapRequest((request) => request))
    }

    /** The bodies of the requests for which undici has begun, in bytes. */
    const begunBodies = Effect.acquireRelease(
      Effect.sync(() => {
        const sizes: Array<number> = []
        const created = (message: unknown) => {
          const { request } = message as { readonly request: { readonly body: Uint8Array | null } }
          sizes.push(request.body?.length ?? 0)
        }
        subscribe("undici:request:create", created)
        return { sizes, created }
      }),
      ({ created }) => Effect.sync(() => unsubscribe("undici:request:create", created))
    ).pipe(Effect.map(({ sizes }) => sizes))

    it.scopedLive.each(Object.entries(clients))("%s", ([, making]) =>
      Effect.gen(function*() {
        const held: Array<ServerResponse> = []
        const { connections, requests, url } = yield* serve((response) => void held.push(response))
        const client = yield* making
        const provider = yield* OpenAiChat.make({ baseUrl: url }).pipe(
          Effect.provideService(HttpClient.HttpClient, client)
        )
        const prompt = "x".repeat(50_000)
        const request = yield* LlmRequest.decode({ model: "gpt-4o-mini", prompt })
        const sizes = yield* begunBodies
        const busy = yield* Effect.forEach([1, 2], () => Effect.fork(provider.call(request)))
        yield* settled
        const begun = sizes.length
        yield* eventually("the requests that have begun", Effect.sync(() => begun > 0 && held.length === begun))
        const open = connections.open
        assert.strictEqual(begun, open)
        for (const asked of [Effect.asVoid(provider.call(request)), Stream.runDrain(provider.stream(request))]) {
          const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(asked))
          yield* settled
          yield* Fiber.interruptAll(fibers)
        }
        // In a queue they were no more than what the program gave, of which nothing is left.
        assert.strictEqual(sizes.length, begun)
        const last = yield* Effect.fork(provider.call(request))
        for (let n = 0; n < 3; n++) {
          yield* eventually("a request", Effect.sync(() => held.length > n))
          answering(held[n]!)
        }
        for (const fiber of [...busy, last]) assert.strictEqual((yield* Fiber.join(fiber)).text, "Elbe")
        assert.strictEqual(requests.length, 3)
        assert.strictEqual(sizes.filter((size) => size > 50_000).length, 3)
        assert.strictEqual(connections.total, open)
      }))
  })

  it.scopedLive("lets the server wait where nobody reads", () =>
    Effect.gen(function*() {
      const chunk = `: ${"x".repeat(16_000)}\n\n`
      let written = 0
      const { url } = yield* serve((response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: "Elbe" } }] })}\n\n`)
        const more = () => {
          while (!response.destroyed && written < 200_000_000) {
            written += chunk.length
            if (!response.write(chunk)) return
          }
        }
        response.on("drain", more)
        more()
      })
      const { stream } = yield* provided(yield* layered(), url)
      const seen = yield* Stream.runForEach(stream, () => Effect.never).pipe(Effect.fork)
      let before = -1
      yield* eventually(
        "a server that waits",
        Effect.sleep("100 millis").pipe(Effect.map(() => {
          const still = written === before
          before = written
          return still && written > 0
        }))
      )
      // What the system's buffers take is the system's business.
      assert.isBelow(written, 50_000_000)
      yield* Fiber.interrupt(seen)
    }))

  describe("keeps the connection of a stream whose answer is whole", () => {
    // The usage is the last word: what comes after it nobody waits for.
    const whole = [
      { choices: [{ index: 0, delta: { content: "Elbe" }, finish_reason: "stop" }] },
      { choices: [], usage: { prompt_tokens: 3, completion_tokens: 1 } }
    ].map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")

    const streamed = (afterwards: (response: ServerResponse) => void) =>
      Effect.gen(function*() {
        const served = yield* serve((response) => {
          response.writeHead(200, { "content-type": "text/event-stream" }).write(whole)
          setImmediate(() => setImmediate(() => afterwards(response)))
        })
        const { stream } = yield* provided(yield* layered({ connections: 1 }), served.url)
        return { ...served, parts: Effect.map(Stream.runCollect(stream), Chunk.size) }
      })

    it.scopedLive("where its end follows: the next one needs no other", () =>
      Effect.gen(function*() {
        const { connections, parts } = yield* streamed((response) => response.end("data: [DONE]\n\n"))
        for (let n = 0; n < 3; n++) assert.strictEqual(yield* parts, 2)
        assert.deepStrictEqual(connections, { open: 1, total: 1 })
      }))

    it.scopedLive("but not for long where it does not", () =>
      Effect.gen(function*() {
        const { connections, parts } = yield* streamed(() => {})
        assert.strictEqual(yield* parts, 2)
        yield* eventually("the end of the connection", Effect.sync(() => connections.open === 0))
      }))

    it.scopedLive("nor where too much comes instead of it", () =>
      Effect.gen(function*() {
        const { connections, parts } = yield* streamed((response) => {
          const more = () => void (response.writable && response.write(":".repeat(16_384), more))
          more()
        })
        assert.strictEqual(yield* parts, 2)
        yield* eventually("the end of the connection", Effect.sync(() => connections.open === 0))
      }))
  })

  it.scopedLive("leaves no connection, listener or warning behind in 4,000 calls", () =>
    Effect.gen(function*() {
      const { connections, forget, url } = yield* serve((response, _, n) => {
        if (n === 1_000) forget()
        answering(response)
      })
      const warnings: Array<Error> = []
      const warned = (warning: Error) => void warnings.push(warning)
      process.on("warning", warned)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.off("warning", warned)))
      const scope = yield* Scope.make()
      const { call } = yield* provided(yield* Scope.extend(layered(), scope), url)
      yield* Effect.forEach(Array.from({ length: 4_000 }), () => call, { concurrency: 16, discard: true })
      // Undici takes a turn before it uses a connection again, in which the next call takes another one.
      assert.isAtMost(connections.open, 32)
      assert.isAtMost(connections.total, 400)
      assert.isEmpty(warnings)
      yield* Scope.close(scope, Exit.void)
      yield* eventually("the end of all connections", Effect.sync(() => connections.open === 0))
    }), 120_000)
})

// ---------------------------------------------------------------------------------------------------------------------
describe("UndiciTransport: a program", () => {
  const echo = serve((response, { body, headers, url }) => {
    response.writeHead(200, { "content-type": "application/json", "set-cookie": ["a=1; Path=/", "b=2"], "x-b": "1" })
    response.end(JSON.stringify({ url, body, type: headers["content-type"], length: headers["content-length"] }))
  })

  it.scopedLive("can use the client for anything it sends", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* echo
      const client = yield* layered()
      const post = HttpClientRequest.post(`${url}/a?b=c`)
      const form = new FormData()
      form.set("river", "Elbe")
      const bodies: ReadonlyArray<readonly [HttpClientRequest.HttpClientRequest, RegExp]> = [
        [post, /^$/],
        [HttpClientRequest.bodyText(post, "Grüße"), /^Grüße$/],
        [HttpClientRequest.bodyUint8Array(post, new Uint8Array([65, 66])), /^AB$/],
        [HttpClientRequest.bodyUnsafeJson(post, { a: 1 }), /^\{"a":1\}$/],
        [HttpClientRequest.bodyFormData(post, form), /name="river"\s+Elbe/],
        [
          HttpClientRequest.bodyStream(post, Stream.make(new Uint8Array([65]), new Uint8Array([66])), {
            contentType: "text/plain"
          }),
          /^AB$/
        ]
      ]
      for (const [request, body] of bodies) {
        const response = yield* client.execute(request)
        assert.strictEqual(response.status, 200)
        assert.match((yield* response.text).replace(/\\u[0-9a-f]{4}/g, ""), /"url":"\/a\?b=c"/)
        assert.match(requests.at(-1)?.body ?? "", body)
      }
      yield* client.get(`${url}/get`).pipe(Effect.flatMap((response) => response.text))
      assert.strictEqual(requests.at(-1)?.url, "/get")
    }))

  it.scopedLive("can read an answer in every way, and as often as it likes", () =>
    Effect.gen(function*() {
      const { url } = yield* echo
      const client = yield* layered()
      const response = yield* client.get(url)
      const text = yield* response.text
      assert.strictEqual(yield* response.text, text)
      assert.deepStrictEqual(yield* response.json, JSON.parse(text))
      assert.strictEqual(new TextDecoder().decode(yield* response.arrayBuffer), text)
      assert.strictEqual(response.headers["x-b"], "1")
      assert.deepStrictEqual(Object.keys(response.cookies.cookies), ["a", "b"])
      const chunks = yield* client.get(url).pipe(
        Effect.map((response) => response.stream),
        Stream.unwrap,
        Stream.decodeText(),
        Stream.runCollect
      )
      assert.strictEqual(Chunk.join(chunks, ""), text)

      const { url: forms } = yield* serve((response) =>
        response.writeHead(200, { "content-type": "application/x-www-form-urlencoded" }).end("river=Elbe")
      )
      assert.strictEqual((yield* (yield* client.get(forms)).formData).get("river"), "Elbe")
      assert.deepStrictEqual([...yield* (yield* client.get(forms)).urlParamsBody], [["river", "Elbe"]])
      const error = yield* Effect.flip((yield* client.get(forms)).json)
      assert.strictEqual(kindOf(error), "ResponseError: Decode")
    }))

  it.scopedLive("gets a typed failure of a connection: before the answer, and in the middle of it", () =>
    Effect.gen(function*() {
      const { url } = yield* serve((response, { url }) => {
        if (url === "/before") return void response.destroy()
        response.writeHead(200, { "content-length": "100" }).write("half", () => response.destroy())
      })
      const client = yield* layered()
      const before = yield* Effect.flip(client.get(`${url}/before`))
      assert.strictEqual(kindOf(before), "RequestError: Transport")
      const within = yield* Effect.flip((yield* client.get(`${url}/within`)).text)
      assert.strictEqual(kindOf(within), "ResponseError: Decode")
    }))

  it.scopedLive("aborts what it interrupts: before the answer, and in the middle of it", () =>
    Effect.gen(function*() {
      const { connections, requests, url } = yield* serve((response, { url }) => {
        if (url === "/within") response.writeHead(200).write("half")
      })
      const client = yield* layered()
      for (const [n, path] of ["/before", "/within"].entries()) {
        const fiber = yield* Effect.fork(Effect.flatMap(client.get(url + path), (response) => response.text))
        yield* eventually("the request", Effect.sync(() => requests.length === n + 1))
        yield* settled
        assert(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        yield* eventually("the end of the connection", Effect.sync(() => connections.open === 0))
      }
    }))
})

// ---------------------------------------------------------------------------------------------------------------------
describe("UndiciTransport: the layer", () => {
  it.effect("is not built with options that make no sense", () =>
    Effect.gen(function*() {
      const refused: ReadonlyArray<readonly [UndiciTransport.Options, string]> = [
        [{ connections: 0 }, "connections must be"],
        [{ connections: 1.5 }, "connections must be"],
        [{ keepAliveTimeout: -1 }, "keepAliveTimeout must be"],
        [{ connectTimeout: 0 }, "connectTimeout must be"]
      ]
      for (const [options, message] of refused) {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(UndiciTransport.layer(options))))
        assert(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.include(Cause.pretty(exit.cause), message)
      }
    }))

  it.scopedLive("ends what is under way when it is closed", () =>
    Effect.gen(function*() {
      const { connections, requests, url } = yield* serve(() => {})
      const scope = yield* Scope.make()
      const { call } = yield* provided(yield* Scope.extend(layered({ keepAliveTimeout: "1 minute" }), scope), url)
      const fiber = yield* Effect.fork(Effect.flip(call))
      yield* eventually("the request", Effect.sync(() => requests.length === 1))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(reasonOf(yield* Fiber.join(fiber), "NetworkFailed").code, "UND_ERR_DESTROYED")
      yield* turn
      yield* eventually("the end of all connections", Effect.sync(() => connections.open === 0))
    }))
})
