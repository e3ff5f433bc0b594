/**
 * The cost of the stores that processes share, beside the raw clients in the same run: microseconds of CPU time in this
 * process, one operation at a time. It starts a Redis and a PostgreSQL of its own; SQLite is a file in a temporary
 * folder. Without PostgreSQL its rows are missing, and the output says so.
 *
 *   taskset -c 0 node --import tsx stores.mjs [--quick]
 *
 * Without `taskset` a trip costs 20 µs more whenever the scheduler puts the server on another core.
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
import * as Entries from "../dist/stores/entries.js"
import { reserve as reserveScript } from "../dist/stores/redis/rateLimitScripts.js"
import * as RedisStores from "../dist/stores/RedisStores.js"
import * as Database from "../dist/stores/sql/database.js"
import * as SqlStores from "../dist/stores/SqlStores.js"
import { hasPostgres, startPostgres } from "../test/support/postgresServer.ts"
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
const providerOf = (call) =>
  Layer.succeed(LlmProvider.LlmProvider, LlmProvider.make({ name: "memory", endpoint: "memory", call: () => call }))

/**
 * Rows of names and runs, with ratios to the first. They run in turns, so that a machine that gets slower does so for
 * all: of each the least median.
 */
const rows = async (...runs) => {
  const least = runs.map(() => Infinity)
  for (let round = 0; round < 3; round++) {
    for (const [i, [, run]] of runs.entries()) least[i] = Math.min(least[i], (await measure(run, share)).cpu)
  }
  for (const [i, [name]] of runs.entries()) {
    console.log(`| ${name} | ${least[i].toFixed(1)} µs |${i === 0 ? "" : ` ${(least[i] / least[0]).toFixed(2)}`} |`)
  }
}

const scripts = async () => {
  const stats = await redis.info("commandstats")
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

/** The trips of a call, of a thousand one after the other. */
const tripsOf = async (run) => {
  const before = await scripts()
  await run(1_000)
  return ((await scripts()) - before) / 1_000
}

const scoped = async (effect, use) => {
  const runtime = ManagedRuntime.make(Layer.scopedDiscard(Effect.void))
  await runtime.runPromise(Effect.scoped(Effect.flatMap(effect, (value) => Effect.promise(() => use(value, runtime)))))
  await runtime.dispose()
}

console.log("| | CPU | ratio |\n| --- | ---: | ---: |")

// Reserving: the same script over the same connection, with arguments of the same length.
const connection = redis
const limits = { requests: 1e9, tokens: 1e12, burst: 1, maxPause: 600_000 }
const cost = { requests: 1, tokens: 100, inputTokens: 50, outputTokens: 50 }
const rawKeys = ["", ":permits", ":line", ":needs"].map((part) => `effect-llm:limit:1:{bench:raw}${part}`)
const queue = `${crypto.randomUUID()}:1`
const rawArgs = ["1", "600000", "", "1000000000", "1000000000000", "", "", "1", "100", "50", "50", queue, "", "30000"]
const rawSha = await redis.script("LOAD", reserveScript.source)
const rawReserve = () => redis.call("EVALSHA", rawSha, 4, ...rawKeys, ...rawArgs)
const asked = Effect.promise(rawReserve)
await scoped(RedisStores.makeRateLimits({ connection, account: "bench" }), async (store, runtime) => {
  const raw = async (count) => {
    for (let i = 0; i < count; i++) await rawReserve()
  }
  await rows(
    ["ioredis: EVALSHA of the same script", raw],
    ["the same in `Effect.promise`", inFiber(Effect, runtime, () => asked)],
    // Uninterruptibly, as `RateLimit` does.
    ["a reserve", inFiber(Effect, runtime, () => Effect.uninterruptible(store.reserve("key", limits, cost, "1")))]
  )
})

// A whole call.
const clientOn = async (store, call) => {
  const limited = RateLimit.limit(providerOf(call), { requestsPerMinute: 1e9, tokensPerMinute: 1e12 }).pipe(
    Layer.provide(store)
  )
  const own = ManagedRuntime.make(
    LlmClient.layer().pipe(Layer.provide([limited, LlmCache.layerNone, LlmLogger.layerSilent]))
  )
  const client = await own.runPromise(LlmClient.LlmClient)
  return inFiber(
    Effect,
    own,
    (i) => client.call({ model: "gpt-4o-mini", prompt: `Name a river. ${i}`, maxTokens: 100 })
  )
}
// A provider answers over a connection: here a PING stands for its answer.
const overConnection = Effect.as(Effect.promise(() => redis.ping()), answer)
const inRedis = await clientOn(RedisStores.layerRateLimits({ connection, account: "calls" }), overConnection)
const borrow = { connection, account: "loans", borrow: "500 millis" }
const borrowing = await clientOn(RedisStores.layerRateLimits(borrow), overConnection)
await rows(
  ["a call over a connection, limits in memory", await clientOn(RateLimitStore.layerMemory(), overConnection)],
  [
    "the same, and two raw EVALSHAs",
    await clientOn(RateLimitStore.layerMemory(), Effect.zipRight(asked, Effect.zipRight(asked, overConnection)))
  ],
  ["a call over a connection, limits in Redis", inRedis],
  ["a call over a connection, limits in Redis with `borrow`", borrowing]
)
const atOnce = Effect.succeed(answer)
await rows(
  ["a call that is answered at once, limits in memory", await clientOn(RateLimitStore.layerMemory(), atOnce)],
  [
    "a call that is answered at once, limits in Redis",
    await clientOn(RedisStores.layerRateLimits({ connection, account: "at once" }), atOnce)
  ]
)
const trips = [await tripsOf(inRedis), await tripsOf(borrowing)]

// The cache in a table, beside the plain statements of the same client.
const compareCache = (name, client) =>
  scoped(client, async (sql, runtime) => {
    const [cache, { now }] = await runtime.runPromise(
      Effect.scoped(
        Effect.provideService(
          Effect.zip(SqlStores.makeCache(), Database.open({ migrate: false }, () => [])),
          SqlClient.SqlClient,
          sql
        )
      )
    )
    const entries = Entries.make()
    const entry = await runtime.runPromise(entries.write(answer))
    // The statements of the cache, as a program would write them.
    const upsert = (entry) =>
      sql`INSERT INTO effect_llm_answers (name, entry, bytes, set_at, expires_at)
        VALUES (${"a"}, ${entry}, ${Buffer.byteLength(entry)}, ${now}, ${sql`NULL`})
        ON CONFLICT (name) DO UPDATE SET entry = excluded.entry, bytes = excluded.bytes,
          set_at = excluded.set_at, expires_at = excluded.expires_at`
    const select = () =>
      sql`SELECT entry FROM effect_llm_answers WHERE name = ${"a"} AND (expires_at IS NULL OR expires_at > ${now})`
    const loop = (effect) => inFiber(Effect, runtime, effect)
    await runtime.runPromise(Effect.zipRight(upsert(entry), cache.set("b", answer)))
    await rows(
      [
        `${name}: an upsert of \`JSON.stringify\``,
        loop(() => upsert(JSON.stringify({ version: 1, response: answer })))
      ],
      [`${name}: an upsert of a text`, loop(() => upsert(entry))],
      [`${name}: an upsert of an answer that is encoded`, loop(() => Effect.flatMap(entries.write(answer), upsert))],
      [`${name}: a set`, loop(() => cache.set("b", answer))]
    )
    await rows(
      [`${name}: a select and \`JSON.parse\``, loop(() => Effect.map(select(), ([row]) => JSON.parse(row.entry)))],
      [`${name}: a select of a text`, loop(select)],
      [
        `${name}: a select, and its answer decoded`,
        loop(() => Effect.map(select(), ([row]) => entries.read(row.entry, -Infinity)))
      ],
      [`${name}: a get`, loop(() => cache.get("b"))]
    )
  })
await compareCache(
  "SQLite",
  Effect.provide(SqliteClient.make({ filename: join(directory, "bench.db") }), Reactivity.layer)
)
if (hasPostgres) await compareCache("Postgres", Effect.flatMap(startPostgres, ({ client }) => client))

// The server's own time for a script, with an empty and a long line before it.
const serverMicros = async (keys, queue) => {
  const args = ["1", "", "", "60", "", "", "", "1", "0", "0", "0", queue, "", "30000"]
  const sha = await redis.script("LOAD", reserveScript.source)
  const run = () => redis.call("EVALSHA", sha, 4, ...keys, ...args)
  for (let i = 0; i < 1_000; i++) await run()
  await redis.config("RESETSTAT")
  for (let i = 0; i < 3_000; i++) await run()
  return Number(/cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(await redis.info("commandstats"))[1])
}
const keysOf = (name) => ["", ":permits", ":line", ":needs"].map((part) => `{${name}}${part}`)
const withoutLine = await serverMicros(keysOf("free"), "")
const sha = await redis.script("LOAD", reserveScript.source)
for (let i = 0; i < 200; i++) {
  const args = ["1", "", "", "60", "", "", "", "61", "0", "0", "0", `queue ${i}`, "", "30000"]
  await redis.call("EVALSHA", sha, 4, ...keysOf("long"), ...args)
}
const inLine = await serverMicros(keysOf("long"), "queue 150")

if (!hasPostgres) console.log("\nPostgres is not measured: it is not installed.")
console.log(`\ntrips a call: ${trips[0].toFixed(2)}, and ${trips[1].toFixed(3)} with loans`)
console.log(`the server's time for a reserve: ${withoutLine} µs, and ${inLine} µs behind 64 in line`)

redis.disconnect()
server.kill()
rmSync(directory, { recursive: true, force: true })
process.exit(0)
