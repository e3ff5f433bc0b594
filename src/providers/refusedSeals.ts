import { sha256Hex } from "#sha256"

/** The encrypted reasoning and signatures that a service has refused, by their hashes: some are as long as a book. */
export interface RefusedSeals {
  readonly add: (seals: ReadonlyArray<string>) => void
  readonly has: (seal: string) => boolean
}

/** A service that refuses more has probably lost the key of all: each costs one more request. */
const capacity = 10_000

/** Remembers the newest refusals, a bounded number of them. */
export const make = (): RefusedSeals => {
  const hashes = new Set<string>()
  return {
    add: (seals) => {
      for (const seal of seals) {
        const hash = sha256Hex(seal)
        hashes.delete(hash)
        hashes.add(hash)
      }
      for (const hash of hashes) {
        if (hashes.size <= capacity) break
        hashes.delete(hash)
      }
    },
    has: (seal) => hashes.size > 0 && hashes.has(sha256Hex(seal))
  }
}
