import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { answered } from "../support/batchService.js"
import { freePort } from "../support/freePort.js"
import { hasPostgres, startPostgres } from "../support/postgresServer.js"
import { indexIn, requestsOf } from "./crash/work.js"

/** Waits for as long as a test may last: processes look for work and for each other once a second. */
const until = (holds: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(holds, { until: (is) => is, schedule: Schedule.spaced("20 millis") }))

// Members of a cluster in this process, each with connections, sockets and a provider of its own. Their providers hold
// answers back until the test lets them go, so that a job cannot end before its members have changed.

const size = 600
const job = { id: "moving", chunk: 20, requests: requestsOf(size) }

const makeCluster = Effect.gen(function*() {
  const scope = yield* Effect.scope
  const server = yield* startPostgres
  const database = Effect.map(server.client, (client) => Layer.succeed(SqlClient.SqlClient, client))
  const context = yield* Layer.build(LlmBatch.layerClusterClient().pipe(Layer.provide(yield* database)))

  /** Starts a member that answers some requests, and holds the further ones until it may go on. */
  const start = (free: number) =>
    Effect.gen(function*() {
      const asked: Array<number> = []
      const gate = yield* Effect.makeLatch()
      const Provider = LlmProvider.layer({
        name: "acme",
        endpoint: "memory:",
        call: (request) =>
          Effect.suspend(() => {
            asked.push(indexIn(request.prompt))
            return Effect.as(asked.length > free ? gate.await : Effect.void, answered(request, request.prompt))
          }),
        stream: () => Stream.dieMessage("Nothing is streamed")
      })
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const port = yield* Effect.promise(freePort)
      yield* Layer.build(
        LlmBatch.layerCluster({ host: "127.0.0.1", port, concurrency: 8, stopWithin: "1 minute" }).pipe(
          Layer.provide(yield* Scope.extend(database, own)),
          Layer.provide(LlmClient.layer({ retry: false, timeout: "2 minutes" })),
          Layer.provide([Provider, LlmCache.layerNone, LlmLogger.layerSilent])
        )
      ).pipe(Scope.extend(own))
      return {
        asked,
        goOn: gate.open,
        /** Waits until it has been asked for so many. */
        awaits: (count: number) => until(Effect.sync(() => asked.length >= count)),
        leave: Scope.close(own, Exit.void)
      }
    })

  return { jobs: Context.get(context, LlmBatch.LlmBatch), start }
})

/** Each request was asked once, by one of the members, and has its answer. */
const isWhole = (jobs: LlmBatch.Service, members: ReadonlyArray<{ readonly asked: ReadonlyArray<number> }>) =>
  Effect.gen(function*() {
    yield* until(Effect.map(Effect.orDie(jobs.progress(job.id)), ({ status }) => status !== "running"))
    const { failed, interrupted, status, succeeded } = yield* jobs.progress(job.id)
    assert.deepStrictEqual([status, succeeded, failed, interrupted.requests], ["done", size, 0, 0])
    const asked = members.flatMap((member) => member.asked).toSorted((a, b) => a - b)
    assert.deepStrictEqual(asked, Array.from({ length: size }, (_, i) => i))
    const texts = yield* Stream.runCollect(jobs.results(job.id))
    for (const { index, result } of texts) {
      assert.strictEqual(Exit.isSuccess(result) && indexIn(result.value.text), index)
    }
  })

/** Lets a member leave, and answers the requests that it has under way. */
const leaveWhileAsking = (
  { goOn, leave }: { readonly goOn: Effect.Effect<unknown>; readonly leave: Effect.Effect<void> }
) => Effect.flatMap(Effect.fork(leave), (leaving) => Effect.zipRight(goOn, Fiber.join(leaving)))

/** Whether both members have answered requests of one chunk. */
const isShared = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): boolean => {
  const chunks = new Set(one.map((index) => Math.floor(index / job.chunk)))
  return other.some((index) => chunks.has(Math.floor(index / job.chunk)))
}

const name = "LlmBatch.layerCluster: a job whose members change"

describe.skipIf(!hasPostgres)(hasPostgres ? name : `${name} (skipped: PostgreSQL is not installed)`, () => {
  it.scopedLive(
    "moves in part to a process that joins, which asks nothing that the other has asked",
    () =>
      Effect.gen(function*() {
        const { jobs, start } = yield* makeCluster
        const first = yield* start(30)
        yield* jobs.submit(job)
        yield* first.awaits(31)
        const second = yield* start(Infinity)
        yield* second.awaits(1)
        yield* first.goOn
        yield* isWhole(jobs, [first, second])
      }),
    120_000
  )

  it.scopedLive(
    "moves from a process that leaves, in the middle of a chunk, once its requests under way are answered",
    () =>
      Effect.gen(function*() {
        const { jobs, start } = yield* makeCluster
        const [first, second] = [yield* start(30), yield* start(0)]
        yield* jobs.submit(job)
        yield* Effect.zip(first.awaits(31), second.awaits(1), { concurrent: true })
        yield* leaveWhileAsking(first)
        const { succeeded } = yield* jobs.progress(job.id)
        assert.isBelow(succeeded, size)
        const left = first.asked.length
        yield* second.goOn
        yield* isWhole(jobs, [first, second])
        assert.strictEqual(first.asked.length, left)
        assert.isTrue(isShared(first.asked, second.asked))
      }),
    120_000
  )

  it.scopedLive(
    "waits while it has no process, and goes on with the next one that joins",
    () =>
      Effect.gen(function*() {
        const { jobs, start } = yield* makeCluster
        const first = yield* start(30)
        yield* jobs.submit(job)
        yield* first.awaits(31)
        yield* leaveWhileAsking(first)
        const { status, succeeded } = yield* jobs.progress(job.id)
        assert.strictEqual(status, "running")
        assert.strictEqual(succeeded, first.asked.length)
        const second = yield* start(Infinity)
        yield* isWhole(jobs, [first, second])
      }),
    120_000
  )
})
