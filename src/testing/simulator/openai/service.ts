import type { Invalid, Json, Problem, ProblemFacts, Protocol } from "../protocol.js"
import { jsonType, problem, records } from "../protocol.js"
import { openAiStatus, openAiUnauthorized, quotaFields } from "./errors.js"

/** Rules, errors and headers of both protocols of OpenAI. */

/** Whether a model is OpenAI's, which takes no unknown fields. Other models run on compatible hosts, which ignore them. */
export const isFirstParty = (model: string): boolean => /^(?:ft:)?(?:gpt-|chatgpt-|o\d)/.test(model)

export const isReasoningModel = (model: string): boolean =>
  /^(?:ft:)?(?:o[134]|gpt-5)/.test(model) && !/-chat\b/.test(model)

/** Whether a model thinks. Models of compatible hosts think if the request asks for an effort. */
export const thinksAt = (effort: unknown, model: string): boolean =>
  effort !== "none" && (isReasoningModel(model) || (!isFirstParty(model) && typeof effort === "string"))

/** The text of a message's content, with refusals. */
export const textOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : records(content).map(({ refusal, text }) => typeof text === "string" ? text : refusal)
      .filter((text) => typeof text === "string").join("\n")

/** Checks the type and the bounds of a number, in OpenAI's words. */
export const numberProblem = (
  body: Json,
  name: string,
  kind: "integer" | "decimal",
  minimum: number,
  maximum = Infinity
): Invalid | undefined => {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== "number" || (kind === "integer" && !Number.isInteger(value))) {
    const expected = kind === "integer" ? "an integer" : "a decimal"
    return problem(
      `Invalid type for '${name}': expected ${expected}, but got a ${jsonType(value)} instead.`,
      name,
      "invalid_type"
    )
  }
  const bound = value < minimum ? `>= ${minimum}` : value > maximum ? `<= ${maximum}` : undefined
  const side = value < minimum ? "below_min" : "above_max"
  return bound === undefined ? undefined : problem(
    `Invalid '${name}': ${kind} ${side === "below_min" ? "below minimum" : "above maximum"} value. ` +
      `Expected a value ${bound}, but got ${value} instead.`,
    name,
    `${kind}_${side}_value`
  )
}

/** Checks the name of a tool or of a schema. */
export const nameProblem = (name: unknown, path: string): Invalid | undefined =>
  name === undefined
    ? problem(`Missing required parameter: '${path}'.`, path, "missing_required_parameter")
    : typeof name === "string" && /^[a-zA-Z0-9_-]{1,64}$/.test(name)
    ? undefined
    : problem(
      `Invalid '${path}': string does not match pattern. Expected a string that matches the pattern ` +
        `'^[a-zA-Z0-9_-]+$' with maximum length 64.`,
      path,
      "invalid_value"
    )

/** Reasoning models take only the default of the sampling settings; from 5.1 on others, too, with effort `none`. */
export const samplingProblem = (body: Json, model: string, effort: unknown): Invalid | undefined => {
  if (!isReasoningModel(model) || (/gpt-5\.\d/.test(model) && effort === "none")) return undefined
  const name = ["temperature", "top_p"].find((name) => typeof body[name] === "number" && body[name] !== 1)
  return name === undefined ? undefined : problem(
    `Unsupported value: '${name}' does not support ${
      String(body[name])
    } with this model. Only the default (1) value is ` +
      "supported.",
    name,
    "unsupported_value"
  )
}

export const encodeProblem = (problem: Problem, { model }: ProblemFacts) => {
  switch (problem._tag) {
    case "Invalid":
      return openAiStatus(problem.status ?? 400, model, problem)
    case "Unauthorized":
      return openAiStatus(401, model, openAiUnauthorized(problem.key))
    case "NoJson":
      return openAiStatus(400, model, {
        message:
          "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload, but what was " +
          "sent was not valid JSON."
      })
    case "Quota":
      return openAiStatus(429, model, quotaFields(problem.kind))
    case "Status":
      return openAiStatus(problem.status, model)
  }
}

const requestLimit = 10_000
const tokenLimit = 2_000_000

/** A duration as Go prints it: `6ms`, `1.2s`, `1m0s`. */
const goDuration = (millis: number): string => {
  if (millis < 1000) return `${Math.ceil(millis)}ms`
  const seconds = Math.ceil(millis) / 1000
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.ceil(seconds % 60)}s`
}

export const headers: Protocol["headers"] = ({ elapsed, limited, requestId, usage }) => {
  const tokens = limited ? tokenLimit : (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0)
  return {
    "x-request-id": requestId,
    "openai-organization": "simulator",
    "openai-version": "2020-10-01",
    "openai-processing-ms": String(elapsed),
    "x-ratelimit-limit-requests": String(requestLimit),
    "x-ratelimit-limit-tokens": String(tokenLimit),
    "x-ratelimit-remaining-requests": String(limited ? 0 : requestLimit - 1),
    "x-ratelimit-remaining-tokens": String(tokenLimit - tokens),
    "x-ratelimit-reset-requests": goDuration(limited ? 60_000 : 60_000 / requestLimit),
    "x-ratelimit-reset-tokens": goDuration((60_000 * tokens) / tokenLimit)
  }
}
