import type { ErrorRules } from "../../wire/errorRules.js"
import * as Json from "../../wire/json.js"
import { sharedFindings, sharedRules } from "../openai/errors.js"

const firstChoice = (body: Json.JsonObject): Json.JsonObject => Json.object(Json.array(body.choices)[0])

/** The errors of Chat Completions, and of the services that speak it. */
export const errors: ErrorRules = {
  // OpenRouter.
  errorOf: (body) => firstChoice(body).error,
  read: (body, error) => {
    const shared = sharedFindings(error)
    const groqError = Json.object(body.x_groq).error
    return {
      ...shared,
      names: [...shared.names ?? [], groqError, firstChoice(body).finish_reason],
      message: groqError,
      // Mistral.
      status: body.raw_status_code
    }
  },
  rules: [
    ...sharedRules,
    // DeepSeek, as a finish reason.
    { reason: "Overloaded", codes: ["insufficient_system_resource"] }
  ]
}
