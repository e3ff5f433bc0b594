/**
 * The cost of the stores that processes share, beside the raw clients in the same run: microseconds of CPU time in this
 * process, one operation at a time. It starts a Redis of its own; SQLite is a file in a temporary folder.
 *
 *   node stores.mjs [--quick]
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { Redis } from "ioredis"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { LlmCache, LlmClient, LlmLogger, LlmProvider, LlmResponse, RateLimit, RateLimitStore } from "../dist/index.js"
import { reserve as reserveScript } from "../dist/stores/redis/rateLimitScripts.js"
import * as RedisStores from "../dist/stores/RedisStores.js"
import * as SqlStores from "../dist/stores/SqlStores.js"
import { inFiber, measure } from "./measure/loop.mjs"

const { values: { quick } } = parseArgs({ options: { quick: { type: "boolean", default: false } } })
const share = quick ? 0.3 : 1

const directory = mkdtempSync(join(tmpdir(), "effect-llm-bench-"))
const port = await new Promise((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address()
    server.close(() => resume(port))
  })
})
const options = ["--port", port, "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--appendonly", "no"]
const server = spawn("redis-server", options, { stdio: "ignore" })
const redis = new Redis({ port, host: "127.0.0.1", maxRetriesPerRequest: null, retryStrategy: () => 20 })
redis.on("error", () => {})
await redis.ping()

const answer = LlmResponse.make({
  provider: "memory",
  model: "gpt-4o-mini",
  parts: [{ _tag: "Text", text: "The Elbe. ".repeat(80) }],
  finishReason: "stop",
  usage: { inputTokens: 200, outputTokens: 4 }
})
const provider = Layer.succeed(
  LlmProvider.LlmProvider,
  LlmProvider.make({ name: "memory", endpoint: "memory", call: () => Effect.succeed(answer) })
)

const row = (name, { cpu }, base) =>
  console.log(`| ${name} | ${cpu.toFixed(1)} µs |${base === undefined ? "" : ` ${(cpu / base.cpu).toFixed(2)}`} |`)

const pair = async (baseName, base, name, run) => {
  const first = await measure(base, share)
  row(baseName, first)
  row(name, await measure(run, share), first)
}

const scoped = async (effect, use) => {
  const runtime = ManagedRuntime.make(Layer.scopedDiscard(Effect.void))
  await runtime.runPromise(Effect.scoped(Effect.flatMap(effect, (value) => Effect.promise(() => use(value, runtime)))))
  await runtime.dispose()
}

console.log("| | CPU | ratio |\n| --- | ---: | ---: |")

// Reserving: the same script with the same arguments.
const connection = `redis://127.0.0.1:${port}`
const limits = { requests: 1e9, tokens: 1e12, burst: 1, maxPause: 600_000 }
const cost = { requests: 1, tokens: 100, inputTokens: 50, outputTokens: 50 }
await scoped(RedisStores.makeRateLimits({ connection, account: "bench" }), async (store, runtime) => {
  const sha = await redis.script("LOAD", reserveScript.source)
  const keys = ["{raw}", "{raw}:permits", "{raw}:line", "{raw}:needs"]
  const args = ["1", "600000", "", "1000000000", "1000000000000", "", "", "1", "100", "50", "50", "a:1", "", "30000"]
  const raw = (count) =>
    runtime.runPromise(Effect.promise(async () => {
      for (let i = 0; i < count; i++) await redis.call("EVALSHA", sha, 4, ...keys, ...args, "0", "0", "0", "0")
    }))
  await pair("ioredis: EVALSHA", raw, "a reserve", inFiber(runtime, () => store.reserve("key", limits, cost, "1")))
})

// A whole call.
const clientOn = async (store) => {
  const limited = RateLimit.limit(provider, { requestsPerMinute: 1e9, tokensPerMinute: 1e12 }).pipe(
    Layer.provide(store)
  )
  const own = ManagedRuntime.make(
    LlmClient.layer().pipe(Layer.provide([limited, LlmCache.layerNone, LlmLogger.layerSilent]))
  )
  const client = await own.runPromise(LlmClient.LlmClient)
  return inFiber(own, (i) => client.call({ model: "gpt-4o-mini", prompt: `Name a river. ${i}`, maxTokens: 100 }))
}
await pair(
  "a call, limits in memory",
  await clientOn(RateLimitStore.layerMemory()),
  "a call, limits in Redis",
  await clientOn(RedisStores.layerRateLimits({ connection, account: "bench" }))
)

// The cache in a table, beside the plain statements of the same client.
await scoped(
  Effect.provide(SqliteClient.make({ filename: join(directory, "bench.db") }), Reactivity.layer),
  async (sql, runtime) => {
    const cache = await runtime.runPromise(
      Effect.scoped(Effect.provideService(SqlStores.makeCache(), SqlClient.SqlClient, sql))
    )
    const entry = JSON.stringify({ version: 1, response: answer })
    const plain = (effect) => inFiber(runtime, (i) => Effect.withTracerEnabled(effect(i), false))
    await pair(
      "SQLite: an upsert",
      plain(() =>
        sql`INSERT INTO effect_llm_answers (name, entry, bytes, set_at) VALUES ('a', ${entry}, 1, 1)
        ON CONFLICT (name) DO UPDATE SET entry = excluded.entry, bytes = excluded.bytes`
      ),
      "a set",
      inFiber(runtime, () => cache.set("b", answer))
    )
    await pair(
      "SQLite: a select",
      plain(() => sql`SELECT entry FROM effect_llm_answers WHERE name = 'a'`),
      "a get",
      inFiber(runtime, () => cache.get("b"))
    )
  }
)

redis.disconnect()
server.kill()
rmSync(directory, { recursive: true, force: true })
process.exit(0)
