/** Finds the parts of one text that come from others, in time linear in all of them. */
export interface Quotations {
  /** Looks for quotations of a source. */
  readonly add: (source: string) => void
  /** The quoted code units of the text. A space at either end of a run does not count. */
  readonly marks: () => Uint8Array
  /** The number of steps so far. */
  readonly work: () => number
}

// A suffix automaton: each state stands for the substrings of the text that end at the same places, of which `longest` is
// the length of the longest; `suffix` is the state of the longest one that ends at more places. Reading a source through
// it gives, at each position, the longest substring of the text that ends there.

interface Automaton {
  readonly next: ReadonlyArray<Map<number, number>>
  readonly suffix: ReadonlyArray<number>
  readonly longest: ReadonlyArray<number>
  /** The state of each beginning of the text. */
  readonly ends: ReadonlyArray<number>
  readonly steps: number
}

const root = 0
const none = -1

const build = (text: string): Automaton => {
  const next: Array<Map<number, number>> = [new Map()]
  const suffix = [none]
  const longest = [0]
  const ends: Array<number> = []
  let steps = 0

  const addState = (length: number, link: number, transitions: Map<number, number>): number => {
    suffix.push(link)
    longest.push(length)
    return next.push(transitions) - 1
  }

  /** The state for the substrings that `from` leads to and that are at most one unit longer than its own. */
  const split = (from: number, unit: number): number => {
    const to = next[from]!.get(unit)!
    if (longest[to] === longest[from]! + 1) return to
    const shorter = addState(longest[from]! + 1, suffix[to]!, new Map(next[to]))
    suffix[to] = shorter
    for (let state = from; state !== none && next[state]!.get(unit) === to; state = suffix[state]!) {
      next[state]!.set(unit, shorter)
      steps++
    }
    return shorter
  }

  let last = root
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    const added = addState(i + 1, root, new Map())
    let state = last
    while (state !== none && !next[state]!.has(unit)) {
      next[state]!.set(unit, added)
      state = suffix[state]!
      steps++
    }
    if (state !== none) suffix[added] = split(state, unit)
    last = added
    ends.push(added)
  }
  return { next, suffix, longest, ends, steps: steps + next.length }
}

/**
 * Prepares a text for the search. Quotations of at least `run` code units count, and quotations of a whole shorter
 * source.
 */
export const make = (text: string, run: number): Quotations => {
  const { ends, longest, next, steps, suffix } = build(text)
  /** For each state, the longest quotation that ends where its substrings end. */
  const quoted = new Uint32Array(next.length)
  let work = steps

  const add: Quotations["add"] = (source) => {
    const enough = Math.min(run, source.length)
    if (enough === 0) return
    let state = root
    let length = 0
    for (let i = 0; i < source.length; i++) {
      const unit = source.charCodeAt(i)
      let to = next[state]!.get(unit)
      while (to === undefined && state !== root) {
        state = suffix[state]!
        length = longest[state]!
        to = next[state]!.get(unit)
        work++
      }
      if (to !== undefined) {
        state = to
        length++
      }
      if (length >= enough && length > quoted[state]!) quoted[state] = length
      work++
    }
  }

  const marks = (): Uint8Array => {
    const best = Uint32Array.from(quoted)
    const byLength: ReadonlyArray<Array<number>> = Array.from({ length: text.length + 1 }, () => [])
    longest.forEach((length, state) => byLength[length]!.push(state))
    const states = byLength.flat().slice(1)
    // From long to short: the end of a quotation is one, too, even if it ends at more places.
    for (const state of states.toReversed()) {
      const shorter = suffix[state]!
      if (best[state]! > 0 && longest[shorter]! >= run) best[shorter] = longest[shorter]!
    }
    // From short to long: a quotation ends wherever a longer substring with the same end ends.
    for (const state of states) best[state] = Math.max(best[state]!, best[suffix[state]!]!)
    const seen = new Uint8Array(text.length)
    let from = text.length
    for (let i = text.length - 1; i >= 0; i--) {
      const inside = from <= i
      const length = best[ends[i]!]!
      if (length > 0) {
        const start = i - length + 1
        from = Math.min(from, text[start] === " " ? start + 1 : start)
      }
      if (inside || (length > 0 && text[i] !== " ")) seen[i] = 1
    }
    work += 2 * states.length + text.length
    return seen
  }

  return { add, marks, work: () => work }
}
