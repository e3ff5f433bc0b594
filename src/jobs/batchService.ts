import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { LlmError, TimedOut } from "../domain/LlmError.js"
import type * as LlmProvider from "../LlmProvider.js"
import { mayPass } from "./answered.js"

/** The first wait before a service is asked again: each further one is half as long again, up to the longest. */
const firstWait = Duration.seconds(5)

/** An upload of hundreds of megabytes is slow. */
const submitWithin = Duration.minutes(15)

const answerWithin = Duration.minutes(1)

/** All results are read again at most this often if they break off. */
const readings = 10

const timedOut = (limit: Duration.Duration) => () =>
  new LlmError({ operation: "batch", attempts: 1, reason: TimedOut.make({ phase: "attempt", limit }) })

const within = (limit: Duration.Duration) => <A>(effect: Effect.Effect<A, LlmError>): Effect.Effect<A, LlmError> =>
  Effect.timeoutFail(effect, { duration: limit, onTimeout: timedOut(limit) })

/** Waits as long as the service asks for, in addition to the wait of the schedule. */
const patiently = (error: LlmError): Effect.Effect<void> =>
  mayPass(error)
    ? Effect.zipRight(
      Effect.logWarning(`The batch API failed, trying again: ${error.message}`),
      error.retryAfter === undefined ? Effect.void : Effect.sleep(error.retryAfter)
    )
    : Effect.void

/** A batch API that is asked patiently. */
export type BatchService = ReturnType<typeof make>

/**
 * A batch API that is asked again for as long as a failure may pass, however long that takes, as its batches are paid
 * for. Only `submit` is tried once, as it may have succeeded.
 */
export const make = ({ cancel, find, results, state, submit }: LlmProvider.Batches, longest: Duration.Duration) => {
  const waits = Schedule.union(Schedule.exponential(Duration.min(firstWait, longest), 1.5), Schedule.spaced(longest))

  const untilPassed = <A>(effect: Effect.Effect<A, LlmError>): Effect.Effect<A, LlmError> =>
    effect.pipe(Effect.tapError(patiently), Effect.retry({ schedule: waits, while: mayPass }))

  const again = <A>(effect: Effect.Effect<A, LlmError>): Effect.Effect<A, LlmError> =>
    untilPassed(within(answerWithin)(effect))

  return {
    /** Asks again, with growing waits, for as long as a failure may pass. */
    untilPassed,
    submit: (batch: Parameters<typeof submit>[0]) => within(submitWithin)(Effect.suspend(() => submit(batch))),
    find: find === undefined ? undefined : (name: string) => again(Effect.suspend(() => find(name))),
    cancel: (id: string) => again(Effect.suspend(() => cancel(id))),
    /** Asks about a batch until it has ended: after seconds at first, and then after longer waits. */
    ended: (
      id: string,
      seen: (state: LlmProvider.BatchState) => Effect.Effect<void>
    ): Effect.Effect<LlmProvider.BatchState, LlmError> =>
      again(Effect.suspend(() => state(id))).pipe(
        Effect.tap(seen),
        Effect.repeat(
          Schedule.passthrough(
            Schedule.untilInput(waits, ({ status }: LlmProvider.BatchState) => status === "ended")
          )
        )
      ),
    /** Reads all results. If they break off, all of them come again. */
    results: <R>(id: string, each: (result: LlmProvider.BatchResult) => Effect.Effect<void, never, R>) =>
      Stream.suspend(() => results(id)).pipe(
        Stream.timeoutFail(timedOut(answerWithin), answerWithin),
        Stream.mapEffect(each, { concurrency: 100, unordered: true }),
        Stream.runDrain,
        Effect.tapError(patiently),
        Effect.retry({ schedule: Schedule.intersect(waits, Schedule.recurs(readings)), while: mayPass })
      )
  }
}

/** Whether a service may have taken a batch although its answer did not come: not if it was not reached, or refused. */
export const mayHaveTaken = ({ reason }: LlmError): boolean => {
  switch (reason._tag) {
    case "NetworkFailed":
      return reason.code !== "ECONNREFUSED" && reason.code !== "ENOTFOUND"
    case "TimedOut":
    case "ServerFailed":
    case "MalformedResponse":
    case "StreamInterrupted":
      return true
    default:
      return false
  }
}
