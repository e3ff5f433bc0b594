import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { LlmError } from "../../domain/LlmError.js"
import type * as LlmProvider from "../../LlmProvider.js"
import * as Concurrency from "./adaptiveConcurrency.js"
import type * as RateLimitStore from "./RateLimitStore.js"

/** What those share who have a key in common. Times are in milliseconds. */
export interface Settings {
  readonly limits: RateLimitStore.Limits
  readonly concurrency: Concurrency.Settings
  /** How many may wait. */
  readonly maxQueue: number
  readonly maxWait: number
  /** How much waiting is worth a step of priority. */
  readonly aging: number
}

interface Waiter {
  /** Who has less goes first; among equals, who came first. */
  readonly rank: number
  readonly order: number
  readonly cost: RateLimitStore.Amounts
  readonly signal: Effect.Latch
  /** When there is no point in waiting any longer. */
  giveUpAt: number
}

/** Those who are under way or wait, of a key, in this process. */
export interface Line {
  readonly key: string
  readonly store: RateLimitStore.Service
  readonly settings: Settings
  readonly waiters: Array<Waiter>
  arrivals: number
  running: number
  concurrency: Concurrency.State
  /** How many were told to wait during the last pause, and how often that was without an answer in between. */
  throttled: number
  strikes: number
  pausedUntil: number
  /** After a pause, nobody goes before this; then all go one after the other. */
  next: number
  gap: number
  spreadUntil: number
}

/** Somebody who asks for a turn. */
export interface Asking {
  readonly line: Line
  readonly cost: RateLimitStore.Amounts
  readonly priority: number
  readonly attempt: LlmProvider.Attempt
  /** What to say where there is no turn. */
  readonly refuse: (refusal: Refusal) => LlmError
}

/** Makes interruptible what may be interrupted. */
export type Restore = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A permit and a reservation. */
export interface Turn {
  readonly reservation: RateLimitStore.Reservation
  /** How often the limit of concurrency had been cut before. */
  readonly cuts: number
  readonly waited: number
  /** Whether the provider may have seen the request. */
  sent: boolean
  ended: boolean
}

/** Why there is no turn: too many wait, or it would come, or has not come, before what is left has passed. */
export type Refusal =
  | { readonly _tag: "Full" }
  | { readonly _tag: "TooLate"; readonly wait: number; readonly left: number }

/** After a pause, those who were stopped by it come back within this time. */
const spread = 1_000

/** How long a pause is where the provider does not say: it doubles until there is an answer. */
const shortestPause = 1_000
const longestPause = 60_000

/** Makes an empty line. */
export const makeLine = (key: string, settings: Settings, store: RateLimitStore.Service): Line => ({
  key,
  store,
  settings,
  waiters: [],
  arrivals: 0,
  running: 0,
  concurrency: Concurrency.initial(settings.concurrency),
  throttled: 0,
  strikes: 0,
  pausedUntil: 0,
  next: 0,
  gap: 0,
  spreadUntil: 0
})

/** Whether nobody is there. */
export const isEmpty = ({ running, waiters }: Line): boolean => running === 0 && waiters.length === 0

const isBefore = (one: Waiter, other: Waiter): boolean =>
  one.rank < other.rank || (one.rank === other.rank && one.order < other.order)

/** Puts somebody in line, and gives what it costs until it was let through: with all who are before it. */
const join = ({ waiters }: Line, waiter: Waiter): RateLimitStore.Amounts => {
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

const wakeFirst = ({ waiters }: Line): void => waiters[0]?.signal.unsafeOpen()

const leave = (line: Line, waiter: Waiter): void => {
  const index = line.waiters.indexOf(waiter)
  if (index >= 0) line.waiters.splice(index, 1)
  wakeFirst(line)
}

const hasPermit = (line: Line): boolean => line.running < Math.floor(line.concurrency.limit)

/** How long the next one has to hold back after a pause: whole milliseconds, as timers have it. */
const heldBack = (line: Line, now: number): number =>
  now < line.spreadUntil ? Math.max(0, Math.ceil(line.next - now)) : 0

const turnOf = (line: Line, reservation: RateLimitStore.Reservation, waited: number): Turn => ({
  reservation,
  cuts: line.concurrency.cuts,
  waited,
  sent: false,
  ended: false
})

/**
 * Asks for a permit, and then for a reservation: at once where nobody waits and both are there. Whoever waits holds
 * nothing. The first in line asks again when it is time, or when something has changed; all others sleep.
 *
 * To be run where it cannot be interrupted: `restore` allows it where it waits.
 */
export const take = (asking: Asking, restore: Restore): Effect.Effect<Turn, LlmError> =>
  Effect.clockWith((clock) => {
    const { cost, line } = asking
    const order = line.arrivals++
    if (line.waiters.length > 0 || !hasPermit(line) || heldBack(line, clock.unsafeCurrentTimeMillis()) > 0) {
      return wait(asking, restore, clock, order)
    }
    return reserve(line, cost, undefined, (outcome) =>
      outcome._tag === "Reserved"
        ? Effect.succeed(turnOf(line, outcome.reservation, 0))
        : wait(asking, restore, clock, order))
  })

/** The permit comes first: whoever gets none takes nothing from the limits; and goes back if there is no reservation. */
const reserve = <A, E>(
  line: Line,
  cost: RateLimitStore.Amounts,
  waiter: Waiter | undefined,
  then: (outcome: RateLimitStore.Outcome) => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  line.running++
  const back = () => {
    line.running--
    // While the store was busy, somebody may have come to the front and found no permit.
    if (line.waiters[0] !== waiter) wakeFirst(line)
  }
  return Effect.matchCauseEffect(line.store.reserve(line.key, line.settings.limits, cost), {
    onFailure: (cause) => {
      back()
      return Effect.failCause(cause)
    },
    onSuccess: (outcome) => {
      if (outcome._tag === "Refused") back()
      else line.next += line.gap
      return then(outcome)
    }
  })
}

const wait = (
  { attempt, cost, line, priority, refuse }: Asking,
  restore: Restore,
  clock: Clock.Clock,
  order: number
): Effect.Effect<Turn, LlmError> => {
  const { aging, limits, maxQueue, maxWait } = line.settings
  if (line.waiters.length >= maxQueue) return Effect.fail(refuse({ _tag: "Full" }))
  const came = clock.unsafeCurrentTimeMillis()
  const waiter: Waiter = {
    rank: Number.isFinite(aging) ? came - priority * aging : -priority,
    order,
    cost,
    signal: Effect.unsafeMakeLatch(false),
    giveUpAt: Infinity
  }
  // In line before anything else can happen: nobody who comes later overtakes.
  const amounts = join(line, waiter)

  const tooLate = (wait: number): Effect.Effect<never, LlmError> =>
    Effect.fail(refuse({ _tag: "TooLate", wait, left: waiter.giveUpAt - came }))

  const inTime = Effect.flatMap(attempt.untilDeadline, (untilDeadline) => {
    const left = Math.min(Duration.toMillis(untilDeadline), maxWait)
    if (left === Infinity) return Effect.void
    waiter.giveUpAt = came + left
    return Effect.flatMap(line.store.foresee(line.key, limits, amounts), (expected) => {
      const wait = Duration.toMillis(expected)
      return wait > left ? tooLate(wait) : Effect.void
    })
  })

  const sleep = (millis: number) => restore(Effect.raceFirst(waiter.signal.await, Effect.sleep(millis)))

  const turn: Effect.Effect<Turn, LlmError> = Effect.suspend(() => {
    const now = clock.unsafeCurrentTimeMillis()
    const left = waiter.giveUpAt - now
    if (line.pausedUntil > waiter.giveUpAt) return tooLate(line.pausedUntil - came)
    waiter.signal.unsafeClose()
    if (line.waiters[0] !== waiter || !hasPermit(line)) {
      if (left <= 0) return tooLate(now - came)
      // The call's deadline ends it from outside.
      return Effect.zipRight(maxWait === Infinity ? restore(waiter.signal.await) : sleep(left), turn)
    }
    const hold = heldBack(line, now)
    if (hold > 0) return hold > left ? tooLate(now + hold - came) : Effect.zipRight(sleep(hold), turn)
    return reserve(line, cost, waiter, (outcome) => {
      if (outcome._tag === "Reserved") {
        return Effect.succeed(turnOf(line, outcome.reservation, clock.unsafeCurrentTimeMillis() - came))
      }
      const wait = Duration.toMillis(outcome.wait)
      return now + wait > waiter.giveUpAt ? tooLate(now + wait - came) : Effect.zipRight(sleep(wait), turn)
    })
  })

  return Effect.ensuring(
    Effect.zipRight(inTime, attempt.queued(turn)),
    Effect.sync(() => leave(line, waiter))
  )
}

/** Ends a turn: frees the permit and makes the reservation what was used. Whoever is first in line has a look. */
export const end = <A>(
  line: Line,
  turn: Turn,
  settlement: Omit<RateLimitStore.Settlement, "reservation">,
  result: A
): Effect.Effect<A> => {
  turn.ended = true
  line.running--
  return Effect.map(
    line.store.settle(line.key, line.settings.limits, { ...settlement, reservation: turn.reservation }),
    () => {
      wakeFirst(line)
      return result
    }
  )
}

/** A provider answered: there may be one more at a time. To be told before the turn ends. */
export const succeeded = (line: Line): void => {
  line.strikes = 0
  line.concurrency = Concurrency.grow(line.settings.concurrency, line.concurrency, line.running)
}

/** A provider had too much to do: there may be fewer at a time. */
export const overloaded = (line: Line, turn: Turn): void => {
  line.concurrency = Concurrency.cut(line.settings.concurrency, line.concurrency, turn.cuts)
}

/**
 * Lets nobody through until a provider wants to be asked again: those who are stopped by it come back spread out. Those
 * who cannot wait for so long need not.
 */
export const pause = (
  line: Line,
  retryAfter: Duration.Duration | undefined
): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) =>
    Effect.clockWith((clock) => {
      const now = clock.unsafeCurrentTimeMillis()
      // Many that began together are told together: that is one strike.
      if (now >= line.pausedUntil) {
        line.throttled = 0
        line.strikes++
      }
      line.throttled++
      const duration = retryAfter ??
        Duration.millis(Math.min(longestPause, shortestPause * 2 ** (line.strikes - 1)))
      line.pausedUntil = Math.max(line.pausedUntil, now + Duration.toMillis(duration))
      line.gap = spread / (line.throttled + line.waiters.length)
      line.next = line.pausedUntil + random * line.gap
      line.spreadUntil = line.pausedUntil + spread
      for (const waiter of line.waiters) {
        if (waiter.giveUpAt < line.pausedUntil) waiter.signal.unsafeOpen()
      }
      return line.store.pause(line.key, line.settings.limits, duration)
    }))
