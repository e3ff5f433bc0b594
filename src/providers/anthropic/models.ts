import { type Effort, find, firstOf, type ModelFacts, type Models } from "../modelFacts.js"

// Facts about Claude. Sources: Anthropic's documentation of its models, of thinking and of structured outputs, the model
// list of its SDK (1.14), and what other clients have measured on the live service.

const efforts: ReadonlyArray<Effort> = ["low", "medium", "high", "xhigh", "max"]

/** Up to 3.5, models do not think. */
const plain: ModelFacts = { reasoning: "never", sampling: "always", outputMode: "tool" }

/** From 3.7 to 4.5, a model thinks if it gets a budget. */
const budgeted: ModelFacts = {
  reasoning: "onRequest",
  reasoningControl: "budget",
  sampling: "withoutReasoning",
  outputMode: "tool"
}

/** From 4.6 on, a model decides how much it thinks, within an effort. */
const adaptive: ModelFacts = {
  reasoning: "onRequest",
  reasoningControl: "effort",
  outputMode: "native",
  maxOutputTokens: 128_000
}

/** From 4.7 on, a model takes no sampling settings, and has one more effort. */
const unsampled: ModelFacts = { ...adaptive, sampling: "never", efforts }

/** From 5 on, a model thinks unless a request turns that off, */
const thinking: ModelFacts = { ...unsampled, reasoning: "byDefault" }

/** or in any case. These take system messages within a conversation, as do the latest of the others. */
const always: ModelFacts = { ...unsampled, reasoning: "always", systemTurns: true }

/** Facts about single models, with all of their dates. */
export const models: Models = {
  "claude-fable-5-1*": { ...always, forcedTools: false },
  "claude-fable-5-2": { ...always, forcedTools: false },
  "claude-fable-5-2-*": { ...always, forcedTools: false },
  "claude-fable-5*": always,
  "claude-mythos-5-1*": { ...always, forcedTools: false },
  "claude-mythos-5-2": { ...always, forcedTools: false },
  "claude-mythos-5-2-*": { ...always, forcedTools: false },
  "claude-mythos-5*": always,
  "claude-mythos-preview*": { ...always, forcedTools: false },
  "claude-opus-5-5*": { ...always, forcedTools: false },
  "claude-sonnet-5-5*": { ...always, forcedTools: false, leastReasoning: "between_tools" },
  "claude-haiku-5-5*": { ...thinking, systemTurns: true },
  "claude-opus-5*": { ...thinking, systemTurns: true },
  "claude-sonnet-5*": thinking,
  "claude-opus-4-8*": { ...unsampled, systemTurns: true },
  "claude-opus-4-7*": unsampled,
  "claude-opus-4-6*": {
    ...adaptive,
    sampling: "withoutReasoning",
    defaultTemperature: "service",
    efforts: ["low", "medium", "high", "max"]
  },
  "claude-sonnet-4-6*": {
    ...adaptive,
    sampling: "withoutReasoning",
    defaultTemperature: "service",
    efforts: ["low", "medium", "high", "max"]
  },
  "claude-*-4-5*": { ...budgeted, temperatureWithTopP: false, outputMode: "native", maxOutputTokens: 64_000 },
  "claude-opus-4-1*": { ...budgeted, temperatureWithTopP: false, outputMode: "native", maxOutputTokens: 32_000 },
  "claude-opus-4*": { ...budgeted, maxOutputTokens: 32_000 },
  "claude-sonnet-4*": { ...budgeted, maxOutputTokens: 64_000 },
  "claude-3-7-*": { ...budgeted, maxOutputTokens: 64_000 },
  "claude-3-5-*": { ...plain, maxOutputTokens: 8_192 },
  "claude-3-*": { ...plain, maxOutputTokens: 4_096 },
  "claude-2*": { ...plain, maxOutputTokens: 4_096 },
  "claude-instant*": { ...plain, maxOutputTokens: 4_096 }
}

/** The likely facts about other models of a family. */
export const families: Models = {
  "claude-*": { reasoningControl: "effort", outputMode: "native" }
}

/**
 * The name in `anthropic/claude-opus-4.1` (OpenRouter), `us.anthropic.claude-opus-4-1-20250805-v1:0` (Bedrock) and
 * `claude-opus-4-1@20250805` (Vertex).
 */
export const nameOf = (model: string): string => {
  const start = model.indexOf("claude-")
  return start < 0 ? model : model.slice(start).replace(/\./g, "-").replace("@", "-")
}

/** The facts about a model, if it has the name of a Claude. */
export const known = firstOf(find(models, nameOf), find(families, nameOf))

/** Whether it is the name of a Claude: other models are served over the protocol, too. */
export const isKnown = (model: string): boolean => known(model) !== undefined
