/**
 * The turns of a conversation and their parts.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { InvalidOption } from "../internal/check.js"
import type { NamedStruct } from "../internal/namedStruct.js"
import { CacheLifetime } from "./promptCaching.js"
import { ProviderOptions } from "./providerOptions.js"

export { ProviderOptions } from "./providerOptions.js"

// ---------------------------------------------------------------------------------------------------------------------
// Parts
// ---------------------------------------------------------------------------------------------------------------------

const nativeFields = Schema.Struct({
  /** The name of the provider that sent them. */
  provider: Schema.String,
  /** The fields, as they came. */
  fields: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})

/**
 * Fields of a provider's block that have no name here. They go back with the block, to that provider only.
 *
 * @since 0.1.0
 * @category parts
 */
export interface Native extends Schema.Schema.Type<typeof nativeFields> {}

/**
 * Fields of a provider's block that have no name here. They go back with the block, to that provider only.
 *
 * @since 0.1.0
 * @category parts
 */
export const Native: NamedStruct<Native, typeof nativeFields.fields> = nativeFields

const native = {
  /** Further fields of the provider's block. Absent if it had none. */
  native: Schema.optional(Native)
}

const options = {
  /**
   * Raw fields for the part's object in the wire format, by the name of the provider or its protocol: they override ours.
   * Default: none.
   */
  providerOptions: Schema.optional(ProviderOptions)
}

const textFields = Schema.TaggedStruct("Text", {
  text: Schema.String,
  /** An opaque token that Gemini puts on a part and wants back with it. */
  signature: Schema.optional(Schema.String),
  /** Whether OpenAI's model wrote it on the way ("commentary") or as its answer ("final_answer"); sent back with it. */
  phase: Schema.optional(Schema.String),
  ...native,
  ...options
})

/**
 * Plain text.
 *
 * @since 0.1.0
 * @category parts
 */
export interface Text extends Schema.Schema.Type<typeof textFields> {}

/**
 * Plain text.
 *
 * @since 0.1.0
 * @category parts
 */
export const Text: NamedStruct<Text, typeof textFields.fields, Text> = textFields

// In this order a `Uint8Array` is encoded to base64 (so that a request can be written as JSON), and both are read.
const Bytes = Schema.Union(Schema.Uint8ArrayFromBase64, Schema.Uint8ArrayFromSelf).annotations({
  description: "bytes, as a Uint8Array or as base64"
})

const detail = {
  /** The detail in which the model looks at it, if the provider offers a choice. Default: the provider's. */
  detail: Schema.optional(Schema.Literal("auto", "low", "high"))
}

const imageUrlFields = Schema.TaggedStruct("Image", {
  url: Schema.NonEmptyString,
  ...detail,
  ...options
})

/**
 * An image, by address.
 *
 * @since 0.1.0
 * @category parts
 */
export interface ImageUrl extends Schema.Schema.Type<typeof imageUrlFields> {}

/**
 * An image, by address.
 *
 * @since 0.1.0
 * @category parts
 */
export const ImageUrl: NamedStruct<ImageUrl, typeof imageUrlFields.fields, ImageUrl> = imageUrlFields

const imageBytesFields = Schema.TaggedStruct("Image", {
  bytes: Bytes,
  /** The media type, as `image/png`. */
  mediaType: Schema.NonEmptyString,
  ...detail,
  ...options
})

/**
 * An image, by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export interface ImageBytes extends Schema.Schema.Type<typeof imageBytesFields> {}

/**
 * An image, by its bytes: as a `Uint8Array` or as base64.
 *
 * @since 0.1.0
 * @category parts
 */
export interface ImageBytesInput extends Schema.Schema.Encoded<typeof imageBytesFields> {}

/**
 * An image, by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export const ImageBytes: NamedStruct<ImageBytes, typeof imageBytesFields.fields, ImageBytesInput> = imageBytesFields

/**
 * An image, by address or by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export type Image = ImageUrl | ImageBytes

/**
 * An image, by address or by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export const Image = Schema.Union(ImageUrl, ImageBytes)

const fileUrlFields = Schema.TaggedStruct("File", {
  url: Schema.NonEmptyString,
  /** The media type, as `application/pdf`. */
  mediaType: Schema.NonEmptyString,
  /** The file's name. */
  name: Schema.optional(Schema.String),
  ...options
})

/**
 * A document, by address.
 *
 * @since 0.1.0
 * @category parts
 */
export interface FileUrl extends Schema.Schema.Type<typeof fileUrlFields> {}

/**
 * A document, by address.
 *
 * @since 0.1.0
 * @category parts
 */
export const FileUrl: NamedStruct<FileUrl, typeof fileUrlFields.fields, FileUrl> = fileUrlFields

const fileBytesFields = Schema.TaggedStruct("File", {
  bytes: Bytes,
  /** The media type, as `application/pdf`. */
  mediaType: Schema.NonEmptyString,
  /** The file's name. */
  name: Schema.optional(Schema.String),
  ...options
})

/**
 * A document, by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export interface FileBytes extends Schema.Schema.Type<typeof fileBytesFields> {}

/**
 * A document, by its bytes: as a `Uint8Array` or as base64.
 *
 * @since 0.1.0
 * @category parts
 */
export interface FileBytesInput extends Schema.Schema.Encoded<typeof fileBytesFields> {}

/**
 * A document, by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export const FileBytes: NamedStruct<FileBytes, typeof fileBytesFields.fields, FileBytesInput> = fileBytesFields

/**
 * A document, by address or by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export type File = FileUrl | FileBytes

/**
 * A document, by address or by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export const File = Schema.Union(FileUrl, FileBytes)

const reasoningFields = Schema.TaggedStruct("Reasoning", {
  text: Schema.optional(Schema.String),
  /** Proves to the provider that the text is unchanged. */
  signature: Schema.optional(Schema.String),
  /** The reasoning itself, readable only by the provider. */
  encrypted: Schema.optional(Schema.String),
  /** The provider's id of the reasoning item. */
  id: Schema.optional(Schema.String),
  /** The name of the provider that made it. */
  provider: Schema.optional(Schema.String),
  /** The provider's account that made it. */
  account: Schema.optional(Schema.String),
  /** The model that made it, as the request named it. */
  model: Schema.optional(Schema.String),
  ...native,
  ...options
})

/**
 * The model's thoughts before its answer. Signature and encrypted content are opaque: they go back unchanged to those who
 * can read them, the `provider`, `account` and `model` that made them. Others are asked without the part, and the answer
 * has a warning.
 *
 * @since 0.1.0
 * @category parts
 */
export interface Reasoning extends Schema.Schema.Type<typeof reasoningFields> {}

/**
 * The model's thoughts before its answer. Signature and encrypted content are opaque: they go back unchanged to those who
 * can read them, the `provider`, `account` and `model` that made them. Others are asked without the part, and the answer
 * has a warning.
 *
 * @since 0.1.0
 * @category parts
 */
export const Reasoning: NamedStruct<Reasoning, typeof reasoningFields.fields, Reasoning> = reasoningFields

const toolCallFields = Schema.TaggedStruct("ToolCall", {
  /** The id of the call, which its result has to name. */
  id: Schema.String,
  /** The name of the tool. */
  name: Schema.String,
  /** The parsed JSON of the arguments; the raw text if the call is `incomplete`. */
  arguments: Schema.Unknown,
  /** The token limit cut the call short: it must not be run. */
  incomplete: Schema.optional(Schema.Boolean),
  /** An opaque token that Gemini puts on a call and wants back with it. */
  signature: Schema.optional(Schema.String),
  ...native,
  ...options
})

/**
 * A model's request to run a tool.
 *
 * @since 0.1.0
 * @category parts
 */
export interface ToolCall extends Schema.Schema.Type<typeof toolCallFields> {}

/**
 * A model's request to run a tool.
 *
 * @since 0.1.0
 * @category parts
 */
export const ToolCall: NamedStruct<ToolCall, typeof toolCallFields.fields, ToolCall> = toolCallFields

/**
 * A part of a tool's result, beside its text or JSON.
 *
 * @since 0.1.0
 * @category parts
 */
export type ToolResultPart = Text | Image | File

/**
 * A part of a tool's result, beside its text or JSON.
 *
 * @since 0.1.0
 * @category parts
 */
export const ToolResultPart = Schema.Union(Text, ...Image.members, ...File.members)

/**
 * A `ToolResultPart` as a program may write it: bytes as a `Uint8Array` or as base64.
 *
 * @since 0.1.0
 * @category parts
 */
export type ToolResultPartInput = typeof ToolResultPart.Encoded

const toolResultFields = Schema.TaggedStruct("ToolResult", {
  /** The id of the call. */
  id: Schema.String,
  /** The name of the tool. */
  name: Schema.optional(Schema.String),
  /** A string is sent as it is, anything else as JSON. An empty one leaves all to the `parts`. */
  result: Schema.Unknown,
  /** Images, files and texts that belong to the result, in this order behind it. Default: none. */
  parts: Schema.optional(Schema.Array(ToolResultPart)),
  /** Whether the tool failed. Default: false. */
  isError: Schema.optional(Schema.Boolean),
  ...options
})

/**
 * The result of a tool call.
 *
 * @since 0.1.0
 * @category parts
 */
export interface ToolResult extends Schema.Schema.Type<typeof toolResultFields> {}

/**
 * A `ToolResult` as a program may write it: bytes as a `Uint8Array` or as base64.
 *
 * @since 0.1.0
 * @category parts
 */
export interface ToolResultInput extends Schema.Schema.Encoded<typeof toolResultFields> {}

/**
 * The result of a tool call. OpenAI's Responses, Anthropic, Gemini from version 3 on, and Mistral take its images and files
 * in the result. In Chat Completions and for Ollama and older Geminis, whose results are texts, they follow in a message of
 * the user, and the answer has a warning. A kind of file that a provider does not take fails with `UnsupportedFeature`, and
 * so does an image in a failed result for Anthropic.
 *
 * @see https://platform.openai.com/docs/guides/function-calling
 * @see https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
 * @see https://ai.google.dev/gemini-api/docs/function-calling
 * @since 0.1.0
 * @category parts
 * @example
 * ```ts
 * import { Message } from "effect-llm"
 *
 * const photograph = (bytes: Uint8Array) =>
 *   Message.toolResults([
 *     { id: "call_1", result: { taken: "at noon" }, parts: [Message.ImageBytes.make({ bytes, mediaType: "image/png" })] }
 *   ])
 * ```
 */
export const ToolResult: NamedStruct<ToolResult, typeof toolResultFields.fields, ToolResultInput> = toolResultFields

const refusalFields = Schema.TaggedStruct("Refusal", { text: Schema.String, ...options })

/**
 * The model's own words for declining to answer.
 *
 * @since 0.1.0
 * @category parts
 */
export interface Refusal extends Schema.Schema.Type<typeof refusalFields> {}

/**
 * The model's own words for declining to answer.
 *
 * @since 0.1.0
 * @category parts
 */
export const Refusal: NamedStruct<Refusal, typeof refusalFields.fields, Refusal> = refusalFields

const spanFields = Schema.Struct({
  /** The first character. */
  start: Schema.NonNegativeInt,
  /** The character after the last one. */
  end: Schema.NonNegativeInt
})

/**
 * A place in a text, in characters, as the provider counts them. Bytes, which Gemini counts, are converted.
 *
 * @since 0.1.0
 * @category parts
 */
export interface Span extends Schema.Schema.Type<typeof spanFields> {}

/**
 * A place in a text, in characters, as the provider counts them. Bytes, which Gemini counts, are converted.
 *
 * @since 0.1.0
 * @category parts
 */
export const Span: NamedStruct<Span, typeof spanFields.fields> = spanFields

const sourceFields = Schema.TaggedStruct("Source", {
  /** The name of the provider that named the source. */
  provider: Schema.String,
  /** The provider's name of its kind, as `url_citation` or `char_location`. */
  kind: Schema.String,
  /** The provider's id of the document, of a file for example. */
  id: Schema.optional(Schema.String),
  /** The address of the document. */
  url: Schema.optional(Schema.String),
  /** The title or the file name of the document. */
  title: Schema.optional(Schema.String),
  /** The words of the document that support the answer. */
  quote: Schema.optional(Schema.String),
  /** The place that it supports in the text of the `Text` part before it. Absent: all of that text, or of the answer. */
  span: Schema.optional(Span),
  /** The source as the provider sent it, in which form it goes back. */
  json: Schema.Unknown
})

/**
 * A source that the answer rests on: a citation of OpenAI or Anthropic, a piece of Gemini's grounding, a search result. It
 * stands behind the `Text` part that it belongs to. It goes back with that text, to the provider that named it; elsewhere
 * only the text goes.
 *
 * @see https://platform.openai.com/docs/guides/tools-web-search#output-and-citations
 * @see https://platform.claude.com/docs/en/build-with-claude/citations
 * @see https://ai.google.dev/gemini-api/docs/google-search
 * @since 0.1.0
 * @category parts
 */
export interface Source extends Schema.Schema.Type<typeof sourceFields> {}

/**
 * A source that the answer rests on: a citation of OpenAI or Anthropic, a piece of Gemini's grounding, a search result. It
 * stands behind the `Text` part that it belongs to. It goes back with that text, to the provider that named it; elsewhere
 * only the text goes.
 *
 * @since 0.1.0
 * @category parts
 */
export const Source: NamedStruct<Source, typeof sourceFields.fields, Source> = sourceFields

const opaqueFields = Schema.TaggedStruct("Opaque", {
  /** The name of the provider that sent it. */
  provider: Schema.String,
  /** The provider's name of its kind, as `web_search_call` or `code_execution_tool_result`. */
  kind: Schema.String,
  /** The block as it came. */
  json: Schema.Unknown,
  /** It came in pieces, and some of them could not be read: it is not whole, and never sent back. Default: false. */
  partial: Schema.optional(Schema.Boolean)
})

/**
 * A block of an answer that no other part covers: the call of a tool that the provider runs, its result, an image. It goes
 * back, equal as JSON and in its place, to the provider that sent it. For any other provider it is left out, with a
 * warning, and so is one that is `partial`.
 *
 * @since 0.1.0
 * @category parts
 * @example
 * ```ts
 * import { Message } from "effect-llm"
 *
 * const search = Message.Opaque.make({
 *   provider: "openai",
 *   kind: "web_search_call",
 *   json: { type: "web_search_call", id: "ws_1", status: "completed" }
 * })
 *
 * search.kind // => "web_search_call"
 * ```
 */
export interface Opaque extends Schema.Schema.Type<typeof opaqueFields> {}

/**
 * A block of an answer that no other part covers: the call of a tool that the provider runs, its result, an image. It goes
 * back, equal as JSON and in its place, to the provider that sent it. For any other provider it is left out, with a
 * warning, and so is one that is `partial`.
 *
 * @since 0.1.0
 * @category parts
 */
export const Opaque: NamedStruct<Opaque, typeof opaqueFields.fields, Opaque> = opaqueFields

const cachePointFields = Schema.TaggedStruct("CachePoint", {
  /** How long the provider keeps it. Default: as `promptCache.lifetime`, or else the provider's. */
  lifetime: Schema.optional(CacheLifetime)
})

/**
 * Marks the end of a prefix that the provider caches: all that comes before it, tools, instructions and earlier turns
 * included. It has no content. At the beginning of a user's message it stands for the end of what comes before the message.
 *
 * It is sent as `cache_control` to Anthropic and to OpenRouter, as `prompt_cache_breakpoint` to OpenAI from GPT-5.6 on, on
 * the last block before it that can have one. Others do without, with a warning. Anthropic takes four, of which the last ones
 * are sent.
 *
 * @see https://platform.claude.com/docs/en/build-with-claude/prompt-caching
 * @see https://developers.openai.com/api/docs/guides/prompt-caching
 * @since 0.1.0
 * @category parts
 * @example
 * ```ts
 * import { LlmClient } from "effect-llm"
 *
 * const ask = (manual: string, question: string) =>
 *   LlmClient.call({
 *     model: "claude-haiku-4-5",
 *     messages: [{
 *       role: "user",
 *       content: [
 *         { _tag: "Text", text: manual },
 *         { _tag: "CachePoint", lifetime: "1h" },
 *         { _tag: "Text", text: question }
 *       ]
 *     }]
 *   })
 * ```
 */
export interface CachePoint extends Schema.Schema.Type<typeof cachePointFields> {}

/**
 * Marks the end of a prefix that the provider caches: all that comes before it, tools, instructions and earlier turns
 * included. It has no content.
 *
 * @since 0.1.0
 * @category parts
 */
export const CachePoint: NamedStruct<CachePoint, typeof cachePointFields.fields, CachePoint> = cachePointFields

/**
 * A part of a model's answer.
 *
 * @since 0.1.0
 * @category parts
 */
export type ResponsePart = Text | Reasoning | ToolCall | Refusal | Source | Opaque

/**
 * A part of a model's answer.
 *
 * @since 0.1.0
 * @category parts
 */
export const ResponsePart = Schema.Union(Text, Reasoning, ToolCall, Refusal, Source, Opaque)

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

const contentOf = <A, I>(part: Schema.Schema<A, I>) =>
  Schema.transform(
    Schema.Union(Schema.String, Schema.Array(part)),
    Schema.typeSchema(Schema.Array(Schema.Union(Text, part))),
    {
      strict: true,
      decode: (content) => typeof content === "string" ? [Text.make({ text: content })] : content,
      encode: (parts) => parts as ReadonlyArray<A>
    }
  )

const notBlank = <A extends ReadonlyArray<{ readonly _tag: string }>, I>(content: Schema.Schema<A, I>) =>
  content.pipe(Schema.filter(
    (parts) =>
      parts.some((part) => part._tag !== "CachePoint") &&
      !parts.some((part) => Schema.is(Text)(part) && part.text.trim() === ""),
    { description: "text that is not empty, or a list of parts" }
  ))

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
