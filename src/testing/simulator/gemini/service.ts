import * as Either from "effect/Either"
import type { Envelope, HeaderFacts, Json, Problem, ProblemBody, ProblemFacts } from "../protocol.js"
import { bearerToken } from "../protocol.js"

/** A field of a message, by its JSON name or its protocol-buffer name. */
export const member = (json: Json, name: string): unknown => json[name] ?? json[snakeCase(name)]

export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** The name of a model in a path. */
export const decodeName = (name: string): string =>
  Either.getOrElse(Either.try(() => decodeURIComponent(name)), () => name)

/** The version of a Gemini model as a number: 205 for 2.5; 0 if its name has none. */
export const versionOf = (model: string): number => {
  const [, major = 0, minor = 0] = /gemini-(\d+)(?:\.(\d+))?/.exec(model) ?? []
  return 100 * Number(major) + Number(minor)
}

/** Whether a request is one to Google, at a path that others have, too. */
export const isGoogles = ({ headers, path, query }: Envelope): boolean =>
  "x-goog-api-key" in headers || query.has("key") || /\/v1beta\//.test(path)

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

const rpcStatuses: { readonly [status: number]: string } = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
  529: "UNAVAILABLE"
}

const messageOf = (status: number, model: string): string => {
  switch (status) {
    case 403:
      return "The caller does not have permission"
    case 404:
      return `models/${model} is not found for API version v1beta, or is not supported for generateContent. Call ` +
        "ListModels to see the list of available models and their supported methods."
    case 429:
      return "You exceeded your current quota, please check your plan and billing details."
    case 503:
    case 529:
      return "The model is overloaded. Please try again later."
    case 504:
      return "The request timed out. Please try again."
    default:
      return status >= 500
        ? "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
        : `The request failed with status ${status}.`
  }
}

const type = (name: string): string => `type.googleapis.com/google.rpc.${name}`

const errorOf = (status: number, message: string, details: ReadonlyArray<Json> = []): ProblemBody => ({
  status,
  body: {
    error: {
      code: status,
      message,
      status: rpcStatuses[status] ?? (status < 500 ? "INVALID_ARGUMENT" : "UNKNOWN"),
      ...(details.length > 0 && { details })
    }
  }
})

const quotaFailure = (model: string, id: string, value: string): Json => ({
  "@type": type("QuotaFailure"),
  violations: [{
    quotaMetric: "generativelanguage.googleapis.com/generate_content_requests",
    quotaId: id,
    quotaDimensions: { location: "global", model },
    quotaValue: value
  }]
})

const unauthorized = (key: string | undefined): ProblemBody =>
  key === undefined
    ? errorOf(
      403,
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other " +
        "form of API consumer identity to call this API."
    )
    : errorOf(400, "API key not valid. Please pass a valid API key.", [{
      "@type": type("ErrorInfo"),
      reason: "API_KEY_INVALID",
      domain: "googleapis.com",
      metadata: { service: "generativelanguage.googleapis.com" }
    }])

/** The time to wait is in the body of an error, and in no header. */
const statusProblem = (status: number, { model, wait }: ProblemFacts): ProblemBody => {
  const seconds = wait === undefined ? "" : `${wait / 1000}s`
  return errorOf(status, messageOf(status, model) + (wait === undefined ? "" : ` Please retry in ${seconds}.`), [
    ...(status === 429 ? [quotaFailure(model, "GenerateRequestsPerMinutePerProjectPerModel", "1000")] : []),
    ...(wait === undefined ? [] : [{ "@type": type("RetryInfo"), retryDelay: seconds }])
  ])
}

export const encodeProblem = (problem: Problem, facts: ProblemFacts): ProblemBody => {
  switch (problem._tag) {
    case "Invalid":
      return errorOf(
        problem.status ?? 400,
        problem.message,
        problem.param === undefined ? [] : [{
          "@type": type("BadRequest"),
          fieldViolations: [{ field: problem.param, description: problem.message }]
        }]
      )
    case "Unauthorized":
      return unauthorized(problem.key)
    case "NoJson":
      return errorOf(400, "Invalid JSON payload received. Unexpected end of string. Expected a value.")
    case "Quota":
      // An account without credit has the limits of a free tier: 0.
      return problem.kind === "credit"
        ? errorOf(429, `${messageOf(429, facts.model)} Quota exceeded, limit: 0, model: ${facts.model}`, [
          quotaFailure(facts.model, "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "0")
        ])
        : errorOf(429, messageOf(429, facts.model), [
          quotaFailure(facts.model, "GenerateRequestsPerDayPerProjectPerModel", "10000")
        ])
    case "Status":
      return statusProblem(problem.status, facts)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Headers
// ---------------------------------------------------------------------------------------------------------------------

/** The key in its header, in the query (where it ends up in logs), or as the bearer token of Vertex. */
export const key = (envelope: Envelope): string | undefined =>
  envelope.headers["x-goog-api-key"] ?? envelope.query.get("key") ?? bearerToken(envelope)

/** Gemini sends neither rate limits nor a request id. */
export const headers = ({ elapsed }: HeaderFacts): Readonly<Record<string, string>> => ({
  "server-timing": `gfet4t7; dur=${elapsed}`
})
