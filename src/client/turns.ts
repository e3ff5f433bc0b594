import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { LlmError } from "../domain/LlmError.js"
import * as Elapsed from "../runtime/elapsed.js"
import type { Call, Environment } from "./callState.js"

/** Lets a call wait for its turn, and then take the rest of its steps. Its time begins with its turn. */
export type Turn = <A, R>(
  call: Call,
  rest: (call: Call) => Effect.Effect<A, LlmError, R>
) => Effect.Effect<A, LlmError, R>

/**
 * Makes the turns of many calls that are made at once. One call at a time waits until the provider is ready for it: the
 * others do not ask, and cost nothing. A call that equals an earlier one needs no turn of its own: it shares the run,
 * or finds the answer in the cache. If the provider is always ready there are no turns. A call that still waits when
 * `ended` comes is interrupted.
 */
export const make = (
  { provider: { ready } }: Environment,
  ended: Effect.Effect<void> = Effect.never
): Turn | undefined => {
  if (ready === undefined) return undefined
  const leaves = Effect.zipRight(ended, Effect.interrupt)
  const inLine = makeLine()
  /** The keys of the calls that have had their turn. */
  const begun = new Set<string>()

  const wait = ({ key, request, settings }: Call): Effect.Effect<void> =>
    Effect.suspend(() => {
      const isEqual = begun.has(key) && settings.cache !== "bypass"
      return isEqual ? Effect.void : Effect.map(Effect.raceFirst(ready(request), leaves), () => void begun.add(key))
    })

  return (call, rest) =>
    Effect.flatMap(
      Effect.zipRight(inLine(wait(call)), Elapsed.now),
      (now) => rest(begunAt(call, now))
    )
}

/** Lets one call through at a time, in order. A semaphore would wake all waiting calls each time that one has gone. */
const makeLine = () => {
  let last: Effect.Effect<void> = Effect.void
  return (self: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const before = last
      const after = Deferred.unsafeMake<void>(FiberId.none)
      let hasCome = false
      last = Deferred.await(after)
      const come = Effect.sync(() => {
        hasCome = true
      })
      return before.pipe(
        Effect.zipRight(come),
        Effect.zipRight(self),
        // A call that leaves the line does not let the next one through earlier.
        Effect.ensuring(Effect.sync(() => Deferred.unsafeDone(after, hasCome ? Effect.void : before)))
      )
    })
}

/** A call whose time begins now. */
const begunAt = (call: Call, now: number): Call => ({
  ...call,
  started: now,
  deadline: now + Duration.toMillis(call.settings.deadline)
})
