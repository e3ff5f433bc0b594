/** Settings of the memory for latencies. Times are elapsed milliseconds. */
export interface Settings {
  /** The share of latencies below the estimate: 0.95. */
  readonly quantile: number
  /** How long a latency counts: at least this long, and less than twice as long. */
  readonly window: number
  /** The number of latencies before there is an estimate. */
  readonly minimum: number
}

/**
 * A quantile of recent latencies, by key: a histogram whose buckets grow by 5%, so the estimate is at most 5% too long,
 * at the same cost for any number of latencies.
 */
export interface LatencyQuantile {
  readonly record: (key: string, millis: number, now: number) => void
  /** The quantile; `undefined` while too few latencies are known. */
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

/** Two generations: the current one and the one before it. */
interface Entry {
  current: Histogram
  previous: Histogram
  began: number
}

/** More keys than any program has models; the least recently used is forgotten. */
const maxKeys = 1_000

/** Makes an empty histogram for each key: state, so one for each policy. */
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
