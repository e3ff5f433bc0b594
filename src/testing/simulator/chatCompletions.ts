import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { decodeChatMessages } from "./chatMessages.js"
import { openAiStatus, openAiUnauthorized, quotaFields } from "./openAiErrors.js"
import type { Completion, Finish, Prompt } from "./prompt.js"
import type { Headers, Invalid, Json, Problem, Protocol } from "./protocol.js"
import { checks, invalid, jsonType, lastText, records, strings } from "./protocol.js"
import { openAiStrictProblem } from "./strictSchema.js"

/** Models of OpenAI's own: it takes no unknown fields. Any other model is on a compatible host, which ignores them. */
const isFirstParty = (model: string): boolean => /^(?:ft:)?(?:gpt-|chatgpt-|o\d)/.test(model)

const isReasoningModel = (model: string): boolean => /^(?:ft:)?(?:o[134]|gpt-5)/.test(model) && !/-chat\b/.test(model)

const fields = new Set([
  "audio",
  "frequency_penalty",
  "function_call",
  "functions",
  "logit_bias",
  "logprobs",
  "max_completion_tokens",
  "max_tokens",
  "messages",
  "metadata",
  "modalities",
  "model",
  "moderation",
  "n",
  "parallel_tool_calls",
  "prediction",
  "presence_penalty",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "reasoning_effort",
  "response_format",
  "safety_identifier",
  "seed",
  "service_tier",
  "stop",
  "store",
  "stream",
  "stream_options",
  "temperature",
  "tool_choice",
  "tools",
  "top_logprobs",
  "top_p",
  "user",
  "verbosity",
  "web_search_options"
])

const problem = (message: string, param?: string, code?: string): Invalid => ({ _tag: "Invalid", message, param, code })

/** Checks a number within bounds, in OpenAI's words. */
const numberProblem = (
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

/** What reasoning models do not take. Those of the line gpt-5.1 and later do while they are told not to reason. */
const reasoningModelProblem = (body: Json, model: string): Invalid | undefined => {
  if (!isReasoningModel(model)) return undefined
  if (typeof body.max_tokens === "number") {
    return problem(
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      "max_tokens",
      "unsupported_parameter"
    )
  }
  if (/gpt-5\.\d/.test(model) && body.reasoning_effort === "none") return undefined
  for (const name of ["temperature", "top_p"]) {
    const value = body[name]
    if (typeof value === "number" && value !== 1) {
      return problem(
        `Unsupported value: '${name}' does not support ${value} with this model. Only the default (1) value is supported.`,
        name,
        "unsupported_value"
      )
    }
  }
  return /^o[34]/.test(model) && body.stop !== undefined && body.stop !== null
    ? problem("Unsupported parameter: 'stop' is not supported with this model.", "stop", "unsupported_parameter")
    : undefined
}

const unknownField = (body: Json, model: string): Invalid | undefined => {
  const name = isFirstParty(model) ? Object.keys(body).find((each) => !fields.has(each)) : undefined
  return name === undefined ? undefined : problem(`Unknown parameter: '${name}'.`, name, "unknown_parameter")
}

const stopProblem = ({ stop }: Json): Invalid | undefined =>
  Array.isArray(stop) && stop.length > 4
    ? problem(
      `Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length ` +
        `${stop.length} instead.`,
      "stop",
      "array_above_max_length"
    )
    : undefined

const functionOf = (tool: Json): Json => isRecord(tool.function) ? tool.function : {}

const toolProblem = (tool: Json, index: number): Invalid | undefined => {
  const path = `tools[${index}].function`
  const { name, parameters, strict } = functionOf(tool)
  if (typeof name !== "string") {
    return problem(`Missing required parameter: '${path}.name'.`, `${path}.name`, "missing_required_parameter")
  }
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
    return problem(
      `Invalid '${path}.name': string does not match pattern. Expected a string that matches the pattern ` +
        `'^[a-zA-Z0-9_-]+$' with maximum length 64.`,
      `${path}.name`,
      "invalid_value"
    )
  }
  const issue = strict === true ? openAiStrictProblem(parameters) : undefined
  return issue === undefined
    ? undefined
    : problem(`Invalid schema for function '${name}': ${issue}`, `${path}.parameters`, "invalid_function_parameters")
}

const toolChoice = (choice: unknown): Prompt["toolChoice"] => {
  if (choice === "none" || choice === "required") return choice
  if (!isRecord(choice)) return "auto"
  const { name } = functionOf(choice)
  return typeof name === "string" ? { tool: name } : "auto"
}

const decodeTools = (body: Json): Either.Either<Pick<Prompt, "tools" | "toolChoice">, Invalid> =>
  Either.gen(function*() {
    const given = records(body.tools)
    yield* checks(...given.map(toolProblem))
    const tools = given.map(functionOf).map(({ description, name, parameters }) => ({
      name: String(name),
      parameters: parameters ?? { type: "object", properties: {} },
      ...(typeof description === "string" && { description })
    }))
    const choice = toolChoice(body.tool_choice)
    if (body.tool_choice !== undefined && body.tool_choice !== null && tools.length === 0) {
      return yield* invalid(
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
        "tool_choice"
      )
    }
    if (typeof choice === "object" && !tools.some(({ name }) => name === choice.tool)) {
      return yield* invalid(`Tool choice '${choice.tool}' not found in 'tools' parameter.`, "tool_choice")
    }
    return { tools, toolChoice: choice }
  })

const decodeFormat = (
  body: Json,
  model: string,
  turns: Prompt["turns"]
): Either.Either<Prompt["format"], Invalid> => {
  const format = isRecord(body.response_format) ? body.response_format : {}
  switch (format.type) {
    case undefined:
    case "text":
      return Either.right("text")
    case "json_object":
      return isFirstParty(model) && !turns.some(({ text }) => /json/i.test(text))
        ? invalid(
          "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
          "messages"
        )
        : Either.right("json")
    case "json_schema": {
      const { name, schema, strict } = isRecord(format.json_schema) ? format.json_schema : {}
      if (typeof name !== "string" || !/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
        const path = "response_format.json_schema.name"
        return name === undefined
          ? invalid(`Missing required parameter: '${path}'.`, path, "missing_required_parameter")
          : invalid(
            `Invalid '${path}': string does not match pattern. Expected a string that matches the pattern ` +
              `'^[a-zA-Z0-9_-]+$' with maximum length 64.`,
            path,
            "invalid_value"
          )
      }
      const issue = strict === true ? openAiStrictProblem(schema) : undefined
      return issue === undefined
        ? Either.right({ schema: schema ?? {} })
        : invalid(`Invalid schema for response_format '${name}': ${issue}`, "response_format")
    }
    default:
      return invalid(
        `Invalid value: '${String(format.type)}'. Supported values are: 'json_object', 'json_schema', and 'text'.`,
        "response_format.type",
        "invalid_value"
      )
  }
}

const decode = (body: unknown): Either.Either<Prompt, Invalid> =>
  Either.gen(function*() {
    const request: Json = isRecord(body) ? body : {}
    const { model } = request
    if (typeof model !== "string" || model === "") return yield* invalid("you must provide a model parameter")
    const turns = yield* decodeChatMessages(request.messages)
    yield* checks(
      unknownField(request, model),
      reasoningModelProblem(request, model),
      numberProblem(request, "temperature", "decimal", 0, 2),
      numberProblem(request, "top_p", "decimal", 0, 1),
      numberProblem(request, "max_tokens", "integer", 1),
      numberProblem(request, "max_completion_tokens", "integer", 1),
      numberProblem(request, "n", "integer", 1, 128),
      numberProblem(request, "seed", "integer", -Infinity),
      numberProblem(request, "frequency_penalty", "decimal", -2, 2),
      numberProblem(request, "presence_penalty", "decimal", -2, 2),
      stopProblem(request)
    )
    const tools = yield* decodeTools(request)
    const maxTokens = request.max_completion_tokens ?? request.max_tokens
    return {
      protocol: "openai-chat",
      model,
      turns,
      text: lastText(turns),
      ...tools,
      parallelToolCalls: request.parallel_tool_calls !== false,
      format: yield* decodeFormat(request, model, turns),
      stop: strings(request.stop),
      thinks: isReasoningModel(model) && request.reasoning_effort !== "none",
      choices: typeof request.n === "number" ? request.n : 1,
      ...(typeof maxTokens === "number" && { maxTokens })
    }
  })

/** A call of one named tool ends with `stop`: so it does at OpenAI. */
const finishReason = (finish: Finish, { toolChoice }: Prompt): string => {
  switch (finish) {
    case "length":
    case "context_window":
      return "length"
    case "content_filter":
      return "content_filter"
    case "tool_calls":
      return typeof toolChoice === "object" ? "stop" : "tool_calls"
    case "stop":
    case "refusal":
    case "pause":
      return "stop"
  }
}

const encode = (completion: Completion, prompt: Prompt, now: number): unknown => {
  const { fingerprint, refusal, text, toolCalls, usage } = completion
  const completionTokens = usage.outputTokens * prompt.choices
  const choice = {
    message: {
      role: "assistant",
      content: text === "" && (toolCalls.length > 0 || refusal !== undefined) ? null : text,
      refusal: refusal ?? null,
      annotations: [],
      ...(toolCalls.length > 0 && {
        tool_calls: toolCalls.map((call, i) => ({
          id: `call_${fingerprint.slice(8 + i, 32 + i)}`,
          type: "function",
          function: call
        }))
      })
    },
    logprobs: null,
    finish_reason: finishReason(completion.finish, prompt)
  }
  return {
    id: `chatcmpl-${fingerprint.slice(0, 29)}`,
    object: "chat.completion",
    created: Math.floor(now / 1000),
    model: prompt.model,
    choices: Array.from({ length: prompt.choices }, (_, index) => ({ index, ...choice })),
    usage: {
      prompt_tokens: usage.inputTokens,
      completion_tokens: completionTokens,
      total_tokens: usage.inputTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: usage.cachedInputTokens, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: usage.reasoningTokens,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0
      }
    },
    service_tier: "default",
    system_fingerprint: `fp_${fingerprint.slice(-10)}`
  }
}

const encodeProblem = (problem: Problem, { model }: { readonly model: string }) => {
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

const headers: Protocol["headers"] = ({ elapsed, limited, requestId, usage }) => {
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

const key = ({ authorization }: Headers): string | undefined => /^Bearer\s+(\S+)$/i.exec(authorization ?? "")?.[1]

/** OpenAI Chat Completions, as OpenAI itself and the hosts that are compatible with it speak it. */
export const chatCompletions: Protocol = {
  name: "openai-chat",
  path: /\/chat\/completions$/,
  key,
  decode,
  encode,
  encodeProblem,
  headers
}
