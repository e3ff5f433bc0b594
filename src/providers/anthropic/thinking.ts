import type { LlmRequest, ReasoningEffort } from "../../domain/LlmRequest.js"
import type * as Json from "../../wire/json.js"
import * as Facts from "../modelFacts.js"
import type { Changes } from "../settings.js"
import * as Unsent from "../unsent.js"

/** The turns of a conversation, as far as thinking depends on them. */
type Turns = ReadonlyArray<{ readonly role: string; readonly content: ReadonlyArray<Json.JsonObject> }>

/** The share of the limit's tokens that thinking gets, or may take. */
export const thinkingTokens: { readonly [Effort in ReasoningEffort]: number } = {
  none: 0,
  minimal: 1_024,
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 20_480,
  max: 24_576
}

/** The fields that set how much a model thinks. */
export interface Thinking {
  readonly thinking?: Json.JsonObject
  readonly effort?: ReasoningEffort
  /** The model's thinking at the effort, by which it gets room. */
  readonly room: ReasoningEffort | undefined
  readonly warnings: ReadonlyArray<string>
}

/** Whether the model has to call a tool. */
export const isForced = ({ toolChoice }: LlmRequest): boolean =>
  toolChoice === "required" || typeof toolChoice === "object"

/**
 * Whether the model has called tools without a thought, or its thoughts have been left out. A model with a budget for
 * thinking does not go on with such a turn, unless thinking is off.
 */
const lacksThoughts = (turns: Turns): boolean => {
  const results = turns.findLastIndex(({ role }) => role !== "system")
  if (!turns[results]?.content.some(({ type }) => type === "tool_result")) return false
  const calls = turns[results - 1]?.content[0]?.type
  return calls !== "thinking" && calls !== "redacted_thinking"
}

/** The amount of thinking that a request asks for. */
const wanted = (request: LlmRequest, facts: Facts.ModelFacts): Thinking => {
  const { maxTokens, model, reasoningEffort: asked } = request
  if (asked === "none" && facts.leastReasoning !== undefined) {
    const type = facts.leastReasoning
    const warning = Unsent.sentAs("reasoningEffort", type, `${model} does not take none`)
    return { thinking: { type }, room: "low", warnings: [warning] }
  }
  const { effort, warning } = Facts.roundEffort(model, facts, asked)
  const warnings = warning === undefined ? [] : [warning]
  if (effort === undefined) return { room: undefined, warnings }
  // A model that thinks only on request need not be asked not to.
  if (effort === "none") {
    return { ...(facts.reasoning !== "onRequest" && { thinking: { type: "disabled" } }), room: "none", warnings }
  }
  // Thinking and a forced tool exclude each other.
  const thinks = facts.reasoning === "always" || !isForced(request)
  if (facts.reasoningControl === "effort") {
    return { ...(thinks && { thinking: { type: "adaptive" } }), effort, room: effort, warnings }
  }
  // Thinking counts against the limit, and must leave room for the answer.
  const budget = Math.min(thinkingTokens[effort], maxTokens === undefined ? Infinity : Math.floor(maxTokens / 2))
  return thinks && budget >= 1_024
    ? { thinking: { type: "enabled", budget_tokens: budget }, room: effort, warnings }
    : { room: undefined, warnings: [Unsent.notTaken("reasoningEffort", model)] }
}

/** The same thinking, shown or hidden. That does not ask a model to think that thinks only on request. */
const displayed = (
  thinking: Thinking,
  request: LlmRequest,
  { reasoning, reasoningControl }: Facts.ModelFacts,
  name: string,
  { omitted }: Changes
): Thinking => {
  const { reasoningSummary: asked } = request
  const thinksUnasked = reasoningControl === "effort" && !omitted.has("reasoningEffort") &&
    (reasoning === "always" || (reasoning === "byDefault" && !isForced(request)))
  const shown = thinking.thinking ?? (thinksUnasked ? { type: "adaptive" } : undefined)
  if (asked === undefined || shown?.type === "disabled") return thinking
  if (shown === undefined) {
    const isUnasked = asked !== "none" && reasoning !== "never" && thinking.room === undefined
    const warning = Unsent.notSent(
      "reasoningSummary",
      `${request.model} thinks only if it is asked for a reasoningEffort`
    )
    return isUnasked ? { ...thinking, warnings: [...thinking.warnings, warning] } : thinking
  }
  const rounded = asked === "concise" || asked === "detailed"
    ? [Unsent.sentAs("reasoningSummary", "summarized", `${name} has one length`)]
    : []
  return {
    ...thinking,
    thinking: { ...shown, display: asked === "none" ? "omitted" : "summarized" },
    warnings: [...thinking.warnings, ...rounded]
  }
}

/** The fields about thinking for a request that continues a conversation. */
export const encode = (
  request: LlmRequest,
  facts: Facts.ModelFacts,
  turns: Turns,
  name: string,
  changes: Changes
): Thinking => {
  const asked = wanted(request, facts)
  const isStuck = asked.thinking?.type === "enabled" && lacksThoughts(turns)
  return displayed(
    isStuck
      ? {
        room: undefined,
        warnings: [Unsent.notSent("reasoningEffort", "the turn that called the tools has no thoughts")]
      }
      : asked,
    request,
    facts,
    name,
    changes
  )
}
