import type * as Money from "../../internal/money.js"

/** Tokens and money. An unknown amount is `undefined`. */
export interface Amount {
  readonly tokens: number | undefined
  readonly cost: Money.Picodollars | undefined
}

/** The estimate of a request. There may be no price for it. */
export interface Estimate {
  readonly tokens: number
  readonly cost: Money.Picodollars | undefined
}

/** The amounts that may be spent; `undefined` is without limit. */
export interface Limits {
  readonly tokens: number | undefined
  readonly cost: Money.Picodollars | undefined
}

/** The amounts spent, and reserved for the requests under way. */
export interface Account {
  tokens: number
  cost: Money.Picodollars
  /** The number of charges without a price. */
  unpriced: number
  reservedTokens: number
  reservedCost: Money.Picodollars
}

/** Opens an account. */
export const make = (): Account => ({ tokens: 0, cost: 0n, unpriced: 0, reservedTokens: 0, reservedCost: 0n })

/** An account and the limits that hold for it. */
export interface Limited {
  readonly account: Account
  readonly limits: Limits
}

/** The unit that an account lacks. `left` is never below zero. */
export type Shortage =
  | { readonly unit: "tokens"; readonly limit: number; readonly left: number; readonly needed: number }
  | {
    readonly unit: "dollars"
    readonly limit: Money.Picodollars
    readonly left: Money.Picodollars
    /** Unknown without a price. */
    readonly needed: Money.Picodollars | undefined
  }

const atLeastNothing = (amount: Money.Picodollars): Money.Picodollars => amount > 0n ? amount : 0n

/** The shortage for a request, if there is one. A request without a price passes as long as any money is left. */
export const shortage = ({ account, limits }: Limited, needed: Estimate): Shortage | undefined => {
  if (limits.tokens !== undefined) {
    const left = limits.tokens - account.tokens - account.reservedTokens
    if (needed.tokens > left) {
      return { unit: "tokens", limit: limits.tokens, left: Math.max(0, left), needed: needed.tokens }
    }
  }
  if (limits.cost !== undefined) {
    const left = limits.cost - account.cost - account.reservedCost
    if (needed.cost === undefined ? left <= 0n : needed.cost > left) {
      return { unit: "dollars", limit: limits.cost, left: atLeastNothing(left), needed: needed.cost }
    }
  }
  return undefined
}

/** The amount that is neither spent nor reserved; `undefined` is without limit. */
export const left = ({ account, limits }: Limited): Amount => ({
  tokens: limits.tokens && Math.max(0, limits.tokens - account.tokens - account.reservedTokens),
  cost: limits.cost && atLeastNothing(limits.cost - account.cost - account.reservedCost)
})

/** Reserves the estimate of a request. */
export const reserve = (account: Account, needed: Estimate): void => {
  account.reservedTokens += needed.tokens
  account.reservedCost += needed.cost ?? 0n
}

/** Gives back a reservation. */
export const release = (account: Account, reserved: Estimate): void => {
  account.reservedTokens -= reserved.tokens
  account.reservedCost -= reserved.cost ?? 0n
}

/** Charges a bill, even beyond the limit. The estimate stands for an unknown amount. */
export const charge = (account: Account, amount: Amount, estimate: Estimate): void => {
  const cost = amount.cost ?? estimate.cost
  account.tokens += amount.tokens ?? estimate.tokens
  account.cost += cost ?? 0n
  if (cost === undefined) account.unpriced++
}
