import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as SqlStores from "effect-llm/SqlStores"
import * as StoreConformance from "effect-llm/testing/StoreConformance"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { hasPostgres, type PostgresServer, startPostgres } from "../support/postgresServer.js"
import { respond } from "../support/samples.js"
import { sqliteClient } from "../support/sqliteClient.js"

type Client = Effect.Effect<SqlClient.SqlClient, never, Scope.Scope>

/** Longer than in a program, for a machine that has other things to do. */
const options = { account: "test", commandTimeout: "2 seconds" } as const
const patience = 10_000

const register = (checks: ReadonlyArray<StoreConformance.StoreCheck>) => {
  for (const { check, name } of checks) it.live(name, () => check)
}

/** Each member has connections of its own. */
const using = <A, E>(client: Client, store: Effect.Effect<A, E, SqlClient.SqlClient | Scope.Scope>) =>
  Effect.orDie(Effect.flatMap(client, (sql) => Effect.provideService(store, SqlClient.SqlClient, sql)))

const checkAll = (client: Client, server?: StoreConformance.Server) => {
  const power = server === undefined ? {} : { server }

  describe("layerBudgets", () => {
    register(StoreConformance.budgets({ ...power, patience, join: using(client, SqlStores.makeBudgets(options)) }))
  })

  describe("layerCache", () => {
    register(StoreConformance.caches({ ...power, patience, join: using(client, SqlStores.makeCache(options)) }))

    it.scopedLive("is purged of what has expired and of the oldest beyond its size, and leaves no span", () =>
      Effect.gen(function*() {
        const spans: Array<string> = []
        const native = yield* Effect.tracer
        const tracer = Tracer.make({
          span: (name, ...rest) => {
            spans.push(name)
            return native.span(name, ...rest)
          },
          context: (execute) => execute()
        })
        const sql = yield* client
        yield* Effect.withTracer(
          Effect.gen(function*() {
            const prefix = "purged_"
            const cache = yield* SqlStores.makeCache({ prefix, capacity: 3, purgeEvery: "20 millis" })
            const count = Effect.map(
              sql<{ readonly name: string }>`SELECT name FROM purged_answers ORDER BY name`.pipe(
                Effect.withTracerEnabled(false)
              ),
              (rows) => rows.map(({ name }) => name).join("")
            )
            for (const name of "abcdef") {
              yield* cache.set(name, respond(name))
              // The database's clock counts milliseconds.
              yield* Effect.sleep(2)
            }
            yield* Effect.repeat(Effect.delay(count, 5), { until: (names) => names === "def" })
            yield* cache.set("e", respond("e"), "1 millis")
            yield* Effect.repeat(Effect.delay(count, 5), { until: (names) => names === "df" })
            const large = yield* SqlStores.makeCache({ prefix, maxBytes: 1, purgeEvery: "1 hour" })
            yield* Effect.repeat(Effect.delay(count, 5), { until: (names) => names === "" })
            assert.isTrue(Option.isNone(yield* large.get("f")))
          }).pipe(Effect.provideService(SqlClient.SqlClient, sql)),
          tracer
        )
        assert.deepStrictEqual(spans, [])
      }))

    it.scopedLive("drops an entry that is damaged", () =>
      Effect.gen(function*() {
        const sql = yield* client
        const cache = yield* Effect.provideService(SqlStores.makeCache(options), SqlClient.SqlClient, sql)
        yield* cache.set("damaged", respond("Elbe"))
        yield* sql`UPDATE effect_llm_answers SET entry = 'half' WHERE name = 'damaged'`
        assert.isTrue(Option.isNone(yield* cache.get("damaged")))
        assert.isEmpty(yield* sql`SELECT name FROM effect_llm_answers WHERE name = 'damaged'`)
      }))
  })

  it.scopedLive("uses tables that the printed statements made, of any number of processes at once", () =>
    Effect.gen(function*() {
      const sql = yield* client
      const dialect = sql.onDialectOrElse({ pg: () => "pg" as const, orElse: () => "sqlite" as const })
      for (const statement of SqlStores.statements(dialect, "own_")) yield* sql.unsafe(statement)
      yield* Effect.all(
        Array.from(
          { length: 4 },
          () => Effect.provideService(SqlStores.makeBudgets({ ...options, prefix: "own_" }), SqlClient.SqlClient, sql)
        ),
        { concurrency: "unbounded" }
      )
      const budgets = yield* Effect.provideService(
        SqlStores.makeBudgets({ ...options, prefix: "own_", migrate: false }),
        SqlClient.SqlClient,
        sql
      )
      yield* budgets.open("a")
      yield* budgets.reserve([{ scope: "a", key: "", limits: {}, estimate: { tokens: 5 } }])
      assert.strictEqual((yield* budgets.spent("a")).reserved.tokens, 5)
    }))
}

describe("SqlStores on SQLite", () => {
  const directory = mkdtempSync(join(tmpdir(), "effect-llm-sqlite-"))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  checkAll(sqliteClient(join(directory, "stores.db")))
})

describe.skipIf(!hasPostgres)(
  hasPostgres ? "SqlStores on Postgres" : "SqlStores on Postgres (skipped: PostgreSQL is not installed)",
  () => {
    const scope = Effect.runSync(Scope.make())
    let running: PostgresServer | undefined
    const server = () => {
      if (running === undefined) throw new Error("The server is not running yet")
      return running
    }
    beforeAll(async () => {
      running = await Effect.runPromise(Scope.extend(startPostgres, scope))
    }, 60_000)
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    checkAll(Effect.suspend(() => server().client), {
      isLasting: true,
      stop: Effect.promise(() => server().stop()),
      start: Effect.promise(() => server().start()),
      hang: Effect.sync(() => server().hang()),
      resume: Effect.sync(() => server().resume())
    })
  }
)

describe("SqlStores", () => {
  it.effect("names the option of a mistake", () =>
    Effect.gen(function*() {
      for (const prefix of ["Upper_", "a; drop", "", "x".repeat(40)]) {
        assert.throws(() => SqlStores.statements("pg", prefix), "prefix")
      }
      assert.isNotEmpty(SqlStores.statements("sqlite"))
    }))
})
