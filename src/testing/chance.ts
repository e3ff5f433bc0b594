import { sha256Hex } from "#sha256"

/** A number in [0, 1) that depends on the text alone. */
export const chance = (text: string): number => parseInt(sha256Hex(text).slice(0, 12), 16) / 16 ** 12
