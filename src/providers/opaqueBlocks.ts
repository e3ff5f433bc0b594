import * as LlmResponse from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import * as Unsent from "./unsent.js"

/** A conversation in which each opaque block can go to the provider. */
export interface Sendable {
  readonly messages: ReadonlyArray<Message.Message>
  readonly warnings: ReadonlyArray<string>
}

const hasOpaque = ({ content }: Message.Message): boolean => content.some((part) => part._tag === "Opaque")

/**
 * Leaves out opaque blocks that another provider sent, that did not arrive whole, or that this protocol does not
 * `take`: by default it takes all of its provider's own.
 */
export const sendable = (
  messages: ReadonlyArray<Message.Message>,
  provider: string,
  takes: (block: Message.Opaque) => boolean = () => true
): Sendable => {
  if (!messages.some(hasOpaque)) return { messages, warnings: [] }
  const warnings = new Set<string>()
  const canGo = (part: Message.ResponsePart): boolean => {
    if (part._tag !== "Opaque") return true
    const reason = part.provider !== provider
      ? `it came from ${part.provider}`
      : part.partial === true
      ? "it did not come whole"
      : takes(part)
      ? undefined
      : `${provider} does not take it back`
    if (reason !== undefined) warnings.add(Unsent.notSent(`a block of the kind ${part.kind}`, reason))
    return reason === undefined
  }
  return {
    messages: messages.map((message) =>
      message.role === "assistant" && hasOpaque(message)
        ? { ...message, content: message.content.filter(canGo) }
        : message
    ),
    warnings: [...warnings]
  }
}

const warningOf = ({ kind, partial }: Message.Opaque): string =>
  partial === true
    ? `a block of the kind ${kind} could not be read whole: it was kept as it came, and is not sent back`
    : `a block of the kind ${kind} was kept as it came`

/** The answer with a warning for each kind of its opaque blocks. */
export const warned = (response: LlmResponse.LlmResponse): LlmResponse.LlmResponse => {
  const warnings = response.parts.flatMap((part) => part._tag === "Opaque" ? [warningOf(part)] : [])
  return warnings.length === 0
    ? response
    : LlmResponse.update(response, { warnings: [...response.warnings, ...new Set(warnings)] })
}
