import * as TokenBuckets from "./tokenBuckets.js"
import type { Amounts, Limits, Reservation, State } from "./tokenBuckets.js"

/** A place in line: the first request of a queue was refused, and later ones leave its cost to it. */
export interface Ticket {
  /** The name of the queue. */
  readonly queue: string
  readonly cost: Amounts
  /** The end of the place, unless the queue asks again before. In milliseconds of the store's own time. */
  readonly lapsesAt: number
}

/** The queues that wait for the limits of a key, the oldest first, and the requests under way by name. */
export interface Line {
  readonly tickets: ReadonlyArray<Ticket>
  /** When the permits of requests lapse, in milliseconds of the store's own time. */
  readonly permits: ReadonlyMap<string, number>
}

/** A request for a reservation. */
export interface Ask {
  readonly cost: Amounts
  /** The queue that the request is the first of. Without one, a refusal leaves no ticket. */
  readonly queue: string | undefined
  /** The name of its permit, and the moment when it lapses unless it is renewed. */
  readonly permit: string
  readonly lapsesAt: number
}

/**
 * The answer. The wait of a refused request that may go as soon as another one ends is unknown: it has to ask again.
 */
export type Outcome =
  | { readonly _tag: "Reserved"; readonly state: State; readonly line: Line; readonly reservation: Reservation }
  | {
    readonly _tag: "Refused"
    readonly state: State
    readonly line: Line
    readonly wait: number
    readonly askAgainIn: number
  }

/** The longest time until a queue asks again, as others may have given back what it waits for: milliseconds. */
export const longestRest = 1_000

/** A queue that does not ask again in time loses its place this much later. */
export const grace = 2_000

/** The least time for each place, so that a long line does not ask all the time. */
export const placeRest = 0.2

/** While a permit is awaited, the first in line asks again after this time, and each other one this much later. */
export const permitRest = 20
export const longestPermitRest = 250

/**
 * Only this number of tickets is checked: a request behind them is refused, and asks again at the time of its turn, if
 * the requests in between need as much as these.
 */
export const maxAhead = 16

/** An empty line, with nothing under way. */
export const empty: Line = { tickets: [], permits: new Map() }

/** Without what has lapsed. */
const current = ({ permits, tickets }: Line, now: number): Line => ({
  tickets: tickets.length === 0 ? tickets : tickets.filter(({ lapsesAt }) => lapsesAt > now),
  permits: permits.size === 0 ? permits : new Map([...permits].filter(([, lapsesAt]) => lapsesAt > now))
})

/** Takes a permit and the cost of a request, both or nothing, if no earlier request then lacks them. */
export const reserve = (limits: Limits, state: State, before: Line, ask: Ask, now: number): Outcome => {
  const { permits, tickets } = current(before, now)
  const { cost, permit, queue } = ask
  const place = tickets.findIndex((ticket) => ticket.queue === queue)
  const rank = place < 0 ? tickets.length : place
  const others = tickets.slice(0, Math.min(rank, maxAhead))
  const ahead = others.reduce((sum, ticket) => TokenBuckets.plus(sum, ticket.cost), TokenBuckets.nothing)
  const outcome = TokenBuckets.reserve(limits, state, cost, now, ahead)
  const { concurrency } = limits
  const isBehind = rank > maxAhead
  const isCrowded = concurrency !== undefined && permits.size + rank >= concurrency

  if (outcome._tag === "Reserved" && !isBehind && !isCrowded) {
    return {
      ...outcome,
      reservation: concurrency === undefined ? outcome.reservation : { ...outcome.reservation, permit },
      line: {
        tickets: place < 0 ? tickets : tickets.toSpliced(place, 1),
        permits: concurrency === undefined ? permits : new Map([...permits, [permit, ask.lapsesAt]])
      }
    }
  }

  const wait = outcome._tag === "Refused" ? outcome.wait : 0
  const askAgainIn = Math.min(
    longestRest,
    Math.max(
      wait,
      isBehind ? Math.max(rank * placeRest, wait * (rank + 1) / (maxAhead + 1)) : 0,
      isCrowded ? Math.min(longestPermitRest, permitRest * (rank + 1)) : 0
    )
  )
  const waiting = queue === undefined
    ? tickets
    : tickets.toSpliced(rank, place < 0 ? 0 : 1, { queue, cost, lapsesAt: now + askAgainIn + grace })
  return {
    _tag: "Refused",
    // A refusal takes nothing.
    state: outcome._tag === "Refused" ? outcome.state : TokenBuckets.advance(limits, state, now),
    line: { tickets: waiting, permits },
    wait,
    askAgainIn
  }
}

/** Frees a permit. */
export const release = (line: Line, permit: string | undefined): Line => {
  if (permit === undefined || !line.permits.has(permit)) return line
  const permits = new Map(line.permits)
  permits.delete(permit)
  return { ...line, permits }
}

/** Takes a queue out of the line. */
export const leave = (line: Line, queue: string): Line => ({
  ...line,
  tickets: line.tickets.filter((ticket) => ticket.queue !== queue)
})
