/**
 * HTTP on Node with [undici](https://undici.nodejs.org), which has to be installed beside this library (version 7): an
 * `HttpClient` for the whole program, and the fastest transport for the providers of this library. Node's `fetch` is
 * undici as well, in a wrapper that costs several times as much as the call.
 *
 * Combinators (`HttpClient.mapRequest`, `transform` ...) work as usual: providers then send their requests through the
 * resulting client, which costs more.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent, type buildConnector, type Dispatcher, Pool } from "undici"
import * as Check from "./internal/check.js"
import { carry } from "./wire/transport.js"
import * as UndiciHttpClient from "./wire/undiciHttpClient.js"
import * as UndiciTransport from "./wire/undiciTransport.js"

/**
 * Options for connections.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The most connections to one origin; further requests wait. Default: no limit. */
  readonly connections?: number | undefined
  /** How long an unused connection is kept, unless the server asks for less. Default: 4 seconds. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** How long connecting may take. Default: 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** Further options for undici's sockets: certificates (`ca`), `socketPath` ... Default: none. */
  readonly connect?: Omit<buildConnector.BuildOptions, "timeout"> | undefined
}

const agentOptions = ({ connect, connectTimeout, connections, keepAliveTimeout }: Options): Agent.Options => ({
  // One request at a time on a connection: a model's answer would hold up the requests behind it.
  pipelining: 1,
  // For a single connection, too: a pool releases the body of a request that left its queue, and a client does not.
  factory: (origin, options) => new Pool(origin, options as Pool.Options),
  ...(connections !== undefined && { connections: Check.integer("connections", connections, 1) }),
  ...(keepAliveTimeout !== undefined && {
    keepAliveTimeout: Duration.toMillis(Check.positiveDuration("keepAliveTimeout", keepAliveTimeout))
  }),
  ...(connectTimeout !== undefined && {
    connectTimeout: Duration.toMillis(Check.positiveDuration("connectTimeout", connectTimeout))
  }),
  ...(connect !== undefined && { connect })
})

/**
 * Makes a client on any dispatcher of undici: a configured agent, a `ProxyAgent`, a `MockAgent` ... The caller has to close
 * the dispatcher. Undici's `Client`, and so an `Agent` with `connections: 1`, keeps the bodies of interrupted requests that
 * wait for its connection until their turn comes; a `Pool` does not.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import * as HttpClient from "@effect/platform/HttpClient"
 * import { Layer } from "effect"
 * import * as UndiciTransport from "effect-llm/UndiciTransport"
 * import { EnvHttpProxyAgent } from "undici"
 *
 * const BehindProxy = Layer.sync(
 *   HttpClient.HttpClient,
 *   () => UndiciTransport.make(new EnvHttpProxyAgent())
 * )
 * ```
 */
export const make = (dispatcher: Dispatcher): HttpClient.HttpClient =>
  carry(UndiciHttpClient.make(dispatcher), UndiciTransport.make(dispatcher))

/**
 * Provides a client with its own connections, which are closed with the layer. An invalid option is a defect that names
 * the option. The client follows no redirects, and limits only the time to connect; other limits are up to the program. It
 * requests no compression, but decodes gzip, brotli and deflate.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { LlmClient, OpenAi } from "effect-llm"
 * import * as UndiciTransport from "effect-llm/UndiciTransport"
 *
 * const Client = LlmClient.layerDefault().pipe(
 *   Layer.provide(OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
 *   Layer.provide(UndiciTransport.layer())
 * )
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.scoped(
    HttpClient.HttpClient,
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => new Agent(agentOptions(options))),
        (agent) => Effect.promise(() => agent.destroy())
      ),
      make
    )
  )
