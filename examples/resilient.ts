/**
 * Two providers have a bad day, and still all of 300 calls are answered. The first provider, with two accounts, is down for
 * a while and loses a request now and then. The second one takes over: it speaks another protocol, has another model, and
 * limits the rate of requests. Each account has its own rate limits, and both share a budget. Both providers are simulators
 * in this process, over HTTP.
 *
 *     npx tsx examples/resilient.ts
 *     npx tsx examples/resilient.ts --inspect     shows the calls on a page, too
 *
 * Look at the circuits that open and close, and at the end: all calls are answered, and the report names the providers.
 */
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Duration, Effect, Exit, Fiber, Layer, Redacted, Schedule, Stream } from "effect"
import {
  Anthropic,
  Balance,
  Budget,
  CircuitBreaker,
  Fallback,
  Hedge,
  LlmCache,
  LlmClient,
  LlmLogger,
  OpenAiChat,
  RateLimit
} from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"
import { inspected, stay } from "./inspector/inspect.js"

// ---------------------------------------------------------------------------------------------------------------------
// Two providers
// ---------------------------------------------------------------------------------------------------------------------

const simulator = (options: Simulator.Options) =>
  Simulator.layer(options).pipe(
    Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
  )

/** A provider at the address of a simulator. */
const at = <A, E, R>(server: ReturnType<typeof simulator>, provider: (url: string) => Layer.Layer<A, E, R>) =>
  Layer.unwrapEffect(Effect.map(Simulator.Simulator, ({ url }) => provider(url))).pipe(Layer.provide(server))

/** Down from its 80th request to its 100th, and silent for one request in 40. */
const North = simulator({
  latency: "60 millis",
  faults: ({ request }) =>
    request >= 80 && request < 100 ? Simulator.status(503) : request % 40 === 7 ? Simulator.silence : Simulator.ok
})

/** Answers every twelfth request with a rate limit of half a second. */
const South = simulator({
  latency: "90 millis",
  faults: ({ request }) => request % 12 === 11 ? Simulator.status(429, { retryAfter: "500 millis" }) : Simulator.ok
})

/** An account of the first provider, with its own rate limits and the common budget. */
const account = (name: string) =>
  at(North, (url) => OpenAiChat.layer({ name, baseUrl: `${url}/v1`, apiKey: Redacted.make(`key-of-${name}`) })).pipe(
    RateLimit.limit({ requestsPerMinute: 2_000, tokensPerMinute: 500_000, concurrency: 8 }),
    Budget.limit({ scope: "tickets", tokens: 2_000_000 }),
    CircuitBreaker.protect({ consecutive: 5, openFor: "1 second" })
  )

const ProviderLive = Balance.over([
  { id: "north-1", layer: account("north-1") },
  { id: "north-2", layer: account("north-2") }
]).pipe(
  Hedge.after({ percentile: 0.95, initialDelay: "500 millis", minDelay: "200 millis", minimumSamples: 50 }),
  Fallback.to(
    at(South, (url) => Anthropic.layer({ name: "south", baseUrl: url, apiKey: Redacted.make("key-of-south") })),
    { model: "claude-haiku-4-5" }
  )
)

// ---------------------------------------------------------------------------------------------------------------------
// Progress
// ---------------------------------------------------------------------------------------------------------------------

const total = 300
const counts = { started: 0, ended: 0, retries: 0, fellBack: 0, opened: 0, waited: 0 }

const LoggerLive = LlmLogger.layerHandler((event) => {
  if (event._tag === "CallFailed" && event.willRetry) counts.retries++
  if (event._tag === "FellBack") counts.fellBack++
  if (event._tag === "CircuitOpened") counts.opened++
  if (event._tag === "RateLimitWaited") counts.waited++
})

const secondsSince = (start: number) =>
  Effect.map(Clock.currentTimeMillis, (now) => `${((now - start) / 1000).toFixed(1).padStart(4)} s`)

/** Prints a line for each change of a circuit and, on a terminal, a status line below them. */
const watch = (start: number) => {
  const isTerminal = process.stdout.isTTY === true
  const status = Effect.gen(function*() {
    const circuits = yield* CircuitBreaker.states
    process.stdout.write([
      `\r\x1b[K${yield* secondsSince(start)}  ${counts.ended}/${total} answered`,
      `${counts.started - counts.ended} in flight`,
      `${counts.retries} retries`,
      ...circuits.map(({ provider, state }) => `${provider} ${state}`)
    ].join(" · "))
  })
  const changes = CircuitBreaker.changes.pipe(
    Stream.runForEach(({ provider, state }) =>
      Effect.flatMap(
        secondsSince(start),
        (time) => Console.log(`${isTerminal ? "\r\x1b[K" : ""}${time}  the circuit of ${provider} is ${state}`)
      )
    )
  )
  return isTerminal
    ? Effect.zip(changes, Effect.repeat(status, Schedule.spaced("100 millis")), { concurrent: true })
    : changes
}

// ---------------------------------------------------------------------------------------------------------------------
// The calls
// ---------------------------------------------------------------------------------------------------------------------

const program = Effect.gen(function*() {
  const start = yield* Clock.currentTimeMillis
  const watching = yield* Effect.fork(watch(start))

  const requests = Array.from({ length: total }, (_, i) => ({
    model: "gpt-4o-mini",
    prompt: `Echo: Ticket ${i + 1} is about a parcel that has not arrived.`
  }))
  const results = yield* LlmClient.callAll(
    // The client takes requests one by one, when it starts their calls.
    (function*() {
      for (const request of requests) {
        counts.started++
        yield request
      }
    })(),
    {
      concurrency: 20,
      timeout: "5 seconds",
      onProgress: ({ completed }) => Effect.sync(() => (counts.ended = completed))
    }
  ).pipe(Stream.runCollect)
  yield* Fiber.interrupt(watching)

  const answers = Array.from(results).flatMap(({ result }) => Exit.isSuccess(result) ? [result.value] : [])
  const by = (name: string) => answers.filter(({ provider }) => provider === name).length
  const latencies = answers.map(({ latency }) => Duration.toMillis(latency)).sort((a, b) => a - b)
  const quantile = (q: number) => `${latencies[Math.ceil(q * latencies.length) - 1] ?? NaN} ms`
  const { tokens } = yield* Budget.spent("tickets")
  const requestsSent = answers.reduce((sum, { attempts }) => sum + attempts, 0)

  yield* Console.log([
    process.stdout.isTTY === true ? "\r\x1b[K" : "",
    `${answers.length} of ${total} calls answered in ${(yield* secondsSince(start)).trim()}`,
    `  answered by   north-1 ${by("north-1")} · north-2 ${by("north-2")} · south ${by("south")}`,
    `  requests      ${requestsSent}, or ${(requestsSent / total).toFixed(2)} per call`,
    `  fallbacks     ${counts.fellBack} times to another account or provider`,
    `  retries       ${counts.retries}`,
    `  circuits      opened ${counts.opened} times`,
    `  limits        ${counts.waited} requests waited for their turn`,
    `  budget        ${tokens} tokens used by the two accounts`,
    `  time          half within ${quantile(0.5)}, 95% within ${quantile(0.95)}, all within ${quantile(1)}`,
    "",
    "Look at the circuits that opened and closed, and at who answered meanwhile."
  ].join("\n"))
  yield* stay
  if (answers.length < total) return yield* Effect.fail("Some calls were not answered")
})

// A small job needs more retries than its share of the retry budget.
const retry = { times: 6, base: "200 millis", budget: { minimum: 1_000 } } as const

const Live = LlmClient.layer({ deadline: "30 seconds", retry }).pipe(
  Layer.provide([ProviderLive, LlmCache.layerNone, inspected(LoggerLive)]),
  Layer.provideMerge(Layer.merge(CircuitBreaker.layerCircuits, Budget.layerMemory)),
  Layer.provide(NodeHttpClient.layerUndici)
)

NodeRuntime.runMain(Effect.provide(program, Live))
