import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Inspector from "effect-llm/Inspector"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import { createServer, request as httpRequest } from "node:http"
import { request } from "../support/samples.js"
import { answered, common, started } from "./history.js"

const ServerLive = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

const Quiet = Logger.minimumLogLevel(LogLevel.None)

/** A server that other machines can reach. */
const onAllAddresses = (server: HttpServer.HttpServer) =>
  HttpServer.make({ ...server, address: { _tag: "TcpAddress", hostname: "0.0.0.0", port: 80 } })

const inspector = (options: Inspector.Options = {}) =>
  Effect.map(
    Layer.build(Layer.provide(Inspector.layer(options), [ServerLive, Quiet])),
    Context.get(Inspector.Inspector)
  )

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
}

/** Asks with any headers, also those that `fetch` sets itself. The connection is closed after `until` has come. */
const ask = (url: string, headers: Record<string, string> = {}, until?: string, method = "GET") =>
  Effect.async<Answer>((resume) => {
    const asked = httpRequest(url, { headers, method }, (response) => {
      let body = ""
      const answer = () => resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text
        if (until !== undefined && body.includes(until)) asked.destroy()
      })
      response.on("close", answer)
    })
    asked.on("error", () => {})
    asked.end()
  })

/** The JSON of the first update. */
const firstUpdate = (url: string) =>
  Effect.map(ask(`${url}/events`, {}, "\n\n"), ({ body }) => JSON.parse(body.slice("data: ".length)))

describe("Inspector", () => {
  it.scopedLive("serves a page that loads nothing from elsewhere and may do nothing else", () =>
    Effect.gen(function*() {
      const { url } = yield* inspector()
      const page = yield* ask(`${url}/`)
      assert.strictEqual(page.status, 200)
      assert.match(String(page.headers["content-type"]), /^text\/html/)
      const policy = String(page.headers["content-security-policy"])
      for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
        assert.include(policy, part)
      }
      const paths = [...page.body.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, path]) => path!)
      assert.deepStrictEqual(paths, ["data:,", "/inspector.css", "/inspector.js"])
      for (const path of ["/inspector.css", "/inspector.js"]) {
        const { body, status } = yield* ask(url + path)
        assert.strictEqual(status, 200)
        assert.notMatch(body, /https?:\/\//)
      }
      assert.strictEqual((yield* ask(`${url}/elsewhere`)).status, 404)
    }))

  it.scopedLive("refuses other names and other origins, for the page and for its data", () =>
    Effect.gen(function*() {
      const { logger, url } = yield* inspector()
      yield* logger.log(started("a"))
      for (const path of ["/", "/events", "/calls/1", "/inspector.js"]) {
        const rebound = yield* ask(url + path, { host: "evil.example:4400" })
        const foreign = yield* ask(url + path, { origin: "http://evil.example" })
        const embedded = yield* ask(url + path, { "sec-fetch-site": "cross-site" })
        assert.deepStrictEqual([rebound.status, foreign.status, embedded.status], [403, 403, 403], path)
        for (const { body } of [rebound, foreign, embedded]) assert.notInclude(body, "gpt-4o-mini")
      }
      assert.strictEqual((yield* ask(`${url}/`, {}, undefined, "POST")).status, 405)
      assert.strictEqual((yield* ask(`${url}/calls/1`)).status, 200)
      assert.strictEqual((yield* ask(`${url}/calls/2`)).status, 404)
    }))

  it.scopedLive("sends what has happened, and then what happens", () =>
    Effect.gen(function*() {
      const { logger, url } = yield* inspector()
      yield* logger.log(started("a"))
      const update = yield* firstUpdate(url)
      assert.deepStrictEqual(update.calls.map(({ id, outcome }: never) => [id, outcome]), [["a", "running"]])
      const following = yield* Effect.fork(ask(`${url}/events`, {}, `"outcome":"ok"`))
      yield* logger.log(answered("a"))
      const { body } = yield* following
      assert.match(body, /"outcome":"ok"/)
    }))

  it.scopedLive("adds to the program's logger, and shows a call under one id", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const scripted = yield* LlmTest.make(["Elbe"])
      const context = yield* Layer.build(
        LlmClient.layer().pipe(
          Layer.provide([
            scripted.layer,
            LlmCache.layerMemory(),
            LlmLogger.layerHandler(({ _tag }) => void seen.push(_tag)).pipe(
              LlmLogger.layerMerge(Inspector.layer({ content: true }))
            )
          ]),
          Layer.provideMerge(ServerLive),
          Layer.provide(Quiet)
        )
      )
      const client = Context.get(context, LlmClient.LlmClient)
      yield* client.call(request)
      yield* client.call(request)
      assert.deepStrictEqual(seen, ["CacheMiss", "CallStarted", "CallOk", "CacheHit"])
      const { address } = Context.get(context, HttpServer.HttpServer)
      const update = yield* firstUpdate(HttpServer.formatAddress(address))
      assert.deepStrictEqual(
        update.calls.map(({ outcome, prompt }: never) => [outcome, prompt]),
        [["ok", request.prompt], ["cached", request.prompt]]
      )
    }))

  it.scopedLive("ends at once with its scope, though a page is open", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.extend(inspector(), scope)
      const open = yield* Effect.fork(ask(`${url}/events`))
      yield* firstUpdate(url)
      const [time] = yield* Effect.timed(Scope.close(scope, Exit.void))
      assert.isBelow(Duration.toMillis(time), 10_000)
      yield* open
    }))

  it.scopedLive("takes no server that other machines can reach, and no options that make no sense", () =>
    Effect.gen(function*() {
      const open = Layer.provide(
        Inspector.layer(),
        Layer.effect(HttpServer.HttpServer, Effect.map(HttpServer.HttpServer, onAllAddresses)).pipe(
          Layer.provide(ServerLive)
        )
      )
      const failures = [
        yield* Effect.exit(Effect.asVoid(Layer.build(open))),
        ...(yield* Effect.forEach(
          [{ maxCalls: 0 }, { maxBytes: 0.5 }, { content: { maxLength: 0 } }, { maxCall: 3 } as Inspector.Options],
          (options) => Effect.exit(Effect.asVoid(inspector(options)))
        ))
      ].map((exit) => Exit.isFailure(exit) ? String(exit.cause) : "")
      const expected = [/0\.0\.0\.0/, /maxCalls/, /maxBytes/, /content\.maxLength/, /maxCall must be a known option/]
      expected.forEach((pattern, index) => assert.match(failures[index]!, pattern))
    }))

  it.scopedLive("receives requests only with content", () =>
    Effect.gen(function*() {
      assert.isFalse((yield* inspector()).logger.receivesRequests)
      assert.isTrue((yield* inspector({ content: true })).logger.receivesRequests)
      const { logger, url } = yield* inspector()
      const event = LlmEvent.CallOk({ ...answered("a"), ...common("a") })
      yield* logger.log(started("a"))
      yield* logger.log(event)
      assert.notInclude(JSON.stringify(yield* firstUpdate(url)), "Elbe")
      assert.notInclude((yield* ask(`${url}/calls/1`)).body, "Elbe")
    }))
})
