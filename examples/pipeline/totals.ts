import type { Claim, Total } from "./findings.js"
import { agree, type Merged } from "./merge.js"

/** The sum of payments, in euros: exact to the cent. */
export const sum = (payments: ReadonlyArray<{ readonly amount: number }>): number =>
  payments.reduce((cents, { amount }) => cents + Math.round(amount * 100), 0) / 100

/** A total that a document states, beside what was found. */
export interface Check {
  readonly stated: Claim<Total>
  /** The sum of the payments until the day of the total. */
  readonly found: number
  readonly payments: number
  readonly agrees: boolean
}

/** Compares each total with the payments up to its day: the latest comes last. */
export const check = (totals: ReadonlyArray<Claim<Total>>, payments: ReadonlyArray<Merged>): ReadonlyArray<Check> =>
  [...totals].sort((a, b) => (a.claim.until ?? "9999").localeCompare(b.claim.until ?? "9999")).map((stated) => {
    const { amount, isExact, until } = stated.claim
    const counted = payments.filter(({ date }) => until === undefined || (date !== undefined && date <= until))
    const found = sum(counted)
    return {
      stated,
      found,
      payments: counted.length,
      agrees: agree({ amount, isExact }, { amount: found, isExact: true })
    }
  })
