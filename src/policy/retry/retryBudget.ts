/** The retries that are allowed in proportion to calls. */
export interface BudgetOptions {
  /** Retries per call. Default: 0.2. */
  readonly ratio: number
  /** Retries that are allowed however few calls were made. Default: 100. */
  readonly minimum: number
}

interface Bucket {
  /** The retries that are left. */
  tokens: number
  /** The part of the minimum that the first calls have not paid back yet. */
  owed: number
}

/**
 * The most retries saved up, in multiples of the minimum: this bounds the retries that a healthy hour adds to a storm.
 */
const savings = 2

/** More keys than any program has models. The least recently used is evicted. */
const maxKeys = 1_000

/**
 * A token bucket a key. It starts with `minimum` tokens, on loan; each call brings `ratio` tokens, which pay back the
 * loan first; each retry takes one. So `n` calls that all fail cause at most `max(minimum, ratio * n)` retries.
 */
export interface RetryBudget {
  /** Counts a call. */
  readonly deposit: (key: string) => void
  /** Takes one retry, if there is one. */
  readonly withdraw: (key: string) => boolean
}

/** A budget that never refuses. */
export const unlimited: RetryBudget = { deposit: () => {}, withdraw: () => true }

/** Makes an empty budget: state, so one for each client. */
export const make = (options: BudgetOptions): RetryBudget => {
  const buckets = new Map<string, Bucket>()
  // Most calls use the same key as the one before.
  let last: { readonly key: string; readonly bucket: Bucket } | undefined
  const capacity = savings * Math.max(options.minimum, 1)

  const bucket = (key: string): Bucket => {
    if (last?.key !== key) last = { key, bucket: find(key) }
    return last.bucket
  }

  const find = (key: string): Bucket => {
    const found = buckets.get(key)
    if (found !== undefined) {
      buckets.delete(key)
      buckets.set(key, found)
      return found
    }
    const [oldest] = buckets.keys()
    if (buckets.size >= maxKeys && oldest !== undefined) buckets.delete(oldest)
    const made: Bucket = { tokens: options.minimum, owed: options.minimum }
    buckets.set(key, made)
    return made
  }

  return {
    deposit: (key) => {
      const found = bucket(key)
      const repaid = Math.min(found.owed, options.ratio)
      found.owed -= repaid
      found.tokens = Math.min(capacity, found.tokens + options.ratio - repaid)
    },
    withdraw: (key) => {
      const found = bucket(key)
      // Many small deposits add up to a little less than a whole: 5 * 0.2 must allow one.
      if (found.tokens < 1 - 1e-9) return false
      found.tokens -= 1
      return true
    }
  }
}
