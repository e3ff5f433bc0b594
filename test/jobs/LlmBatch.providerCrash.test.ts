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
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
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
import { withSteppingClock } from "../support/steppingClock.js"
import { startWorker, type Worker } from "../support/workers.js"
import { type BatchWork, jobOf } from "./crash/batchWork.js"
import { indexIn, type Report } from "./crash/work.js"

/** More of them: `JOB_KILLS=50 npx vitest run test/jobs/LlmBatch.providerCrash.test.ts`. */
const kills = Number(process.env["JOB_KILLS"] ?? 5)
const seed = process.env["JOB_SEED"] ?? "kill -9"
const timeout = 120_000 + kills * 30_000

const file = fileURLToPath(new URL("crash/batchWorker.ts", import.meta.url))

/** A service that counts how often each item is answered in its batches. */
const makeService = (options: Simulator.Options) =>
  Effect.gen(function*() {
    const asked = new Map<number, number>()
    const answer: Simulator.Options["answer"] = (prompt) => {
      const index = indexIn(prompt.text)
      asked.set(index, (asked.get(index) ?? 0) + 1)
      return Simulator.answer(prompt)
    }
    const context = yield* Layer.build(
      Simulator.layer({ history: 1_000_000, ...options, answer }).pipe(
        Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
      )
    )
    return { asked, simulator: Context.get(context, Simulator.Simulator) }
  })

const folder = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-llm-batches-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  ),
  (directory) => join(directory, "jobs.db")
)

/** A job whose process keeps it in a file. */
type FileWork = BatchWork & Required<Pick<BatchWork, "job">> & { readonly store: { readonly filename: string } }

const start = (work: BatchWork): Effect.Effect<Worker<Report>, never, Scope.Scope> =>
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

const killed = (worker: Worker<Report>) => Effect.promise(() => worker.kill("SIGKILL"))

/** The end of a job, which is whole, in a process that lives as long. */
const finished = (work: FileWork) =>
  Effect.gen(function*() {
    const worker = yield* start(work)
    const report = yield* Effect.promise(worker.next)
    assert(report?._tag === "Done", JSON.stringify(report))
    yield* lookingAt(work.store.filename, (jobs) => isWhole(jobs, work.job))
    return report.summary
  })

const creation = /(\/batches|:batchGenerateContent)$/

const isCreation = ({ method, path }: Simulator.ReceivedRequest) => method === "POST" && creation.test(path)

/** Whether each request has the result that is its own, and the costs add up. */
const isWhole = (jobs: LlmBatch.Service, { id, size }: { readonly id: string; readonly size: number }) =>
  Effect.gen(function*() {
    const summary = yield* jobs.progress(id)
    assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed], ["done", size, 0])
    const results = yield* Stream.runCollect(jobs.results(id))
    assert.deepStrictEqual(Array.from(results, ({ index }) => index), Array.from({ length: size }, (_, i) => i))
    let picodollars = 0n
    for (const { index, result } of results) {
      assert(Exit.isSuccess(result))
      assert.strictEqual(indexIn(result.value.text), index)
      picodollars += BigInt(Math.round((result.value.cost ?? NaN) * 1e12))
    }
    assert.strictEqual(BigInt(Math.round(summary.cost * 1e12)), picodollars)
    assert.isAbove(summary.cost, 0)
  })

/** Looks at the jobs of a file, and answers none. */
const lookingAt = <A, E>(filename: string, use: (jobs: LlmBatch.Service) => Effect.Effect<A, E>) =>
  Effect.flatMap(LlmBatch.LlmBatch, use).pipe(
    Effect.provide(
      LlmBatch.layer().pipe(
        Layer.provide([sqliteDatabase(filename), WorkflowEngine.layerMemory, LlmClient.layer()]),
        Layer.provide([LlmTest.layer([]), LlmCache.layerNone, LlmLogger.layerSilent])
      )
    )
  )

const assertOnce = (asked: ReadonlyMap<number, number>, size: number) =>
  assert.deepStrictEqual([asked.size, Math.max(...asked.values())], [size, 1])

describe("LlmBatch via: provider: a process that is killed", () => {
  it.scopedLive.each(["openai", "gemini"] as const)(
    "once a batch is taken, before it has the id, finds it by its name (%s)",
    (provider) =>
      Effect.gen(function*() {
        const { asked, simulator } = yield* makeService({
          // The batch is made, and its id never comes.
          faults: ({ attempt, prompt }) =>
            prompt.protocol === `${provider}-batches` && creation.test(prompt.text) && attempt === 1
              ? Simulator.stalledBody({ afterBytes: 1 })
              : Simulator.ok
        })
        const job = { id: "taken", size: 30, chunk: 30 }
        const work: FileWork = { service: simulator.url, provider, store: { filename: yield* folder }, job }
        const first = yield* start(work)
        yield* simulator.awaitRequests((requests) => requests.some((each) => isCreation(each) && each.status === 200))
        yield* killed(first)
        const summary = yield* finished(work)
        assertOnce(asked, job.size)
        assert.strictEqual(summary.interrupted.requests, 0)
        assert.strictEqual((yield* simulator.requests).filter(isCreation).length, 1)
      }),
    timeout
  )

  it.scopedLive(
    "then counts its requests as interrupted where the service keeps no names",
    () =>
      Effect.gen(function*() {
        const { asked, simulator } = yield* makeService({
          faults: ({ attempt, prompt }) =>
            prompt.protocol === "anthropic-batches" && creation.test(prompt.text) && attempt === 1
              ? Simulator.stalledBody({ afterBytes: 1 })
              : Simulator.ok
        })
        const job = { id: "taken", size: 30, chunk: 30 }
        const work: FileWork = {
          service: simulator.url,
          provider: "anthropic",
          store: { filename: yield* folder },
          job
        }
        const first = yield* start(work)
        yield* simulator.awaitRequests((requests) => requests.some((each) => isCreation(each) && each.status === 200))
        yield* killed(first)
        const summary = yield* finished(work)
        assert.deepStrictEqual(Array.from(new Set(asked.values())), [2])
        assert.strictEqual(summary.interrupted.requests, job.size)
      }),
    timeout
  )

  it.scopedLive(
    "while it waits for a batch, goes on with it",
    () =>
      withSteppingClock((clock) =>
        Effect.gen(function*() {
          const { asked, simulator } = yield* makeService({ batch: "1 hour" })
          const job = { id: "waiting", size: 40, chunk: 20 }
          const work: FileWork = { service: simulator.url, provider: "openai", store: { filename: yield* folder }, job }
          for (let i = 0; i < 3; i++) {
            const worker = yield* start(work)
            const { length } = yield* simulator.requests
            yield* simulator.awaitRequests((requests) =>
              requests.slice(length).filter(({ method }) => method === "GET").length >= 4
            )
            yield* killed(worker)
          }
          yield* clock.stepForward("1 hour")
          yield* finished(work)
          assertOnce(asked, job.size)
          assert.strictEqual((yield* simulator.requests).filter(isCreation).length, 2)
        })
      ),
    timeout
  )

  it.scopedLive("while it reads results, reads the rest again", () =>
    Effect.gen(function*() {
      let readings = 0
      const { asked, simulator } = yield* makeService({
        faults: ({ prompt }) =>
          /\/content$/.test(prompt.text) && ++readings === 1
            ? Simulator.slowBody({ chunkBytes: 2_000, delay: "40 millis" })
            : Simulator.ok
      })
      const job = { id: "reading", size: 300, chunk: 300 }
      const work: FileWork = { service: simulator.url, provider: "openai", store: { filename: yield* folder }, job }
      const first = yield* start(work)
      yield* simulator.awaitRequests((requests) => requests.some(({ path }) => /\/content$/.test(path)))
      const database = sqliteDatabase(work.store.filename)
      const known = Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT idx FROM effect_llm_results`),
        database
      )
      yield* Effect.repeat(known, { until: (rows) => rows.length >= 20, schedule: Schedule.spaced("50 millis") })
      yield* killed(first)
      const before = (yield* known).length
      assert.isBelow(before, job.size)
      yield* finished(work)
      assertOnce(asked, job.size)
    }), timeout)

  it.scopedLive("at random moments, has each request answered once, and loses no result", () =>
    Effect.gen(function*() {
      const { asked, simulator } = yield* makeService({ batch: "2 seconds", latency: "20 millis" })
      const job = { id: "random", size: 200, chunk: 20 }
      const work: FileWork = { service: simulator.url, provider: "openai", store: { filename: yield* folder }, job }
      for (let i = 0; i < kills; i++) {
        const worker = yield* start(work)
        const { length } = yield* simulator.requests
        const more = yield* Random.nextIntBetween(1, 60)
        yield* Effect.raceFirst(
          simulator.awaitRequests((requests) => requests.length >= length + more),
          Effect.promise(worker.next)
        )
        yield* killed(worker)
      }
      const summary = yield* finished(work)
      assertOnce(asked, job.size)
      assert.strictEqual(summary.interrupted.requests, 0)
    }).pipe(Effect.withRandom(Random.make(seed))), timeout)
})

const cluster = "LlmBatch.layerCluster via: provider: processes over Postgres"

describe.skipIf(!hasPostgres)(hasPostgres ? cluster : `${cluster} (skipped: PostgreSQL is not installed)`, () => {
  it.scopedLive.each(["openai", "gemini"] as const)(
    "take over the batches of one that is killed: each request is answered once (%s)",
    (provider) =>
      withSteppingClock((clock) =>
        Effect.gen(function*() {
          const { asked, simulator } = yield* makeService({ batch: "1 hour" })
          const server = yield* startPostgres
          const database = Layer.succeed(SqlClient.SqlClient, yield* server.client)
          const context = yield* Layer.build(LlmBatch.layerClusterClient().pipe(Layer.provide(database)))
          const jobs = Context.get(context, LlmBatch.LlmBatch)
          const runner = Effect.gen(function*() {
            const port = yield* Effect.promise(freePort)
            return yield* start({ service: simulator.url, provider, store: { postgres: server.port, port } })
          })
          const job = { id: "shared", size: 60, chunk: 10 }
          const victims = [yield* runner, yield* runner]
          yield* jobs.submit(jobOf(job))
          // Both have batches under way, or one has all of them.
          yield* simulator.awaitRequests((requests) => requests.filter(isCreation).length >= 6)
          for (const victim of victims) {
            yield* runner
            yield* killed(victim)
          }
          yield* clock.stepForward("1 hour")
          yield* Effect.repeat(jobs.progress(job.id), {
            until: ({ status }) => status !== "running",
            schedule: Schedule.spaced("200 millis")
          })
          yield* isWhole(jobs, job)
          assertOnce(asked, job.size)
          assert.strictEqual((yield* simulator.requests).filter(isCreation).length, 6)
        })
      ),
    timeout
  )
})
