import type { Message, Text } from "./Message.js"
import * as Rules from "./requestRules.js"

/** The fields of a request that consists of texts and numbers. */
export interface Fields {
  readonly model: string
  readonly messages: readonly [Message, ...ReadonlyArray<Message>]
  readonly system?: string
  readonly temperature?: number
  readonly maxTokens?: number
  readonly topP?: number
  readonly topK?: number
  readonly seed?: number
  readonly user?: string
}

const textRules = new Map<string, Rules.Rule<string>>(Object.entries(Rules.texts))
const numberRules = new Map<string, Rules.Rule<number>>(Object.entries(Rules.numbers))

/** Whether a field is a text or a number, and meets its rule. */
const isSetting = (field: string, value: unknown): boolean =>
  typeof value === "string"
    ? textRules.get(field)?.is(value) === true
    : typeof value === "number" && numberRules.get(field)?.is(value) === true

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null

const hasOnly = (value: object, first: string, second: string): boolean => {
  for (const field in value) if (field !== first && field !== second) return false
  return true
}

const text = (value: string): Text => ({ _tag: "Text", text: value })

const isPlainText = (part: unknown): part is Text =>
  isRecord(part) && part._tag === "Text" && typeof part.text === "string" && hasOnly(part, "_tag", "text")

const contentOf = (content: unknown, mayBeBlank: boolean): ReadonlyArray<Text> | undefined => {
  if (typeof content === "string") return mayBeBlank || !Rules.isBlank(content) ? [text(content)] : undefined
  if (!Array.isArray(content) || !content.every(isPlainText)) return undefined
  return mayBeBlank || (content.length > 0 && !content.some((part) => Rules.isBlank(part.text)))
    ? content.map((part) => text(part.text))
    : undefined
}

const messageOf = (message: unknown): Message | undefined => {
  if (!isRecord(message) || !hasOnly(message, "role", "content")) return undefined
  const { content, role } = message
  if (role !== "user" && role !== "assistant" && role !== "system") return undefined
  const parts = contentOf(content, role === "assistant")
  return parts && { role, content: parts }
}

const messagesOf = (messages: unknown): Fields["messages"] | undefined => {
  if (!Array.isArray(messages)) return undefined
  const read: Array<Message> = []
  for (const message of messages) {
    const one = messageOf(message)
    if (one === undefined) return undefined
    read.push(one)
  }
  const [first, ...others] = read
  return first && [first, ...others]
}

/**
 * Reads a request of texts and numbers, without tools and the like, as its schema does, in a tenth of the time. Gives
 * `undefined` for any other request, right or wrong: the schema reads those.
 */
export const read = (fields: { readonly [field: string]: unknown }): Fields | undefined => {
  const { messages, model, ...others } = fields
  if (typeof model !== "string" || !isSetting("model", model)) return undefined
  for (const field in others) if (!isSetting(field, others[field])) return undefined
  const read = messagesOf(messages)
  return read && { ...others, model, messages: read }
}
