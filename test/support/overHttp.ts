import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Anthropic from "effect-llm/Anthropic"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Simulator from "effect-llm/testing/Simulator"
import * as UndiciTransport from "effect-llm/UndiciTransport"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Server as SocketServer, Socket } from "node:net"
import { createServer as createSocketServer } from "node:net"

// ---------------------------------------------------------------------------------------------------------------------
// Real time
// ---------------------------------------------------------------------------------------------------------------------

/** One turn of the event loop, whatever clock the test has. */
export const turn: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Lets everything go on that does not wait for a clock. */
export const settled: Effect.Effect<void> = Effect.repeatN(turn, 50)

/** Waits until something holds; a defect if it does not within real seconds. */
export const eventually = (what: string, holds: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.gen(function*() {
    const limit = performance.now() + 15_000
    while (!(yield* holds)) {
      if (performance.now() > limit) return yield* Effect.dieMessage(`Has not come: ${what}`)
      yield* turn
    }
  })

/** Waits until somebody sleeps until a moment of the test's clock. */
export const sleepingUntil = (moment: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { sleeps } = yield* TestClock.testClock()
    yield* eventually(`a sleeper until ${moment}`, Effect.map(sleeps, Chunk.contains(moment)))
  })

// ---------------------------------------------------------------------------------------------------------------------
// Servers
// ---------------------------------------------------------------------------------------------------------------------

/** The connections of a server. */
export interface Connections {
  /** How many are open. */
  open: number
  /** How many there were in all. */
  total: number
}

const watch = (server: Server | SocketServer): Connections => {
  const connections = { open: 0, total: 0 }
  server.on("connection", (socket: Socket) => {
    connections.open++
    connections.total++
    socket.on("close", () => connections.open--)
    socket.on("error", () => {})
  })
  return connections
}

const listen = (server: Server | SocketServer, sockets: ReadonlySet<Socket>) =>
  Effect.acquireRelease(
    Effect.async<number>((resume) => {
      // A thousand connections may be asked for at once: those beyond the backlog are reset.
      server.listen(
        { port: 0, host: "127.0.0.1", backlog: 2_048 },
        () => resume(Effect.succeed((server.address() as AddressInfo).port))
      )
    }),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )

const socketsOf = (server: Server | SocketServer): ReadonlySet<Socket> => {
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  return sockets
}

/** A request as a server of one's own received it. */
export interface Received {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server of one's own. */
export interface Served {
  readonly url: string
  readonly requests: ReadonlyArray<Received>
  readonly connections: Connections
  /** Forgets the requests. */
  readonly forget: () => void
}

/** Starts a server that answers each request, once its body is there, with a function. */
export const serve = (
  answer: (response: ServerResponse, received: Received, n: number) => void
): Effect.Effect<Served, never, Scope.Scope> =>
  Effect.gen(function*() {
    const requests: Array<Received> = []
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("error", () => {})
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const { headers, url = "" } = request
        const received = { url, headers, body: Buffer.concat(chunks).toString("utf8") }
        answer(response, received, requests.push(received))
      })
    })
    const connections = watch(server)
    const port = yield* listen(server, socketsOf(server))
    const forget = () => {
      requests.length = 0
    }
    return { url: `http://127.0.0.1:${port}`, requests, connections, forget }
  })

/** Starts a server that is given bare sockets. */
export const serveSockets = (
  connected: (socket: Socket) => void
): Effect.Effect<{ readonly url: string; readonly connections: Connections }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const server = createSocketServer(connected)
    const connections = watch(server)
    const port = yield* listen(server, socketsOf(server))
    return { url: `http://127.0.0.1:${port}`, connections }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Clients
// ---------------------------------------------------------------------------------------------------------------------

/** The ways that HTTP takes on Node. */
export const transports = {
  fetch: FetchHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  node: NodeHttpClient.layer,
  lean: UndiciTransport.layer(),
  // The same, taken the ordinary way.
  leanMapped: Layer.provide(
    Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, HttpClient.mapRequest(identity))),
    UndiciTransport.layer()
  )
} as const

export type Transport = keyof typeof transports

export const apiKey = "k-0123456789abcdef"

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

/** The providers that the simulator can stand in for, at its address. */
export const providers = {
  openai: {
    model: "gpt-4o-mini",
    at: (url: string): ProviderLayer => OpenAiChat.layer({ apiKey: Redacted.make(apiKey), baseUrl: `${url}/v1` })
  },
  anthropic: {
    model: "claude-sonnet-4-5",
    at: (url: string): ProviderLayer => Anthropic.layer({ apiKey: Redacted.make(apiKey), baseUrl: url })
  }
} as const

export type Provider = keyof typeof providers

export const providerNames: ReadonlyArray<Provider> = ["openai", "anthropic"]

export const transportNames: ReadonlyArray<Transport> = ["fetch", "undici", "node", "lean", "leanMapped"]

export interface ClientOptions {
  readonly provider: ProviderLayer
  readonly transport?: Layer.Layer<HttpClient.HttpClient> | undefined
  readonly client?: LlmClient.Options | undefined
  readonly cache?: Layer.Layer<LlmCache.LlmCache> | undefined
}

export interface Client {
  readonly client: LlmClient.Service
  readonly events: Effect.Effect<ReadonlyArray<LlmEvent.LlmEvent>>
}

/** A client that collects its events. */
export const client = (options: ClientOptions): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.map(
    Layer.build(
      LlmClient.layer(options.client).pipe(
        Layer.provide(Layer.provide(options.provider, options.transport ?? transports.fetch)),
        Layer.provide(options.cache ?? LlmCache.layerMemory()),
        Layer.provideMerge(LlmTest.layerLogger)
      )
    ),
    (context) => ({
      client: Context.get(context, LlmClient.LlmClient),
      events: Context.get(context, LlmTest.Events).events
    })
  )

export interface Simulated extends Client {
  readonly simulator: Simulator.Service
  readonly connections: Connections
  /** Calls the provider's model. */
  readonly call: (
    prompt: string,
    options?: LlmClient.CallOptions
  ) => Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>
  /** How many requests the simulator has received. */
  readonly requestCount: Effect.Effect<number>
}

/** A simulator, which lives in real time whatever clock the test has. */
export const simulator = (options?: Simulator.Options) =>
  Effect.suspend(() => {
    const server = createServer()
    const connections = watch(server)
    return Layer.build(
      Simulator.layer(options).pipe(
        Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))
      )
    ).pipe(
      Effect.withClock(Clock.make()),
      Effect.orDie,
      // A connection that a client has opened and not used would hold the server's end back.
      Effect.tap(() => Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))),
      Effect.map((context) => ({ simulator: Context.get(context, Simulator.Simulator), connections }))
    )
  })

/** A client of a provider that the simulator stands in for. */
export const simulated = (options: {
  readonly provider: Provider
  readonly faults?: Simulator.FaultPlan | undefined
  readonly transport?: Transport | undefined
  readonly client?: LlmClient.Options | undefined
  readonly cache?: Layer.Layer<LlmCache.LlmCache> | undefined
  readonly latency?: Duration.DurationInput | undefined
  /** The key that the simulator asks for. Default: none. */
  readonly apiKey?: string | undefined
}): Effect.Effect<Simulated, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { apiKey, faults, latency } = options
    const { connections, simulator: running } = yield* simulator({ apiKey, faults, latency })
    const { at, model } = providers[options.provider]
    const { client: made, events } = yield* client({
      ...options,
      provider: at(running.url),
      transport: transports[options.transport ?? "fetch"]
    })
    return {
      client: made,
      events,
      simulator: running,
      connections,
      call: (prompt, callOptions) => made.call({ model, prompt }, callOptions),
      requestCount: Effect.map(running.requests, (requests) => requests.length)
    }
  })

/** Retries without a wait to speak of. */
export const quickly: LlmClient.Options = { retry: { base: "1 millis", jitter: false } }

/** The failure of an effect that must fail with a typed one. */
export const failureOf = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<E> =>
  Effect.flatMap(Effect.exit(effect), (exit) =>
    Exit.isFailure(exit) && exit.cause._tag === "Fail"
      ? Effect.succeed(exit.cause.error)
      : Effect.dieMessage(`Expected a failure, but got ${String(exit)}`))

/** Waits for a fiber, in real time, and gives how it ended. */
export const ended = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.zipRight(eventually("the end of a fiber", Effect.sync(() => fiber.unsafePoll() !== null)), Fiber.await(fiber))
