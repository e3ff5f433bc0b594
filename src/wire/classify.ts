import type * as Duration from "effect/Duration"
import * as LlmError from "../domain/LlmError.js"
import { scrub } from "../internal/scrub.js"
import { type ErrorBody, readErrorBody } from "./errorBody.js"
import { type HeaderFields, retryAfter } from "./retryAfter.js"

/** An answer over HTTP that is not the one that was hoped for. */
export interface Answer {
  readonly status: number
  readonly headers: HeaderFields
  /** Its text, whole or as far as it was read, or what was parsed of it. */
  readonly body: unknown
}

export interface Options {
  /** The time, in epoch milliseconds, that a Retry-After with a date counts from. Without it such a one is ignored. */
  readonly nowMillis?: number | undefined
  /** Texts that must not appear in the reason at all: keys. */
  readonly secrets?: ReadonlyArray<string> | undefined
  /** Texts of which no long run may appear in the reason: the prompt. */
  readonly sources?: ReadonlyArray<string> | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// From evidence to the name of a reason
// ---------------------------------------------------------------------------------------------------------------------

interface Evidence {
  readonly codes: ReadonlySet<string>
  readonly message: string
  readonly status: number | undefined
}

type Tag = keyof typeof makers

interface Rule {
  readonly reason: Tag
  /** Any of these codes will do, */
  readonly codes?: ReadonlyArray<string>
  /** or a message of any of these shapes, */
  readonly says?: ReadonlyArray<RegExp>
  /** but only with a status of this kind. Default: any. */
  readonly on?: (status: number | undefined) => boolean
}

/**
 * What providers say more exactly than their status does: the first rule that applies wins. What cannot be waited out
 * comes before what can, as both come as 429 (and as 400, 402 and 403).
 */
const rules: ReadonlyArray<Rule> = [
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
      "model_capacity_exhausted",
      "insufficient_system_resource"
    ]
  },
  {
    reason: "Overloaded",
    says: [
      /\boverloaded\b/i,
      /\b(?:at|over) capacity\b/i,
      /\bcapacity exceeded\b/i,
      /\bserver (?:is )?busy\b/i
    ],
    on: (status) => status === undefined || status === 429 || status >= 500
  },
  // Money that other requests have reserved, not money that is missing.
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
    says: [
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
  // Gemini says "you exceeded your current quota" of requests a minute, too.
  { reason: "RateLimited", codes: ["resource_exhausted"] },
  { reason: "QuotaExhausted", says: [/exceeded your current quota/i] },
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
    says: [
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
      "responsible_ai_policy_violation",
      "moderation_blocked",
      "data_inspection_failed",
      "bio_policy",
      "cyber_policy",
      "flagged_input",
      "safety",
      "blocklist",
      "prohibited_content",
      "recitation",
      "spii",
      "image_safety",
      "jailbreak",
      "model_armor"
    ],
    says: [
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
    says: [
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
  // Groq: the model's own words were rejected.
  { reason: "ToolArgumentsInvalid", codes: ["tool_use_failed"] },
  { reason: "OutputInvalid", codes: ["json_validate_failed"] },
  // Also more tokens than a whole minute has (Groq with 413, OpenAI with 429): no wait will do.
  { reason: "InvalidRequest", codes: ["request_too_large"], says: [/request too large/i] },
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
    says: [
      /\bmodels?\b.{0,80}\b(?:not found|(?:does not|doesn't|not) exist|decommissioned)\b/i,
      /\bnot a valid model\b/i,
      /\b(?:invalid|unknown) model\s*[:'"`]/i
    ],
    on: (status) => status === undefined || status < 500
  },
  { reason: "PermissionDenied", says: [/location is not supported/i, /not available in your (?:country|region)/i] },
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
    says: [/rate limit/i, /too many requests/i],
    on: (status) => status === undefined || status >= 500
  }
]

const applies = ({ codes = [], on = () => true, says = [] }: Rule, seen: Evidence): boolean =>
  on(seen.status) && (codes.some((code) => seen.codes.has(code)) || says.some((shape) => shape.test(seen.message)))

const statusReasons: ReadonlyMap<number, Tag> = new Map<number, Tag>([
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

const ofStatus = (status: number): Tag =>
  statusReasons.get(status) ?? (status >= 500 ? "ServerFailed" : "InvalidRequest")

/** The codes that say no more than a status does, for events, which have none. */
const codeReasons: ReadonlyArray<readonly [code: RegExp, reason: Tag]> = [
  [/^(?:permission|access)_(?:error|denied)|^forbidden$|^unsupported_country/, "PermissionDenied"],
  [/^not_found/, "ModelNotFound"],
  [/^(?:invalid|unsupported|unprocessable|validation|bad_request)(?:_|$)/, "InvalidRequest"],
  [/^(?:failed_precondition|out_of_range|data_residency_mismatch)$/, "InvalidRequest"],
  // OpenAI Responses has more than ten of them: `image_too_large`, `empty_image_file` ...
  [/(?:^|_)image(?:_|$)/, "InvalidRequest"]
]

const ofCodes = (codes: ReadonlySet<string>): Tag =>
  codeReasons.find(([shape]) => [...codes].some((code) => shape.test(code)))?.[1] ?? "ServerFailed"

const tagOf = (evidence: Evidence): Tag =>
  rules.find((rule) => applies(rule, evidence))?.reason ??
    (evidence.status === undefined ? ofCodes(evidence.codes) : ofStatus(evidence.status))

// ---------------------------------------------------------------------------------------------------------------------
// From the name to the reason
// ---------------------------------------------------------------------------------------------------------------------

interface Told {
  readonly message: { readonly message?: string }
  readonly wait: { readonly retryAfter?: Duration.Duration }
  readonly wrong: { readonly field?: string; readonly code?: string }
  readonly failedGeneration: string
}

const makers = {
  AuthenticationFailed: ({ message }: Told) => LlmError.AuthenticationFailed.make(message),
  PermissionDenied: ({ message }: Told) => LlmError.PermissionDenied.make(message),
  QuotaExhausted: ({ message }: Told) => LlmError.QuotaExhausted.make(message),
  RateLimited: ({ message, wait }: Told) => LlmError.RateLimited.make({ ...message, ...wait }),
  Overloaded: ({ message, wait }: Told) => LlmError.Overloaded.make({ ...message, ...wait }),
  ServerFailed: ({ message, wait }: Told) => LlmError.ServerFailed.make({ ...message, ...wait }),
  InvalidRequest: ({ message, wrong }: Told) => LlmError.InvalidRequest.make({ ...message, ...wrong }),
  ContextLengthExceeded: ({ message }: Told) => LlmError.ContextLengthExceeded.make(message),
  ModelNotFound: ({ message }: Told) => LlmError.ModelNotFound.make(message),
  ContentFiltered: ({ message }: Told) => LlmError.ContentFiltered.make(message),
  MalformedResponse: ({ message }: Told) => LlmError.MalformedResponse.make(message),
  ToolArgumentsInvalid: ({ failedGeneration, message }: Told) =>
    LlmError.ToolArgumentsInvalid.make({ ...message, raw: failedGeneration }),
  OutputInvalid: ({ failedGeneration, message }: Told) =>
    LlmError.OutputInvalid.make({
      ...message,
      text: failedGeneration,
      issues: [{ path: "", expected: "JSON that fits the schema" }]
    })
}

/** The longest plain text, or title of a page, that is passed on. */
const maxPlainText = 200

const tell = (body: ErrorBody, headers: HeaderFields, options: Options): Told => {
  const now = options.nowMillis ?? Number.NaN
  const clean = (text: string | undefined, limit?: number): string =>
    scrub(text ?? "", { secrets: options.secrets ?? [], sources: options.sources ?? [] }).slice(0, limit)
  const message = clean(body.message, body.isPlain ? maxPlainText : undefined)
  const field = clean(body.field)
  const code = clean(body.code)
  const wait = retryAfter(headers, now) ?? body.retryDelay ?? retryAfter(body.headers, now)
  return {
    message: message === "" ? {} : { message },
    wait: wait === undefined ? {} : { retryAfter: wait },
    wrong: { ...(field !== "" && { field }), ...(code !== "" && { code }) },
    failedGeneration: body.failedGeneration ?? ""
  }
}

const isAnswer = (value: unknown): value is Answer =>
  typeof value === "object" && value !== null && "body" in value && "headers" in value &&
  typeof value.headers === "object" && value.headers !== null && "status" in value && typeof value.status === "number"

/** A message is searched this far: what matters comes first. */
const maxEvidence = 4000

/**
 * Says what went wrong: of an HTTP answer, or of an event that reports a failure inside a stream (parsed, or its text).
 *
 * The same for all protocols: OpenAI's two, Anthropic, Gemini, Ollama and the hosts that are compatible with one of
 * them. Codes and details count first, then the message, then the status, then what the body says the status would be.
 * An answer with a status below 300 that tells of no error is `MalformedResponse`: whoever asks could not use it. A
 * redirect is `InvalidRequest` with code `redirect`.
 *
 * Never throws. The message is the provider's own, scrubbed and bounded.
 */
export const classify: {
  (answer: Answer, options?: Options): LlmError.Reason
  (event: unknown, options?: Options): LlmError.Reason
} = (input: unknown, options: Options = {}): LlmError.Reason => {
  const { body, headers, status } = isAnswer(input) ? input : { body: input, headers: {}, status: undefined }
  if (status !== undefined && status >= 300 && status < 400) {
    return LlmError.InvalidRequest.make({ message: `HTTP ${status}: redirects are not followed`, code: "redirect" })
  }
  const said = readErrorBody(body)
  const told = tell(said, headers, options)
  if (status !== undefined && status < 300 && !said.isError) return makers.MalformedResponse(told)
  const tag = tagOf({
    codes: said.codes,
    message: said.message?.slice(0, maxEvidence) ?? "",
    status: status !== undefined && status >= 400 ? status : said.status
  })
  return makers[tag](told)
}
