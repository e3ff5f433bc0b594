// Facts about Claude models, by their names.

/**
 * The version as a number, 405 for 4.5: from names such as `claude-opus-4-6`, `claude-haiku-4-5-20251001`,
 * `claude-3-5-haiku-latest`. 0 where the name has none.
 */
const versionOf = (model: string): number => {
  const found = /claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)/.exec(model)
  return found === null ? 0 : 100 * Number(found[1]) + Number(found[2] ?? 0)
}

/** Whether thinking cannot be turned off: these answer 400 to that, and to a forced tool. */
export const alwaysThinks = (model: string): boolean => /claude-(?:fable|mythos)/.test(model) || versionOf(model) >= 505

/** From 5 on a model thinks unless thinking is turned off; older ones think only if it is turned on. */
export const thinksByDefault = (model: string): boolean => alwaysThinks(model) || versionOf(model) >= 500

/** From 4.6 on a model decides itself how much it thinks, within an effort. */
export const thinksAdaptively = (model: string): boolean => alwaysThinks(model) || versionOf(model) >= 406

/** From 3.7 on a model thinks, at first within a budget of tokens. */
export const canThink = (model: string): boolean => alwaysThinks(model) || versionOf(model) >= 307

/** The effort `xhigh` is new in 4.7. */
export const takesXhigh = (model: string): boolean => alwaysThinks(model) || versionOf(model) >= 407

/** Up to 4.5 models are known to take sampling settings; those after Opus 4.6 answer 400 to them. */
export const takesSampling = (model: string): boolean => versionOf(model) > 0 && versionOf(model) <= 405
export const refusesSampling = (model: string): boolean => alwaysThinks(model) || versionOf(model) >= 407

/** From 4.5 on a model is held to a JSON Schema. */
export const takesSchemas = (model: string): boolean =>
  !isKnown(model) || alwaysThinks(model) || versionOf(model) >= 405

/** From 4.1 on a model takes either temperature or top_p, not both. */
export const takesOneOfTheTwo = (model: string): boolean => versionOf(model) >= 401

/** Whether the name is a Claude's: other models are served over the protocol, too. */
export const isKnown = (model: string): boolean => alwaysThinks(model) || versionOf(model) > 0

/** From Opus 4.8 and the 5.5 of the smaller ones on a model takes system messages in their place. */
export const takesSystemTurns = (model: string): boolean =>
  /claude-(?:fable|mythos)/.test(model) || versionOf(model) >= (/claude-opus/.test(model) ? 408 : 505)
