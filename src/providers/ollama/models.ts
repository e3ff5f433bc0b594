import type { ReasoningEffort } from "../../domain/LlmRequest.js"

const levels: { readonly [Effort in ReasoningEffort]: boolean | string } = {
  none: false,
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "max",
  max: "max"
}

/** How much a model is to think: a level, or false. A model without levels takes any of them as true. */
export const thinkOf = (model: string, effort: ReasoningEffort): boolean | string => {
  const think = levels[effort]
  return think === "max" && model.includes("gpt-oss") ? "high" : think
}
