import type * as Embedding from "../domain/Embedding.js"
import * as TokenCount from "../policy/rateLimit/tokenCount.js"

/** The marks around the texts of a request, as estimates count them. */
const perRequest = 4

/**
 * Splits texts into requests that keep to limits, in order. A text that alone exceeds the limit of tokens has its own
 * request: the estimate may be too high, and the provider decides.
 */
export const split = (
  texts: ReadonlyArray<string>,
  { inputs = Infinity, tokens = Infinity }: Embedding.Limits
): ReadonlyArray<ReadonlyArray<string>> => {
  const batches: Array<Array<string>> = []
  let batch: Array<string> = []
  let left = 0
  for (const text of texts) {
    const needed = TokenCount.ofText(text)
    if (batch.length === 0 || batch.length >= inputs || needed > left) {
      batch = []
      batches.push(batch)
      left = tokens - perRequest
    }
    batch.push(text)
    left -= needed
  }
  return batches
}
