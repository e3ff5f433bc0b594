/**
 * What the hot pieces cost by themselves, in microseconds of CPU time. They are internal: one that the library has moved
 * is told as missing.
 *
 *   node micro.mjs [part of a name] [--quick]
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { parseArgs } from "node:util"
import * as Library from "../dist/index.js"
import { inFiber, measure, plain } from "./measure/loop.mjs"
import { deltasOf } from "./wire/prompts.mjs"
import { protocols } from "./wire/protocols.mjs"

const { CacheKey, CircuitBreaker, LlmCache, LlmClient, LlmEvent, LlmLogger, LlmProvider, LlmRequest, LlmResponse } =
  Library

const { positionals: [part = ""], values: { quick } } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false } }
})

const words = "the river runs north past seven mills and two old towns before it meets the sea ".repeat(2_000)
const short = { model: "gpt-4o-mini", temperature: 0, prompt: words.slice(0, 1_000) }
const chat = {
  model: "gpt-4o-mini",
  temperature: 0,
  messages: Array.from({ length: 50 }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content: words.slice(i * 13, i * 13 + 2_000)
  }))
}
const scope = { provider: "openai", endpoint: "https://api.openai.com/v1/chat/completions" }
const shortRequest = Effect.runSync(LlmRequest.decode(short))
const chatRequest = Effect.runSync(LlmRequest.decode(chat))

const fields = {
  provider: "memory",
  model: "gpt-4o-mini",
  parts: [{ _tag: "Text", text: "The Elbe." }],
  finishReason: "stop",
  usage: { inputTokens: 200, outputTokens: 4 }
}
const answer = LlmResponse.make(fields)

const sha256 = (text) => createHash("sha256").update(text).digest("hex")

const memory = LlmProvider.make({
  name: "memory",
  endpoint: "memory",
  call: () => Effect.succeed(answer),
  stream: () => Stream.empty
})
const provider = Layer.succeed(LlmProvider.LlmProvider, memory)
const runtime = ManagedRuntime.make(Layer.empty)

/** An attempt at a provider with a policy around it. */
const attemptThrough = async (layer) => {
  const own = ManagedRuntime.make(layer)
  const service = await own.runPromise(LlmProvider.LlmProvider)
  return inFiber(Effect, own, () => service.call(shortRequest))
}

const callOn = async (options, callOptions) => {
  const own = ManagedRuntime.make(
    LlmClient.layer(options).pipe(Layer.provide([provider, LlmCache.layerNone, LlmLogger.layerSilent]))
  )
  const client = await own.runPromise(LlmClient.LlmClient)
  return inFiber(Effect, own, () => client.call(short, callOptions))
}

const events = (count) => protocols["/v1/chat/completions"].events(1, deltasOf({ n: 1, deltas: count - 4 })).join("")

/** Decodes server-sent events that come in reads of a size. Per event. */
const sse = async (count, read) => {
  const { make } = await import("../dist/wire/sse.js")
  const bytes = Buffer.from(events(count))
  const chunks = Array.from(
    { length: Math.ceil(bytes.length / read) },
    (_, i) => bytes.subarray(i * read, (i + 1) * read)
  )
  return {
    per: count,
    run: plain(() => {
      const framer = make()
      let frames = 0
      for (const chunk of chunks) frames += framer.push(chunk).length
      if (frames !== count) throw new Error(`${frames} events instead of ${count}`)
    })
  }
}

const rateLimited = {
  status: 429,
  headers: { "retry-after": "2", "content-type": "application/json" },
  body: JSON.stringify({
    error: {
      message: "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 500, Used 500, Requested 1.",
      type: "requests",
      param: null,
      code: "rate_limit_exceeded"
    }
  })
}

const callOk = LlmEvent.CallOk({
  provider: "memory",
  model: "gpt-4o-mini",
  tags: undefined,
  attempt: 1,
  latency: answer.latency,
  response: answer
})

const logOn = async (layer, level) => {
  const own = ManagedRuntime.make(Layer.merge(
    layer,
    Layer.merge(Logger.minimumLogLevel(level), Logger.replace(Logger.defaultLogger, Logger.make(() => {})))
  ))
  const logger = await own.runPromise(LlmLogger.LlmLogger)
  return inFiber(Effect, own, () => logger.log(callOk))
}

const pieces = {
  "key, 1 kB prompt": () => plain(() => CacheKey.make(shortRequest, scope)),
  "key, 100 kB chat": () => plain(() => CacheKey.make(chatRequest, scope)),
  "· JSON.stringify + SHA-256, 1 kB": () => plain(() => sha256(JSON.stringify(short))),
  "· JSON.stringify + SHA-256, 100 kB": () => plain(() => sha256(JSON.stringify(chat))),
  "· safe-stable-stringify + SHA-256, 100 kB": async () => {
    const { default: stringify } = await import("safe-stable-stringify")
    return plain(() => sha256(stringify(chat)))
  },
  "· canonicalize + SHA-256, 100 kB": async () => {
    const { default: canonicalize } = await import("canonicalize")
    return plain(() => sha256(canonicalize(chat)))
  },
  "canonical JSON, 1 kB": () => plain(() => CacheKey.canonicalJson(short)),
  "canonical JSON, 100 kB": () => plain(() => CacheKey.canonicalJson(chat)),
  "· JSON.stringify, 100 kB": () => plain(() => JSON.stringify(chat)),
  "SSE an event, 16 events, one read each": () => sse(16, events(16).length / 16),
  "SSE an event, 2,000 events, 64 kB reads": () => sse(2_000, 65_536),
  "SSE an event, 2,000 events, one read": () => sse(2_000, 10_000_000),
  "SSE an event, 8,000 events, one read": () => sse(8_000, 10_000_000),
  "classify a 429": async () => {
    const { classify } = await import("../dist/wire/classify.js")
    if (classify(rateLimited)._tag !== "RateLimited") throw new Error("not classified")
    return plain(() => classify(rateLimited))
  },
  "decode a request, 1 kB": () => inFiber(Effect, runtime, () => LlmRequest.decode(short)),
  "decode a request, 100 kB chat": () => inFiber(Effect, runtime, () => LlmRequest.decode(chat)),
  "make a response": () => plain(() => LlmResponse.make(fields)),
  "cache in memory, get": async () => {
    const cache = await runtime.runPromise(LlmCache.makeMemory())
    const key = CacheKey.make(shortRequest, scope)
    await runtime.runPromise(cache.set(key, answer))
    return inFiber(Effect, runtime, () => cache.get(key))
  },
  "cache in memory, set": async () => {
    const cache = await runtime.runPromise(LlmCache.makeMemory())
    return inFiber(Effect, runtime, (i) => cache.set(`key ${i % 2_000}`, answer))
  },
  "· lru-cache, get": async () => {
    const { LRUCache } = await import("lru-cache")
    const cache = new LRUCache({ max: 1_000, ttl: 60_000 })
    cache.set("key", answer)
    return plain(() => cache.get("key"))
  },
  "attempt, bare provider": () => attemptThrough(provider),
  "attempt through RateLimit": () => attemptThrough(provider.pipe(Library.RateLimit.limit({ requestsPerMinute: 1e9 }))),
  "attempt through RateLimit, concurrency": () =>
    attemptThrough(provider.pipe(Library.RateLimit.limit({ concurrency: 64 }))),
  "attempt through CircuitBreaker": () => attemptThrough(provider.pipe(CircuitBreaker.protect())),
  "log an event, level off": () => logOn(LlmLogger.layer, LogLevel.None),
  "log an event, to a logger that does nothing": () => logOn(LlmLogger.layer, LogLevel.Info),
  "log an event, silent": () => logOn(LlmLogger.layerSilent, LogLevel.Info),
  "call, no cache": () => callOn({}, {}),
  "call, cache bypassed": () => callOn({}, { cache: "bypass" }),
  "call, cache bypassed, no retry": () => callOn({ retry: false }, { cache: "bypass" }),
  "· Effect.retry": () =>
    inFiber(Effect, runtime, () =>
      Effect.succeed(answer).pipe(
        Effect.retry(Schedule.exponential("1 second").pipe(Schedule.intersect(Schedule.recurs(2))))
      )),
  "· Effect.timeout": () => inFiber(Effect, runtime, () => Effect.succeed(answer).pipe(Effect.timeout("30 seconds"))),
  "· Effect.withSpan": () => inFiber(Effect, runtime, () => Effect.succeed(answer).pipe(Effect.withSpan("span"))),
  "· p-retry": async () => {
    const { default: retry } = await import("p-retry")
    return async (count) => {
      for (let i = 0; i < count; i++) await retry(async () => answer, { retries: 2 })
    }
  }
}

const line = (name, text) => process.stdout.write(`${name.padEnd(46)}${text}\n`)

for (const [name, prepare] of Object.entries(pieces)) {
  if (!name.includes(part)) continue
  try {
    const piece = await prepare()
    const { per, run } = typeof piece === "function" ? { per: 1, run: piece } : piece
    const { cpu, least, most } = await measure(run, quick ? 0.2 : 0.6)
    const [median, low, high] = [cpu, least, most].map((value) => (value / per).toFixed(3).padStart(10))
    line(name, `${median} µs  (${low.trim()} to ${high.trim()})`)
  } catch (error) {
    line(name, `      not there: ${error.message.split("\n")[0].slice(0, 100)}`)
  }
}
process.exit(0)
