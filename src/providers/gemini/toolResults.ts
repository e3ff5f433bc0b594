import * as Encoding from "effect/Encoding"
import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import type * as Facts from "../modelFacts.js"
import * as ToolCallIds from "../toolCallIds.js"
import * as ToolResults from "../toolResults.js"

type EncodePart = (part: Message.ToolResultPart) => Json.JsonObject

/** In a result, a text between images is a small document. */
const encodePiece = (part: Message.ToolResultPart, encodePart: EncodePart): Json.JsonObject =>
  part._tag === "Text"
    ? { inlineData: { mimeType: "text/plain", data: Encoding.encodeBase64(part.text) } }
    : encodePart(part)

/**
 * The parts of a turn with the result of a call. Its value is an object with the member `output` or `error`. From version 3
 * on, images and files are in the result; before, they are beside it.
 *
 * @see https://ai.google.dev/gemini-api/docs/function-calling#multimodal
 */
export const encode = (
  part: Message.ToolResult,
  name: string,
  { toolResultParts = false }: Facts.ModelFacts,
  encodePart: EncodePart
): readonly [response: Json.JsonObject, ...beside: ReadonlyArray<Json.JsonObject>] => {
  const { id, isError, result } = part
  const media = ToolResults.hasMedia(part) ? (part.parts ?? []).filter(ToolResults.isSendable) : []
  const output = part.parts === undefined || media.length > 0 ? result : ToolResults.textOf(part)
  const response = isError === true ? { error: output } : { output }
  const answered = Json.defined({ id: ToolCallIds.ofService(id), name, response })
  return media.length > 0 && toolResultParts
    ? [{ functionResponse: { ...answered, parts: media.map((piece) => encodePiece(piece, encodePart)) } }]
    : [{ functionResponse: answered }, ...media.map(encodePart)]
}
