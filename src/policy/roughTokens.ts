import * as LlmRequest from "../domain/LlmRequest.js"

const bytesPerToken = 3
const perMessage = 4

/** Providers count images by their area, which is not known here. */
const perImage = 1_000

/** What a document of unknown length is taken for. */
const perFile = 2_000

const utf8Length = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Each half of a surrogate pair is two of four bytes.
    if (code > 0x7F) bytes += code < 0x800 || (code >= 0xD800 && code <= 0xDFFF) ? 1 : 2
  }
  return bytes
}

const ofMedia = (part: LlmRequest.LlmRequest["messages"][number]["content"][number]): number =>
  part._tag === "Image"
    ? perImage
    : part._tag === "File"
    ? "bytes" in part ? part.bytes.length / bytesPerToken : perFile
    : 0

/** How many input tokens a request has at a rough guess, rather too many than too few: a third of its bytes. */
export const ofRequest = (request: LlmRequest.LlmRequest): number => {
  const schemas = [...(request.tools ?? []).map(({ parameters }) => parameters), request.outputSchema?.schema]
  const texts = [...LlmRequest.texts(request), ...schemas.map((schema) => JSON.stringify(schema) ?? "")]
  const media = request.messages.flatMap(({ content }) => content.map(ofMedia))
  return Math.ceil(
    texts.reduce((sum, text) => sum + utf8Length(text), 0) / bytesPerToken +
      media.reduce((sum, tokens) => sum + tokens, 0) +
      (request.messages.length + 1) * perMessage
  )
}
