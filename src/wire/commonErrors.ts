import type { ReasonName, Rule } from "./errorRules.js"

/**
 * The codes and phrases of services that speak several protocols, or whose errors gateways pass on in another one. The
 * first rule that applies wins. Reasons that waiting does not mend come before those that it does, because services send
 * both as 429 (and as 400, 402 and 403).
 */
export const rules: ReadonlyArray<Rule> = [
  {
    reason: "Overloaded",
    codes: [
      "overloaded_error",
      "overloaded",
      "model_overloaded",
      "engine_overloaded",
      "engine_overloaded_error",
      "server_is_overloaded",
      "service_unavailable",
      "service_unavailable_error",
      "service_tier_capacity_exceeded",
      "unavailable",
      "unavailable_error",
      "over_capacity",
      "capacity_exceeded",
      "model_capacity_exhausted"
    ]
  },
  {
    reason: "Overloaded",
    messages: [
      /\boverloaded\b/i,
      /\b(?:at|over) capacity\b/i,
      /\bcapacity exceeded\b/i,
      /\bserver (?:is )?busy\b/i
    ],
    on: (status) => status === undefined || status === 429 || status >= 500
  },
  // Other requests have reserved the money; it is not spent.
  { reason: "RateLimited", codes: ["openrouter_in_flight_budget"] },
  {
    reason: "QuotaExhausted",
    codes: [
      "insufficient_quota",
      "insufficient_balance",
      "insufficient_credits",
      "credit_balance_exhausted",
      "organization_usage_limit_exceeded",
      "organization_spend_limit_exceeded",
      "project_spend_limit_exceeded",
      "enforced_spend_limit_reached",
      "exceeded_current_quota_error",
      "quota_exceeded",
      "quota_per_day",
      "usage_limit_reached",
      "billing_error",
      "billing_hard_limit_reached",
      "billing_not_active",
      "access_terminated",
      "payment_required",
      "openrouter_credits",
      "openrouter_guardrail_budget",
      "openrouter_key_limit",
      "openrouter_workspace_budget"
    ],
    messages: [
      /credit balance/i,
      /insufficient (?:account )?(?:balance|credits?|funds|quota)/i,
      /(?:spend(?:ing)?|usage|billing hard|budget|key) limit (?:has been )?(?:reached|exceeded)/i,
      /reached (?:your|its) [\w ]{0,40}(?:usage|spend\w*) limit/i,
      /(?:all available|out of|more) credits/i,
      // Azure API Management.
      /call volume quota/i,
      // OpenRouter.
      /free-models-per-day/i,
      // Gemini: the tier does not include the model.
      /\blimit: 0(?![.\d])/i
    ]
  },
  // Gemini sends "you exceeded your current quota" for requests a minute, too.
  { reason: "RateLimited", codes: ["resource_exhausted"] },
  { reason: "QuotaExhausted", messages: [/exceeded your current quota/i] },
  {
    reason: "AuthenticationFailed",
    codes: [
      "authentication_error",
      "invalid_authentication",
      "invalid_authentication_error",
      "invalid_api_key",
      "invalid_token",
      "api_key_invalid",
      "token_expired",
      "unauthenticated",
      "unauthorized"
    ],
    messages: [
      /(?:invalid|incorrect|expired|missing)[\w -]{0,20}\bapi[ _-]?key/i,
      /\bapi[ _-]?key\b.{0,30}\b(?:not valid|invalid|expired|revoked)/i
    ]
  },
  {
    reason: "ContentFiltered",
    codes: [
      "content_filter",
      "content_filtered",
      "content_policy_violation",
      "image_content_policy_violation",
      "moderation_blocked",
      "data_inspection_failed",
      "bio_policy",
      "cyber_policy",
      "flagged_input"
    ],
    messages: [
      // Azure, Anthropic, DeepSeek.
      /content (?:management policy|filtering policy|exists risk)/i,
      // OpenAI, OpenRouter.
      /\bflagged (?:as|for) /i,
      /\bviolat\w+ [\w ]{0,20}usage polic/i
    ]
  },
  {
    reason: "ContextLengthExceeded",
    codes: [
      "context_length_exceeded",
      "context_window_exceeded",
      "model_context_window_exceeded",
      "exceed_context_size_error"
    ],
    messages: [
      // OpenAI Chat, vLLM, DeepSeek, Mistral, OpenRouter; xAI.
      /maximum (?:context|prompt) length/i,
      // OpenAI Responses, Anthropic, llama.cpp, Ollama, LM Studio.
      /(?:exceeds?|greater than|longer than) (?:the |this |available |model's |model )*context/i,
      /context (?:length|window|size) (?:was |is )?exceed/i,
      // Anthropic, Bedrock; Zhipu.
      /(?:prompt|input) (?:is too long|exceeds max)/i,
      // Gemini.
      /input token count.{0,40} exceeds/i,
      // Cohere.
      /too many (?:input )?tokens/i,
      // Moonshot.
      /exceeded model token limit/i,
      // Groq.
      /reduce the length of the (?:messages|prompt|input)/i
    ],
    on: (status) => status !== 429
  },
  // Also for more tokens than a whole minute allows (Groq with 413, OpenAI with 429): no wait helps.
  { reason: "InvalidRequest", codes: ["request_too_large"], messages: [/request too large/i] },
  {
    reason: "ModelNotFound",
    codes: [
      "model_not_found",
      "model_not_found_error",
      "model_decommissioned",
      "deployment_not_found",
      "invalid_model",
      "unknown_model"
    ],
    messages: [
      /\bmodels?\b.{0,80}\b(?:not found|(?:does not|doesn't|not) exist|decommissioned)\b/i,
      /\bnot a valid model\b/i,
      /\b(?:invalid|unknown) model\s*[:'"`]/i
    ],
    on: (status) => status === undefined || status < 500
  },
  { reason: "PermissionDenied", messages: [/location is not supported/i, /not available in your (?:country|region)/i] },
  {
    reason: "RateLimited",
    codes: [
      "rate_limit_error",
      "rate_limit_exceeded",
      "rate_limit_reached_error",
      "rate_limited",
      "slow_down",
      "throttling_error",
      "throttling_exception",
      "too_many_requests"
    ],
    on: (status) => status !== 413
  },
  {
    reason: "RateLimited",
    messages: [/rate limit/i, /too many requests/i],
    on: (status) => status === undefined || status >= 500
  }
]

/** The reasons of statuses. Other statuses from 500 on are `ServerFailed`, those below `InvalidRequest`. */
export const statusReasons: ReadonlyMap<number, ReasonName> = new Map<number, ReasonName>([
  [401, "AuthenticationFailed"],
  [402, "QuotaExhausted"],
  [403, "PermissionDenied"],
  [404, "ModelNotFound"],
  [408, "ServerFailed"],
  [409, "ServerFailed"],
  [410, "ModelNotFound"],
  [425, "ServerFailed"],
  [429, "RateLimited"],
  // Groq: no capacity for a request of the flexible tier.
  [498, "Overloaded"],
  [503, "Overloaded"],
  [529, "Overloaded"]
])

/** Codes that are no more exact than a status, for events without one. */
export const codeReasons: ReadonlyArray<readonly [code: RegExp, reason: ReasonName]> = [
  [/^(?:permission|access)_(?:error|denied)|^forbidden$|^unsupported_country/, "PermissionDenied"],
  [/^not_found/, "ModelNotFound"],
  [/^(?:invalid|unsupported|unprocessable|validation|bad_request)(?:_|$)/, "InvalidRequest"],
  [/^(?:failed_precondition|out_of_range)$/, "InvalidRequest"]
]
