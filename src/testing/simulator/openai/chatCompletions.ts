import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Invalid, Json, Protocol } from "../protocol.js"
import { bearerToken, checks, invalid, lastText, problem, strings } from "../protocol.js"
import { encode, streaming } from "./chatAnswer.js"
import { decodeChatMessages } from "./chatMessages.js"
import {
  encodeProblem,
  headers,
  isFirstParty,
  isReasoningModel,
  numberProblem,
  samplingProblem,
  thinksAt
} from "./service.js"
import { settingsProblem } from "./settings.js"
import { decodeFormat, decodeTools } from "./tools.js"

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

/** Reasoning models refuse some parameters. */
const reasoningModelProblem = (body: Json, model: string): Invalid | undefined => {
  if (!isReasoningModel(model)) return undefined
  if (typeof body.max_tokens === "number") {
    return problem(
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      "max_tokens",
      "unsupported_parameter"
    )
  }
  return samplingProblem(body, model, body.reasoning_effort) ?? (
    /^o[34]/.test(model) && body.stop !== undefined && body.stop !== null
      ? problem("Unsupported parameter: 'stop' is not supported with this model.", "stop", "unsupported_parameter")
      : undefined
  )
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

const streamProblem = ({ stream, stream_options: options }: Json): Invalid | undefined =>
  isRecord(options) && stream !== true
    ? problem("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    : undefined

const parallelProblem = ({ parallel_tool_calls: parallel = null, tools }: Json): Invalid | undefined =>
  parallel !== null && (!Array.isArray(tools) || tools.length === 0)
    ? problem(
      "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.",
      "parallel_tool_calls"
    )
    : undefined

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
      stopProblem(request),
      streamProblem(request),
      parallelProblem(request),
      settingsProblem(request, model, { messages: "messages", verbosity: "verbosity" })
    )
    const tools = yield* decodeTools(request, "function")
    const maxTokens = request.max_completion_tokens ?? request.max_tokens
    return {
      protocol: "openai-chat",
      request,
      streaming: request.stream === true,
      model,
      turns,
      text: lastText(turns),
      ...tools,
      format: yield* decodeFormat(isRecord(request.response_format) ? request.response_format : {}, {
        messages: "messages",
        model,
        path: "response_format",
        place: "function",
        turns
      }),
      stop: strings(request.stop),
      thinks: thinksAt(request.reasoning_effort, model),
      choices: typeof request.n === "number" ? request.n : 1,
      ...(typeof maxTokens === "number" && { maxTokens })
    }
  })

/** OpenAI Chat Completions, of OpenAI and of compatible hosts. */
export const chatCompletions: Protocol = {
  name: "openai-chat",
  path: /\/chat\/completions$/,
  key: bearerToken,
  decode,
  encode,
  streaming,
  encodeProblem,
  headers
}
