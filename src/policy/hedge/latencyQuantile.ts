/** What is remembered of how long things took. Times are in milliseconds. */
export interface Settings {
  /** Which part of all is to be faster: 0.95. */
  readonly quantile: number
  /** How far back is looked at: at least so far, and less than twice as far. */
  readonly window: number
  /** How many there must be before the estimate means anything. */
  readonly minimum: number
}

/**
 * How long the slowest of what happened lately takes, by key: a histogram with buckets that grow by 5%, so that the
 * estimate is too long by no more than that, and costs the same however much there was.
 */
export interface LatencyQuantile {
  readonly record: (key: string, millis: number, now: number) => void
  /** The time that the part of the quantile did not exceed; `undefined` where too little is known. */
  readonly estimate: (key: string, now: number) => number | undefined
}

const growth = Math.log(1.05)

/** Enough for a week. */
const buckets = 420

const bucketOf = (millis: number): number =>
  millis <= 1 ? 0 : Math.min(buckets - 1, Math.ceil(Math.log(millis) / growth - 1e-9))

/** The longest time that a bucket holds. */
const upperBound = (bucket: number): number => Math.exp(bucket * growth)

interface Histogram {
  readonly counts: Uint32Array
  total: number
}

const empty = (): Histogram => ({ counts: new Uint32Array(buckets), total: 0 })

/** Two generations: that which counts now, and the one before it. */
interface Entry {
  current: Histogram
  previous: Histogram
  began: number
}

/** More keys than any program has models; the one not used for longest goes. */
const maxKeys = 1_000

/** Makes an empty one: state, so one for each policy. */
export const make = ({ minimum, quantile, window }: Settings): LatencyQuantile => {
  const entries = new Map<string, Entry>()

  const entryOf = (key: string, now: number): Entry => {
    const entry = entries.get(key) ?? { current: empty(), previous: empty(), began: now }
    const [oldest] = entries.keys()
    if (!entries.has(key) && entries.size >= maxKeys && oldest !== undefined) entries.delete(oldest)
    entries.delete(key)
    entries.set(key, entry)
    const age = now - entry.began
    if (age >= window) {
      entry.previous = age < 2 * window ? entry.current : empty()
      entry.current = empty()
      entry.began = now
    }
    return entry
  }

  return {
    record: (key, millis, now) => {
      const { current } = entryOf(key, now)
      const bucket = bucketOf(millis)
      current.counts[bucket] = (current.counts[bucket] ?? 0) + 1
      current.total++
    },
    estimate: (key, now) => {
      const { current, previous } = entryOf(key, now)
      const total = current.total + previous.total
      if (total < minimum) return undefined
      // 0.07 * 100 is a little more than 7.
      const rank = quantile * total - 1e-9
      let below = 0
      for (let bucket = 0; bucket < buckets; bucket++) {
        below += (current.counts[bucket] ?? 0) + (previous.counts[bucket] ?? 0)
        if (below >= rank) return upperBound(bucket)
      }
      return upperBound(buckets - 1)
    }
  }
}
