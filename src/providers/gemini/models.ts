import type { ReasoningEffort } from "../../domain/LlmRequest.js"

// Facts about Gemini models, by their names.

/**
 * The version of a Gemini as a number, 205 for 2.5: from names such as `gemini-2.5-flash-lite`, `gemini-3-pro-preview`.
 * An alias of the latest counts as the highest version. 0 where the name has none.
 */
const versionOf = (model: string): number => {
  const found = /gemini-(\d{1,2})(?:\.(\d{1,2}))?(?!\d)/.exec(model)
  if (found !== null) return 100 * Number(found[1]) + Number(found[2] ?? 0)
  return /gemini-[a-z-]+-latest$/.test(model) ? Infinity : 0
}

/**
 * Up to 2.5 models are known to take temperature 0. Later ones are made for 1: they loop at lower values, or ignore them.
 */
export const takesTemperature = (model: string): boolean => versionOf(model) >= 100 && versionOf(model) <= 205

/** From version 3 on the service refuses a tool call without the signature that it came with. */
export const wantsSignatures = (model: string): boolean => versionOf(model) >= 300

/** From version 3 on a model takes a schema for its answer and tools together. A model of another name may. */
export const takesSchemaWithTools = (model: string): boolean => versionOf(model) === 0 || versionOf(model) >= 300

const thinkingBudgets: { readonly [Effort in ReasoningEffort]: number } = {
  none: 0,
  minimal: 512,
  low: 1_024,
  medium: 8_192,
  high: 24_576,
  xhigh: 24_576,
  max: 32_768
}

const thinkingLevels: { readonly [Effort in ReasoningEffort]: string } = {
  none: "MINIMAL",
  minimal: "MINIMAL",
  low: "LOW",
  medium: "MEDIUM",
  high: "HIGH",
  xhigh: "HIGH",
  max: "HIGH"
}

/** The field that sets how much a model thinks: a level from version 3 on, a budget of tokens in 2.5. */
export const thinkingOf = (
  model: string,
  effort: ReasoningEffort
): { readonly thinkingLevel: string } | { readonly thinkingBudget: number } | undefined => {
  const version = versionOf(model)
  if (/-(?:image|tts|audio|live)\b/.test(model)) return undefined
  if (version >= 300) {
    const level = thinkingLevels[effort]
    const takesMinimal = version <= 306 && model.includes("flash")
    return { thinkingLevel: level === "MINIMAL" && !takesMinimal ? "LOW" : level }
  }
  if (version !== 205) return undefined
  // Pro always thinks, and may think more than the others.
  const [least, most] = model.includes("pro") ? [128, 32_768] : [0, 24_576]
  return { thinkingBudget: Math.min(Math.max(thinkingBudgets[effort], least), most) }
}
