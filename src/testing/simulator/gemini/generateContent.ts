import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Envelope, Invalid, Json, Protocol } from "../protocol.js"
import { checks, invalid, lastText, problem, strings } from "../protocol.js"
import { encode, streaming } from "./answer.js"
import { decodeGeminiContents } from "./contents.js"
import { camelCase, decodeName, encodeProblem, headers, key, member, snakeCase, versionOf } from "./service.js"
import { settingsProblem } from "./settings.js"
import { thinkingProblem, thinks } from "./thinking.js"
import { decodeFormat, decodeTools } from "./tools.js"

const path = /\/(?:models|tunedModels)\/([^/]+):(generateContent|streamGenerateContent)$/

const fields = new Set([
  "cachedContent",
  "contents",
  "continuationToken",
  "generationConfig",
  "labels",
  "model",
  "safetySettings",
  "serviceTier",
  "systemInstruction",
  "toolConfig",
  "tools"
])

const configFields = new Set([
  "candidateCount",
  "enableEnhancedCivicAnswers",
  "frequencyPenalty",
  "imageConfig",
  "logprobs",
  "maxOutputTokens",
  "mediaResolution",
  "presencePenalty",
  "responseJsonSchema",
  "responseLogprobs",
  "responseMimeType",
  "responseModalities",
  "responseSchema",
  "seed",
  "speechConfig",
  "stopSequences",
  "temperature",
  "thinkingConfig",
  "topK",
  "topP"
])

const unknownField = (json: Json, known: ReadonlySet<string>, place?: string): Invalid | undefined => {
  const name = Object.keys(json).find((each) => !known.has(camelCase(each)))
  return name === undefined ? undefined : problem(
    `Invalid JSON payload received. Unknown name "${name}"${
      place === undefined ? "" : ` at '${place}'`
    }: Cannot find field.`,
    place ?? ""
  )
}

const numberProblem = (
  config: Json,
  name: string,
  type: "TYPE_FLOAT" | "TYPE_INT32",
  minimum: number,
  maximum = Infinity
): Invalid | undefined => {
  const value = member(config, name)
  const field = `generation_config.${snakeCase(name)}`
  if (value === undefined) return undefined
  if (typeof value !== "number" || (type === "TYPE_INT32" && !Number.isInteger(value))) {
    return problem(`Invalid value at '${field}' (${type}), ${JSON.stringify(value)}`, field)
  }
  return value >= minimum && value <= maximum ? undefined : problem(
    `* GenerateContentRequest.${field}: ${name} must be in the range [${minimum}, ${maximum}].\n`,
    field
  )
}

const stopProblem = (config: Json): Invalid | undefined =>
  strings(member(config, "stopSequences")).length > 5
    ? problem("* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are allowed.\n")
    : undefined

/** Models up to 2.5 answer with JSON or use tools, but not both. */
const bothProblem = (
  model: string,
  { serverTools = [], tools }: Pick<Prompt, "serverTools" | "tools">,
  format: Prompt["format"]
): Invalid | undefined =>
  format === "text" || versionOf(model) === 0 || versionOf(model) >= 300
    ? undefined
    : tools.length > 0
    ? problem("Function calling with a response mime type: 'application/json' is unsupported")
    : serverTools.length > 0
    ? problem("Tool use with a response mime type: 'application/json' is unsupported")
    : undefined

const decode = (body: unknown, envelope: Envelope): Either.Either<Prompt, Invalid> =>
  Either.gen(function*() {
    const request: Json = isRecord(body) ? body : {}
    const [, name = "", method] = path.exec(envelope.path) ?? []
    const model = decodeName(name)
    const streaming = method === "streamGenerateContent"
    if (streaming && envelope.query.get("alt") !== "sse") {
      return yield* invalid("The simulator streams with `alt=sse` only")
    }
    const given = member(request, "generationConfig")
    const config: Json = isRecord(given) ? given : {}
    yield* checks(unknownField(request, fields), unknownField(config, configFields, "generation_config"))
    const turns = yield* decodeGeminiContents(request, model)
    yield* checks(
      numberProblem(config, "temperature", "TYPE_FLOAT", 0, 2),
      numberProblem(config, "topP", "TYPE_FLOAT", 0, 1),
      numberProblem(config, "topK", "TYPE_INT32", 1),
      numberProblem(config, "seed", "TYPE_INT32", -(2 ** 31), 2 ** 31 - 1),
      numberProblem(config, "maxOutputTokens", "TYPE_INT32", 1),
      numberProblem(config, "candidateCount", "TYPE_INT32", 1, 8),
      stopProblem(config),
      settingsProblem(request),
      thinkingProblem(request, model)
    )
    const tools = yield* decodeTools(request, model)
    const format = yield* decodeFormat(config)
    yield* checks(bothProblem(model, tools, format))
    const maxTokens = member(config, "maxOutputTokens")
    const choices = member(config, "candidateCount")
    return {
      protocol: "gemini",
      request,
      streaming,
      model,
      turns,
      text: lastText(turns),
      ...tools,
      parallelToolCalls: true,
      format,
      stop: strings(member(config, "stopSequences")),
      thinks: thinks(request, model),
      choices: typeof choices === "number" ? choices : 1,
      ...(typeof maxTokens === "number" && { maxTokens })
    }
  })

/** Gemini's `generateContent` and `streamGenerateContent`, of Google AI and of Vertex. */
export const gemini: Protocol = {
  name: "gemini",
  path,
  key,
  decode,
  encode,
  streaming,
  encodeProblem,
  waitInBody: true,
  headers
}
