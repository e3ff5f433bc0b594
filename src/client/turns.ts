import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { LlmError } from "../domain/LlmError.js"
import * as Elapsed from "../runtime/elapsed.js"
import type { Call, Environment } from "./callState.js"

/**
 * Lets a call wait for its turn, and then take the rest of its steps. Its time begins with its turn. If an equal call has
 * ended meanwhile, the steps get the turn again: the call looks in the cache once more, and waits if nothing is there.
 */
export type Turn = <A, R>(
  call: Call,
  rest: (call: Call, turn?: Turn) => Effect.Effect<A, LlmError, R>
) => Effect.Effect<A, LlmError, R>

/** The calls with equal keys that have had a turn. */
interface Equals {
  underWay: number
  ended: number
}

/**
 * Makes the turns of many calls that are made at once. One call at a time waits until the provider is ready for it: the
 * others do not ask, and cost nothing. A call that equals one under way needs no turn of its own: it shares the run. If
 * the provider is always ready there are no turns. A call that still waits when `ended` comes is interrupted.
 */
export const make = (
  { provider: { ready } }: Environment,
  ended: Effect.Effect<void> = Effect.never
): Turn | undefined => {
  if (ready === undefined) return undefined
  const leaves = Effect.zipRight(ended, Effect.interrupt)
  const inLine = makeLine()
  const byKey = new Map<string, Equals>()

  const equalsOf = ({ common: { callId }, key, settings: { cache } }: Call): Equals => {
    // A call that bypasses the cache equals no other, and a refresh joins no older run.
    const name = cache === "bypass" ? callId : cache === "refresh" ? `${key} refresh` : key
    const equals = byKey.get(name) ?? { underWay: 0, ended: 0 }
    if (cache !== "bypass") byKey.set(name, equals)
    return equals
  }

  const turn: Turn = (call, rest) =>
    Effect.suspend(() => {
      const equals = equalsOf(call)
      const endedBefore = equals.ended
      let hasTurn = false
      const wait = Effect.suspend(() =>
        equals.underWay > 0 || equals.ended > endedBefore
          ? Effect.void
          : Effect.map(Effect.raceFirst(ready(call.request), leaves), () => {
            hasTurn = true
            equals.underWay++
          })
      )
      const end = Effect.sync(() => {
        if (!hasTurn) return
        equals.underWay--
        equals.ended++
      })
      return Effect.zipRight(inLine(wait), Elapsed.now).pipe(
        Effect.flatMap((now) => {
          const begun = begunAt(call, now)
          return hasTurn || equals.underWay > 0 ? rest(begun) : rest(begun, turn)
        }),
        Effect.ensuring(end)
      )
    })

  return turn
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
