import * as Arr from "effect/Array"
import type { LlmRequest } from "./LlmRequest.js"
import type * as Message from "./Message.js"

type Messages = LlmRequest["messages"]

/** The reader of encrypted or signed reasoning: the provider, account and model that made it. */
export interface Reader {
  readonly provider: string
  readonly account: string
  readonly model: string
}

/**
 * The fields of a part that name its readers: its maker, if it is encrypted or signed; otherwise any model of the
 * provider.
 */
export const tagged = (
  reader: Reader,
  seals: Pick<Message.Reasoning, "encrypted" | "signature">
): Pick<Message.Reasoning, "provider" | "account" | "model" | "encrypted" | "signature"> => {
  const { encrypted, signature } = seals
  return encrypted === undefined && signature === undefined ? { provider: reader.provider } : {
    ...reader,
    ...(encrypted !== undefined && { encrypted }),
    ...(signature !== undefined && { signature })
  }
}

/**
 * The contents that only one reader understands: encrypted reasoning, and the signatures of thoughts. Plain thoughts have
 * none.
 */
export const sealsOf = (part: Message.ResponsePart): ReadonlyArray<string> => {
  switch (part._tag) {
    case "Reasoning":
      return [part.encrypted, part.signature].filter((seal) => seal !== undefined)
    case "Text":
    case "ToolCall":
      return part.signature === undefined ? [] : [part.signature]
    default:
      return []
  }
}

/** All contents of a conversation that only one reader understands. */
export const seals = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<string> =>
  messages.flatMap((message) => message.role === "assistant" ? message.content.flatMap(sealsOf) : [])

/** The account that made the last reasoning of a conversation that only its maker can read. */
export const lastAccount = (messages: ReadonlyArray<Message.Message>): string | undefined => {
  for (const message of messages.toReversed()) {
    if (message.role !== "assistant") continue
    const part = message.content.findLast((part) => part._tag === "Reasoning" && sealsOf(part).length > 0)
    if (part?._tag === "Reasoning") return part.account
  }
  return undefined
}

/** The name of a model without the date of its version: the dated and the undated name count as the same model. */
const undated = (model: string): string => model.replace(/-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$/, "")

/**
 * The reason why a reader does not get reasoning; `undefined` if it can read it. Plain thoughts are not bound to an
 * account or a model.
 */
const misfit = (part: Message.Reasoning, { account, model, provider }: Reader): string | undefined => {
  if (part.provider !== provider) return "reasoning was not sent: another provider made it"
  if (sealsOf(part).length === 0) return undefined
  if (part.account !== undefined && part.account !== account) return "reasoning was not sent: another account made it"
  return part.model !== undefined && undated(part.model) !== undated(model)
    ? "reasoning was not sent: another model made it"
    : undefined
}

/** A conversation, and warnings about the parts that were left out. */
export interface Readable {
  readonly messages: Messages
  readonly warnings: ReadonlyArray<string>
}

/** The same part without its seals; nothing is left of reasoning that has them. */
const unsealed = (part: Message.ResponsePart): Message.ResponsePart | undefined => {
  switch (part._tag) {
    case "Reasoning":
      return undefined
    case "Text":
    case "ToolCall": {
      const { signature: _, ...plain } = part
      return plain
    }
    default:
      return part
  }
}

/**
 * A conversation with other parts in the turns of the model, or without them. If nothing changes, it is the same value.
 */
export const mapParts = (
  messages: Messages,
  f: (part: Message.ResponsePart) => Message.ResponsePart | undefined
): Messages => {
  const stays = (message: Message.Message): boolean =>
    message.role !== "assistant" || message.content.every((part) => f(part) === part)
  return messages.every(stays) ? messages : Arr.map(messages, (message) =>
    message.role === "assistant"
      ? { ...message, content: message.content.flatMap((part) => f(part) ?? []) }
      : message)
}

/** A conversation without the seals that the receiver is known to refuse. */
export const without = (messages: Messages, isRefused: (seal: string) => boolean): Messages =>
  mapParts(messages, (part) => sealsOf(part).some(isRefused) ? unsealed(part) : part)

/** A conversation without the reasoning that a reader cannot read. */
export const readableBy = (messages: Messages, reader: Reader): Readable => {
  const warnings = new Set<string>()
  const readable = mapParts(messages, (part) => {
    const warning = part._tag === "Reasoning" ? misfit(part, reader) : undefined
    if (warning === undefined) return part
    warnings.add(warning)
    return undefined
  })
  return { messages: readable, warnings: [...warnings] }
}
