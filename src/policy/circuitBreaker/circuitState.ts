/** When a circuit opens, and for how long. Times are in milliseconds of elapsed time. */
export interface Settings {
  /** The number of failures in a row at which it opens. */
  readonly consecutive: number | undefined
  /** The share of failures within the window at which it opens, given enough outcomes. */
  readonly sampling: { readonly ratio: number; readonly window: number; readonly minimum: number } | undefined
  readonly openFor: number
  readonly maxOpenFor: number
}

/**
 * How an attempt ended. A neutral outcome says nothing about the provider: a 4xx, or an attempt that no caller waited
 * for.
 */
export type Outcome = "success" | "failure" | "neutral"

interface Bucket {
  /** Which slice of time it is for. */
  readonly index: number
  readonly successes: number
  readonly failures: number
}

/**
 * The state of a circuit. `era` counts its changes: the outcome of an attempt of an earlier era comes too late to count.
 * `openings` counts how often it has opened since it was last closed.
 */
export type State =
  | { readonly _tag: "Closed"; readonly era: number; readonly streak: number; readonly buckets: ReadonlyArray<Bucket> }
  | { readonly _tag: "Open"; readonly era: number; readonly openings: number; readonly until: number }
  | {
    readonly _tag: "HalfOpen"
    readonly era: number
    readonly openings: number
    /** When the probe under way began; `undefined` if there is none. */
    readonly probedAt: number | undefined
  }

const closed = (era: number): State => ({ _tag: "Closed", era, streak: 0, buckets: [] })

/** A circuit before its first attempt. */
export const initial: State = closed(0)

/** An attempt is admitted, and its outcome belongs to the era of the new state; or it is refused for a while. */
export type Admission =
  | { readonly _tag: "Admitted"; readonly state: State }
  | { readonly _tag: "Refused"; readonly retryAfter: number }

/** A probe that takes longer makes room for the next one: it may be a stream whose reader takes its time. */
const longestProbe = 120_000

/** Decides whether an attempt may go ahead. A half-open circuit admits one at a time, the probe. */
export const admit = (settings: Settings, state: State, now: number): Admission => {
  switch (state._tag) {
    case "Closed":
      return { _tag: "Admitted", state }
    case "Open":
      return now < state.until
        ? { _tag: "Refused", retryAfter: state.until - now }
        : {
          _tag: "Admitted",
          state: { _tag: "HalfOpen", era: state.era + 1, openings: state.openings, probedAt: now }
        }
    case "HalfOpen":
      return state.probedAt !== undefined && now < state.probedAt + longestProbe
        // The probe's duration is unknown; if it fails, the circuit stays open for about this long.
        ? { _tag: "Refused", retryAfter: settings.openFor }
        : { _tag: "Admitted", state: { ...state, probedAt: now } }
  }
}

/** A window is counted in this many slices. */
const slices = 10

const count = (
  buckets: ReadonlyArray<Bucket>,
  { window }: NonNullable<Settings["sampling"]>,
  outcome: "success" | "failure",
  now: number
): ReadonlyArray<Bucket> => {
  const index = Math.floor(now / (window / slices))
  const recent = buckets.filter((bucket) => bucket.index > index - slices)
  const last = recent.at(-1)
  const current = last?.index === index ? last : { index, successes: 0, failures: 0 }
  return [
    ...(last === current ? recent.slice(0, -1) : recent),
    outcome === "success"
      ? { ...current, successes: current.successes + 1 }
      : { ...current, failures: current.failures + 1 }
  ]
}

const isSick = (
  buckets: ReadonlyArray<Bucket>,
  { minimum, ratio }: NonNullable<Settings["sampling"]>
): boolean => {
  const failures = buckets.reduce((sum, bucket) => sum + bucket.failures, 0)
  const total = buckets.reduce((sum, bucket) => sum + bucket.successes, failures)
  return total >= minimum && failures / total >= ratio
}

/** Opens twice as long each time, up to the maximum. The jitter keeps many processes from probing at once. */
const open = (settings: Settings, era: number, openings: number, now: number, random: number): State => {
  const full = Math.min(settings.openFor * 2 ** (openings - 1), settings.maxOpenFor)
  return { _tag: "Open", era, openings, until: now + full * (0.5 + random / 2) }
}

/** Records how an attempt of an era ended. `random` is from 0 to 1. */
export const settle = (
  settings: Settings,
  state: State,
  attempt: { readonly era: number; readonly outcome: Outcome },
  now: number,
  random: number
): State => {
  const { era, outcome } = attempt
  if (era !== state.era || state._tag === "Open") return state
  if (state._tag === "HalfOpen") {
    return outcome === "success"
      ? closed(era + 1)
      : outcome === "failure"
      ? open(settings, era + 1, state.openings + 1, now, random)
      // The probe proved nothing: the next attempt may try.
      : { ...state, probedAt: undefined }
  }
  if (outcome === "neutral") return state
  const { consecutive, sampling } = settings
  const streak = outcome === "failure" ? state.streak + 1 : 0
  const buckets = sampling === undefined ? state.buckets : count(state.buckets, sampling, outcome, now)
  const opens = outcome === "failure" &&
    ((consecutive !== undefined && streak >= consecutive) || (sampling !== undefined && isSick(buckets, sampling)))
  return opens ? open(settings, era + 1, 1, now, random) : { _tag: "Closed", era, streak, buckets }
}
