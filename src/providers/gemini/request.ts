import * as Encoding from "effect/Encoding"
import { InvalidRequest, type Reason } from "../../domain/LlmError.js"
import type { LlmRequest, ReasoningEffort } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import type { Encoded } from "../codec.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The version of a Gemini as a number, 205 for 2.5: from names such as `gemini-2.5-flash-lite`, `gemini-3-pro-preview`.
 * An alias of the latest is of the highest version. 0 where the name does not tell.
 */
const versionOf = (model: string): number => {
  const found = /gemini-(\d{1,2})(?:\.(\d{1,2}))?(?!\d)/.exec(model)
  if (found !== null) return 100 * Number(found[1]) + Number(found[2] ?? 0)
  return /gemini-[a-z-]+-latest$/.test(model) ? Infinity : 0
}

/**
 * Up to 2.5 models are known to take temperature 0. Later ones are made for 1: lower values make them loop, or are
 * ignored.
 */
const takesTemperature = (model: string): boolean => versionOf(model) >= 100 && versionOf(model) <= 205

/** From version 3 on a tool call without the signature that it came with is refused. */
const wantsSignatures = (model: string): boolean => versionOf(model) >= 300

/** What Google has one send with a call that never had a signature, because another model had made it. */
const noSignature = "skip_thought_signature_validator"

const thinkingBudgets: { readonly [Effort in ReasoningEffort]: number } = {
  none: 0,
  minimal: 512,
  low: 1_024,
  medium: 8_192,
  high: 24_576,
  xhigh: 24_576,
  max: 32_768
}

const thinkingLevels: { readonly [Effort in ReasoningEffort]: string } = {
  none: "MINIMAL",
  minimal: "MINIMAL",
  low: "LOW",
  medium: "MEDIUM",
  high: "HIGH",
  xhigh: "HIGH",
  max: "HIGH"
}

/** How a model is told how much to think: by a level from version 3 on, by a budget of tokens in 2.5. */
const encodeEffort = (
  model: string,
  effort: ReasoningEffort
): { readonly thinkingLevel: string } | { readonly thinkingBudget: number } | undefined => {
  const version = versionOf(model)
  if (/-(?:image|tts|audio|live)\b/.test(model)) return undefined
  if (version >= 300) {
    const level = thinkingLevels[effort]
    const takesMinimal = version <= 306 && model.includes("flash")
    return { thinkingLevel: level === "MINIMAL" && !takesMinimal ? "LOW" : level }
  }
  if (version !== 205) return undefined
  // Pro always thinks, and may think more than the others.
  const [least, most] = model.includes("pro") ? [128, 32_768] : [0, 24_576]
  return { thinkingBudget: Math.min(Math.max(thinkingBudgets[effort], least), most) }
}

// ---------------------------------------------------------------------------------------------------------------------
// The path
// ---------------------------------------------------------------------------------------------------------------------

/** Of a name that is not well-formed Unicode, what is wrong is replaced: `encodeURIComponent` would throw. */
const segment = (name: string): string => encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\uFFFD"))

/** The path of a request. A name may have its collection before it, as the service's own lists have it. */
export const path = ({ model }: LlmRequest, streaming: boolean): string => {
  const [, collection = "models", name = model] = /^(models|tunedModels)\/(.+)$/.exec(model) ?? []
  return `/v1beta/${collection}/${segment(name)}:${streaming ? "streamGenerateContent?alt=sse" : "generateContent"}`
}

// ---------------------------------------------------------------------------------------------------------------------
// The conversation
// ---------------------------------------------------------------------------------------------------------------------

/** The type of an image that is given by its address, where that tells. */
const imageType = (url: string): string | undefined => {
  const extension = /\.(png|jpe?g|webp|gif|hei[cf])(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase()
  return extension && `image/${extension === "jpg" ? "jpeg" : extension}`
}

const encodeUserPart = (part: Message.UserMessage["content"][number]): Json.JsonObject => {
  if (part._tag === "Text") return { text: part.text }
  if ("bytes" in part) return { inlineData: { mimeType: part.mediaType, data: Encoding.encodeBase64(part.bytes) } }
  const mimeType = part._tag === "File" ? part.mediaType : imageType(part.url)
  return { fileData: Json.defined({ mimeType, fileUri: part.url }) }
}

const encodeAssistant = (message: Message.AssistantMessage, model: string, provider: string): Json.JsonObject => {
  const calls = message.content.filter((part) => part._tag === "ToolCall")
  // Of calls that were made at once, the first one carries the signature.
  const unsigned = wantsSignatures(model) && calls.every((call) => call.signature === undefined) ? calls[0] : undefined
  const parts = message.content.flatMap((part): ReadonlyArray<Json.JsonObject> => {
    switch (part._tag) {
      case "Text":
        return part.text === "" && part.signature === undefined
          ? []
          : [Json.defined({ text: part.text, thoughtSignature: part.signature })]
      case "Refusal":
        return part.text === "" ? [] : [{ text: part.text }]
      case "Reasoning":
        // What another model thought, or what nobody signed, says nothing to this one.
        return part.provider !== provider || part.signature === undefined
          ? []
          : [{ text: part.text ?? "", thought: true, thoughtSignature: part.signature }]
      case "ToolCall":
        return [Json.defined({
          functionCall: { id: part.id, name: part.name, args: Json.object(part.arguments) },
          thoughtSignature: part === unsigned ? noSignature : part.signature
        })]
    }
  })
  return { role: "model", parts }
}

/** The protocol wants an object, whose members `output` and `error` are what they say. */
const encodeResult = ({ id, isError, result }: Message.ToolResult, name: string): Json.JsonObject => ({
  functionResponse: { id, name, response: isError === true ? { error: result } : { output: result } }
})

/** The conversation, or what is wrong with it. */
const encodeMessages = (
  { messages, model }: LlmRequest,
  provider: string
): { readonly contents: ReadonlyArray<Json.JsonObject>; readonly problem: Reason | undefined } => {
  const contents: Array<Json.JsonObject> = []
  const names = new Map<string, string>()
  let problem: Reason | undefined
  // All results of one turn belong together, however many messages they came in.
  let results: Array<Json.JsonObject> | undefined
  for (const [index, message] of messages.entries()) {
    if (message.role !== "tool") results = undefined
    switch (message.role) {
      case "system":
        break
      case "user":
        contents.push({ role: "user", parts: message.content.map(encodeUserPart) })
        break
      case "assistant": {
        for (const part of message.content) if (part._tag === "ToolCall") names.set(part.id, part.name)
        const content = encodeAssistant(message, model, provider)
        if (Json.array(content.parts).length > 0) contents.push(content)
        break
      }
      case "tool":
        if (results === undefined) contents.push({ role: "user", parts: results = [] })
        for (const [at, part] of message.content.entries()) {
          const name = part.name ?? names.get(part.id)
          if (name !== undefined) {
            results.push(encodeResult(part, name))
            continue
          }
          const field = `messages[${index}].content[${at}].name`
          problem ??= InvalidRequest.make({
            field,
            message: `${field}: expected the name of a tool, or the id of a call`
          })
        }
    }
  }
  return { contents, problem }
}

// ---------------------------------------------------------------------------------------------------------------------
// The whole
// ---------------------------------------------------------------------------------------------------------------------

/** Without a choice to make the service need not be told; but it has a mode of its own for tools that are strict. */
const encodeToolChoice = ({ toolChoice, tools = [] }: LlmRequest): Json.JsonObject | undefined => {
  if (tools.length === 0) return undefined
  const config = (mode: string, names?: ReadonlyArray<string>) => ({
    functionCallingConfig: Json.defined({ mode, allowedFunctionNames: names })
  })
  if (typeof toolChoice === "object") return config("ANY", [toolChoice.tool])
  if (toolChoice === "required") return config("ANY")
  if (toolChoice === "none") return config("NONE")
  if (tools.some((tool) => tool.strict === true)) return config("VALIDATED")
  return toolChoice && config("AUTO")
}

/** What the model is told about thinking, and a warning where it cannot be told just that. */
const encodeThinking = (
  { model, reasoningEffort: effort }: LlmRequest
): { readonly thinkingConfig?: Json.JsonObject; readonly warning?: string } => {
  if (effort === undefined) return {}
  const told = encodeEffort(model, effort)
  if (told === undefined) return { warning: `reasoningEffort was not sent: ${model} does not take it` }
  if (effort !== "none") return { thinkingConfig: { ...told, includeThoughts: true } }
  const least = "thinkingLevel" in told ? told.thinkingLevel : told.thinkingBudget
  return {
    thinkingConfig: told,
    ...(least !== 0 && { warning: `reasoningEffort was sent as ${least}, the least that ${model} takes` })
  }
}

/** The body of a request. Raw fields that the caller gives for the provider win over all others. */
export const encode = (request: LlmRequest, provider: string): Encoded => {
  const { outputSchema: output, tools = [] } = request
  const { contents, problem } = encodeMessages(request, provider)
  const { thinkingConfig, warning } = encodeThinking(request)
  const warnings = warning === undefined ? [] : [warning]
  const instructions = request.messages.flatMap((message) => message.role === "system" ? [Message.text(message)] : [])
  const [first] = request.messages
  // The protocol has one place for instructions, before the conversation.
  if (instructions.length > 0 && !(instructions.length === 1 && first.role === "system")) {
    warnings.push("system messages in the course of the conversation were sent before it")
  }
  const system = [...request.system === undefined ? [] : [request.system], ...instructions].join("\n\n")
  const raw = { ...request.providerOptions?.gemini, ...request.providerOptions?.[provider] }
  const generationConfig = Json.defined({
    temperature: request.temperature ?? (takesTemperature(request.model) ? 0 : undefined),
    topP: request.topP,
    topK: request.topK,
    maxOutputTokens: request.maxTokens,
    stopSequences: request.stop,
    seed: request.seed,
    responseMimeType: output !== undefined || request.outputFormat === "json" ? "application/json" : undefined,
    responseJsonSchema: output?.schema,
    thinkingConfig,
    ...Json.object(raw.generationConfig)
  })
  const body = Json.defined({
    contents,
    systemInstruction: system === "" ? undefined : { parts: [{ text: system }] },
    tools: tools.length === 0 ? undefined : [{
      functionDeclarations: tools.map(({ description, name, parameters }) =>
        Json.defined({ name, description, parametersJsonSchema: parameters })
      )
    }],
    toolConfig: encodeToolChoice(request),
    ...raw,
    generationConfig: Object.keys(generationConfig).length === 0 ? undefined : generationConfig
  })
  return { body, warnings, problem }
}
