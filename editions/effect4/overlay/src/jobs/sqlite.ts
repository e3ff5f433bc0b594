// In place of the file: the driver is that of Node 22 itself, so that jobs need no package beside Effect.
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hasProperty } from "effect/Predicate"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import { DatabaseFailed, DatabaseInUse } from "./errors.js"

/** How long a statement waits, in milliseconds, while another process writes to the file. */
const busyTimeout = 5_000

/** Opens a file. It dies where it cannot. */
const open = (filename: string, timeout: number): Effect.Effect<DatabaseSync, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(
      Effect.promise(() => import("node:sqlite")),
      ({ DatabaseSync }) => new DatabaseSync(filename, { timeout })
    ),
    (database) => Effect.sync(() => database.close())
  )

const connectionOf = (database: DatabaseSync): Connection => {
  const rows = (
    text: string,
    params: ReadonlyArray<unknown>,
    { asArrays = false }: { readonly asArrays?: boolean } = {}
  ): Effect.Effect<ReadonlyArray<any>, SqlError> =>
    Effect.flatMap(SqlClient.SafeIntegers, (readBigInts) =>
      Effect.try({
        try: () => {
          const statement = database.prepare(text)
          statement.setReadBigInts(readBigInts)
          statement.setReturnArrays(asArrays)
          // SQLite refuses what it has no type for.
          return statement.all(...params as ReadonlyArray<SQLInputValue>)
        },
        catch: (cause) => new SqlError({ reason: new UnknownError({ cause, message: "The statement failed" }) })
      }))

  const execute: Connection["execute"] = (text, params, transform) =>
    transform === undefined ? rows(text, params) : Effect.map(rows(text, params), transform)

  return {
    execute,
    executeUnprepared: execute,
    executeRaw: rows,
    executeValues: (text, params) => rows(text, params, { asArrays: true }),
    executeValuesUnprepared: (text, params) => rows(text, params, { asArrays: true }),
    executeStream: (text, params, transform) => Stream.fromIterableEffect(execute(text, params, transform))
  }
}

/** A client with one connection, which transactions have one after the other. */
const make = (filename: string): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function*() {
    const database = yield* open(filename, busyTimeout)
    // Others can read while this process writes.
    database.exec("PRAGMA journal_mode = WAL")
    return yield* SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(connectionOf(database)),
        semaphore: yield* Semaphore.make(1),
        isTransaction: () => database.isTransaction
      }),
      compiler: Statement.makeCompilerSqlite(),
      // One that reads at first and then writes would fail, and not wait, where another process has written in between.
      beginTransaction: "BEGIN IMMEDIATE",
      driver: "node:sqlite",
      spanAttributes: [["db.system.name", "sqlite"]]
    })
  })

/** A database in a file, or in memory: ":memory:". It is not kept from other processes. */
export const layer = (filename: string): Layer.Layer<SqlClient.SqlClient> =>
  Layer.provide(Layer.effect(SqlClient.SqlClient, make(filename)), Reactivity.layer)

const problemOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** Whether a failure is SQLITE_BUSY, or one of its kinds. */
const isBusy = (error: unknown): boolean =>
  hasProperty(error, "errcode") && typeof error.errcode === "number" && error.errcode % 256 === 5

/**
 * Keeps other processes from a database for as long as the scope is open, by a lock on a file beside it. The system
 * releases it also when the process is killed. (The database's own locks last for a transaction only.)
 */
export const lock = (filename: string): Effect.Effect<void, DatabaseFailed | DatabaseInUse, Scope.Scope> =>
  Effect.map(open(`${filename}.lock`, 0), (database) => database.exec("BEGIN EXCLUSIVE")).pipe(
    Effect.catchDefect((defect) =>
      Effect.fail(
        isBusy(defect)
          ? new DatabaseInUse({ filename })
          : new DatabaseFailed({ problem: `${filename}: ${problemOf(defect)}` })
      )
    )
  )
