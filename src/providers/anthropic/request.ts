import * as Encoding from "effect/Encoding"
import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest, ReasoningEffort } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import type { Encoded } from "../codec.js"
import * as CutCalls from "../cutCalls.js"
import * as Facts from "../modelFacts.js"
import * as OpaqueBlocks from "../opaqueBlocks.js"
import * as RawFields from "../rawFields.js"
import type { Changes } from "../settings.js"
import * as Models from "./models.js"
import * as ToolResults from "./toolResults.js"

/** The service that a request goes to. */
export interface Service {
  readonly name: string
  /** How long the service caches the beginning of a prompt. */
  readonly promptCache: "5m" | "1h" | undefined
  /** The version of the protocol: a date. */
  readonly version: string
  readonly factsOf: Facts.FactsOf
}

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

const encodeUserPart = (part: Message.UserMessage["content"][number]): Json.JsonObject | Reason => {
  if (part._tag === "Text") return { type: "text", text: part.text }
  const source = "url" in part
    ? { type: "url", url: part.url }
    : { type: "base64", media_type: part.mediaType, data: Encoding.encodeBase64(part.bytes) }
  if (part._tag === "Image") return { type: "image", source }
  const document = (source: Json.JsonObject) => Json.defined({ type: "document", source, title: part.name })
  if (part.mediaType === "application/pdf") return document(source)
  return part.mediaType.startsWith("text/") && "bytes" in part
    ? document({ type: "text", media_type: "text/plain", data: new TextDecoder().decode(part.bytes) })
    : UnsupportedFeature.make({
      feature: `files of type ${part.mediaType}`,
      message: "Messages takes PDF by address or bytes, and text by bytes"
    })
}

/** The fields of a block that are not read, on their way back. */
const nativeFields = (
  { native }: { readonly native?: Message.Native | undefined },
  provider: string
): Json.JsonObject => native?.provider === provider ? native.fields : {}

/** The one who gets a conversation. */
interface Receiver {
  readonly provider: string
  /** Whether it refuses thoughts without a signature: Claude does, and other models want them back. */
  readonly isClaude: boolean
}

const encodeReasoning = (
  part: Message.Reasoning,
  { isClaude, provider }: Receiver
): ReadonlyArray<Json.JsonObject> => {
  // The service refuses the reasoning of other services.
  if (part.provider !== provider) return []
  const native = nativeFields(part, provider)
  if (part.encrypted !== undefined) return [{ type: "redacted_thinking", data: part.encrypted, ...native }]
  const { signature, text: thinking = "" } = part
  if (signature === undefined && (isClaude || thinking === "")) return []
  return [Json.defined({ type: "thinking", thinking, signature, ...native })]
}

const encodeAssistantPart = (
  part: Exclude<Message.ResponsePart, Message.Source>,
  receiver: Receiver
): ReadonlyArray<Json.JsonObject> => {
  const { provider } = receiver
  switch (part._tag) {
    // An empty block of text is an error, as is one of white space.
    case "Text":
      return part.text.trim() === "" ? [] : [{ type: "text", text: part.text, ...nativeFields(part, provider) }]
    case "Refusal":
      return part.text.trim() === "" ? [] : [{ type: "text", text: part.text }]
    case "ToolCall":
      return [{
        type: "tool_use",
        id: part.id,
        name: part.name,
        input: Json.object(part.arguments),
        ...nativeFields(part, provider)
      }]
    case "Reasoning":
      return encodeReasoning(part, receiver)
    case "Opaque":
      return [Json.object(part.json)]
  }
}

/** A turn of the model: the sources behind a text are its citations. */
const encodeAssistant = (
  content: Message.AssistantMessage["content"],
  receiver: Receiver
): ReadonlyArray<Json.JsonObject> => {
  const blocks: Array<Json.JsonObject> = []
  /** The place of the text that the next source belongs to. */
  let text: number | undefined
  for (const part of content) {
    if (part._tag === "Source") {
      const cited = text === undefined ? undefined : blocks[text]
      if (text === undefined || cited === undefined || part.provider !== receiver.provider) continue
      blocks[text] = { ...cited, citations: [...Json.array(cited.citations), part.json] }
      continue
    }
    const encoded = encodeAssistantPart(part, receiver)
    text = part._tag === "Text" && encoded.length > 0 ? blocks.length : undefined
    for (const block of encoded) blocks.push(block)
  }
  return blocks
}

/** All that one side says until the other one does. */
interface Turn {
  readonly role: "user" | "assistant" | "system"
  readonly content: ReadonlyArray<Json.JsonObject>
}

const encodeMessage = (message: Message.Message, receiver: Receiver): Turn | Reason => {
  switch (message.role) {
    case "system":
      return { role: "system", content: [{ type: "text", text: Message.text(message) }] }
    case "user": {
      const content = message.content.map(encodeUserPart)
      return content.find(isReason) ??
        { role: "user", content: content.flatMap((part) => isReason(part) ? [] : [part]) }
    }
    case "assistant":
      return { role: "assistant", content: encodeAssistant(message.content, receiver) }
    case "tool": {
      const content = message.content.map((part) => ToolResults.encode(part, encodeUserPart))
      return content.find(isReason) ??
        { role: "user", content: content.flatMap((part) => isReason(part) ? [] : [part]) }
    }
  }
}

const isReason = (value: Json.JsonObject | Turn | Reason): value is Reason => "_tag" in value

/** The sides take turns: the results of a turn's tools and the user's next message are one turn. */
const joinTurns = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> => {
  const joined: Array<Turn> = []
  for (const turn of turns) {
    if (turn.content.length === 0) continue
    const last = joined.at(-1)
    if (last?.role === turn.role) joined[joined.length - 1] = { ...turn, content: [...last.content, ...turn.content] }
    else joined.push(turn)
  }
  return joined
}

/** The turns of a conversation, and the instructions that stand before it. */
interface Placed {
  readonly turns: ReadonlyArray<Turn>
  readonly instructions: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
}

const textOf = ({ content }: Turn): string => content.map(({ text }) => String(text)).join("\n\n")

const before = (turns: ReadonlyArray<Turn>): Placed => {
  const instructions = turns.flatMap((turn) => turn.role === "system" ? [textOf(turn)] : [])
  const isFirst = instructions.length === 0 || (instructions.length === 1 && turns[0]?.role === "system")
  return {
    turns: turns.filter(({ role }) => role !== "system"),
    instructions,
    warnings: isFirst ? [] : ["system messages in the course of the conversation were sent before it"]
  }
}

/**
 * Instructions in their place, so that what comes before them stays the same from request to request: thoughts and prompt
 * caches depend on it. They follow a turn of the user, one at a time, before the model's next turn.
 *
 * @see https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
 */
const inPlace = (turns: ReadonlyArray<Turn>): Placed => {
  const first = turns.findIndex(({ role }) => role !== "system")
  const instructions = turns.slice(0, first === -1 ? turns.length : first)
  const placed: Array<Turn> = []
  let waiting: Array<string> = []
  let isMoved = false
  const place = (): void => {
    if (waiting.length === 0 || placed.at(-1)?.role !== "user") return
    placed.push({ role: "system", content: [{ type: "text", text: waiting.join("\n\n") }] })
    waiting = []
  }
  for (const turn of turns.slice(instructions.length)) {
    if (turn.role === "system") {
      isMoved ||= placed.at(-1)?.role !== "user"
      waiting.push(textOf(turn))
      continue
    }
    if (turn.role === "assistant") place()
    else isMoved ||= waiting.length > 0
    placed.push(turn)
  }
  place()
  return {
    turns: placed,
    instructions: [...instructions.map(textOf), ...waiting],
    warnings: isMoved ? ["a system message was sent behind the user's turn that follows it"] : []
  }
}

/** A conversation that ends with the model's words is continued: the service refuses those that end in a blank. */
const trimEnd = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> => {
  const last = turns.at(-1)
  const block = last?.content.at(-1)
  if (last?.role !== "assistant" || block?.type !== "text" || typeof block.text !== "string") return turns
  const trimmed = { ...last, content: [...last.content.slice(0, -1), { ...block, text: block.text.trimEnd() }] }
  return [...turns.slice(0, -1), trimmed]
}

// ---------------------------------------------------------------------------------------------------------------------
// Thinking
// ---------------------------------------------------------------------------------------------------------------------

/** The service requires a limit; a request of this library need not have one. */
const defaultMaxTokens = 4_096

/** How many of the limit's tokens thinking gets, or may take. */
const thinkingTokens: { readonly [Effort in ReasoningEffort]: number } = {
  none: 0,
  minimal: 1_024,
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 20_480,
  max: 24_576
}

/** The fields that set how much a model thinks. */
interface Thinking {
  readonly thinking?: Json.JsonObject
  readonly effort?: ReasoningEffort
  /** What the model does at the effort, by which it gets room. */
  readonly room: ReasoningEffort | undefined
  readonly warning?: string | undefined
}

const isForced = ({ toolChoice }: LlmRequest): boolean => toolChoice === "required" || typeof toolChoice === "object"

/**
 * Whether the model has called tools without a thought, or its thoughts have been left out. A model with a budget for
 * thinking does not go on with such a turn, unless thinking is off.
 */
const lacksThoughts = (turns: ReadonlyArray<Turn>): boolean => {
  const results = turns.findLastIndex(({ role }) => role !== "system")
  if (!turns[results]?.content.some(({ type }) => type === "tool_result")) return false
  const calls = turns[results - 1]?.content[0]?.type
  return calls !== "thinking" && calls !== "redacted_thinking"
}

const encodeThinking = (request: LlmRequest, facts: Facts.ModelFacts): Thinking => {
  const { maxTokens, model, reasoningEffort: asked } = request
  if (asked === "none" && facts.leastReasoning !== undefined) {
    const type = facts.leastReasoning
    const warning = `reasoningEffort was sent as ${type}: ${model} does not take none`
    return { thinking: { type }, room: "low", warning }
  }
  const { effort, warning } = Facts.roundEffort(model, facts, asked)
  if (effort === undefined) return { room: undefined, warning }
  // A model that thinks on request only needs no word against it.
  if (effort === "none") {
    return facts.reasoning === "onRequest" ? { room: "none" } : { thinking: { type: "disabled" }, room: "none" }
  }
  // Thinking and a forced tool exclude each other.
  const thinks = facts.reasoning === "always" || !isForced(request)
  if (facts.reasoningControl === "effort") {
    return { ...(thinks && { thinking: { type: "adaptive" } }), effort, room: effort, warning }
  }
  // Thinking counts against the limit, and must leave room for the answer.
  const budget = Math.min(thinkingTokens[effort], maxTokens === undefined ? Infinity : Math.floor(maxTokens / 2))
  return thinks && budget >= 1_024
    ? { thinking: { type: "enabled", budget_tokens: budget }, room: effort, warning }
    : { room: undefined, warning: `reasoningEffort was not sent: ${model} does not take it` }
}

// ---------------------------------------------------------------------------------------------------------------------
// Settings
// ---------------------------------------------------------------------------------------------------------------------

/** From this version on the protocol has no sampling settings. */
const lastSampling = "2026-10-20"

/** The settings that the model takes, and warnings about the others. */
const encodeSettings = (
  request: LlmRequest,
  { factsOf, version }: Service,
  raw: Json.JsonObject,
  { omitted }: Changes,
  turns: ReadonlyArray<Turn>
) => {
  const { maxTokens, model } = request
  const facts = factsOf(model)
  const warnings: Array<string> = []
  const take = <A>(field: string, value: A | undefined, taken: boolean, by = model): A | undefined => {
    if (value === undefined || taken) return value
    warnings.push(`${field} was not sent: ${by} does not take it`)
    return undefined
  }
  const wanted = encodeThinking(request, facts)
  const isStuck = wanted.thinking?.type === "enabled" && lacksThoughts(turns)
  const encoded: Thinking = isStuck
    ? { room: undefined, warning: "reasoningEffort was not sent: the turn that called the tools has no thoughts" }
    : wanted
  if (encoded.warning !== undefined) warnings.push(encoded.warning)
  const thinking = Json.string(Json.object(raw.thinking ?? encoded.thinking).type) ?? "by default"
  const thinks = thinking === "by default"
    ? facts.reasoning === "always" || facts.reasoning === "byDefault"
    : thinking !== "disabled"
  const isOld = version <= lastSampling
  const samples = !thinks && Facts.samples(facts, thinks) !== false && isOld
  const by = isOld ? model : `version ${version}`
  const temperature = take("temperature", request.temperature, samples, by)
  const both = temperature === undefined || facts.temperatureWithTopP !== false
  const topP = take("topP", request.topP, samples && both, by)
  if (temperature !== undefined && temperature > 1) {
    warnings.push("temperature was sent as 1, the most that this provider takes")
  }
  take("seed", request.seed, false)
  const takesZero = samples && facts.sampling !== undefined && facts.defaultTemperature !== "service" &&
    topP === undefined && !omitted.has("temperature")
  // A new Claude may think unasked.
  const mayThink = thinks ||
    (thinking === "by default" && facts.reasoning === undefined && facts.reasoningControl === "effort")
  const room = defaultMaxTokens + (mayThink ? thinkingTokens[encoded.room ?? "high"] : 0)
  return {
    warnings,
    facts,
    effort: encoded.effort,
    fields: {
      max_tokens: maxTokens ?? Math.min(room, facts.maxOutputTokens ?? Infinity),
      temperature: temperature === undefined ? takesZero ? 0 : undefined : Math.min(temperature, 1),
      top_p: topP,
      top_k: take("topK", request.topK, samples, by),
      thinking: encoded.thinking
    }
  }
}

const encodeToolChoice = (
  request: LlmRequest,
  { forcedTools = true }: Facts.ModelFacts,
  warnings: Array<string>
): unknown => {
  const { model, toolChoice: choice } = request
  if (choice === undefined) return undefined
  if (isForced(request) && !forcedTools) {
    warnings.push(`toolChoice was sent as auto: ${model} cannot be forced to call a tool`)
    return { type: "auto" }
  }
  if (typeof choice === "object") return { type: "tool", name: choice.tool }
  return { type: choice === "required" ? "any" : choice }
}

// ---------------------------------------------------------------------------------------------------------------------
// The request
// ---------------------------------------------------------------------------------------------------------------------

/** The body of a request. `providerOptions` win over all other fields. */
export const encode = (
  request: LlmRequest,
  service: Service,
  streaming: boolean,
  changes: Changes
): Encoded => {
  const { name, promptCache } = service
  const raw = RawFields.of(request, "anthropic", name)
  const { messages: uncut, warnings: cut } = CutCalls.withoutCutCalls(request.messages)
  const { messages, warnings: unsendable } = OpaqueBlocks.sendable(uncut, name)
  const { outputSchema: output, tools = [] } = request
  const receiver = { provider: name, isClaude: Models.isKnown(request.model) }
  const encoded = messages.map((message) => encodeMessage(message, receiver))
  const turns = encoded.flatMap((turn) => isReason(turn) || turn.content.length === 0 ? [] : [turn])
  const placed = service.factsOf(request.model).systemTurns === true ? inPlace(turns) : before(turns)
  const joined = joinTurns(placed.turns)
  const { effort, facts, fields, warnings: refused } = encodeSettings(request, service, raw, changes, joined)
  const warnings = [...refused, ...cut, ...unsendable, ...placed.warnings]
  const system = [...request.system === undefined ? [] : [request.system], ...placed.instructions].join("\n\n")
  if (output === undefined && request.outputFormat !== undefined) {
    warnings.push("outputFormat was not sent: Messages has no JSON mode")
  }
  const outputConfig = Json.defined({ effort, format: output && { type: "json_schema", schema: output.schema } })
  const body = Json.defined(RawFields.over({
    model: request.model,
    ...fields,
    system: system === "" ? undefined : system,
    messages: trimEnd(joined),
    stop_sequences: request.stop,
    tools: tools.length === 0 ?
      undefined :
      tools.map(({ description, name, parameters, strict }) =>
        Json.defined({ name, description, input_schema: { type: "object", ...parameters }, strict })
      ),
    tool_choice: tools.length === 0 ? undefined : encodeToolChoice(request, facts, warnings),
    output_config: Object.keys(outputConfig).length === 0 ? undefined : outputConfig,
    metadata: request.user === undefined ? undefined : { user_id: request.user },
    // On the request itself it marks the last block that can be cached.
    cache_control: promptCache && !changes.omitted.has("promptCache")
      ? { type: "ephemeral", ttl: promptCache }
      : undefined,
    stream: streaming || undefined
  }, raw))
  return { body, warnings, problem: encoded.find(isReason) }
}
