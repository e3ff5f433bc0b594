import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import * as Json from "../wire/json.js"

// An answer of `@effect/ai` has no place for some parts of ours (citations, blocks of a provider's own tools), nor has a
// message for the seals of reasoning. So the last part of an answer brings the whole answer as metadata, and the options
// of the message that is made of it have all of its parts.

/** The name of our metadata and options. */
export const key = "effectLlm"

/** The metadata of the last part, which brings the answer. */
export const metadataOf = (response: LlmResponse): Response.FinishPartMetadata => ({ [key]: { response } })

/** The options of a message that keep the parts of an answer. */
const optionsOf = ({ parts }: LlmResponse): Prompt.ProviderOptions => ({ [key]: { parts } })

/** The answer behind the parts of an answer. */
export const responseOf = (content: ReadonlyArray<Response.AnyPart>): Option.Option<LlmResponse> =>
  Option.fromNullable(content.findLast((part) => part.type === "finish")?.metadata[key]?.response)

/** The visible content of a part in both forms of an answer. */
interface Shown {
  readonly kind: "text" | "reasoning" | "call"
  /** The text, or the id of the call. */
  readonly text: string
}

const shownOfOurs = (part: Message.ResponsePart): ReadonlyArray<Shown> => {
  switch (part._tag) {
    case "Text":
      return [{ kind: "text", text: part.text }]
    case "Reasoning":
      return [{ kind: "reasoning", text: part.text ?? "" }]
    case "ToolCall":
      return part.incomplete === true ? [] : [{ kind: "call", text: part.id }]
    default:
      return []
  }
}

const shownOfTheirs = (part: Prompt.AssistantMessagePart): ReadonlyArray<Shown> => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return [{ kind: part.type, text: part.text }]
    case "tool-call":
      return [{ kind: "call", text: part.id }]
    default:
      return []
  }
}

/** The same as one text, with neighbouring pieces of one kind joined: a stream does not separate them. */
const outline = (shown: ReadonlyArray<Shown>): string => {
  const pieces: Array<Shown> = []
  for (const piece of shown) {
    const last = pieces.at(-1)
    if (piece.text === "") continue
    if (last === undefined || last.kind !== piece.kind || piece.kind === "call") pieces.push(piece)
    else pieces[pieces.length - 1] = { kind: last.kind, text: last.text + piece.text }
  }
  return JSON.stringify(pieces.map(({ kind, text }) => [kind, text]))
}

const nothing = outline([])

/**
 * Puts the parts of an answer into the message that was made of it, the last one of the assistant from an index on. A
 * message with other content was not made from it.
 */
export const attach = ({ content: messages }: Prompt.Prompt, start: number, response: LlmResponse): Prompt.Prompt => {
  const { parts } = response
  const shown = outline(parts.flatMap(shownOfOurs))
  const index = messages.findLastIndex((message, i) =>
    i >= start && message.role === "assistant" && outline(message.content.flatMap(shownOfTheirs)) === shown
  )
  const message = messages[index]
  const options = { ...message?.options, ...optionsOf(response) }
  if (message?.role === "assistant") return Prompt.fromMessages(messages.with(index, { ...message, options }))
  // An answer without visible content, such as encrypted reasoning, has made no message.
  return parts.length > 0 && shown === nothing
    ? Prompt.fromMessages([...messages, Prompt.assistantMessage({ content: [], options })])
    : Prompt.fromMessages(messages)
}

const decodeParts = Schema.decodeUnknownOption(Schema.Array(Message.ResponsePart))

/** The parts that were kept with a message, unless its visible content has been changed since. */
export const find = ({ content, options }: Prompt.AssistantMessage): Option.Option<
  ReadonlyArray<Message.ResponsePart>
> =>
  Option.filter(
    decodeParts(Json.object(options[key]).parts),
    (parts) => outline(parts.flatMap(shownOfOurs)) === outline(content.flatMap(shownOfTheirs))
  )
