import * as Message from "../domain/Message.js"

/** Providers refuse blank texts. */
export const isSendable = (part: Message.ToolResultPart): boolean => part._tag !== "Text" || part.text.trim() !== ""

const isMedia = ({ _tag }: Message.ToolResultPart): boolean => _tag !== "Text"

/** Whether a result has images or files. */
export const hasMedia = ({ parts = [] }: Message.ToolResult): boolean => parts.some(isMedia)

const valueText = ({ result }: Message.ToolResult): string =>
  typeof result === "string" ? result : JSON.stringify(result) ?? ""

/** A result as parts: its text or JSON, and its further parts. */
export const piecesOf = (result: Message.ToolResult): ReadonlyArray<Message.ToolResultPart> =>
  [Message.Text.make({ text: valueText(result) }), ...result.parts ?? []].filter(isSendable)

/** The text of a result without images and files. */
export const textOf = (result: Message.ToolResult): string =>
  result.parts === undefined
    ? valueText(result)
    : piecesOf(result).flatMap((piece) => piece._tag === "Text" ? [piece.text] : []).join("\n\n")

/** A conversation whose results are texts. */
export interface Aside {
  readonly messages: ReadonlyArray<Message.Message>
  readonly warnings: ReadonlyArray<string>
}

/** The warning about results that a protocol does not take whole. */
export const asideWarning = "images and files in tool results were sent behind them, in a turn of the user"

const withoutParts = (result: Message.ToolResult): Message.ToolResult => {
  const { parts: _, ...text } = result
  return valueText(text).trim() === "" ? { ...text, result: "The result is in the next message." } : text
}

/**
 * The parts of a result for a turn of the user. A text names the call, as several may have results, but not the tool,
 * as that would ask for another call.
 */
const asideOf = ({ id, parts = [] }: Message.ToolResult): Message.UserMessage["content"] => [
  Message.Text.make({ text: `From the result of the call ${id}:\n` }),
  ...parts.filter(isSendable)
]

/**
 * Puts images and files of results, with the texts among them, into a turn of the user after all results of the turn:
 * for protocols in which a result is text.
 */
export const aside = (messages: ReadonlyArray<Message.Message>): Aside => {
  const placed: Array<Message.Message> = []
  let waiting: Array<Message.UserMessage["content"][number]> = []
  let isChanged = false
  const place = (): void => {
    if (waiting.length > 0) placed.push({ role: "user", content: waiting })
    waiting = []
  }
  for (const message of messages) {
    if (message.role !== "tool") {
      place()
      placed.push(message)
      continue
    }
    const [first, ...others] = message.content
    const take = (result: Message.ToolResult): Message.ToolResult => {
      if (!hasMedia(result)) return result
      isChanged = true
      waiting = [...waiting, ...asideOf(result)]
      return withoutParts(result)
    }
    placed.push({ role: "tool", content: [take(first), ...others.map(take)] })
  }
  place()
  return isChanged ? { messages: placed, warnings: [asideWarning] } : { messages, warnings: [] }
}
