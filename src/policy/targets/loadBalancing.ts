/** A target that can be chosen. */
export interface Candidate {
  /** A number that stands for its name: `hash` of it. */
  readonly hash: number
  readonly weight: number
  /** The number of its requests under way. */
  readonly inFlight: number
}

/** At least one candidate. */
export type Candidates<C extends Candidate> = readonly [C, ...ReadonlyArray<C>]

/** Chooses in proportion to the weights. `random` is from 0 to 1. */
export const byWeight = <C extends Candidate>(candidates: Candidates<C>, random: number): C => {
  let left = random * candidates.reduce((sum, { weight }) => sum + weight, 0)
  // The sum may be rounded up so far that no candidate is reached: the last one stands in.
  let chosen: C = candidates[0]
  for (const candidate of candidates) {
    chosen = candidate
    left -= candidate.weight
    if (left < 0) break
  }
  return chosen
}

/** Chooses the candidate with the least to do for its weight; among equals, in proportion to the weights. */
export const leastBusy = <C extends Candidate>(candidates: Candidates<C>, random: number): C => {
  const [first, ...others] = candidates
  const busy = ({ inFlight, weight }: C) => inFlight / weight
  const least = others.reduce((least, candidate) => Math.min(least, busy(candidate)), busy(first))
  const [one, ...more] = candidates.filter((candidate) => busy(candidate) === least)
  return one === undefined ? first : byWeight([one, ...more], random)
}

/**
 * Chooses the same candidate for the same key in every process: rendezvous hashing. Each candidate has a score for each
 * key, and the highest wins, so that a candidate that leaves or joins moves only its own keys. The logarithm makes its
 * share of the keys its share of the weights (Schindelhauer and Schomaker, "Weighted distributed hash tables").
 */
export const byKey = <C extends Candidate>(candidates: Candidates<C>, keyHash: number): C => {
  const score = ({ hash, weight }: C) => weight / -Math.log((mix(keyHash ^ hash) + 0.5) / 2 ** 32)
  return candidates.reduce((best, candidate) => score(candidate) > score(best) ? candidate : best)
}

/** A number of 32 bits that stands for a text: FNV-1a, mixed. */
export const hash = (text: string): number => {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    state = Math.imul(state ^ (unit & 0xff), 0x01000193)
    state = Math.imul(state ^ (unit >>> 8), 0x01000193)
  }
  return mix(state)
}

/** Makes each bit depend on all others: the finalizer of MurmurHash3. */
const mix = (bits: number): number => {
  let state = bits
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}
