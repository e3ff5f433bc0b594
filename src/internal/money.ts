/**
 * US dollars without the rounding errors that accumulate in binary fractions: whole picodollars, which are exact for any
 * price with up to six decimals a million tokens.
 */
export type Picodollars = bigint

const perDollar = 1e12

/** Below this, a number of dollars times 10^12 is off by less than half a picodollar. */
const exactBelow = 1_000

/** Converts a finite, non-negative number of dollars to picodollars. */
export const fromDollars = (dollars: number): Picodollars => {
  if (dollars < exactBelow) return BigInt(Math.round(dollars * perDollar))
  // By its decimal form: 123456.789 means exactly that.
  const [whole = "", fraction = ""] = String(dollars).split(".")
  return BigInt(whole + fraction.slice(0, 12).padEnd(12, "0"))
}

/** Converts to the nearest number of dollars, which prints as the exact amount does, to 15 digits. */
export const toDollars = (amount: Picodollars): number => {
  const whole = Number(amount)
  return Number.isSafeInteger(whole) ? whole / perDollar : Number(decimal(amount))
}

const decimal = (amount: Picodollars): string => {
  const digits = String(amount).padStart(13, "0")
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`
}

/** Whether a number is a valid amount: not NaN, infinite or negative. */
export const isAmount = (dollars: number | undefined): dollars is number =>
  dollars !== undefined && dollars >= 0 && dollars < 1e15

/** The sum of two amounts in dollars; unknown if one of them is. */
export const add = (a: number | undefined, b: number | undefined): number | undefined =>
  isAmount(a) && isAmount(b) ? toDollars(fromDollars(a) + fromDollars(b)) : undefined
