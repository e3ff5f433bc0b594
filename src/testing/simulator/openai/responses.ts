import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Invalid, Json, Protocol } from "../protocol.js"
import { bearerToken, checks, invalid, lastText, problem } from "../protocol.js"
import { isBackground, queued } from "./background.js"
import { encode, streaming } from "./responsesAnswer.js"
import { decodeResponsesInput } from "./responsesInput.js"
import { makeMemory } from "./responsesMemory.js"
import { decisionsOf, serverToolsOf, serverToolsProblem } from "./serverTools.js"
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
  "background",
  "context_management",
  "conversation",
  "include",
  "input",
  "instructions",
  "max_output_tokens",
  "max_tool_calls",
  "metadata",
  "model",
  "moderation",
  "parallel_tool_calls",
  "previous_response_id",
  "prompt",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "reasoning",
  "safety_identifier",
  "service_tier",
  "store",
  "stream",
  "stream_options",
  "temperature",
  "text",
  "tool_choice",
  "tools",
  "top_logprobs",
  "top_p",
  "truncation",
  "user"
])

/** Fields that have another name in Chat Completions. */
const moved: ReadonlyMap<string, string> = new Map([
  ["max_completion_tokens", "max_output_tokens"],
  ["max_tokens", "max_output_tokens"],
  ["messages", "input"],
  ["reasoning_effort", "reasoning.effort"],
  ["response_format", "text.format"],
  ["verbosity", "text.verbosity"]
])

const unknownField = (body: Json, model: string): Invalid | undefined => {
  const name = isFirstParty(model) ? Object.keys(body).find((each) => !fields.has(each)) : undefined
  if (name === undefined) return undefined
  const place = moved.get(name)
  return place === undefined
    ? problem(`Unknown parameter: '${name}'.`, name, "unknown_parameter")
    : problem(
      `Unsupported parameter: '${name}'. In the Responses API, this parameter has moved to '${place}'. Try again with ` +
        "the new parameter.",
      name,
      "unsupported_parameter"
    )
}

const efforts: ReadonlyArray<unknown> = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

const reasoningOf = ({ reasoning }: Json): Json => isRecord(reasoning) ? reasoning : {}

const summaries: ReadonlyArray<unknown> = ["auto", "concise", "detailed"]

const summaryProblem = (body: Json, model: string): Invalid | undefined => {
  const { summary = null } = reasoningOf(body)
  if (summary === null) return undefined
  if (!summaries.includes(summary)) {
    return problem(
      `Invalid value: '${String(summary)}'. Supported values are: 'auto', 'concise', and 'detailed'.`,
      "reasoning.summary",
      "invalid_value"
    )
  }
  return isFirstParty(model) && !isReasoningModel(model)
    ? problem(
      "Unsupported parameter: 'reasoning.summary' is not supported with this model.",
      "reasoning.summary",
      "unsupported_parameter"
    )
    : undefined
}

const reasoningProblem = (body: Json, model: string): Invalid | undefined => {
  const { effort = null } = reasoningOf(body)
  if (effort === null) return undefined
  if (!efforts.includes(effort)) {
    return problem(
      `Invalid value: '${
        String(effort)
      }'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', ` +
        "and 'max'.",
      "reasoning.effort",
      "invalid_value"
    )
  }
  return isFirstParty(model) && !isReasoningModel(model)
    ? problem(
      "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
      "reasoning.effort",
      "unsupported_parameter"
    )
    : undefined
}

const encryptedProblem = ({ include }: Json, model: string): Invalid | undefined =>
  Array.isArray(include) && include.includes("reasoning.encrypted_content") && isFirstParty(model) &&
    !isReasoningModel(model)
    ? problem("Encrypted content is not supported with this model.", "include")
    : undefined

const backgroundProblem = ({ background, store }: Json): Invalid | undefined =>
  background === true && store === false
    ? problem("Background mode requires 'store' to be true.", "background", "invalid_value")
    : undefined

/** The simulator has no Conversations API. */
const conversationProblem = ({ conversation }: Json): Invalid | undefined =>
  conversation === undefined || conversation === null
    ? undefined
    : { ...problem("Conversation not found.", "conversation"), status: 404 }

const decode = (body: unknown): Either.Either<Prompt, Invalid> =>
  Either.gen(function*() {
    const request: Json = isRecord(body) ? body : {}
    const { model } = request
    if (typeof model !== "string" || model === "") {
      return yield* invalid("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    }
    yield* checks(unknownField(request, model), conversationProblem(request), backgroundProblem(request))
    const turns = yield* decodeResponsesInput(request)
    const { effort } = reasoningOf(request)
    yield* checks(
      samplingProblem(request, model, effort),
      reasoningProblem(request, model),
      summaryProblem(request, model),
      settingsProblem(request, model, { messages: "input", verbosity: "text.verbosity" }),
      encryptedProblem(request, model),
      serverToolsProblem(request, model),
      numberProblem(request, "temperature", "decimal", 0, 2),
      numberProblem(request, "top_p", "decimal", 0, 1),
      numberProblem(request, "max_output_tokens", "integer", isFirstParty(model) ? 16 : 1)
    )
    const serverTools = serverToolsOf(request)
    const tools = yield* decodeTools(request, "flat", serverTools)
    const { max_output_tokens: maxTokens } = request
    const { format } = isRecord(request.text) ? request.text : {}
    return {
      protocol: "openai-responses",
      request,
      streaming: request.stream === true,
      model,
      turns,
      text: lastText(turns),
      ...tools,
      ...(serverTools.length > 0 && { serverTools }),
      ...decisionsOf(request),
      format: yield* decodeFormat(isRecord(format) ? format : {}, {
        messages: "input",
        model,
        path: "text.format",
        place: "flat",
        turns
      }),
      stop: [],
      thinks: thinksAt(effort, model),
      choices: 1,
      ...(typeof maxTokens === "number" && { maxTokens })
    }
  })

/** OpenAI Responses. */
export const responses: Protocol = {
  name: "openai-responses",
  path: /\/responses$/,
  key: (envelope) => envelope.headers["api-key"] ?? bearerToken(envelope),
  decode,
  encode: (completion, prompt, now) => {
    const answer = encode(completion, prompt, now)
    return isBackground(prompt) ? queued(answer) : answer
  },
  kept: encode,
  streaming,
  makeMemory,
  encodeProblem,
  headers
}
