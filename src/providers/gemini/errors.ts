import type { ErrorRules } from "../../wire/errorRules.js"
import * as Json from "../../wire/json.js"

/**
 * The forms in which `generateContent` reports that a filter stopped the prompt or the answer. Its other errors have
 * Google's common shape, which also arrives over OpenAI's protocols.
 */
export const errors: ErrorRules = {
  read: (body) => {
    const { blockReason } = Json.object(body.promptFeedback)
    const { finishReason } = Json.object(Json.array(body.candidates)[0])
    return { isError: Json.nonEmpty(blockReason) !== undefined, names: [blockReason, finishReason] }
  },
  rules: [{
    reason: "ContentFiltered",
    codes: [
      "safety",
      "blocklist",
      "prohibited_content",
      "recitation",
      "spii",
      "image_safety",
      "jailbreak",
      "model_armor"
    ]
  }]
}
