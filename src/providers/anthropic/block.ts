import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"

// Blocks of an answer, and those of their fields that have no place in our parts.

/** The fields of each modelled block that are read. */
const readFields: { readonly [type: string]: ReadonlyArray<string> } = {
  text: ["text", "citations"],
  thinking: ["thinking", "signature"],
  redacted_thinking: ["data"],
  tool_use: ["id", "name", "input"]
}

/** Whether a block is one of our parts. Any other is kept as it came. */
export const isModelled = (type: unknown): boolean => typeof type === "string" && Object.hasOwn(readFields, type)

/** The other fields of a modelled block, for its way back. */
export const nativeOf = (provider: string, block: Json.JsonObject): Message.Native | undefined => {
  const read = readFields[String(block.type)] ?? []
  const rest = Object.entries(block).filter(([field]) => field !== "type" && !read.includes(field))
  return rest.length === 0 ? undefined : { provider, fields: Object.fromEntries(rest) }
}

/** The input that a call begins with, as JSON text: in a stream it is an empty object, and comes in pieces. */
export const inputOf = ({ input }: Json.JsonObject): string => {
  // Some gateways pass on the JSON of another protocol.
  if (typeof input === "string") return input
  const isNone = input === undefined || input === null || (Json.isObject(input) && Object.keys(input).length === 0)
  return isNone ? "" : JSON.stringify(input)
}

/** Reads a citation of a text: of a document, a search result, or a web page. */
export const sourceOf = (provider: string, citation: Json.JsonObject): Omit<Message.Source, "_tag"> => ({
  provider,
  kind: Json.name(citation.type) ?? "citation",
  ...Json.defined({
    id: Json.nonEmpty(citation.file_id),
    url: Json.nonEmpty(citation.url) ?? Json.nonEmpty(citation.source),
    title: Json.nonEmpty(citation.title) ?? Json.nonEmpty(citation.document_title),
    quote: Json.nonEmpty(citation.cited_text)
  }),
  json: citation
})

/** A block that is kept as it comes, and grows by the pieces of the stream. */
export interface Kept {
  readonly json: Json.JsonObject
  /** The JSON of its input, as far as it has come. */
  readonly input: string
  /** Whether each piece has been read. */
  readonly isWhole: boolean
}

/** A block at its beginning. */
export const keep = (block: Json.JsonObject): Kept => ({ json: block, input: "", isWhole: true })

/** A text of a block, with more of it: nothing there counts as empty. */
const more = (kept: Kept, field: string, piece: unknown): Kept => {
  const before = kept.json[field] ?? ""
  return typeof before !== "string" || typeof piece !== "string"
    ? { ...kept, isWhole: false }
    : { ...kept, json: { ...kept.json, [field]: before + piece } }
}

/** A block after a piece of the stream. Pieces that are not known, or do not fit, leave it partial. */
export const grown = (kept: Kept, delta: Json.JsonObject): Kept => {
  switch (delta.type) {
    case "input_json_delta":
      return typeof delta.partial_json === "string"
        ? { ...kept, input: kept.input + delta.partial_json }
        : { ...kept, isWhole: false }
    case "text_delta":
      return more(kept, "text", delta.text)
    case "thinking_delta":
      return more(kept, "thinking", delta.thinking)
    case "signature_delta":
      return { ...kept, json: { ...kept.json, signature: delta.signature } }
    case "citations_delta":
      return { ...kept, json: { ...kept.json, citations: [...Json.array(kept.json.citations), delta.citation] } }
    case "compaction_delta": {
      // The summary, or `null` if there was nothing to sum up, and the fields that only the service reads.
      const { content, type: _, ...fields } = delta
      const summed = typeof content === "string"
        ? more(kept, "content", content)
        : { ...kept, json: { ...kept.json, ...("content" in delta && { content }) } }
      return { ...summed, json: { ...summed.json, ...fields } }
    }
    default:
      return { ...kept, isWhole: false }
  }
}

/** A block at its end: an input that came in pieces is JSON then. */
export const ended = (kept: Kept): Kept => {
  if (kept.input === "") return kept
  const input = Json.parse(kept.input)
  return input === undefined
    ? { ...kept, isWhole: false }
    : { ...kept, input: "", json: { ...kept.json, input } }
}
