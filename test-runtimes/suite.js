/**
 * What must hold on every runtime. Plain JavaScript without a test runner: Node, Bun, Deno, browsers and workers run the
 * same file, most of them in a bundle.
 */
import { FetchHttpClient } from "@effect/platform"
import { Cause, Chunk, Duration, Effect, Either, Fiber, Layer, Schedule, Stream } from "effect"
import { CacheKey, LlmCache, LlmClient, LlmLogger, LlmRequest, OpenAiChat } from "effect-llm"

const model = "gpt-4o-mini"

const ensure = (condition, problem) => condition ? Effect.void : Effect.dieMessage(problem)

const equal = (actual, expected, what) =>
  ensure(actual === expected, `${what} is ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`)

/** A client of the simulator. */
const client = (url, http = FetchHttpClient.layer) =>
  LlmClient.layer({ deadline: "1 minute", retry: { times: 2 } }).pipe(
    Layer.provide([OpenAiChat.layer({ baseUrl: `${url}/v1` }), LlmCache.layerMemory(), LlmLogger.layerSilent]),
    Layer.provide(http)
  )

/** The requests with this text that the simulator has received. */
const received = (log, text) =>
  Effect.promise(async () => {
    const requests = await (await fetch(log)).json()
    return requests.filter(({ body }) => JSON.stringify(body ?? null).includes(text))
  })

const eventually = (effect, condition, problem) =>
  effect.pipe(
    Effect.map(condition),
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("50 millis") }),
    Effect.timeoutFail({ duration: "30 seconds", onTimeout: () => new Error(problem) })
  )

/** The key of a request, which must be the same everywhere. */
export const key = () => {
  const request = Effect.runSync(LlmRequest.decode({ model, prompt: "Grüße, 世界 \u{1F30A}", temperature: 0.1 }))
  return CacheKey.make(request, { provider: "openai", endpoint: "https://api.openai.com/v1/chat/completions" })
}

const checks = ({ expectedKey, log, name, undici, url }) => ({
  call: Effect.gen(function*() {
    const { attempts, text } = yield* LlmClient.call({ model, prompt: `Echo: Elbe, ${name}` })
    yield* equal(text, `Elbe, ${name}`, "the answer")
    yield* equal(attempts, 1, "the number of requests")
  }),

  // The simulator answers the first request of this prompt with 429 and `Retry-After: 1`.
  retry: Effect.gen(function*() {
    const [time, { attempts, text }] = yield* Effect.timed(LlmClient.call({ model, prompt: `Echo: Retry, ${name}` }))
    yield* equal(text, `Retry, ${name}`, "the answer")
    yield* equal(attempts, 2, "the number of requests")
    yield* ensure(Duration.toMillis(time) >= 990, `waited ${Duration.format(time)} instead of a second`)
  }),

  cache: Effect.gen(function*() {
    const request = { model, prompt: `Echo: Cache, ${name}` }
    const first = yield* LlmClient.call(request)
    const second = yield* LlmClient.call(request)
    yield* equal(first.origin, "provider", "the origin of the first answer")
    yield* equal(second.origin, "cache", "the origin of the second answer")
    yield* equal(second.text, first.text, "the second answer")
    yield* equal((yield* received(log, request.prompt)).length, 1, "the number of requests")
  }),

  stream: Effect.gen(function*() {
    const text = `one two three four five six seven eight, ${name}`
    const parts = yield* Stream.runCollect(LlmClient.streamText({ model, prompt: `Echo: ${text}` }))
    yield* equal(Chunk.join(parts, ""), text, "the answer")
    yield* ensure(parts.length > 1, "the answer came in one piece")
  }),

  // The simulator never answers this prompt.
  interruption: Effect.gen(function*() {
    const prompt = `Echo: Silence, ${name}`
    const fiber = yield* Effect.fork(LlmClient.call({ model, prompt }))
    yield* eventually(received(log, prompt), (requests) => requests.length === 1, "no request was sent")
    yield* Fiber.interrupt(fiber)
    yield* eventually(
      received(log, prompt),
      ([request]) => request.outcome === "aborted",
      "the connection of an interrupted call stays open"
    )
  }),

  key: Effect.suspend(() => equal(key(), expectedKey, "the key")),

  ...(undici !== undefined && {
    undici: Effect.gen(function*() {
      const { text } = yield* LlmClient.call({ model, prompt: `Echo: Undici, ${name}` })
      yield* equal(text, `Undici, ${name}`, "the answer")
      const streamed = yield* Stream.runCollect(
        LlmClient.streamText({ model, prompt: `Echo: Undici streams, ${name}` })
      )
      yield* equal(Chunk.join(streamed, ""), `Undici streams, ${name}`, "the streamed answer")
    }).pipe(Effect.provide(client(url, undici)))
  })
})

/**
 * Runs all checks. Resolves with the names of those that passed, and the problems of the others.
 *
 * `url` is the simulator's, `log` that of its log, `name` that of the runtime, `expectedKey` the key, and `undici` a layer
 * of UndiciTransport where that runs.
 */
export const check = (options) =>
  Effect.forEach(Object.entries(checks(options)), ([name, effect]) =>
    effect.pipe(
      Effect.provide(client(options.url)),
      Effect.sandbox,
      Effect.either,
      Effect.map(Either.match({
        onLeft: (cause) => ({ problem: `${name}: ${Cause.pretty(cause)}` }),
        onRight: () => ({ passed: name })
      }))
    ), { concurrency: "unbounded" }).pipe(
      Effect.map((results) => ({
        passed: results.flatMap(({ passed }) => passed ?? []),
        problems: results.flatMap(({ problem }) => problem ?? [])
      })),
      Effect.runPromise
    )
