import * as Encoding from "effect/Encoding"
import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CacheControl from "../cacheControl.js"
import * as CachePoints from "../cachePoints.js"
import { isReason } from "../codec.js"
import type * as RawFields from "../rawFields.js"
import * as ToolResults from "./toolResults.js"

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
export interface Receiver {
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
export interface Turn {
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

/** The turns of a conversation, and all that stands before it. */
export interface Conversation {
  readonly turns: ReadonlyArray<Turn>
  readonly instructions: ReadonlyArray<string>
  /** The point before all turns: it ends the instructions, or the tools. */
  readonly point: Message.CachePoint | undefined
  readonly problem: Reason | undefined
  readonly warnings: ReadonlyArray<string>
}

/** Encodes a conversation. `keepsPlaces` is for a model that takes instructions in the course of a conversation. */
export const encode = (
  messages: ReadonlyArray<Message.Message>,
  receiver: Receiver,
  keepsPlaces: boolean
): Conversation => {
  const { objects, point } = CachePoints.encodeEach<Turn | Reason>(
    messages,
    (message) => [encodeMessage(message, receiver)],
    (turn, point) => isReason(turn) ? undefined : markedTurn(turn, point)
  )
  const sent = objects.flatMap((turn) => isReason(turn) || turn.content.length === 0 ? [] : [turn])
  const { turns, ...placed } = keepsPlaces ? inPlace(sent) : before(sent)
  return { ...placed, turns: trimEnd(joinTurns(turns)), point, problem: objects.find(isReason) }
}
