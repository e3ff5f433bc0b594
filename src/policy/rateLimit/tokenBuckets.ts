/**
 * The units counted: requests, tokens of both kinds together, and tokens of each kind where a provider counts them apart.
 *
 * @since 0.1.0
 * @category models
 */
export type Dimension = "requests" | "tokens" | "inputTokens" | "outputTokens"

/**
 * An amount of each.
 *
 * @since 0.1.0
 * @category models
 */
export type Amounts = { readonly [D in Dimension]: number }

/**
 * The amount of each unit that may be used in a minute; an absent one is not limited. A bucket holds `burst` times the
 * limit, refills evenly, and is full at first: in any time `t` no more is let through than `burst + t / 1 minute` times
 * the limit.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits extends Partial<Amounts> {
  /** The share of the minute's limit that may be saved up and used at once: more than 0 and at most 1. */
  readonly burst: number
  /**
   * The longest time for which a number from the provider, once settled, may make requests wait: milliseconds. Default:
   * no bound.
   */
  readonly maxPause?: number | undefined
  /** Requests at a time, of all that share the store. Default: not limited. */
  readonly concurrency?: number | undefined
}

/**
 * The statement of a provider's headers: its limits, and the rest of them when it took the request in.
 *
 * @since 0.1.0
 * @category models
 */
export type Told = {
  readonly [D in Dimension]?:
    | { readonly limit?: number | undefined; readonly remaining?: number | undefined }
    | undefined
}

/**
 * A reservation for a request, and the state of the buckets at that time. Settle it unchanged.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reservation {
  readonly cost: Amounts
  /** The levels after it. */
  readonly left: Partial<Amounts>
  /** The amount by which the view had been lowered before it. */
  readonly lowered: Partial<Amounts>
  /** The number of pauses before it. */
  readonly pauses: number
  /**
   * The name of its place under `concurrency`, if that is limited. The place is free again once the reservation is
   * settled.
   */
  readonly permit?: string | undefined
  /** The place where a composed store keeps it, for that store alone. */
  readonly place?: string | undefined
}

/**
 * The end of a reservation.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settlement {
  readonly reservation: Reservation
  /** The actual use. An unknown one is absent, and counts as all that was reserved. */
  readonly used: Partial<Amounts>
  readonly told: Told | undefined
}

/**
 * The rest of an amount.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bucket {
  /** Below zero if more was used than reserved. */
  readonly level: number
  /** The provider's own limit, as last stated. */
  readonly told: number | undefined
  /** The total by which the level was lowered because the provider had less than the bucket. */
  readonly lowered: number
}

/**
 * The buckets of a key. Plain data, and each operation on it is one step: a store may keep it anywhere.
 *
 * @since 0.1.0
 * @category models
 */
export interface State {
  /** When it was last updated, in milliseconds of the store's own time. */
  readonly at: number
  /** The rest of a pause, from then on, in which nothing is let through and nothing refills: milliseconds. */
  readonly pause: number
  /** The number of pauses so far. */
  readonly pauses: number
  /** A bucket that is absent is full. */
  readonly buckets: { readonly [D in Dimension]?: Bucket }
}

/** A request is let through, or would have to wait for `wait` milliseconds and changes nothing. */
export type Outcome =
  | { readonly _tag: "Reserved"; readonly state: State; readonly reservation: Reservation }
  | { readonly _tag: "Refused"; readonly state: State; readonly wait: number }

const minute = 60_000

const dimensions: ReadonlyArray<Dimension> = ["requests", "tokens", "inputTokens", "outputTokens"]

/** Sums of fractions may end a little below what they should be. */
const tolerance = 1e-6

/** The rate a minute: at most the limit, and less if the provider states less. */
const rate = (limit: number, bucket: Bucket | undefined): number => Math.min(limit, bucket?.told ?? limit)

/** At least one, however little the provider allows: a request that waits for a full bucket must not be let through early. */
const capacity = (limits: Limits, limit: number, bucket: Bucket | undefined): number =>
  Math.max(1, rate(limit, bucket) * limits.burst)

/**
 * The lowest level from which a bucket is full again within `maxPause`. If the provider's own limit applies, no level
 * is lower; if only ours does, no number from the provider makes it lower.
 */
const lowest = (limits: Limits, limit: number, bucket: Bucket): number =>
  Math.min(0, capacity(limits, limit, bucket) - rate(limit, bucket) * (limits.maxPause ?? Infinity) / minute)

const isSlowed = (limit: number, { told }: Bucket): boolean => told !== undefined && told < limit

/** Full buckets. */
export const initial = (now: number): State => ({ at: now, pause: 0, pauses: 0, buckets: {} })

const update = (
  limits: Limits,
  state: State,
  change: (bucket: Bucket, dimension: Dimension, capacity: number) => Bucket
): State["buckets"] => {
  const buckets: { [D in Dimension]?: Bucket } = { ...state.buckets }
  for (const dimension of dimensions) {
    const limit = limits[dimension]
    if (limit === undefined) continue
    const full = capacity(limits, limit, state.buckets[dimension])
    buckets[dimension] = change(
      state.buckets[dimension] ?? { level: full, told: undefined, lowered: 0 },
      dimension,
      full
    )
  }
  return buckets
}

/** Lets time pass. While a clock is set back, none passes. */
export const advance = (limits: Limits, state: State, now: number): State => {
  if (now === state.at) return state
  const elapsed = Math.max(0, now - state.at)
  const pause = Math.max(0, state.pause - elapsed)
  const minutes = (elapsed - (state.pause - pause)) / minute
  return {
    at: now,
    pause,
    pauses: state.pauses,
    buckets: update(limits, state, (bucket, dimension, full) => ({
      ...bucket,
      level: Math.min(full, bucket.level + minutes * rate(limits[dimension] ?? 0, bucket))
    }))
  }
}

/** The time until each bucket holds the amount asked for. */
const lack = (limits: Limits, state: State, asked: (dimension: Dimension, capacity: number) => number): number => {
  let longest = 0
  for (const dimension of dimensions) {
    const limit = limits[dimension]
    if (limit === undefined) continue
    const bucket = state.buckets[dimension]
    const full = capacity(limits, limit, bucket)
    const missing = asked(dimension, full) - (bucket?.level ?? full)
    if (missing > tolerance) longest = Math.max(longest, missing / rate(limit, bucket) * minute)
  }
  // Whole milliseconds, so that nothing is too early; a fraction of a binary digit is none.
  return state.pause + Math.ceil(longest - tolerance)
}

/** A bucket for readers: its size, its content, and the milliseconds until it is full. */
export interface Fill {
  readonly limit: number
  readonly remaining: number
  readonly untilFull: number
}

/** The buckets that are limited. */
export const fill = (limits: Limits, before: State, now: number): { readonly [D in Dimension]?: Fill } => {
  const state = advance(limits, before, now)
  const filled: { [D in Dimension]?: Fill } = {}
  for (const dimension of dimensions) {
    const limit = limits[dimension]
    if (limit === undefined) continue
    const bucket = state.buckets[dimension]
    const full = capacity(limits, limit, bucket)
    const remaining = bucket?.level ?? full
    const missing = full - remaining
    const untilFull = missing > tolerance ? state.pause + (missing / rate(limit, bucket)) * minute : 0
    filled[dimension] = { limit: full, remaining, untilFull }
  }
  return filled
}

/** No amount of anything. */
export const nothing: Amounts = { requests: 0, tokens: 0, inputTokens: 0, outputTokens: 0 }

/** The sum of two. */
export const plus = (a: Amounts, b: Amounts): Amounts => ({
  requests: a.requests + b.requests,
  tokens: a.tokens + b.tokens,
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens
})

/**
 * Takes the cost of a request from all buckets, or from none. A request that costs more than a full bucket is let
 * through when the bucket is full, and owes the rest. The cost of the requests before it in line is left to them.
 */
export const reserve = (limits: Limits, before: State, cost: Amounts, now: number, ahead = nothing): Outcome => {
  const state = advance(limits, before, now)
  const wait = lack(limits, state, (dimension, full) => ahead[dimension] + Math.min(cost[dimension], full))
  if (wait > 0) return { _tag: "Refused", state, wait }
  const taken: { [D in Dimension]: number } = { ...cost }
  const left: { [D in Dimension]?: number } = {}
  const lowered: { [D in Dimension]?: number } = {}
  const buckets = update(limits, state, (bucket, dimension) => {
    const limit = limits[dimension] ?? 0
    const rest = bucket.level - cost[dimension]
    const level = isSlowed(limit, bucket) ? Math.max(rest, lowest(limits, limit, bucket)) : rest
    if (level !== rest) taken[dimension] = bucket.level - level
    left[dimension] = level
    lowered[dimension] = bucket.lowered
    return { ...bucket, level }
  })
  return {
    _tag: "Reserved",
    state: { ...state, buckets },
    reservation: { cost: taken, left, lowered, pauses: state.pauses }
  }
}

/** The longest time until these amounts have been let through: in milliseconds, from now on. */
export const foresee = (limits: Limits, before: State, amounts: Amounts, now: number): number =>
  lack(limits, advance(limits, before, now), (dimension) => amounts[dimension])

/**
 * The amount by which the provider has less than the bucket. Requests overtake each other on their way, and headers may
 * describe the arrival of the request or the departure of the answer: the smaller difference counts. The view may
 * already have been lowered in between.
 */
const excess = (level: number, remaining: number, lowered: number, left: number, loweredBefore: number): number =>
  Math.min(left - remaining - (lowered - loweredBefore), level - remaining)

/**
 * Replaces a reservation by the actual use: gives back or charges the difference, and takes in the statement of the
 * provider, which only ever lowers the view. Nothing is given back after a pause: the rest was known then.
 *
 * The numbers come from outside, and one may be absurd: none makes a full bucket take longer than `maxPause`.
 */
export const settle = (limits: Limits, before: State, settlement: Settlement, now: number): State => {
  const { reservation, told, used } = settlement
  const state = advance(limits, before, now)
  const buckets = update(limits, state, (bucket, dimension) => {
    const reserved = reservation.cost[dimension]
    const unused = reserved - (used[dimension] ?? reserved)
    const limit = limits[dimension] ?? 0
    const stated = told?.[dimension]?.limit
    const known = {
      ...bucket,
      // At least one within a pause.
      told: stated !== undefined && stated > 0 ? Math.max(stated, minute / (limits.maxPause ?? Infinity)) : bucket.told
    }
    const full = capacity(limits, limit, known)
    const level = Math.min(full, bucket.level + (state.pauses > reservation.pauses ? Math.min(0, unused) : unused))
    const left = reservation.left[dimension]
    const remaining = told?.[dimension]?.remaining
    const drop = left === undefined || remaining === undefined
      ? 0
      : excess(level, remaining, bucket.lowered, left, reservation.lowered[dimension] ?? 0)
    const settled = drop < 1 ? { ...known, level } : { ...known, level: level - drop, lowered: bucket.lowered + drop }
    const least = lowest(limits, limit, known)
    return {
      ...settled,
      level: Math.max(settled.level, isSlowed(limit, known) ? least : Math.min(least, bucket.level))
    }
  })
  return { ...state, buckets }
}

/**
 * Lets nothing through for this many milliseconds (a longer pause stays in force). The buckets are empty afterwards:
 * the provider has nothing to give.
 */
export const pause = (limits: Limits, before: State, millis: number, now: number): State => {
  const state = advance(limits, before, now)
  return {
    at: now,
    pause: Math.max(state.pause, millis),
    pauses: state.pauses + 1,
    buckets: update(limits, state, (bucket) => ({
      ...bucket,
      level: Math.min(0, bucket.level),
      lowered: bucket.lowered + Math.max(0, bucket.level)
    }))
  }
}
