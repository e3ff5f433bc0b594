import { type Effort, find, firstOf, type ModelFacts, type Models } from "../modelFacts.js"

// Facts about Gemini. Sources: Google's documentation of its models and of thinking, the model list and the enumeration
// `ThinkingLevel` of its SDK (3.3).

const low: ReadonlyArray<Effort> = ["low", "medium", "high"]
const minimal: ReadonlyArray<Effort> = ["minimal", ...low]

/** Models for images, speech and transcripts: the amount of their thinking cannot be chosen. */
const unchosen: ModelFacts = { efforts: [] }

/** Up to 2.0 a model does not think, and takes one of: a schema for its answer, own tools, Google's tools. */
const plain: ModelFacts = { reasoning: "never", sampling: "always", schemaWithTools: false, mixedTools: false }

/** 2.5 thinks within a budget of tokens. */
const budgeted: ModelFacts = { ...plain, reasoning: "byDefault", reasoningControl: "budget", efforts: minimal }

/** Later ones think at a level. They are made for temperature 1: at lower ones they loop, or ignore them. */
const levels: ModelFacts = {
  reasoning: "always",
  reasoningControl: "effort",
  efforts: low,
  sampling: "always",
  defaultTemperature: "service",
  signedToolCalls: true,
  toolResultParts: true
}

/** Facts about single models, with all of their dates. */
export const models: Models = {
  "gemini-1*": plain,
  "gemini-2.0*": plain,
  "gemini-2.5*-image*": { ...plain, ...unchosen },
  "gemini-2.5*-tts*": { ...plain, ...unchosen },
  "gemini-2.5*-audio*": { ...plain, ...unchosen },
  "gemini-2.5*-live*": { ...plain, ...unchosen },
  "gemini-2.5-pro*": { ...budgeted, reasoning: "always", reasoningBudget: [128, 32_768], efforts: [...minimal, "max"] },
  "gemini-2.5*": budgeted,
  "gemini-3*-image*": { ...levels, ...unchosen },
  "gemini-3*-tts*": { ...levels, ...unchosen },
  "gemini-3*-audio*": { ...levels, ...unchosen },
  "gemini-3*-live*": { ...levels, ...unchosen },
  "gemini-3*-transcribe*": { ...levels, ...unchosen },
  "gemini-3*-flash-lite*": { ...levels, efforts: minimal },
  "gemini-3-flash*": { ...levels, efforts: minimal },
  "gemini-3.1-flash*": { ...levels, efforts: minimal },
  "gemini-3.5-flash*": { ...levels, efforts: minimal },
  "gemini-3.6-flash*": { ...levels, efforts: minimal },
  "gemini-3.7-flash*": levels,
  "gemini-3.8-flash*": levels,
  "gemini-3-pro*": levels,
  "gemini-3.1-pro*": levels,
  "gemini-4-hydrogen*": { ...levels, efforts: [...low, "xhigh"] },
  "gemini-4-argon*": levels,
  "gemini-4-carbon*": levels,
  "gemini-flash-lite-latest": { ...levels, efforts: minimal },
  "gemini-flash-latest": levels,
  "gemini-pro-latest": levels,
  "gemini-nano-banana*": { ...levels, ...unchosen },
  "nano-banana*": { ...levels, ...unchosen },
  "gemini-omni*": unchosen,
  "gemini-robotics*": unchosen,
  "gemini-live*": unchosen,
  "gemma-*": unchosen,
  "lyria-*": unchosen
}

/** The likely facts about other models of a family. */
export const families: Models = {
  "gemini-*-image*": { ...levels, ...unchosen },
  "gemini-*-tts*": { ...levels, ...unchosen },
  "gemini-*-live*": { ...levels, ...unchosen },
  "gemini-*-flash-lite*": { ...levels, efforts: minimal },
  "gemini-*": levels
}

/** A name may begin with its collection: `models/gemini-2.5-pro`. */
export const nameOf = (model: string): string => model.slice(model.lastIndexOf("/") + 1)

/** The facts about a model, if its name is one of Google's. */
export const known = firstOf(find(models, nameOf), find(families, nameOf))
