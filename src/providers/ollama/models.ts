import { find, type ModelFacts, type Models } from "../modelFacts.js"

// Facts about the models of Ollama's library. Source: https://docs.ollama.com/capabilities/thinking

const models: Models = {
  // It always thinks, whatever the request says.
  "*gpt-oss*": { reasoning: "always", efforts: ["low", "medium", "high"] },
  // A model without levels takes any of them as true.
  "*": { efforts: ["low", "medium", "high", "max"] }
}

/** The facts about a model. */
export const known: (model: string) => ModelFacts | undefined = find(models)
