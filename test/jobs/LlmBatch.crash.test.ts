import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as WorkflowEngine from "@effect/workflow/WorkflowEngine"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { freePort } from "../support/freePort.js"
import { hasPostgres, startPostgres } from "../support/postgresServer.js"
import { sqliteDatabase } from "../support/sqlite.js"
import { startWorker, type Worker } from "../support/workers.js"
import { indexIn, type Report, requestsOf, type Work } from "./crash/work.js"

/** More of them: `JOB_KILLS=50 npx vitest run test/jobs/LlmBatch.crash.test.ts`. */
const kills = Number(process.env["JOB_KILLS"] ?? 5)
const seed = process.env["JOB_SEED"] ?? "kill -9"
const concurrency = 16
/** How many requests may be open in a process: half as many again are being prepared, or their results kept. */
const mostOpen = concurrency * 1.5
const timeout = 120_000 + kills * 30_000

const file = fileURLToPath(new URL("crash/worker.ts", import.meta.url))

const simulator = (latency: Duration.DurationInput) =>
  Simulator.layer({ latency, history: 1_000_000 }).pipe(
    Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
  )

const start = (work: Work): Effect.Effect<Worker<Report>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const worker = startWorker<Report>(file)
      await worker.next()
      worker.child.send(work)
      const report = await worker.next()
      assert.strictEqual(report?._tag, "Started", JSON.stringify(report))
      return worker
    }),
    ({ kill }) => Effect.promise(() => kill("SIGKILL"))
  )

/** How often each item was asked. */
const asked = Effect.map(
  Effect.flatMap(Simulator.Simulator, ({ requests }) => requests),
  (requests) => {
    const counts = new Map<number, number>()
    for (const { body } of requests) {
      const index = indexIn(JSON.stringify(body))
      counts.set(index, (counts.get(index) ?? 0) + 1)
    }
    return counts
  }
)

/** Waits for some more requests. */
const awaitMore = (more: number) =>
  Effect.gen(function*() {
    const simulator = yield* Simulator.Simulator
    const { length } = yield* simulator.requests
    yield* simulator.awaitRequests((requests) => requests.length >= length + more)
  })

/** Looks at the jobs of a database, and answers none. */
const lookingAt = <A, E, R>(
  database: Layer.Layer<SqlClient.SqlClient, E>,
  use: (jobs: LlmBatch.Service) => Effect.Effect<A, LlmBatch.ReadError, R>
) =>
  Effect.flatMap(LlmBatch.LlmBatch, use).pipe(Effect.provide(
    LlmBatch.layer().pipe(
      Layer.provide([database, WorkflowEngine.layerMemory, LlmClient.layer()]),
      Layer.provide([LlmTest.layer([]), LlmCache.layerNone, LlmLogger.layerSilent])
    )
  ))

/** What is recorded of a job, by index. */
const recorded = (jobs: LlmBatch.Service, id: string) =>
  jobs.results(id).pipe(
    Stream.runCollect,
    Effect.map((results) => new Map(Array.from(results).map(({ index, result }) => [index, result])))
  )

/** What is recorded of a job, and how often its items were asked, once a process has been killed. */
interface Snapshot {
  readonly known: ReadonlySet<number>
  readonly asked: ReadonlyMap<number, number>
}

/** What has to hold at the end of a job, whatever happened to its processes. */
const holds = (
  jobs: LlmBatch.Service,
  { cutOff, id, size, snapshots }: {
    readonly id: string
    readonly size: number
    /** How often the requests of a process were cut off: it was killed, or one that joined took chunks over from it. */
    readonly cutOff: number
    readonly snapshots: ReadonlyArray<Snapshot>
  }
) =>
  Effect.gen(function*() {
    const summary = yield* jobs.progress(id)
    const results = yield* recorded(jobs, id)
    const counts = yield* asked
    assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed], ["done", size, 0])
    assert.strictEqual(results.size, size)
    let picodollars = 0n
    for (const [index, result] of results) {
      assert(Exit.isSuccess(result))
      assert.strictEqual(indexIn(result.value.text), index)
      picodollars += BigInt(Math.round((result.value.cost ?? NaN) * 1e12))
    }
    assert.strictEqual(BigInt(Math.round(summary.cost * 1e12)), picodollars)
    assert.isAbove(summary.cost, 0)

    // What was recorded is never asked again.
    for (const { asked, known } of snapshots) {
      for (const index of known) assert.strictEqual(counts.get(index), asked.get(index), `item ${index}`)
    }
    const total = Array.from(counts.values()).reduce((sum, count) => sum + count, 0)
    const again = total - size
    assert.isAtMost(again, cutOff * mostOpen)
    // What may have been paid for nothing is an upper bound.
    assert.isAtLeast(summary.interrupted.requests, again)
    assert.isAtMost(summary.interrupted.requests, cutOff * mostOpen)
    return again
  })

describe("LlmBatch.layerSqlite: a process that is killed at random moments", () => {
  it.scopedLive("asks nothing finished again, loses no result, and comes to an end", () =>
    Effect.gen(function*() {
      const { url: service } = yield* Simulator.Simulator
      const directory = mkdtempSync(join(tmpdir(), "effect-llm-jobs-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
      const filename = join(directory, "jobs.db")
      // More than all processes can have asked when they are killed.
      const size = kills * 200 + 100
      const job = { id: "crash", size, chunk: 40 }
      const work: Work = { service, concurrency, store: { filename }, job }
      const database = sqliteDatabase(filename)

      const snapshots: Array<Snapshot> = []
      for (let i = 0; i < kills; i++) {
        const worker = yield* start(work)
        yield* awaitMore(yield* Random.nextIntBetween(1, 200))
        yield* Effect.promise(() => worker.kill("SIGKILL"))
        const known = yield* lookingAt(database, (jobs) => recorded(jobs, job.id))
        snapshots.push({ known: new Set(known.keys()), asked: yield* asked })
      }
      const last = yield* start(work)
      const report = yield* Effect.promise(last.next)
      assert.strictEqual(report?._tag, "Done", JSON.stringify(report))
      const again = yield* lookingAt(database, (jobs) => holds(jobs, { ...job, snapshots, cutOff: kills }))
      yield* Effect.log(`${size} requests, ${kills} kills, ${again} asked again`)
    }).pipe(Effect.provide(simulator("30 millis")), Effect.withRandom(Random.make(seed))), timeout)
})

/** A database, and a process that looks at its jobs and submits them. */
const makeCluster = Effect.gen(function*() {
  const { url: service } = yield* Simulator.Simulator
  const server = yield* startPostgres
  const database = Layer.succeed(SqlClient.SqlClient, yield* server.client)
  const context = yield* Layer.build(LlmBatch.layerClusterClient().pipe(Layer.provide(database)))
  return {
    server,
    jobs: Context.get(context, LlmBatch.LlmBatch),
    startRunner: Effect.gen(function*() {
      const port = yield* Effect.promise(freePort)
      return yield* start({ service, concurrency, store: { postgres: server.port, port } })
    })
  }
})

/** Waits for the end of a job; while the database is away, too. */
const awaitEnd = (jobs: LlmBatch.Service, id: string) =>
  Effect.option(jobs.progress(id)).pipe(
    Effect.repeat({
      until: (progress) => Option.isSome(progress) && progress.value.status !== "running",
      schedule: Schedule.spaced("100 millis")
    })
  )

const snapshotOf = (jobs: LlmBatch.Service, id: string) =>
  Effect.gen(function*() {
    const known = yield* recorded(jobs, id)
    return { known: new Set(known.keys()), asked: yield* asked }
  })

const name = "LlmBatch.layerCluster: processes over Postgres"

describe.skipIf(!hasPostgres)(hasPostgres ? name : `${name} (skipped: PostgreSQL is not installed)`, () => {
  it.scopedLive(
    "take over the work of one that is killed, ask nothing finished again, and lose no result",
    () =>
      Effect.gen(function*() {
        const { jobs, startRunner } = yield* makeCluster
        const clusterKills = Math.ceil(kills / 3)
        const job = { id: "crash", size: clusterKills * 1_200, chunk: 40 }
        let runners = [yield* startRunner, yield* startRunner]

        yield* jobs.submit({ id: job.id, chunk: job.chunk, requests: requestsOf(job.size) })
        const snapshots: Array<Snapshot> = []
        const pauses: Array<number> = []
        for (let i = 0; i < clusterKills; i++) {
          yield* Effect.raceFirst(awaitMore(yield* Random.nextIntBetween(50, 200)), awaitEnd(jobs, job.id))
          const [victim, survivor] = runners as [Worker<Report>, Worker<Report>]
          yield* Effect.promise(() => victim.kill("SIGKILL"))
          const killed = performance.now()
          const before = yield* jobs.progress(job.id)
          snapshots.push(yield* snapshotOf(jobs, job.id))
          // Whoever takes a chunk over counts what was under way in it. A process may have had none.
          yield* jobs.progress(job.id).pipe(
            Effect.repeat({
              until: ({ interrupted, status }) =>
                interrupted.requests > before.interrupted.requests || status !== "running",
              schedule: Schedule.spaced("50 millis")
            }),
            // 10 seconds on a machine that has nothing else to do.
            Effect.timeoutOption("60 seconds")
          )
          const pause = Math.round(performance.now() - killed)
          const after = yield* jobs.progress(job.id)
          if (after.interrupted.requests > before.interrupted.requests) pauses.push(pause)
          runners = [survivor, yield* startRunner]
        }
        yield* awaitEnd(jobs, job.id)
        const again = yield* holds(jobs, { ...job, snapshots, cutOff: 2 * clusterKills })
        yield* Effect.log(`${clusterKills} kills, ${again} asked again, taken over within ${pauses.join(", ")} ms`)
        assert.isAbove(pauses.length, 0)
      }).pipe(Effect.provide(simulator("200 millis")), Effect.withRandom(Random.make(seed))),
    timeout
  )

  it.scopedLive("go on after all of them were killed", () =>
    Effect.gen(function*() {
      const { jobs, startRunner } = yield* makeCluster
      const rounds = Math.ceil(kills / 5)
      const job = { id: "crash", size: rounds * 800, chunk: 40 }
      let runners = [yield* startRunner, yield* startRunner]

      yield* jobs.submit({ id: job.id, chunk: job.chunk, requests: requestsOf(job.size) })
      const snapshots: Array<Snapshot> = []
      for (let i = 0; i < rounds; i++) {
        yield* Effect.raceFirst(awaitMore(yield* Random.nextIntBetween(50, 200)), awaitEnd(jobs, job.id))
        yield* Effect.promise(() => Promise.all(runners.map((runner) => runner.kill("SIGKILL"))))
        snapshots.push(yield* snapshotOf(jobs, job.id))
        runners = [yield* startRunner, yield* startRunner]
      }
      yield* awaitEnd(jobs, job.id)
      const again = yield* holds(jobs, { ...job, snapshots, cutOff: 3 * rounds })
      yield* Effect.log(`${rounds} kills of all processes, ${again} asked again`)
    }).pipe(Effect.provide(simulator("200 millis")), Effect.withRandom(Random.make(seed))), timeout)

  it.scopedLive("go on after Postgres was killed and has come back", () =>
    Effect.gen(function*() {
      const { jobs, server, startRunner } = yield* makeCluster
      const rounds = Math.ceil(kills / 5)
      const job = { id: "crash", size: rounds * 800, chunk: 40 }
      const runners = [yield* startRunner, yield* startRunner]

      yield* jobs.submit({ id: job.id, chunk: job.chunk, requests: requestsOf(job.size) })
      const snapshots: Array<Snapshot> = []
      for (let i = 0; i < rounds; i++) {
        yield* Effect.raceFirst(awaitMore(yield* Random.nextIntBetween(50, 200)), awaitEnd(jobs, job.id))
        yield* Effect.promise(server.stop)
        yield* Effect.promise(server.start)
        snapshots.push(yield* Effect.retry(snapshotOf(jobs, job.id), Schedule.spaced("50 millis")))
      }
      yield* awaitEnd(jobs, job.id)
      assert.deepStrictEqual(runners.map(({ child }) => child.exitCode), [null, null])
      const again = yield* holds(jobs, { ...job, snapshots, cutOff: runners.length * rounds })
      yield* Effect.log(`${rounds} kills of Postgres, ${again} asked again`)
    }).pipe(Effect.provide(simulator("200 millis")), Effect.withRandom(Random.make(seed))), timeout)
})
