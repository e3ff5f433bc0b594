import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Check from "../../internal/check.js"
import type * as BudgetStore from "../../policy/budget/store.js"
import * as BudgetLedger from "../budgetLedger.js"
import * as Scripts from "./budgetScripts.js"
import { type ConnectionOptions, open } from "./connection.js"
import { keysOf } from "./keys.js"
import * as Link from "./link.js"

/**
 * Options for sharing budgets between processes.
 *
 * @since 0.1.0
 * @category models
 */
export interface BudgetOptions extends ConnectionOptions, BudgetLedger.OutageOptions {
  /**
   * The owner of the budgets: programs with the same account and server share scopes with equal names, and no others.
   */
  readonly account: string
  /** The prefix of each key. Default: "effect-llm:". */
  readonly prefix?: string | undefined
}

/** The time for which a reservation counts as under way, for `spent`: milliseconds. */
const openFor = "900000"

const text = (amount: bigint | number | undefined): string => amount === undefined ? "" : String(amount)

const pairs = (items: ReadonlyArray<unknown>): ReadonlyMap<string, string> =>
  new Map(Array.from({ length: items.length / 2 }, (_, i) => [String(items[2 * i]), String(items[2 * i + 1])]))

const spentIn = ([now, window, ...hash]: ReadonlyArray<unknown>): BudgetStore.Spent => {
  const fields = pairs(hash)
  const reserved = { tokens: 0n, cost: 0n }
  if (fields.get("window") !== window) return BudgetLedger.spentOf({ ...reserved, unpriced: 0 }, reserved)
  for (const [field, value] of fields) {
    if (!field.startsWith("o:")) continue
    const [lapses, tokens = "0", cost = "0"] = value.split(" ")
    // A lapsed reservation belongs to a killed process: it stays charged.
    if (Number(lapses) <= Number(now)) continue
    reserved.tokens += BigInt(tokens)
    reserved.cost += BigInt(cost)
  }
  return BudgetLedger.spentOf({
    tokens: BigInt(fields.get("tokens") ?? 0),
    cost: BigInt(fields.get("pico") ?? 0),
    unpriced: Number(fields.get("unpriced") ?? 0)
  }, reserved)
}

/** Makes a store that keeps its accounts in Redis. */
export const make = (options: BudgetOptions): Effect.Effect<BudgetStore.Service, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { account: owner, prefix = "effect-llm:" } = options
    if (typeof owner !== "string" || owner === "") Check.invalidOption("account", "a name", owner)
    const link = Link.make(yield* open(options))

    const keyFor = keysOf(prefix, "budget", owner)
    const keysFor = ({ key, scope, window }: BudgetLedger.AccountId): ReadonlyArray<string> => [
      keyFor(scope, text(window), key)
    ]

    return yield* BudgetLedger.make({
      takeProblem: link.takeProblem,
      reserve: (account, { estimate, id, limits, owed }) =>
        Effect.map(
          link.run(Scripts.reserve, keysFor(account), [
            text(account.window),
            id,
            text(limits.tokens),
            text(limits.cost),
            text(estimate.tokens),
            text(estimate.cost),
            openFor,
            owed?.window ?? "",
            text(owed?.tokens ?? 0),
            text(owed?.cost ?? 0),
            text(owed?.unpriced ?? 0)
          ]),
          (reply): BudgetLedger.Granted => {
            const [granted, first = "", second = "", third] = String(reply).split(" ")
            return granted === "1" ? { _tag: "Granted", window: first, epoch: second } : {
              _tag: "Short",
              unit: first === "tokens" ? "tokens" : "dollars",
              charged: BigInt(second),
              renewedIn: third === "-" ? undefined : Number(third)
            }
          }
        ),
      charge: (account, { difference, epoch, id = "", whole, window }) =>
        Effect.asVoid(link.run(Scripts.charge, keysFor(account), [
          text(account.window),
          window,
          epoch,
          id,
          text(difference.tokens),
          text(difference.cost),
          text(whole.tokens),
          text(whole.cost),
          text(whole.unpriced)
        ])),
      spent: (account) =>
        Effect.map(
          link.run(Scripts.spent, keysFor(account), [text(account.window)]),
          (reply) => spentIn(Array.isArray(reply) ? reply : [])
        )
    }, options)
  })
