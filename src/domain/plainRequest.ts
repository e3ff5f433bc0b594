import type { Message, Text } from "./Message.js"

/** The fields of a request of texts. */
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

const isBlank = (text: string): boolean => text.trim() === ""

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

const isBetween = (value: unknown, minimum: number, maximum: number): boolean =>
  typeof value === "number" && value >= minimum && value <= maximum

const isPositiveInteger = (value: unknown): boolean => Number.isSafeInteger(value) && isBetween(value, 1, Infinity)

/** What most requests set, and how to see that it is as the schema of a request asks for. */
const settings: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["system", (value: unknown) => typeof value === "string" && !isBlank(value)],
  ["temperature", (value: unknown) => isBetween(value, 0, 2)],
  ["maxTokens", isPositiveInteger],
  ["topP", (value: unknown) => isBetween(value, 0, 1)],
  ["topK", isPositiveInteger],
  ["seed", Number.isSafeInteger],
  ["user", isText]
])

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
  if (typeof content === "string") return mayBeBlank || !isBlank(content) ? [text(content)] : undefined
  if (!Array.isArray(content) || !content.every(isPlainText)) return undefined
  return mayBeBlank || (content.length > 0 && !content.some((part) => isBlank(part.text)))
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
 * Reads the fields of a request of texts, without tools and the like, as the schema of a request does, in a tenth of its
 * time. What is wrong, or not so plain, gives `undefined`: that is for the schema to say.
 */
export const read = (fields: { readonly [field: string]: unknown }): Fields | undefined => {
  const { messages, model, ...others } = fields
  if (typeof model !== "string" || isBlank(model)) return undefined
  for (const name in others) {
    if (settings.get(name)?.(others[name]) !== true) return undefined
  }
  const read = messagesOf(messages)
  return read && { ...others, model, messages: read }
}
