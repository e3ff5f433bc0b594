import * as Duration from "effect/Duration"
import { type LlmError, update } from "../../domain/LlmError.js"

/** A longer wait is broken by one request, in case the provider was wrong. */
const longest = 60_000

/** A circuit may close at any time: asking it costs nothing, but each refusal is told to the logger. */
const circuitLookup = 1_000

/** More models than any program has; the one not used for longest goes. */
const maxModels = 1_000

interface Rest {
  readonly error: LlmError
  /** Until when the provider asks to be left alone, and when it is asked again. In epoch milliseconds. */
  readonly ends: number
  readonly until: number
}

/** Which models of a provider asked to be left alone for a while (Retry-After), and with what error. */
export interface Rests {
  /** Takes note of an error that asks to wait. */
  readonly note: (model: string, error: LlmError, now: number) => void
  /** The error that stands for the provider's answer as long as it is not to be asked. Nothing was sent for it. */
  readonly find: (model: string, now: number) => LlmError | undefined
}

/** Nobody rests yet. */
export const make = (): Rests => {
  const rests = new Map<string, Rest>()
  return {
    note: (model, error, now) => {
      const wait = waitOf(error)
      if (wait === undefined) return
      const ends = now + wait
      // Where two answers ask to wait, the longer wait holds.
      if ((rests.get(model)?.ends ?? 0) >= ends) return
      rests.delete(model)
      const [oldest] = rests.keys()
      if (rests.size >= maxModels && oldest !== undefined) rests.delete(oldest)
      const limit = error.reason._tag === "CircuitOpen" ? circuitLookup : longest
      rests.set(model, { error, ends, until: now + Math.min(wait, limit) })
    },
    find: (model, now) => {
      const rest = rests.get(model)
      if (rest === undefined) return undefined
      if (now < rest.until) return stillWaiting(rest, now)
      rests.delete(model)
      return undefined
    }
  }
}

/** Only what a provider says of itself: neither a limit of our own, nor those behind a fallback, which rest one by one. */
const waitOf = ({ attempts, reason }: LlmError): number | undefined =>
  "retryAfter" in reason && reason.retryAfter !== undefined && (attempts > 0 || reason._tag === "CircuitOpen")
    ? Duration.toMillis(reason.retryAfter)
    : undefined

const stillWaiting = ({ ends, error }: Rest, now: number): LlmError =>
  update(error, {
    attempts: 0,
    reason: "retryAfter" in error.reason ? { ...error.reason, retryAfter: Duration.millis(ends - now) } : error.reason
  })
