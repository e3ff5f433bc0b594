import type { ErrorRules, Findings, Rule } from "../../wire/errorRules.js"
import * as Json from "../../wire/json.js"

// The errors of OpenAI, and of the services that speak one of its protocols: most speak both.

/** Fields that such services add to an error. */
export const sharedFindings = (error: Json.JsonObject): Findings => ({
  // Azure.
  names: [Json.object(error.innererror).code],
  // Groq.
  failedGeneration: error.failed_generation
})

/** Codes of such services. */
export const sharedRules: ReadonlyArray<Rule> = [
  // Groq: the service rejects the model's own words.
  { reason: "ToolArgumentsInvalid", codes: ["tool_use_failed"] },
  { reason: "OutputInvalid", codes: ["json_validate_failed"] },
  // The queue of batches is full: `token_limit_exceeded` elsewhere is about the length of a prompt.
  { reason: "RateLimited", messages: [/\benqueued tokens? limit\b|\blimit[^.]{0,40}\benqueued tokens?\b/i] },
  // Azure.
  { reason: "ContentFiltered", codes: ["responsible_ai_policy_violation"] },
  {
    reason: "InvalidRequest",
    // More than ten about images: `image_too_large`, `empty_image_file` ...; but not `image_content_policy_violation`.
    codes: ["data_residency_mismatch", /(?:^|_)image(?!.*policy)(?:_|$)/],
    // In events: elsewhere the status decides.
    on: (status) => status === undefined
  }
]

/** The errors of Responses. */
export const errors: ErrorRules = {
  errorOf: (body) => Json.object(body.response).error,
  read: (body, error) => {
    const shared = sharedFindings(error)
    const { incomplete_details: incomplete } = Json.object(body.response)
    return {
      ...shared,
      isError: body.status === "failed",
      names: [...shared.names ?? [], Json.object(incomplete).reason]
    }
  },
  rules: sharedRules
}
