import type { ReasoningEffort } from "../../domain/LlmRequest.js"

// Facts about OpenAI's models, by their names: for both of OpenAI's protocols.

/** Routers call `gpt-4o` `openai/gpt-4o`. */
const baseName = (model: string): string => model.slice(model.lastIndexOf("/") + 1)

/** OpenAI's reasoning models answer 400 to sampling settings and to `max_tokens`. */
export const isReasoningModel = (model: string): boolean =>
  /^(?:o\d|gpt-[5-9](?!.*chat)|codex|computer-use)/.test(baseName(model))

/** OpenAI's models that are known to take sampling settings, and no reasoning effort. */
export const isSamplingModel = (model: string): boolean =>
  /^(?:gpt-3\.5|gpt-4|chatgpt-4o|gpt-5.*chat|ft:gpt-(?:3\.5|4))/.test(baseName(model))

/** From 5.1 on (and up to 6) the reasoning models take sampling settings if reasoning is turned off. */
export const samplesWithout = (model: string, effort: ReasoningEffort | undefined): boolean =>
  effort === "none" && /^gpt-5\.[1-9](?!.*chat)/.test(baseName(model))

/**
 * How a model is best asked for JSON that fits a schema. Models before GPT-4o of August 2024 take no schema, but call a
 * forced tool; a few take neither.
 */
export const bestOutputMode = (model: string): "native" | "tool" | "prompt" => {
  const name = baseName(model).replace(/^ft:/, "")
  if (/^(?:o1-(?:mini|preview)|chatgpt-4o)/.test(name)) return "prompt"
  return /^(?:gpt-3\.5|gpt-4(?![\do.])|gpt-4o-2024-05-13)/.test(name) ? "tool" : "native"
}

/** Some of the reasoning models take no stop texts either. */
export const refusesStop = (model: string): boolean => /^(?:o3|o4-mini|gpt-[5-9](?!.*chat))/.test(baseName(model))
