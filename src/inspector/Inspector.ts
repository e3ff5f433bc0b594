/**
 * A page on this machine that shows calls as they come: each as a bar over time, with its attempts, waits, retries and
 * cache; limits, budgets and circuits; tokens and cost; and one call's events. It is for development, and shows
 * policies at work. It is a logger beside others, and needs an `HttpServer` on a loopback address.
 *
 * The page loads nothing from elsewhere. It answers only under a name of this machine (`localhost`, `127.0.0.1`,
 * `[::1]`), and refuses pages of other origins. Prompts and answers are kept only with the option `content`.
 *
 * @since 0.1.0
 */
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Check from "../internal/check.js"
import * as LlmLogger from "../LlmLogger.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as ServerConnections from "../wire/serverConnections.js"
import * as Access from "./access.js"
import * as App from "./app.js"
import * as Journal from "./journal.js"

/**
 * What an inspector keeps.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The most calls that are kept, at least 1: the oldest go first. Default: 500. */
  readonly maxCalls?: number | undefined
  /** The approximate memory for calls, their events and their texts, in bytes. Default: 32 MiB. */
  readonly maxBytes?: number | undefined
  /**
   * Whether prompts and answers are kept and shown, or how. They may be personal data. The bytes of images and files are
   * not kept. Default: false.
   */
  readonly content?:
    | boolean
    | {
      /** The most characters of a prompt, and of an answer. Of a prompt the last messages are kept. Default: 10,000. */
      readonly maxLength?: number | undefined
      /** Changes each text before it is cut and kept. A text for which it throws is left out. Default: no change. */
      readonly redact?: ((text: string) => string) | undefined
    }
    | undefined
}

/**
 * A running inspector.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The address of the page: `http://127.0.0.1:4400`. */
  readonly url: string
  /** The logger that feeds the page. */
  readonly logger: LlmLogger.Service
}

/**
 * A running inspector.
 *
 * @since 0.1.0
 * @category services
 */
export class Inspector extends Context.Tag("effect-llm/Inspector")<Inspector, Service>() {}

const options: Check.Names<Options> = { maxCalls: true, maxBytes: true, content: true }

type ContentOptions = Exclude<Options["content"], boolean | undefined>

const contentOptions: Check.Names<ContentOptions> = { maxLength: true, redact: true }

const contentOf = (content: NonNullable<Options["content"]>): Journal.Settings["content"] => {
  if (content === false) return undefined
  const { maxLength = 10_000, redact = identity } = content === true
    ? {}
    : Check.known(content, contentOptions, "content.")
  return { maxLength: Check.integer("content.maxLength", maxLength, 1), redact }
}

const settingsOf = ({ content = false, maxBytes = 32 * 1024 * 1024, maxCalls = 500, ...unknown }: Options) => {
  Check.known(unknown, options)
  return {
    maxCalls: Check.integer("maxCalls", maxCalls, 1),
    maxBytes: Check.integer("maxBytes", maxBytes, 1),
    content: contentOf(content)
  }
}

const urlOf = (address: HttpServer.Address): Effect.Effect<string> => {
  if (address._tag === "UnixAddress") {
    return Effect.dieMessage("The inspector needs a server that listens on a TCP port")
  }
  const { hostname, port } = address
  return Access.isLoopback(hostname)
    ? Effect.succeed(`http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`)
    : Effect.dieMessage(`The inspector needs a server on a loopback address, such as 127.0.0.1, but has ${hostname}`)
}

/**
 * Shows the page on the `HttpServer` of the environment. When its scope closes, open pages are disconnected. A server
 * that other machines can reach and an invalid option are defects.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Inspector from "effect-llm/Inspector"
 *
 * const url = Effect.map(Inspector.make({ maxCalls: 100 }), (inspector) => inspector.url)
 * ```
 */
export const make = (
  options: Options = {}
): Effect.Effect<Service, never, HttpServer.HttpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* Effect.sync(() => settingsOf(options))
    const server = yield* HttpServer.HttpServer
    const url = yield* urlOf(server.address)
    const journal = Journal.make(settings)
    const connections = ServerConnections.make()
    const closed = yield* Deferred.make<void>()
    yield* server.serve(App.make({ journal, connections, closed: Deferred.await(closed) }))
    yield* Effect.addFinalizer(() => Effect.zipRight(Deferred.succeed(closed, undefined), connections.close))
    const logger: LlmLogger.Service = {
      isImmediate: true,
      receivesRequests: settings.content !== undefined,
      log: (event) =>
        Effect.clockWith((clock) => {
          journal.record({ at: Elapsed.unsafeNow(clock), wall: clock.unsafeCurrentTimeMillis(), event })
          return Effect.void
        })
    }
    return { url, logger }
  })

/**
 * Shows the page for as long as the layer lives, and logs its address. It is a logger that prints nothing else:
 * `LlmLogger.layerMerge` adds it to the program's own. A server that other machines can reach and an invalid option are
 * defects.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { LlmLogger } from "effect-llm"
 * import * as Inspector from "effect-llm/Inspector"
 * import { createServer } from "node:http"
 *
 * const Logger = LlmLogger.layer.pipe(
 *   LlmLogger.layerMerge(Inspector.layer({ content: true })),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 4400 }))
 * )
 * ```
 */
export const layer = (
  options: Options = {}
): Layer.Layer<LlmLogger.LlmLogger | Inspector, never, HttpServer.HttpServer> =>
  Layer.scopedContext(
    Effect.gen(function*() {
      const inspector = yield* make(options)
      yield* Effect.logInfo(`The inspector shows the calls at ${inspector.url}`)
      return Context.make(Inspector, inspector).pipe(Context.add(LlmLogger.LlmLogger, inspector.logger))
    })
  ).pipe(
    // Its spans would mix with those of the program.
    HttpMiddleware.withTracerDisabledWhen(() => true)
  )
