import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as LlmError from "../../src/domain/LlmError.js"
import * as Gemini from "../../src/providers/gemini/errors.js"
import * as OpenAi from "../../src/providers/openai/errors.js"
import * as OpenAiChat from "../../src/providers/openaiChat/errors.js"
import { type Answer, classify } from "../../src/wire/classify.js"
import type { ErrorRules } from "../../src/wire/errorRules.js"

const now = Date.UTC(2026, 10, 22, 12, 0, 0)

/** A reason as plain data: the wait in milliseconds, what is not known absent. */
const show = (reason: LlmError.Reason): { readonly [field: string]: unknown } => ({
  ...reason,
  ...("retryAfter" in reason && reason.retryAfter && { retryAfter: Duration.toMillis(reason.retryAfter) })
})

const isRetryable = (reason: LlmError.Reason): boolean =>
  new LlmError.LlmError({ reason, operation: "call", attempts: 1 }).isRetryable

interface Case {
  /** Absent: an event in a stream. */
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body: unknown
}

/** The same as text and as what was parsed of it, as an answer or as an event. */
const inputs = ({ body, headers = {}, status }: Case): ReadonlyArray<unknown> => {
  const bodies = typeof body === "string"
    ? [body]
    : [body, JSON.stringify(body), `\n\n${JSON.stringify(body, null, 2)}\n`]
  return bodies.map((body) => status === undefined ? body : { status, headers, body } satisfies Answer)
}

type Expected = { readonly _tag: LlmError.ReasonTag; readonly [field: string]: unknown }

/** Gateways pass errors on in their own protocol: most have to be recognised over each, and without any rules. */
const everyProtocol: ReadonlyArray<ErrorRules | undefined> = [
  undefined,
  OpenAi.errors,
  OpenAiChat.errors,
  Gemini.errors
]
/** The protocols that services compatible with OpenAI speak. */
const openAiProtocols = [OpenAi.errors, OpenAiChat.errors]

/** A table of cases, over each of some protocols; of each reason the fields that are given must be so. */
const table = (
  cases: { readonly [name: string]: readonly [given: Case, expected: Expected] },
  protocols: ReadonlyArray<ErrorRules | undefined> = everyProtocol
): void => {
  for (const [name, [given, expected]] of Object.entries(cases)) {
    it(`${name}: ${expected._tag}`, () => {
      for (const errors of protocols) {
        for (const input of inputs(given)) {
          const reason = show(classify(input, { nowMillis: now, errors }))
          const seen = Object.fromEntries(Object.keys(expected).map((field) => [field, reason[field]]))
          assert.deepStrictEqual<unknown>(seen, expected)
        }
      }
    })
  }
}

const openai = (error: object) => ({ error: { message: "m", type: null, param: null, code: null, ...error } })
const anthropic = (type: string, message = "m", more: object = {}) => ({
  type: "error",
  error: { type, message, ...more },
  request_id: "req_1"
})
const google = (code: number, status: string, message: string, details: ReadonlyArray<object> = []) => ({
  error: { code, message, status, details }
})
const retryInfo = (retryDelay: string) => ({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay })
const quotaFailure = (quotaId: string) => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: [{
    quotaMetric: "generativelanguage.googleapis.com/generate_content_free_tier_requests",
    quotaId,
    quotaDimensions: { model: "g", location: "global" },
    quotaValue: "250"
  }]
})
const errorInfo = (reason: string) => ({
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  reason,
  domain: "googleapis.com"
})

const geminiQuota =
  "You exceeded your current quota, please check your plan and billing details. Please retry in 46.2s."

describe("classify", () => {
  describe("by status, where the body says nothing", () => {
    const reasons: { readonly [tag in LlmError.ReasonTag]?: ReadonlyArray<number> } = {
      InvalidRequest: [300, 301, 302, 303, 304, 307, 308, 400, 404, 405, 406, 411, 413, 414, 415, 418, 422, 431, 451],
      AuthenticationFailed: [401],
      QuotaExhausted: [402],
      PermissionDenied: [403],
      ModelNotFound: [410],
      RateLimited: [429],
      Overloaded: [498, 503, 529],
      ServerFailed: [408, 409, 425, 499, 500, 501, 502, 504, 520, 521, 522, 523, 524, 599],
      MalformedResponse: [200, 201, 204]
    }
    for (const [tag, statuses] of Object.entries(reasons)) {
      for (const status of statuses) {
        it(`${status}: ${tag}`, () => {
          for (const body of ["", "   \n", "{}", "[]", "null", "\"\"", {}, null, undefined]) {
            for (const errors of everyProtocol) {
              assert.strictEqual(classify({ status, headers: {}, body }, { errors })._tag, tag)
            }
          }
        })
      }
    }

    it("is retryable for 408, 409, 425, 429, 498, 499 and 5xx, and for no other status from 300", () => {
      for (let status = 300; status < 600; status++) {
        const expected = [408, 409, 425, 429, 498, 499].includes(status) || status >= 500
        assert.strictEqual(isRetryable(classify({ status, headers: {}, body: "" })), expected, `${status}`)
      }
    })

    it("has no message", () => {
      assert.deepStrictEqual(show(classify({ status: 418, headers: {}, body: "" })), { _tag: "InvalidRequest" })
    })

    it("is a redirect for 3xx, whatever the body says", () => {
      const body = openai({ code: "insufficient_quota", message: "http://elsewhere" })
      assert.deepStrictEqual(show(classify({ status: 307, headers: { location: "http://elsewhere" }, body })), {
        _tag: "InvalidRequest",
        message: "HTTP 307: redirects are not followed",
        code: "redirect"
      })
    })
  })

  describe("OpenAI", () => {
    const quota = "You exceeded your current quota, please check your plan and billing details."
    table({
      "quota by code": [
        { status: 429, body: openai({ message: quota, type: "insufficient_quota", code: "insufficient_quota" }) },
        { _tag: "QuotaExhausted", message: quota }
      ],
      "quota by type alone": [
        { status: 429, headers: { "retry-after": "1" }, body: openai({ type: "insufficient_quota" }) },
        { _tag: "QuotaExhausted" }
      ],
      "quota by message alone": [{ status: 429, body: openai({ message: quota }) }, { _tag: "QuotaExhausted" }],
      ...Object.fromEntries(
        [
          "credit_balance_exhausted",
          "organization_usage_limit_exceeded",
          "organization_spend_limit_exceeded",
          "project_spend_limit_exceeded",
          "billing_hard_limit_reached",
          "billing_not_active",
          "access_terminated"
        ].map((code) =>
          [`code ${code}`, [{ status: 429, body: openai({ code }) }, { _tag: "QuotaExhausted" }]] as const
        )
      ),
      "tokens a minute": [
        {
          status: 429,
          headers: { "retry-after-ms": "1500", "retry-after": "2" },
          body: openai({
            message: "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 1500.",
            type: "tokens",
            code: "rate_limit_exceeded"
          })
        },
        { _tag: "RateLimited", retryAfter: 1500 }
      ],
      "a limit with no header": [
        { status: 429, body: openai({ code: "rate_limit_exceeded" }) },
        { _tag: "RateLimited", message: "m", retryAfter: undefined }
      ],
      "a limit until a date": [
        {
          status: 429,
          headers: { "retry-after": "Sun, 22 Nov 2026 12:00:04 GMT" },
          body: openai({ type: "requests" })
        },
        { _tag: "RateLimited", retryAfter: 4000 }
      ],
      "a ramp that is too steep": [
        { status: 503, headers: { "retry-after": "20" }, body: openai({ code: "slow_down" }) },
        { _tag: "RateLimited", retryAfter: 20_000 }
      ],
      "more tokens than a minute has": [
        {
          status: 429,
          body: openai({
            message: "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 45000.",
            type: "tokens",
            code: "rate_limit_exceeded"
          })
        },
        { _tag: "InvalidRequest", code: "rate_limit_exceeded" }
      ],
      "an overload": [
        {
          status: 503,
          headers: { "retry-after": "3" },
          body: openai({ type: "service_unavailable_error", code: "server_is_overloaded" })
        },
        { _tag: "Overloaded", retryAfter: 3000 }
      ],
      "an overload as 429": [
        { status: 429, body: openai({ message: "The engine is currently overloaded, please try again later" }) },
        { _tag: "Overloaded" }
      ],
      "a wrong key": [
        {
          status: 401,
          body: openai({
            message: "Incorrect API key provided: sk-abcd************wxyz. You can find your key in your account.",
            type: "invalid_request_error",
            code: "invalid_api_key"
          })
        },
        {
          _tag: "AuthenticationFailed",
          message: "Incorrect API key provided: <redacted> You can find your key in your account."
        }
      ],
      "no key": [
        { status: 401, body: openai({ message: "You didn't provide an API key.", type: "invalid_request_error" }) },
        { _tag: "AuthenticationFailed" }
      ],
      "a country": [
        { status: 403, body: openai({ code: "unsupported_country_region_territory", type: "request_forbidden" }) },
        { _tag: "PermissionDenied" }
      ],
      "a scope that the key has not": [
        {
          status: 403,
          body: openai({
            message: "You have insufficient permissions. Missing scopes: x. Check your restricted API key."
          })
        },
        { _tag: "PermissionDenied" }
      ],
      "an unknown model": [
        {
          status: 404,
          body: openai({
            message: "The model `x` does not exist or you do not have access to it.",
            code: "model_not_found"
          })
        },
        { _tag: "ModelNotFound" }
      ],
      "a model that the project has not": [
        { status: 403, body: openai({ code: "model_not_found" }) },
        { _tag: "ModelNotFound" }
      ],
      "a context by code": [
        { status: 400, body: openai({ code: "context_length_exceeded", param: "messages" }) },
        { _tag: "ContextLengthExceeded", message: "m" }
      ],
      "a text that is too long": [
        {
          status: 400,
          body: openai({ type: "invalid_request_error", code: "string_above_max_length", param: "messages[0].content" })
        },
        { _tag: "InvalidRequest", code: "string_above_max_length", field: "messages[0].content", message: "m" }
      ],
      "a filtered prompt": [
        { status: 400, body: openai({ code: "content_policy_violation" }) },
        { _tag: "ContentFiltered" }
      ],
      "a flagged prompt": [
        {
          status: 400,
          body: openai({
            message: "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            type: "invalid_request_error",
            code: "invalid_prompt"
          })
        },
        { _tag: "ContentFiltered" }
      ],
      "a wrong parameter": [
        {
          status: 400,
          body: openai({
            message: "Unsupported parameter: 'max_tokens' is not supported with this model.",
            type: "invalid_request_error",
            param: "max_tokens",
            code: "unsupported_parameter"
          })
        },
        { _tag: "InvalidRequest", field: "max_tokens", code: "unsupported_parameter" }
      ],
      "a type for want of a code": [
        { status: 400, body: openai({ type: "invalid_request_error" }) },
        { _tag: "InvalidRequest", code: "invalid_request_error", field: undefined }
      ],
      "a server error": [
        { status: 500, headers: { "retry-after": "2" }, body: openai({ type: "server_error" }) },
        { _tag: "ServerFailed", retryAfter: 2000, message: "m" }
      ],
      "an error in an answer with status 200": [
        { status: 200, body: openai({ type: "server_error" }) },
        { _tag: "ServerFailed", message: "m" }
      ],
      "an answer with status 200 that is empty": [
        { status: 200, body: { choices: [], error: null } },
        { _tag: "MalformedResponse", message: undefined }
      ]
    })
  })

  describe("OpenAI, inside a stream", () => {
    table({
      "a flat error event": [
        { body: { type: "error", code: "server_error", message: "x", param: null, sequence_number: 9 } },
        { _tag: "ServerFailed", message: "x" }
      ],
      "a flat error event, context": [
        { body: { type: "error", code: "context_length_exceeded", message: "x", param: "input" } },
        { _tag: "ContextLengthExceeded", message: "x" }
      ],
      "a nested error event": [
        { body: { type: "error", error: { type: "server_error", code: null, message: "x", param: null } } },
        { _tag: "ServerFailed", message: "x" }
      ],
      "a nested error event with headers": [
        {
          body: {
            type: "error",
            error: { type: "tokens", code: "rate_limit_exceeded", message: "x", headers: { "Retry-After": 12 } }
          }
        },
        { _tag: "RateLimited", retryAfter: 12_000 }
      ],
      "an error event with a status": [
        { body: { type: "error", status: 429, headers: { "retry-after": "7" }, error: { message: "x" } } },
        { _tag: "RateLimited", retryAfter: 7000 }
      ],
      "a chunk with an error, type server_error": [
        { body: openai({ type: "server_error" }) },
        { _tag: "ServerFailed" }
      ],
      "a chunk with an error, code 400": [{ body: openai({ code: 400 }) }, { _tag: "InvalidRequest", code: "400" }],
      "a chunk with an error, invalid request": [
        { body: openai({ type: "invalid_request_error", param: "seed" }) },
        { _tag: "InvalidRequest", field: "seed", code: "invalid_request_error" }
      ],
      "a chunk with an error, permission": [{ body: openai({ type: "permission_denied" }) }, {
        _tag: "PermissionDenied"
      }],
      "a chunk with an error and its status": [
        { body: openai({ status: 400, type: "x" }) },
        { _tag: "InvalidRequest", code: "x" }
      ],
      "a flat error event without a code": [
        { body: { type: "error", status: 400, message: "x" } },
        { _tag: "InvalidRequest", code: undefined, message: "x" }
      ],
      "an error that says nothing": [{ body: { error: {} } }, { _tag: "ServerFailed", message: undefined }],
      "an unknown code": [{ body: openai({ code: "constructor", message: "__proto__" }) }, { _tag: "ServerFailed" }],
      "the text of an event, with its field name": [
        { body: "event: error\ndata: {\"error\":{\"message\":\"x\",\"code\":\"rate_limit_exceeded\"}}" },
        { _tag: "RateLimited", message: "x" }
      ]
    })
    table({
      "response.failed, limited": [
        {
          body: {
            type: "response.failed",
            response: {
              status: "failed",
              error: { code: "rate_limit_exceeded", message: "x" },
              metadata: { code: "content_filter" }
            }
          }
        },
        { _tag: "RateLimited", message: "x" }
      ],
      "response.failed, flagged": [
        { body: { type: "response.failed", response: { error: { code: "bio_policy", message: "x" } } } },
        { _tag: "ContentFiltered" }
      ],
      "response.failed, quota": [
        { body: { type: "response.failed", response: { error: { code: "insufficient_quota", message: "x" } } } },
        { _tag: "QuotaExhausted" }
      ],
      "response.failed, image": [
        { body: { type: "response.failed", response: { error: { code: "image_too_large", message: "x" } } } },
        { _tag: "InvalidRequest", code: "image_too_large" }
      ],
      "response.failed, vector store": [
        { body: { type: "response.failed", response: { error: { code: "vector_store_timeout", message: "x" } } } },
        { _tag: "ServerFailed" }
      ],
      "a response that failed, with status 200": [
        { status: 200, body: { object: "response", status: "failed", error: { code: "server_error", message: "x" } } },
        { _tag: "ServerFailed", message: "x" }
      ],
      "response.incomplete by a filter": [
        { body: { type: "response.incomplete", response: { incomplete_details: { reason: "content_filter" } } } },
        { _tag: "ContentFiltered" }
      ]
    }, [OpenAi.errors])
  })

  describe("Anthropic", () => {
    const types: { readonly [type: string]: readonly [status: number, tag: LlmError.ReasonTag] } = {
      invalid_request_error: [400, "InvalidRequest"],
      authentication_error: [401, "AuthenticationFailed"],
      billing_error: [402, "QuotaExhausted"],
      permission_error: [403, "PermissionDenied"],
      not_found_error: [404, "ModelNotFound"],
      conflict_error: [409, "ServerFailed"],
      request_too_large: [413, "InvalidRequest"],
      rate_limit_error: [429, "RateLimited"],
      api_error: [500, "ServerFailed"],
      timeout_error: [504, "ServerFailed"],
      overloaded_error: [529, "Overloaded"]
    }
    for (const [type, [status, _tag]] of Object.entries(types)) {
      table({
        [`${type} as ${status}`]: [{ status, body: anthropic(type) }, { _tag, message: "m" }],
        [`${type} in a stream`]: [{ body: anthropic(type) }, { _tag, message: "m" }]
      })
    }
    table({
      "a limit": [
        { status: 429, headers: { "retry-after": "12" }, body: anthropic("rate_limit_error") },
        { _tag: "RateLimited", retryAfter: 12_000 }
      ],
      "a limit that suggests a shorter prompt": [
        {
          status: 429,
          body: anthropic(
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 20,000 input tokens per minute. Please reduce " +
              "the prompt length or the maximum tokens requested."
          )
        },
        { _tag: "RateLimited" }
      ],
      "an enforced spend limit": [
        {
          status: 429,
          body: anthropic("rate_limit_error", "m", { details: { error_code: "enforced_spend_limit_reached" } })
        },
        { _tag: "QuotaExhausted" }
      ],
      "a credit balance, as 400": [
        {
          status: 400,
          body: anthropic(
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."
          )
        },
        { _tag: "QuotaExhausted" }
      ],
      "a usage limit of one's own, as 400": [
        {
          status: 400,
          body: anthropic(
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access."
          )
        },
        { _tag: "QuotaExhausted" }
      ],
      "a prompt that is too long": [
        { status: 400, body: anthropic("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum") },
        { _tag: "ContextLengthExceeded" }
      ],
      "a prompt and an answer that are too long": [
        {
          status: 400,
          body: anthropic(
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 204698, decrease input length"
          )
        },
        { _tag: "ContextLengthExceeded" }
      ],
      "a filtered answer": [
        { status: 400, body: anthropic("invalid_request_error", "Output blocked by content filtering policy") },
        { _tag: "ContentFiltered" }
      ],
      "a field": [
        { status: 400, body: anthropic("invalid_request_error", "messages.0.content: Field required") },
        { _tag: "InvalidRequest", message: "messages.0.content: Field required", code: "invalid_request_error" }
      ],
      "an overload as 500": [{ status: 500, body: anthropic("api_error", "Overloaded") }, { _tag: "Overloaded" }],
      "no details": [{ status: 529, body: anthropic("overloaded_error", "m", { details: null }) }, {
        _tag: "Overloaded"
      }]
    })
  })

  describe("Gemini", () => {
    table({
      "requests a day": [
        {
          status: 429,
          body: google(429, "RESOURCE_EXHAUSTED", geminiQuota, [
            quotaFailure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
            { "@type": "type.googleapis.com/google.rpc.Help", links: [] },
            retryInfo("57.238747106s")
          ])
        },
        { _tag: "QuotaExhausted", message: geminiQuota }
      ],
      "requests a minute": [
        {
          status: 429,
          body: google(429, "RESOURCE_EXHAUSTED", geminiQuota, [
            retryInfo("34.4s"),
            quotaFailure("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
          ])
        },
        { _tag: "RateLimited", retryAfter: 34_400 }
      ],
      "a wait of hours": [
        { status: 429, body: google(429, "RESOURCE_EXHAUSTED", "m", [retryInfo("36605.7s")]) },
        { _tag: "RateLimited", retryAfter: 36_605_700 }
      ],
      "a header before the details": [
        {
          status: 429,
          headers: { "retry-after": "2" },
          body: google(429, "RESOURCE_EXHAUSTED", "m", [retryInfo("34.4s")])
        },
        { _tag: "RateLimited", retryAfter: 2000 }
      ],
      "a wait that cannot be read": [
        { status: 429, body: google(429, "RESOURCE_EXHAUSTED", "m", [retryInfo("soon")]) },
        { _tag: "RateLimited", retryAfter: undefined }
      ],
      "no details": [
        { status: 429, body: google(429, "RESOURCE_EXHAUSTED", geminiQuota) },
        { _tag: "RateLimited", retryAfter: undefined }
      ],
      "a model that the tier has not": [
        {
          status: 429,
          body: google(
            429,
            "RESOURCE_EXHAUSTED",
            `${geminiQuota}\n* Quota exceeded for metric: generate_content_free_tier_requests, limit: 0, model: g`,
            [retryInfo("5s")]
          )
        },
        { _tag: "QuotaExhausted" }
      ],
      "a limit that is not zero": [
        {
          status: 429,
          body: google(429, "RESOURCE_EXHAUSTED", `${geminiQuota}\n* Quota exceeded for metric: requests, limit: 15`)
        },
        { _tag: "RateLimited" }
      ],
      "no capacity": [
        {
          status: 429,
          body: google(429, "RESOURCE_EXHAUSTED", "m", [errorInfo("MODEL_CAPACITY_EXHAUSTED"), retryInfo("1s")])
        },
        { _tag: "Overloaded", retryAfter: 1000 }
      ],
      "quota of the newer API": [
        { status: 429, body: { error: { code: "quota_exceeded", message: "m" } } },
        { _tag: "QuotaExhausted" }
      ],
      "a wrong key, as 400": [
        {
          status: 400,
          body: google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [
            errorInfo("API_KEY_INVALID")
          ])
        },
        { _tag: "AuthenticationFailed", message: "API key not valid. Please pass a valid API key." }
      ],
      "a wrong key, by message alone": [
        { status: 400, body: google(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.") },
        { _tag: "AuthenticationFailed" }
      ],
      "a country": [
        { status: 400, body: google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.") },
        { _tag: "PermissionDenied" }
      ],
      "a permission": [{ status: 403, body: google(403, "PERMISSION_DENIED", "m") }, { _tag: "PermissionDenied" }],
      "an unknown model": [
        { status: 404, body: google(404, "NOT_FOUND", "models/gemini-0.5 is not found for API version v1beta") },
        { _tag: "ModelNotFound" }
      ],
      "a field": [
        {
          status: 400,
          body: google(400, "INVALID_ARGUMENT", "m", [{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            fieldViolations: [{ field: "generation_config.top_k", description: "must be positive" }]
          }])
        },
        { _tag: "InvalidRequest", field: "generation_config.top_k", code: "INVALID_ARGUMENT" }
      ],
      "a context": [
        {
          status: 400,
          body: google(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
          )
        },
        { _tag: "ContextLengthExceeded" }
      ],
      "an overload": [
        { status: 503, body: google(503, "UNAVAILABLE", "The model is overloaded. Please try again later.") },
        { _tag: "Overloaded" }
      ],
      "an overload in a stream": [{ body: google(503, "UNAVAILABLE", "overloaded") }, { _tag: "Overloaded" }],
      "an overload in a stream, in an array": [{ body: [google(503, "UNAVAILABLE", "m")] }, { _tag: "Overloaded" }],
      "an overload in a stream, with its field name": [
        { body: `data: ${JSON.stringify([google(503, "UNAVAILABLE", "m")])}\r\n\r\n` },
        { _tag: "Overloaded", message: "m" }
      ],
      "an error with status 200": [{ status: 200, body: google(500, "INTERNAL", "m") }, { _tag: "ServerFailed" }],
      "a deadline": [{ status: 504, body: google(504, "DEADLINE_EXCEEDED", "m") }, { _tag: "ServerFailed" }]
    })
    table({
      "a blocked prompt": [
        { body: { promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, usageMetadata: { promptTokenCount: 9 } } },
        { _tag: "ContentFiltered" }
      ],
      "a candidate that a filter stopped": [
        { body: { candidates: [{ finishReason: "SAFETY", index: 0 }] } },
        { _tag: "ContentFiltered" }
      ],
      "a blocked prompt, with status 200": [
        { status: 200, body: { promptFeedback: { blockReason: "SAFETY" } } },
        { _tag: "ContentFiltered" }
      ]
    }, [Gemini.errors])
  })

  describe("Ollama", () => {
    table({
      "an unknown model": [
        { status: 404, body: { error: "model \"x\" not found" } },
        { _tag: "ModelNotFound", message: "model \"x\" not found" }
      ],
      "an unknown model in a stream": [{ body: { error: "model 'x' not found" } }, { _tag: "ModelNotFound" }],
      "a queue that is full": [
        { status: 503, body: { error: "server busy, please try again.  maximum pending requests exceeded" } },
        { _tag: "Overloaded", message: "server busy, please try again. maximum pending requests exceeded" }
      ],
      "an error in a stream": [
        { body: { error: "an error was encountered while running the model: GGML_ASSERT" } },
        { _tag: "ServerFailed", message: "an error was encountered while running the model: GGML_ASSERT" }
      ],
      "a context": [
        { status: 400, body: { error: "the input length exceeds the context length" } },
        { _tag: "ContextLengthExceeded" }
      ],
      "a model without tools": [
        { status: 400, body: { error: "registry.ollama.ai/library/x does not support tools" } },
        { _tag: "InvalidRequest" }
      ],
      "no login": [
        { status: 401, body: { error: "unauthorized", signin_url: "https://ollama.com/connect?key=abc" } },
        { _tag: "AuthenticationFailed", message: "unauthorized" }
      ],
      "a week's use": [
        {
          status: 429,
          body: { error: "you (someone) have reached your weekly usage limit, upgrade for higher limits" }
        },
        { _tag: "QuotaExhausted" }
      ]
    })
  })

  describe("other hosts", () => {
    table({
      "Azure, a filter": [
        {
          status: 400,
          body: openai({
            message: "The response was filtered due to the prompt triggering the content management policy.",
            param: "prompt",
            code: "content_filter",
            status: 400,
            innererror: { code: "ResponsibleAIPolicyViolation", content_filter_result: {} }
          })
        },
        { _tag: "ContentFiltered" }
      ],
      "Azure, a limit": [
        {
          status: 429,
          headers: { "x-ms-retry-after-ms": "36500", "retry-after": "37" },
          body: {
            error: {
              code: "429",
              message: "Requests have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry " +
                "after 37 seconds. To increase your default rate limit, visit: https://aka.ms/oai/quotaincrease."
            }
          }
        },
        { _tag: "RateLimited", retryAfter: 36_500 }
      ],
      "Azure, the gateway's quota": [
        {
          status: 403,
          body: { statusCode: 403, message: "Out of call volume quota. Quota will be replenished in 00:12:34." }
        },
        { _tag: "QuotaExhausted" }
      ],
      "Azure, an unknown deployment": [
        { status: 404, body: { error: { code: "DeploymentNotFound", message: "m" } } },
        { _tag: "ModelNotFound" }
      ],
      "Groq, more tokens than a minute has": [
        {
          status: 413,
          body: openai({
            message:
              "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 12000, please " +
              "reduce your message size and try again.",
            type: "tokens",
            code: "rate_limit_exceeded"
          })
        },
        { _tag: "InvalidRequest" }
      ],
      "Groq, too large by status alone": [
        { status: 413, body: openai({ code: "rate_limit_exceeded" }) },
        { _tag: "InvalidRequest" }
      ],
      "Groq, no flexible capacity": [{ status: 498, body: openai({ type: "flex" }) }, { _tag: "Overloaded" }],
      "Hugging Face, an overload": [
        { status: 424, body: { error: "Try later", error_type: "overloaded" } },
        { _tag: "Overloaded" }
      ],
      "OpenRouter, no credits": [
        { status: 402, body: { error: { code: 402, message: "This request requires more credits" } } },
        { _tag: "QuotaExhausted" }
      ],
      "OpenRouter, money in flight": [
        {
          status: 402,
          headers: { "retry-after": "3" },
          body: { error: { code: 402, message: "m", metadata: { limit_source: "openrouter_in_flight_budget" } } }
        },
        { _tag: "RateLimited", retryAfter: 3000 }
      ],
      "OpenRouter, a key's limit": [
        { status: 403, body: { error: { code: 403, message: "Key limit exceeded (monthly limit)" } } },
        { _tag: "QuotaExhausted" }
      ],
      "OpenRouter, free models a day": [
        {
          status: 429,
          body: {
            error: {
              code: 429,
              message:
                "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
              metadata: { headers: { "X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0" } }
            }
          }
        },
        { _tag: "QuotaExhausted" }
      ],
      "OpenRouter, free models a minute": [
        {
          status: 429,
          body: {
            error: { code: 429, message: "free-models-per-min", metadata: { headers: { "Retry-After": "5" } } }
          }
        },
        { _tag: "RateLimited", retryAfter: 5000 }
      ],
      "OpenRouter, a flagged prompt": [
        {
          status: 403,
          body: {
            error: {
              code: 403,
              message: "x requires moderation and your input was flagged",
              metadata: { reasons: ["violence"], flagged_input: "the secret prompt" }
            }
          }
        },
        { _tag: "ContentFiltered", message: "x requires moderation and your input was flagged" }
      ],
      "OpenRouter, another provider's error as text": [
        {
          status: 400,
          body: {
            error: {
              code: 400,
              message: "Provider returned error",
              metadata: { raw: JSON.stringify(openai({ message: "too long", code: "context_length_exceeded" })) }
            }
          }
        },
        { _tag: "ContextLengthExceeded", message: "Provider returned error: too long" }
      ],
      "OpenRouter, another provider's error as the message": [
        {
          status: 429,
          body: {
            error: { code: 429, message: JSON.stringify(google(429, "RESOURCE_EXHAUSTED", "q", [retryInfo("9s")])) }
          }
        },
        { _tag: "RateLimited", message: "q", retryAfter: 9000 }
      ],
      "OpenRouter, another provider's error in a stream, with all that it says": [
        {
          body: {
            error: {
              message: JSON.stringify({
                error: { message: "m", code: 429, param: "p", headers: { "retry-after": "3" }, failed_generation: "g" }
              })
            }
          }
        },
        { _tag: "RateLimited", retryAfter: 3000 }
      ],
      "OpenRouter, another provider's error about a field": [
        { status: 400, body: { error: { message: JSON.stringify(openai({ code: "c", param: "p" })) } } },
        { _tag: "InvalidRequest", message: "m", field: "p", code: "c" }
      ],
      "OpenRouter, in a stream": [
        {
          body: {
            id: "gen-1",
            error: { code: 502, message: "Provider disconnected" },
            choices: [{ index: 0, delta: { content: "" }, finish_reason: "error" }]
          }
        },
        { _tag: "ServerFailed", message: "Provider disconnected" }
      ],
      "OpenRouter, in an answer with status 200": [
        { status: 200, body: { error: { code: 503, message: "No provider available" }, user_id: "u" } },
        { _tag: "Overloaded" }
      ],
      "Mistral, a limit": [
        {
          status: 429,
          body: {
            object: "error",
            message: "Rate limit exceeded",
            type: "rate_limited",
            param: null,
            code: "1300",
            raw_status_code: 429
          }
        },
        { _tag: "RateLimited", message: "Rate limit exceeded" }
      ],
      "Mistral, an unknown model": [
        { status: 400, body: { object: "error", message: "Invalid model: x", type: "invalid_model", code: "1500" } },
        { _tag: "ModelNotFound" }
      ],
      "Mistral, fields in the message": [
        {
          status: 422,
          body: {
            object: "error",
            message: {
              detail: [{ type: "missing", loc: ["body", "messages"], msg: "Field required", input: "secret" }]
            },
            type: "invalid_request_error"
          }
        },
        {
          _tag: "InvalidRequest",
          message: "messages: Field required",
          field: "messages",
          code: "invalid_request_error"
        }
      ],
      "DeepSeek, no balance": [
        {
          status: 402,
          body: openai({ message: "Insufficient Balance", type: "unknown_error", code: "invalid_request_error" })
        },
        { _tag: "QuotaExhausted" }
      ],
      "DeepSeek, an unknown model": [
        { status: 400, body: openai({ message: "Model Not Exist", code: "invalid_request_error" }) },
        { _tag: "ModelNotFound" }
      ],
      "xAI, a wrong key": [
        {
          status: 400,
          body: { code: "Client specified an invalid argument", error: "Incorrect API key provided: xa***" }
        },
        { _tag: "AuthenticationFailed" }
      ],
      "xAI, no credits": [
        {
          status: 429,
          body: {
            code: "m",
            error: "Your team has either used all available credits or reached its monthly spending limit."
          }
        },
        { _tag: "QuotaExhausted" }
      ],
      "vLLM, a context": [
        {
          status: 400,
          body: {
            object: "error",
            message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
            type: "BadRequestError",
            param: null,
            code: 400
          }
        },
        { _tag: "ContextLengthExceeded" }
      ],
      "vLLM, a bad request": [
        { status: 400, body: { error: { message: "m", type: "BadRequestError", param: "temperature", code: 400 } } },
        { _tag: "InvalidRequest", code: "BadRequestError", field: "temperature" }
      ],
      "vLLM, in a stream": [
        { body: { object: "error", message: "m", type: "InternalServerError", param: null, code: 500 } },
        { _tag: "ServerFailed", message: "m" }
      ],
      "vLLM, in a stream, the request's fault": [
        { body: { object: "error", message: "m", type: "BadRequestError", param: null, code: 400 } },
        { _tag: "InvalidRequest" }
      ],
      "llama.cpp, loading": [
        { status: 503, body: { error: { code: 503, message: "Loading model", type: "unavailable_error" } } },
        { _tag: "Overloaded", message: "Loading model" }
      ],
      "llama.cpp, loading, in a stream": [
        { body: { error: { code: 503, message: "Loading model", type: "unavailable_error" } } },
        { _tag: "Overloaded" }
      ],
      "llama.cpp, a context": [
        {
          status: 400,
          body: { error: { code: 400, message: "the request exceeds the available context size", type: "x" } }
        },
        { _tag: "ContextLengthExceeded" }
      ],
      "LM Studio, a text": [{ status: 400, body: { error: "Invalid 'input'" } }, { _tag: "InvalidRequest" }],
      "an overload that is a tool's name": [
        { status: 400, body: openai({ message: "Invalid tool name: overloaded" }) },
        { _tag: "InvalidRequest" }
      ]
    })
    table({
      "Azure, a filter by the inner code alone": [
        { status: 400, body: openai({ innererror: { code: "ResponsibleAIPolicyViolation" } }) },
        { _tag: "ContentFiltered" }
      ],
      "Groq, a tool call that was rejected": [
        {
          status: 400,
          body: openai({
            message: "Failed to call a function. See 'failed_generation' for more details.",
            type: "invalid_request_error",
            code: "tool_use_failed",
            failed_generation: "<function=f{\"a\":"
          })
        },
        { _tag: "ToolArgumentsInvalid", raw: "<function=f{\"a\":" }
      ],
      "Groq, an unknown tool": [
        {
          status: 400,
          body: openai({
            message: "attempted to call tool 'f' which was not in request.tools",
            code: "tool_use_failed"
          })
        },
        { _tag: "ToolArgumentsInvalid", raw: "" }
      ],
      "Groq, JSON that was rejected": [
        { status: 400, body: openai({ code: "json_validate_failed", failed_generation: "{\"a\":" }) },
        {
          _tag: "OutputInvalid",
          text: "{\"a\":",
          issues: [{ path: "", expected: "JSON that fits the schema" }]
        }
      ]
    }, openAiProtocols)
    table({
      "Groq, in a stream": [
        { body: { choices: [], x_groq: { id: "1", error: "over_capacity" } } },
        { _tag: "Overloaded", message: "over_capacity" }
      ],
      "OpenRouter, in a choice": [
        { body: { choices: [{ finish_reason: "error", error: { code: 429, message: "m" } }] } },
        { _tag: "RateLimited", message: "m" }
      ],
      "Mistral, a limit in a stream": [
        { body: { object: "error", message: "m", type: "x", code: "1300", raw_status_code: 429 } },
        { _tag: "RateLimited" }
      ],
      "DeepSeek, no resources in a stream": [
        { body: { choices: [{ index: 0, delta: {}, finish_reason: "insufficient_system_resource" }] } },
        { _tag: "Overloaded" }
      ]
    }, [OpenAiChat.errors])
  })

  describe("a protocol's own rules", () => {
    const acme: ErrorRules = {
      errorOf: ({ fault }) => fault,
      read: ({ ok }, { explanation, kind, loud, pause, place }) => ({
        isError: ok === false,
        field: place,
        retryAfter: typeof pause === "number" ? Duration.minutes(pause) : undefined,
        names: [kind, loud],
        message: explanation,
        status: kind === "busy" ? 503 : undefined,
        failedGeneration: loud
      }),
      rules: [
        { reason: "QuotaExhausted", codes: ["rate_limit_exceeded", /^drained/], on: (status) => status !== 418 },
        { reason: "ToolArgumentsInvalid", messages: [/\bmumbled\b/] }
      ]
    }
    table({
      "find the error in a place of its own": [
        { status: 400, body: { fault: { message: "m", param: "p", code: "c" } } },
        { _tag: "InvalidRequest", message: "m", field: "p", code: "c" }
      ],
      "recognise an error with status 200": [{ status: 200, body: { ok: false } }, { _tag: "ServerFailed" }],
      "name a code and a message": [
        { status: 400, body: { fault: { kind: "DrainedBattery", explanation: "no power" } } },
        { _tag: "QuotaExhausted", message: "no power" }
      ],
      "name the field": [
        { status: 422, body: { fault: { message: "m", place: "seed" } } },
        { _tag: "InvalidRequest", field: "seed" }
      ],
      "name the wait": [
        { status: 429, body: { fault: { pause: 2 } } },
        { _tag: "RateLimited", retryAfter: 120_000 }
      ],
      "leave the wait to the header": [
        { status: 429, headers: { "retry-after": "9" }, body: { fault: { pause: 2 } } },
        { _tag: "RateLimited", retryAfter: 9000 }
      ],
      "name the status of an event": [{ body: { fault: { kind: "busy" } } }, { _tag: "Overloaded" }],
      "come before the common rules": [
        { status: 429, body: openai({ code: "rate_limit_exceeded" }) },
        { _tag: "QuotaExhausted" }
      ],
      "hold for some statuses": [{ status: 418, body: { fault: { kind: "drained" } } }, { _tag: "InvalidRequest" }],
      "go by the message, and show the model's own words": [
        { status: 400, body: { fault: { message: "it mumbled", loud: "mmm" } } },
        { _tag: "ToolArgumentsInvalid", raw: "mmm" }
      ],
      "hold for an error that a gateway quotes": [
        { status: 502, body: { error: { message: "m", metadata: { raw: { fault: { kind: "drained" } } } } } },
        { _tag: "QuotaExhausted" }
      ],
      "leave all else to the common rules": [
        { status: 429, headers: { "retry-after": "4" }, body: { fault: { kind: "toString", explanation: 7 } } },
        { _tag: "RateLimited", retryAfter: 4000, message: undefined }
      ]
    }, [acme])
  })

  describe("by the message, where codes say nothing", () => {
    const phrases: { readonly [tag in LlmError.ReasonTag]?: ReadonlyArray<string> } = {
      Overloaded: [
        "Overloaded",
        "llama is currently over capacity. Please try again and back off exponentially.",
        "We are at capacity",
        "Service tier capacity exceeded for this model.",
        "server busy, please try again",
        "The server is busy"
      ],
      RateLimited: ["Rate limit reached", "Too many requests, please slow down"],
      QuotaExhausted: [
        "Your credit balance is too low",
        "Insufficient Balance",
        "insufficient credits",
        "Monthly spending limit reached",
        "Budget limit exceeded",
        "This request requires more credits, or fewer max_tokens",
        "You have run out of credits",
        "You exceeded your current quota, please check your plan and billing"
      ],
      AuthenticationFailed: [
        "Incorrect API key provided: xa***",
        "invalid x-api-key",
        "API key not valid",
        "Expired API-Key"
      ],
      ContentFiltered: [
        "Content Exists Risk",
        "your input was flagged for \"violence/graphic\"",
        "This prompt may violate our usage policies"
      ],
      ContextLengthExceeded: [
        "This model's maximum context length is 8192 tokens",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens",
        "Your input exceeds the context window of this model",
        "tokens to keep from the initial prompt is greater than the context length",
        "context length exceeded",
        "context window exceeds limit",
        "Input is too long for requested model.",
        "Prompt exceeds max length",
        "too many tokens: size limit exceeded by 5 tokens",
        "Your request exceeded model token limit: 262144",
        "Please reduce the length of the messages or completion."
      ],
      ModelNotFound: [
        "The model 'x' has been decommissioned and is no longer supported",
        "x/y is not a valid model ID",
        "Invalid model: x",
        "Unknown model 'x'"
      ],
      PermissionDenied: ["The free tier is not available in your country."]
    }
    for (const [tag, messages] of Object.entries(phrases)) {
      for (const message of messages) {
        it(`${message}: ${tag}`, () => {
          for (const errors of everyProtocol) {
            assert.strictEqual(classify({ error: message }, { errors })._tag, tag)
            assert.strictEqual(classify({ error: { message } }, { errors })._tag, tag)
          }
        })
      }
    }

    table({
      "tokens of a limit are no context": [
        { status: 429, body: { message: "Too many tokens, please wait before trying again." } },
        { _tag: "RateLimited" }
      ],
      "a server that has not got the model yet": [
        { status: 503, body: { error: "model x not found on any node" } },
        { _tag: "Overloaded" }
      ],
      "a gateway that passes on a limit": [
        { status: 502, body: "upstream says: too many requests" },
        { _tag: "RateLimited" }
      ],
      "a field about a limit": [
        { status: 400, body: openai({ message: "rate limit must be positive", code: "invalid_value" }) },
        { _tag: "InvalidRequest" }
      ],
      "a precondition": [{ body: { error: { status: "FAILED_PRECONDITION" } } }, { _tag: "InvalidRequest" }]
    })
  })

  describe("the message", () => {
    const messageOf = (body: unknown, status = 500): string | undefined => {
      const reason = classify({ status, headers: {}, body }, { nowMillis: now })
      return reason.message
    }

    it("is found in every shape", () => {
      const shapes: ReadonlyArray<unknown> = [
        { error: { message: "what went wrong", type: "x" } },
        [{ error: { message: "what went wrong" } }],
        { error: "what went wrong" },
        { error: ["what went wrong"] },
        { errors: [{ message: "what went wrong" }] },
        { errors: ["what went wrong"] },
        { detail: "what went wrong" },
        { detail: { message: "what went wrong" } },
        { detail: [{ msg: "what went wrong" }] },
        { object: "error", message: "what went wrong" },
        { message: "what went wrong" },
        { error: "code", error_description: "what went wrong" },
        { error: { message: JSON.stringify({ error: { message: "what went wrong" } }) } },
        "what went wrong",
        JSON.stringify("what went wrong"),
        "{\"error\":{\"message\":\"what went wrong\",\"type\":\"server_er",
        "{\"error\":{\"type\":\"server_error\",\"message\":\"what went wrong",
        "{\"error\":\"what went wrong",
        "\n\n\n{\"error\":{\"message\":\"what went wrong\"}}",
        "\ufeff{\"error\":{\"message\":\"what went wrong\"}}",
        "<!DOCTYPE html><html><head><title>what went wrong</title></head><body>all else</body></html>"
      ]
      for (const shape of shapes) {
        const text = typeof shape === "string" ? shape : JSON.stringify(shape)
        assert.strictEqual(messageOf(text), "what went wrong", text)
        assert.strictEqual(messageOf(shape), "what went wrong", text)
      }
    })

    it("of a body that is cut off is as much of it as came, with its escapes read", () => {
      assert.strictEqual(messageOf("{\"error\":{\"message\":\"say \\\"hi\\\"\\nplease"), "say \"hi\" please")
      assert.strictEqual(messageOf("{\"error\":{\"message\":\"half an escape \\"), "half an escape")
      assert.isUndefined(messageOf("{\"error\":{\"mess"))
      assert.isUndefined(messageOf("{\"error\":"))
    })

    it("of a body that is cut off still comes with its codes", () => {
      const body = "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"param\":nu"
      assert.deepStrictEqual(show(classify({ status: 429, headers: {}, body })), {
        _tag: "QuotaExhausted",
        message: "m"
      })
      assert.strictEqual(
        classify("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"mess")._tag,
        "Overloaded"
      )
    })

    it("of a page is its title, and nothing without one", () => {
      const filler = "<p>secret</p>".repeat(2000)
      assert.strictEqual(messageOf(`<html><title>502 Bad\n Gateway</title>${filler}`, 502), "502 Bad Gateway")
      assert.isUndefined(messageOf(`<!-- x --><html><body>${filler}</body></html>`, 502))
      assert.isUndefined(messageOf(`Error: <html><body>${filler}</body></html>`, 502))
      assert.isUndefined(messageOf("<?xml version=\"1.0\"?><Error><Code>Denied</Code></Error>", 502))
      assert.isUndefined(messageOf({ error: { message: `<html><body>${filler}</body></html>` } }, 502))
      assert.strictEqual(messageOf({ error: `<html><title>t</title>${filler}` }, 502), "t")
      assert.isAtMost(messageOf(`<html><title>${"t".repeat(20_000)}</title>`, 502)?.length ?? 0, 200)
    })

    it("is bounded: to 500 characters, and to 200 of plain text", () => {
      assert.isAtMost(messageOf({ error: { message: "long ".repeat(1000) } })?.length ?? 0, 500)
      assert.isAbove(messageOf({ error: { message: "long ".repeat(1000) } })?.length ?? 0, 200)
      assert.isAtMost(messageOf("long ".repeat(1000))?.length ?? 0, 200)
      assert.isAtMost(messageOf(JSON.stringify("long ".repeat(1000)))?.length ?? 0, 200)
    })

    it("of FastAPI says where and what, never what was sent", () => {
      const detail = [
        { type: "missing", loc: ["body", "messages", 0, "content"], msg: "Field required", input: "the prompt" },
        {
          type: "value",
          loc: ["body", "temperature"],
          msg: "Input should be a number",
          input: "hot",
          ctx: { a: "prompt" }
        },
        { loc: "nowhere", msg: "Odd" },
        { loc: ["body", "unsaid"] },
        "odd",
        null
      ]
      for (const body of [{ detail }, JSON.stringify({ detail })]) {
        assert.deepStrictEqual(show(classify({ status: 422, headers: {}, body })), {
          _tag: "InvalidRequest",
          message: "messages[0].content: Field required; temperature: Input should be a number; Odd",
          field: "messages[0].content"
        })
      }
    })

    it("holds neither keys nor the prompt, wherever they stand", () => {
      const key = "very-private-key-1234567890"
      const prompt = "Write a letter to my landlord about the broken heating in the kitchen."
      const leaks = [key, prompt, prompt.slice(0, 40)]
      const bodies: ReadonlyArray<unknown> = leaks.flatMap((leak) => [
        leak,
        `${"x ".repeat(95)}${leak}`,
        { error: { message: leak, param: leak, code: leak } },
        { error: leak },
        { detail: [{ loc: ["body", leak], msg: leak, input: leak }] },
        { error: { message: "m", metadata: { raw: leak, flagged_input: leak } } },
        `{"error":{"message":"${leak}`,
        `<title>${leak}</title>`
      ])
      for (const body of bodies) {
        for (const status of [200, 400, 403, 500]) {
          for (const errors of everyProtocol) {
            const shown = JSON.stringify(
              classify({ status, headers: {}, body }, { secrets: [key], sources: [prompt], errors })
            )
            assert.notInclude(shown, key.slice(0, 12))
            assert.notInclude(shown, prompt.slice(0, 30))
          }
        }
      }
    })
  })

  describe("answers with status 200 that are none", () => {
    const bodies: ReadonlyArray<unknown> = [
      "",
      "<html><title>Sign in to the airport's network</title></html>",
      "{\"id\":\"c1\",\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Hel",
      "ok",
      "[]",
      "null",
      { choices: [] },
      { choices: [], error: null },
      { message: { role: "assistant", content: "" }, done: true }
    ]
    for (const body of bodies) {
      it(`${JSON.stringify(body).slice(0, 40)}: MalformedResponse, retryable`, () => {
        const reason = classify({ status: 200, headers: {}, body })
        assert.strictEqual(reason._tag, "MalformedResponse")
        assert.isTrue(isRetryable(reason))
      })
    }

    it("are errors where the body says so, in any shape", () => {
      const errors: ReadonlyArray<unknown> = [
        { error: "m" },
        { error: {} },
        { message: "m" },
        { detail: "m" },
        { detail: [{ loc: ["body"], msg: "m" }] },
        { type: "error" },
        { object: "error" }
      ]
      const tagOf = (body: unknown, errors?: ErrorRules) =>
        classify({ status: 200, headers: {}, body }, { errors })._tag
      for (const protocol of everyProtocol) {
        for (const body of errors) assert.strictEqual(tagOf(body, protocol), "ServerFailed", JSON.stringify(body))
      }
      assert.strictEqual(tagOf({ object: "response", status: "failed", error: null }, OpenAi.errors), "ServerFailed")
    })

    it("are errors where the half that came says so", () => {
      const reason = classify({ status: 200, headers: {}, body: "{\"error\":{\"message\":\"m\",\"code\":\"server_err" })
      assert.strictEqual(reason._tag, "ServerFailed")
    })
  })

  describe("the server's wait", () => {
    it("is kept for what can be retried, in any form", () => {
      const waits: ReadonlyArray<readonly [headers: Record<string, string>, expected: number | undefined]> = [
        [{ "retry-after": "4" }, 4000],
        [{ "retry-after": "120" }, 120_000],
        [{ "retry-after": "3600" }, 3_600_000],
        [{ "retry-after-ms": "0", "retry-after": "7" }, 0],
        [{ "Retry-After": "Sun, 22 Nov 2026 12:00:04 GMT" }, 4000],
        [{ "retry-after": "-5" }, undefined],
        [{}, undefined]
      ]
      for (const status of [408, 409, 429, 498, 500, 503, 529]) {
        for (const [headers, expected] of waits) {
          const reason = show(classify({ status, headers, body: "" }, { nowMillis: now }))
          assert.strictEqual(reason.retryAfter, expected)
          assert.strictEqual("retryAfter" in reason, expected !== undefined)
        }
      }
    })

    it("is not read from a date where the time is not known", () => {
      const headers = { "retry-after": "Sun, 22 Nov 2026 12:00:04 GMT" }
      assert.deepStrictEqual(show(classify({ status: 429, headers, body: "" })), { _tag: "RateLimited" })
    })
  })

  describe("any input", () => {
    const isReason = Schema.is(Schema.typeSchema(LlmError.Reason))

    const check = (input: unknown, errors?: ErrorRules): void => {
      const reason = classify(input, { nowMillis: now, secrets: ["k"], sources: ["a prompt"], errors })
      assert.isTrue(isReason(reason))
      assert.isAtMost(reason.message?.length ?? 0, 500)
    }

    const protocol = FastCheck.constantFrom(...everyProtocol)

    const status = FastCheck.oneof(FastCheck.integer({ min: 100, max: 599 }), FastCheck.integer(), FastCheck.double())
    const headers = FastCheck.dictionary(
      FastCheck.constantFrom("retry-after", "Retry-After-Ms", "x"),
      FastCheck.string()
    )

    // Shapes that get deep into the reader, with anything in every place.
    const names = FastCheck.constantFrom(
      "error",
      "message",
      "code",
      "type",
      "status",
      "detail",
      "details",
      "response",
      "choices",
      "metadata",
      "raw",
      "headers",
      "errors",
      "param",
      "loc",
      "msg",
      "violations",
      "quotaId",
      "retryDelay",
      "reason",
      "innererror",
      "promptFeedback",
      "blockReason",
      "x_groq",
      "candidates",
      "finishReason",
      "finish_reason",
      "incomplete_details",
      "raw_status_code",
      "object",
      "failed_generation",
      "__proto__",
      "toString",
      "constructor"
    )
    const { tree } = FastCheck.letrec((tie) => ({
      tree: FastCheck.oneof(
        { maxDepth: 6, withCrossShrink: true },
        FastCheck.oneof(
          FastCheck.string(),
          FastCheck.integer({ min: 100, max: 600 }),
          FastCheck.constantFrom(
            null,
            true,
            "error",
            "{\"error\":{\"message\":\"x\"}}",
            "<html>",
            "1.5s",
            "[",
            "limit: 0"
          )
        ),
        FastCheck.array(tie("tree"), { maxLength: 3 }),
        FastCheck.dictionary(names, tie("tree"), { maxKeys: 6, noNullPrototype: true })
      )
    }))

    it("never throws for arbitrary JSON, parsed or as text, as event or as answer", () => {
      const body = FastCheck.oneof(FastCheck.jsonValue(), tree)
      FastCheck.assert(
        FastCheck.property(body, status, headers, protocol, (body, status, headers, protocol) => {
          const text = JSON.stringify(body)
          for (const input of [body, text, text.slice(0, text.length / 2)]) {
            check(input, protocol)
            check({ status, headers, body: input }, protocol)
          }
        }),
        { numRuns: 500 }
      )
    })

    it("never throws for arbitrary text and arbitrary values", () => {
      const text = FastCheck.oneof(
        FastCheck.string({ unit: "binary" }),
        FastCheck.string({
          unit: FastCheck.constantFrom("{", "}", "[", "]", "\"", "\\", ":", "<", "data:", "\n", "message", "title>")
        })
      )
      FastCheck.assert(
        FastCheck.property(
          text,
          FastCheck.anything(),
          status,
          headers,
          protocol,
          (text, value, status, headers, own) => {
            for (const input of [text, value]) {
              check(input, own)
              check({ status, headers, body: input }, own)
            }
          }
        ),
        { numRuns: 500 }
      )
    })

    it("does not follow errors within errors for ever", () => {
      let body: object = {}
      for (let depth = 0; depth < 100_000; depth++) body = { error: { metadata: { raw: body } } }
      check({ status: 500, headers: {}, body })
    })

    it("takes no longer than the text is long", () => {
      const size = 65_536
      const bodies = [
        "[".repeat(size),
        "{\"message\":".repeat(size / 11),
        `{"message":"${"\\\\".repeat(size / 2)}`,
        `{"message":"${"a".repeat(size)}\\`,
        "\"message\":\"".repeat(size / 11),
        "<title".repeat(size / 6),
        "<title>".repeat(size / 7),
        "model ".repeat(size / 6),
        "api key ".repeat(size / 8),
        "1".repeat(size),
        "data:".repeat(size / 5),
        JSON.stringify({ error: { message: "exceeds the ".repeat(size / 12) } }),
        JSON.stringify({ error: { details: [{ retryDelay: `${"1h".repeat(size / 2)}!` }] } })
      ]
      for (const body of bodies) {
        const started = performance.now()
        check({ status: 429, headers: {}, body })
        assert.isBelow(performance.now() - started, 10_000, body.slice(0, 20))
      }
    })
  })
})
