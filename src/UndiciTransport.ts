/**
 * HTTP on Node by [undici](https://undici.nodejs.org) itself, which has to be installed beside this library (version 7):
 * an `HttpClient` for all of a program, and for the providers of this library the shortest way to the network. Node's
 * `fetch` is undici, too, in a wrapper that costs a program several times as much as the call.
 *
 * A client that is made from this one with a combinator (`HttpClient.mapRequest`, `transform`, ...) does all that the
 * combinators say, for providers as well: they then take the ordinary way through it, which costs more.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent, type buildConnector, type Dispatcher } from "undici"
import * as Check from "./internal/check.js"
import { carry } from "./wire/transport.js"
import * as UndiciHttpClient from "./wire/undiciHttpClient.js"
import * as UndiciTransport from "./wire/undiciTransport.js"

/**
 * How to connect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The most connections to one origin; requests beyond that wait. Default: no limit. */
  readonly connections?: number | undefined
  /** How long a connection is kept that nobody uses, unless the server asks for less. Default: 4 seconds. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** How long connecting may take. Default: 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** Further options of the sockets, as undici has them: certificates (`ca`), `socketPath` ... Default: none. */
  readonly connect?: Omit<buildConnector.BuildOptions, "timeout"> | undefined
}

const agentOptions = ({ connect, connectTimeout, connections, keepAliveTimeout }: Options): Agent.Options => ({
  // One request after the other on a connection: an answer of a model would hold up those behind it.
  pipelining: 1,
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
 * Makes a client on a dispatcher of undici: an agent with options of its own, a `ProxyAgent`, a `MockAgent` ... It stays
 * yours to close.
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
 * Provides a client with connections of its own, which are closed with the layer. Options that make no sense are a defect
 * that names the option. It follows no redirects, asks for nothing to be compressed, and has no limits of time but that
 * for connecting: those are the program's.
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
