import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Check from "../../internal/check.js"
import type * as BudgetStore from "../../policy/budget/store.js"
import * as BudgetLedger from "../budgetLedger.js"
import * as Database from "./database.js"
import * as Tables from "./tables.js"

/**
 * Options for sharing budgets between processes.
 *
 * @since 0.1.0
 * @category models
 */
export interface BudgetOptions extends Database.DatabaseOptions, BudgetLedger.OutageOptions {
  /**
   * The owner of the budgets: programs with the same account and database share scopes with equal names, and no others.
   */
  readonly account: string
}

/** Windows that never end have the index 0. */
const indexOf = (window: string): string => window === "-" ? "0" : window

/** Makes a store that keeps its accounts in a table. */
export const make = (
  options: BudgetOptions
): Effect.Effect<BudgetStore.Service, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const { account: owner } = options
    if (typeof owner !== "string" || owner === "") Check.invalidOption("account", "a name", owner)
    const prefix = Database.checkPrefix(options.prefix)
    const { ask, now, sql, takeProblem } = yield* Database.open(options, (dialect) => Tables.budgets(dialect, prefix))
    const table = sql(`${prefix}budgets`)

    const whole = (amount: bigint | number | string) => sql`CAST(${String(amount)} AS BIGINT)`
    const money = (amount: bigint) => sql`CAST(${String(amount)} AS NUMERIC)`
    const length = ({ window = 0 }: BudgetLedger.AccountId) => whole(Math.ceil(window))

    const index = (account: BudgetLedger.AccountId) =>
      account.window === undefined ? sql`CAST(0 AS BIGINT)` : sql`${now} / ${length(account)}`

    const isAccount = (account: BudgetLedger.AccountId) =>
      sql`owner = ${owner} AND scope = ${account.scope} AND name = ${account.key} AND window_ms = ${length(account)}`

    /** Begins the current window, if it has not begun. */
    const begin = (account: BudgetLedger.AccountId) =>
      sql`INSERT INTO ${table} (
          owner, scope, name, window_ms, window_index,
          tokens, picodollars, unpriced, reserved_tokens, reserved_picodollars
        ) VALUES (${owner}, ${account.scope}, ${account.key}, ${length(account)}, ${index(account)}, 0, 0, 0, 0, 0)
        ON CONFLICT (owner, scope, name, window_ms) DO UPDATE SET
          window_index = excluded.window_index, tokens = 0, picodollars = 0, unpriced = 0,
          reserved_tokens = 0, reserved_picodollars = 0
        WHERE ${table}.window_index < excluded.window_index`

    const pay = (account: BudgetLedger.AccountId, { cost, tokens, unpriced, window }: BudgetLedger.Owed) =>
      sql`UPDATE ${table} SET
          tokens = tokens + ${whole(tokens)},
          picodollars = picodollars + ${money(cost)},
          unpriced = unpriced + ${whole(unpriced)}
        WHERE ${isAccount(account)} AND window_index = ${whole(indexOf(window))}`

    /** Takes the estimate if there is room, and gives the index of the window. An older window takes none. */
    const take = (
      account: BudgetLedger.AccountId,
      { estimate, limits }: Parameters<BudgetLedger.Ledger["reserve"]>[1]
    ) => {
      const cost = estimate.cost ?? 0n
      const tokensFit = limits.tokens === undefined
        ? sql`1 = 1`
        : sql`tokens + ${whole(estimate.tokens)} <= ${whole(Math.floor(limits.tokens))}`
      const moneyFits = limits.cost === undefined
        ? sql`1 = 1`
        : estimate.cost === undefined
        ? sql`picodollars < ${money(limits.cost)}`
        : sql`picodollars + ${money(cost)} <= ${money(limits.cost)}`
      return sql<{ readonly index: string }>`UPDATE ${table} SET
          tokens = tokens + ${whole(estimate.tokens)},
          picodollars = picodollars + ${money(cost)},
          reserved_tokens = reserved_tokens + ${whole(estimate.tokens)},
          reserved_picodollars = reserved_picodollars + ${money(cost)}
        WHERE ${isAccount(account)} AND window_index = ${index(account)} AND ${tokensFit} AND ${moneyFits}
        RETURNING CAST(window_index AS TEXT) AS ${sql("index")}`
    }

    const look = (account: BudgetLedger.AccountId) =>
      sql<{ readonly [name: string]: string }>`SELECT
          CAST(tokens AS TEXT) AS tokens,
          CAST(picodollars AS TEXT) AS picodollars,
          CAST(unpriced AS TEXT) AS unpriced,
          CAST(reserved_tokens AS TEXT) AS reserved_tokens,
          CAST(reserved_picodollars AS TEXT) AS reserved_picodollars,
          CAST(${account.window === undefined ? sql`0` : sql`${length(account)} - ${now} % ${length(account)}`} AS TEXT)
            AS renewed_in
        FROM ${table} WHERE ${isAccount(account)} AND window_index = ${index(account)}`

    const reserve: (
      account: BudgetLedger.AccountId,
      entry: Parameters<BudgetLedger.Ledger["reserve"]>[1],
      isBegun: boolean
    ) => Effect.Effect<BudgetLedger.Granted, SqlError> = Effect.fnUntraced(function*(account, entry, isBegun) {
      const [taken] = yield* take(account, entry)
      if (taken !== undefined) {
        return { _tag: "Granted", window: account.window === undefined ? "-" : taken.index, epoch: "" } as const
      }
      const [found] = yield* look(account)
      if (found === undefined) {
        // No row, or an older window, perhaps one that ended in between.
        yield* begin(account)
        return yield* reserve(account, entry, true)
      }
      const { estimate, limits } = entry
      const tokens = BigInt(found["tokens"] ?? 0)
      const lacksTokens = limits.tokens !== undefined && Number(tokens) + estimate.tokens > limits.tokens
      const picodollars = BigInt(found["picodollars"] ?? 0)
      const lacksMoney = limits.cost !== undefined &&
        (estimate.cost === undefined ? picodollars >= limits.cost : picodollars + estimate.cost > limits.cost)
      // Other requests have given amounts back since.
      if (!lacksTokens && !lacksMoney && !isBegun) return yield* reserve(account, entry, true)
      return {
        _tag: "Short",
        unit: lacksTokens || !lacksMoney ? "tokens" : "dollars",
        charged: lacksTokens || !lacksMoney ? tokens : picodollars,
        renewedIn: account.window === undefined ? undefined : Number(found["renewed_in"])
      } as const
    })

    return yield* BudgetLedger.make({
      takeProblem,
      reserve: (account, entry) =>
        ask(
          entry.owed === undefined
            ? reserve(account, entry, false)
            : Effect.zipRight(Effect.zipRight(begin(account), pay(account, entry.owed)), reserve(account, entry, false))
        ),
      charge: (account, { difference, id, whole: bill, window }) => {
        // A settlement ends the reservation.
        const reserved = id === undefined
          ? { tokens: 0, cost: 0n }
          : { tokens: bill.tokens - difference.tokens, cost: bill.cost - difference.cost }
        return ask(Effect.asVoid(sql`UPDATE ${table} SET
            tokens = tokens + ${whole(difference.tokens)},
            picodollars = picodollars + ${money(difference.cost)},
            unpriced = unpriced + ${whole(bill.unpriced)},
            reserved_tokens = reserved_tokens - ${whole(reserved.tokens)},
            reserved_picodollars = reserved_picodollars - ${money(reserved.cost)}
          WHERE ${isAccount(account)} AND window_index = ${whole(indexOf(window))}`))
      },
      spent: (account) =>
        Effect.map(ask(look(account)), ([found]) => {
          const amount = (name: string) => BigInt(found?.[name] ?? 0)
          return BudgetLedger.spentOf({
            tokens: amount("tokens"),
            cost: amount("picodollars"),
            unpriced: Number(amount("unpriced"))
          }, { tokens: amount("reserved_tokens"), cost: amount("reserved_picodollars") })
        })
    }, options)
  })
