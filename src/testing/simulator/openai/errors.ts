import type { ProblemBody, QuotaKind } from "../protocol.js"

interface Fields {
  readonly message: string
  readonly type?: string | undefined
  readonly param?: string | undefined
  readonly code?: string | undefined
}

/** OpenAI's error for a status. */
const byStatus = (status: number, model: string): Fields => {
  switch (status) {
    case 401:
      return openAiUnauthorized(undefined)
    case 403:
      return {
        message: "Country, region, or territory not supported",
        type: "request_forbidden",
        code: "unsupported_country_region_territory"
      }
    case 404:
      return {
        message: `The model \`${model}\` does not exist or you do not have access to it.`,
        code: "model_not_found"
      }
    case 429:
      return {
        message: `Rate limit reached for ${model} in organization simulator on tokens per min (TPM): Limit 2000000, ` +
          "Used 2000000, Requested 100.",
        type: "tokens",
        code: "rate_limit_exceeded"
      }
    case 503:
    case 529:
      return {
        message: "The engine is currently overloaded, please try again later",
        type: "service_unavailable_error",
        code: "server_is_overloaded"
      }
    default:
      return status >= 500
        ? {
          message: "The server had an error while processing your request. Sorry about that!",
          type: "server_error"
        }
        : { message: `The request failed with status ${status}.` }
  }
}

/** OpenAI quotes a wrong key with its middle replaced by stars. */
const masked = (key: string): string => key.slice(0, 8) + "*".repeat(Math.max(0, key.length - 12)) + key.slice(-4)

export const openAiUnauthorized = (key: string | undefined): Fields =>
  key === undefined
    ? {
      message:
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer " +
        "auth (i.e. Authorization: Bearer YOUR_KEY)."
    }
    : { message: `Incorrect API key provided: ${masked(key)}.`, code: "invalid_api_key" }

export const quotaFields = (kind: QuotaKind): Fields => {
  switch (kind) {
    case "credit":
      return {
        message:
          "You exceeded your current quota, please check your plan and billing details. For more information on " +
          "this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        type: "insufficient_quota",
        code: "insufficient_quota"
      }
    case "spendLimit":
      return {
        message: "Your organization has reached its spend limit.",
        type: "insufficient_quota",
        code: "organization_spend_limit_exceeded"
      }
    case "usageLimit":
      return {
        message: "Your organization has reached its usage limit.",
        type: "insufficient_quota",
        code: "organization_usage_limit_exceeded"
      }
  }
}

/** An error with a status, in OpenAI's shape and, by default, in its words. */
export const openAiStatus = (status: number, model: string, fields: Fields = byStatus(status, model)): ProblemBody => ({
  status,
  body: {
    error: {
      message: fields.message,
      type: fields.type ?? "invalid_request_error",
      param: fields.param ?? null,
      code: fields.code ?? null
    }
  }
})
