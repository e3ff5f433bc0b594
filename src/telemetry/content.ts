import type { LlmRequest } from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import { attributes } from "./conventions.js"

/** Options for recording prompts and answers on spans. */
export interface Content {
  /** The most characters of a prompt, and of an answer. */
  readonly maxLength: number
  /** Changes each text before it is cut and recorded. */
  readonly redact: (text: string) => string
}

type AnyPart = Message.Message["content"][number]

type Part = Exclude<AnyPart, Message.CachePoint>

/** The cost of a part besides its text, so that many empty parts have a bound, too. */
const overhead = 20

/** Keeps texts up to a total length. */
const makeKeeper = ({ maxLength, redact }: Content) => {
  let left = maxLength
  const keeper = {
    isCut: false,
    hasRoom: () => {
      keeper.isCut ||= left <= 0
      return left > 0
    },
    text: (text: string): string => {
      const redacted = safely(redact, text)
      const kept = redacted.slice(0, Math.max(0, left))
      if (kept.length < redacted.length) keeper.isCut = true
      left -= kept.length + overhead
      return kept
    },
    json: (value: unknown): string => keeper.text(typeof value === "string" ? value : (JSON.stringify(value) ?? ""))
  }
  return keeper
}

type Keeper = ReturnType<typeof makeKeeper>

/** A text that cannot be redacted is not recorded. */
const safely = (redact: (text: string) => string, text: string): string => {
  try {
    return redact(text)
  } catch {
    return "[not redacted]"
  }
}

/** A part in the form of the conventions' schema of messages. Bytes are not recorded. */
const toPart = (keep: Keeper, part: Part): Record<string, unknown> => {
  switch (part._tag) {
    case "Text":
      return { type: "text", content: keep.text(part.text) }
    case "Reasoning":
      return { type: "reasoning", content: keep.text(part.text ?? "") }
    case "Refusal":
      return { type: "refusal", content: keep.text(part.text) }
    case "ToolCall":
      return { type: "tool_call", id: part.id, name: part.name, arguments: keep.json(part.arguments) }
    case "ToolResult":
      return {
        type: "tool_call_response",
        id: part.id,
        response: keep.json(part.result),
        ...(part.parts !== undefined && { parts: part.parts.map((each) => toPart(keep, each)) })
      }
    case "Image":
    case "File": {
      const modality = part._tag === "Image" ? "image" : "document"
      return "url" in part
        ? { type: "uri", modality, uri: keep.text(part.url) }
        : { type: "bytes", modality, mime_type: part.mediaType, size: part.bytes.length }
    }
    case "Source":
      return { type: "source", content: keep.json(part.json) }
    case "Opaque":
      return { type: part.kind, content: keep.json(part.json) }
  }
}

/** The parts that fit, the last ones first. */
const toParts = (keep: Keeper, parts: ReadonlyArray<AnyPart>): ReadonlyArray<unknown> => {
  const kept: Array<unknown> = []
  for (const part of parts.toReversed()) {
    if (part._tag === "CachePoint") continue
    if (!keep.hasRoom()) break
    kept.unshift(toPart(keep, part))
  }
  return kept
}

const withCut = (keep: Keeper, known: Record<string, unknown>): Record<string, unknown> =>
  keep.isCut ? { ...known, [attributes.contentCut]: true } : known

/** The attributes of a prompt: its instructions, and its messages, of which the last ones are kept. */
export const ofRequest = (content: Content, { messages, system }: LlmRequest): Record<string, unknown> => {
  const keep = makeKeeper(content)
  const instructions = system === undefined ? undefined : [{ type: "text", content: keep.text(system) }]
  const kept: Array<unknown> = []
  for (const { content: parts, role } of messages.toReversed()) {
    if (!keep.hasRoom()) break
    kept.unshift({ role, parts: toParts(keep, parts) })
  }
  return withCut(keep, {
    [attributes.inputMessages]: JSON.stringify(kept),
    ...(instructions && { [attributes.systemInstructions]: JSON.stringify(instructions) })
  })
}

/** The attributes of an answer. */
export const ofResponse = (content: Content, { finishReason, parts }: LlmResponse): Record<string, unknown> => {
  const keep = makeKeeper(content)
  const message = { role: "assistant", parts: toParts(keep, parts), finish_reason: finishReason }
  return withCut(keep, { [attributes.outputMessages]: JSON.stringify([message]) })
}
