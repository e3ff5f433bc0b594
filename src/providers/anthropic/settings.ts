import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Json from "../../wire/json.js"
import * as Facts from "../modelFacts.js"
import type { Changes } from "../settings.js"
import * as Unsent from "../unsent.js"
import * as Portable from "./portable.js"
import type { Service } from "./service.js"
import * as Thinking from "./thinking.js"
import type { Turn } from "./turns.js"

/** The service requires a limit; a request of this library need not have one. */
const defaultMaxTokens = 4_096

/** From this version on the protocol has no sampling settings. */
const lastSampling = "2026-10-20"

/** The settings that the model takes, and warnings about the others. */
export const encode = (
  request: LlmRequest,
  { factsOf, name, version }: Service,
  raw: Json.JsonObject,
  changes: Changes,
  turns: ReadonlyArray<Turn>
) => {
  const { maxTokens, model } = request
  const facts = factsOf(model)
  const encoded = Thinking.encode(request, facts, turns, name, changes)
  const tier = Portable.serviceTier(request, name)
  const warnings = [...encoded.warnings, ...tier.warnings]
  const take = Unsent.taker(warnings)
  const thinking = Json.string(Json.object(raw.thinking ?? encoded.thinking).type) ?? "by default"
  const thinks = thinking === "by default"
    ? facts.reasoning === "always" || facts.reasoning === "byDefault"
    : thinking !== "disabled"
  const isOld = version <= lastSampling
  const samples = !thinks && Facts.samples(facts, thinks) !== false && isOld
  const by = isOld ? model : `version ${version}`
  const temperature = take("temperature", request.temperature, samples, by)
  const both = temperature === undefined || facts.temperatureWithTopP !== false
  const topP = take("topP", request.topP, samples && both, by)
  if (temperature !== undefined && temperature > 1) {
    warnings.push("temperature was sent as 1, the most that this provider takes")
  }
  take("seed", request.seed, false, model)
  take("verbosity", request.verbosity, false, name)
  const takesZero = samples && facts.sampling !== undefined && facts.defaultTemperature !== "service" &&
    topP === undefined && !changes.omitted.has("temperature")
  // A new Claude may think unasked.
  const mayThink = thinks ||
    (thinking === "by default" && facts.reasoning === undefined && facts.reasoningControl === "effort")
  const room = defaultMaxTokens + (mayThink ? Thinking.thinkingTokens[encoded.room ?? "high"] : 0)
  return {
    warnings,
    facts,
    effort: encoded.effort,
    fields: {
      max_tokens: maxTokens ?? Math.min(room, facts.maxOutputTokens ?? Infinity),
      temperature: temperature === undefined ? takesZero ? 0 : undefined : Math.min(temperature, 1),
      top_p: topP,
      top_k: take("topK", request.topK, samples, by),
      thinking: encoded.thinking,
      service_tier: tier.value
    }
  }
}
