import { type Effort, find, firstOf, type ModelFacts, type Models } from "../modelFacts.js"

// Facts about OpenAI's models, for both of OpenAI's protocols. Sources: OpenAI's documentation of its models and of the
// field `reasoning.effort`, the model lists of its SDK (7.59), and what other clients have measured on the live service.

const upToHigh: ReadonlyArray<Effort> = ["low", "medium", "high"]
const upToXhigh: ReadonlyArray<Effort> = [...upToHigh, "xhigh"]
const upToMax: ReadonlyArray<Effort> = [...upToXhigh, "max"]

/** From 5.6 on the prompt cache has options. */
const latest: ModelFacts = { efforts: upToMax, promptCache: "options" }

/** Before GPT-5 an answer has one verbosity. */
const sampling: ModelFacts = { reasoning: "never", sampling: "always", verbosity: false }
const withoutSchemas: ModelFacts = { ...sampling, outputMode: "tool" }
const wordsOnly: ModelFacts = { ...sampling, outputMode: "prompt" }

const always: ModelFacts = { reasoning: "always", sampling: "never", stop: false }
const fixed: ModelFacts = { reasoning: "always", sampling: "never", efforts: [] }
const early: ModelFacts = { ...always, verbosity: false }
const byDefault: ModelFacts = { reasoning: "byDefault", sampling: "withoutReasoning", stop: false }
const onRequest: ModelFacts = { ...byDefault, reasoning: "onRequest" }

/** Facts about single models, with all of their dates. */
export const models: Models = {
  "gpt-6-sol*": { ...byDefault, ...latest },
  // It takes tools in Chat Completions only with the effort `none`, as does 5.6.
  "gpt-6-luna*": { ...byDefault, ...latest, chatTools: "withoutReasoning" },
  "gpt-6-astra*": { ...always, ...latest },
  "gpt-6-cyber*": { ...always, ...latest },
  "gpt-6-rosalind*": { ...always, ...latest },
  "gpt-6.1-terra*": { ...byDefault, ...latest },
  "gpt-6.1-sol*": { ...always, ...latest },
  "gpt-6.2-sol*": { ...always, ...latest },
  "gpt-6.2-astra*": { ...always, ...latest },

  "gpt-5.6*": { ...byDefault, ...latest, chatTools: "withoutReasoning" },
  "gpt-5.5-pro*": { ...always, efforts: ["medium", "high", "xhigh"] },
  "gpt-5.5*": { ...byDefault, efforts: upToXhigh },
  "gpt-5.4-pro*": { ...always, efforts: ["medium", "high", "xhigh"] },
  "gpt-5.4*": { ...onRequest, efforts: upToXhigh, chatTools: "withoutEffort" },
  // The chat variants reason at a fixed effort.
  "gpt-5.3-chat*": fixed,
  "gpt-5.3*": { ...onRequest, efforts: upToXhigh },
  "gpt-5.2-chat*": fixed,
  "gpt-5.2-pro*": { ...always, efforts: ["medium", "high", "xhigh"] },
  "gpt-5.2-codex*": { ...always, efforts: upToXhigh },
  "gpt-5.2*": { ...onRequest, efforts: upToXhigh, chatTools: "withoutEffort" },
  "gpt-5.1-chat*": fixed,
  "gpt-5.1-codex-max*": { ...always, efforts: upToXhigh },
  "gpt-5.1-codex*": { ...always, efforts: upToHigh },
  "gpt-5.1*": { ...onRequest, efforts: upToHigh },
  // The one of its family that does not reason, and takes neither tools nor schemas.
  "gpt-5-chat*": wordsOnly,
  "gpt-5-pro*": { ...always, efforts: ["high"] },
  "gpt-5-codex*": { ...always, efforts: upToHigh },
  "gpt-5": { ...always, efforts: ["minimal", ...upToHigh] },
  "gpt-5-2025*": { ...always, efforts: ["minimal", ...upToHigh] },
  "gpt-5-mini*": { ...always, efforts: ["minimal", ...upToHigh] },
  "gpt-5-nano*": { ...always, efforts: ["minimal", ...upToHigh] },

  "gpt-daybreak-*": { reasoning: "byDefault" },
  "gpt-rosalind-*": { reasoning: "byDefault" },

  "o1-mini*": { ...fixed, verbosity: false, outputMode: "prompt" },
  "o1-preview*": { ...fixed, verbosity: false, outputMode: "prompt" },
  "o1*": { ...early, stop: true, efforts: upToHigh },
  "o3*": { ...early, efforts: upToHigh },
  "o4-mini*": { ...early, efforts: upToHigh },
  "codex-mini*": { ...early, stop: true, efforts: upToHigh },
  "computer-use*": { ...early, stop: true, efforts: upToHigh },

  "chatgpt-4o*": wordsOnly,
  // Answers of a search are sampled by the service.
  "gpt-4o-search*": { ...sampling, sampling: "never" },
  "gpt-4o-mini-search*": { ...sampling, sampling: "never" },
  "gpt-4o-audio*": wordsOnly,
  "gpt-4o-mini-audio*": wordsOnly,
  "gpt-audio*": wordsOnly,
  // The first GPT-4o takes no schema, but calls a forced tool, as those before it do.
  "gpt-4o-2024-05-13": withoutSchemas,
  "gpt-4o*": sampling,
  "gpt-4.*": sampling,
  "gpt-4*": withoutSchemas,
  "gpt-3.5*": withoutSchemas
}

/** The likely facts about other models of a family. */
export const families: Models = {
  "gpt-5*": { ...always, efforts: upToHigh },
  "gpt-6*": { ...always, ...latest },
  "gpt-7*": { reasoning: "byDefault", promptCache: "options" },
  "gpt-8*": { reasoning: "byDefault", promptCache: "options" },
  "gpt-9*": { reasoning: "byDefault", promptCache: "options" },
  "o5*": { reasoning: "byDefault" },
  "o6*": { reasoning: "byDefault" },
  "codex*": { reasoning: "byDefault" }
}

/** Routers call `gpt-4o` `openai/gpt-4o`; a fine-tuned model has the facts of the model that it was made from. */
export const nameOf = (model: string): string => model.slice(model.lastIndexOf("/") + 1).replace(/^ft:/, "")

/** The facts about a model, if its name is one of OpenAI's. */
export const known = firstOf(find(models, nameOf), find(families, nameOf))
