import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmStream from "effect-llm/LlmStream"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import { valueOf } from "./support/exits.js"
import { collect, idsIn, interrupted, type Parts, parts, watched } from "./support/streamedParts.js"

const broken: Parts = Stream.concat(Stream.fromIterable(parts.slice(0, 3)), Stream.fail(interrupted("Elbe")))

const sent = (stream: Parts) => HttpServerResponse.stream(LlmStream.toSse(stream), { headers: LlmStream.headers })

/** Serves what is at each path of a router. */
const serveRouter = (routes: ReadonlyArray<readonly [path: HttpRouter.PathInput, app: HttpApp.Default]>) =>
  HttpServer.serveEffect(HttpRouter.fromIterable(routes.map(([path, app]) => HttpRouter.makeRoute("GET", path, app))))

class Api extends HttpApi.make("api").add(
  HttpApiGroup.make("story").add(HttpApiEndpoint.get("whole", "/whole").addSuccess(Schema.String))
) {}

const Story = HttpApiBuilder.group(
  Api,
  "story",
  (handlers) => handlers.handleRaw("whole", () => Effect.succeed(sent(Stream.fromIterable(parts))))
)

/** Serves the API. */
const serveApi = Layer.build(
  Layer.provide(HttpApiBuilder.serve(), HttpApiBuilder.api(Api).pipe(Layer.provide(Story)))
)

const onLoopback = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

const url = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))

const read = (path: string) =>
  Effect.gen(function*() {
    return yield* HttpClient.get(`${yield* url}${path}`).pipe(
      Effect.tap(({ headers }) => assert.match(headers["content-type"] ?? "", /^text\/event-stream/)),
      HttpClientResponse.stream,
      LlmStream.fromSse,
      watched
    )
  })

describe("LlmStream over HTTP", () => {
  it.scopedLive("takes a stream, and its failure, through an HttpRouter to an HttpClient", () =>
    Effect.gen(function*() {
      yield* serveRouter([
        ["/whole", Effect.succeed(sent(Stream.fromIterable(parts)))],
        ["/broken", Effect.succeed(sent(broken))]
      ])
      const whole = yield* read("/whole")
      assert.deepStrictEqual([whole.seen, valueOf(whole.exit)], [parts, undefined])
      const { exit, seen } = yield* read("/broken")
      assert.deepStrictEqual(seen, parts.slice(0, 3))
      assert(exit._tag === "Failure" && exit.cause._tag === "Fail" && LlmError.isLlmError(exit.cause.error))
      assert.strictEqual(exit.cause.error.requestId, "req_1")
    }).pipe(Effect.provide([onLoopback, FetchHttpClient.layer])))

  it.scopedLive("goes through an HttpApi", () =>
    Effect.gen(function*() {
      yield* serveApi
      const { seen } = yield* read("/whole")
      assert.deepStrictEqual(seen, parts)
    }).pipe(Effect.provide([onLoopback, FetchHttpClient.layer])))

  it.scopedLive("resumes by the header that browsers send", () =>
    Effect.gen(function*() {
      const { toSse } = yield* LlmStream.makeResumable()
      yield* serveRouter([[
        "/story",
        Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
          HttpServerResponse.stream(
            toSse(Stream.fromIterable(parts), { lastEventId: headers["last-event-id"] }),
            { headers: LlmStream.headers }
          ))
      ]])
      const story = `${yield* url}/story`
      const whole = yield* collect(HttpClientResponse.stream(HttpClient.get(story)))
      const [, , third = ""] = idsIn(whole)
      const rest = yield* collect(
        HttpClientResponse.stream(HttpClient.get(story, { headers: { "last-event-id": third } }))
      )
      assert.deepStrictEqual(idsIn(rest), idsIn(whole).slice(3))
    }).pipe(Effect.provide([onLoopback, FetchHttpClient.layer])))
})
