import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Check from "../../internal/check.js"
import * as Money from "../../internal/money.js"
import * as Account from "./account.js"

/**
 * Tokens and money. An unknown amount is absent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Amount {
  /** Input and output. */
  readonly tokens?: number | undefined
  /** In US dollars. */
  readonly cost?: number | undefined
}

/**
 * How much may be spent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Tokens, input and output together. Default: no limit. */
  readonly tokens?: number | undefined
  /** Money, in US dollars. It needs prices: `Pricing`. Default: no limit. */
  readonly dollars?: number | undefined
  /**
   * Whether a request to a model without a known price is refused if money is limited, or passes as long as any money
   * is left. Default: "refuse", as an unknown price is not 0.
   */
  readonly onUnknownPrice?: "refuse" | "allow" | undefined
}

/**
 * The estimate of a request, to be reserved in one account.
 *
 * @since 0.1.0
 * @category models
 */
export interface Claim {
  readonly scope: string
  /** The account in the scope. */
  readonly key: string
  readonly limits: Limits
  readonly estimate: { readonly tokens: number; readonly cost?: number | undefined }
}

/**
 * A reservation for a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reservation {
  /** Charges the bill, and gives the rest back. The estimate stands for an unknown amount. Only once. */
  readonly settle: (billed: Amount) => Effect.Effect<void>
  /** Charges a bill beyond the reservation. */
  readonly charge: (billed: Amount) => Effect.Effect<void>
  /** A failure of the store's server that has not been reported yet: one line, without secrets. */
  readonly problem?: string | undefined
  /**
   * The amount that each account has left of what is limited, in the order of the claims: neither spent nor reserved.
   * Default: the store does not know it without asking.
   */
  readonly left?: Effect.Effect<ReadonlyArray<Amount>> | undefined
}

/**
 * The reason why nothing was reserved.
 *
 * @since 0.1.0
 * @category models
 */
export type Refusal =
  | {
    readonly _tag: "TooLittleLeft"
    readonly claim: Claim
    readonly unit: "tokens" | "dollars"
    readonly limit: number
    /** The amount that is neither spent nor reserved. */
    readonly left: number
    /** When the account begins anew. */
    readonly renewedIn?: Duration.Duration | undefined
  }
  | { readonly _tag: "NoPrice"; readonly claim: Claim }
  | {
    /** The store's server does not answer, and without it nothing may be spent. */
    readonly _tag: "Unavailable"
    readonly claim: Claim
    readonly problem: string
    /** Whether the problem has been reported already. Default: false. */
    readonly isReported?: boolean | undefined
  }

/**
 * The amount spent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spent {
  /** Input and output. Where a provider did not report them, as many as had been reserved. */
  readonly tokens: number
  /** In US dollars. Absent where a charge had no price. */
  readonly cost?: number | undefined
  /** The amount that the requests under way may add. */
  readonly reserved: { readonly tokens: number; readonly cost: number }
  /** The reason why the amounts are old or absent: the store's server does not answer. */
  readonly problem?: string | undefined
}

/**
 * Keeps the accounts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Opens a scope whose accounts begin anew with each window of time, or never. */
  readonly open: (scope: string, window?: Duration.Duration) => Effect.Effect<void>
  /** Reserves in all accounts or in none. */
  readonly reserve: (claims: ReadonlyArray<Claim>) => Effect.Effect<Reservation, Refusal>
  /** The amount spent in the current window by one key of a scope. */
  readonly spent: (scope: string, key?: string) => Effect.Effect<Spent>
}

const dollars = (cost: number | undefined): Money.Picodollars | undefined =>
  Money.isAmount(cost) ? Money.fromDollars(cost) : undefined

/** An account, and the claim on it. */
export interface Place {
  readonly claim: Claim
  readonly account: Account.Account
  /** When the account begins anew. */
  readonly renewedIn?: Duration.Duration | undefined
}

const refusal = ({ account, claim, renewedIn }: Place, estimate: Account.Estimate): Refusal | undefined => {
  const { dollars: limit, onUnknownPrice = "refuse", tokens } = claim.limits
  if (limit !== undefined && estimate.cost === undefined && onUnknownPrice === "refuse") {
    return { _tag: "NoPrice", claim }
  }
  const missing = Account.shortage({ account, limits: { tokens, cost: dollars(limit) } }, estimate)
  return missing && {
    _tag: "TooLittleLeft",
    claim,
    unit: missing.unit,
    ...(missing.unit === "tokens"
      ? { limit: missing.limit, left: missing.left }
      : { limit: Money.toDollars(missing.limit), left: Money.toDollars(missing.left) }),
    renewedIn
  }
}

const leftOf = ({ account, claim: { limits } }: Place): Amount => {
  const left = Account.left({ account, limits: { tokens: limits.tokens, cost: dollars(limits.dollars) } })
  return { tokens: left.tokens, cost: left.cost === undefined ? undefined : Money.toDollars(left.cost) }
}

/** Reserves in all accounts or in none, in one step. */
export const reserveAll = (places: ReadonlyArray<Place>): Effect.Effect<Reservation, Refusal> =>
  Effect.suspend(() => {
    const taken: Array<{ readonly account: Account.Account; readonly estimate: Account.Estimate }> = []
    const release = () => {
      for (const { account, estimate } of taken) Account.release(account, estimate)
    }
    for (const place of places) {
      const { account, claim } = place
      const estimate: Account.Estimate = { tokens: claim.estimate.tokens, cost: dollars(claim.estimate.cost) }
      const refused = refusal(place, estimate)
      if (refused !== undefined) {
        release()
        return Effect.fail(refused)
      }
      Account.reserve(account, estimate)
      taken.push({ account, estimate })
    }
    const charge = ({ cost, tokens }: Amount) => {
      const billed = { tokens, cost: dollars(cost) }
      for (const { account, estimate } of taken) Account.charge(account, billed, estimate)
    }
    let settled = false
    return Effect.succeed<Reservation>({
      charge: (billed) => Effect.sync(() => charge(billed)),
      settle: (billed) =>
        Effect.sync(() => {
          if (settled) return
          settled = true
          release()
          charge(billed)
        }),
      left: Effect.sync(() => places.map(leftOf))
    })
  })

/** The amount that an account has spent. */
export const spentOf = (account: Account.Account): Spent => ({
  tokens: account.tokens,
  ...(account.unpriced === 0 && { cost: Money.toDollars(account.cost) }),
  reserved: { tokens: account.reservedTokens, cost: Money.toDollars(account.reservedCost) }
})

interface Entry {
  readonly account: Account.Account
  /** In epoch milliseconds. */
  readonly ends: number
}

interface Scope {
  /** In milliseconds. */
  readonly window: number
  readonly entries: Map<string, Entry>
  /** The number of entries at which to look for those that are over. */
  tooMany: number
}

const manyEntries = 1_000

/** Makes a store that keeps its accounts in memory. */
export const makeMemory: Effect.Effect<Service> = Effect.sync(() => {
  const scopes = new Map<string, Scope>()
  let latest = 0

  /** The date, in epoch milliseconds. A clock that steps back lets no time pass. */
  const date = Effect.map(Clock.currentTimeMillis, (now) => latest = Math.max(latest, now))

  const scopeOf = (name: string): Scope => {
    const found = scopes.get(name)
    if (found !== undefined) return found
    const made: Scope = { window: Infinity, entries: new Map(), tooMany: manyEntries }
    scopes.set(name, made)
    return made
  }

  /** Windows begin at multiples of their length since 1970: a day at midnight UTC. */
  const endOf = ({ window }: Scope, now: number): number =>
    window === Infinity ? Infinity : (Math.floor(now / window) + 1) * window

  const isOver = (entry: Entry, now: number): boolean => entry.ends <= now

  /** Forgets accounts whose window is over. */
  const tidy = (scope: Scope, now: number): void => {
    if (scope.entries.size < scope.tooMany) return
    for (const [key, entry] of scope.entries) {
      if (isOver(entry, now)) scope.entries.delete(key)
    }
    scope.tooMany = Math.max(manyEntries, 2 * scope.entries.size)
  }

  const entryOf = (name: string, key: string, now: number): Entry => {
    const scope = scopeOf(name)
    const found = scope.entries.get(key)
    if (found !== undefined && !isOver(found, now)) return found
    tidy(scope, now)
    const made: Entry = { account: Account.make(), ends: endOf(scope, now) }
    scope.entries.set(key, made)
    return made
  }

  const place = (claim: Claim, now: number): Place => {
    const { account, ends } = entryOf(claim.scope, claim.key, now)
    return { claim, account, ...(ends !== Infinity && { renewedIn: Duration.millis(ends - now) }) }
  }

  return {
    open: (name, window) =>
      Effect.sync(() => {
        const millis = window === undefined ? Infinity : Duration.toMillis(window)
        const found = scopes.get(name)
        if (found !== undefined && found.window !== millis) {
          Check.invalidOption("window", `the same for all limits of the scope ${name}`, millis)
        }
        if (found === undefined) scopes.set(name, { window: millis, entries: new Map(), tooMany: manyEntries })
      }),
    reserve: (claims) => Effect.flatMap(date, (now) => reserveAll(claims.map((claim) => place(claim, now)))),
    spent: (name, key = "") =>
      Effect.map(date, (now) => {
        const entry = scopes.get(name)?.entries.get(key)
        return spentOf(entry === undefined || isOver(entry, now) ? Account.make() : entry.account)
      })
  }
})
