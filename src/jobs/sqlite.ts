import * as Reactivity from "@effect/experimental/Reactivity"
import type * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hasProperty } from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { messageOf } from "../stores/sql/database.js"
import { DatabaseFailed, DatabaseInUse } from "./errors.js"

// The driver is an optional peer: it is loaded by whoever needs it.

const load: Effect.Effect<typeof SqliteClient> = Effect.promise(
  () => import("@effect/sql-sqlite-node/SqliteClient")
)

/** A database in a file, or in memory: ":memory:". It is not kept from other processes. */
export const layer = (filename: string): Layer.Layer<SqlClient.SqlClient> =>
  Layer.unwrapEffect(Effect.map(load, ({ layer }) => Layer.orDie(layer({ filename }))))

const problemOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** The cause of a failure of SQLite, with its code. */
const isBusy = (cause: unknown): boolean => hasProperty(cause, "code") && cause.code === "SQLITE_BUSY"

/**
 * Keeps other processes from a database for as long as the scope is open, by a lock on a file beside it. The system
 * releases it also when the process is killed. (The database's own locks last for a transaction only.)
 */
export const lock = (filename: string): Effect.Effect<void, DatabaseFailed | DatabaseInUse, Scope.Scope> =>
  Effect.gen(function*() {
    const { make } = yield* load
    const sql = yield* Effect.provide(make({ filename: `${filename}.lock`, disableWAL: true }), Reactivity.layer)
    yield* sql.unsafe("PRAGMA busy_timeout = 0")
    yield* sql.unsafe("BEGIN EXCLUSIVE")
  }).pipe(
    Effect.withTracerEnabled(false),
    Effect.mapError((error) =>
      isBusy(error.cause) ? new DatabaseInUse({ filename }) : new DatabaseFailed({ problem: messageOf(error) })
    ),
    // The driver throws where it cannot open a file.
    Effect.catchAllDefect((defect) => Effect.fail(new DatabaseFailed({ problem: `${filename}: ${problemOf(defect)}` })))
  )
