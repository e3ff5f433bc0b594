import type * as Prompt from "@effect/ai/Prompt"
import * as Option from "effect/Option"
import type * as Message from "../domain/Message.js"
import * as KeptParts from "./keptParts.js"
import * as PromptOptions from "./promptOptions.js"

/** A prompt of `@effect/ai` as our conversation. */
export interface Conversation {
  /** Instructions for all of it: those before the first turn. */
  readonly system: string | undefined
  readonly messages: ReadonlyArray<Message.Input>
  /** Parts that were left out. */
  readonly warnings: ReadonlyArray<string>
}

/** Gives the parameters of a tool's call in their encoded form. */
type EncodeParams = (name: string, params: unknown) => unknown

const dataUrl = /^data:([^;,]*)[^,]*;base64,/i

/** Whether a text is an address, and not base64. */
const isAddress = (data: string): boolean => /^(?!data:)[a-z][a-z\d+.-]*:/i.test(data)

const fileOf = (
  { data, fileName, mediaType, options }: Prompt.FilePart
): Message.ImageUrl | Message.ImageBytesInput | Message.FileUrl | Message.FileBytesInput => {
  const text = typeof data === "string" ? data : data instanceof URL ? data.href : undefined
  const isImage = mediaType.startsWith("image/")
  const file = {
    mediaType,
    ...(fileName !== undefined && { name: fileName }),
    ...PromptOptions.documentOf(options)
  }
  if (text !== undefined && isAddress(text)) {
    return isImage
      ? { _tag: "Image", url: text, ...PromptOptions.detailOf(options) }
      : { _tag: "File", url: text, ...file }
  }
  // Any other text holds the bytes, as base64.
  const bytes = data instanceof Uint8Array ? data : (text ?? "").replace(dataUrl, "")
  return isImage
    ? { _tag: "Image", bytes, mediaType, ...PromptOptions.detailOf(options) }
    : { _tag: "File", bytes, ...file }
}

/** The parts of a turn whose own parts are not known. */
const visibleParts = (
  { content }: Prompt.AssistantMessage,
  warn: (warning: string) => void
): ReadonlyArray<Message.ResponsePart> =>
  content.flatMap((part): ReadonlyArray<Message.ResponsePart> => {
    switch (part.type) {
      case "text":
        return part.text === "" ? [] : [{ _tag: "Text", text: part.text }]
      case "reasoning":
        return part.text === "" ? [] : [{ _tag: "Reasoning", text: part.text }]
      case "tool-call":
        if (!part.providerExecuted) {
          return [{ _tag: "ToolCall", id: part.id, name: part.name, arguments: part.params }]
        }
        warn(`a call of ${part.name} was not sent: a provider has run it`)
        return []
      case "tool-result":
        warn(`a result of ${part.name} was not sent: a provider has run it`)
        return []
      case "file":
        warn("a file in a turn of the model was not sent")
        return []
    }
  })

const assistant = (
  message: Prompt.AssistantMessage,
  encodeParams: EncodeParams,
  warn: (warning: string) => void
): ReadonlyArray<Message.Input> => {
  const params = new Map(
    message.content.flatMap((part) => part.type === "tool-call" ? [[part.id, part.params] as const] : [])
  )
  const parts = Option.getOrElse(KeptParts.find(message), () => visibleParts(message, warn)).map((part) =>
    part._tag === "ToolCall" && params.has(part.id)
      ? { ...part, arguments: encodeParams(part.name, params.get(part.id)) }
      : part
  )
  return parts.length === 0 ? [] : [{ role: "assistant", content: parts }]
}

const results = (
  { content }: Prompt.ToolMessage,
  warn: (warning: string) => void
): ReadonlyArray<Message.Input> => {
  const [first, ...others] = content.flatMap(({ id, isFailure, name, providerExecuted, result }) => {
    if (!providerExecuted) {
      return [{ _tag: "ToolResult" as const, id, name, result, ...(isFailure && { isError: true }) }]
    }
    warn(`a result of ${name} was not sent: a provider has run it`)
    return []
  })
  return first === undefined ? [] : [{ role: "tool", content: [first, ...others] }]
}

/** The points up to which the prompt is cached that a message and its parts ask for. */
const pointsOf = (message: Prompt.Message): ReadonlyArray<Message.CachePoint> => {
  const parts: ReadonlyArray<Prompt.Part> = message.role === "system" ? [] : message.content
  return [message, ...parts].flatMap(({ options }) => PromptOptions.cachePoints(options))
}

/** Reads a prompt. */
export const read = ({ content }: Prompt.Prompt, encodeParams: EncodeParams): Conversation => {
  const warnings = new Set<string>()
  const warn = (warning: string): void => {
    warnings.add(warning)
  }
  const start = content.findIndex(({ role }) => role !== "system")
  const turns = start < 0 ? content.length : start
  const instructions = content.slice(0, turns).flatMap((message) => message.role === "system" ? [message.content] : [])
  // A point stands in a turn of the user: at its beginning for the end of what comes before it.
  let points = content.slice(0, turns).flatMap(pointsOf).slice(-1)
  const messages = content.slice(turns).flatMap((message): ReadonlyArray<Message.Input> => {
    const before = points
    points = message.role === "user" ? [] : [...points, ...pointsOf(message)].slice(-1)
    switch (message.role) {
      case "system":
        return message.content.trim() === "" ? [] : [{ role: "system", content: message.content }]
      case "user":
        return [{
          role: "user",
          content: [
            ...before,
            ...message.content.flatMap((part) => [
              part.type === "text" ? { _tag: "Text" as const, text: part.text } : fileOf(part),
              ...PromptOptions.cachePoints(part.options)
            ]),
            ...PromptOptions.cachePoints(message.options)
          ]
        }]
      case "assistant":
        return assistant(message, encodeParams, warn)
      case "tool":
        return results(message, warn)
    }
  })
  if (points.length > 0) warn("a cache point was not sent: no turn of the user comes after it")
  const system = instructions.filter((text) => text.trim() !== "").join("\n\n")
  return { system: system === "" ? undefined : system, messages, warnings: [...warnings] }
}
