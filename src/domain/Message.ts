/**
 * The turns of a conversation and the parts that they are made of.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

// ---------------------------------------------------------------------------------------------------------------------
// Parts
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Plain text.
 *
 * @since 0.1.0
 * @category parts
 */
export const Text = Schema.TaggedStruct("Text", {
  text: Schema.String,
  /** An opaque token that Gemini puts on a part and wants back with it. */
  signature: Schema.optional(Schema.String),
  /** Whether OpenAI's model said it on its way ("commentary") or as its answer ("final_answer"): goes back with it. */
  phase: Schema.optional(Schema.String)
})

/**
 * @since 0.1.0
 * @category parts
 */
export type Text = typeof Text.Type

// In this order a `Uint8Array` is encoded to base64 (so that a request can be written as JSON), and both are read.
const Bytes = Schema.Union(Schema.Uint8ArrayFromBase64, Schema.Uint8ArrayFromSelf).annotations({
  description: "bytes, as a Uint8Array or as base64"
})

/**
 * An image, by address.
 *
 * @since 0.1.0
 * @category parts
 */
export const ImageUrl = Schema.TaggedStruct("Image", {
  url: Schema.NonEmptyString,
  detail: Schema.optional(Schema.Literal("auto", "low", "high"))
})

/**
 * An image, by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export const ImageBytes = Schema.TaggedStruct("Image", {
  bytes: Bytes,
  mediaType: Schema.NonEmptyString,
  detail: Schema.optional(Schema.Literal("auto", "low", "high"))
})

/**
 * An image, either by address or by its bytes.
 *
 * @since 0.1.0
 * @category parts
 */
export const Image = Schema.Union(ImageUrl, ImageBytes)

/**
 * @since 0.1.0
 * @category parts
 */
export type Image = typeof Image.Type

/**
 * A document, either by address or by its bytes. `name` is its file name.
 *
 * @since 0.1.0
 * @category parts
 */
export const File = Schema.Union(
  Schema.TaggedStruct("File", {
    url: Schema.NonEmptyString,
    mediaType: Schema.NonEmptyString,
    name: Schema.optional(Schema.String)
  }),
  Schema.TaggedStruct("File", {
    bytes: Bytes,
    mediaType: Schema.NonEmptyString,
    name: Schema.optional(Schema.String)
  })
)

/**
 * @since 0.1.0
 * @category parts
 */
export type File = typeof File.Type

/**
 * What a model thought before it answered. The signature and the encrypted content are opaque: they go back unchanged
 * to the provider that made them (named by `provider`), and a reasoning part is dropped for any other provider.
 *
 * @since 0.1.0
 * @category parts
 */
export const Reasoning = Schema.TaggedStruct("Reasoning", {
  text: Schema.optional(Schema.String),
  /** Proves to the provider that the text is unchanged. */
  signature: Schema.optional(Schema.String),
  /** The reasoning itself, readable by the provider only. */
  encrypted: Schema.optional(Schema.String),
  /** The provider's id of the reasoning item. */
  id: Schema.optional(Schema.String),
  /** The name of the provider that made it. */
  provider: Schema.optional(Schema.String)
})

/**
 * @since 0.1.0
 * @category parts
 */
export type Reasoning = typeof Reasoning.Type

/**
 * A model asks for a tool to be run. `arguments` is the parsed JSON. Where the token limit cut the call short,
 * `incomplete` is true and `arguments` is the raw text: such a call must not be run.
 *
 * @since 0.1.0
 * @category parts
 */
export const ToolCall = Schema.TaggedStruct("ToolCall", {
  id: Schema.String,
  name: Schema.String,
  arguments: Schema.Unknown,
  incomplete: Schema.optional(Schema.Boolean),
  /** An opaque token that Gemini puts on a call and wants back with it. */
  signature: Schema.optional(Schema.String)
})

/**
 * @since 0.1.0
 * @category parts
 */
export type ToolCall = typeof ToolCall.Type

/**
 * What a tool gave back for the call `id`. A `result` that is not a string is sent as JSON.
 *
 * @since 0.1.0
 * @category parts
 */
export const ToolResult = Schema.TaggedStruct("ToolResult", {
  id: Schema.String,
  name: Schema.optional(Schema.String),
  result: Schema.Unknown,
  isError: Schema.optional(Schema.Boolean)
})

/**
 * @since 0.1.0
 * @category parts
 */
export type ToolResult = typeof ToolResult.Type

/**
 * The model declined to answer, in its own words.
 *
 * @since 0.1.0
 * @category parts
 */
export const Refusal = Schema.TaggedStruct("Refusal", { text: Schema.String })

/**
 * @since 0.1.0
 * @category parts
 */
export type Refusal = typeof Refusal.Type

/**
 * What a model can answer with.
 *
 * @since 0.1.0
 * @category parts
 */
export const ResponsePart = Schema.Union(Text, Reasoning, ToolCall, Refusal)

/**
 * @since 0.1.0
 * @category parts
 */
export type ResponsePart = typeof ResponsePart.Type

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
    (parts) => parts.length > 0 && !parts.some((part) => Schema.is(Text)(part) && part.text.trim() === ""),
    { description: "text that is not empty, or a list of parts" }
  ))

/**
 * Instructions in the course of a conversation. Instructions that stand before it belong into `LlmRequest.system`.
 *
 * @since 0.1.0
 * @category messages
 */
export const SystemMessage = Schema.Struct({ role: Schema.Literal("system"), content: notBlank(contentOf(Text)) })

/**
 * @since 0.1.0
 * @category messages
 */
export type SystemMessage = typeof SystemMessage.Type

/**
 * What the user says: text, images, files.
 *
 * @since 0.1.0
 * @category messages
 */
export const UserMessage = Schema.Struct({
  role: Schema.Literal("user"),
  content: notBlank(contentOf(Schema.Union(Text, ...Image.members, ...File.members)))
})

/**
 * @since 0.1.0
 * @category messages
 */
export type UserMessage = typeof UserMessage.Type

/**
 * What the model said in an earlier turn.
 *
 * @since 0.1.0
 * @category messages
 */
export const AssistantMessage = Schema.Struct({ role: Schema.Literal("assistant"), content: contentOf(ResponsePart) })

/**
 * @since 0.1.0
 * @category messages
 */
export type AssistantMessage = typeof AssistantMessage.Type

/**
 * What the tools gave back for the calls of the assistant's turn before it.
 *
 * @since 0.1.0
 * @category messages
 */
export const ToolMessage = Schema.Struct({
  role: Schema.Literal("tool"),
  content: Schema.NonEmptyArray(ToolResult).annotations({ description: "a list of at least one tool result" })
})

/**
 * @since 0.1.0
 * @category messages
 */
export type ToolMessage = typeof ToolMessage.Type

/**
 * One turn of a conversation. `content` may be given as a string: it becomes one `Text` part.
 *
 * @since 0.1.0
 * @category messages
 */
export const Message = Schema.Union(SystemMessage, UserMessage, AssistantMessage, ToolMessage)

/**
 * @since 0.1.0
 * @category messages
 */
export type Message = typeof Message.Type

/**
 * A message as a program may write it: `content` as a string or as parts, bytes as a `Uint8Array` or as base64.
 *
 * @since 0.1.0
 * @category messages
 */
export type Input = typeof Message.Encoded

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
