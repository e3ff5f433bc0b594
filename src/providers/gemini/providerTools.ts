import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Json from "../../wire/json.js"
import type * as Facts from "../modelFacts.js"

/**
 * The tools of a request that Google runs. The protocol's own "none" concerns only functions, so with it these tools
 * are not sent.
 */
export const sent = ({ providerTools = [], toolChoice }: LlmRequest): NonNullable<LlmRequest["providerTools"]> =>
  toolChoice === "none" ? [] : providerTools

const isMixed = (request: LlmRequest): boolean => sent(request).length > 0 && (request.tools ?? []).length > 0

/**
 * If there are functions, too, the service has to be asked for the calls of its own tools, which then go back with the
 * others.
 */
export const withInvocations = (
  config: Json.JsonObject | undefined,
  request: LlmRequest
): Json.JsonObject | undefined => isMixed(request) ? { ...config, includeServerSideToolInvocations: true } : config

/**
 * Combinations that the service answers with 400: up to 2.5, its tools beside functions or a format; and a required
 * call of its tools.
 */
export const problem = (
  request: LlmRequest,
  { mixedTools = true, schemaWithTools = true }: Facts.ModelFacts
): Reason | undefined => {
  const { model, outputFormat, outputSchema, toolChoice, tools = [] } = request
  if (sent(request).length === 0) return undefined
  if (isMixed(request) && !mixedTools) {
    return UnsupportedFeature.make({
      feature: "provider tools beside other tools",
      message: `${model} takes the program's tools or Google's, not both`
    })
  }
  if ((outputSchema !== undefined || outputFormat !== undefined) && !schemaWithTools) {
    return UnsupportedFeature.make({
      feature: "provider tools with JSON",
      message: `${model} uses Google's tools or answers with JSON, not both`
    })
  }
  return toolChoice === "required" && tools.length === 0
    ? UnsupportedFeature.make({
      feature: "toolChoice: required",
      message: "gemini can make a model call the program's tools, not Google's"
    })
    : undefined
}
