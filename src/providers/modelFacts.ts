import { ReasoningEffort } from "../domain/LlmRequest.js"
import * as Check from "../internal/check.js"
import type { OutputMode } from "../LlmProvider.js"
import * as Unsent from "./unsent.js"

/** An effort other than none. */
export type Effort = Exclude<ReasoningEffort, "none">

/**
 * Facts about a model: the settings that it takes, and the form of requests. An absent fact is not known: the request
 * is then sent as the program wrote it, and if the service refuses it, sent again without the setting.
 */
export interface ModelFacts {
  /**
   * The model whose facts it has, from the provider's own data: for your own names, such as that of a deployment. Other
   * facts given here win. Default: the model itself.
   */
  readonly like?: string | undefined
  /**
   * When it reasons: in any case (`always`), unless a request turns that off (`byDefault`), if a request asks for an
   * effort (`onRequest`), or `never`. Default: not known.
   */
  readonly reasoning?: "always" | "byDefault" | "onRequest" | "never" | undefined
  /**
   * The efforts that it takes, besides `none`. Any other is rounded down to one of these, or up to the least of them,
   * with a warning. With an empty list its effort cannot be chosen. Default: not known, all are sent.
   */
  readonly efforts?: ReadonlyArray<Effort> | undefined
  /**
   * The form of a request to reason, for Anthropic and Gemini: an effort, or a budget of tokens. Default: an effort for
   * Gemini, a budget for Anthropic.
   */
  readonly reasoningControl?: "effort" | "budget" | undefined
  /** The least and the most tokens of such a budget, for Gemini. Default: 0 and 24,576. */
  readonly reasoningBudget?: readonly [least: number, most: number] | undefined
  /** The mode in which a Claude that always reasons does so least; the effort `none` selects it. Default: none. */
  readonly leastReasoning?: "between_tools" | undefined
  /**
   * When it takes temperature, topP and topK: always, only while it does not reason, or never. Default: not known, they are
   * sent if the request has them.
   */
  readonly sampling?: "always" | "withoutReasoning" | "never" | undefined
  /**
   * The temperature of a request that sets none, if the model takes one: 0, or the service's own. Default: 0 if the
   * model is known to take one.
   */
  readonly defaultTemperature?: 0 | "service" | undefined
  /** Whether it takes temperature and topP together. Default: true. */
  readonly temperatureWithTopP?: boolean | undefined
  /** Whether it takes stop texts. Default: true. */
  readonly stop?: boolean | undefined
  /** Whether it can be forced to call a tool. Default: true. */
  readonly forcedTools?: boolean | undefined
  /** The best way to ask it for JSON that fits a schema. Default: `native`, if the service takes schemas. */
  readonly outputMode?: OutputMode | undefined
  /** The most output tokens, including reasoning: a default limit is never higher. Default: not known. */
  readonly maxOutputTokens?: number | undefined
  /**
   * The condition for tools in OpenAI's Chat Completions: only with the effort `none`, or only without any effort.
   * Default: none, it always takes them.
   */
  readonly chatTools?: "withoutReasoning" | "withoutEffort" | undefined
  /** Whether it takes a verbosity, for OpenAI. Default: true. */
  readonly verbosity?: boolean | undefined
  /**
   * The settings of its prompt cache, for OpenAI: lifetimes and points in the prompt (`options`), or only the longest
   * time for a prompt (`retention`). Default: `retention`.
   */
  readonly promptCache?: "options" | "retention" | undefined
  /** Whether it takes a schema for its answer beside tools, for Gemini. Default: true. */
  readonly schemaWithTools?: boolean | undefined
  /** Whether it takes tools that the provider runs beside those of the program, for Gemini. Default: true. */
  readonly mixedTools?: boolean | undefined
  /** Whether it takes system messages in the course of a conversation, for Anthropic. Default: false. */
  readonly systemTurns?: boolean | undefined
  /** Whether it refuses a tool call without the signature that it came with, for Gemini. Default: false. */
  readonly signedToolCalls?: boolean | undefined
  /**
   * Whether it takes images and files within the result of a tool, for Gemini; otherwise they follow the result.
   * Default: false.
   */
  readonly toolResultParts?: boolean | undefined
}

/**
 * Facts by the names of models, in which `*` stands for any text. The first matching name counts, so put special ones
 * first.
 */
export type Models = { readonly [name: string]: ModelFacts }

// ---------------------------------------------------------------------------------------------------------------------
// Finding
// ---------------------------------------------------------------------------------------------------------------------

/** The facts about a model; all are absent if nothing is known. */
export type FactsOf = (model: string) => ModelFacts

const nothing: ModelFacts = {}

const pattern = (name: string): RegExp =>
  new RegExp(`^${name.split("*").map((text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "i")

/** Prepares data for the search: `nameOf` gives the name under which the data has a model. */
export const find = (models: Models, nameOf: (model: string) => string = (model) => model) => {
  const entries = Object.entries(models).map(([name, facts]) => [pattern(name), facts] as const)
  return (model: string): ModelFacts | undefined => {
    const name = nameOf(model)
    return entries.find(([pattern]) => pattern.test(name))?.[1]
  }
}

/** Searches data, and then other data if the first has no match. */
export const firstOf = (...searches: ReadonlyArray<(model: string) => ModelFacts | undefined>) => (model: string) => {
  for (const search of searches) {
    const facts = search(model)
    if (facts !== undefined) return facts
  }
  return undefined
}

const factNames: Check.Names<ModelFacts> = {
  like: true,
  reasoning: true,
  efforts: true,
  reasoningControl: true,
  reasoningBudget: true,
  leastReasoning: true,
  sampling: true,
  defaultTemperature: true,
  temperatureWithTopP: true,
  stop: true,
  forcedTools: true,
  outputMode: true,
  maxOutputTokens: true,
  chatTools: true,
  verbosity: true,
  promptCache: true,
  schemaWithTools: true,
  mixedTools: true,
  systemTurns: true,
  signedToolCalls: true,
  toolResultParts: true
}

/** The values of the facts that are words; others are booleans and numbers. */
const words: { readonly [Name in keyof ModelFacts]?: ReadonlyArray<unknown> } = {
  reasoning: ["always", "byDefault", "onRequest", "never"],
  reasoningControl: ["effort", "budget"],
  leastReasoning: ["between_tools"],
  sampling: ["always", "withoutReasoning", "never"],
  defaultTemperature: [0, "service"],
  outputMode: ["native", "tool", "json", "prompt"],
  chatTools: ["withoutReasoning", "withoutEffort"],
  promptCache: ["options", "retention"]
}

/** Checks the facts of a program. Throws `InvalidOption`. */
const check = (models: Models): void => {
  for (const [name, facts] of Object.entries(models)) {
    const option = `models["${name}"]`
    Check.known(facts, factNames, `${option}.`)
    for (const [fact, values] of Object.entries(words)) {
      const value = Object.entries(facts).find(([name]) => name === fact)?.[1]
      if (value !== undefined && !values.includes(value)) {
        Check.invalidOption(`${option}.${fact}`, `one of ${values.join(", ")}`, value)
      }
    }
    for (const effort of facts.efforts ?? []) {
      if (!order.includes(effort)) Check.invalidOption(`${option}.efforts`, `a list of ${order.join(", ")}`, effort)
    }
    if (facts.maxOutputTokens !== undefined) Check.integer(`${option}.maxOutputTokens`, facts.maxOutputTokens, 1)
  }
}

/**
 * The facts of a provider: its own data, and on top of it, fact by fact, those of the program (the option `models`). A
 * mistake in the latter throws `InvalidOption`.
 */
export const make = (known: (model: string) => ModelFacts | undefined, models: Models = {}): FactsOf => {
  check(models)
  const own = find(models)
  return (model) => {
    const chosen = own(model)
    const facts = known(chosen?.like ?? model) ?? nothing
    return chosen === undefined ? facts : { ...facts, ...chosen }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Use
// ---------------------------------------------------------------------------------------------------------------------

/** All efforts but none, the least first. */
const order = ReasoningEffort.literals.filter((effort) => effort !== "none")

/** The effort to send to a model. */
export interface RoundedEffort {
  /** `undefined`: the effort is left out. */
  readonly effort: ReasoningEffort | undefined
  readonly warning?: string
}

const notSent = (model: string): RoundedEffort => ({
  effort: undefined,
  warning: Unsent.notTaken("reasoningEffort", model)
})

/** The effort that a model takes instead of the requested one: the next lower one, or else the least. */
export const roundEffort = (
  model: string,
  { efforts, reasoning }: ModelFacts,
  asked: ReasoningEffort | undefined
): RoundedEffort => {
  // A model that does not reason need not be asked not to.
  if (asked === undefined || (asked === "none" && reasoning === "never")) return { effort: undefined }
  if (reasoning === "never" || efforts?.length === 0) return notSent(model)
  if (asked === "none" ? reasoning !== "always" : efforts?.includes(asked) ?? true) return { effort: asked }
  const taken = order.filter((effort) => efforts?.includes(effort) ?? true)
  const effort = taken.findLast((effort) => asked !== "none" && order.indexOf(effort) <= order.indexOf(asked)) ??
    taken[0]
  return { effort, warning: Unsent.sentAs("reasoningEffort", String(effort), `${model} does not take ${asked}`) }
}

/** Whether a model reasons at an effort; `undefined` if that is not known. */
export const reasons = ({ reasoning }: ModelFacts, effort: ReasoningEffort | undefined): boolean | undefined => {
  if (effort === "none" && reasoning !== "always") return false
  if (reasoning === undefined) return effort === undefined ? undefined : true
  return reasoning === "always" || reasoning === "byDefault" || (reasoning === "onRequest" && effort !== undefined)
}

/** Whether a model takes sampling settings, given whether it reasons; `undefined` if that is not known. */
export const samples = ({ sampling }: ModelFacts, reasons: boolean | undefined): boolean | undefined =>
  sampling === undefined ? undefined : sampling === "always" || (sampling === "withoutReasoning" && reasons !== true)
