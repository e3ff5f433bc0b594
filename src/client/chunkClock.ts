import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type * as LlmEvent from "../domain/LlmEvent.js"
import * as Elapsed from "../runtime/elapsed.js"

/** Records the arrival times of the pieces of a streamed answer: plain numbers, which cost a stream no instruction. */
export interface ChunkClock {
  /** Starts anew with an attempt. `queuedFor` are the milliseconds that its call has waited in queues so far. */
  readonly start: (clock: Clock.Clock, queuedFor: number) => void
  /** A piece has come. */
  readonly came: (queuedFor: number) => void
  /** The times of the pieces, if one has come. */
  readonly times: () => LlmEvent.ChunkTimes | undefined
}

export const make = (): ChunkClock => {
  let clock: Clock.Clock | undefined
  let started = 0
  let queuedBefore = 0
  let first: number | undefined
  let last = 0
  let between: Array<number> = []
  return {
    start: (current, queuedFor) => {
      clock = current
      started = Elapsed.unsafeNow(current)
      queuedBefore = queuedFor
      first = undefined
      between = []
    },
    came: (queuedFor) => {
      if (clock === undefined) return
      const now = Elapsed.unsafeNow(clock)
      if (first === undefined) first = now - started - (queuedFor - queuedBefore)
      else between.push(now - last)
      last = now
    },
    times: () => first === undefined ? undefined : { first: Duration.millis(first), between }
  }
}
