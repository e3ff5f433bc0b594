import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as RateLimitStore from "../../policy/rateLimit/RateLimitStore.js"
import { nothing } from "../../policy/rateLimit/tokenBuckets.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as Loans from "./loans.js"

/** How a process borrows. */
export interface Settings extends Loans.Settings {
  /** This process's share of the limits: more than 0 and at most 1. */
  readonly share: () => number
}

type Amounts = RateLimitStore.Amounts
type Outcome = RateLimitStore.Outcome
type Reserved = Extract<Outcome, { readonly _tag: "Reserved" }>
type Refused = Extract<Outcome, { readonly _tag: "Refused" }>

/** The loans of a key, and the trips under way. */
interface Entry {
  readonly key: string
  book: Loans.Book
  terms: Loans.Terms
  /**
   * Opens when the trip under way is over: there is one at a time, and requests that come in the meantime share the
   * next.
   */
  trip: Effect.Latch | undefined
  waiting: Amounts
  /** The last refusal, for requests of at least that cost, until it is worth asking again. */
  refusal:
    | { readonly outcome: Refused; readonly cost: Amounts; readonly at: number; readonly until: number }
    | undefined
  isReturning: boolean
}

const costsAsMuch = (cost: Amounts, other: Amounts): boolean =>
  cost.requests >= other.requests && cost.tokens >= other.tokens && cost.inputTokens >= other.inputTokens &&
  cost.outputTokens >= other.outputTokens

const minus = (one: Amounts, other: Amounts): Amounts => ({
  requests: one.requests - other.requests,
  tokens: one.tokens - other.tokens,
  inputTokens: one.inputTokens - other.inputTokens,
  outputTokens: one.outputTokens - other.outputTokens
})

const remaining = (duration: Duration.Duration, passed: number): Duration.Duration =>
  Duration.millis(Math.max(0, Duration.toMillis(duration) - passed))

/** The rest of a refusal. */
const reminded = (
  { askAgainIn, pausedFor, wait }: Refused,
  state: RateLimitStore.State | undefined,
  passed: number
): Refused => ({
  _tag: "Refused",
  wait: remaining(wait, passed),
  askAgainIn: askAgainIn && remaining(askAgainIn, passed),
  pausedFor: pausedFor && remaining(pausedFor, passed),
  state
})

/** Whether an entry holds no more than a new one would. */
const isIdle = ({ book, refusal, terms, trip }: Entry, now: number): boolean =>
  trip === undefined && book.loans.length === 0 && book.returns.length === 0 &&
  book.use.since + 2 * terms.hold < now && (refusal === undefined || refusal.until < now)

/**
 * A store that borrows from another: the trips to it have a bound that does not grow with the requests. Idle amounts
 * are given back when a loan lapses, and all of them when the scope is closed.
 */
export const make = (
  lender: RateLimitStore.Service,
  settings: Settings
): Effect.Effect<RateLimitStore.Service, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const entries = new Map<string, Entry>()

    /** Each new key checks two entries, so that their number falls as fast as it rose. */
    const forgetIdle = (now: number): void => {
      for (let i = 0; i < 2; i++) {
        const [oldest] = entries.values()
        if (oldest === undefined) return
        entries.delete(oldest.key)
        if (!isIdle(oldest, now)) entries.set(oldest.key, oldest)
      }
    }

    const entryOf = (key: string, terms: Loans.Terms, now: number): Entry => {
      const found = entries.get(key)
      if (found !== undefined) {
        found.terms = terms
        return found
      }
      forgetIdle(now)
      const made: Entry = {
        key,
        book: Loans.empty,
        terms,
        trip: undefined,
        waiting: nothing,
        refusal: undefined,
        isReturning: false
      }
      entries.set(key, made)
      return made
    }

    /** Gives back the amounts that have lapsed by a moment, and those that requests did not use. */
    const giveBack = (entry: Entry, moment: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        const { book, settlements } = Loans.collect(entry.book, moment)
        entry.book = book
        return Effect.forEach(
          settlements,
          (settlement) => lender.settle(entry.key, entry.terms.limits, settlement),
          { discard: true }
        )
      })

    /** Sleeps until an amount is due, and gives it back, until the key has no loans left. */
    const returning = (entry: Entry): Effect.Effect<void> =>
      Effect.flatMap(Elapsed.now, (now) => {
        const due = Loans.dueAt(entry.book, entry.terms)
        if (due === Infinity) {
          entry.isReturning = false
          return Effect.void
        }
        const rest = due > now
          ? Effect.interruptible(Effect.sleep(Duration.millis(due - now)))
          : giveBack(entry, now)
        return Effect.zipRight(rest, returning(entry))
      })

    const watch = (entry: Entry): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (entry.isReturning || Loans.dueAt(entry.book, entry.terms) === Infinity) return Effect.void
        entry.isReturning = true
        return Effect.asVoid(Effect.forkIn(Effect.uninterruptible(returning(entry)), scope))
      })

    /** From the loans alone. */
    const takeHeld = (entry: Entry, cost: Amounts, now: number, newest?: "lent" | "owed"): Reserved | undefined => {
      const taken = Loans.take(entry.book, entry.terms, cost, now, newest)
      if (taken === undefined) return undefined
      entry.book = taken.book
      return {
        _tag: "Reserved",
        reservation: taken.reservation,
        state: Loans.view(taken.book, entry.terms, now)
      }
    }

    /** Asks the lender, for this request and those that wait for its answer. */
    const borrow = (entry: Entry, cost: Amounts, queue: string | undefined): Effect.Effect<Outcome> =>
      Effect.flatMap(
        Effect.zipRight(Effect.flatMap(Elapsed.now, (now) => giveBack(entry, now)), Elapsed.now),
        (askedAt) => {
          const { terms } = entry
          const size = Loans.sizeOf(
            entry.book,
            terms,
            cost,
            Loans.plus(cost, entry.waiting),
            settings.share(),
            askedAt
          )
          return Effect.flatMap(
            Effect.zip(lender.reserve(entry.key, terms.limits, size, queue), Elapsed.now),
            ([outcome, now]): Effect.Effect<Outcome> => {
              if (outcome._tag === "Unavailable") return Effect.succeed(outcome)
              if (outcome._tag === "Refused") {
                const isPaused = outcome.pausedFor !== undefined && Duration.toMillis(outcome.pausedFor) > 0
                entry.book = Loans.see(isPaused ? Loans.voided(entry.book) : entry.book, outcome.state, now)
                const until = now + Duration.toMillis(outcome.askAgainIn ?? outcome.wait)
                entry.refusal = { outcome, cost, at: now, until }
                return Effect.succeed(outcome)
              }
              entry.refusal = undefined
              const { problem, reservation, state } = outcome
              entry.book = Loans.lend(entry.book, terms, reservation, state, askedAt, now)
              const taken = takeHeld(entry, cost, now, costsAsMuch(reservation.cost, size) ? "lent" : "owed")
              // Earlier loans may have lapsed during the trip.
              const granted = taken === undefined ? borrow(entry, cost, queue) : Effect.succeed(taken)
              return Effect.zipRight(
                watch(entry),
                problem === undefined ? granted : Effect.map(granted, (outcome) => ({ ...outcome, problem }))
              )
            }
          )
        }
      )

    const trip = (entry: Entry, cost: Amounts, queue: string | undefined): Effect.Effect<Outcome> =>
      Effect.suspend(() => {
        const over = Effect.unsafeMakeLatch(false)
        entry.trip = over
        return Effect.ensuring(
          borrow(entry, cost, queue),
          Effect.suspend(() => {
            entry.trip = undefined
            return over.open
          })
        )
      })

    const reserve = (
      key: string,
      terms: Loans.Terms,
      cost: Amounts,
      queue: string | undefined
    ): Effect.Effect<Outcome> =>
      Effect.flatMap(Elapsed.now, (now) => {
        const entry = entryOf(key, terms, now)
        const { refusal, trip: underWay } = entry
        if (underWay !== undefined) {
          entry.waiting = Loans.plus(entry.waiting, cost)
          return underWay.await.pipe(
            Effect.ensuring(Effect.sync(() => {
              entry.waiting = minus(entry.waiting, cost)
            })),
            Effect.zipRight(reserve(key, terms, cost, queue))
          )
        }
        const held = takeHeld(entry, cost, now)
        if (held !== undefined) return Effect.succeed(held)
        if (refusal !== undefined && now < refusal.until && costsAsMuch(cost, refusal.cost)) {
          const state = Loans.view(entry.book, terms, now)
          return Effect.succeed(reminded(refusal.outcome, state, now - refusal.at))
        }
        return trip(entry, cost, queue)
      })

    yield* Effect.addFinalizer(() =>
      Effect.forEach(entries.values(), (entry) => giveBack(entry, Infinity), { discard: true })
    )

    return {
      reserve: (key, limits, cost, queue) =>
        Effect.suspend(() => {
          const terms = Loans.termsOf(limits, settings)
          return terms === undefined ? lender.reserve(key, limits, cost, queue) : reserve(key, terms, cost, queue)
        }),
      leave: (key, queue) =>
        Effect.suspend(() => {
          const entry = entries.get(key)
          if (entry !== undefined) entry.refusal = undefined
          return lender.leave(key, queue)
        }),
      settle: (key, limits, settlement) =>
        Effect.flatMap(Elapsed.now, (now) => {
          const terms = Loans.termsOf(limits, settings)
          if (terms === undefined) return lender.settle(key, limits, settlement)
          const entry = entryOf(key, terms, now)
          entry.book = Loans.settle(entry.book, terms, settlement)
          // The first one after a pause goes at once; those that follow soon go together.
          return Loans.dueAt(entry.book, terms) <= now ? giveBack(entry, now) : watch(entry)
        }),
      pause: (key, limits, duration) =>
        Effect.suspend(() => {
          const terms = Loans.termsOf(limits, settings)
          if (terms === undefined) return lender.pause(key, limits, duration)
          const entry = entries.get(key)
          if (entry !== undefined) entry.book = Loans.voided(entry.book)
          return lender.pause(key, terms.limits, duration)
        })
    }
  })
