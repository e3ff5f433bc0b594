import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Concurrency from "./adaptiveConcurrency.js"
import type * as RateLimitStore from "./RateLimitStore.js"
import * as TokenBuckets from "./tokenBuckets.js"

/** The settings of a queue. Times are in milliseconds. */
export interface Settings {
  readonly limits: RateLimitStore.Limits
  readonly concurrency: Concurrency.Settings
  /** The most requests that may wait. */
  readonly maxQueue: number
  readonly maxWait: number
  /** The wait that is worth a step of priority. */
  readonly aging: number
  readonly maxPause: number
}

/** A request that waits. */
export interface Waiter {
  /** The lowest goes first; among equals, the first to come. */
  readonly rank: number
  readonly order: number
  readonly cost: RateLimitStore.Amounts
  readonly signal: Effect.Latch
  /** When the wait becomes pointless. */
  giveUpAt: number
}

/** A request that is to come: it waited until it was its turn. */
export interface Expected {
  readonly cost: RateLimitStore.Amounts
  /** When it is no longer expected. */
  readonly until: number
}

/** The requests of a key that are under way or wait, in this process. Moments are elapsed milliseconds. */
export interface Queue {
  readonly key: string
  /** Its name among the queues of this process. */
  readonly id: string
  readonly store: RateLimitStore.Service
  readonly settings: Settings
  readonly waiters: Array<Waiter>
  arrivals: number
  running: number
  concurrency: Concurrency.State
  /** The number of 429s during the last pause, and the number of pauses since the last answer. */
  throttled: number
  strikes: number
  pausedUntil: number
  /** After a pause, the next request may go at `next`, and the others each a `gap` later. */
  next: number
  gap: number
  spreadUntil: number
  usedAt: number
  /** The buckets as far as this process knows them: as the store stated them, and as they were changed since. */
  view: View | undefined
  /** Whether the store keeps a place in line for it. */
  isInLine: boolean
  /** The requests that are to come, in order. */
  expected: ReadonlyArray<Expected>
  /** Ends when something has changed. There is a new one then: one that waits again waits for the next change. */
  change: Deferred.Deferred<void>
}

/** The buckets as the store stated them at a moment. */
interface View {
  readonly state: RateLimitStore.State
  readonly seenAt: number
}

let made = 0

/** Makes an empty queue. */
export const make = (key: string, settings: Settings, store: RateLimitStore.Service): Queue => ({
  key,
  id: `${++made}`,
  store,
  settings,
  waiters: [],
  arrivals: 0,
  running: 0,
  concurrency: Concurrency.initial(settings.concurrency),
  throttled: 0,
  strikes: 0,
  pausedUntil: -Infinity,
  next: 0,
  gap: 0,
  spreadUntil: -Infinity,
  usedAt: -Infinity,
  view: undefined,
  isInLine: false,
  expected: [],
  change: Deferred.unsafeMake(FiberId.none)
})

/** Whether no request is under way or waits. */
export const isEmpty = ({ running, waiters }: Queue): boolean => running === 0 && waiters.length === 0

const isBefore = (one: Waiter, other: Waiter): boolean =>
  one.rank < other.rank || (one.rank === other.rank && one.order < other.order)

/** Puts a waiter in its place, and returns the cost until it is let through: its own and that of all before it. */
export const join = ({ waiters }: Queue, waiter: Waiter): RateLimitStore.Amounts => {
  const sum = { ...waiter.cost }
  let index = 0
  for (const other of waiters) {
    if (isBefore(waiter, other)) break
    sum.requests += other.cost.requests
    sum.tokens += other.cost.tokens
    sum.inputTokens += other.cost.inputTokens
    sum.outputTokens += other.cost.outputTokens
    index++
  }
  waiters.splice(index, 0, waiter)
  return sum
}

/** Lets the first in the queue try again. */
export const wakeFirst = (queue: Queue): void => {
  queue.waiters[0]?.signal.unsafeOpen()
  changed(queue)
}

const changed = (queue: Queue): void => {
  const { change } = queue
  queue.change = Deferred.unsafeMake(FiberId.none)
  Deferred.unsafeDone(change, Effect.void)
}

/** One of those that are to come has come. Which one does not matter. */
export const arrived = (queue: Queue): void => {
  if (queue.expected.length === 0) return
  queue.expected = queue.expected.slice(1)
  changed(queue)
}

/** Takes a waiter out of the queue. */
export const leave = (queue: Queue, waiter: Waiter): void => {
  const index = queue.waiters.indexOf(waiter)
  if (index >= 0) queue.waiters.splice(index, 1)
  // Nothing changes for the first where another one leaves: it would ask the store in vain.
  if (index <= 0) wakeFirst(queue)
  else changed(queue)
}

/** Whether there is room under the limit of concurrency, beside so many others. */
export const hasRoom = (queue: Queue, others = 0): boolean =>
  queue.running + others < Math.floor(queue.concurrency.limit)

/** How long the next request is held back after a pause: whole milliseconds, as timers have it. */
export const heldBack = (queue: Queue, now: number): number =>
  now < queue.spreadUntil ? Math.max(0, Math.ceil(queue.next - now)) : 0

/** How long it takes, at most, until so much has been let through, as far as this process knows. */
export const foresee = (queue: Queue, amounts: RateLimitStore.Amounts, now: number): number =>
  queue.view === undefined
    ? 0
    : TokenBuckets.foresee(
      queue.settings.limits,
      { ...queue.view.state, at: 0 },
      amounts,
      Math.max(0, now - queue.view.seenAt)
    )

/** Changes the view as the store changes the buckets. */
export const change = (queue: Queue, now: number, by: (state: RateLimitStore.State) => RateLimitStore.State): void => {
  if (queue.view === undefined) return
  const { seenAt, state } = queue.view
  queue.view = { state: by({ ...state, at: seenAt }), seenAt: now }
}

/** Lets nobody wait in vain for the end of a pause. */
export const dismiss = (queue: Queue): void => {
  // One that is woken may leave at once.
  for (const waiter of Array.from(queue.waiters)) {
    if (waiter.giveUpAt < queue.pausedUntil) waiter.signal.unsafeOpen()
  }
}

/**
 * How long it takes until a request would get a permit at once, as far as this process knows: milliseconds, or `Infinity`
 * where that depends on other requests.
 */
export const untilTurn = (queue: Queue, cost: RateLimitStore.Amounts, now: number): number => {
  const { expected, settings: { limits }, view } = queue
  // One that has not come for so long will not come: it shared the run of another one, or a policy refused it.
  const lapse = (expected[0]?.until ?? Infinity) - now
  if (queue.waiters.length > 0) return Infinity
  if (!hasRoom(queue, expected.length)) return lapse
  const paused = Math.max(heldBack(queue, now), queue.pausedUntil - now)
  if (paused > 0) return paused
  // The first request asks the store.
  if (view === undefined) return expected.length === 0 ? 0 : lapse
  const elapsed = Math.max(0, now - view.seenAt)
  const ahead = expected.reduce((sum, other) => TokenBuckets.plus(sum, other.cost), TokenBuckets.nothing)
  const outcome = TokenBuckets.reserve(limits, { ...view.state, at: 0 }, cost, elapsed, ahead)
  return outcome._tag === "Reserved" ? 0 : Math.min(outcome.wait, lapse)
}

/** The rest of the limits of a minute, as far as this process knows: no amounts before the store has answered. */
export const left = ({ settings: { limits }, view }: Queue, now: number): ReturnType<typeof TokenBuckets.fill> =>
  view === undefined ? {} : TokenBuckets.fill(limits, { ...view.state, at: 0 }, Math.max(0, now - view.seenAt))
