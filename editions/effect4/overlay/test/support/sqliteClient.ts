// In place of declarations: Effect's client of SQLite has not been released for Effect 4.1; this one has what tests need.
import * as Semaphore from "effect/Semaphore"
import type * as SqlConnection from "effect/sql/SqlConnection"
import * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { DatabaseSync } from "node:sqlite"

export const sqliteClient = (filename: string): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope> =>
  Effect.gen(function*() {
    const database = yield* Effect.acquireRelease(
      Effect.sync(() => new DatabaseSync(filename, { timeout: 5_000 })),
      (database) => Effect.sync(() => database.close())
    )
    database.exec("PRAGMA journal_mode = WAL")

    const run = (sql: string, parameters: ReadonlyArray<unknown>, asArrays = false) =>
      Effect.try({
        try: (): ReadonlyArray<any> => {
          const statement = database.prepare(sql)
          statement.setReturnArrays(asArrays)
          return statement.all(...parameters as ReadonlyArray<string>)
        },
        catch: (cause) =>
          new SqlError.SqlError({
            reason: SqlError.classifySqliteError(cause, { message: "The statement failed", operation: "execute" })
          })
      })

    const execute: SqlConnection.Connection["execute"] = (sql, parameters, transformRows) =>
      Effect.map(run(sql, parameters), (rows) => transformRows === undefined ? rows : transformRows(rows))
    const connection: SqlConnection.Connection = {
      execute,
      executeUnprepared: execute,
      executeRaw: (sql, parameters) => run(sql, parameters),
      executeValues: (sql, parameters) => run(sql, parameters, true),
      executeValuesUnprepared: (sql, parameters) => run(sql, parameters, true),
      executeStream: () => Stream.die("no test asks for a stream")
    }
    return yield* SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({ connection: Effect.succeed(connection), semaphore: yield* Semaphore.make(1) }),
      compiler: Statement.makeCompilerSqlite(),
      driver: "sqlite-node",
      spanAttributes: []
    })
  }).pipe(Effect.provide(Reactivity.layer))
