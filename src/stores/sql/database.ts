import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { shortened } from "../../internal/boundedText.js"
import * as Check from "../../internal/check.js"
import * as QuietFiber from "../../runtime/quietFiber.js"
import * as Server from "../server.js"
import type { Unavailable } from "../unavailable.js"

/**
 * The tables, and the limits of the waits for the database.
 *
 * @since 0.1.0
 * @category models
 */
export interface DatabaseOptions {
  /** The prefix of the names of tables. Default: "effect_llm_". */
  readonly prefix?: string | undefined
  /**
   * Whether to create missing tables when the layer is built. Without it, run `SqlStores.statements` yourself. Default:
   * true.
   */
  readonly migrate?: boolean | undefined
  /** The longest wait for the database. Default: 1 second. */
  readonly commandTimeout?: Duration.DurationInput | undefined
  /**
   * The time for which a database that failed is not asked; then one statement finds out whether it is back. Default: 1
   * second.
   */
  readonly retryAfter?: Duration.DurationInput | undefined
}

/** The databases that are supported. */
export type Dialect = "pg" | "sqlite"

/** The link to the database. No wait for it exceeds the time limit. */
export interface Database {
  readonly sql: SqlClient.SqlClient
  /** The database's time in epoch milliseconds. */
  readonly now: Fragment
  readonly ask: <A>(effect: Effect.Effect<A, SqlError>) => Effect.Effect<A, Unavailable>
  readonly takeProblem: () => string | undefined
}

const maxProblem = 200

/** The driver's words, which quote no values. */
export const messageOf = (error: SqlError): string => {
  const { cause } = error
  return shortened(cause instanceof Error && cause.message !== "" ? cause.message : error.message, maxProblem)
}

/** The prefix of tables, which is part of statements. Throws `InvalidOption`. */
export const checkPrefix = (prefix = "effect_llm_"): string =>
  /^[a-z_][a-z0-9_]{0,30}$/.test(prefix)
    ? prefix
    : Check.invalidOption("prefix", "at most 31 lower-case letters, digits and underscores", prefix)

/** The dialect of a client's database. Throws `InvalidOption` for one that is not supported. */
export const dialectOf = (sql: SqlClient.SqlClient): Dialect =>
  sql.onDialectOrElse<Dialect, Dialect, Dialect, Dialect, Dialect, Dialect>({
    pg: () => "pg",
    sqlite: () => "sqlite",
    orElse: () => Check.invalidOption("SqlClient", "one for Postgres or SQLite", "another")
  })

/**
 * All of an effect's statements, or none of them. A lost connection is a failure: the client's own transaction dies if
 * it cannot roll back, or gets no answer to its commit.
 */
export const atomically = <A, E, R>(
  sql: SqlClient.SqlClient,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.catchAllDefect(
    sql.withTransaction(effect),
    (defect) => defect instanceof SqlError ? Effect.fail(defect) : Effect.die(defect)
  )

/** Makes tables. Processes that do so at the same time wait for each other. */
export const migrate = (sql: SqlClient.SqlClient, statements: ReadonlyArray<string>): Effect.Effect<void, SqlError> => {
  const all = Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
  return sql.onDialectOrElse({
    pg: () => atomically(sql, Effect.zipRight(sql`SELECT pg_advisory_xact_lock(770125, 1)`, all)),
    orElse: () => all
  })
}

/** Opens a database, and makes its tables. */
export const open = (
  options: DatabaseOptions,
  statementsOf: (dialect: Dialect) => ReadonlyArray<string>
): Effect.Effect<Database, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const commandTimeout = Duration.toMillis(
      Check.positiveDuration("commandTimeout", options.commandTimeout ?? "1 second")
    )
    const retryAfter = Duration.toMillis(Check.duration("retryAfter", options.retryAfter ?? "1 second"))
    const dialect = dialectOf(sql)
    if (options.migrate !== false) {
      yield* Effect.withTracerEnabled(migrate(sql, statementsOf(dialect)), false)
    }

    const server = Server.make({ commandTimeout, retryAfter })
    const start = yield* QuietFiber.make

    return {
      sql,
      ask: <A>(statements: Effect.Effect<A, SqlError>) =>
        server.ask<A>((fiber, ended) => start(fiber, statements, (exit) => ended(Exit.mapError(exit, messageOf)))),
      takeProblem: server.takeProblem,
      now: dialect === "pg"
        ? sql.literal("CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)")
        : sql.literal("CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)")
    }
  })
