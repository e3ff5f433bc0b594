import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Layer from "effect/Layer"

/** A database of SQLite in a file, or in memory: ":memory:". */
export const sqliteDatabase = (filename: string): Layer.Layer<SqlClient.SqlClient> =>
  Layer.orDie(SqliteClient.layer({ filename }))
