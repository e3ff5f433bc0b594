import { sha256Hex } from "#sha256"
import * as Encoding from "effect/Encoding"
import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CachePoints from "../cachePoints.js"
import { type Encoded, isReason } from "../codec.js"
import * as Facts from "../modelFacts.js"
import * as OpaqueBlocks from "../opaqueBlocks.js"
import * as ProviderTools from "../providerTools.js"
import * as RawFields from "../rawFields.js"
import type { Changes } from "../settings.js"
import * as ToolResults from "../toolResults.js"
import * as Unsent from "../unsent.js"
import type { Capabilities } from "./hosts.js"
import * as Portable from "./portable.js"
import * as PromptCache from "./promptCache.js"

/** The service that a request goes to. */
export interface Service {
  readonly name: string
  readonly capabilities: Capabilities
  readonly factsOf: Facts.FactsOf
}

/** A service, the way in which it gets raw fields, and its mark for the end of a cached prefix. */
interface Receiver extends Service {
  readonly into: RawFields.Into
  readonly marked: PromptCache.PromptCaching["marked"]
}

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

const dataUrl = (part: { readonly bytes: Uint8Array; readonly mediaType: string }): string =>
  `data:${part.mediaType};base64,${Encoding.encodeBase64(part.bytes)}`

const audioFormats: ReadonlyMap<string, string> = new Map([
  ["audio/mpeg", "mp3"],
  ["audio/mp3", "mp3"],
  ["audio/wav", "wav"],
  ["audio/x-wav", "wav"]
])

const encodeUserPart = (part: CachePoints.Content): Json.JsonObject | Reason => {
  if (part._tag === "Text") return { type: "text", text: part.text }
  if (part._tag === "Image") {
    const url = "url" in part ? part.url : dataUrl(part)
    return { type: "image_url", image_url: Json.defined({ url, detail: part.detail }) }
  }
  if ("url" in part) {
    return UnsupportedFeature.make({
      feature: "files by address",
      message: "Chat Completions takes files by their bytes"
    })
  }
  const format = audioFormats.get(part.mediaType)
  return format === undefined
    ? { type: "file", file: { filename: part.name ?? "file", file_data: dataUrl(part) } }
    : { type: "input_audio", input_audio: { data: Encoding.encodeBase64(part.bytes), format } }
}

/** A hash gives the same id in the call and in its result, in this request and in later ones. */
const toolCallId = (id: string, { capabilities }: Service): string =>
  capabilities.toolCallIds === "any" || /^[A-Za-z0-9]{9}$/.test(id) ? id : sha256Hex(id).slice(0, 9)

const encodeToolCall = (call: Message.ToolCall, service: Receiver): Json.JsonObject =>
  service.into(
    Json.defined({
      id: toolCallId(call.id, service),
      type: "function",
      function: {
        name: call.name,
        arguments: call.incomplete === true ? String(call.arguments) : JSON.stringify(call.arguments) ?? ""
      },
      extra_content: service.capabilities.thoughtSignatures && call.signature !== undefined
        ? { google: { thought_signature: call.signature } }
        : undefined
    }),
    call
  )

/** The text of a turn: one text, or a list if a part has raw fields. */
const encodeText = ({ content }: Message.AssistantMessage, { into }: Receiver): unknown => {
  // Only OpenAI has a field for refusals; all take text.
  const said = content.filter((part) => part._tag === "Text" || part._tag === "Refusal")
  const text = said.map(({ text }) => text).join("")
  if (text === "") return null
  return said.some(({ providerOptions }) => providerOptions !== undefined)
    ? said.map((part) => into({ type: "text", text: part.text }, part))
    : text
}

/** The facts about a conversation that its turns depend on. */
interface Conversation {
  /** Whether it has tools, or has had. */
  readonly hasTools: boolean
  /** The ids of the calls that have a result. */
  readonly results: ReadonlySet<string>
}

const conversationOf = ({ messages, tools = [] }: LlmRequest): Conversation => ({
  hasTools: tools.length > 0 || messages.some(({ content }) => content.some((part) => part._tag === "ToolCall")),
  results: new Set(messages.flatMap((message) => message.role === "tool" ? message.content.map(({ id }) => id) : []))
})

/** The reasoning that goes back to this provider. The reasoning of others is never sent. */
const encodeReasoning = (
  message: Message.AssistantMessage,
  callsTools: boolean,
  hasTools: boolean,
  { capabilities, name }: Service
): Json.JsonObject => {
  const parts = message.content.filter((part) => part._tag === "Reasoning").filter((part) => part.provider === name)
  const text = parts.map((part) => part.text ?? "").join("")
  switch (capabilities.reasoningEcho) {
    case "none":
      return {}
    case "reasoning_content":
      // The service requires the field of a turn that calls tools even if there was no reasoning.
      return callsTools || (hasTools && text !== "") ? { reasoning_content: text } : {}
    case "reasoning_details": {
      const details = parts.flatMap((part) => Json.array(Json.parse(part.encrypted ?? "")))
      return details.length > 0 ? { reasoning_details: details } : text === "" ? {} : { reasoning: text }
    }
  }
}

const encodeAssistant = (
  message: Message.AssistantMessage,
  { hasTools, results }: Conversation,
  service: Receiver
): ReadonlyArray<Json.JsonObject> => {
  // A cut call without a result is half a call: services refuse its arguments, and miss its result.
  const calls = message.content.filter((part) => part._tag === "ToolCall")
    .filter((call) => call.incomplete !== true || results.has(call.id))
  const content = encodeText(message, service)
  const fields = Object.fromEntries(
    message.content.flatMap((part) => part._tag === "Opaque" ? [[part.kind, part.json]] : [])
  )
  // An empty turn is refused, even with reasoning.
  if (content === null && calls.length === 0 && Object.keys(fields).length === 0) return []
  return [Json.defined({
    role: "assistant",
    content,
    ...encodeReasoning(message, calls.length > 0, hasTools, service),
    tool_calls: calls.length === 0 ? undefined : calls.map((call) => encodeToolCall(call, service)),
    ...fields
  })]
}

const encodeUser = (message: Message.UserMessage, { into, marked }: Receiver): Json.JsonObject | Reason => {
  const { parts } = CachePoints.pointed(message)
  const isPlain = parts.every(({ part, point }) =>
    part._tag === "Text" && part.providerOptions === undefined && point === undefined
  )
  // Not every service takes a list of parts.
  if (isPlain) return { role: "user", content: Message.text(message) }
  const content: Array<Json.JsonObject> = []
  for (const { part, point } of parts) {
    const encoded = encodeUserPart(part)
    if (isReason(encoded)) return encoded
    content.push(into(point === undefined ? encoded : marked(encoded, point), part))
  }
  return { role: "user", content }
}

const encodeSystem = (message: Message.SystemMessage, { capabilities, into }: Receiver): Json.JsonObject => ({
  role: capabilities.systemRole,
  content: message.content.some(({ providerOptions }) => providerOptions !== undefined)
    ? message.content.map((part) => into({ type: "text", text: part.text }, part))
    : Message.text(message)
})

const encodeTurn = (
  message: Message.Message,
  conversation: Conversation,
  service: Receiver
): ReadonlyArray<Json.JsonObject | Reason> => {
  switch (message.role) {
    case "system":
      return [encodeSystem(message, service)]
    case "user":
      return [encodeUser(message, service)]
    case "assistant":
      return encodeAssistant(message, conversation, service)
    case "tool":
      return message.content.map((part) => {
        const parts = ToolResults.hasMedia(part) ? ToolResults.piecesOf(part).map(encodeUserPart) : []
        return parts.find(isReason) ?? service.into({
          role: "tool",
          tool_call_id: toolCallId(part.id, service),
          content: parts.length === 0 ? ToolResults.textOf(part) : parts
        }, part)
      })
  }
}

/** The messages of a turn: each has the raw fields of the turn. */
const encodeMessage = (
  message: Message.Message,
  conversation: Conversation,
  service: Receiver
): ReadonlyArray<Json.JsonObject | Reason> => {
  const turn = encodeTurn(message, conversation, service)
  return message.providerOptions === undefined
    ? turn
    : turn.map((encoded) => isReason(encoded) ? encoded : service.into(encoded, message))
}

// ---------------------------------------------------------------------------------------------------------------------
// Settings
// ---------------------------------------------------------------------------------------------------------------------

/** The effort that a model takes beside the tools of a request. */
const encodeEffort = (
  { model, reasoningEffort: asked, tools = [] }: LlmRequest,
  facts: Facts.ModelFacts,
  { omitted }: Changes
): Facts.RoundedEffort => {
  const why = `${model} takes it beside tools in Responses only (OpenAi.layer)`
  // A router, whose names have an owner, asks in its own way.
  const isFree = tools.length === 0 || model.includes("/") || omitted.has("reasoningEffort")
  switch (isFree ? undefined : facts.chatTools) {
    case "withoutReasoning":
      // Without the field there would be a default effort, which is refused.
      return { effort: "none", ...(asked !== "none" && { warning: Unsent.sentAs("reasoningEffort", "none", why) }) }
    case "withoutEffort":
      return {
        effort: undefined,
        ...(asked !== undefined && asked !== "none" && { warning: Unsent.notSent("reasoningEffort", why) })
      }
    case undefined:
      return Facts.roundEffort(model, facts, asked)
  }
}

/** The settings that the model and the service take, and warnings about the others. */
const encodeSettings = (request: LlmRequest, { capabilities, factsOf, name }: Service, changes: Changes) => {
  const { model } = request
  const facts = factsOf(model)
  const { effort, warning } = encodeEffort(request, facts, changes)
  const warnings: Array<string> = []
  const take = Unsent.taker(warnings)
  const samples = Facts.samples(facts, Facts.reasons(facts, effort))
  const takesZero = facts.defaultTemperature !== "service" && !changes.omitted.has("temperature") &&
    (samples ?? (facts.reasoning === undefined && capabilities.sampling === "everyModel"))
  const mayReason = facts.reasoning !== undefined && facts.reasoning !== "never"
  const maxTokensField = changes.maxTokensField ?? (mayReason ? "max_completion_tokens" : capabilities.maxTokensField)
  const fields = {
    temperature: take("temperature", request.temperature, samples !== false, model) ?? (takesZero ? 0 : undefined),
    top_p: take("topP", request.topP, samples !== false, model),
    top_k: take("topK", request.topK, capabilities.topK, name),
    [maxTokensField]: request.maxTokens,
    stop: take("stop", request.stop, facts.stop !== false, model),
    [capabilities.seedField]: request.seed,
    reasoning_effort: effort,
    user: take("user", request.user, capabilities.user, name)
  }
  return { facts, fields, warnings: warning === undefined ? warnings : [...warnings, warning] }
}

const encodeToolChoice = (request: LlmRequest, { requiredToolChoice }: Capabilities): unknown => {
  const { toolChoice: choice } = request
  if (typeof choice === "object") {
    return ProviderTools.chosen(request)?.choice ?? { type: "function", function: { name: choice.tool } }
  }
  return choice === "required" ? requiredToolChoice : choice
}

const encodeOutput = (
  { outputFormat, outputSchema: output }: LlmRequest,
  { jsonMode, outputSchema }: Capabilities
): unknown => {
  if (output === undefined) return outputFormat !== undefined && jsonMode ? { type: "json_object" } : undefined
  if (outputSchema === "instructions") return undefined
  if (outputSchema === "json_object") return { type: "json_object" }
  const { description, name, schema, strict = true } = output
  return { type: "json_schema", json_schema: Json.defined({ name, description, schema, strict }) }
}

// ---------------------------------------------------------------------------------------------------------------------
// The request
// ---------------------------------------------------------------------------------------------------------------------

/** The body of a request. `providerOptions` win over all other fields. */
export const encode = (request: LlmRequest, service: Service, streaming: boolean, changes: Changes): Encoded => {
  const { capabilities, name } = service
  const { facts, fields, warnings: refused } = encodeSettings(request, service, changes)
  const raw = RawFields.of(request, "openaiChat", name)
  const { outputSchema: output, tools = [] } = request
  const hasTools = tools.length + Json.array(raw.tools).length > 0
  const portable = Portable.encode(request, service, facts, hasTools)
  const warnings = [...refused, ...portable.warnings]
  const instructions = request.system === undefined ? [] : [request.system]
  if (output !== undefined && capabilities.outputSchema !== "json_schema") {
    instructions.push(`Answer with JSON that fits this JSON Schema, and nothing else: ${JSON.stringify(output.schema)}`)
    warnings.push(Unsent.sentAs("outputSchema", "instructions", `${name} does not enforce it`))
  }
  if (output === undefined && request.outputFormat !== undefined && !capabilities.jsonMode) {
    warnings.push(Unsent.notTaken("outputFormat", name))
  }
  const system = instructions.length === 0
    ? []
    : [{ role: capabilities.systemRole, content: instructions.join("\n\n") }]
  const conversation = conversationOf(request)
  const { messages: textual, warnings: aside } = capabilities.toolResultParts
    ? { messages: request.messages, warnings: [] }
    : ToolResults.aside(request.messages)
  const { messages: sendable, warnings: opaque } = OpaqueBlocks.sendable(
    textual,
    name,
    ({ kind }) => capabilities.messageFields.includes(kind)
  )
  const cache = PromptCache.encode(request, sendable, service, facts, changes)
  for (const warning of [...aside, ...opaque, ...cache.warnings]) warnings.push(warning)
  const into = RawFields.into("openaiChat", name)
  const receiver = { ...service, into, marked: cache.marked }
  const { objects: messages, point } = CachePoints.encodeEach<Json.JsonObject | Reason>(
    cache.messages,
    (message) => encodeMessage(message, conversation, receiver),
    (encoded, point) => isReason(encoded) ? undefined : PromptCache.markedMessage(encoded, point, cache.marked),
    system
  )
  if (point !== undefined) warnings.push(Unsent.notSent("a cache point", "nothing comes before it that it can end"))
  // `undefined` members are not sent.
  const body = RawFields.over({
    model: request.model,
    messages,
    ...fields,
    ...portable.fields,
    ...cache.fields,
    tools: tools.length === 0 ? undefined : tools.map((tool) => {
      const { description, name, parameters, strict } = tool
      return into({ type: "function", function: Json.defined({ name, description, parameters, strict }) }, tool)
    }),
    tool_choice: hasTools ? encodeToolChoice(request, capabilities) : undefined,
    response_format: encodeOutput(request, capabilities),
    stream: streaming || undefined,
    stream_options: streaming && capabilities.streamUsage && changes.withoutUsage !== true
      ? { include_usage: true }
      : undefined
  }, raw)
  return { body, warnings, problem: messages.find(isReason) }
}
