import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as LlmError from "../../src/domain/LlmError.js"
import * as Gemini from "../../src/providers/gemini/errors.js"
import * as OpenAi from "../../src/providers/openai/errors.js"
import * as OpenAiChat from "../../src/providers/openaiChat/errors.js"
import { classify } from "../../src/wire/classify.js"
import { exceedsContext } from "../../src/wire/contextLength.js"
import type { HeaderFields } from "../../src/wire/retryAfter.js"

// Bodies that hosts of several protocols send, and others of the same kinds.

const protocols = [undefined, OpenAi.errors, OpenAiChat.errors, Gemini.errors]

interface Given {
  /** Absent: an event in a stream. */
  readonly status?: number
  readonly headers?: HeaderFields
  readonly body: unknown
}

const reasonOf = ({ body, headers = {}, status }: Given): LlmError.Reason => {
  const texts = typeof body === "string" ? [body] : [body, JSON.stringify(body)]
  const reasons = protocols.flatMap((errors) =>
    texts.map((body) => classify(status === undefined ? body : { status, headers, body }, { errors }))
  )
  const [first] = reasons
  assert.isDefined(first)
  for (const reason of reasons) assert.deepStrictEqual(reason, first, JSON.stringify(body))
  return first
}

const isRetryable = (reason: LlmError.Reason): boolean =>
  new LlmError.LlmError({ reason, operation: "call", attempts: 1 }).isRetryable

const openai = (message: string, fields: object = {}) => ({ error: { message, type: null, code: null, ...fields } })

/** Each case is a name with what is given. */
const all = (tag: LlmError.ReasonTag, cases: { readonly [name: string]: Given }): void => {
  for (const [name, given] of Object.entries(cases)) {
    it(name, () => {
      const reason = reasonOf(given)
      assert.strictEqual(reason._tag, tag, reason.message)
    })
  }
}

describe("classify: a prompt that is too long", () => {
  const tooLong: { readonly [host: string]: string } = {
    "Perplexity": "The total length of all messages is too long.",
    "Bedrock": "Input exceeds the max input token limit",
    "Bedrock, another": "Input is too long for requested model.",
    "vLLM": "The decoder prompt (length 40961) is longer than the maximum model length of 40960. Make sure that " +
      "`max_model_len` is no smaller than the number of text tokens.",
    "vLLM, another":
      "You passed 5000 input tokens and requested 100 output tokens. However, the model's context length " +
      "is only 4096 tokens, resulting in a maximum input length of 3996 tokens.",
    "TGI":
      "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 6000 `inputs` tokens and " +
      "20 `max_new_tokens`",
    "TGI, another": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
    "LM Studio": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with " +
      "context length of only 4096 tokens, which is not enough.",
    "LM Studio, another": "Cannot truncate prompt with n_keep (5000) >= n_ctx (4096)",
    "DashScope": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]",
    "OpenAI": "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens. " +
      "Please reduce the length of the messages.",
    "Anthropic": "prompt is too long: 208310 tokens > 200000 maximum",
    "Anthropic, both together": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 204698",
    "llama.cpp": "the request exceeds the available context size, try increasing it",
    "llama-cpp-python": "Requested tokens (5000) exceed context window of 4096",
    "Transformers": "Token indices sequence length is longer than the specified maximum sequence length (5000 > 4096)",
    "SGLang": "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "Vertex":
      "Unable to submit request because the input token count is 1100000 but model only supports up to 1048576.",
    "Volcengine": "Total tokens of image and text exceed max message tokens",
    "by the advice": "Please shorten your prompt: it has 9000 tokens and the model takes 8192.",
    "by the tokens in it": "tokens in request more than max tokens allowed",
    "in the passive": "Context size has been exceeded.",
    "by what fits": "Unable to fit the prompt into the context window of this model",
    "by a comparison": "The prompt contains 9000 tokens, more than the 8192 tokens that are allowed",
    "by the conversation": "This conversation is too long. Start a new one.",
    "by the maximum": "Prompt length must not exceed 32768 tokens: the prompt has more than 32768 tokens",
    "in Chinese": "输入长度超过模型的最大上下文限制",
    "Zhipu": "Prompt 超长"
  }
  for (const [host, message] of Object.entries(tooLong)) {
    it(`${host}, whatever the status, as an event or an answer: ContextLengthExceeded`, () => {
      for (const status of [undefined, 400, 413, 422, 500]) {
        const given = status === undefined ? {} : { status }
        for (const body of [openai(message), { error: message }, { message, type: "x" }, { detail: message }]) {
          assert.strictEqual(reasonOf({ ...given, body })._tag, "ContextLengthExceeded", `${status}`)
        }
      }
    })
  }

  const codes = [
    "model_max_prompt_tokens_exceeded",
    "context_length_exceeded",
    "context_window_overflow",
    "prompt_too_long",
    "input_too_long",
    "input_tokens_exceeded",
    "exceed_context_size_error",
    "tokens_limit_reached",
    "ContextWindowExceededError"
  ]
  for (const code of codes) {
    it(`code ${code}`, () => {
      assert.strictEqual(reasonOf({ status: 400, body: openai("m", { code }) })._tag, "ContextLengthExceeded")
    })
  }

  const others: ReadonlyArray<string> = [
    "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.",
    "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for this model",
    "Range of max_tokens should be [1, 8192]",
    "`max_tokens` must be less than or equal to 8192",
    "max_tokens (100000) exceeds the context window of 8192 tokens",
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    "The requested max_tokens 100000 exceeds the limit of 8192 tokens",
    "`max_new_tokens` must be <= 512. Given: 1000",
    "max_output_tokens is above the maximum of 65536 tokens",
    "`max_tokens` must be greater than `thinking.budget_tokens`",
    "Invalid 'messages[0].name': string too long. Expected a string with maximum length 64.",
    "Invalid 'tools': array too long. Expected an array with maximum length 128.",
    "messages.0.content.1.image: image exceeds 5 MB maximum: 6000000 bytes > 5242880 bytes",
    "The input image is too large",
    "input file exceeds the limit of 32 MB",
    "tools.0.name: must be at most 64 in length",
    "The prompt must be a string",
    "temperature must be between 0 and 2",
    "stop: too many stop sequences in the input, the length must be at most 4",
    "This model does not support the parameter context_management",
    "messages must have alternating roles"
  ]
  for (const message of others) {
    it(`is not that another setting is out of range, since no shorter prompt helps: ${message.slice(0, 60)}`, () => {
      assert.strictEqual(reasonOf({ status: 400, body: openai(message) })._tag, "InvalidRequest")
    })
  }

  it("is no limit of tokens a minute, which time mends", () => {
    for (
      const message of [
        "This request would exceed the rate limit of 20000 input tokens per minute",
        "Too many tokens, please wait before trying again.",
        "Input tokens exceed the limit"
      ]
    ) assert.strictEqual(reasonOf({ status: 429, body: openai(message) })._tag, "RateLimited")
  })

  it("is read in linear time", () => {
    for (const piece of ["input exceeds ", "> ", "prompt ", "must be ", ". ", "context length ", "_", "`", "0123 "]) {
      const started = performance.now()
      exceedsContext(piece.repeat(100_000 / piece.length))
      assert.isBelow(performance.now() - started, 5_000, piece)
    }
  })
})

describe("classify: an account that has run dry", () => {
  all("QuotaExhausted", {
    "Zhipu": { status: 429, body: openai("您的账户已欠费，请充值后重试。", { code: "1113" }) },
    "Zhipu, by its words": {
      status: 429,
      body: openai("Insufficient balance or no resource package. Please recharge.")
    },
    "Volcengine": {
      status: 403,
      body: openai("The request failed because your account has an overdue balance.", { code: "AccountOverdueError" })
    },
    "Volcengine, by its code": { status: 403, body: openai("m", { code: "AccountOverdueError" }) },
    "MiniMax, at status 200": {
      status: 200,
      body: { choices: null, base_resp: { status_code: 1008, status_msg: "insufficient balance" } }
    },
    "MiniMax, in a stream": { body: { choices: null, base_resp: { status_code: 1008, status_msg: "m" } } },
    "LiteLLM": {
      status: 400,
      body: openai("Budget has been exceeded! Current cost: 20.1, Max budget: 10.0", {
        type: "budget_exceeded",
        code: "400"
      })
    },
    "LiteLLM, by its words": { status: 400, body: openai("ExceededBudget: over user budget. Spend=20, budget=10") },
    "DashScope": {
      status: 400,
      body: { code: "Arrearage", message: "Access denied, please make sure your account is in good standing." }
    },
    "a free tier": { status: 403, body: openai("m", { code: "AllocationQuota.FreeTierOnly" }) },
    "funds": { status: 402, body: openai("Not enough funds", { code: "NOT_ENOUGH_FUNDS" }) },
    "credits at status 400": { status: 400, body: openai("Your credits are exhausted") },
    "Cloudflare, a day's allocation": {
      status: 429,
      body: {
        success: false,
        errors: [{ code: 4006, message: "you have used up your daily free allocation of 10,000 neurons" }]
      }
    },
    "Fireworks": {
      status: 412,
      body: openai("Account a is suspended, possibly due to reaching the monthly spending limit or failure to pay")
    },
    "a trial": { status: 403, body: openai("Your free trial has ended. Please add a payment method.") },
    "Volcengine, a limit of one's own": { status: 429, body: openai("m", { code: "SetLimitExceeded" }) },
    "a limit of credit": { status: 400, body: openai("Credit limit exceeded, please add credits.") },
    "Anthropic, a contract": {
      status: 429,
      body: {
        type: "error",
        error: { type: "rate_limit_error", message: "m", details: { error_code: "contract_spend_limit_reached" } }
      }
    }
  })

  it("is not asked again, but another provider is", () => {
    const reason = reasonOf({ status: 429, body: openai("m", { code: "1113" }) })
    const error = new LlmError.LlmError({ reason, operation: "call", attempts: 1 })
    assert.isFalse(error.isRetryable)
    assert.isTrue(error.canFailOver)
  })

  all("InvalidRequest", {
    "is no budget of thinking": { status: 400, body: openai("max_tokens exceeds the thinking budget") },
    "is no budget of tokens": { status: 400, body: openai("The request is over the budget_tokens of thinking") }
  })

  all("RateLimited", {
    "is not DashScope's throttling, though it says insufficient_quota: it names no money": {
      status: 429,
      body: openai(
        "You exceeded your current quota, please check your plan and billing details. For details, see: " +
          "https://help.aliyun.com/zh/model-studio/error-code#token-limit",
        { type: "insufficient_quota", code: "insufficient_quota" }
      )
    },
    "is not a quota of requests a second": {
      status: 429,
      body: openai("Requests rate limit exceeded, please try again later.", { code: "insufficient_quota" })
    },
    "is not an allocated quota of tokens": {
      status: 429,
      body: {
        code: "Throttling.AllocationQuota",
        message: "Allocated quota exceeded, please increase your quota limit."
      }
    },
    "is not MiniMax's limit, at status 200": {
      status: 200,
      body: { base_resp: { status_code: 1002, status_msg: "rate limit" } }
    }
  })
})

describe("classify: a limit of a day", () => {
  const daily = [
    "Rate limit reached for model `x` in organization `o` on tokens per day (TPD): Limit 100000, Used 99999.",
    "You have reached the limit of 200 requests per day.",
    "Daily request limit exceeded",
    "Your weekly token quota is used up",
    "Rate limit exceeded: 50 requests/day (RPD)"
  ]
  for (const message of daily) {
    it(`is not asked again in seconds, if the service states no wait: ${message.slice(0, 40)}`, () => {
      assert.strictEqual(
        reasonOf({ status: 429, body: openai(message, { code: "rate_limit_exceeded" }) })._tag,
        "QuotaExhausted"
      )
    })
    it(`is a rate limit with its wait, if the service states one, as it may slide: ${message.slice(0, 40)}`, () => {
      const reason = reasonOf({ status: 429, headers: { "retry-after": "432" }, body: openai(message) })
      assert(reason._tag === "RateLimited")
      assert.deepStrictEqual(reason.retryAfter, Duration.seconds(432))
    })
  }

  it("is none where a minute is the window", () => {
    const message = "Limit 30 requests per minute reached. Upgrade for 10000 requests per day."
    assert.strictEqual(reasonOf({ status: 429, body: openai(message) })._tag, "RateLimited")
  })
})

describe("classify: a filter", () => {
  all("ContentFiltered", {
    "Zhipu": {
      status: 400,
      body: {
        contentFilter: [{ level: 1, role: "user" }],
        error: { code: "1301", message: "系统检测到输入或生成内容可能包含不安全或敏感内容" }
      }
    },
    "Zhipu, in English": {
      status: 400,
      body: openai("The system has detected potentially unsafe or sensitive content in input or generation.")
    },
    "Volcengine": {
      status: 400,
      body: openai("The request failed because the input text may contain sensitive information.", {
        code: "InputTextSensitiveContentDetected"
      })
    },
    "DashScope": { status: 400, body: openai("Input data may contain inappropriate content.") },
    "Moonshot": { status: 400, body: openai("The request was rejected because it was considered high risk") },
    "MiniMax, at status 200": {
      status: 200,
      body: { base_resp: { status_code: 1026, status_msg: "input new_sensitive" } }
    },
    "Bedrock": { status: 400, body: openai("The request was blocked by a guardrail") },
    "xAI": {
      status: 403,
      body: {
        code: "The caller does not have permission",
        error: "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X"
      }
    },
    "LiteLLM": { status: 400, body: openai("litellm.ContentPolicyViolationError: blocked", { code: "400" }) },
    "by a moderator": { status: 400, body: openai("the prompt was flagged by moderation") },
    "Portkey": { status: 446, body: openai("The guardrail checks defined in the config failed.") },
    "OpenAI, in a stream": {
      body: { type: "response.failed", error: { code: "misalignment_policy_violation", message: "m" } }
    }
  })
  all("InvalidRequest", {
    "is no word of spelling": { status: 400, body: openai("The header is case-sensitive text") },
    "is no setting of the filter": { status: 400, body: openai("m", { code: "invalid_content_filter_setting" }) },
    "is no guardrail that is not known": {
      status: 400,
      body: openai("Unknown guardrail: the name has failed to resolve")
    },
    "is no illegal character": { status: 400, body: openai("The tool name contains illegal characters") }
  })
})

describe("classify: an account on hold", () => {
  all("PermissionDenied", {
    "by its code": { status: 400, body: openai("m", { code: "organization_on_hold" }) },
    "by its words": { status: 400, body: openai("This organization has been disabled.") },
    "by another code": { status: 400, body: openai("m", { code: "account_suspended" }) }
  })
})

describe("classify: throttling", () => {
  all("RateLimited", {
    "of AWS, at any status": { status: 400, body: { __type: "ThrottlingException", message: "m" } },
    "of AWS, with a namespace": { status: 403, body: { __type: "com.amazon#ThrottlingException", message: "m" } },
    "of a gateway": { status: 429, body: { fault: { faultstring: "Rate limit quota violation" } } },
    "in a line of Ollama's": { body: { StatusCode: 429, Status: "429 Too Many Requests", error: "slow down" } }
  })
})

describe("classify: a model that is not there, at status 400", () => {
  all("ModelNotFound", {
    "Zhipu": { status: 400, body: openai("模型不存在，请检查模型代码。", { code: "1211" }) },
    "by its words": { status: 400, body: openai("模型 x 不存在") }
  })
})

describe("classify: a status 404", () => {
  all("InvalidRequest", {
    "with nothing is a wrong address: no body names a model": { status: 404, body: "" },
    "with a page is a wrong address": { status: 404, body: "<html><head><title>404 Not Found</title></head></html>" },
    "with a page about models is a wrong address": {
      status: 404,
      body: "<!doctype html><title>Our models: page not found</title>"
    },
    "of Go is a wrong address": { status: 404, body: "404 page not found" },
    "of FastAPI is a wrong address": { status: 404, body: { detail: "Not Found" } },
    "of Express is a wrong address": { status: 404, body: "Cannot POST /v1/v1/chat/completions" },
    "of OpenAI is a wrong address": { status: 404, body: openai("Invalid URL (POST /v1/v1/responses)") },
    "of Anthropic is a wrong address": {
      status: 404,
      body: { type: "error", error: { type: "not_found_error", message: "Not Found" } }
    },
    "of Azure is a wrong address": { status: 404, body: { error: { code: "404", message: "Resource not found" } } },
    "of Cloudflare is a wrong address": {
      status: 404,
      body: { success: false, errors: [{ code: 7000, message: "No route for that URI" }] }
    },
    "of Spring is a wrong address": { status: 404, body: { status: 404, error: "Not Found", path: "/v1/chat" } }
  })
  all("ModelNotFound", {
    "that names a model": { status: 404, body: openai("The model `x` does not exist") },
    "that names a model in other words": { status: 404, body: openai("No such model @cf/x/y or task") },
    "of Anthropic that names one": {
      status: 404,
      body: { type: "error", error: { type: "not_found_error", message: "model: claude-x" } }
    },
    "that names a deployment": { status: 404, body: openai("The API deployment for this resource does not exist.") },
    "of OpenRouter": { status: 404, body: { error: { code: 404, message: "No endpoints found for a/b." } } },
    "by its code": { status: 404, body: openai("m", { code: "model_not_found" }) },
    "in plain text": { status: 404, body: "model 'x' not found" }
  })
  it("with nothing says what may be wrong", () => {
    const reason = reasonOf({ status: 404, body: "" })
    assert.include(reason.message ?? "", "base URL")
    assert(reason._tag === "InvalidRequest")
    assert.strictEqual(reason.code, "not_found")
  })
})

describe("classify: a status 499", () => {
  it("is retryable: a proxy lost the connection, whatever the body says", () => {
    for (
      const body of ["", openai("client closed request"), {
        error: { code: 499, status: "CANCELLED", message: "The operation was cancelled." }
      }]
    ) {
      const reason = reasonOf({ status: 499, body })
      assert.strictEqual(reason._tag, "ServerFailed")
      assert.isTrue(isRetryable(reason))
    }
  })
})

describe("classify: the message", () => {
  const messages = [
    "<400> InternalError.Algo.InvalidParameter: The tool call is not supported.",
    "<function=f> is not closed",
    "<think> is not allowed in the prompt",
    "< 4096 was expected",
    "<|im_start|> is reserved",
    "see <https://example.com/errors>"
  ]
  for (const message of messages) {
    it(`inside JSON is a message, though it begins with a bracket: ${message.slice(0, 30)}`, () => {
      const bodies = [
        openai(message),
        { error: message },
        { message, code: "InvalidParameter", request_id: "r" },
        { detail: message },
        { error: { message: JSON.stringify(openai(message)) } },
        { error: { message: "x", metadata: { raw: JSON.stringify(openai(message)) } } }
      ]
      for (const body of bodies) {
        for (const status of [400, undefined]) {
          const reason = reasonOf(status === undefined ? { body } : { status, body })
          assert.include(reason.message ?? "", message.slice(0, 20), JSON.stringify(body))
        }
      }
    })
  }

  it("is found in the places where other services have it", () => {
    const bodies: ReadonlyArray<unknown> = [
      { Message: "see the limits" },
      { errorMessage: "see the limits" },
      { error_code: 336003, error_msg: "see the limits" },
      { message: ["see the limits", "and more"] },
      { errors: { messages: ["see the limits"] } },
      { error: { error: { message: "see the limits" } } },
      { error: { message: { message: "see the limits" } } },
      { error: { errors: [{ message: "see the limits", reason: "x" }], code: 400 } },
      { error: [{ message: "see the limits" }] },
      { detail: { error: { message: "see the limits" } } },
      { error: { detail: "see the limits" } },
      { error: { code: "x" }, message: "see the limits" },
      { fault: { faultstring: "see the limits", detail: { errorcode: "x" } } }
    ]
    for (const body of bodies) {
      assert.strictEqual(reasonOf({ status: 400, body }).message, "see the limits", JSON.stringify(body))
    }
  })

  it("is found in XML, and the code beside it", () => {
    const xml = "<?xml version='1.0'?><Error><Code>AccountOverdue</Code><Message>see the limits</Message></Error>"
    const reason = classify({ status: 403, headers: {}, body: xml })
    assert.strictEqual(reason.message, "see the limits")
    assert.strictEqual(reason._tag, "QuotaExhausted")
  })

  it("inside JSON is not a page, of which the title is enough", () => {
    const page = `<html><head><title>502 Bad Gateway</title></head><body>${"secret ".repeat(100)}</body></html>`
    assert.strictEqual(reasonOf({ status: 502, body: openai(page) }).message, "502 Bad Gateway")
    assert.isUndefined(reasonOf({ status: 502, body: openai("<!DOCTYPE html><body>secret</body>") }).message)
  })

  it("holds no control characters and no escapes of a terminal, nor does a code or a field", () => {
    const ansi = "\u001b[31mred\u001b[0m\u0007\u202e"
    const reason = reasonOf({ status: 400, body: openai(ansi, { code: ansi, param: ansi }) })

    for (const text of Object.values(reason)) assert.notMatch(String(text), /[\u0000-\u001f\u007f-\u009f\u202e]/)
  })
})

describe("classify: an answer with status 200 that says that it failed", () => {
  it("is a failure with its message, in every shape", () => {
    const bodies: ReadonlyArray<unknown> = [
      { success: false, message: "the model is busy" },
      { success: false, msg: "the model is busy", code: 500 },
      { ok: false, message: "the model is busy" },
      { status: "error", message: "the model is busy" },
      { base_resp: { status_code: 1000, status_msg: "the model is busy" } },
      { success: false, errors: [{ message: "the model is busy" }] },
      { error_code: 336100, error_msg: "the model is busy" }
    ]
    for (const body of bodies) {
      const reason = reasonOf({ status: 200, body })
      assert.strictEqual(reason._tag, "ServerFailed", JSON.stringify(body))
      assert.strictEqual(reason.message, "the model is busy", JSON.stringify(body))
    }
  })

  it("is none if it reports success", () => {
    for (const body of [{ success: true }, { base_resp: { status_code: 0, status_msg: "" } }, { ok: true }]) {
      assert.strictEqual(reasonOf({ status: 200, body })._tag, "MalformedResponse")
    }
  })
})
