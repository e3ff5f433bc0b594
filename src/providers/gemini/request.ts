import * as Encoding from "effect/Encoding"
import { InvalidRequest, type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest, ReasoningEffort } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as Json from "../../wire/json.js"
import * as CachePoints from "../cachePoints.js"
import type { Encoded } from "../codec.js"
import * as CutCalls from "../cutCalls.js"
import * as Facts from "../modelFacts.js"
import * as OpaqueBlocks from "../opaqueBlocks.js"
import * as ProviderTools from "../providerTools.js"
import * as RawFields from "../rawFields.js"
import type { Changes } from "../settings.js"
import * as ToolCallIds from "../toolCallIds.js"
import * as ToolResults from "../toolResults.js"
import * as Unsent from "../unsent.js"
import * as Portable from "./portable.js"
import * as GoogleTools from "./providerTools.js"
import * as EncodedResults from "./toolResults.js"

/** The service that a request goes to. */
export interface Service {
  readonly name: string
  /** Whether its answers are continued by their continuation tokens. */
  readonly heal: boolean
  readonly factsOf: Facts.FactsOf
}

// ---------------------------------------------------------------------------------------------------------------------
// The path
// ---------------------------------------------------------------------------------------------------------------------

/** Unpaired surrogates are replaced: `encodeURIComponent` would throw. */
export const segment = (name: string): string => encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\uFFFD"))

/** A model's name may begin with its collection, as in the service's own lists. */
const placeOf = (model: string) => {
  const [, collection = "models", name = model] = /^(models|tunedModels)\/(.+)$/.exec(model) ?? []
  return { collection, name }
}

/** The path of a model. */
export const modelPath = (model: string): string => {
  const { collection, name } = placeOf(model)
  return `/v1beta/${collection}/${segment(name)}`
}

/** The name of a model with its collection, as bodies have it. */
export const resourceName = (model: string): string => {
  const { collection, name } = placeOf(model)
  return `${collection}/${name}`
}

/** The method of a request. */
export const methodOf = (streaming: boolean): string => streaming ? "streamGenerateContent?alt=sse" : "generateContent"

/** The path of a request. */
export const path = ({ model }: LlmRequest, streaming: boolean): string => `${modelPath(model)}:${methodOf(streaming)}`

// ---------------------------------------------------------------------------------------------------------------------
// The conversation
// ---------------------------------------------------------------------------------------------------------------------

/** The type of an image by the extension of its address. */
const imageType = (url: string): string | undefined => {
  const extension = /\.(png|jpe?g|webp|gif|hei[cf])(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase()
  return extension && `image/${extension === "jpg" ? "jpeg" : extension}`
}

const encodeUserPart = (part: CachePoints.Content): Json.JsonObject => {
  if (part._tag === "Text") return { text: part.text }
  if ("bytes" in part) return { inlineData: { mimeType: part.mediaType, data: Encoding.encodeBase64(part.bytes) } }
  const mimeType = part._tag === "File" ? part.mediaType : imageType(part.url)
  return { fileData: Json.defined({ mimeType, fileUri: part.url }) }
}

/** Google's own stand-in for the signature of a call that another model made. */
const noSignature = "skip_thought_signature_validator"

/** The fields of a part that are not read, on their way back. */
const nativeFields = (
  { native }: { readonly native?: Message.Native | undefined },
  provider: string
): Json.JsonObject => native?.provider === provider ? native.fields : {}

/** Further answers are not part of the conversation. */
const isPart = ({ kind }: Message.Opaque): boolean => !kind.startsWith("candidate ")

/** A part of the service's own tools without its signature. */
const unsigned = (part: Message.Opaque): Message.Opaque => {
  const { thoughtSignature, ...json } = Json.object(part.json)
  return thoughtSignature === undefined ? part : { ...part, json }
}

/** A conversation whose calls have lost their signatures: the first call of each turn has the stand-in. */
export const unsealed = (messages: LlmRequest["messages"]): LlmRequest["messages"] => {
  const first = new Set(messages.flatMap((message) => {
    if (message.role !== "assistant") return []
    const calls = message.content.filter((part) => part._tag === "ToolCall")
    return calls.some((call) => call.signature !== undefined) ? [] : calls.slice(0, 1)
  }))
  return Reasoning.mapParts(messages, (part) => {
    if (part._tag === "Opaque") return unsigned(part)
    return part._tag === "ToolCall" && first.has(part) ? { ...part, signature: noSignature } : part
  })
}

const encodeAssistant = (
  message: Message.AssistantMessage,
  { signedToolCalls = false }: Facts.ModelFacts,
  provider: string,
  into: RawFields.Into
): Json.JsonObject => {
  const calls = message.content.filter((part) => part._tag === "ToolCall")
  // The first of parallel calls carries the signature.
  const firstUnsigned = signedToolCalls && calls.every((call) => call.signature === undefined) ? calls[0] : undefined
  const encodePart = (part: Message.ResponsePart): ReadonlyArray<Json.JsonObject> => {
    switch (part._tag) {
      case "Text":
        return part.text === "" && part.signature === undefined
          ? []
          : [Json.defined({ text: part.text, thoughtSignature: part.signature, ...nativeFields(part, provider) })]
      case "Refusal":
        return part.text === "" ? [] : [{ text: part.text }]
      case "Reasoning":
        // The reasoning of other models, and any without a signature, is of no use to the model.
        return part.provider !== provider || part.signature === undefined
          ? []
          : [{
            text: part.text ?? "",
            thought: true,
            thoughtSignature: part.signature,
            ...nativeFields(part, provider)
          }]
      case "ToolCall":
        return [Json.defined({
          functionCall: Json.defined({
            id: ToolCallIds.ofService(part.id),
            name: part.name,
            args: Json.object(part.arguments)
          }),
          thoughtSignature: part === firstUnsigned ? noSignature : part.signature,
          ...nativeFields(part, provider)
        })]
      case "Opaque":
        return [Json.object(part.json)]
      // The service takes no sources back.
      case "Source":
        return []
    }
  }
  const parts = message.content.flatMap((part) =>
    encodePart(part).map((encoded) => "providerOptions" in part ? into(encoded, part) : encoded)
  )
  return { role: "model", parts }
}

/** The conversation, or the problem with it. */
const encodeMessages = (
  messages: ReadonlyArray<Message.Message>,
  facts: Facts.ModelFacts,
  provider: string,
  into: RawFields.Into
): { readonly contents: ReadonlyArray<Json.JsonObject>; readonly problem: Reason | undefined } => {
  const contents: Array<Json.JsonObject> = []
  const names = new Map<string, string>()
  let problem: Reason | undefined
  // All results of a turn are one message.
  let results: Array<Json.JsonObject> | undefined
  for (const [index, message] of messages.entries()) {
    if (message.role !== "tool") results = undefined
    switch (message.role) {
      case "system":
        break
      case "user":
        contents.push(into({
          role: "user",
          parts: CachePoints.pointed(message).parts.map(({ part }) => into(encodeUserPart(part), part))
        }, message))
        break
      case "assistant": {
        for (const part of message.content) if (part._tag === "ToolCall") names.set(part.id, part.name)
        const content = encodeAssistant(message, facts, provider, into)
        if (Json.array(content.parts).length > 0) contents.push(into(content, message))
        break
      }
      case "tool":
        if (results === undefined) contents.push(into({ role: "user", parts: results = [] }, message))
        for (const [at, part] of message.content.entries()) {
          const name = part.name ?? names.get(part.id)
          if (name !== undefined) {
            const [response, ...beside] = EncodedResults.encode(
              part,
              name,
              facts,
              (piece) => into(encodeUserPart(piece), piece)
            )
            results.push(into(response, part))
            for (const each of beside) results.push(each)
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
// The request
// ---------------------------------------------------------------------------------------------------------------------

/** Without a choice nothing is sent, except for strict tools, which have a mode of their own. */
const encodeToolChoice = (request: LlmRequest): Json.JsonObject | undefined => {
  const { toolChoice, tools = [] } = request
  const named = ProviderTools.chosen(request)?.choice
  if (named !== undefined) return named
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

const thinkingBudgets: { readonly [Effort in ReasoningEffort]: number } = {
  none: 0,
  minimal: 512,
  low: 1_024,
  medium: 8_192,
  high: 24_576,
  xhigh: 24_576,
  max: 32_768
}

/** Without other facts, the budget of the ordinary models that have one. */
const budgetOfAny: readonly [least: number, most: number] = [0, 24_576]

/** The amount of thinking for a model, and a warning if the model does not take the requested effort. */
const encodeEffort = ({ model, reasoningEffort: asked }: LlmRequest, facts: Facts.ModelFacts) => {
  const { effort, warning } = Facts.roundEffort(model, facts, asked)
  const warnings = warning === undefined ? [] : [warning]
  if (effort === undefined) return { fields: {}, warnings }
  if (facts.reasoningControl !== "budget") {
    return { fields: { thinkingLevel: effort === "none" ? "MINIMAL" : effort.toUpperCase() }, warnings }
  }
  const [least, most] = facts.reasoningBudget ?? budgetOfAny
  const thinkingBudget = asked === "none" ? least : Math.min(Math.max(thinkingBudgets[effort], least), most)
  return { fields: { thinkingBudget }, warnings }
}

/** The settings of thinking. Thoughts are shown if the request asks for them, or for an effort. */
const encodeThinking = (
  request: LlmRequest,
  facts: Facts.ModelFacts,
  name: string
): { readonly thinkingConfig: Json.JsonObject | undefined; readonly warnings: ReadonlyArray<string> } => {
  const { model, reasoningEffort: effort, reasoningSummary: summary } = request
  const { fields, warnings } = encodeEffort(request, facts)
  const hasEffort = Object.keys(fields).length > 0
  const isAsked = summary !== undefined && effort !== "none"
  const includeThoughts = isAsked && facts.reasoning !== "never"
    ? summary !== "none"
    : hasEffort && effort !== "none"
    ? true
    : undefined
  return {
    thinkingConfig: hasEffort || includeThoughts !== undefined
      ? Json.defined({ ...fields, includeThoughts })
      : undefined,
    warnings: [
      ...warnings,
      ...isAsked && summary !== "none" && facts.reasoning === "never"
        ? [Unsent.notSent("reasoningSummary", `${model} does not reason`)]
        : isAsked && (summary === "concise" || summary === "detailed")
        ? [Unsent.sentAs("reasoningSummary", "auto", `${name} has one length`)]
        : []
    ]
  }
}

/** Up to 2.5 a model answers 400 to a schema for its answer beside tools: another provider can be asked instead. */
const combined = (
  { model, outputSchema, tools = [] }: LlmRequest,
  { schemaWithTools = true }: Facts.ModelFacts
): Reason | undefined =>
  outputSchema !== undefined && tools.length > 0 && !schemaWithTools
    ? UnsupportedFeature.make({
      feature: "outputSchema with tools",
      message: `${model} takes a schema for its answer or tools, not both`
    })
    : undefined

/** The body of a request. `providerOptions` win over all other fields. */
export const encode = (request: LlmRequest, { factsOf, name: provider }: Service, changes: Changes): Encoded => {
  const { omitted } = changes
  const facts = factsOf(request.model)
  const { outputSchema: output, tools = [] } = request
  const { messages: uncut, warnings: cut } = CutCalls.withoutCutCalls(request.messages)
  const { messages: sendable, warnings: unsendable } = OpaqueBlocks.sendable(uncut, provider, isPart)
  const portable = Portable.encode(request, sendable, provider, changes)
  const into = RawFields.into("gemini", provider)
  const { contents, problem } = encodeMessages(portable.messages, facts, provider, into)
  const { thinkingConfig, warnings: thinking } = encodeThinking(request, facts, provider)
  const isAside = facts.toolResultParts !== true &&
    sendable.some((message) => message.role === "tool" && message.content.some(ToolResults.hasMedia))
  const warnings = [
    ...cut,
    ...unsendable,
    ...isAside ? [ToolResults.asideWarning] : [],
    ...thinking,
    ...portable.warnings
  ]
  const instructions = request.messages.flatMap((message) => message.role === "system" ? [Message.text(message)] : [])
  const [first] = request.messages
  // The protocol has one place for instructions, before the conversation.
  if (instructions.length > 0 && !(instructions.length === 1 && first.role === "system")) {
    warnings.push("system messages in the course of the conversation were sent before it")
  }
  const system = [...request.system === undefined ? [] : [request.system], ...instructions].join("\n\n")
  const raw = RawFields.of(
    { providerOptions: request.providerOptions, providerTools: portable.isCached ? [] : GoogleTools.sent(request) },
    "gemini",
    provider
  )
  const samples = Facts.samples(facts, Facts.reasons(facts, request.reasoningEffort))
  const taker = Unsent.taker(warnings)
  const taken = (setting: string, value: number | undefined) => taker(setting, value, samples !== false, request.model)
  const temperature = taken("temperature", request.temperature)
  const takesZero = samples === true && facts.defaultTemperature !== "service" && !omitted.has("temperature")
  const generationConfig = Json.defined({
    temperature: temperature ?? (takesZero ? 0 : undefined),
    topP: taken("topP", request.topP),
    topK: taken("topK", request.topK),
    maxOutputTokens: request.maxTokens,
    stopSequences: request.stop,
    seed: request.seed,
    responseMimeType: output !== undefined || request.outputFormat === "json" ? "application/json" : undefined,
    responseJsonSchema: output?.schema,
    thinkingConfig,
    ...Json.object(raw.generationConfig)
  })
  const body = Json.defined({
    ...RawFields.over({
      contents,
      systemInstruction: system === "" || portable.isCached ? undefined : { parts: [{ text: system }] },
      tools: tools.length === 0 || portable.isCached ? undefined : [{
        functionDeclarations: tools.map((tool) => {
          const { description, name, parameters } = tool
          return into(Json.defined({ name, description, parametersJsonSchema: parameters }), tool)
        })
      }],
      toolConfig: portable.isCached
        ? undefined
        : GoogleTools.withInvocations(encodeToolChoice(request), request),
      ...portable.fields
    }, raw),
    generationConfig: Object.keys(generationConfig).length === 0 ? undefined : generationConfig
  })
  const combination = portable.isCached
    ? undefined
    : combined(request, facts) ?? GoogleTools.problem(request, facts)
  return { body, warnings, problem: problem ?? combination }
}
