import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Json from "../../wire/json.js"
import type * as Facts from "../modelFacts.js"

const isMixed = ({ providerTools = [], tools = [] }: LlmRequest): boolean =>
  providerTools.length > 0 && tools.length > 0

/** Beside functions the service wants to be asked for the calls of its own tools, which then go back with those of others. */
export const withInvocations = (
  config: Json.JsonObject | undefined,
  request: LlmRequest
): Json.JsonObject | undefined => isMixed(request) ? { ...config, includeServerSideToolInvocations: true } : config

/** Up to 2.5 a model answers 400 to functions beside tools of the service. */
export const problem = (request: LlmRequest, { mixedTools = true }: Facts.ModelFacts): Reason | undefined =>
  isMixed(request) && !mixedTools
    ? UnsupportedFeature.make({
      feature: "provider tools beside other tools",
      message: `${request.model} takes the program's tools or Google's, not both`
    })
    : undefined
