import { Embedding } from "effect-llm"
import type { Claim, Payment } from "./findings.js"

/** A payment, once, with all places that state it. */
export interface Merged extends Pick<Payment, "payee" | "purpose" | "amount" | "isExact" | "date"> {
  readonly sources: ReadonlyArray<Claim<Payment>>
}

/** Texts of one payment are at least so close. Those of others are kept apart by their amounts, too. */
const leastSimilarity = 0.6

/** How far a rounded amount may be off. */
const rounding = 0.03

/** What is compared. */
export const textOf = ({ payee, purpose }: Payment): string => `${payee}: ${purpose}`

/** Whether two amounts may be the same, of which one may be rounded. */
export const agree = (
  a: { readonly amount: number; readonly isExact: boolean },
  b: { readonly amount: number; readonly isExact: boolean }
): boolean =>
  Math.abs(a.amount - b.amount) <= (a.isExact && b.isExact ? 0.005 : rounding * Math.max(a.amount, b.amount))

const mayBeSame = (a: Payment, b: Payment): boolean =>
  agree(a, b) && (a.date === undefined || b.date === undefined || a.date === b.date)

/** The claim with the most facts about a payment comes first. */
const best = (claims: ReadonlyArray<Claim<Payment>>): ReadonlyArray<Claim<Payment>> => {
  const worth = ({ claim }: Claim<Payment>) =>
    (claim.isExact ? 2 : 0) + (claim.date === undefined ? 0 : 1) + claim.confidence / 10
  return [...claims].sort((a, b) => worth(b) - worth(a))
}

/** Merges the claims that state the same payment. The vectors are those of their texts. */
export const merge = (
  claims: ReadonlyArray<Claim<Payment>>,
  vectors: ReadonlyArray<Embedding.Vector>
): ReadonlyArray<Merged> => {
  const groups: Array<Array<number>> = []
  claims.forEach(({ claim }, index) => {
    const isSame = (other: number): boolean => {
      const claimed = claims[other]?.claim
      return claimed !== undefined && mayBeSame(claim, claimed) &&
        Embedding.similarity(vectors[index] ?? [], vectors[other] ?? []) >= leastSimilarity
    }
    const found = groups.filter((group) => group.some(isSame))
    for (const group of found) groups.splice(groups.indexOf(group), 1)
    groups.push([...found.flat(), index])
  })
  return groups
    .map((group) => best(group.flatMap((index) => claims[index] ?? [])))
    .flatMap((sources) => {
      const first = sources[0]?.claim
      if (first === undefined) return []
      const { amount, isExact, payee, purpose } = first
      const date = sources.find(({ claim }) => claim.date !== undefined)?.claim.date
      return [{ payee, purpose, amount, isExact, date, sources }]
    })
    .sort((a, b) => (a.date ?? "9999").localeCompare(b.date ?? "9999") || a.payee.localeCompare(b.payee))
}

/** The passages that are the most like another one, of other documents. */
export const mostLike = <A extends { readonly document: string }>(
  passage: A,
  all: ReadonlyArray<{ readonly passage: A; readonly vector: Embedding.Vector }>,
  count: number
): ReadonlyArray<A> => {
  const own = all.find((each) => each.passage === passage)?.vector ?? []
  return all
    .filter(({ passage: { document } }) => document !== passage.document)
    .map(({ passage, vector }) => ({ passage, similarity: Embedding.similarity(own, vector) }))
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, count)
    .map(({ passage }) => passage)
}
