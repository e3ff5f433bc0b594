import * as Duration from "effect/Duration"
import { type LlmError, update } from "../../domain/LlmError.js"

/** One request breaks a longer wait, in case the provider was wrong. */
const longest = 60_000

/** A circuit may close at any time. A lookup costs nothing, but each refusal is reported to the logger. */
const circuitLookup = 1_000

/** More models than any program has; the least recently cooled is forgotten. */
const maxModels = 1_000

interface Cooldown {
  readonly error: LlmError
  /** The end of the wait that the provider asked for, and the time when it is asked again. */
  readonly ends: number
  readonly until: number
}

/** The models for which a provider asked for a wait (Retry-After). Times are elapsed milliseconds. */
export interface Cooldowns {
  /** Starts a cooldown if an error asks for one. */
  readonly start: (model: string, error: LlmError, now: number) => void
  /** The error that stands for the provider's answer during a cooldown. Nothing was sent for it. */
  readonly find: (model: string, now: number) => LlmError | undefined
}

/** Starts without cooldowns. */
export const make = (): Cooldowns => {
  const cooldowns = new Map<string, Cooldown>()
  return {
    start: (model, error, now) => {
      const wait = waitOf(error)
      if (wait === undefined) return
      const ends = now + wait
      // The longer wait holds.
      if ((cooldowns.get(model)?.ends ?? 0) >= ends) return
      cooldowns.delete(model)
      const [oldest] = cooldowns.keys()
      if (cooldowns.size >= maxModels && oldest !== undefined) cooldowns.delete(oldest)
      const limit = error.reason._tag === "CircuitOpen" ? circuitLookup : longest
      cooldowns.set(model, { error, ends, until: now + Math.min(wait, limit) })
    },
    find: (model, now) => {
      const cooldown = cooldowns.get(model)
      if (cooldown === undefined) return undefined
      if (now < cooldown.until) return stillWaiting(cooldown, now)
      cooldowns.delete(model)
      return undefined
    }
  }
}

/** Not for a limit of our own, nor for the targets of an inner fallback, which have cooldowns of their own. */
const waitOf = ({ attempts, reason }: LlmError): number | undefined =>
  "retryAfter" in reason && reason.retryAfter !== undefined && (attempts > 0 || reason._tag === "CircuitOpen")
    ? Duration.toMillis(reason.retryAfter)
    : undefined

const stillWaiting = ({ ends, error }: Cooldown, now: number): LlmError =>
  update(error, {
    attempts: 0,
    reason: "retryAfter" in error.reason ? { ...error.reason, retryAfter: Duration.millis(ends - now) } : error.reason
  })
