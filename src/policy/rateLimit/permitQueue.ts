import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { LlmError } from "../../domain/LlmError.js"
import type * as LlmProvider from "../../LlmProvider.js"
import * as Elapsed from "../../runtime/elapsed.js"
import type { Admitting } from "../admission.js"
import * as Concurrency from "./adaptiveConcurrency.js"
import * as Queue from "./queue.js"
import type * as RateLimitStore from "./RateLimitStore.js"
import * as TokenBuckets from "./tokenBuckets.js"

/** A request for a permit. */
export interface PermitRequest {
  readonly queue: Queue.Queue
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

const permit = (queue: Queue.Queue, reservation: RateLimitStore.Reservation, waited: number | undefined): Permit => ({
  reservation,
  cuts: queue.concurrency.cuts,
  waited
})

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
    if (queue.waiters.length > 0 || !Queue.hasRoom(queue) || Queue.heldBack(queue, Elapsed.unsafeNow(clock)) > 0) {
      Queue.arrived(queue)
      return wait(request, restore, clock, order, undefined)
    }
    return reserve(request, undefined, clock, {
      onReserved: ({ reservation }) => {
        Queue.arrived(queue)
        return Effect.succeed(permit(queue, reservation, undefined))
      },
      onRefused: (refused) => {
        Queue.arrived(queue)
        return wait(request, restore, clock, order, refused)
      }
    })
  })

/** Concurrency comes first: a request without room reserves nothing. The room is given back if nothing was reserved. */
const reserve = (
  { cost, queue, refuse, reportProblem }: PermitRequest,
  waiter: Queue.Waiter | undefined,
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
    if (queue.waiters[0] !== waiter) Queue.wakeFirst(queue)
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
    const pausedFor = outcome.pausedFor === undefined ? 0 : Duration.toMillis(outcome.pausedFor)
    const isPaused = pausedFor > 0 && now + pausedFor > queue.pausedUntil
    if (isPaused) queue.pausedUntil = now + pausedFor
    back()
    if (isPaused) Queue.dismiss(queue)
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
  const waiter: Queue.Waiter = {
    rank: Number.isFinite(aging) ? came - priority * aging : -priority,
    order,
    cost,
    signal: Effect.unsafeMakeLatch(false),
    giveUpAt: Infinity
  }
  // It joins before anything else can happen: no request that comes later overtakes it.
  const amounts = Queue.join(queue, waiter)

  const tooLate = (wait: number): Effect.Effect<never, LlmError> =>
    Effect.fail(refuse({ _tag: "TooLate", wait, left: waiter.giveUpAt - came }))

  const inTime = Effect.flatMap(attempt.untilDeadline, (untilDeadline) => {
    const left = Math.min(Duration.toMillis(untilDeadline), maxWait)
    if (left === Infinity) return Effect.void
    waiter.giveUpAt = came + left
    const expected = Queue.foresee(queue, amounts, Elapsed.unsafeNow(clock))
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
    if (queue.waiters[0] !== waiter || !Queue.hasRoom(queue)) {
      if (left <= 0) return tooLate(now - came)
      // The call's deadline ends it from outside.
      return Effect.zipRight(maxWait === Infinity ? waitFor(waiter.signal.await) : sleep(left), turn)
    }
    const hold = Queue.heldBack(queue, now)
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
      Queue.leave(queue, waiter)
      return quit(queue)
    }
  )
}

/** Gives up the place in line, if nobody waits any more. */
const quit = (queue: Queue.Queue): Effect.Effect<void> => {
  if (!queue.isInLine || queue.waiters.length > 0) return Effect.void
  queue.isInLine = false
  return queue.store.leave(queue.key, queue.id)
}

/** Gives a permit back: frees its place and settles its reservation. The first in the queue tries again. */
export const release = (
  queue: Queue.Queue,
  { reservation }: Permit,
  settlement: Omit<RateLimitStore.Settlement, "reservation">
): Effect.Effect<void> =>
  Elapsed.nowWith((now) => {
    const { limits } = queue.settings
    const settled = { ...settlement, reservation }
    queue.running--
    Queue.change(queue, now, (state) => TokenBuckets.settle(limits, state, settled, now))
    return Effect.map(queue.store.settle(queue.key, limits, settled), () => Queue.wakeFirst(queue))
  })

/** Records an answer: there may be one more request at a time. To be called before the permit is released. */
export const succeeded = (queue: Queue.Queue): void => {
  queue.strikes = 0
  queue.concurrency = Concurrency.grow(queue.settings.concurrency, queue.concurrency, queue.running)
}

/** Records that the provider is overloaded: there may be fewer requests at a time. */
export const overloaded = (queue: Queue.Queue, { cuts }: Permit): void => {
  queue.concurrency = Concurrency.cut(queue.settings.concurrency, queue.concurrency, cuts)
}

/**
 * Lets no request through until the provider wants to be asked again. The requests that it stops come back spread out;
 * those that cannot wait for so long fail at once.
 */
export const pause = (
  queue: Queue.Queue,
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
    Queue.dismiss(queue)
    const { limits } = queue.settings
    Queue.change(queue, now, (state) => TokenBuckets.pause(limits, state, millis, now))
    return queue.store.pause(queue.key, limits, Duration.millis(millis))
  })
