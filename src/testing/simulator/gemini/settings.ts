import type { Invalid, Json } from "../protocol.js"
import { problem } from "../protocol.js"
import { member } from "./service.js"

/** The tiers of service that a request may name. */
const tiers: ReadonlyArray<unknown> = ["unspecified", "standard", "flex", "priority"]

/** Checks the tier of service, and that a request does not repeat the fields of its cached content. */
export const settingsProblem = (request: Json): Invalid | undefined => {
  const tier = member(request, "serviceTier")
  if (tier !== undefined && !tiers.includes(tier)) {
    return problem(
      `Invalid value at 'service_tier' (type.googleapis.com/google.ai.generativelanguage.v1beta.ServiceTier), ${
        JSON.stringify(tier)
      }`,
      "service_tier"
    )
  }
  const again = ["systemInstruction", "tools", "toolConfig"].some((name) => member(request, name) !== undefined)
  return member(request, "cachedContent") !== undefined && again
    ? problem(
      "CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.\n\n" +
        "Proposed fix: move those values to CachedContent from GenerateContent request."
    )
    : undefined
}
