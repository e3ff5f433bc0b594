import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { LlmError } from "../../domain/LlmError.js"
import type * as LlmProvider from "../../LlmProvider.js"
import * as Elapsed from "../../runtime/elapsed.js"
import type { Admitting } from "../admission.js"
import * as Concurrency from "./adaptiveConcurrency.js"
import type * as RateLimitStore from "./RateLimitStore.js"

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

interface Waiter {
  /** The lowest goes first; among equals, the first to come. */
  readonly rank: number
  readonly order: number
  readonly cost: RateLimitStore.Amounts
  readonly signal: Effect.Latch
  /** When the wait becomes pointless. */
  giveUpAt: number
}

/** The requests of a key that are under way or wait, in this process. Moments are elapsed milliseconds. */
export interface Queue {
  readonly key: string
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
}

/** A request for a permit. */
export interface PermitRequest {
  readonly queue: Queue
  readonly cost: RateLimitStore.Amounts
  readonly priority: number
  readonly attempt: LlmProvider.Attempt
  /** Makes the error of a refusal. */
  readonly refuse: (refusal: Refusal) => LlmError
}

/** A permit and a reservation. */
export interface Permit {
  readonly reservation: RateLimitStore.Reservation
  /** How often the limit of concurrency had been cut before. */
  readonly cuts: number
  readonly waited: number
}

/** Why there is no permit: too many requests wait, or it would come, or has not come, before what is left has passed. */
export type Refusal =
  | { readonly _tag: "Full" }
  | { readonly _tag: "TooLate"; readonly wait: number; readonly left: number }

/** After a pause, the requests that it stopped come back within this time. */
const spread = 1_000

/** The pause after a 429 without Retry-After: it doubles until there is an answer. */
const shortestPause = 1_000
const longestPause = 60_000

/** Makes an empty queue. */
export const make = (key: string, settings: Settings, store: RateLimitStore.Service): Queue => ({
  key,
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
  usedAt: -Infinity
})

/** Whether no request is under way or waits. */
export const isEmpty = ({ running, waiters }: Queue): boolean => running === 0 && waiters.length === 0

const isBefore = (one: Waiter, other: Waiter): boolean =>
  one.rank < other.rank || (one.rank === other.rank && one.order < other.order)

/** Puts a waiter in its place, and returns the cost until it is let through: its own and that of all before it. */
const join = ({ waiters }: Queue, waiter: Waiter): RateLimitStore.Amounts => {
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

const wakeFirst = ({ waiters }: Queue): void => waiters[0]?.signal.unsafeOpen()

const leave = (queue: Queue, waiter: Waiter): void => {
  const index = queue.waiters.indexOf(waiter)
  if (index >= 0) queue.waiters.splice(index, 1)
  wakeFirst(queue)
}

const hasRoom = (queue: Queue): boolean => queue.running < Math.floor(queue.concurrency.limit)

/** How long the next request is held back after a pause: whole milliseconds, as timers have it. */
const heldBack = (queue: Queue, now: number): number =>
  now < queue.spreadUntil ? Math.max(0, Math.ceil(queue.next - now)) : 0

const permit = (queue: Queue, reservation: RateLimitStore.Reservation, waited: number): Permit => ({
  reservation,
  cuts: queue.concurrency.cuts,
  waited
})

/**
 * Takes a place under the limit of concurrency, and then a reservation: at once where no request waits and both are
 * there. A waiting request holds nothing. The first in the queue tries again when it is time, or when something has
 * changed; all others sleep.
 *
 * To be run uninterruptibly: `restore` allows interruption where it waits.
 */
export const take = (request: PermitRequest, restore: Admitting["restore"]): Effect.Effect<Permit, LlmError> =>
  Effect.clockWith((clock) => {
    const { cost, queue } = request
    const order = queue.arrivals++
    if (queue.waiters.length > 0 || !hasRoom(queue) || heldBack(queue, Elapsed.unsafeNow(clock)) > 0) {
      return wait(request, restore, clock, order)
    }
    return reserve(queue, cost, undefined, (outcome) =>
      outcome._tag === "Reserved"
        ? Effect.succeed(permit(queue, outcome.reservation, 0))
        : wait(request, restore, clock, order))
  })

/** Concurrency comes first: a request without room reserves nothing. The room is given back if nothing was reserved. */
const reserve = <A, E>(
  queue: Queue,
  cost: RateLimitStore.Amounts,
  waiter: Waiter | undefined,
  then: (outcome: RateLimitStore.Outcome) => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  queue.running++
  const back = () => {
    queue.running--
    // While the store was busy, another waiter may have come to the front and found no room.
    if (queue.waiters[0] !== waiter) wakeFirst(queue)
  }
  return Effect.matchCauseEffect(queue.store.reserve(queue.key, queue.settings.limits, cost), {
    onFailure: (cause) => {
      back()
      return Effect.failCause(cause)
    },
    onSuccess: (outcome) => {
      if (outcome._tag === "Refused") back()
      else queue.next += queue.gap
      return then(outcome)
    }
  })
}

const wait = (
  { attempt, cost, priority, queue, refuse }: PermitRequest,
  restore: Admitting["restore"],
  clock: Clock.Clock,
  order: number
): Effect.Effect<Permit, LlmError> => {
  const { aging, limits, maxQueue, maxWait } = queue.settings
  if (queue.waiters.length >= maxQueue) return Effect.fail(refuse({ _tag: "Full" }))
  const came = Elapsed.unsafeNow(clock)
  const waiter: Waiter = {
    rank: Number.isFinite(aging) ? came - priority * aging : -priority,
    order,
    cost,
    signal: Effect.unsafeMakeLatch(false),
    giveUpAt: Infinity
  }
  // It joins before anything else can happen: no request that comes later overtakes it.
  const amounts = join(queue, waiter)

  const tooLate = (wait: number): Effect.Effect<never, LlmError> =>
    Effect.fail(refuse({ _tag: "TooLate", wait, left: waiter.giveUpAt - came }))

  const inTime = Effect.flatMap(attempt.untilDeadline, (untilDeadline) => {
    const left = Math.min(Duration.toMillis(untilDeadline), maxWait)
    if (left === Infinity) return Effect.void
    waiter.giveUpAt = came + left
    return Effect.flatMap(queue.store.foresee(queue.key, limits, amounts), (expected) => {
      const wait = Duration.toMillis(expected)
      return wait > left ? tooLate(wait) : Effect.void
    })
  })

  const sleep = (millis: number) => restore(Effect.raceFirst(waiter.signal.await, Effect.sleep(millis)))

  const turn: Effect.Effect<Permit, LlmError> = Effect.suspend(() => {
    const now = Elapsed.unsafeNow(clock)
    const left = waiter.giveUpAt - now
    if (queue.pausedUntil > waiter.giveUpAt) return tooLate(queue.pausedUntil - came)
    waiter.signal.unsafeClose()
    if (queue.waiters[0] !== waiter || !hasRoom(queue)) {
      if (left <= 0) return tooLate(now - came)
      // The call's deadline ends it from outside.
      return Effect.zipRight(maxWait === Infinity ? restore(waiter.signal.await) : sleep(left), turn)
    }
    const hold = heldBack(queue, now)
    if (hold > 0) return hold > left ? tooLate(now + hold - came) : Effect.zipRight(sleep(hold), turn)
    return reserve(queue, cost, waiter, (outcome) => {
      if (outcome._tag === "Reserved") {
        return Effect.succeed(permit(queue, outcome.reservation, Elapsed.unsafeNow(clock) - came))
      }
      const wait = Duration.toMillis(outcome.wait)
      return now + wait > waiter.giveUpAt ? tooLate(now + wait - came) : Effect.zipRight(sleep(wait), turn)
    })
  })

  return Effect.ensuring(
    Effect.zipRight(inTime, attempt.queued(turn)),
    Effect.sync(() => leave(queue, waiter))
  )
}

/** Gives a permit back: frees its place and settles its reservation. The first in the queue tries again. */
export const release = (
  queue: Queue,
  { reservation }: Permit,
  settlement: Omit<RateLimitStore.Settlement, "reservation">
): Effect.Effect<void> => {
  queue.running--
  return Effect.map(
    queue.store.settle(queue.key, queue.settings.limits, { ...settlement, reservation }),
    () => wakeFirst(queue)
  )
}

/** Records an answer: there may be one more request at a time. To be called before the permit is released. */
export const succeeded = (queue: Queue): void => {
  queue.strikes = 0
  queue.concurrency = Concurrency.grow(queue.settings.concurrency, queue.concurrency, queue.running)
}

/** Records that the provider is overloaded: there may be fewer requests at a time. */
export const overloaded = (queue: Queue, { cuts }: Permit): void => {
  queue.concurrency = Concurrency.cut(queue.settings.concurrency, queue.concurrency, cuts)
}

/**
 * Lets no request through until the provider wants to be asked again. The requests that it stops come back spread out;
 * those that cannot wait for so long fail at once.
 */
export const pause = (
  queue: Queue,
  retryAfter: Duration.Duration | undefined
): Effect.Effect<void> =>
  Effect.flatMap(Effect.zip(Random.next, Elapsed.now), ([random, now]) => {
    // Requests that began together are refused together: one strike.
    if (now >= queue.pausedUntil) {
      queue.throttled = 0
      queue.strikes++
    }
    queue.throttled++
    const asked = retryAfter === undefined
      ? Math.min(longestPause, shortestPause * 2 ** (queue.strikes - 1))
      : Duration.toMillis(retryAfter)
    const millis = Math.min(asked, queue.settings.maxPause)
    queue.pausedUntil = Math.max(queue.pausedUntil, now + millis)
    queue.gap = spread / (queue.throttled + queue.waiters.length)
    queue.next = queue.pausedUntil + random * queue.gap
    queue.spreadUntil = queue.pausedUntil + spread
    for (const waiter of queue.waiters) {
      if (waiter.giveUpAt < queue.pausedUntil) waiter.signal.unsafeOpen()
    }
    return queue.store.pause(queue.key, queue.settings.limits, Duration.millis(millis))
  })
