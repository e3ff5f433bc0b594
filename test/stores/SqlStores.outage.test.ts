import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Budget from "effect-llm/Budget"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as SqlStores from "effect-llm/SqlStores"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { hasPostgres, startPostgres } from "../support/postgresServer.js"
import { respond } from "../support/samples.js"

const name = "a client with its cache and budget in Postgres"

describe.skipIf(!hasPostgres)(hasPostgres ? name : `${name} (skipped: PostgreSQL is not installed)`, () => {
  it.scopedLive(
    "ends each call in time with an answer or a typed error, while the server is killed and comes back",
    () =>
      Effect.gen(function*() {
        const server = yield* startPostgres
        const usage = { inputTokens: 3, outputTokens: 2 }
        const Provider = Layer.succeed(
          LlmProvider.LlmProvider,
          LlmProvider.make({
            name: "memory",
            endpoint: "memory",
            call: ({ prompt }) => Effect.delay(Effect.succeed(respond(prompt, { usage })), "5 millis")
          })
        ).pipe(
          Budget.limit({ scope: "all", tokens: 1_000_000, estimateInput: () => 3 }),
          Layer.provideMerge(SqlStores.layerBudgets({ account: "outage" }))
        )
        let unavailable = 0
        const Logger = LlmLogger.layerHandler((event) => {
          if (event._tag === "StoreUnavailable") unavailable++
        })
        const Client = LlmClient.layer({ deadline: "8 seconds", retry: { times: 0 } }).pipe(
          Layer.provideMerge(Provider),
          Layer.provide([SqlStores.layerCache(), Logger]),
          Layer.provide(Layer.scoped(SqlClient.SqlClient, server.client))
        )

        yield* Effect.gen(function*() {
          let answered = 0
          let refused = 0
          let longest = 0
          let calls = 0
          let isOver = false
          const call = Effect.gen(function*() {
            const began = performance.now()
            const result = yield* Effect.either(LlmClient.call({ model: "m", prompt: `call ${calls++}`, maxTokens: 2 }))
            longest = Math.max(longest, performance.now() - began)
            if (Either.isRight(result)) {
              answered++
              return true
            }
            assert.strictEqual(result.left.reason._tag, "BudgetExceeded")
            refused++
            // As a program would, it does not ask at once again.
            yield* Effect.sleep("5 millis")
            return false
          })
          const until = (isDone: () => boolean) => Effect.repeat(Effect.sleep("5 millis"), { until: isDone })
          const work = Effect.all(
            Array.from({ length: 8 }, () => Effect.repeat(call, { until: () => isOver })),
            { concurrency: "unbounded" }
          )
          const outage = Effect.gen(function*() {
            yield* until(() => answered >= 100)
            yield* Effect.promise(() => server.stop())
            yield* until(() => refused >= 50)
            const before = answered
            yield* Effect.promise(() => server.start())
            yield* until(() => answered >= before + 100)
            isOver = true
          })
          yield* Effect.all([work, outage], { concurrency: "unbounded" })

          // Its deadline, and the pauses of a busy machine.
          assert.isBelow(longest, 8_000 + 10_000)
          assert.isAbove(unavailable, 0)
          const spent = yield* Budget.spent("all")
          assert.isUndefined(spent.problem)
          // What was charged is never less than what was used: of some it is not known that they have ended.
          assert.isAtLeast(spent.tokens + spent.reserved.tokens, answered * 5)
          // Kept since: the cache is there again. A client waits for it no longer than it takes to ask.
          const kept = LlmClient.call({ model: "m", prompt: "kept", maxTokens: 2 })
          assert.strictEqual((yield* kept).origin, "provider")
          yield* Effect.repeat(kept, { until: ({ origin }) => origin === "cache" })
        }).pipe(Effect.provide(Client))
      }),
    60_000
  )
})
