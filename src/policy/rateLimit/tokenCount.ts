import type { LlmRequest } from "../../domain/LlmRequest.js"
import type { Message } from "../../domain/Message.js"
import { utf8Length } from "../../internal/utf8Length.js"

/** The marks around a message, and its role. */
const perMessage = 4

/** Providers count by area or tiles: about 85 for a small image, 1,600 for a large one. */
const perImage = 1_000

/** A few pages of a document whose size is not known. */
const perFile = 2_000

/** A page of a PDF has about 50 kB, and about 1,500 tokens. */
const bytesPerFileToken = 33

const bytesPerToken = 3

/** The tokens of a text, rather too many than too few: a third of its bytes. */
export const ofText = (text: string): number => utf8Length(text) / bytesPerToken

const isText = (mediaType: string): boolean => mediaType.startsWith("text/") || mediaType === "application/json"

const json = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? ""

/** A source is counted with the text before it: providers bill nothing else for it. */
const countPart = (part: Message["content"][number], count: (text: string) => number): number => {
  switch (part._tag) {
    case "Text":
    case "Refusal":
      return count(part.text)
    case "Reasoning":
      // Encryption makes it longer.
      return count(part.text ?? "") + (part.encrypted?.length ?? 0) / (2 * bytesPerToken)
    case "ToolCall":
      return count(part.name) + count(json(part.arguments))
    case "Opaque":
      return count(json(part.json))
    case "CachePoint":
    case "Source":
      return 0
    case "ToolResult":
      return (part.parts ?? []).reduce((sum, each) => sum + countPart(each, count), count(json(part.result)))
    case "Image":
      return perImage
    case "File":
      return !("bytes" in part)
        ? perFile
        : part.bytes.length / (isText(part.mediaType) ? bytesPerToken : bytesPerFileToken)
  }
}

/** The input tokens of a request, given a way to count those of a text. */
export const ofRequest = (request: LlmRequest, count: (text: string) => number = ofText): number => {
  let tokens = request.system === undefined ? 0 : count(request.system) + perMessage
  for (const { content } of request.messages) {
    tokens += perMessage
    for (const part of content) tokens += countPart(part, count)
  }
  if (request.tools !== undefined) tokens += count(json(request.tools))
  for (const { tool } of request.providerTools ?? []) tokens += count(json(tool))
  if (request.outputSchema !== undefined) tokens += count(json(request.outputSchema.schema))
  return tokens
}
