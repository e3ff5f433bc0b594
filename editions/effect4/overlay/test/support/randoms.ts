// In place of the file: Effect 4 makes no generator of random numbers as a value.
import type { Random } from "effect/Random"

const of = (next: () => number): typeof Random.Service => ({
  nextDoubleUnsafe: next,
  nextIntUnsafe: () => Math.floor((next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
})

/** Random numbers that are the same for each seed. */
export const seededRandom = (seed: string | number): typeof Random.Service => {
  let state = Array.from(String(seed)).reduce(
    (hash, char) => Math.imul(hash ^ char.charCodeAt(0), 0x01000193),
    0x811c9dc5
  )
  return of(() => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  })
}

/** These numbers, over and over. */
export const fixedRandom = (values: ReadonlyArray<number>): typeof Random.Service => {
  let at = 0
  return of(() => values[at++ % values.length] ?? 0)
}
