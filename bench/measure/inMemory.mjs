/**
 * Measures what needs no network, in a process of its own: a cache hit, keys, and a call over a provider that answers at
 * once; beside what they are compared with.
 *
 *   node measure/inMemory.mjs <edition> <options as JSON>
 */
import { createHash } from "node:crypto"
import { asPromises, inFiber, measure, plain } from "./loop.mjs"

const [edition, options] = process.argv.slice(2)
const { only, share } = JSON.parse(options)

const { Effect, Layer, ManagedRuntime, Schedule, Stream, library } = await import(`../editions/${edition}.mjs`)
const { CacheKey, LlmCache, LlmClient, LlmLogger, LlmProvider, LlmRequest, LlmResponse } = library

const words = "the river runs north past seven mills and two old towns before it meets the sea ".repeat(2_000)
const kilobyte = words.slice(0, 1_000)

// 100 kB in 50 messages, as a long chat has them.
const chat = {
  model: "gpt-4o-mini",
  temperature: 0,
  messages: Array.from({ length: 50 }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content: words.slice(i * 13, i * 13 + 2_000)
  }))
}
const short = { model: "gpt-4o-mini", temperature: 0, prompt: kilobyte }

const scope = { provider: "openai", endpoint: "https://api.openai.com/v1/chat/completions" }
const shortRequest = Effect.runSync(LlmRequest.decode(short))
const chatRequest = Effect.runSync(LlmRequest.decode(chat))

const answer = LlmResponse.make({
  provider: "memory",
  model: "gpt-4o-mini",
  parts: [{ _tag: "Text", text: "The Elbe." }],
  finishReason: "stop",
  usage: { inputTokens: 200, outputTokens: 4 }
})

const provider = Layer.succeed(
  LlmProvider.LlmProvider,
  LlmProvider.make({
    name: "memory",
    endpoint: "memory",
    call: () => Effect.succeed(answer),
    stream: () => Stream.empty
  })
)

let events = 0
const runtimeOn = (cache) =>
  ManagedRuntime.make(
    LlmClient.layer().pipe(Layer.provide([
      provider,
      cache,
      LlmLogger.layerHandler(() => {
        events++
      })
    ]))
  )

const cached = runtimeOn(LlmCache.layerMemory())
const uncached = runtimeOn(LlmCache.layerNone)
const cachedClient = await cached.runPromise(LlmClient.LlmClient)
const uncachedClient = await uncached.runPromise(LlmClient.LlmClient)

const policies = Effect.succeed(answer).pipe(
  Effect.timeout("30 seconds"),
  Effect.retry({ schedule: Schedule.exponential("1 second"), times: 2 })
)

const cockatiel = async () => {
  const { ConsecutiveBreaker, ExponentialBackoff, circuitBreaker, handleAll, retry, timeout, wrap } = await import(
    "cockatiel"
  )
  const policy = wrap(
    retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
    timeout(30_000, "aggressive")
  )
  return async (count) => {
    for (let i = 0; i < count; i++) await policy.execute(async () => answer)
  }
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex")

const hit = () => cachedClient.call(short)
const miss = () => uncachedClient.call(short)

/** Nothing is measured that does not do what its name says. */
const check = async () => {
  const first = await cached.runPromise(hit())
  const second = await cached.runPromise(hit())
  if (first.origin !== "provider" || second.origin !== "cache" || second.text !== "The Elbe.") {
    throw new Error("the cache did not answer")
  }
  if ((await uncached.runPromise(miss())).origin !== "provider") throw new Error("the provider did not answer")
  if (CacheKey.make(shortRequest, scope) === CacheKey.make(chatRequest, scope)) throw new Error("two requests, one key")
  if (events === 0) throw new Error("the logger was not told")
}

const subjects = {
  cacheHit: () => inFiber(Effect, cached, hit),
  cacheHitPromise: () => asPromises(cached, hit),
  keyShort: () => plain(() => CacheKey.make(shortRequest, scope)),
  keyChat: () => plain(() => CacheKey.make(chatRequest, scope)),
  digestShort: () => plain(() => sha256(JSON.stringify(short))),
  digestChat: () => plain(() => sha256(JSON.stringify(chat))),
  memoryCall: () => inFiber(Effect, uncached, miss),
  memoryCallPromise: () => asPromises(uncached, miss),
  effectPolicies: () => inFiber(Effect, uncached, () => policies),
  cockatiel
}

await check()
const figures = {}
for (const [name, subject] of Object.entries(subjects)) {
  if (only !== undefined && !only.includes(name)) continue
  let run
  try {
    run = await subject()
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error
    continue // cockatiel, without `npm ci` in bench/
  }
  figures[name] = await measure(run, share)
}
process.stdout.write(`\n${JSON.stringify({ figures })}\n`)
process.exit(0)
