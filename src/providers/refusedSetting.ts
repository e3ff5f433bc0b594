import { readErrorBody } from "../wire/errorBody.js"
import type { ErrorRules } from "../wire/errorRules.js"
import type { MaxTokensField, Setting } from "./settings.js"

/** A setting that a service has refused. */
export type RefusedSetting =
  | {
    readonly _tag: "Setting"
    readonly setting: Setting
    /** Whether it is refused because of its value or of other settings: another request may have it. */
    readonly isConditional: boolean
  }
  | { readonly _tag: "MaxTokensField"; readonly field: MaxTokensField }
  /** The field of Chat Completions that asks a stream for its usage. */
  | { readonly _tag: "StreamUsage" }

// ---------------------------------------------------------------------------------------------------------------------
// Names on the wire
// ---------------------------------------------------------------------------------------------------------------------

/** The settings by their names in all protocols, in snake_case and without the object that holds them. */
const names: { readonly [Name in Setting]: ReadonlyArray<string> } = {
  temperature: ["temperature"],
  topP: ["top_p"],
  topK: ["top_k"],
  seed: ["seed", "random_seed"],
  reasoningEffort: [
    "reasoning_effort",
    "reasoning.effort",
    "reasoning",
    "effort",
    "output_config.effort",
    "think",
    "thinking",
    "thinking.type",
    "thinking_config",
    "thinking_level",
    "thinking_budget",
    "thinking_config.thinking_level",
    "thinking_config.thinking_budget"
  ],
  reasoningSummary: [
    "reasoning.summary",
    "thinking.display",
    "include_thoughts",
    "thinking_config.include_thoughts",
    "include_reasoning"
  ],
  verbosity: ["verbosity", "text.verbosity"],
  serviceTier: ["service_tier"],
  parallelToolCalls: ["parallel_tool_calls", "disable_parallel_tool_use", "tool_choice.disable_parallel_tool_use"],
  promptCache: [
    "cache_control",
    "cache_control.ttl",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_options.mode",
    "prompt_cache_options.ttl",
    "prompt_cache_retention"
  ],
  toolChoice: ["tool_choice"]
}

const settings: ReadonlyMap<string, Setting> = new Map(
  Object.entries(names).flatMap(([setting, paths]) => paths.map((path) => [path, setting as Setting] as const))
)

/** `generationConfig.topK` is `top_k`, `thinking.type.enabled` is `thinking.type`. */
const pathOf = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replace(/\.+$/, "")
    .replace(/^(?:body|request|params|options|generation_config)\./, "")
    .replace(/^(thinking\.type)\..*/, "$1")

const settingOf = (name: string): Setting | undefined => settings.get(pathOf(name))

// ---------------------------------------------------------------------------------------------------------------------
// Words
// ---------------------------------------------------------------------------------------------------------------------

/** The length up to which a message is searched. */
const maxMessage = 4_000

/** The name of a whole field: the end of `messages.0.temperature` is not one. */
const field = "(?<![\\w.\\[\\]])[`'\"]?([A-Za-z][\\w.]{0,60})[`'\"]?"

const pattern = (source: string): RegExp => new RegExp(source.replaceAll("FIELD", field), "gi")

/** The words for a field that a service does not take from this model, or does not have. */
const refusals: ReadonlyArray<RegExp> = [
  // OpenAI: "Unsupported parameter: 'x' is not supported with this model", "Unrecognized request argument supplied: x".
  "\\bunsupported (?:parameter|value|argument|field|setting)(?:s|\\(s\\))?:? FIELD",
  "\\bunrecognized (?:request )?arguments? supplied: FIELD",
  // Anthropic, Groq, and many others: "`x` is deprecated for this model", "property 'x' is unsupported".
  "FIELD (?:is|are) (?:not (?:currently )?(?:supported|permitted|allowed|available)|unsupported|deprecated)\\b",
  "FIELD: extra inputs are not permitted",
  // Fireworks; Bedrock.
  "\\bextra inputs are not permitted, field: FIELD",
  "\\bextraneous key \\[(\\w{1,60})\\] is not permitted",
  // Anthropic: "`x` may only be set to 1 when thinking is enabled".
  "FIELD may only be set to\\b",
  "FIELD must be (?:set to |left at )?(?:\\d[\\d.]*|null|unset|omitted)(?= (?:for|with|when|if|on|in)\\b|[.,;]?\\s*$)",
  "FIELD (?:can ?not|can't|must not|may not|should not) be (?:set|used|specified|provided|sent|passed|changed|given)\\b",
  // Anthropic, xAI: "does not support the effort parameter", "does not support parameter x".
  "\\b(?:do|does)(?: not|n't) support (?:the )?(?:parameters?|arguments?|setting) FIELD",
  "\\b(?:do|does)(?: not|n't) support (?:the |setting )?FIELD(?: ?=| parameter| argument| setting|\\s*$|[.,;])",
  // LiteLLM: "does not support parameters: ['x']", "don't support x=0".
  "\\b(?:do|does)(?: not|n't) support parameters?:? [\\[{(]\\s*['\"](\\w{1,60})['\"]",
  "\\b(?:argument|parameter|setting) not supported on this model: FIELD",
  // Gemini.
  "\\bunknown name FIELD(?: at '(?:generation_?config)(?:\\.[\\w.]{1,60})?')?: cannot find field",
  // Moonshot: "invalid temperature: only 1 is allowed for this model".
  "\\binvalid FIELD: only \\S{1,40} (?:is|are) allowed",
  // DeepSeek, and others that read their requests in Rust.
  "\\bunknown field FIELD",
  // Pydantic's list, as Python prints it.
  "'type': 'extra_forbidden', 'loc': \\('body', '(\\w{1,60})'\\)"
].map(pattern)

/** The words for a value that this model does not take. */
const refusedValues: ReadonlyArray<RegExp> = [
  "FIELD '[\\w.-]{1,30}' is not supported\\b",
  "FIELD must be one of\\b",
  "\\binto the target type: FIELD: unknown variant\\b"
].map(pattern)

/** Prose about thinking that names no field: Gemini, Ollama. */
const refusedThinking: ReadonlyArray<RegExp> = [
  /\bthinking (?:level|budget|config(?:uration)?|mode)\b[ \w]{0,30} (?:is|are) not supported/i,
  /\bdoes not support (?:thinking|reasoning)\b/i,
  /\bthinking is not (?:supported|enabled|available)\b/i
]

const refusedThinkingValues: ReadonlyArray<RegExp> = [
  /\bthinking (?:level|budget) (?:of )?\S{1,30} is (?:not supported|invalid)\b/i,
  /\bbudget \d+ is invalid\b.{0,80}\bthinking\b/i,
  /\bthink value \S{1,30} is not supported\b|\binvalid think(?:ing)? (?:value|level|mode)\b/i
]

/** Words of a sentence that refuses the setting it names. */
const refusing =
  /\b(?:unsupported|un(?:recogni[sz]ed|expected|known)|extraneous|deprecated|disabled|forbidden|extra (?:fields?|inputs?)|invalid (?:parameter|argument|field|option|setting|property)\b|not (?:be )?(?:currently |yet )?(?:support|accept|recogni[sz]ed|allowed|permitted|available|applicable|enabled|a valid (?:parameter|argument|field|option|setting|property))|only (?:the )?(?:default|supports?|accepts?|allows?|takes?)\b)|n't (?:support|accept|allow)/i

/** A number out of its range, or a value of another type, is a mistake of the program's. */
const mistaken =
  /\b(?:between|range|at (?:most|least)|(?:less|greater|more|fewer) than|minimum|maximum|above|below|positive|negative|type)\b|[<>≤≥]|\b(?:be|valid|expected) an? (?:valid )?\w+\b(?! (?:parameter|argument|field|option|setting|property))/i

/** Other fields of a request, one of which a sentence may be about. */
const otherFields =
  /\b(?:stop\w*|response_?format|\w*schema|max_\w+|maxTokens|\w*logprobs|logit_bias|tool\w*|functions?|stream\w*|store|user|messages?|prompts?|images?|files?|prefill|roles?)\b/i

/** The names of settings that are also ordinary words. */
const ordinary: ReadonlySet<string> = new Set(["think", "thinking", "reasoning", "effort"])

const words = /(?<![\w.[\]-])([A-Za-z][\w.]{0,60})(?![\w[-])/g

/** Pairs of settings that a model takes only one of: the second is left out. */
const exclusive = /[`'"]?\b(temperature|top_p)\b[`'"]? and [`'"]?(temperature|top_p)\b[`'"]? cannot both be\b/i

/** A condition on the rest of the request. */
const conditions =
  /\b(?:when|while|unless|together|both|combined|in combination|alongside|with (?:thinking|reasoning|tools?|functions?|streaming)|(?:function|tool) ?(?:tools?|calling|calls?) with)\b/i

/** The value is refused, not the setting as such. */
const ofValue = /\b(?:unsupported|invalid) value\b|\bsupported values\b/i

/** A place in the conversation, in a tool or in a schema, where a name means something else. */
const elsewhere =
  /(?<![\w-])(?:messages?|contents?|input|items?|tools?|system|functions?|properties)(?:\.\d|\[\d|\.\w+\.|'? ?: ?property)/i

/** A schema, or a tool by its name: a field in it is not a setting. */
const inSchema =
  /\b(?:invalid|unsupported) (?:json[ -]?)?schema\b|\bschema (?:for|of) (?:function|tool|response_format|output)|\b(?:function|tool)s? ['`"][\w.-]{1,64}['`"]/i

const inConversation =
  /^(?:messages?|contents?|input|tools?|system|functions?|response_format|output_schema|text\.format)\b(?!_)/i

/** The marks of prompt caching in a conversation, which have names that nothing else has. */
const cacheMark = /[.\])](?:cache_control|prompt_cache_breakpoint)\b/i

/** The words for a field that a service does not have, or does not take in that place. */
const unknownField =
  /\bextra inputs are not permitted\b|\b(?:unknown|unsupported|unrecognized) (?:parameter|field)\b|\bnot supported\b/i

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

/** The codes for a wrong field, and for a wrong value of one. */
const fieldCodes = ["unsupported_parameter", "unknown_parameter"]
const valueCodes = ["unsupported_value", "invalid_value"]

/**
 * Settings whose values are words, some of which a model may take. A refused number is refused for the setting as such.
 */
const ofWords: ReadonlySet<Setting> = new Set(["reasoningEffort", "reasoningSummary", "verbosity", "serviceTier"])

/** The first setting that is named, and is sent. */
const firstSetting = (
  patterns: ReadonlyArray<RegExp>,
  message: string,
  omitted: ReadonlySet<Setting>
): Setting | undefined => {
  for (const pattern of patterns) {
    for (const [, name = ""] of message.matchAll(pattern)) {
      const setting = settingOf(name)
      if (setting !== undefined && !omitted.has(setting)) return setting
    }
  }
  return undefined
}

/**
 * Services have many words for a refusal: this is a sentence that names a setting and no other field, and refuses it.
 */
const refusedIn = (message: string, omitted: ReadonlySet<Setting>): Setting | undefined => {
  for (const sentence of message.split(/[.!?;]\s|\n/)) {
    if (!refusing.test(sentence) || mistaken.test(sentence) || otherFields.test(sentence)) continue
    for (const [, name = ""] of sentence.matchAll(words)) {
      const setting = ordinary.has(name.toLowerCase()) ? undefined : settingOf(name)
      if (setting !== undefined && !omitted.has(setting)) return setting
    }
  }
  return undefined
}

const found = (setting: Setting, isConditional: boolean): RefusedSetting => ({
  _tag: "Setting",
  setting,
  isConditional
})

/** OpenAI renamed the field of the limit: newer models refuse the old name, other services do not know the new one. */
const readMaxTokens = (names: ReadonlyArray<string>, message: string): RefusedSetting | undefined => {
  const paths = names.map(pathOf)
  if (paths.includes("max_completion_tokens")) return { _tag: "MaxTokensField", field: "max_tokens" }
  return paths.includes("max_tokens") && /\bmax_completion_tokens\b/.test(message)
    ? { _tag: "MaxTokensField", field: "max_completion_tokens" }
    : undefined
}

/**
 * The setting for which a service refuses a request, by the body of its answer; `undefined` if it gives another reason,
 * or if none is certain. OpenRouter answers 404 if none of its providers takes a setting. Settings that were already
 * `omitted` are skipped.
 */
export const refusedSetting = (
  status: number,
  body: unknown,
  rules?: ErrorRules,
  omitted: ReadonlySet<Setting> = new Set()
): RefusedSetting | undefined => {
  const { codes, field: named = "", message: whole = "", status: inBody } = readErrorBody(body, rules)
  const message = whole.slice(0, maxMessage)
  const effective = status >= 400 ? status : inBody
  const acts = effective === 400 || effective === 422 || (effective === 404 && /\bno endpoints found\b/i.test(message))
  if (!acts) return undefined
  if (cacheMark.test(`${named} ${message}`) && unknownField.test(message)) return found("promptCache", false)
  if (inConversation.test(named) || elsewhere.test(message) || inSchema.test(message)) return undefined

  const namesField = named !== "" && fieldCodes.some((code) => codes.has(code))
  const namesValue = named !== "" && valueCodes.some((code) => codes.has(code))
  const fields = [
    ...(namesField ? [named] : []),
    ...refusals.flatMap((pattern) => [...message.matchAll(pattern)].map(([, name = ""]) => name))
  ]
  const limit = readMaxTokens(fields, message)
  if (limit !== undefined) return limit
  if (fields.some((name) => /^stream_options(?:\.|$)/.test(pathOf(name)))) return { _tag: "StreamUsage" }

  const isConditional = conditions.test(message)
  const field = settingOf(named)
  const setting = field !== undefined && omitted.has(field) ? undefined : field
  if (setting !== undefined && namesField) return found(setting, isConditional)
  // A number out of its range is a mistake of the program's.
  if (setting !== undefined && namesValue && (ofWords.has(setting) || codes.has("unsupported_value"))) {
    return found(setting, isConditional || ofWords.has(setting))
  }
  if (exclusive.test(message)) return found("topP", true)
  const value = firstSetting(refusedValues, message, omitted)
  if (value !== undefined) return found(value, true)
  if (refusedThinkingValues.some((pattern) => pattern.test(message))) return found("reasoningEffort", true)
  const refused = firstSetting(refusals, message, omitted) ?? refusedIn(message, omitted)
  if (refused !== undefined) {
    const isOfValue = ofWords.has(refused) && (ofValue.test(message) || /\bthinking\.type\b/i.test(message))
    return found(refused, isConditional || isOfValue)
  }
  return refusedThinking.some((pattern) => pattern.test(message)) ? found("reasoningEffort", isConditional) : undefined
}
