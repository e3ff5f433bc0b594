/**
 * Places of requests in a job, in order, as ranges: `0-99,105,107-200`. The places of a batch are mostly consecutive.
 */
export type Ranges = string

/** Writes places, which are in order. */
export const write = (places: ReadonlyArray<number>): Ranges => {
  const ranges: Array<string> = []
  let first = 0
  while (first < places.length) {
    let last = first
    while (places[last + 1] === places[last]! + 1) last++
    ranges.push(first === last ? `${places[first]}` : `${places[first]}-${places[last]}`)
    first = last + 1
  }
  return ranges.join(",")
}

/** Reads places. */
export const read = (ranges: Ranges): ReadonlyArray<number> =>
  ranges === "" ? [] : ranges.split(",").flatMap((range) => {
    const [first = NaN, last = first] = range.split("-").map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
