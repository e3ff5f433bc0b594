/**
 * The turns of a conversation and their parts.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { InvalidOption } from "../internal/check.js"
import type { NamedStruct } from "../internal/namedStruct.js"
import { CachePoint, File, Image, ResponsePart, Text, ToolResult } from "./messageParts.js"
import { ProviderOptions } from "./providerOptions.js"

// ---------------------------------------------------------------------------------------------------------------------
// Parts
// ---------------------------------------------------------------------------------------------------------------------

export {
  CachePoint,
  File,
  FileBytes,
  FileUrl,
  Image,
  ImageBytes,
  ImageUrl,
  Native,
  Opaque,
  Reasoning,
  Refusal,
  ResponsePart,
  Source,
  Span,
  Text,
  ToolCall,
  ToolResult,
  ToolResultPart
} from "./messageParts.js"

export type { FileBytesInput, ImageBytesInput, ToolResultInput, ToolResultPartInput } from "./messageParts.js"

export { ProviderOptions } from "./providerOptions.js"

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

const partsOf = <Part>(content: string | ReadonlyArray<Part>): ReadonlyArray<Part | Text> =>
  typeof content === "string" ? [Text.make({ text: content })] : content

const contentOf = <A, I>(part: Schema.Schema<A, I>) =>
  Schema.transform(
    Schema.Union(Schema.String, Schema.Array(part)),
    Schema.typeSchema(Schema.Array(Schema.Union(Text, part))),
    {
      strict: true,
      decode: partsOf,
      encode: (parts) => parts as ReadonlyArray<A>
    }
  )

type Parts = ReadonlyArray<{ readonly _tag: string }>

const somewhat = "text that is not empty, or a list of parts"

const isNotBlank = (parts: Parts): boolean =>
  parts.some((part) => part._tag !== "CachePoint") &&
  !parts.some((part) => Schema.is(Text)(part) && part.text.trim() === "")

const notBlank = <A extends Parts, I>(content: Schema.Schema<A, I>) =>
  content.pipe(Schema.filter(isNotBlank, { description: somewhat }))

/** The parts of a message that may not be blank. */
const partsOfSome = <Part extends Parts[number]>(content: string | ReadonlyArray<Part>): ReadonlyArray<Part | Text> => {
  const parts = partsOf(content)
  if (!isNotBlank(parts)) throw new InvalidOption({ option: "content", expected: somewhat, actual: "blank" })
  return parts
}

const ofMessage = {
  /**
   * Raw fields for the message's object in the wire format, by the name of the provider or its protocol: they override
   * ours. Where a message is several objects there, each has them. Default: none.
   */
  providerOptions: Schema.optional(ProviderOptions)
}

const systemMessageFields = Schema.Struct({
  role: Schema.Literal("system"),
  content: notBlank(contentOf(Text)),
  ...ofMessage
})

/**
 * Instructions in the middle of a conversation. Instructions for all of it belong in `LlmRequest.system`.
 *
 * @since 0.1.0
 * @category messages
 */
export interface SystemMessage extends Schema.Schema.Type<typeof systemMessageFields> {}

/**
 * A `SystemMessage` as a program may write it: `content` as a string or as parts.
 *
 * @since 0.1.0
 * @category messages
 */
export interface SystemMessageInput extends Schema.Schema.Encoded<typeof systemMessageFields> {}

/**
 * Instructions in the middle of a conversation. Instructions for all of it belong in `LlmRequest.system`.
 *
 * @since 0.1.0
 * @category messages
 */
export const SystemMessage: NamedStruct<SystemMessage, typeof systemMessageFields.fields, SystemMessageInput> =
  systemMessageFields

const userMessageFields = Schema.Struct({
  role: Schema.Literal("user"),
  content: notBlank(contentOf(Schema.Union(Text, ...Image.members, ...File.members, CachePoint))),
  ...ofMessage
})

/**
 * A turn of the user: text, images, files, and points up to which the conversation is cached.
 *
 * @since 0.1.0
 * @category messages
 */
export interface UserMessage extends Schema.Schema.Type<typeof userMessageFields> {}

/**
 * A `UserMessage` as a program may write it: `content` as a string or as parts, bytes as a `Uint8Array` or as base64.
 *
 * @since 0.1.0
 * @category messages
 */
export interface UserMessageInput extends Schema.Schema.Encoded<typeof userMessageFields> {}

/**
 * A turn of the user: text, images, files, and points up to which the conversation is cached.
 *
 * @since 0.1.0
 * @category messages
 */
export const UserMessage: NamedStruct<UserMessage, typeof userMessageFields.fields, UserMessageInput> =
  userMessageFields

const assistantMessageFields = Schema.Struct({
  role: Schema.Literal("assistant"),
  content: contentOf(ResponsePart),
  ...ofMessage
})

/**
 * An earlier answer of the model.
 *
 * @since 0.1.0
 * @category messages
 */
export interface AssistantMessage extends Schema.Schema.Type<typeof assistantMessageFields> {}

/**
 * An `AssistantMessage` as a program may write it: `content` as a string or as parts.
 *
 * @since 0.1.0
 * @category messages
 */
export interface AssistantMessageInput extends Schema.Schema.Encoded<typeof assistantMessageFields> {}

/**
 * An earlier answer of the model.
 *
 * @since 0.1.0
 * @category messages
 */
export const AssistantMessage: NamedStruct<
  AssistantMessage,
  typeof assistantMessageFields.fields,
  AssistantMessageInput
> = assistantMessageFields

const toolMessageFields = Schema.Struct({
  role: Schema.Literal("tool"),
  content: Schema.NonEmptyArray(ToolResult).annotations({ description: "a list of at least one tool result" }),
  ...ofMessage
})

/**
 * The results of the tool calls in the assistant's turn before it.
 *
 * @since 0.1.0
 * @category messages
 */
export interface ToolMessage extends Schema.Schema.Type<typeof toolMessageFields> {}

/**
 * A `ToolMessage` as a program writes it.
 *
 * @since 0.1.0
 * @category messages
 */
export interface ToolMessageInput extends Schema.Schema.Encoded<typeof toolMessageFields> {}

/**
 * The results of the tool calls in the assistant's turn before it.
 *
 * @since 0.1.0
 * @category messages
 */
export const ToolMessage: NamedStruct<ToolMessage, typeof toolMessageFields.fields, ToolMessageInput> =
  toolMessageFields

/**
 * One turn of a conversation. Written as a string, `content` becomes one `Text` part.
 *
 * @since 0.1.0
 * @category messages
 */
export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/**
 * One turn of a conversation. Written as a string, `content` becomes one `Text` part.
 *
 * @since 0.1.0
 * @category messages
 */
export const Message = Schema.Union(SystemMessage, UserMessage, AssistantMessage, ToolMessage)

/**
 * A message as a program may write it: `content` as a string or as parts, bytes as a `Uint8Array` or as base64.
 *
 * @since 0.1.0
 * @category messages
 */
export type Input = SystemMessageInput | UserMessageInput | AssistantMessageInput | ToolMessageInput

// ---------------------------------------------------------------------------------------------------------------------
// Constructors
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A turn of the user, from its text or its parts. It throws where the text is blank or there are no parts.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Message } from "effect-llm"
 *
 * const conversation: ReadonlyArray<Message.Message> = [
 *   Message.user("How long is the Elbe?"),
 *   Message.assistant("1,094 kilometers."),
 *   Message.user("And the Oder?")
 * ]
 *
 * const shown = (bytes: Uint8Array) =>
 *   Message.user([
 *     Message.Text.make({ text: "Which river is this?" }),
 *     Message.ImageBytes.make({ bytes, mediaType: "image/png" })
 *   ])
 *
 * conversation.map(Message.text) // => ["How long is the Elbe?", "1,094 kilometers.", "And the Oder?"]
 * ```
 */
export const user = (content: string | UserMessage["content"]): UserMessage =>
  UserMessage.make({ role: "user", content: partsOfSome(content) })

/**
 * An earlier answer of the model, from its text or its parts. That of a response is its `message`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Message } from "effect-llm"
 *
 * Message.assistant("1,094 kilometers.")
 * // => { role: "assistant", content: [{ _tag: "Text", text: "1,094 kilometers." }] }
 * ```
 */
export const assistant = (content: string | AssistantMessage["content"]): AssistantMessage =>
  AssistantMessage.make({ role: "assistant", content: partsOf(content) })

/**
 * Instructions in the middle of a conversation, from their text or its parts. It throws where the text is blank.
 * Instructions for all of a conversation belong in `LlmRequest.system`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { LlmClient, Message } from "effect-llm"
 *
 * const answer = LlmClient.call({
 *   model: "gpt-5-mini",
 *   messages: [
 *     Message.user("How long is the Elbe?"),
 *     Message.assistant("1,094 kilometers."),
 *     Message.system("From now on answer in miles."),
 *     Message.user("And the Oder?")
 *   ]
 * })
 * ```
 */
export const system = (content: string | SystemMessage["content"]): SystemMessage =>
  SystemMessage.make({ role: "system", content: partsOfSome(content) })

/**
 * The message with the results of the calls in the turn before it. It throws where there is none.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient, type LlmRequest, Message } from "effect-llm"
 *
 * const lookUp = (call: Message.ToolCall) => Effect.succeed({ river: call.arguments, kilometers: 1094 })
 *
 * const tools: ReadonlyArray<LlmRequest.Tool> = [{ name: "length", parameters: { type: "object" } }]
 *
 * const program = Effect.gen(function*() {
 *   const messages: Array<Message.Input> = [{ role: "user", content: "How long is the Elbe?" }]
 *   const response = yield* LlmClient.call({ model: "gpt-4o-mini", messages, tools })
 *   const results = yield* Effect.forEach(
 *     response.toolCalls,
 *     (call) => Effect.map(lookUp(call), (result) => ({ id: call.id, result }))
 *   )
 *   messages.push(response.message, Message.toolResults(results))
 *   return yield* LlmClient.call({ model: "gpt-4o-mini", messages, tools })
 * })
 * ```
 */
export const toolResults = (results: ReadonlyArray<Parameters<typeof ToolResult.make>[0]>): ToolMessage => {
  const [first, ...others] = results.map((result) => ToolResult.make(result))
  if (first === undefined) throw new InvalidOption({ option: "results", expected: "at least one", actual: "none" })
  return { role: "tool", content: [first, ...others] }
}

/**
 * The text of a message: its `Text` parts, joined.
 *
 * @since 0.1.0
 * @category accessors
 */
export const text = (message: Message): string => {
  let out = ""
  for (const part of message.content) if (part._tag === "Text") out += part.text
  return out
}
