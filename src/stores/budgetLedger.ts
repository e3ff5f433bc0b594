import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Check from "../internal/check.js"
import * as Money from "../internal/money.js"
import * as BudgetStore from "../policy/budget/store.js"
import type { Unavailable } from "./unavailable.js"

/** An account. Its window is in milliseconds; without one it never begins anew. */
export interface AccountId {
  readonly scope: string
  readonly key: string
  readonly window: number | undefined
}

/** Tokens and picodollars, and the number of charges without a price. */
export interface Sum {
  readonly tokens: number
  readonly cost: Money.Picodollars
  readonly unpriced: number
}

/** A charge. It corrects what was reserved by the differences, or stands alone. */
export interface Charge {
  /**
   * The window and the epoch of the reservation: in another window it is dropped, and after a loss of the account it is
   * charged whole.
   */
  readonly window: string
  readonly epoch: string
  /** The reservation that it ends. */
  readonly id: string | undefined
  readonly difference: Sum
  readonly whole: Sum
}

/** Amounts still to be charged to a window, as the server did not answer. */
export interface Owed {
  readonly window: string
  readonly tokens: number
  readonly cost: Money.Picodollars
  readonly unpriced: number
}

/** The answer to a claim. The charged amount is the reserved one, until it is settled. */
export type Granted =
  | { readonly _tag: "Granted"; readonly window: string; readonly epoch: string }
  | {
    readonly _tag: "Short"
    readonly unit: "tokens" | "dollars"
    /** The tokens or picodollars that were charged. */
    readonly charged: bigint
    /** Milliseconds. */
    readonly renewedIn: number | undefined
  }

/** The accounts on a server. Each operation is one atomic step over one account, in windows by the server's clock. */
export interface Ledger {
  readonly reserve: (account: AccountId, entry: {
    readonly id: string
    readonly limits: { readonly tokens: number | undefined; readonly cost: Money.Picodollars | undefined }
    readonly estimate: { readonly tokens: number; readonly cost: Money.Picodollars | undefined }
    /** Charged first, if it belongs to the window. */
    readonly owed: Owed | undefined
  }) => Effect.Effect<Granted, Unavailable>
  readonly charge: (account: AccountId, charge: Charge) => Effect.Effect<void, Unavailable>
  readonly spent: (account: AccountId) => Effect.Effect<BudgetStore.Spent, Unavailable>
  /** The failure that has not been reported yet, once. */
  readonly takeProblem: () => string | undefined
}

/**
 * The conduct without the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface OutageOptions {
  /**
   * The conduct while the server does not answer. `"closed"`: requests fail with `BudgetExceeded`, and nothing is
   * spent. `"local"`: the process may spend its `localShare` of each budget. `"open"`: all requests pass. In both cases
   * the server learns the amounts spent with the first request that it answers again. Default: "closed".
   */
  readonly onUnavailable?: "local" | "closed" | "open" | undefined
  /**
   * The share of each budget that this process may spend while the server does not answer: more than 0 and at most 1.
   * Default: a tenth.
   */
  readonly localShare?: number | undefined
}

/** Beyond it, a sum of picodollars may not fit into 64 bits: some four million dollars. */
const largest = 2n ** 62n

const picodollars = (dollars: number | undefined): Money.Picodollars | undefined => {
  if (!Money.isAmount(dollars)) return undefined
  const amount = Money.fromDollars(dollars)
  return amount < largest ? amount : largest
}

const nothing: BudgetStore.Amount = { tokens: 0, cost: 0 }
const nothingSpent: BudgetStore.Spent = { tokens: 0, cost: 0, reserved: { tokens: 0, cost: 0 } }

/** The accounts that are remembered for `spent` while the server does not answer. */
const maxSeen = 1_000

const scaled = (claim: BudgetStore.Claim, share: number): BudgetStore.Claim => {
  const { dollars, tokens } = claim.limits
  return {
    ...claim,
    limits: {
      ...claim.limits,
      ...(tokens !== undefined && { tokens: Math.floor(tokens * share) }),
      ...(dollars !== undefined && { dollars: dollars * share })
    }
  }
}

/** The bill, where the estimate stands for an unknown amount. */
const sumOf = ({ cost, tokens }: BudgetStore.Amount, { estimate }: BudgetStore.Claim): Sum => {
  const known = picodollars(cost) ?? picodollars(estimate.cost)
  return { tokens: Math.ceil(tokens ?? estimate.tokens), cost: known ?? 0n, unpriced: known === undefined ? 1 : 0 }
}

/** Makes a store of budgets over a ledger. */
export const make = (
  ledger: Ledger,
  { localShare = 0.1, onUnavailable = "closed" }: OutageOptions
): Effect.Effect<BudgetStore.Service> =>
  Effect.gen(function*() {
    if (!(localShare > 0 && localShare <= 1)) {
      Check.invalidOption("localShare", "more than 0 and at most 1", localShare)
    }
    if (!["local", "closed", "open"].includes(onUnavailable)) {
      Check.invalidOption("onUnavailable", "local, closed or open", onUnavailable)
    }
    const local = yield* BudgetStore.makeMemory
    const windows = new Map<string, number | undefined>()
    const owed = new Map<string, Owed>()
    const seen = new Map<string, BudgetStore.Spent>()
    const me = crypto.randomUUID()
    let reservations = 0

    const accountOf = (scope: string, key: string): AccountId => ({ scope, key, window: windows.get(scope) })
    const nameOf = ({ key, scope, window }: AccountId): string => JSON.stringify([scope, window ?? null, key])

    // -----------------------------------------------------------------------------------------------------------------
    // Without the server
    // -----------------------------------------------------------------------------------------------------------------

    const owe = (account: AccountId, window: string, sum: Sum): void => {
      const name = nameOf(account)
      const found = owed.get(name)
      const known = found?.window === window ? found : { tokens: 0, cost: 0n, unpriced: 0 }
      owed.set(name, {
        window,
        tokens: known.tokens + sum.tokens,
        cost: known.cost + sum.cost,
        unpriced: known.unpriced + sum.unpriced
      })
    }

    /** The window by this process's clock, which is the server's unless the clocks differ at its edge. */
    const currentWindow = ({ window }: AccountId): Effect.Effect<string> =>
      Effect.map(Clock.currentTimeMillis, (now) => window === undefined ? "-" : String(Math.floor(now / window)))

    const free: BudgetStore.Reservation = { charge: () => Effect.void, settle: () => Effect.void }

    /** Reserves in this process alone. The server learns the spent amounts later. */
    const reserveLocally = (
      claim: BudgetStore.Claim,
      { problem }: Unavailable
    ): Effect.Effect<BudgetStore.Reservation, BudgetStore.Refusal> => {
      const untold = ledger.takeProblem()
      if (onUnavailable === "closed") {
        return Effect.fail({ _tag: "Unavailable", claim, problem, isReported: untold === undefined })
      }
      const account = accountOf(claim.scope, claim.key)
      const reserved = onUnavailable === "open" ? Effect.succeed(free) : local.reserve([scaled(claim, localShare)])
      return Effect.zipWith(reserved, currentWindow(account), (reservation, window): BudgetStore.Reservation => {
        const add = (billed: BudgetStore.Amount) => Effect.sync(() => owe(account, window, sumOf(billed, claim)))
        return {
          problem: untold,
          charge: (billed) => Effect.zipRight(reservation.charge(billed), add(billed)),
          settle: (billed) => Effect.zipRight(reservation.settle(billed), add(billed))
        }
      })
    }

    // -----------------------------------------------------------------------------------------------------------------
    // With the server
    // -----------------------------------------------------------------------------------------------------------------

    const reservationOf = (
      claim: BudgetStore.Claim,
      account: AccountId,
      { epoch, window }: Extract<Granted, { readonly _tag: "Granted" }>,
      id: string
    ): BudgetStore.Reservation => {
      const charge = (whole: Sum, difference: Sum, ended: string | undefined) =>
        Effect.catchAll(ledger.charge(account, { window, epoch, id: ended, whole, difference }), ({ wasSent }) =>
          // A settlement that was sent may have been done, so it is not sent again: then the estimate stays charged.
          Effect.sync(() => {
            if (!wasSent) owe(account, window, difference)
          }))
      const reserved = sumOf({}, claim)
      return {
        problem: ledger.takeProblem(),
        charge: (billed) =>
          Effect.suspend(() => {
            const whole = sumOf(billed, claim)
            return charge(whole, whole, undefined)
          }),
        settle: (billed) =>
          Effect.suspend(() => {
            const whole = sumOf(billed, claim)
            const { cost, tokens, unpriced } = whole
            return charge(whole, { tokens: tokens - reserved.tokens, cost: cost - reserved.cost, unpriced }, id)
          })
      }
    }

    const refusalOf = (
      claim: BudgetStore.Claim,
      { charged, renewedIn, unit }: Extract<Granted, { readonly _tag: "Short" }>
    ): BudgetStore.Refusal => {
      const { dollars = 0, tokens = 0 } = claim.limits
      const left = unit === "tokens" ? BigInt(tokens) - charged : Money.fromDollars(dollars) - charged
      const atLeastNothing = left > 0n ? left : 0n
      return {
        _tag: "TooLittleLeft",
        claim,
        unit,
        limit: unit === "tokens" ? tokens : dollars,
        left: unit === "tokens" ? Number(atLeastNothing) : Money.toDollars(atLeastNothing),
        ...(renewedIn !== undefined && { renewedIn: Duration.millis(renewedIn) })
      }
    }

    const reserveOne = (claim: BudgetStore.Claim): Effect.Effect<BudgetStore.Reservation, BudgetStore.Refusal> =>
      Effect.suspend(() => {
        const { dollars, onUnknownPrice = "refuse", tokens } = claim.limits
        const cost = picodollars(claim.estimate.cost)
        if (dollars !== undefined && cost === undefined && onUnknownPrice === "refuse") {
          return Effect.fail<BudgetStore.Refusal>({ _tag: "NoPrice", claim })
        }
        const account = accountOf(claim.scope, claim.key)
        const name = nameOf(account)
        const unpaid = owed.get(name)
        owed.delete(name)
        const id = `${me}:${reservations++}`
        const asked = ledger.reserve(account, {
          id,
          limits: { tokens, cost: dollars === undefined ? undefined : Money.fromDollars(dollars) },
          estimate: { tokens: Math.ceil(claim.estimate.tokens), cost },
          owed: unpaid
        })
        return Effect.matchEffect(asked, {
          onFailure: (failure) => {
            if (unpaid !== undefined) {
              owe(account, unpaid.window, unpaid)
            }
            return reserveLocally(claim, failure)
          },
          onSuccess: (granted) =>
            granted._tag === "Granted"
              ? Effect.succeed(reservationOf(claim, account, granted, id))
              : Effect.fail(refusalOf(claim, granted))
        })
      })

    const all = (reservations: ReadonlyArray<BudgetStore.Reservation>): BudgetStore.Reservation => {
      let settled = false
      return {
        problem: reservations.find(({ problem }) => problem !== undefined)?.problem,
        charge: (billed) => Effect.forEach(reservations, ({ charge }) => charge(billed), { discard: true }),
        settle: (billed) =>
          Effect.suspend(() => {
            if (settled) return Effect.void
            settled = true
            return Effect.forEach(reservations, ({ settle }) => settle(billed), { discard: true })
          })
      }
    }

    return {
      open: (scope, window) =>
        Effect.suspend(() => {
          const millis = window === undefined ? undefined : Duration.toMillis(window)
          if (windows.has(scope) && windows.get(scope) !== millis) {
            Check.invalidOption("window", `the same for all limits of the scope ${scope}`, millis ?? "none")
          }
          windows.set(scope, millis)
          return local.open(scope, window)
        }),
      reserve: (claims) =>
        Effect.suspend(() => {
          const reserved: Array<BudgetStore.Reservation> = []
          return Effect.forEach(
            claims,
            (claim) => Effect.map(reserveOne(claim), (reservation) => void reserved.push(reservation)),
            { discard: true }
          ).pipe(
            // One after the other, as accounts may be on several servers. A refusal gives back the amounts that others
            // granted.
            Effect.tapErrorCause(() => all(reserved).settle(nothing)),
            Effect.map(() => all(reserved))
          )
        }),
      spent: (scope, key = "") =>
        Effect.suspend(() => {
          const account = accountOf(scope, key)
          const name = nameOf(account)
          return Effect.match(ledger.spent(account), {
            onFailure: ({ problem }) => ({ ...seen.get(name) ?? nothingSpent, problem }),
            onSuccess: (spent) => {
              seen.delete(name)
              const [oldest] = seen.keys()
              if (seen.size >= maxSeen && oldest !== undefined) seen.delete(oldest)
              seen.set(name, spent)
              return spent
            }
          })
        })
    }
  })

/** The amount spent. The reserved part of it was charged in advance. */
export const spentOf = (
  charged: { readonly tokens: bigint; readonly cost: Money.Picodollars; readonly unpriced: number },
  reserved: { readonly tokens: bigint; readonly cost: Money.Picodollars }
): BudgetStore.Spent => ({
  tokens: Number(charged.tokens - reserved.tokens),
  ...(charged.unpriced === 0 && { cost: Money.toDollars(charged.cost - reserved.cost) }),
  reserved: { tokens: Number(reserved.tokens), cost: Money.toDollars(reserved.cost) }
})
