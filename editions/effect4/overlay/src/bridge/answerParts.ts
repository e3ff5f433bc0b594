// In place of declarations: the usage of Effect 4 divides both of its counts.

/** The rest of a count that is known, as its parts are. */
const rest = (total: number | undefined, ...parts: ReadonlyArray<number | undefined>): number | undefined =>
  total === undefined ? undefined : Math.max(0, parts.reduce((left: number, part) => left - (part ?? 0), total))

const usageOf = ({ cachedInputTokens, cacheWriteTokens, inputTokens, outputTokens, reasoningTokens }: Usage) => ({
  inputTokens: {
    uncached: rest(inputTokens, cachedInputTokens, cacheWriteTokens),
    total: inputTokens,
    cacheRead: cachedInputTokens,
    cacheWrite: cacheWriteTokens
  },
  outputTokens: { total: outputTokens, text: rest(outputTokens, reasoningTokens), reasoning: reasoningTokens }
})
