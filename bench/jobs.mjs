/**
 * What durable jobs cost: the same requests through `LlmBatch.layerSqlite` and through `callAll` in memory, against a
 * provider whose answers take 100 ms; and a file of many lines, submitted as a stream.
 *
 *   node --import tsx bench/jobs.mjs run [requests] [concurrency]
 *   node --import tsx bench/jobs.mjs submit [lines]
 */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { Duration, Effect, Layer, Stream } from "effect"
import { LlmCache, LlmClient, LlmLogger, LlmProvider, LlmResponse, Message } from "effect-llm"
import * as LlmBatch from "effect-llm/LlmBatch"
import { createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { finished } from "node:stream/promises"

const [, , what = "run", ...numbers] = process.argv
const [count = what === "run" ? 50_000 : 1_000_000, concurrency = 64] = numbers.map(Number)
const latency = Duration.millis(100)

const directory = mkdtempSync(join(tmpdir(), "effect-llm-bench-"))
process.on("exit", () => rmSync(directory, { recursive: true, force: true }))
const filename = join(directory, "jobs.db")
const megabytes = (bytes) => Math.round(bytes / 1e6)
const sizeOf = (path) =>
  ["", "-wal"].reduce((sum, end) => sum + (statSync(path + end, { throwIfNoEntry: false })?.size ?? 0), 0)

const text = "lorem ipsum dolor ".repeat(20)
const requestOf = (i) => ({ model: "m", prompt: `item ${i} ${text}` })

const Client = LlmClient.layer().pipe(Layer.provide([
  LlmProvider.layer({
    name: "bench",
    endpoint: "memory:",
    call: ({ model }) =>
      Effect.delay(
        Effect.sync(() =>
          LlmResponse.make({
            parts: [Message.Text.make({ text })],
            finishReason: "stop",
            usage: { inputTokens: 100, outputTokens: 90 },
            cost: 0.00001,
            model,
            provider: "bench"
          })
        ),
        latency
      )
  }),
  LlmCache.layerNone,
  LlmLogger.layerSilent
]))
const Jobs = Layer.provide(LlmBatch.layerSqlite({ filename, concurrency }), Client)

/** Runs an effect, and reports its time and its memory. */
const measured = (name, effect) =>
  Effect.gen(function*() {
    globalThis.gc?.()
    const sizes = []
    const looking = setInterval(() => sizes.push(process.memoryUsage().rss), 100)
    const cpu = process.cpuUsage()
    const began = performance.now()
    yield* effect
    const seconds = (performance.now() - began) / 1_000
    clearInterval(looking)
    const { system, user } = process.cpuUsage(cpu)
    const result = {
      name,
      seconds: Number(seconds.toFixed(1)),
      perSecond: Math.round(count / seconds),
      cpuMillisEach: Number(((system + user) / 1_000 / count).toFixed(3)),
      // Of each quarter of the time: memory that is flat has four like numbers.
      peakMegabytes: [0, 1, 2, 3].map((quarter) =>
        megabytes(Math.max(...sizes.slice(quarter * sizes.length / 4, (quarter + 1) * sizes.length / 4)))
      )
    }
    console.log(JSON.stringify(result))
    return result
  })

const requests = function*(number) {
  for (let i = 0; i < number; i++) yield requestOf(i)
}

const run = Effect.gen(function*() {
  const memory = yield* measured(
    "callAll",
    Stream.runDrain(LlmClient.callAll(requests(count), { concurrency })).pipe(Effect.provide(Client))
  )
  const jobs = yield* measured(
    "LlmBatch.layerSqlite",
    LlmBatch.run({ id: "bench", requests: Stream.fromIterable(requests(count)) }).pipe(Effect.provide(Jobs))
  )
  console.log(JSON.stringify({
    rate: Number((jobs.perSecond / memory.perSecond).toFixed(2)),
    databaseMegabytes: megabytes(sizeOf(filename))
  }))
})

const submit = Effect.gen(function*() {
  const path = join(directory, "requests.jsonl")
  yield* Effect.promise(async () => {
    const file = createWriteStream(path)
    for (let i = 0; i < count; i++) {
      if (!file.write(`${JSON.stringify(requestOf(i))}\n`)) await new Promise((resume) => file.once("drain", resume))
    }
    file.end()
    await finished(file)
  })
  console.log(JSON.stringify({ lines: count, fileMegabytes: megabytes(statSync(path).size) }))
  const files = yield* FileSystem.FileSystem
  const lines = files.stream(path).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.map((line) => JSON.parse(line))
  )
  const job = { id: "bench", requests: lines, parallelChunks: 1 }
  yield* measured("submit", LlmBatch.submit(job).pipe(Effect.zipRight(LlmBatch.cancel("bench")), Effect.provide(Jobs)))
  yield* measured("submit again: compare", LlmBatch.submit(job).pipe(Effect.provide(Jobs)))
  console.log(JSON.stringify({ databaseMegabytes: megabytes(sizeOf(filename)) }))
}).pipe(Effect.provide(NodeFileSystem.layer))

await Effect.runPromise(what === "run" ? run : submit)
process.exit(0)
