/** Extractive summaries by word frequency: short, deterministic, and different for different texts. */

// Shorter words are articles and the like in most languages with spaces between words.
const minimumLength = 4

const words = (text: string): ReadonlyArray<string> =>
  (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => word.length >= minimumLength)

const frequencies = (text: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const word of words(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** The words of a text, the most frequent first; equally frequent ones in the order of the text. At least one. */
export const keywords = (text: string): readonly [string, ...Array<string>] => {
  const [first = "nothing", ...others] = [...frequencies(text)].sort(([, a], [, b]) => b - a).map(([word]) => word)
  return [first, ...others]
}

/** Whether a text has a word, in any case: letters, digits, `_` and `-`. */
export const hasWord = (text: string, word: string): boolean =>
  text.match(/[\w-]+/g)?.some((found) => found.toLowerCase() === word.toLowerCase()) ?? false

/** The sentences of a text. A sentence ends at `.`, `!`, `?`, their CJK forms, or at the end of a line. */
const sentences = (text: string): ReadonlyArray<string> =>
  (text.match(/[^\n.!?。！？]+(?:\.(?=[^\s])[^\n.!?。！？]*)*[.!?。！？]*["”’)\]]*/gu) ?? [])
    .map((sentence) => sentence.trim())
    .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence))

/**
 * The sentence whose words are the most frequent on average; from four sentences on the best two, in the order of the
 * text. A line that ends with a colon is a heading or an instruction, not a sentence.
 */
export const summarize = (text: string): string => {
  const counts = frequencies(text)
  const all = sentences(text)
  const candidates = all.filter((sentence) => !sentence.endsWith(":") && words(sentence).length >= 3)
  const scored = (candidates.length === 0 ? all : candidates).map((sentence, index) => {
    const own = words(sentence)
    const total = own.reduce((sum, word) => sum + (counts.get(word) ?? 0), 0)
    return { index, score: own.length === 0 ? 0 : total / own.length, sentence }
  })
  const best = [...scored].sort((a, b) => b.score - a.score || a.index - b.index).slice(0, scored.length < 4 ? 1 : 2)
  const summary = best.sort((a, b) => a.index - b.index).map(({ sentence }) => sentence).join(" ")
  return summary === "" ? "There is nothing to summarise." : summary
}
