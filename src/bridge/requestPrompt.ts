import type * as Prompt from "@effect/ai/Prompt"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"
import * as Reasoning from "../domain/reasoning.js"
import * as CachePoints from "../providers/cachePoints.js"
import { withoutCutCalls } from "../providers/cutCalls.js"
import * as OpaqueBlocks from "../providers/opaqueBlocks.js"
import * as ToolResults from "../providers/toolResults.js"
import * as Json from "../wire/json.js"

/** A conversation of ours as a prompt of `@effect/ai`. */
export interface RequestPrompt {
  readonly prompt: ReadonlyArray<Prompt.MessageEncoded>
  /** Parts that were left out. */
  readonly warnings: ReadonlyArray<string>
}

/** The kind of an `Opaque` part with a file that a model has made. */
export const fileKind = "file"

/** The kinds of `Opaque` parts with calls and results of tools that the provider has run. */
export const runKinds = { call: "tool-call", result: "tool-result" } as const

const address = (url: string): URL | string => URL.canParse(url) ? new URL(url) : url

/** The options of a part or message: the raw fields that the program gives it. */
const givenTo = ({ providerOptions }: { readonly providerOptions?: Message.ProviderOptions | undefined }) =>
  providerOptions === undefined ? {} : { options: providerOptions }

const fileOf = (part: Message.Image | Message.File): Prompt.FilePartEncoded => ({
  type: "file",
  mediaType: "mediaType" in part ? part.mediaType : "image/*",
  data: "bytes" in part ? part.bytes : address(part.url),
  ...("name" in part && { fileName: part.name }),
  ...givenTo(part)
})

const userPart = (part: Message.UserMessage["content"][number]): ReadonlyArray<Prompt.UserMessagePartEncoded> => {
  switch (part._tag) {
    case "Text":
      return [{ type: "text", text: part.text, ...givenTo(part) }]
    case "CachePoint":
      return []
    default:
      return [fileOf(part)]
  }
}

/** The options of a part: the metadata that came with it, and the raw fields that the program gives it. */
const optionsOf = (
  metadata: unknown,
  { providerOptions = {} }: { readonly providerOptions?: Message.ProviderOptions | undefined }
): { readonly options?: Prompt.ProviderOptions } => {
  const options = Object.entries({ ...Json.object(metadata), ...providerOptions }).flatMap(([name, fields]) =>
    Json.isObject(fields) ? [[name, fields] as const] : []
  )
  return options.length === 0 ? {} : { options: Object.fromEntries(options) }
}

const nativeOf = (part: Pick<Message.Text, "native" | "providerOptions">, provider: string) =>
  optionsOf(part.native?.provider === provider ? part.native.fields : undefined, part)

/** A part that was kept as it came. */
const keptPart = ({ json, kind }: Message.Opaque): ReadonlyArray<Prompt.AssistantMessagePartEncoded> => {
  const { data, id, isFailure, mediaType, metadata, name, params, result } = Json.object(json)
  if (kind === fileKind) {
    return typeof data === "string" && typeof mediaType === "string" ? [{ type: "file", data, mediaType }] : []
  }
  if (typeof id !== "string" || typeof name !== "string") return []
  const run = { id, name, providerExecuted: true, ...optionsOf(metadata, {}) }
  return [
    kind === runKinds.call
      ? { type: "tool-call", params, ...run }
      : { type: "tool-result", result, isFailure: isFailure === true, ...run }
  ]
}

const assistantPart = (
  part: Message.ResponsePart,
  provider: string
): ReadonlyArray<Prompt.AssistantMessagePartEncoded> => {
  switch (part._tag) {
    case "Text":
      return part.text === "" ? [] : [{ type: "text", text: part.text, ...nativeOf(part, provider) }]
    case "Reasoning":
      return [{ type: "reasoning", text: part.text ?? "", ...optionsOf(Json.parse(part.signature ?? ""), part) }]
    case "ToolCall":
      return [{ type: "tool-call", id: part.id, name: part.name, params: part.arguments, ...nativeOf(part, provider) }]
    case "Refusal":
      return [{ type: "text", text: part.text }]
    case "Opaque":
      return keptPart(part)
    case "Source":
      return []
  }
}

/**
 * Writes the conversation of a request for a reader that can read only some reasoning, and may take back the runs of its
 * own tools.
 */
export const make = (
  { messages, system }: LlmRequest,
  reader: Reasoning.Reader,
  takesRuns: boolean
): RequestPrompt => {
  const readable = Reasoning.readableBy(messages, reader)
  const whole = withoutCutCalls(readable.messages)
  const pointless = CachePoints.without(whole.messages, reader.provider)
  const aside = ToolResults.aside(pointless.messages)
  const sendable = OpaqueBlocks.sendable(
    aside.messages,
    reader.provider,
    ({ kind }) => kind === fileKind || (takesRuns && (kind === runKinds.call || kind === runKinds.result))
  )
  const names = new Map(
    messages.flatMap(({ content }) => content.flatMap((part) => part._tag === "ToolCall" ? [[part.id, part.name]] : []))
  )

  const messageOf = (message: Message.Message): ReadonlyArray<Prompt.MessageEncoded> => {
    switch (message.role) {
      case "system":
        return [{
          role: "system",
          content: message.content.map(({ text }) => text).join("\n"),
          ...givenTo(message)
        }]
      case "user":
        return [{
          role: "user",
          content: message.content.flatMap(userPart),
          ...givenTo(message)
        }]
      case "assistant": {
        const content = message.content.flatMap((part) => assistantPart(part, reader.provider))
        return content.length === 0 ? [] : [{ role: "assistant", content, ...givenTo(message) }]
      }
      case "tool":
        return [{
          role: "tool",
          content: message.content.map((part) => ({
            type: "tool-result" as const,
            id: part.id,
            name: part.name ?? names.get(part.id) ?? "",
            isFailure: part.isError ?? false,
            result: part.parts === undefined ? part.result : ToolResults.textOf(part),
            providerExecuted: false,
            ...givenTo(part)
          })),
          ...givenTo(message)
        }]
    }
  }

  const parts = messages.flatMap(({ content }): ReadonlyArray<Message.Message["content"][number]> => content)
  const hasDetail = parts.some((part) => "detail" in part && part.detail !== undefined)

  return {
    prompt: [
      ...system === undefined ? [] : [{ role: "system" as const, content: system }],
      ...sendable.messages.flatMap(messageOf)
    ],
    warnings: [
      ...readable.warnings,
      ...whole.warnings,
      ...pointless.warnings,
      ...aside.warnings,
      ...sendable.warnings,
      ...hasDetail ? ["the detail of images was not sent"] : []
    ]
  }
}
