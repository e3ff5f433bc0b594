import { isRecord } from "effect/Predicate"
import type { Invalid, Json } from "../protocol.js"
import { problem } from "../protocol.js"
import { member, versionOf } from "./service.js"

/** The settings for thinking in a request. */
export const thinkingOf = (request: Json) => {
  const config = member(request, "generationConfig")
  const thinking = isRecord(config) ? member(config, "thinkingConfig") : undefined
  const given: Json = isRecord(thinking) ? thinking : {}
  return {
    budget: member(given, "thinkingBudget"),
    level: member(given, "thinkingLevel"),
    isShown: member(given, "includeThoughts") === true
  }
}

export const thinkingProblem = (request: Json, model: string): Invalid | undefined => {
  const { budget, isShown, level } = thinkingOf(request)
  const version = versionOf(model)
  const asks = isShown || level !== undefined || (budget !== undefined && budget !== 0)
  if (version > 0 && version < 205 && asks) return problem("Thinking is not enabled for this model.")
  if (budget !== undefined && level !== undefined) {
    return problem("You can only set only one of thinking budget and thinking level.")
  }
  if (version === 205 && level !== undefined) return problem("Thinking level is not supported for this model.")
  return budget === 0 && version >= 205 && model.includes("pro")
    ? problem("Budget 0 is invalid. This model only works in thinking mode.")
    : undefined
}

/** From version 2.5 on, models think by default, except Flash-Lite. */
export const thinks = (request: Json, model: string): boolean => {
  const { budget, isShown, level } = thinkingOf(request)
  if (budget === 0) return false
  return isShown || level !== undefined || budget !== undefined ||
    (versionOf(model) >= 205 && !/flash-lite/.test(model))
}
