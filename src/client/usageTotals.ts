import * as LlmResponse from "../domain/LlmResponse.js"
import * as Money from "../internal/money.js"

/** The provider's own tools: a turn that does not mention them has run none. */
const toolUse = (usages: ReadonlyArray<LlmResponse.Usage>): Pick<LlmResponse.Usage, "serverToolUse"> => {
  const totals = new Map<string, number>()
  for (const { serverToolUse = {} } of usages) {
    for (const [name, count] of Object.entries(serverToolUse)) totals.set(name, (totals.get(name) ?? 0) + count)
  }
  return totals.size === 0 ? {} : { serverToolUse: Object.fromEntries(totals) }
}

/** The tier of service, if it was the same in all turns. */
const tier = (usages: ReadonlyArray<LlmResponse.Usage>): Pick<LlmResponse.Usage, "serviceTier"> => {
  const [first, ...others] = new Set(usages.map(({ serviceTier }) => serviceTier))
  return first === undefined || others.length > 0 ? {} : { serviceTier: first }
}

type Count = Exclude<keyof LlmResponse.Usage, "serverToolUse" | "serviceTier">

/** The usage of several turns. A count that one of them does not report is absent. */
export const total = (usages: ReadonlyArray<LlmResponse.Usage>): LlmResponse.Usage => {
  const sum = (name: Count) => {
    const counts = usages.flatMap((usage) => usage[name] ?? [])
    return counts.length === usages.length ? { [name]: counts.reduce((a, b) => a + b, 0) } : {}
  }
  return {
    ...sum("inputTokens"),
    ...sum("cachedInputTokens"),
    ...sum("cacheWriteTokens"),
    ...sum("outputTokens"),
    ...sum("reasoningTokens"),
    ...sum("cacheWrite5mTokens"),
    ...sum("cacheWrite1hTokens"),
    ...sum("cacheWrite12hTokens"),
    ...toolUse(usages),
    ...tier(usages)
  }
}

/** The facts about a turn's price. */
export type Turn = Pick<LlmResponse.LlmResponse, "usage" | "warnings"> & {
  readonly originalUsage?: LlmResponse.Usage | undefined
  readonly cost?: number | undefined
}

/** The last of several answers, with the usage and the cost of all of them. */
export const summed = (
  turns: ReadonlyArray<Turn>,
  last: LlmResponse.LlmResponse,
  attempts: number
): LlmResponse.LlmResponse => {
  if (turns.length < 2) return last
  return LlmResponse.freeze(LlmResponse.update(last, {
    attempts,
    usage: total(turns.map(({ usage }) => usage)),
    ...(turns.some(({ originalUsage }) => originalUsage !== undefined) &&
      { originalUsage: total(turns.map(({ originalUsage, usage }) => originalUsage ?? usage)) }),
    cost: turns.reduce((sum: number | undefined, { cost }) => Money.add(sum, cost), 0),
    warnings: [...new Set(turns.flatMap(({ warnings }) => warnings))]
  }))
}
