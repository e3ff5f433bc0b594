import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A client of the database in a file. */
export const sqliteClient = (filename: string): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope> =>
  SqliteClient.make({ filename }).pipe(Effect.provide(Reactivity.layer))
