import * as TokenBuckets from "../../policy/rateLimit/tokenBuckets.js"
import type {
  Amounts,
  Dimension,
  Limits,
  Reservation,
  Settlement,
  State,
  Told
} from "../../policy/rateLimit/tokenBuckets.js"

/*
 * A process that borrows takes a share of the limits ahead, lets requests through from it without asking, and gives back
 * what it did not use when the share lapses. Nothing is let through that was not taken from the buckets before.
 *
 * Those who borrow use later what they took earlier, while the buckets refill. So that in any time `t` still no more is
 * let through than `burst + t / 1 minute` times the limit, the buckets that lend hold less than those that do not, by
 * what refills while a loan is out (`Terms.limits`). For at a moment, all loans that are out were taken within that time,
 * and together with what is in the buckets they are at most what was in these before it, and what has refilled since.
 *
 * Pure, and each operation is one step. Moments are milliseconds of the process's own elapsed time.
 */

/** The time for which a process may keep a loan. In milliseconds. */
export interface Settings {
  /** The time from its request. */
  readonly hold: number
  /** The longest time for giving back. */
  readonly slack: number
}

/** The conditions of loans for some limits. */
export interface Terms {
  readonly hold: number
  /** The limits of the buckets that lend. */
  readonly limits: Limits
}

/** A share that was taken in advance. */
export interface Loan {
  /** What is still there. */
  readonly held: Amounts
  readonly lapsesAt: number
  /** The place of the reservation by which it was taken. */
  readonly source: Pick<Reservation, "left" | "lowered" | "pauses" | "place">
}

/** The amounts to give back, or to charge if negative, for reservations of one place between two pauses. */
export interface Return {
  readonly amounts: Amounts
  /** The provider's statement with the least rest in comparison with the state known here, `source.left`. */
  readonly told: Told | undefined
  readonly source: Loan["source"]
}

/** The loans of a process under the limits of a key. */
export interface Book {
  /** The oldest first. */
  readonly loans: ReadonlyArray<Loan>
  readonly returns: ReadonlyArray<Return>
  /** The time of the last return. */
  readonly returnedAt: number
  /** The amounts used since a moment, and those in an equal time before. */
  readonly use: { readonly since: number; readonly now: Amounts; readonly before: Amounts }
  /** The buckets as last seen, and the time. */
  readonly seen: { readonly state: State; readonly at: number } | undefined
}

const minute = 60_000

const dimensions: ReadonlyArray<Dimension> = ["requests", "tokens", "inputTokens", "outputTokens"]

const tolerance = 1e-6

/** A shorter loan is not worth its trips: milliseconds. */
const shortestHold = 10

const { nothing } = TokenBuckets

const combine = (one: Amounts, other: Amounts, f: (a: number, b: number) => number): Amounts => ({
  requests: f(one.requests, other.requests),
  tokens: f(one.tokens, other.tokens),
  inputTokens: f(one.inputTokens, other.inputTokens),
  outputTokens: f(one.outputTokens, other.outputTokens)
})

const add = (a: number, b: number): number => a + b
const minus = (a: number, b: number): number => a - b

/** The sum of both. */
export const plus = (one: Amounts, other: Amounts): Amounts => combine(one, other, add)

const larger = (one: Amounts, other: Amounts): Amounts => combine(one, other, Math.max)

const isNothing = (amounts: Amounts): boolean => dimensions.every((dimension) => amounts[dimension] === 0)

/** Nothing was borrowed. */
export const empty: Book = {
  loans: [],
  returns: [],
  returnedAt: -Infinity,
  use: { since: -Infinity, now: nothing, before: nothing },
  seen: undefined
}

/**
 * The conditions of loans, or none if there are no loans: a place under `concurrency` belongs to one request, and if
 * little may be saved up, loans would take most of it.
 */
export const termsOf = (limits: Limits, { hold, slack }: Settings): Terms | undefined => {
  const most = Math.min(hold, limits.burst * minute / 2 - slack)
  return limits.concurrency !== undefined || most < shortestHold
    ? undefined
    : { hold: most, limits: { ...limits, burst: limits.burst - (most + slack) / minute } }
}

// ---------------------------------------------------------------------------------------------------------------------
// Borrowing
// ---------------------------------------------------------------------------------------------------------------------

const isLive = (now: number) => ({ lapsesAt }: Loan): boolean => lapsesAt > now

const heldBy = (loans: ReadonlyArray<Loan>): Amounts => loans.reduce((sum, { held }) => plus(sum, held), nothing)

const noteUse = ({ use }: Book, { hold }: Terms, cost: Amounts, now: number): Book["use"] => {
  const passed = now - use.since
  if (passed < hold) return { ...use, now: plus(use.now, cost) }
  return { since: now, now: cost, before: passed < 2 * hold ? use.now : nothing }
}

/** The likely use during a loan: as much as lately. */
const expected = ({ use }: Book, { hold }: Terms, now: number): Amounts => {
  const passed = now - use.since
  if (passed < hold) return larger(use.now, use.before)
  return passed < 2 * hold ? use.now : nothing
}

/**
 * The amount to take for a request: enough for those that wait with it and for the expected use, but beyond its own
 * cost no more than this process's share of the limits during a loan. So no process takes the share of others, however
 * much it could use, and the trips of all together have a bound that does not grow with the requests.
 */
export const sizeOf = (
  book: Book,
  terms: Terms,
  cost: Amounts,
  waiting: Amounts,
  share: number,
  now: number
): Amounts => {
  const held = heldBy(book.loans.filter(isLive(now)))
  const likely = expected(book, terms, now)
  const size: { [D in Dimension]: number } = { ...nothing }
  for (const dimension of dimensions) {
    const limit = terms.limits[dimension]
    if (limit === undefined) continue
    const rate = Math.min(limit, book.seen?.state.buckets[dimension]?.told ?? limit)
    const most = rate * terms.hold / minute * share
    const wanted = Math.min(waiting[dimension] + likely[dimension], most)
    size[dimension] = Math.max(0, Math.max(cost[dimension], Math.floor(wanted)) - held[dimension])
  }
  return size
}

/** Adds a loan that was asked for at a moment. A pause in between has ended all before it. */
export const lend = (
  book: Book,
  terms: Terms,
  reservation: Reservation,
  state: State | undefined,
  askedAt: number,
  now: number
): Book => {
  const { cost, left, lowered, pauses, place } = reservation
  const loan = { held: cost, lapsesAt: askedAt + terms.hold, source: { left, lowered, pauses, place } }
  return {
    ...see(book, state, now),
    loans: [...book.loans.filter(({ source }) => source.pauses === pauses || source.place !== place), loan]
  }
}

/** Records the state of the buckets. */
export const see = (book: Book, state: State | undefined, now: number): Book => ({
  ...book,
  seen: state && { state, at: now }
})

/** The contents of the buckets, as far as this process knows, together with its own loans. */
export const view = (book: Book, { limits }: Terms, now: number): State | undefined => {
  if (book.seen === undefined) return undefined
  const { at, state } = book.seen
  const current = TokenBuckets.advance(limits, { ...state, at: 0 }, Math.max(0, now - at))
  const held = heldBy(book.loans.filter(isLive(now)))
  const buckets: { [D in Dimension]?: TokenBuckets.Bucket } = {}
  for (const dimension of dimensions) {
    const bucket = current.buckets[dimension]
    if (bucket !== undefined) buckets[dimension] = { ...bucket, level: bucket.level + held[dimension] }
  }
  return { ...current, buckets }
}

/**
 * Takes the cost of a request from the loans, the oldest first, or nothing if they are not enough. The newest may have
 * just been lent for this request: then it also counts if it took long to arrive, and if the buckets owe a part of it,
 * there is no more to take.
 */
export const take = (
  book: Book,
  terms: Terms,
  cost: Amounts,
  now: number,
  newest?: "lent" | "owed"
): { readonly book: Book; readonly reservation: Reservation } | undefined => {
  const last = book.loans.at(-1)
  const isOpen = (loan: Loan): boolean => isLive(now)(loan) || (newest !== undefined && loan === last)
  const open = book.loans.filter(isOpen)
  const source = open.at(-1)?.source
  if (source === undefined) return undefined
  const counted = dimensions.filter((dimension) => terms.limits[dimension] !== undefined)
  const before = heldBy(open)
  if (newest !== "owed" && counted.some((dimension) => cost[dimension] > before[dimension] + tolerance)) {
    return undefined
  }

  let rest = cost
  const loans: Array<Loan> = []
  for (const loan of book.loans) {
    const part = isOpen(loan) ? combine(loan.held, rest, Math.min) : nothing
    rest = combine(rest, part, minus)
    const held = combine(loan.held, part, minus)
    // A used-up loan needs no return.
    if (!isNothing(held)) loans.push({ ...loan, held })
  }
  const taken: { [D in Dimension]: number } = { ...cost }
  const left: { [D in Dimension]?: number } = {}
  for (const dimension of counted) {
    taken[dimension] = cost[dimension] - rest[dimension]
    const level = source.left[dimension]
    if (level !== undefined) left[dimension] = level + before[dimension] - taken[dimension]
  }
  const { lowered, pauses, place } = source
  return {
    book: { ...book, loans, use: noteUse(book, terms, cost, now) },
    reservation: { cost: taken, left, lowered, pauses, ...(place !== undefined && { place }) }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Giving back
// ---------------------------------------------------------------------------------------------------------------------

/** The amount by which the provider has less than was known here. */
const lackOf = ({ source, told }: Return, dimension: Dimension): number => {
  const [left, remaining] = [source.left[dimension], told?.[dimension]?.remaining]
  return left === undefined || remaining === undefined
    ? -Infinity
    : left - remaining + (source.lowered[dimension] ?? 0)
}

/** Joins two returns: of the provider's statements, the last limit and the least rest count. */
const join = (one: Return, other: Return): Return => {
  const told: { [D in Dimension]?: Told[D] } = {}
  const left: { [D in Dimension]?: number } = {}
  const lowered: { [D in Dimension]?: number } = {}
  for (const dimension of dimensions) {
    const { source, told: stated } = lackOf(other, dimension) >= lackOf(one, dimension) ? other : one
    const limit = other.told?.[dimension]?.limit ?? one.told?.[dimension]?.limit
    const remaining = stated?.[dimension]?.remaining
    if (limit !== undefined || remaining !== undefined) told[dimension] = { limit, remaining }
    const [level, before] = [source.left[dimension], source.lowered[dimension]]
    if (level !== undefined) left[dimension] = level
    if (before !== undefined) lowered[dimension] = before
  }
  return {
    amounts: plus(one.amounts, other.amounts),
    told: Object.keys(told).length === 0 ? undefined : told,
    source: { ...one.source, left, lowered }
  }
}

const giveBack = (returns: ReadonlyArray<Return>, given: Return): ReadonlyArray<Return> => {
  const { pauses, place } = given.source
  const i = returns.findIndex(({ source }) => source.place === place && source.pauses === pauses)
  const found = returns[i]
  return found === undefined ? [...returns, given] : returns.with(i, join(found, given))
}

/** Records the end of a request. Unused amounts are given back later, and excess use is charged. */
export const settle = (book: Book, { limits }: Terms, { reservation, told, used }: Settlement): Book => {
  const { cost, left, lowered, pauses, place } = reservation
  const amounts: { [D in Dimension]: number } = { ...nothing }
  for (const dimension of dimensions) {
    if (limits[dimension] !== undefined) amounts[dimension] = cost[dimension] - (used[dimension] ?? cost[dimension])
  }
  return isNothing(amounts) && told === undefined
    ? book
    : { ...book, returns: giveBack(book.returns, { amounts, told, source: { left, lowered, pauses, place } }) }
}

/** Ends all loans at a pause: their amounts are gone, like the contents of the buckets. */
export const voided = (book: Book): Book => ({ ...book, loans: [], seen: undefined })

/** The time of the next return. */
export const dueAt = ({ loans, returnedAt, returns }: Book, { hold }: Terms): number =>
  Math.min(returns.length === 0 ? Infinity : returnedAt + hold, ...loans.map(({ lapsesAt }) => lapsesAt))

/**
 * Gives back the amounts that have lapsed by a moment, and those that requests did not use: as settlements for the
 * buckets.
 */
export const collect = (
  book: Book,
  now: number
): { readonly book: Book; readonly settlements: ReadonlyArray<Settlement> } => {
  const loans = book.loans.filter(isLive(now))
  if (loans.length === book.loans.length && book.returns.length === 0) return { book, settlements: [] }
  const returns = book.loans.reduce(
    (returns, loan) =>
      isLive(now)(loan)
        ? returns
        // The provider's statements were about requests, and a loan was not one.
        : giveBack(returns, { amounts: loan.held, told: undefined, source: { ...loan.source, left: {} } }),
    book.returns
  )
  return {
    book: { ...book, loans, returns: [], returnedAt: now },
    settlements: returns
      .filter(({ amounts, told }) => !isNothing(amounts) || told !== undefined)
      .map(({ amounts, source: { left, lowered, pauses, place }, told }) => ({
        reservation: { cost: nothing, left, lowered, pauses, ...(place !== undefined && { place }) },
        used: combine(nothing, amounts, minus),
        told
      }))
  }
}
