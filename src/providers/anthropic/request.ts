import * as Encoding from "effect/Encoding"
import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CacheControl from "../cacheControl.js"
import * as CachePoints from "../cachePoints.js"
import { type Encoded, isReason } from "../codec.js"
import * as CutCalls from "../cutCalls.js"
import * as Facts from "../modelFacts.js"
import * as OpaqueBlocks from "../opaqueBlocks.js"
import * as ProviderTools from "../providerTools.js"
import * as RawFields from "../rawFields.js"
import type { Changes } from "../settings.js"
import * as Unsent from "../unsent.js"
import * as Models from "./models.js"
import * as Portable from "./portable.js"
import * as Thinking from "./thinking.js"
import * as ToolResults from "./toolResults.js"

/** The service that a request goes to. */
export interface Service {
  readonly name: string
  /** The time for which the service caches the beginning of a prompt. */
  readonly promptCache: "5m" | "1h" | undefined
  /** The version of the protocol: a date. */
  readonly version: string
  readonly factsOf: Facts.FactsOf
}

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

const encodeUserPart = (part: CachePoints.Content): Json.JsonObject | Reason => {
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

/** The receiver of a conversation. */
interface Receiver {
  readonly provider: string
  /** Whether it refuses thoughts without a signature: Claude does, and other models want them back. */
  readonly isClaude: boolean
  readonly into: RawFields.Into
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

/** A turn of the model: the sources after a text are its citations. */
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
    const encoded = encodeAssistantPart(part, receiver).map((block) =>
      part._tag === "Opaque" ? block : receiver.into(block, part)
    )
    text = part._tag === "Text" && encoded.length > 0 ? blocks.length : undefined
    for (const block of encoded) blocks.push(block)
  }
  return blocks
}

/** The content of one side until the other one's turn. */
interface Turn {
  readonly role: "user" | "assistant" | "system"
  readonly content: ReadonlyArray<Json.JsonObject>
  /** The raw fields of its messages. */
  readonly raw?: Json.JsonObject | undefined
}

const encodeContent = (message: Message.Message, receiver: Receiver): Turn | Reason => {
  switch (message.role) {
    case "system":
      return { role: "system", content: [{ type: "text", text: Message.text(message) }] }
    case "user": {
      const content: Array<Json.JsonObject> = []
      for (const { part, point } of CachePoints.pointed(message).parts) {
        const block = encodeUserPart(part)
        if (isReason(block)) return block
        content.push(receiver.into(point === undefined ? block : CacheControl.marked(block, point), part))
      }
      return { role: "user", content }
    }
    case "assistant":
      return { role: "assistant", content: encodeAssistant(message.content, receiver) }
    case "tool": {
      const content: Array<Json.JsonObject> = []
      for (const part of message.content) {
        const block = ToolResults.encode(part, (piece) => {
          const encoded = encodeUserPart(piece)
          return isReason(encoded) ? encoded : receiver.into(encoded, piece)
        })
        if (isReason(block)) return block
        content.push(receiver.into(block, part))
      }
      return { role: "user", content }
    }
  }
}

const encodeMessage = (message: Message.Message, receiver: Receiver): Turn | Reason => {
  const turn = encodeContent(message, receiver)
  return isReason(turn) || message.providerOptions === undefined
    ? turn
    : { ...turn, raw: receiver.into({}, message) }
}

/** The turn with a mark on its last block that can end a cached prefix; `undefined` if there is none. */
const markedTurn = (turn: Turn, point: Message.CachePoint): Turn | undefined => {
  const content = turn.role === "system" ? undefined : CacheControl.markedLast(turn.content, point)
  return content && { ...turn, content }
}

interface Conversation {
  readonly turns: ReadonlyArray<Turn>
  /** The point before all turns: it ends the instructions, or the tools. */
  readonly point: Message.CachePoint | undefined
  readonly problem: Reason | undefined
}

const encodeMessages = (messages: ReadonlyArray<Message.Message>, receiver: Receiver): Conversation => {
  const { objects, point } = CachePoints.encodeEach<Turn | Reason>(
    messages,
    (message) => [encodeMessage(message, receiver)],
    (turn, point) => isReason(turn) ? undefined : markedTurn(turn, point)
  )
  const turns = objects.flatMap((turn) => isReason(turn) || turn.content.length === 0 ? [] : [turn])
  return { turns, point, problem: objects.find(isReason) }
}

/** The role and the raw fields of two turns as one. */
const join = ({ raw }: Turn, after: Turn): Turn =>
  raw === undefined ? after : { ...after, raw: { ...raw, ...after.raw } }

/** The sides take turns: the results of a turn's tools and the user's next message are one turn. */
const joinTurns = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> => {
  const joined: Array<Turn> = []
  for (const turn of turns) {
    if (turn.content.length === 0) continue
    const last = joined.at(-1)
    if (last?.role !== turn.role) joined.push(turn)
    else joined[joined.length - 1] = { ...join(last, turn), content: [...last.content, ...turn.content] }
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
  let waiting: Array<Turn> = []
  let isMoved = false
  const place = (): void => {
    if (waiting.length === 0 || placed.at(-1)?.role !== "user") return
    const text = waiting.map(textOf).join("\n\n")
    placed.push({ ...waiting.reduce(join), content: [{ type: "text", text }] })
    waiting = []
  }
  for (const turn of turns.slice(instructions.length)) {
    if (turn.role === "system") {
      isMoved ||= placed.at(-1)?.role !== "user"
      waiting.push(turn)
      continue
    }
    if (turn.role === "assistant") place()
    else isMoved ||= waiting.length > 0
    placed.push(turn)
  }
  place()
  return {
    turns: placed,
    instructions: [...instructions, ...waiting].map(textOf),
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
// Settings
// ---------------------------------------------------------------------------------------------------------------------

/** The service requires a limit; a request of this library need not have one. */
const defaultMaxTokens = 4_096

/** From this version on the protocol has no sampling settings. */
const lastSampling = "2026-10-20"

/** The settings that the model takes, and warnings about the others. */
const encodeSettings = (
  request: LlmRequest,
  { factsOf, name, version }: Service,
  raw: Json.JsonObject,
  changes: Changes,
  turns: ReadonlyArray<Turn>
) => {
  const { maxTokens, model } = request
  const facts = factsOf(model)
  const encoded = Thinking.encode(request, facts, turns, name, changes)
  const tier = Portable.serviceTier(request, name)
  const warnings = [...encoded.warnings, ...tier.warnings]
  const take = Unsent.taker(warnings)
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
  take("seed", request.seed, false, model)
  take("verbosity", request.verbosity, false, name)
  const takesZero = samples && facts.sampling !== undefined && facts.defaultTemperature !== "service" &&
    topP === undefined && !changes.omitted.has("temperature")
  // A new Claude may think unasked.
  const mayThink = thinks ||
    (thinking === "by default" && facts.reasoning === undefined && facts.reasoningControl === "effort")
  const room = defaultMaxTokens + (mayThink ? Thinking.thinkingTokens[encoded.room ?? "high"] : 0)
  return {
    warnings,
    facts,
    effort: encoded.effort,
    fields: {
      max_tokens: maxTokens ?? Math.min(room, facts.maxOutputTokens ?? Infinity),
      temperature: temperature === undefined ? takesZero ? 0 : undefined : Math.min(temperature, 1),
      top_p: topP,
      top_k: take("topK", request.topK, samples, by),
      thinking: encoded.thinking,
      service_tier: tier.value
    }
  }
}

const encodeToolChoice = (
  request: LlmRequest,
  { forcedTools = true }: Facts.ModelFacts,
  warnings: Array<string>
): Json.JsonObject | undefined => {
  const { model, toolChoice: choice } = request
  if (choice === undefined) return undefined
  if (Thinking.isForced(request) && !forcedTools) {
    warnings.push(Unsent.sentAs("toolChoice", "auto", `${model} cannot be forced to call a tool`))
    return { type: "auto" }
  }
  if (typeof choice === "object") return ProviderTools.chosen(request)?.choice ?? { type: "tool", name: choice.tool }
  return { type: choice === "required" ? "any" : choice }
}

const encodeTools = ({ tools = [] }: LlmRequest, into: RawFields.Into): ReadonlyArray<Json.JsonObject> =>
  tools.map((tool) => {
    const { description, name, parameters, strict } = tool
    return into(Json.defined({ name, description, input_schema: { type: "object", ...parameters }, strict }), tool)
  })

/**
 * The tools and instructions before a conversation: the service reads tools first, then instructions. A point ends one
 * or the other.
 */
const encodePrefix = (
  instructions: string,
  tools: ReadonlyArray<Json.JsonObject>,
  point: Message.CachePoint | undefined,
  warnings: Array<string>
) => {
  const system = instructions === "" ? undefined : instructions
  if (point === undefined) return { system, tools }
  if (system !== undefined) {
    return { system: [CacheControl.marked({ type: "text", text: system }, point)], tools }
  }
  const marked = CacheControl.markedLast(tools, point)
  if (marked === undefined) warnings.push(Unsent.notSent("a cache point", "nothing comes before it"))
  return { system, tools: marked ?? tools }
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
  const { name } = service
  const raw = RawFields.of(request, "anthropic", name)
  const into = RawFields.into("anthropic", name)
  const { messages: uncut, warnings: cut } = CutCalls.withoutCutCalls(request.messages)
  const { messages: sendable, warnings: unsendable } = OpaqueBlocks.sendable(uncut, name)
  const { automatic, messages, warnings: caching } = CacheControl.encode(request, sendable, service, changes)
  const { outputSchema: output } = request
  const receiver = { provider: name, isClaude: Models.isKnown(request.model), into }
  const { point, problem, turns } = encodeMessages(messages, receiver)
  const placed = service.factsOf(request.model).systemTurns === true ? inPlace(turns) : before(turns)
  const joined = joinTurns(placed.turns)
  const { effort, facts, fields, warnings: refused } = encodeSettings(request, service, raw, changes, joined)
  const warnings = [...refused, ...cut, ...unsendable, ...placed.warnings, ...caching]
  const instructions = [...request.system === undefined ? [] : [request.system], ...placed.instructions].join("\n\n")
  const { system, tools } = encodePrefix(instructions, encodeTools(request, into), point, warnings)
  if (output === undefined && request.outputFormat !== undefined) {
    warnings.push(Unsent.notSent("outputFormat", "Messages has no JSON mode"))
  }
  const outputConfig = Json.defined({ effort, format: output && { type: "json_schema", schema: output.schema } })
  const body = Json.defined(RawFields.over({
    model: request.model,
    ...fields,
    system,
    messages: trimEnd(joined).map(({ raw, ...turn }) => ({ ...turn, ...raw })),
    stop_sequences: request.stop,
    tools: tools.length === 0 ? undefined : tools,
    tool_choice: tools.length + Json.array(raw.tools).length === 0
      ? undefined
      : Portable.parallelCalls(encodeToolChoice(request, facts, warnings), request),
    output_config: Object.keys(outputConfig).length === 0 ? undefined : outputConfig,
    metadata: request.user === undefined ? undefined : { user_id: request.user },
    cache_control: automatic,
    stream: streaming || undefined
  }, raw))
  return { body, warnings, problem }
}
