import type { ProblemBody, QuotaKind } from "../protocol.js"

const types: { readonly [status: number]: string } = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  409: "conflict_error",
  413: "request_too_large",
  422: "invalid_request_error",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error"
}

const typeOf = (status: number): string => types[status] ?? (status < 500 ? "invalid_request_error" : "api_error")

/** Anthropic's message for a status. */
const messageOf = (status: number, model: string): string => {
  switch (status) {
    case 401:
      return "invalid x-api-key"
    case 402:
      return "There is an issue with your billing or payment information."
    case 403:
      return "Your API key does not have permission to use the specified resource."
    case 404:
      return `model: ${model}`
    case 413:
      return "Request exceeds the maximum size"
    case 429:
      return "This request would exceed your organization's rate limit of 2,000,000 input tokens per minute."
    case 504:
      return "The request timed out while processing."
    case 529:
      return "Overloaded"
    default:
      return status < 500 ? `The request failed with status ${status}.` : "Internal server error"
  }
}

/** An error in Anthropic's shape. */
export const anthropicError = (
  status: number,
  message: string,
  requestId: string,
  details?: unknown
): ProblemBody => ({
  status,
  body: {
    type: "error",
    error: { type: typeOf(status), message, ...(details !== undefined && { details }) },
    request_id: requestId
  }
})

export const anthropicStatus = (status: number, model: string, requestId: string): ProblemBody =>
  anthropicError(status, messageOf(status, model), requestId)

/** Two of the three have status 400, and none has `retry-after`. */
export const anthropicQuota = (kind: QuotaKind, requestId: string): ProblemBody => {
  switch (kind) {
    case "credit":
      return anthropicError(
        400,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase " +
          "credits.",
        requestId
      )
    case "spendLimit":
      return anthropicError(
        429,
        "This request would exceed your organization's monthly spend limit.",
        requestId,
        { error_code: "enforced_spend_limit_reached" }
      )
    case "usageLimit":
      return anthropicError(400, "You have reached your specified API usage limits.", requestId)
  }
}
