import type { ModelFacts } from "../modelFacts.js"
import * as OpenAi from "../openai/models.js"

/** OpenAI's models take the effort `max` in Responses only. */
export const known = (model: string): ModelFacts | undefined => {
  const facts = OpenAi.known(model)
  return facts?.efforts === undefined
    ? facts
    : { ...facts, efforts: facts.efforts.filter((effort) => effort !== "max") }
}
