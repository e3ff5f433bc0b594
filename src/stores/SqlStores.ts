/**
 * Budgets and a cache in Postgres or SQLite, over the `SqlClient` of `@effect/sql`: from `@effect/sql-pg`,
 * `@effect/sql-sqlite-node` and others for these databases.
 *
 * The tables are made when a layer is built. Each operation is atomic, on the database's clock, and leaves no span.
 * None waits for longer than `commandTimeout` (1 second), unless a driver blocks its thread, as those of SQLite do
 * while another process writes. Without the database a budget refuses, or acts as `onUnavailable` says, and the event
 * `StoreUnavailable` reports the outage; a cache reports a miss.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as LlmCache from "../LlmCache.js"
import { Budget, type Service as Budgets } from "../policy/budget/Budget.js"
import * as SqlBudgets from "./sql/budgets.js"
import * as SqlCache from "./sql/cache.js"
import * as Database from "./sql/database.js"
import * as Tables from "./sql/tables.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

export type { OutageOptions } from "./budgetLedger.js"
export type { BudgetOptions } from "./sql/budgets.js"
export type { CacheOptions } from "./sql/cache.js"
export type { DatabaseOptions } from "./sql/database.js"

/**
 * The statements that make all tables, for a migration of your own. Running them again changes nothing.
 *
 * @since 0.1.0
 * @category models
 * @example
 * ```ts
 * import * as SqlStores from "effect-llm/SqlStores"
 *
 * const [first] = SqlStores.statements("pg")
 * ```
 */
export const statements = (dialect: "pg" | "sqlite", prefix?: string): ReadonlyArray<string> => {
  const checked = Database.checkPrefix(prefix)
  return [...Tables.answers(dialect, checked), ...Tables.budgets(dialect, checked)]
}

// ---------------------------------------------------------------------------------------------------------------------
// Budgets
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Makes a store of budgets. It fails if its table cannot be made; a mistake in the options is a defect that names the
 * option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeBudgets = (
  options: SqlBudgets.BudgetOptions
): Effect.Effect<Budgets, SqlError, SqlClient.SqlClient> => SqlBudgets.make(options)

/**
 * Lets all processes with the same `account` share the budgets of `Budget.limit`. The estimate of a request is charged
 * when it is reserved, and corrected when its bill is known: that of a process that was killed stays charged, and is shown
 * as reserved. Money is exact to the picodollar; in SQLite, up to nine million dollars in an account.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import { Budget, OpenAi } from "effect-llm"
 * import * as SqlStores from "effect-llm/SqlStores"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Budget.limit({ scope: "day", tokens: 5_000_000, window: "1 day" }),
 *   Layer.provideMerge(SqlStores.layerBudgets({ account: "production" })),
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 */
export const layerBudgets = (
  options: SqlBudgets.BudgetOptions
): Layer.Layer<Budget, SqlError, SqlClient.SqlClient> => Layer.effect(Budget, SqlBudgets.make(options))

// ---------------------------------------------------------------------------------------------------------------------
// The cache
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Makes a cache. It fails if its table cannot be made; a mistake in the options is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeCache = (
  options: SqlCache.CacheOptions = {}
): Effect.Effect<LlmCache.Service, SqlError, SqlClient.SqlClient | Scope.Scope> => SqlCache.make(options)

/**
 * Keeps answers in a table, which a regular purge keeps to its size. An entry that is damaged or of another version
 * counts as a miss, and is removed. A failure of the database is a `CacheError`, which counts as a miss, too. In
 * Postgres the table is unlogged: it is empty after a crash of the server.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import * as SqlStores from "effect-llm/SqlStores"
 *
 * const cache = SqlStores.layerCache({ timeToLive: "7 days", capacity: 50_000 }).pipe(
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 */
export const layerCache = (
  options: SqlCache.CacheOptions = {}
): Layer.Layer<LlmCache.LlmCache, SqlError, SqlClient.SqlClient> =>
  Layer.scoped(LlmCache.LlmCache, SqlCache.make(options))
