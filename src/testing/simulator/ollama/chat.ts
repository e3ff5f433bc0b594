import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt, PromptTool, Turn } from "../prompt.js"
import { countInputTokens } from "../prompt.js"
import type { Invalid, Json, Problem, ProblemBody, ProblemFacts, Protocol } from "../protocol.js"
import { bearerToken, checks, invalid, lastText, problem, records, strings, toTool } from "../protocol.js"
import { encode, streaming } from "./answer.js"

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

const messageOf = (status: number, model: string): string => {
  switch (status) {
    case 401:
      return "unauthorized"
    case 403:
      return "this model requires a subscription, upgrade for access: https://ollama.com/upgrade"
    case 404:
      return `model '${model}' not found`
    case 429:
      return "too many concurrent requests"
    case 503:
    case 529:
      return "server busy, please try again.  maximum pending requests exceeded"
    default:
      return status >= 500
        ? "an error was encountered while running the model: unexpected EOF"
        : `the request failed with status ${status}`
  }
}

/** Only the cloud has accounts, and errors about money. */
export const encodeProblem = (problem: Problem, { model }: ProblemFacts): ProblemBody => {
  const error = (status: number, message = messageOf(status, model)): ProblemBody => ({
    status,
    body: { error: message }
  })
  switch (problem._tag) {
    case "Invalid":
      return error(problem.status ?? 400, problem.message)
    case "Unauthorized":
      return error(401)
    case "NoJson":
      return error(400, "unexpected EOF")
    case "Quota":
      return problem.kind === "credit"
        ? error(402, "you have insufficient credits, add more: https://ollama.com/settings/billing")
        : error(429, "you have reached your weekly usage limit, upgrade for higher limits: https://ollama.com/upgrade")
    case "Status":
      return error(problem.status)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The conversation
// ---------------------------------------------------------------------------------------------------------------------

/** Go's error for JSON of a wrong type. */
const typeProblem = (value: unknown, field: string, type: string): Invalid => {
  const kind = Array.isArray(value) ? "array" : value !== null && typeof value === "object" ? "object" : typeof value
  return problem(
    `json: cannot unmarshal ${
      kind === "boolean" ? "bool" : kind
    } into Go struct field ChatRequest.${field} of type ${type}`
  )
}

const functionOf = (json: Json): Json => isRecord(json.function) ? json.function : {}

const roles: ReadonlyArray<unknown> = ["system", "user", "assistant", "tool"]

const messageProblem = (message: Json): Invalid | undefined => {
  const { content, images, role } = message
  if (!roles.includes(role)) {
    return problem(`invalid role: ${String(role)}, role must be one of [system, user, assistant, tool]`)
  }
  if (content !== undefined && content !== null && typeof content !== "string") {
    return typeProblem(content, "messages.content", "string")
  }
  const wrong = strings(images ?? []).map((image) => /[^A-Za-z0-9+/=\s]/.exec(image)).find((found) => found !== null)
  if (wrong) return problem(`illegal base64 data at input byte ${wrong.index}`)
  const args = records(message.tool_calls).map((call) => functionOf(call).arguments)
    .find((args) => args !== undefined && !isRecord(args))
  return args === undefined
    ? undefined
    : typeProblem(args, "messages.tool_calls.function.arguments", "api.ToolCallFunctionArguments")
}

const toTurn = (message: Json): Turn => ({
  role: message.role === "system" || message.role === "assistant" || message.role === "tool" ? message.role : "user",
  text: typeof message.content === "string" ? message.content : "",
  attachments: strings(message.images ?? []).length,
  toolCalls: records(message.tool_calls).map((call) => {
    const { arguments: args, name } = functionOf(call)
    return { id: String(call.id ?? name), name: String(name), arguments: args ?? {} }
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Settings
// ---------------------------------------------------------------------------------------------------------------------

const optionTypes: { readonly [name: string]: "integer" | "float32" | "array" } = {
  frequency_penalty: "float32",
  min_p: "float32",
  num_ctx: "integer",
  num_predict: "integer",
  presence_penalty: "float32",
  repeat_last_n: "integer",
  repeat_penalty: "float32",
  seed: "integer",
  stop: "array",
  temperature: "float32",
  top_k: "integer",
  top_p: "float32"
}

/** Unknown options are ignored. */
const optionProblem = ([name, value]: readonly [string, unknown]): Invalid | undefined => {
  const type = optionTypes[name]
  const fits = type === undefined || value === null ||
    (type === "array"
      ? Array.isArray(value)
      : typeof value === "number" && (type === "float32" || Number.isInteger(value)))
  return fits ? undefined : problem(`option "${name}" must be of type ${type}`)
}

/** Families that do not think. All others may. */
const neverThinks = (model: string): boolean => /^(?:llama\d|gemma[23]|mistral|phi[34](?!.*reasoning))/.test(model)

/** Families that think by default. */
const thinksByDefault = (model: string): boolean => /^(?:qwen3|deepseek-r1|gpt-oss|magistral)/.test(model)

const levels: ReadonlyArray<unknown> = ["low", "medium", "high", "max", true, false]

const thinkProblem = ({ think = null }: Json, model: string): Invalid | undefined =>
  think !== null && !levels.includes(think)
    ? problem(`invalid think value: ${JSON.stringify(think)} (must be "high", "medium", "low", "max", true, or false)`)
    : think !== null && think !== false && neverThinks(model)
    ? problem(`"${model}" does not support thinking`)
    : undefined

const decodeFormat = ({ format = null }: Json): Either.Either<Prompt["format"], Invalid> =>
  format === null || format === ""
    ? Either.right("text")
    : format === "json"
    ? Either.right("json")
    : isRecord(format)
    ? Either.right({ schema: format })
    : invalid(`invalid format: ${JSON.stringify(format)}; expected "json" or a valid JSON Schema object`)

const decodeTools = ({ tools }: Json): ReadonlyArray<PromptTool> =>
  records(tools).map((tool) => toTool(functionOf(tool)))

/** Without `truncate: false`, Ollama silently drops the oldest messages. */
const lengthProblem = ({ truncate }: Json, options: Json, prompt: Prompt): Invalid | undefined =>
  truncate === false && typeof options.num_ctx === "number" && countInputTokens(prompt) > options.num_ctx
    ? problem("the input length exceeds the context length")
    : undefined

const decode = (body: unknown): Either.Either<Prompt, Invalid> =>
  Either.gen(function*() {
    const request: Json = isRecord(body) ? body : {}
    const { messages = [], model, options: given = {}, stream = true, think } = request
    if (typeof model !== "string" || model === "") return yield* invalid("model is required")
    if (!Array.isArray(messages)) return yield* Either.left(typeProblem(messages, "messages", "[]api.Message"))
    if (!isRecord(given)) {
      return yield* Either.left(typeProblem(given, "options", "map[string]interface {}"))
    }
    if (typeof stream !== "boolean") return yield* Either.left(typeProblem(stream, "stream", "bool"))
    yield* checks(
      ...records(messages).map(messageProblem),
      ...Object.entries(given).map(optionProblem),
      thinkProblem(request, model)
    )
    const turns = records(messages).map(toTurn)
    const { num_predict: maxTokens } = given
    const prompt: Prompt = {
      protocol: "ollama",
      request,
      streaming: stream,
      model,
      turns,
      text: lastText(turns),
      tools: decodeTools(request),
      toolChoice: "auto",
      parallelToolCalls: true,
      format: yield* decodeFormat(request),
      stop: strings(given.stop),
      thinks: think === undefined || think === null ? thinksByDefault(model) : think !== false,
      choices: 1,
      // A negative number means no limit.
      ...(typeof maxTokens === "number" && maxTokens >= 0 && { maxTokens })
    }
    yield* checks(lengthProblem(request, given, prompt))
    return prompt
  })

/** Ollama's `/api/chat`, which streams by default. */
export const ollama: Protocol = {
  name: "ollama",
  path: /\/api\/chat$/,
  key: bearerToken,
  decode,
  encode,
  streaming,
  encodeProblem,
  headers: () => ({})
}
