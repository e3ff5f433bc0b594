import { exceedsContext } from "./contextLength.js"
import type { ReasonName, Rule } from "./errorRules.js"
import { rejectsReasoning } from "./rejectedReasoning.js"

/** Limits of a window so short that waiting helps. */
const shortWindow = /\b(?:per|a|each) (?:second|minute|hour)\b|per[-_](?:sec|min|hour)|\b[rt]p[ms]\b/i

/** DashScope calls its throttling a quota: it names the limit, or refers to its documentation. */
const throttled = new RegExp(
  `${shortWindow.source}|\\bthrottl|\\brate limit|too many requests|allocated quota|\\b(?:aliyun|alibabacloud)\\.com\\b`,
  "i"
)

/** An address that the service does not have. */
const unknownPath = new RegExp(
  [
    /^\s*(?:http )?(?:404)?[ :,-]{0,3}(?:the )?(?:requested )?(?:page|path|route|ur[li]|resource|endpoint)? ?(?:was |is |could )?not (?:be )?found\.?\s*$/,
    /\b(?:invalid|unknown) (?:ur[li]|path|route|endpoint)\b|\bno (?:such )?(?:route|path)\b|\bcannot (?:get|post)\b/,
    /\b(?:path|route|ur[li]|endpoint) .{0,60}(?:not found|not exist|unknown)/
  ].map(({ source }) => source).join("|"),
  "i"
)

/**
 * The codes and phrases of services that speak several protocols, or whose errors gateways pass on in another one. The
 * first rule that applies wins. Permanent reasons come before those that waiting helps, because services send both as
 * 429 (and as 400, 402 and 403).
 */
export const rules: ReadonlyArray<Rule> = [
  {
    reason: "ReasoningRejected",
    codes: ["invalid_encrypted_content"],
    messages: [rejectsReasoning],
    on: (status) => status === undefined || status === 400 || status === 404 || status === 422
  },
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
    reason: "RateLimited",
    codes: ["insufficient_quota"],
    on: (status, { message }) => status === 429 && throttled.test(message) && !/\b(?:balance|credits?)\b/i.test(message)
  },
  {
    reason: "QuotaExhausted",
    codes: [
      // "AccountOverdueError", "Arrearage", "budget_exceeded", "contract_spend_limit_reached" ...
      /(?:^|_)(?:overdue|arrear\w*)(?:_|$)/,
      /(?:^|_)insufficient_(?:account_)?(?:balance|credits?|funds)(?:_|$)/,
      /(?:^|_)(?:balance|credits?|funds)_(?:insufficient|exhausted|depleted|too_low|not_enough)(?:_|$)/,
      /(?:^|_)out_of_(?:credits?|funds)(?:_|$)/,
      /(?:^|_)budget_(?:limit_)?(?:exceeded|exhausted|reached)$|^exceeded_budget$/,
      /(?:^|_)spend(?:ing)?_limit_(?:reached|exceeded)$/,
      /(?:^|_)free_tier_only$/,
      // Volcengine: a limit set by the program's owner.
      "set_limit_exceeded",
      // Zhipu; MiniMax.
      /^(?:1113|1304|1308|1309|1310)$/,
      /^base_resp_(?:1008|2056)$/,
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
      /(?:spend(?:ing)?|usage|billing hard|budget|key|credit) limit (?:has been )?(?:reached|exceeded)/i,
      /\breach(?:ed|ing) (?:your|its|the) [\w ]{0,40}(?:usage|spend\w*) limit|\bfailure to pay\b|\badd a payment method\b|\btrial (?:has |is )?(?:ended|expired|over)\b|\b(?:unpaid|past[- ]due) invoices?\b/i,
      /(?:all available|out of|more) credits/i,
      /\b(?:balance|credits?|funds) (?:(?:is|are|was|has been|have been) )?(?:insufficient|exhausted|depleted|too low|not enough|used up)/i,
      /\b(?:not enough|ran out of|run out of|used up) (?:\w+ )?(?:balance|credits?|funds)\b/i,
      /\b(?:overdue|arrears)\b|\brecharge\b|余额|欠费|充值/i,
      // Of money: thinking has a budget of tokens.
      /(?<!\b(?:thinking|reasoning|tokens?) )\bbudget (?:(?:is|was|has been) )?(?:exceeded|exhausted|reached|used up)/i,
      /\b(?:exceed(?:s|ed)?|over) (?:(?!thinking|reasoning|tokens?)\w+ ){0,3}budget\b(?![ _]tokens)/i,
      // Azure API Management.
      /call volume quota/i,
      // OpenRouter.
      /free-models-per-day/i,
      // Gemini: the tier does not include the model.
      /\blimit: 0(?![.\d])/i
    ]
  },
  {
    // A day or a month is too long to wait, unless the service says when more is allowed: its limit may be a sliding one.
    reason: "QuotaExhausted",
    codes: [/(?:^|_)(?:daily|weekly|monthly)_\w*limit|per_(?:day|week|month)(?:_|$)/],
    messages: [
      /\b(?:per|a|each)[ -](?:day|week|month)\b|\b(?:daily|weekly|monthly)\b[\w ]{0,30}\b(?:limit|quota|allowance|allocation)|\b[rt]pd\b/i
    ],
    on: (status, { message, waits }) => (status === undefined || status === 429) && !waits && !shortWindow.test(message)
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
      "unauthorized",
      // AWS.
      /^(?:expired_token|(?:incomplete|invalid)_signature|invalid_client_token_id|missing_authentication_token|signature_does_not_match|unrecognized_client)(?:_exception)?$/,
      // MiniMax.
      /^base_resp_(?:1004|2049)$/
    ],
    messages: [
      /(?:invalid|incorrect|expired|missing)[\w -]{0,20}\bapi[ _-]?(?:key|token)/i,
      /\bapi[ _-]?(?:key|token)\b.{0,30}\b(?:not valid|invalid|expired|revoked)/i,
      // AWS.
      /\b(?:security|bearer) token\b.{0,40}\b(?:invalid|expired)\b|\brequest signature we calculated does not match\b/i
    ]
  },
  {
    reason: "PermissionDenied",
    codes: [
      /^(?:organi[sz]ation|account|project|workspace|user|key|api_key)_(?:is_)?(?:on_hold|suspended|disabled|deactivated|banned|restricted)$/
    ],
    messages: [
      /\b(?:organi[sz]ation|account|project|workspace) (?:\S+ )?(?:has been|is|was) (?:temporarily |currently )?(?:on hold|suspended|disabled|deactivated|banned)\b/i
    ]
  },
  {
    reason: "ContentFiltered",
    codes: [
      // "misalignment_policy_violation", "InputTextSensitiveContentDetected" ...
      /_policy_violation$/,
      /^(?!invalid|unsupported|missing)(?:\w+_)?(?:content_filter(?:ed)?|sensitive_content\w*|moderation_(?:blocked|failed|error)|guardrails?_(?:intervened|blocked|violation))$/,
      // Zhipu; MiniMax.
      "1301",
      /^base_resp_(?:1026|1027)$/,
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
      /\bflagged (?:as|for|by) |\bnsfw\b/i,
      /\bviolat\w+ [\w ]{0,20}usage (?:polic|guideline)|\bcontent ?policy ?violation/i,
      // Portkey.
      /\bguardrails?\b[\w ]{0,40}\b(?:checks? (?:[\w ]{0,40} )?failed|failed the check|blocked|intervened)\b/i,
      // Zhipu, Volcengine, DashScope, MiniMax.
      /(?<![\w-])(?:sensitive|inappropriate|unsafe|harmful) (?:content|information|material|words?|text)\b/i,
      /\bunsafe or sensitive\b|\bnew_sensitive\b|敏感|违规/i,
      // Moonshot.
      /\b(?:considered|deemed) (?:to be |as )?(?:high[- ]risk|unsafe|harmful)/i,
      /\b(?:blocked|rejected|stopped|intercepted|filtered) (?:by|due to|because of) [\w' ]{0,40}\b(?:safety|guardrails?|moderation|content (?:filter|polic))/i
    ]
  },
  {
    reason: "ContextLengthExceeded",
    codes: [
      "model_context_window_exceeded",
      // "context_length_exceeded", "model_max_prompt_tokens_exceeded", "input_too_long" ...
      /^(?!.*(?:rate|quota|budget|minute|day|image|file|audio|video|bytes))(?:\w+_)?(?:context|prompt|input)_(?:\w+_)?(?:exceed\w*|too_long|too_large|overflow\w*)(?:_error|_exception)?$/,
      // "exceed_context_size_error".
      /^exceed(?:s|ed)?_(?:\w+_)?(?:context|prompt|input)_(?:size|length|window|tokens)/,
      // GitHub Models.
      /^tokens_limit_reached$/,
      // Zhipu.
      "1261"
    ],
    messages: [exceedsContext],
    on: (status) => status !== 429
  },
  // Also sent for more tokens than a whole minute allows (Groq with 413, OpenAI with 429): no wait helps.
  { reason: "InvalidRequest", codes: ["request_too_large"], messages: [/request too large/i] },
  {
    reason: "ModelNotFound",
    codes: [
      "model_not_found",
      "model_not_found_error",
      "model_decommissioned",
      "deployment_not_found",
      "invalid_model",
      "unknown_model",
      // Zhipu.
      "1211"
    ],
    messages: [
      /模型.{0,20}不存在/,
      /\bmodels?\b.{0,80}\b(?:not found|(?:does not|doesn't|not) exist|decommissioned)\b/i,
      /\bnot a valid model\b/i,
      /\b(?:invalid|unknown) model\s*[:'"`]/i
    ],
    on: (status) => status === undefined || status < 500
  },
  {
    reason: "ModelNotFound",
    codes: [/^not_found/],
    messages: [/\b(?:models?|deployments?)\b/i, /\bno (?:\w+ )?(?:endpoints?|providers?) (?:found|available)/i],
    on: (status, { message }) => status === 404 && !(message !== "" && unknownPath.test(message))
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
      // AWS.
      /(?:^|_)throttl(?:ing|ed)_(?:error|exception)$/,
      "too_many_requests",
      // Zhipu; MiniMax.
      /^(?:1302|1303)$/,
      /^base_resp_(?:1002|1039|1041|2045)$/
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
  [408, "ServerFailed"],
  [409, "ServerFailed"],
  [410, "ModelNotFound"],
  [425, "ServerFailed"],
  [429, "RateLimited"],
  // The connection to the service closed before it answered: nginx, Google.
  [499, "ServerFailed"],
  // Groq: no capacity for a request of the flexible tier.
  [498, "Overloaded"],
  [503, "Overloaded"],
  [529, "Overloaded"]
])

/** Codes that are no more exact than a status, for events without one. */
export const codeReasons: ReadonlyArray<readonly [code: RegExp, reason: ReasonName]> = [
  [/^(?:permission|access)_(?:error|denied)|^forbidden$|^unsupported_country/, "PermissionDenied"],
  [/^not_found/, "ModelNotFound"],
  [/^(?:invalid|unsupported|unprocessable|validation|bad_request)(?:_|$)|^base_resp_2013$/, "InvalidRequest"],
  [/^(?:failed_precondition|out_of_range)$/, "InvalidRequest"]
]
