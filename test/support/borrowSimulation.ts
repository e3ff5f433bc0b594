/**
 * Processes that share one limit over one server, in virtual time: with and without borrowing. The buckets, the line and the
 * loans are those of the library; the network and the server's pace are given. Nothing is random but the arrivals, which
 * a seed decides.
 */
import * as SharedLine from "../../src/policy/rateLimit/sharedLine.js"
import * as TokenBuckets from "../../src/policy/rateLimit/tokenBuckets.js"
import * as Loans from "../../src/stores/borrowing/loans.js"

/** What is simulated. Times are in milliseconds, rates in requests a second. */
export interface Scenario {
  readonly processes: number
  /** What each process asks for. */
  readonly demand: (process: number) => number
  readonly limit: number
  /** What may be saved up, of which nothing is there at first. */
  readonly burst: number
  /** How long a loan is out. Undefined: nothing is borrowed. */
  readonly hold: number | undefined
  /** How long requests come. */
  readonly duration: number
  /** From then on shares and trips are counted. */
  readonly from: number
  /** One way. */
  readonly network: number
  /** How long the server works on a script, and for each place in line that it looks at. */
  readonly work: number
  readonly workInLine: number
  readonly seed: number
}

/** What came of it. */
export interface Result {
  /** Requests let through a second. */
  readonly served: number
  /** Trips to the server a second. */
  readonly trips: number
  /** The part of the time in which the server works. */
  readonly load: number
  /** How long requests waited, of those let through: milliseconds. */
  readonly wait: { readonly median: number; readonly p99: number; readonly longest: number }
  /** Jain's index of what processes got, each beside its fair part: 1 where all have the same. */
  readonly fairness: number
  /** The least that was left of the limit at any time: less than nothing is over. */
  readonly leastLeft: number
}

const cost = { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0 }

/** As the time that a trip takes at most. */
const slack = 250

/** When a call has ended: without borrowing, its settlement is a trip. */
const callTime = 500

/** Numbers from 0 to 1 (mulberry32). */
const randomFrom = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What happens, in the order of time. */
class Agenda {
  now = 0
  private count = 0
  private readonly heap: Array<{ readonly at: number; readonly order: number; readonly run: () => void }> = []

  readonly at = (moment: number, run: () => void): void => {
    const { heap } = this
    const entry = { at: moment, order: this.count++, run }
    let i = heap.length
    heap.push(entry)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.isBefore(entry, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = entry
  }

  readonly runUntil = (end: number): void => {
    for (;;) {
      const first = this.heap[0]
      if (first === undefined || first.at > end) return
      this.removeFirst()
      this.now = first.at
      first.run()
    }
  }

  private isBefore(one: { at: number; order: number }, other: { at: number; order: number }): boolean {
    return one.at < other.at || (one.at === other.at && one.order < other.order)
  }

  private removeFirst(): void {
    const { heap } = this
    const last = heap.pop()!
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!this.isBefore(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
  }
}

/** What each gets if nobody can have more without another having less, who has no more than it. */
const fairParts = (demands: ReadonlyArray<number>, limit: number): ReadonlyArray<number> => {
  const order = demands.map((demand, i) => ({ demand, i })).sort((a, b) => a.demand - b.demand)
  const parts: Array<number> = []
  let left = limit
  order.forEach(({ demand, i }, place) => {
    const part = Math.min(demand, left / (order.length - place))
    parts[i] = part
    left -= part
  })
  return parts
}

const jain = (values: ReadonlyArray<number>): number => {
  const sum = values.reduce((total, value) => total + value, 0)
  const squares = values.reduce((total, value) => total + value * value, 0)
  return squares === 0 ? 1 : sum * sum / (values.length * squares)
}

const quantile = (sorted: ReadonlyArray<number>, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0

/** Runs a scenario. */
export const simulate = (scenario: Scenario): Result => {
  const { burst, demand, duration, from, hold, limit, network, processes, seed, work, workInLine } = scenario
  const limits: TokenBuckets.Limits = { requests: limit * 60, burst: burst / 60_000 }
  const terms = hold === undefined ? undefined : Loans.termsOf(limits, { hold, slack })
  const lent = terms?.limits ?? limits
  const agenda = new Agenda()
  const random = randomFrom(seed)

  // The server: one script after the other.
  let state = TokenBuckets.pause(lent, TokenBuckets.initial(0), 0, 0)
  let line = SharedLine.empty
  let freeAt = 0
  let trips = 0
  let busy = 0
  const visit = (script: (now: number) => number, reply?: () => void): void => {
    agenda.at(agenda.now + network, () => {
      const start = Math.max(agenda.now, freeAt)
      // In turn, and each when it begins.
      freeAt = start + work
      agenda.at(start, () => {
        const looked = Math.min(script(start), SharedLine.maxAhead)
        freeAt += looked * workInLine
        if (start >= from) {
          trips++
          busy += work + looked * workInLine
        }
        if (reply !== undefined) agenda.at(freeAt + network, reply)
      })
    })
  }
  const ask = (process: number, amount: number, onReply: (outcome: SharedLine.Outcome) => void): void => {
    let outcome: SharedLine.Outcome
    visit((now) => {
      const looked = line.tickets.length
      outcome = SharedLine.reserve(
        lent,
        state,
        line,
        { cost: { ...cost, requests: amount }, queue: `${process}`, permit: "", lapsesAt: Infinity },
        now
      )
      state = outcome.state
      line = outcome.line
      return looked
    }, () => onReply(outcome))
  }
  const settle = (settlement: TokenBuckets.Settlement): void =>
    visit((now) => {
      state = TokenBuckets.settle(lent, state, settlement, now)
      return 0
    })

  // The limit as a whole, beside which everything that is let through is held.
  const full = limit * burst / 1_000
  let left = 0
  let leftAt = 0
  let leastLeft = 0
  const served: Array<number> = Array.from({ length: processes }, () => 0)
  const waits: Array<number> = []
  const letThrough = (process: number, cameAt: number): void => {
    left = Math.min(full, left + (agenda.now - leftAt) / 1_000 * limit) - 1
    leftAt = agenda.now
    leastLeft = Math.min(leastLeft, left)
    if (agenda.now < from) return
    served[process]!++
    waits.push(agenda.now - cameAt)
  }

  const start = (process: number): void => {
    /** The moments when those came that wait; those before `first` have gone. */
    const queue: Array<number> = []
    let first = 0
    let book = Loans.empty
    let isAsking = false
    let restsUntil = 0
    let isWatching = false

    const waiting = () => queue.length - first
    const next = (): number => {
      const cameAt = queue[first++]!
      if (first > 1_000 && first * 2 > queue.length) {
        queue.splice(0, first)
        first = 0
      }
      return cameAt
    }

    const giveBack = (): void => {
      const collected = Loans.collect(book, agenda.now)
      book = collected.book
      collected.settlements.forEach(settle)
    }
    const watch = (terms: Loans.Terms): void => {
      const due = Loans.dueAt(book, terms)
      if (isWatching || due === Infinity) return
      isWatching = true
      agenda.at(Math.max(agenda.now, due), () => {
        isWatching = false
        if (Loans.dueAt(book, terms) <= agenda.now) giveBack()
        watch(terms)
      })
    }

    const rest = (millis: number): void => {
      restsUntil = agenda.now + millis
      agenda.at(restsUntil, turn)
    }

    const takeHeld = (terms: Loans.Terms, newest?: "lent"): boolean => {
      const taken = Loans.take(book, terms, cost, agenda.now, newest)
      if (taken === undefined) return false
      book = taken.book
      letThrough(process, next())
      return true
    }

    const turn = (): void => {
      if (terms !== undefined) { while (!isAsking && waiting() > 0 && takeHeld(terms)) { /* the next */ } }
      if (isAsking || waiting() === 0 || agenda.now < restsUntil) return
      isAsking = true
      if (terms === undefined) {
        const cameAt = next()
        return ask(process, 1, (outcome) => {
          isAsking = false
          if (outcome._tag === "Reserved") {
            letThrough(process, cameAt)
            const { reservation } = outcome
            agenda.at(agenda.now + callTime, () => settle({ reservation, used: {}, told: undefined }))
            return turn()
          }
          queue[--first] = cameAt
          rest(outcome.askAgainIn)
        })
      }
      const askedAt = agenda.now
      const sum = { ...cost, requests: waiting() }
      const size = Loans.sizeOf(book, terms, cost, sum, 1 / processes, askedAt)
      ask(process, size.requests, (outcome) => {
        isAsking = false
        if (outcome._tag === "Refused") {
          book = Loans.see(book, outcome.state, agenda.now)
          return rest(outcome.askAgainIn)
        }
        book = Loans.lend(book, terms, outcome.reservation, outcome.state, askedAt, agenda.now)
        takeHeld(terms, "lent")
        watch(terms)
        turn()
      })
    }

    const rate = demand(process) / 1_000
    const arrive = (): void => {
      queue.push(agenda.now)
      turn()
      come()
    }
    const come = (): void => {
      const at = agenda.now - Math.log(1 - random()) / rate
      if (at < duration) agenda.at(at, arrive)
    }
    come()
  }

  for (let process = 0; process < processes; process++) start(process)
  agenda.runUntil(duration)
  const seconds = (duration - from) / 1_000
  const demands = Array.from({ length: processes }, (_, process) => demand(process))
  const parts = fairParts(demands, limit)
  waits.sort((a, b) => a - b)
  return {
    served: waits.length / seconds,
    trips: trips / seconds,
    load: busy / (duration - from),
    wait: { median: quantile(waits, 0.5), p99: quantile(waits, 0.99), longest: waits.at(-1) ?? 0 },
    fairness: jain(served.map((count, process) => count / parts[process]!)),
    leastLeft
  }
}
