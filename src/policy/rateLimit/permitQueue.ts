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

interface Waiter {
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
  /** Wakes the requests that wait for a change. */
  readonly changes: Effect.Latch
}

/** The buckets as the store stated them at a moment. */
interface View {
  readonly state: RateLimitStore.State
  readonly seenAt: number
}

/** A request for a permit. */
export interface PermitRequest {
  readonly queue: Queue
  readonly cost: RateLimitStore.Amounts
  readonly priority: number
  readonly attempt: LlmProvider.Attempt
  /** Reports that the store's server does not answer. */
  readonly reportProblem: (problem: string) => Effect.Effect<void>
  /** Reports that it has to wait, behind so many others of this process. */
  readonly reportWait: (ahead: number) => Effect.Effect<void>
  /** Makes the error of a refusal. */
  readonly refuse: (refusal: Refusal) => LlmError
}

/** A permit and a reservation. */
export interface Permit {
  readonly reservation: RateLimitStore.Reservation
  /** How often the limit of concurrency had been cut before. */
  readonly cuts: number
  /** The milliseconds in the queue. Absent: it did not have to wait. */
  readonly waited: number | undefined
}

/**
 * The reason why there is no permit: too many requests wait, it does not come within the remaining time, or the store
 * does not count.
 */
export type Refusal =
  | { readonly _tag: "Full" }
  | { readonly _tag: "Unavailable"; readonly problem: string }
  | { readonly _tag: "TooLate"; readonly wait: number; readonly left: number }

/** After a pause, the requests that it stopped come back within this time. */
const spread = 1_000

/** The pause after a 429 without Retry-After: it doubles until there is an answer. */
const shortestPause = 1_000
const longestPause = 60_000

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
  changes: Effect.unsafeMakeLatch(false)
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

const wakeFirst = (queue: Queue): void => {
  queue.waiters[0]?.signal.unsafeOpen()
  changed(queue)
}

const changed = ({ changes }: Queue): void => {
  changes.unsafeOpen()
  changes.unsafeClose()
}

/** One of those that are to come has come. Which one does not matter. */
const arrived = (queue: Queue): void => {
  if (queue.expected.length === 0) return
  queue.expected = queue.expected.slice(1)
  changed(queue)
}

const leave = (queue: Queue, waiter: Waiter): void => {
  const index = queue.waiters.indexOf(waiter)
  if (index >= 0) queue.waiters.splice(index, 1)
  wakeFirst(queue)
}

const hasRoom = (queue: Queue, others = 0): boolean => queue.running + others < Math.floor(queue.concurrency.limit)

/** How long the next request is held back after a pause: whole milliseconds, as timers have it. */
const heldBack = (queue: Queue, now: number): number =>
  now < queue.spreadUntil ? Math.max(0, Math.ceil(queue.next - now)) : 0

const permit = (queue: Queue, reservation: RateLimitStore.Reservation, waited: number | undefined): Permit => ({
  reservation,
  cuts: queue.concurrency.cuts,
  waited
})

/** How long it takes, at most, until so much has been let through, as far as this process knows. */
const foresee = (queue: Queue, amounts: RateLimitStore.Amounts, now: number): number =>
  queue.view === undefined
    ? 0
    : TokenBuckets.foresee(
      queue.settings.limits,
      { ...queue.view.state, at: 0 },
      amounts,
      Math.max(0, now - queue.view.seenAt)
    )

/** Changes the view as the store changes the buckets. */
const change = (queue: Queue, now: number, by: (state: RateLimitStore.State) => RateLimitStore.State): void => {
  if (queue.view === undefined) return
  const { seenAt, state } = queue.view
  queue.view = { state: by({ ...state, at: seenAt }), seenAt: now }
}

/** Lets nobody wait in vain for the end of a pause. */
const dismiss = (queue: Queue): void => {
  for (const waiter of queue.waiters) {
    if (waiter.giveUpAt < queue.pausedUntil) waiter.signal.unsafeOpen()
  }
}

type Reserved = Extract<RateLimitStore.Outcome, { readonly _tag: "Reserved" }>
type Refused = Extract<RateLimitStore.Outcome, { readonly _tag: "Refused" }>

/**
 * Takes a place under the limit of concurrency, and then a reservation: at once where no request waits and both are
 * there. A waiting request holds nothing. The first in the queue tries again when it is time, or when something has
 * changed; all others sleep.
 *
 * To be run uninterruptibly: `restore` allows interruption where it waits.
 */
export const take = (request: PermitRequest, restore: Admitting["restore"]): Effect.Effect<Permit, LlmError> =>
  Effect.clockWith((clock) => {
    const { queue } = request
    const order = queue.arrivals++
    if (queue.waiters.length > 0 || !hasRoom(queue) || heldBack(queue, Elapsed.unsafeNow(clock)) > 0) {
      arrived(queue)
      return wait(request, restore, clock, order, undefined)
    }
    return reserve(request, undefined, clock, {
      onReserved: ({ reservation }) => {
        arrived(queue)
        return Effect.succeed(permit(queue, reservation, undefined))
      },
      onRefused: (refused) => {
        arrived(queue)
        return wait(request, restore, clock, order, refused)
      }
    })
  })

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

/** Concurrency comes first: a request without room reserves nothing. The room is given back if nothing was reserved. */
const reserve = (
  { cost, queue, refuse, reportProblem }: PermitRequest,
  waiter: Waiter | undefined,
  clock: Clock.Clock,
  then: {
    readonly onReserved: (outcome: Reserved) => Effect.Effect<Permit, LlmError>
    readonly onRefused: (outcome: Refused) => Effect.Effect<Permit, LlmError>
  }
): Effect.Effect<Permit, LlmError> => {
  queue.running++
  const back = () => {
    queue.running--
    // While the store was busy, another waiter may have come to the front and found no room.
    if (queue.waiters[0] !== waiter) wakeFirst(queue)
  }
  const decide = (outcome: RateLimitStore.Outcome): Effect.Effect<Permit, LlmError> => {
    if (outcome._tag === "Unavailable") {
      back()
      return Effect.fail(refuse({ _tag: "Unavailable", problem: outcome.problem }))
    }
    const now = Elapsed.unsafeNow(clock)
    queue.view = outcome.state && { state: outcome.state, seenAt: now }
    queue.isInLine = outcome._tag === "Refused"
    if (outcome._tag === "Reserved") {
      queue.next += queue.gap
      return then.onReserved(outcome)
    }
    back()
    const pausedFor = outcome.pausedFor === undefined ? 0 : Duration.toMillis(outcome.pausedFor)
    if (pausedFor > 0 && now + pausedFor > queue.pausedUntil) {
      queue.pausedUntil = now + pausedFor
      dismiss(queue)
    }
    return then.onRefused(outcome)
  }
  return Effect.matchCauseEffect(queue.store.reserve(queue.key, queue.settings.limits, cost, queue.id), {
    onFailure: (cause) => {
      back()
      return Effect.failCause(cause)
    },
    onSuccess: (outcome) =>
      outcome.problem === undefined
        ? decide(outcome)
        : Effect.zipRight(reportProblem(outcome.problem), Effect.suspend(() => decide(outcome)))
  })
}

const wait = (
  request: PermitRequest,
  restore: Admitting["restore"],
  clock: Clock.Clock,
  order: number,
  refused: Refused | undefined
): Effect.Effect<Permit, LlmError> => {
  const { attempt, cost, priority, queue, refuse, reportWait } = request
  const { aging, maxQueue, maxWait } = queue.settings
  if (queue.waiters.length >= maxQueue) return Effect.zipRight(quit(queue), Effect.fail(refuse({ _tag: "Full" })))
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
    const expected = foresee(queue, amounts, Elapsed.unsafeNow(clock))
    return expected > left ? tooLate(expected) : Effect.void
  })

  let isReported = false
  /** Reports the wait before the first time that it waits: in most cases the turn has not come meanwhile. */
  const waitFor = (signal: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (isReported) return restore(signal)
      isReported = true
      return restore(Effect.zipRight(reportWait(queue.waiters.indexOf(waiter)), signal))
    })

  const sleep = (millis: number) => waitFor(Effect.raceFirst(waiter.signal.await, Effect.sleep(millis)))

  const turn: Effect.Effect<Permit, LlmError> = Effect.suspend(() => {
    const now = Elapsed.unsafeNow(clock)
    const left = waiter.giveUpAt - now
    if (queue.pausedUntil > waiter.giveUpAt) return tooLate(queue.pausedUntil - came)
    waiter.signal.unsafeClose()
    if (queue.waiters[0] !== waiter || !hasRoom(queue)) {
      if (left <= 0) return tooLate(now - came)
      // The call's deadline ends it from outside.
      return Effect.zipRight(maxWait === Infinity ? waitFor(waiter.signal.await) : sleep(left), turn)
    }
    const hold = heldBack(queue, now)
    if (hold > 0) return hold > left ? tooLate(now + hold - came) : Effect.zipRight(sleep(hold), turn)
    return reserve(request, waiter, clock, {
      onReserved: ({ reservation }) =>
        Effect.succeed(permit(queue, reservation, isReported ? Elapsed.unsafeNow(clock) - came : undefined)),
      onRefused: (outcome) => rest(outcome, now)
    })
  })

  /** Sleeps until it is worth asking again. */
  const rest = ({ askAgainIn, wait }: Refused, now: number): Effect.Effect<Permit, LlmError> => {
    const millis = Duration.toMillis(wait)
    const left = waiter.giveUpAt - now
    // Where it is not known how long it takes, it may take all the time that is left.
    if (millis > left || left <= 0) return tooLate(now + millis - came)
    return Effect.zipRight(
      sleep(Math.min(left, askAgainIn === undefined ? millis : Duration.toMillis(askAgainIn))),
      turn
    )
  }

  // One that was refused already need not ask at once.
  const first = refused === undefined
    ? turn
    : Effect.suspend(() => queue.waiters[0] === waiter ? rest(refused, came) : turn)

  return Effect.onExit(
    Effect.zipRight(inTime, attempt.queued(first)),
    () => {
      leave(queue, waiter)
      return quit(queue)
    }
  )
}

/** Gives up the place in line, if no request waits any more. */
const quit = (queue: Queue): Effect.Effect<void> => {
  if (!queue.isInLine || queue.waiters.length > 0) return Effect.void
  queue.isInLine = false
  return queue.store.leave(queue.key, queue.id)
}

/** Gives a permit back: frees its place and settles its reservation. The first in the queue tries again. */
export const release = (
  queue: Queue,
  { reservation }: Permit,
  settlement: Omit<RateLimitStore.Settlement, "reservation">
): Effect.Effect<void> =>
  Effect.flatMap(Elapsed.now, (now) => {
    const { limits } = queue.settings
    const settled = { ...settlement, reservation }
    queue.running--
    change(queue, now, (state) => TokenBuckets.settle(limits, state, settled, now))
    return Effect.map(queue.store.settle(queue.key, limits, settled), () => wakeFirst(queue))
  })

/** The rest of the limits of a minute, as far as this process knows: nothing is known before the store has answered. */
export const left = ({ settings: { limits }, view }: Queue, now: number): ReturnType<typeof TokenBuckets.fill> =>
  view === undefined ? {} : TokenBuckets.fill(limits, { ...view.state, at: 0 }, Math.max(0, now - view.seenAt))

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
      ? Math.min(longestPause, shortestPause * 2 ** Math.max(0, queue.strikes - 1))
      : Duration.toMillis(retryAfter)
    const millis = Math.min(asked, queue.settings.maxPause)
    queue.pausedUntil = Math.max(queue.pausedUntil, now + millis)
    queue.gap = spread / (queue.throttled + queue.waiters.length)
    queue.next = queue.pausedUntil + random * queue.gap
    queue.spreadUntil = queue.pausedUntil + spread
    dismiss(queue)
    const { limits } = queue.settings
    change(queue, now, (state) => TokenBuckets.pause(limits, state, millis, now))
    return queue.store.pause(queue.key, limits, Duration.millis(millis))
  })
