import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Envelope, Invalid, Json, Problem, ProblemFacts, Protocol } from "../protocol.js"
import { bearerToken, checks, invalid, lastText, problem, records, strings, toTool } from "../protocol.js"
import { encode, streaming } from "./answer.js"
import { cacheControlProblem } from "./cacheControl.js"
import { anthropicError, anthropicQuota, anthropicStatus } from "./errors.js"
import { serverToolsOf, serverToolsProblem } from "./serverTools.js"
import { strictProblem } from "./strictSchema.js"
import { decodeAnthropicTurns } from "./turns.js"
import { versionOf } from "./version.js"

const fields = new Set([
  "cache_control",
  "container",
  "context_management",
  "inference_geo",
  "max_tokens",
  "mcp_servers",
  "messages",
  "metadata",
  "model",
  "output_config",
  "service_tier",
  "stop_sequences",
  "stream",
  "system",
  "temperature",
  "thinking",
  "tool_choice",
  "tools",
  "top_k",
  "top_p"
])

const numberProblem = (body: Json, name: string, minimum: number, maximum = Infinity): Invalid | undefined => {
  const value = body[name]
  if (value === undefined) return undefined
  if (typeof value !== "number") return problem(`${name}: Input should be a valid number`)
  if (value < minimum) return problem(`${name}: Input should be greater than or equal to ${minimum}`)
  return value > maximum ? problem(`${name}: Input should be less than or equal to ${maximum}`) : undefined
}

/** Models after 4.6 take no sampling settings; those from 4.1 on take `temperature` or `top_p`, not both. */
const samplingProblem = (body: Json, model: string): Invalid | undefined => {
  const version = versionOf(model)
  if (version === undefined) return undefined
  const { temperature, top_k: topK, top_p: topP } = body
  if (version > 406) {
    const name = topK !== undefined
      ? "top_k"
      : typeof temperature === "number" && temperature !== 1
      ? "temperature"
      : typeof topP === "number" && topP < 0.99
      ? "top_p"
      : undefined
    return name === undefined ? undefined : problem(`\`${name}\` is deprecated for this model.`)
  }
  return version >= 401 && temperature !== undefined && topP !== undefined
    ? problem("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    : undefined
}

const thinkingProblem = (body: Json): Invalid | undefined => {
  const { budget_tokens: budget, display, type } = isRecord(body.thinking) ? body.thinking : {}
  if (display !== undefined && display !== null && display !== "summarized" && display !== "omitted") {
    return problem(`thinking.${String(type)}.display: Input should be 'summarized' or 'omitted'`)
  }
  if (type !== "enabled") return undefined
  if (typeof budget !== "number") return problem("thinking.enabled.budget_tokens: Field required")
  if (budget < 1024) return problem("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
  if (typeof body.max_tokens === "number" && budget >= body.max_tokens) {
    return problem("`max_tokens` must be greater than `thinking.budget_tokens`.")
  }
  return typeof body.temperature === "number" && body.temperature !== 1
    ? problem("`temperature` may only be set to 1 when thinking is enabled.")
    : undefined
}

const tierProblem = ({ service_tier: tier }: Json): Invalid | undefined =>
  tier === undefined || tier === "auto" || tier === "standard_only"
    ? undefined
    : problem("service_tier: Input should be 'auto' or 'standard_only'")

const thinks = ({ thinking }: Json): boolean =>
  isRecord(thinking) && (thinking.type === "enabled" || thinking.type === "adaptive")

const toolProblem = (tool: Json, index: number): Invalid | undefined => {
  // Tools with another type run at the service.
  if (tool.type !== undefined && tool.type !== "custom") return undefined
  if (typeof tool.name !== "string") return problem(`tools.${index}.custom.name: Field required`)
  if (!/^[a-zA-Z0-9_-]{1,128}$/.test(tool.name)) {
    return problem(`tools.${index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`)
  }
  if (!isRecord(tool.input_schema)) return problem(`tools.${index}.custom.input_schema: Field required`)
  if (tool.input_schema.type === undefined) return problem(`tools.${index}.custom.input_schema.type: Field required`)
  if (tool.input_schema.type !== "object") {
    return problem(`tools.${index}.custom.input_schema.type: Input should be 'object'`)
  }
  const issue = tool.strict === true ? strictProblem(tool.input_schema) : undefined
  return issue === undefined ? undefined : problem(`tools.${index}.custom: ${issue}`)
}

const decodeTools = (
  body: Json
): Either.Either<Pick<Prompt, "tools" | "serverTools" | "toolChoice" | "parallelToolCalls">, Invalid> =>
  Either.gen(function*() {
    const given = records(body.tools)
    yield* checks(...given.map(toolProblem))
    const tools = given.filter(({ input_schema: schema }) => schema !== undefined)
      .map(({ input_schema: parameters, ...tool }) => toTool({ ...tool, parameters }))
    const choice = isRecord(body.tool_choice) ? body.tool_choice : undefined
    if (choice !== undefined && given.length === 0) {
      return yield* invalid("tool_choice: may only be specified while providing tools")
    }
    const isForced = choice?.type === "any" || choice?.type === "tool"
    if (isForced && thinks(body)) return yield* invalid("Thinking may not be enabled when tool_choice forces tool use.")
    const serverTools = serverToolsOf(given)
    // The names of the tools of a server of MCP are not known here.
    const nameable = [...tools, ...serverTools.filter(({ kind }) => kind !== "mcp")].map(({ name }) => name)
    if (choice?.type === "tool" && !nameable.some((name) => name === choice.name)) {
      return yield* invalid(`Tool '${String(choice.name)}' not found in provided tools`)
    }
    const twice = nameable.some((name, index) => nameable.indexOf(name) !== index)
    if (twice) return yield* invalid("tools: Tool names must be unique.")
    return {
      tools,
      ...(serverTools.length > 0 && { serverTools }),
      toolChoice: choice?.type === "tool"
        ? { tool: String(choice.name) }
        : choice?.type === "any"
        ? "required" as const
        : choice?.type === "none"
        ? "none" as const
        : "auto" as const,
      parallelToolCalls: choice?.disable_parallel_tool_use !== true
    }
  })

const decodeFormat = (body: Json): Either.Either<Prompt["format"], Invalid> => {
  const { format } = isRecord(body.output_config) ? body.output_config : {}
  if (!isRecord(format)) return Either.right("text")
  if (format.type !== "json_schema") {
    return invalid("output_config.format.type: Input should be 'json_schema'")
  }
  if (format.schema === undefined) return invalid("output_config.format.schema: Field required")
  const issue = strictProblem(format.schema)
  return issue === undefined
    ? Either.right({ schema: format.schema })
    : invalid(`output_config.format.schema: ${issue}`)
}

/**
 * Threads, conversations that the service stores, are a beta. The simulator has none and answers as the service does to a
 * request that cannot be threaded: the SDK's tool loop then sends whole conversations.
 */
const threadProblem = ({ thread }: Json, headers: Envelope["headers"]): Invalid | undefined =>
  isRecord(thread) && /\bmessage-threads-/.test(headers["anthropic-beta"] ?? "")
    ? {
      ...problem("thread: this request cannot be threaded"),
      details: { error_code: "thread_unsupported_request", unsupported: ["thread"] }
    }
    : undefined

/** The paths of Vertex AI, which has the model in the path, and the version in the body. */
const vertexPath = /\/publishers\/anthropic\/models\/([^/]+):(rawPredict|streamRawPredict)$/

/** Its own version, or one of Anthropic's, which Anthropic's SDK sends there. */
const vertexVersion = /^(?:vertex-)?\d{4}-\d\d-\d\d$/

/** A request to Vertex AI as one to Anthropic. */
const fromVertex = (body: Json, { headers, path }: Envelope): Either.Either<Json, Invalid> => {
  const [, model, method] = vertexPath.exec(path) ?? []
  if (model === undefined) {
    return headers["anthropic-version"] === undefined
      ? invalid("anthropic-version: header is required")
      : Either.right(body)
  }
  const { anthropic_version: version, ...request } = body
  if (typeof version !== "string" || !vertexVersion.test(version)) return invalid("anthropic_version: Field required")
  if (request.model !== undefined) return invalid("model: Extra inputs are not permitted")
  if ((method === "streamRawPredict") !== (request.stream === true)) return invalid("stream: wrong method for it")
  return Either.right({ ...request, model: decodeURIComponent(model) })
}

const decode = (body: unknown, envelope: Envelope): Either.Either<Prompt, Invalid> =>
  Either.gen(function*() {
    const { headers } = envelope
    const request = yield* fromVertex(isRecord(body) ? body : {}, envelope)
    const { max_tokens: maxTokens, model } = request
    if (typeof model !== "string" || model === "") return yield* invalid("model: Field required")
    if (typeof maxTokens !== "number") {
      return yield* invalid(
        maxTokens === undefined ? "max_tokens: Field required" : "max_tokens: Input should be a valid integer"
      )
    }
    const turns = yield* decodeAnthropicTurns(request.system, request.messages)
    const unknown = Object.keys(request).find((name) => !fields.has(name))
    yield* checks(
      threadProblem(request, headers),
      unknown === undefined ? undefined : problem(`${unknown}: Extra inputs are not permitted`),
      numberProblem(request, "max_tokens", 0),
      numberProblem(request, "temperature", 0, 1),
      numberProblem(request, "top_p", 0, 1),
      numberProblem(request, "top_k", 0),
      thinkingProblem(request),
      tierProblem(request),
      cacheControlProblem(request),
      samplingProblem(request, model),
      serverToolsProblem(request, headers),
      strings(request.stop_sequences).some((stop) => stop.trim() === "")
        ? problem("stop_sequences: each stop sequence must contain non-whitespace")
        : undefined
    )
    return {
      protocol: "anthropic-messages",
      request,
      streaming: request.stream === true,
      model,
      turns,
      text: lastText(turns),
      ...(yield* decodeTools(request)),
      format: yield* decodeFormat(request),
      maxTokens,
      stop: strings(request.stop_sequences),
      thinks: thinks(request),
      choices: 1
    }
  })

const encodeProblem = (problem: Problem, { model, requestId }: ProblemFacts) => {
  switch (problem._tag) {
    case "Invalid":
      return anthropicError(problem.status ?? 400, problem.message, requestId, problem.details)
    case "Unauthorized":
      return anthropicError(
        401,
        problem.key === undefined ? "x-api-key header is required" : "invalid x-api-key",
        requestId
      )
    case "NoJson":
      return anthropicError(400, "The request body is not valid JSON", requestId)
    case "Quota":
      return anthropicQuota(problem.kind, requestId)
    case "Status":
      return anthropicStatus(problem.status, model, requestId)
  }
}

const key = (envelope: Envelope): string | undefined => envelope.headers["x-api-key"] ?? bearerToken(envelope)

/** The headers round remaining tokens to thousands. */
const thousands = (tokens: number): string => String(Math.round(tokens / 1000) * 1000)

const headers: Protocol["headers"] = ({ limited, now, requestId, usage }) => {
  // RFC 3339, in whole seconds.
  const reset = new Date(now + (limited ? 60_000 : 1000)).toISOString().replace(/\.\d+/, "")
  const family = (name: string, limit: number, used: number) => ({
    [`anthropic-ratelimit-${name}-limit`]: String(limit),
    [`anthropic-ratelimit-${name}-remaining`]: name === "requests"
      ? String(limited ? 0 : limit - used)
      : thousands(limited ? 0 : limit - used),
    [`anthropic-ratelimit-${name}-reset`]: reset
  })
  const input = usage?.inputTokens ?? 0
  const output = usage?.outputTokens ?? 0
  return {
    "request-id": requestId,
    "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
    ...family("requests", 4000, 1),
    ...family("tokens", 2_400_000, input + output),
    ...family("input-tokens", 2_000_000, input),
    ...family("output-tokens", 400_000, output)
  }
}

/** Anthropic Messages. */
export const messages: Protocol = {
  name: "anthropic-messages",
  path: /\/v1\/messages$|\/publishers\/anthropic\/models\/(?!count-tokens:)[^/]+:(?:rawPredict|streamRawPredict)$/,
  key,
  decode,
  encode,
  streaming,
  encodeProblem,
  headers
}
