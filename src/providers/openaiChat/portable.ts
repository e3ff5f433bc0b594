import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Json from "../../wire/json.js"
import type { ModelFacts } from "../modelFacts.js"
import * as Unsent from "../unsent.js"
import type { Capabilities } from "./hosts.js"

// Settings that OpenAI brought into the protocol, under each service's names, or left out.

/** The fields for the settings, and warnings about those that are not sent. */
interface Portable {
  readonly fields: Json.JsonObject
  readonly warnings: ReadonlyArray<string>
}

const notSent = (field: string, why: string): Portable => ({
  fields: {},
  warnings: [Unsent.notSent(field, why)]
})

const nothing: Portable = { fields: {}, warnings: [] }

const sent = (fields: Json.JsonObject): Portable => ({ fields, warnings: [] })

/** The service of a request. */
interface Service {
  readonly name: string
  readonly capabilities: Capabilities
}

const serviceTier = ({ serviceTier: tier }: LlmRequest, { capabilities, name }: Service): Portable => {
  if (tier === undefined) return nothing
  const named = capabilities.serviceTiers[tier]
  if (named !== undefined) return sent({ service_tier: named })
  // A service without tiers has the ordinary one.
  return tier === "flex" || tier === "priority" ? notSent("serviceTier", `${name} does not take ${tier}`) : nothing
}

const verbosity = ({ model, verbosity: asked }: LlmRequest, { capabilities, name }: Service, facts: ModelFacts) => {
  // A model that takes none has this one.
  if (asked === undefined || (facts.verbosity === false && asked === "medium")) return nothing
  return !capabilities.verbosity
    ? notSent("verbosity", `${name} does not take it`)
    : facts.verbosity === false
    ? notSent("verbosity", `${model} does not take it`)
    : sent({ verbosity: asked })
}

/** Models call several tools at once by default. */
const parallelToolCalls = (
  { parallelToolCalls: asked }: LlmRequest,
  { capabilities, name }: Service,
  hasTools: boolean
): Portable => {
  if (asked === undefined || !hasTools) return nothing
  if (capabilities.parallelToolCalls) return sent({ parallel_tool_calls: asked })
  return asked ? nothing : notSent("parallelToolCalls", `${name} does not take it`)
}

const reasoningSummary = (
  { reasoningSummary: asked }: LlmRequest,
  { capabilities, name }: Service
): Portable => {
  if (asked === undefined) return nothing
  const length = asked === "concise" || asked === "detailed"
    ? [Unsent.sentAs("reasoningSummary", "auto", `${name} has one length`)]
    : []
  switch (capabilities.reasoningSummary) {
    case "include_reasoning":
      return { fields: { include_reasoning: asked !== "none" }, warnings: length }
    case "always":
      return asked === "none" ? notSent("reasoningSummary", `${name} cannot hide thoughts`) : nothing
    case "never":
      return asked === "none"
        ? nothing
        : notSent("reasoningSummary", `${name} shows thoughts in Responses only (OpenAi.layer)`)
  }
}

/** The fields for a request. */
export const encode = (request: LlmRequest, service: Service, facts: ModelFacts, hasTools: boolean): Portable => {
  const all = [
    serviceTier(request, service),
    verbosity(request, service, facts),
    parallelToolCalls(request, service, hasTools),
    reasoningSummary(request, service)
  ]
  return {
    fields: Object.assign({}, ...all.map(({ fields }) => fields)),
    warnings: all.flatMap(({ warnings }) => warnings)
  }
}
