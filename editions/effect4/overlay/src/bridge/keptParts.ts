// In place of declarations: metadata and options of Effect 4 are JSON.
import * as Answer from "../domain/LlmResponse.js"

const encodeResponse = Schema.encodeSync(Schema.fromJsonString(Answer.LlmResponse))

const decodeKept = Schema.decodeUnknownOption(
  Schema.Struct({ response: Answer.LlmResponse, raw: Schema.optional(Schema.Unknown) })
)

const isJson = Schema.is(Schema.Json)

/** The metadata of the last part, which brings the answer. Its `raw` is not part of its encoding. */
export const metadataOf = (response: LlmResponse): Response.FinishPartMetadata => {
  const kept = Json.parse(encodeResponse(response))
  const { raw } = response
  return isJson(kept) ? { [key]: { response: kept, ...(raw !== undefined && isJson(raw) && { raw }) } } : {}
}

/** The options of a message that keep the parts of an answer. */
const optionsOf = (response: LlmResponse): Prompt.ProviderOptions => {
  const { parts } = Json.object(Json.parse(encodeResponse(response)))
  return isJson(parts) ? { [key]: { parts } } : {}
}

/** The answer behind the parts of an answer. */
export const responseOf = (content: ReadonlyArray<Response.AnyPart>): Option.Option<LlmResponse> =>
  Option.map(
    decodeKept(content.findLast((part) => part.type === "finish")?.metadata[key]),
    ({ raw, response }) => raw === undefined ? response : Answer.update(response, { raw })
  )
