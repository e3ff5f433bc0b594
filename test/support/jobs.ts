import * as SqlClient from "@effect/sql/SqlClient"
import * as WorkflowEngine from "@effect/workflow/WorkflowEngine"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { createHash } from "node:crypto"
import { vi } from "vitest"
import { settled } from "./overHttp.js"
import { sqliteDatabase } from "./sqlite.js"

// An engine makes its ids on a thread of its own, outside of any clock: on a busy machine any number of the test's seconds
// could pass before one comes. Here they come at once.
vi.spyOn(crypto.subtle, "digest").mockImplementation((_, data) => {
  const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data
  const digest = createHash("sha256").update(new Uint8Array(bytes)).digest()
  return Promise.resolve(new Uint8Array(digest).buffer)
})

/** A database, and processes that come and go. */
export interface Machine {
  readonly sql: SqlClient.SqlClient
  /** Starts a process: with an engine of its own, which knows nothing of earlier ones. */
  readonly start: (
    provider: Layer.Layer<LlmProvider.LlmProvider>,
    options?: LlmBatch.Options & { readonly client?: LlmClient.Options }
  ) => Effect.Effect<Process>
  /** Runs a job in a process that stops at once after so many seconds of the test's clock, as one that is killed. */
  readonly killed: (
    provider: Layer.Layer<LlmProvider.LlmProvider>,
    job: LlmBatch.CallJob,
    after: number
  ) => Effect.Effect<void>
}

/** A process. */
export interface Process {
  readonly jobs: LlmBatch.Service
  /** Ends it: at once with `stopWithin: 0`, or when what is under way has ended. */
  readonly stop: Effect.Effect<void>
}

/** Makes a machine with an empty database. */
export const makeMachine: Effect.Effect<Machine, never, Scope.Scope> = Effect.gen(function*() {
  const scope = yield* Effect.scope
  const sql = Context.get(yield* Layer.build(sqliteDatabase(":memory:")), SqlClient.SqlClient)

  const start: Machine["start"] = (provider, { client = { retry: false as const }, ...options } = {}) =>
    Effect.gen(function*() {
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const context = yield* Layer.build(
        LlmBatch.layer(options).pipe(
          Layer.provide(WorkflowEngine.layerMemory),
          Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)),
          Layer.provide(LlmClient.layer(client)),
          Layer.provide([provider, LlmTest.layerLogger, LlmCache.layerNone])
        )
      ).pipe(Effect.orDie, Scope.extend(own))
      return {
        jobs: Context.get(context, LlmBatch.LlmBatch),
        stop: Scope.close(own, Exit.void)
      }
    })

  const killed: Machine["killed"] = (provider, job, after) =>
    Effect.gen(function*() {
      const { jobs, stop } = yield* start(provider, { stopWithin: 0 })
      yield* Effect.fork(jobs.run(job))
      yield* seconds(after)
      yield* stop
    })

  return { sql, start, killed }
})

/** Requests of a job, each with a text of its own. */
export const prompts = (count: number, word = "item") =>
  Array.from({ length: count }, (_, i) => ({ model: "m", prompt: `${word} ${i}` }))

/** The results of a job: texts, and the reasons of failures. */
export const textsOf = (jobs: LlmBatch.Service, id: string, options?: LlmBatch.ResultsOptions) =>
  jobs.results(id, options).pipe(
    Stream.map(({ index, result }) =>
      `${index}: ${
        Exit.match(result, {
          onFailure: (cause) => cause._tag === "Fail" ? cause.error.reason._tag : cause._tag,
          onSuccess: ({ text }) => text
        })
      }`
    ),
    Stream.runCollect,
    Effect.map((texts) => Array.from(texts))
  )

/** Lets seconds of the test's clock pass one by one, and everything go on in between. */
export const seconds = (count: number): Effect.Effect<void> =>
  Effect.repeatN(Effect.zipRight(settled, TestClock.adjust("1 second")), count - 1)

/** The result of an effect, while the clock goes on. */
export const ran = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    for (let i = 0; i < 600 && fiber.unsafePoll() === null; i++) yield* seconds(1)
    if (fiber.unsafePoll() === null) return yield* Effect.dieMessage("Still under way after 10 minutes")
    return yield* Fiber.join(fiber)
  })
