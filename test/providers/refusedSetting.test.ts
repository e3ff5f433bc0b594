import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { refusedSetting } from "../../src/providers/refusedSetting.js"

/** What is read of a body: the setting, with a `?` where another value or another request may be taken. */
const read = (body: unknown, status = 400): string | undefined => {
  const refused = refusedSetting(status, typeof body === "string" ? body : JSON.stringify(body))
  if (refused === undefined) return undefined
  if (refused._tag === "StreamUsage") return "stream_options"
  return refused._tag === "MaxTokensField"
    ? `maxTokens as ${refused.field}`
    : `${refused.setting}${refused.isConditional ? "?" : ""}`
}

const openai = (code: string | null, param: string | null, message: string) => ({
  error: { message, type: "invalid_request_error", param, code }
})

const anthropic = (message: string) => ({
  type: "error",
  error: { type: "invalid_request_error", message },
  request_id: "req_1"
})

const gemini = (message: string, details: ReadonlyArray<unknown> = []) => ({
  error: { code: 400, message, status: "INVALID_ARGUMENT", details }
})

const groq = (message: string) => ({ error: { message, type: "invalid_request_error" } })

const mistral = (
  ...problems: ReadonlyArray<readonly [type: string, loc: ReadonlyArray<string | number>, msg: string]>
) => problems.map(([type, loc, msg]) => ({ type, loc: ["body", ...loc], msg, input: 1 }))

const moonshot = (message: string) => ({ error: { message, type: "invalid_request_error" } })

const xai = (error: string) => ({ code: "Client specified an invalid argument", error })

const vllm = (message: string, param: string | null = null) => ({
  object: "error",
  message,
  type: "BadRequestError",
  param,
  code: 400
})

const deepSeek = (message: string) => openai("invalid_request_error", null, message)

const openRouter = (raw: unknown, provider = "OpenAI") => ({
  error: {
    code: 400,
    message: "Provider returned error",
    metadata: { raw: typeof raw === "string" ? raw : JSON.stringify(raw), provider_name: provider }
  },
  user_id: "user_1"
})

const extra = "Extra inputs are not permitted"

describe("refusedSetting: the setting that a service names", () => {
  const rows: ReadonlyArray<readonly [host: string, setting: string, body: unknown, status?: number]> = [
    [
      "OpenAI",
      "temperature",
      openai(
        "unsupported_parameter",
        "temperature",
        "Unsupported parameter: 'temperature' is not supported with this model."
      )
    ],
    [
      "OpenAI",
      "temperature",
      openai(
        "unsupported_value",
        "temperature",
        "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
      )
    ],
    [
      "OpenAI",
      "reasoningEffort?",
      openai(
        "unsupported_value",
        "reasoning.effort",
        "Unsupported value: 'minimal' is not supported with the 'gpt-5.6-sol' model. Supported values are: 'none', 'low', 'medium', 'high', and 'xhigh'."
      )
    ],
    [
      "OpenAI",
      "reasoningEffort",
      openai(
        "unsupported_parameter",
        "reasoning.effort",
        "Unsupported parameter: 'reasoning.effort' is not supported with this model."
      )
    ],
    [
      "OpenAI Chat",
      "reasoningEffort",
      openai(null, null, "Unrecognized request argument supplied: reasoning_effort")
    ],
    [
      "OpenAI Chat with tools",
      "reasoningEffort?",
      openai(
        null,
        "reasoning_effort",
        "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. Please use /v1/responses instead."
      )
    ],
    ["OpenAI Responses", "seed", openai("unknown_parameter", "seed", "Unknown parameter: 'seed'.")],
    [
      "Azure",
      "topP",
      openai("unsupported_parameter", "top_p", "Unsupported parameter: 'top_p' is not supported with this model.")
    ],
    [
      "OpenAI Chat",
      "maxTokens as max_completion_tokens",
      openai(
        "unsupported_parameter",
        "max_tokens",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
      )
    ],
    ["Anthropic", "temperature", anthropic("`temperature` is deprecated for this model.")],
    ["Anthropic", "topK", anthropic("top_k: Extra inputs are not permitted")],
    [
      "Anthropic",
      "reasoningEffort?",
      anthropic("output_config.effort 'max' is not supported when using thinking.type 'between_tools'")
    ],
    ["Anthropic", "reasoningEffort", anthropic("This model does not support the effort parameter.")],
    ["Anthropic", "reasoningEffort", anthropic("adaptive thinking is not supported on this model")],
    [
      "Anthropic",
      "reasoningEffort?",
      anthropic("\"thinking.type.disabled\" is not supported for this model. Use \"thinking.type.adaptive\" instead.")
    ],
    [
      "Anthropic",
      "temperature?",
      anthropic("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    ],
    [
      "Anthropic",
      "topP?",
      anthropic("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    ],
    ["Bedrock", "topP?", {
      message: "The model returned: `top_p` and `temperature` cannot both be specified for this model."
    }],
    [
      "Gemini",
      "topK",
      gemini(
        "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config': Cannot find field.",
        [{
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ field: "generation_config", description: "Unknown name \"topK\"" }]
        }]
      )
    ],
    ["Gemini", "reasoningEffort", gemini("Thinking level is not supported for this model.")],
    [
      "Gemini",
      "reasoningEffort?",
      gemini("Thinking level MINIMAL is not supported for this model. Please retry with another.")
    ],
    ["Gemini", "reasoningEffort?", gemini("Budget 0 is invalid. This model only works in thinking mode.")],
    ["Gemini's OpenAI route", "seed", [
      gemini("Invalid JSON payload received. Unknown name \"seed\": Cannot find field.")
    ]],
    ["Groq", "topK", groq("property 'top_k' is unsupported")],
    ["Groq", "reasoningEffort?", groq("`reasoning_effort` must be one of `none` or `default`")],
    ["Groq", "reasoningEffort", groq("reasoning_effort is not supported with this model")],
    ["Mistral", "seed", { object: "error", message: { detail: mistral(["extra_forbidden", ["seed"], extra]) } }, 422],
    ["Mistral", "reasoningEffort", { detail: mistral(["extra_forbidden", ["reasoning_effort"], extra]) }, 422],
    [
      "Mistral, its message a text",
      "seed",
      { object: "error", message: JSON.stringify({ detail: mistral(["extra_forbidden", ["seed"], extra]) }) },
      422
    ],
    ["Moonshot", "temperature", moonshot("invalid temperature: only 1 is allowed for this model")],
    ["Moonshot", "reasoningEffort", moonshot("invalid thinking: only type=enabled is allowed for this model")],
    ["xAI", "reasoningEffort", xai("Model grok-4 does not support parameter reasoningEffort.")],
    ["xAI", "seed", xai("Argument not supported on this model: seed")],
    [
      "vLLM, as pydantic prints it",
      "topK",
      vllm(
        "[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'msg': 'Extra inputs are not permitted', 'input': 5}]"
      )
    ],
    ["vLLM", "reasoningEffort", vllm("reasoning_effort is not supported for this model", "reasoning_effort")],
    [
      "DeepSeek",
      "reasoningEffort?",
      deepSeek(
        "Failed to deserialize the JSON body into the target type: reasoning_effort: unknown variant `minimal`, expected one of `low`, `high` at line 1 column 80"
      )
    ],
    ["OpenRouter", "temperature", openRouter(anthropic("`temperature` is deprecated for this model."), "Anthropic")],
    [
      "OpenRouter",
      "seed",
      openRouter(
        openai("unsupported_parameter", "seed", "Unsupported parameter: 'seed' is not supported with this model.")
      )
    ],
    ["Ollama", "reasoningEffort", { error: "\"llama3.2:latest\" does not support thinking" }],
    ["a gateway", "parallelToolCalls", openai(null, null, "`parallel_tool_calls` is not supported by this model")],
    ["a gateway", "serviceTier", openai("unknown_parameter", "service_tier", "Unknown parameter: 'service_tier'.")],
    [
      "a gateway",
      "verbosity",
      openai("unsupported_parameter", "text.verbosity", "Unsupported parameter: 'text.verbosity'")
    ],
    ["Fireworks", "seed", openai(null, null, "Extra inputs are not permitted, field: 'seed', value: 7")],
    ["NIM", "seed", { status: 400, title: "Bad Request", detail: "Validation: Unsupported parameter(s): `seed`" }],
    ["Bedrock", "topK", { message: "Malformed input request: #: extraneous key [top_k] is not permitted" }],
    [
      "LiteLLM",
      "seed",
      openai("400", null, "litellm.UnsupportedParamsError: x does not support parameters: ['seed'], for model=nova.")
    ],
    [
      "LiteLLM",
      "temperature",
      openai("400", null, "nova models don't support temperature=0.3. Only temperature=1 is supported.")
    ],
    ["a gateway", "temperature", openai(null, null, "temperature must be 1 for this model")],
    ["a gateway", "topP", openai(null, null, "top_p cannot be set for this model")],
    ["Go", "seed", { error_code: "BAD_REQUEST", message: "Bad request: json: unknown field \"seed\"\n" }],
    ["Rust", "seed", openai(null, null, "unknown field `seed`, expected one of `model`, `temperature`")],
    ["Gemini", "reasoningEffort", gemini("Thinking is not enabled for models/gemini-9-nova")],
    [
      "a strict service",
      "stream_options",
      openai(null, null, "Unrecognized request argument supplied: stream_options")
    ],
    [
      "a strict service",
      "stream_options",
      openai("unknown_parameter", "stream_options.include_usage", "Unknown parameter: 'stream_options.include_usage'.")
    ],
    // The marks of prompt caching are the only settings in a conversation.
    [
      "another Messages",
      "promptCache",
      anthropic("messages.0.content.1.text.cache_control: Extra inputs are not permitted")
    ],
    ["another Messages", "promptCache", anthropic("tools.0.custom.cache_control: Extra inputs are not permitted")],
    [
      "OpenAI",
      "promptCache",
      openai(
        "unknown_parameter",
        "input[0].content[0].prompt_cache_breakpoint",
        "Unknown parameter: 'input[0].content[0].prompt_cache_breakpoint'."
      )
    ],
    [
      "OpenAI",
      "promptCache",
      openai(
        "unsupported_parameter",
        "prompt_cache_options",
        "Unsupported parameter: 'prompt_cache_options' is not supported with this model."
      )
    ],
    [
      "OpenAI",
      "reasoningSummary?",
      openai(
        "unsupported_value",
        "reasoning.summary",
        "Your organization must be verified to generate reasoning summaries."
      )
    ],
    ["another Messages", "reasoningSummary", anthropic("thinking.display: Extra inputs are not permitted")],
    [
      "a service with the old name",
      "maxTokens as max_tokens",
      { detail: mistral(["extra_forbidden", ["max_completion_tokens"], extra]) },
      422
    ]
  ]

  for (const [index, [host, setting, body, status]] of rows.entries()) {
    it(`is ${setting}, in body ${index} (${host})`, () => {
      assert.strictEqual(read(body, status), setting)
    })
  }

  it("is read from any sentence that names a setting, no other field, and says that it is not taken", () => {
    const sentences: ReadonlyArray<readonly [setting: string, message: string]> = [
      ["seed", "'seed' is not a valid parameter for this model"],
      ["seed", "Invalid parameter: seed"],
      ["seed", "create() got an unexpected keyword argument 'seed'"],
      ["seed", "Parameter 'seed' is not recognized"],
      ["seed", "Unknown parameter: 'seed'."],
      ["seed", "Additional properties are not allowed ('seed' was unexpected)"],
      ["temperature", "Only the default (1) value is supported for temperature"],
      ["temperature", "This model only supports temperature=1"],
      ["temperature", "Reasoning models do not support sampling parameters such as temperature and top_p"],
      ["temperature", "temperature is disabled for this model"],
      ["topP", "The parameter `top_p` is not applicable to this model"],
      ["topP", "Model nova-1 does not accept top_p"],
      ["topK", "Please remove top_k from your request: this model does not support it"],
      ["reasoningEffort?", "invalid think value: \"high\" (must be \"true\" or \"false\")"]
    ]
    for (const [setting, message] of sentences) assert.strictEqual(read(groq(message)), setting, message)
  })

  it("is the next one that is named, where the first is left out already", () => {
    const body = openai(null, null, "Unsupported parameters: 'temperature', 'top_p' are not supported.")
    assert.strictEqual(read(body), "temperature")
    const next = refusedSetting(400, body, undefined, new Set(["temperature"]))
    assert.deepStrictEqual(next, { _tag: "Setting", setting: "topP", isConditional: false })
    assert.isUndefined(refusedSetting(400, body, undefined, new Set(["temperature", "topP"])))
  })

  it("is read in a body of status 200 that names 400, but of no other status", () => {
    const body = openai(
      "unsupported_parameter",
      "temperature",
      "Unsupported parameter: 'temperature' is not supported."
    )
    assert.strictEqual(read({ error: { ...body.error, code: 400 } }, 200), "temperature")
    for (const status of [200, 401, 403, 404, 413, 429, 500, 503]) assert.isUndefined(read(body, status))
  })

  it("is read from a 404 only where OpenRouter finds no endpoint for it", () => {
    const none = (message: string) => ({ error: { code: 404, message } })
    assert.isUndefined(read(none("No endpoints found that support tool use"), 404))
    assert.isUndefined(read(none("No endpoints found that can handle the requested parameters."), 404))
    assert.strictEqual(read(none("No endpoints found: `seed` is not supported"), 404), "seed")
  })
})

describe("refusedSetting: a 400 for another reason", () => {
  const rows: ReadonlyArray<readonly [what: string, body: unknown, status?: number]> = [
    ["a field of the history", anthropic("messages.3.content.0.temperature: Extra inputs are not permitted")],
    [
      "the order of cached blocks",
      anthropic(
        "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' " +
          "cache_control block."
      )
    ],
    ["the number of cached blocks", anthropic("A maximum of 4 blocks with cache_control may be provided. Found 5.")],
    ["a place in the history", { detail: mistral(["extra_forbidden", ["messages", 2, "seed"], extra]) }, 422],
    ["Groq's history", groq("'messages.1' : property 'seed' is unsupported, did you mean 'name'?")],
    [
      "a tool",
      openai("unsupported_parameter", "tools[0].temperature", "Unsupported parameter: 'tools[0].temperature'.")
    ],
    [
      "an unknown field of Gemini's history",
      gemini(
        "Invalid JSON payload received. Unknown name \"temperature\" at 'contents[0].parts[0]': Cannot find field."
      )
    ],
    [
      "a limit that is too high",
      openai("invalid_value", "max_tokens", "max_tokens is too large: 200000. This model supports at most 16384.")
    ],
    ["a limit below the budget", anthropic("`max_tokens` must be greater than `thinking.budget_tokens`.")],
    [
      "a budget that is too small",
      anthropic("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    ],
    [
      "thinking in the history",
      anthropic("messages.1.content.0: `thinking` blocks in the latest message cannot be modified.")
    ],
    ["a number out of its range", openai("invalid_value", "temperature", "Invalid value: 3. Expected at most 2.")],
    ["a number out of its range", {
      detail: mistral(["less_than_equal", ["temperature"], "Input should be less than or equal to 1.5"])
    }, 422],
    [
      "the context",
      openai("context_length_exceeded", "messages", "This model's maximum context length is 8192 tokens.")
    ],
    [
      "the schema",
      openai(
        "invalid_request_error",
        "text.format.schema",
        "Invalid schema for response_format 'a': seed is not permitted."
      )
    ],
    [
      "another field",
      openai(null, null, "Invalid response_format: json_schema is not supported. The seed is ignored.")
    ],
    ["another field beside it", openai(null, null, "logprobs are not supported unless temperature is 1")],
    ["a hint", openai(null, null, "The answer is no JSON; try a lower temperature")],
    ["a type", openai(null, null, "seed: Input should be a valid string")],
    ["a range", openai(null, null, "Unsupported temperature: 3 is above the maximum")],
    ["an ordinary word", openai(null, null, "The reasoning behind this request is not allowed here")],
    ["a tool by its name", openai(null, null, "Invalid schema for function 'set_seed': 'seed' is not supported")],
    ["a tool by its name", anthropic("tool `heat`: property temperature is not permitted")],
    ["a range", openai(null, null, "temperature must be 0 to 2")],
    ["a range", openai(null, null, "seed must be 1 or greater")],
    ["an empty cached block", anthropic("system.0: cache_control cannot be set for empty text blocks")],
    ["encrypted reasoning", openai("invalid_encrypted_content", null, "The encrypted content could not be verified.")],
    ["the model", openai("model_not_found", "model", "The model `gpt-9` does not exist.")],
    ["a setting that is never left out", xai("Argument not supported on this model: stop")],
    [
      "a setting that is never left out",
      openai("unsupported_parameter", "stop", "Unsupported parameter: 'stop' is not supported with this model.")
    ],
    ["tools", openai(null, null, "This model does not support tools.")],
    ["the limit", anthropic("max_tokens: Field required")],
    ["images", openai(null, null, "Image inputs are not supported by this model")],
    ["nothing", ""],
    ["a page", "<html><title>400 Bad Request</title></html>"]
  ]
  for (const [index, [what, body, status]] of rows.entries()) {
    it(`is none: ${what} (${index})`, () => {
      assert.isUndefined(read(body, status))
    })
  }

  it("is read without a failure from any text, however long", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.string({ unit: "grapheme", maxLength: 400 }),
        FastCheck.anything(),
        (text, value) => {
          refusedSetting(400, text)
          refusedSetting(400, value)
          refusedSetting(400, { error: { message: `${text} is not supported: ${text}`, param: text } })
        }
      )
    )
    const long = { error: { message: "'temperature ".repeat(20_000), type: "invalid_request_error" } }
    assert.isUndefined(refusedSetting(400, long))
  })
})
