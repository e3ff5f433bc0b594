import { isRecord } from "effect/Predicate"
import type { Invalid, Json } from "../protocol.js"
import { problem, records } from "../protocol.js"
import { isFirstParty } from "./service.js"

/** Rules of the settings that both protocols of OpenAI have: tiers of service, verbosity, prompt caching. */

/** The names of the settings in a protocol. */
export interface Names {
  /** The field for the number of words. */
  readonly verbosity: "verbosity" | "text.verbosity"
  /** The messages, in which points end cached prefixes. */
  readonly messages: "messages" | "input"
}

const quoted = (values: ReadonlyArray<string>): string =>
  values.map((value, index) => `${index > 0 && index === values.length - 1 ? "and " : ""}'${value}'`).join(", ")

/** Checks that a word is one of those that a field takes. */
const wordProblem = (value: unknown, field: string, words: ReadonlyArray<string>): Invalid | undefined =>
  value === undefined || value === null || words.some((word) => word === value)
    ? undefined
    : problem(`Invalid value: '${String(value)}'. Supported values are: ${quoted(words)}.`, field, "invalid_value")

const tiers = ["auto", "default", "flex", "scale", "priority", "fast"]

/** The tier that a request is served in, by the answer's name for it. */
export const servedTier = ({ service_tier: tier }: Json): string =>
  tier === "flex" || tier === "priority" ? tier : tier === "fast" ? "priority" : "default"

/** The version in a model's name, as a number: 506 for `gpt-5.6`. */
const versionOf = (model: string): number => {
  const [, major = 0, minor = 0] = /^(?:ft:)?gpt-(\d+)(?:\.(\d+))?/.exec(model) ?? []
  return 100 * Number(major) + Number(minor)
}

/** Models before GPT-5 have one verbosity. */
const verbosityProblem = (value: unknown, field: string, model: string): Invalid | undefined =>
  wordProblem(value, field, ["low", "medium", "high"]) ??
    (typeof value === "string" && value !== "medium" && isFirstParty(model) && versionOf(model) < 500
      ? problem(
        `Unsupported value: '${value}' is not supported with the '${model}' model. Supported values are: 'medium'.`,
        field,
        "unsupported_value"
      )
      : undefined)

const optionsProblem = (options: unknown, model: string): Invalid | undefined => {
  if (!isRecord(options)) return undefined
  return isFirstParty(model) && versionOf(model) < 506
    ? problem(
      "Unsupported parameter: 'prompt_cache_options' is not supported with this model.",
      "prompt_cache_options",
      "unsupported_parameter"
    )
    : wordProblem(options.mode, "prompt_cache_options.mode", ["implicit", "explicit"]) ??
      wordProblem(options.ttl, "prompt_cache_options.ttl", ["30m", "12h"])
}

/** Points stand on blocks of text, images and files, in messages and in results of tools. */
const pointProblem = (body: Json, model: string, { messages }: Names): Invalid | undefined => {
  for (const [index, item] of records(body[messages]).entries()) {
    for (const field of ["content", "output"]) {
      for (const [at, block] of records(item[field]).entries()) {
        const { prompt_cache_breakpoint: point } = block
        if (point === undefined || point === null) continue
        const path = `${messages}[${index}].${field}[${at}].prompt_cache_breakpoint`
        const isKnown = !isFirstParty(model) || versionOf(model) >= 506
        if (!isKnown || (messages === "input" && !String(block.type).startsWith("input_"))) {
          return problem(`Unknown parameter: '${path}'.`, path, "unknown_parameter")
        }
        const { mode, ttl } = isRecord(point) ? point : {}
        const wrong = mode === "explicit"
          ? wordProblem(ttl, `${path}.ttl`, ["30m", "12h"])
          : problem(
            `Invalid value: '${String(mode)}'. Supported values are: 'explicit'.`,
            `${path}.mode`,
            "invalid_value"
          )
        if (wrong !== undefined) return wrong
      }
    }
  }
  return undefined
}

/** Checks the settings of a request. */
export const settingsProblem = (body: Json, model: string, names: Names): Invalid | undefined => {
  const text = isRecord(body.text) ? body.text : {}
  const verbosity = names.verbosity === "verbosity" ? body.verbosity : text.verbosity
  return wordProblem(body.service_tier, "service_tier", tiers) ??
    verbosityProblem(verbosity, names.verbosity, model) ??
    wordProblem(body.prompt_cache_retention, "prompt_cache_retention", ["in_memory", "24h"]) ??
    optionsProblem(body.prompt_cache_options, model) ??
    pointProblem(body, model, names)
}
