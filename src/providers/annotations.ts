import type * as Message from "../domain/Message.js"
import * as Json from "../wire/json.js"

/**
 * Reads an annotation: a `url_citation`, `file_citation` or `container_file_citation`, or a kind that services add.
 * Responses has the fields at the top, Chat Completions in a member that is named like the type.
 */
export const sourceOf = (provider: string, annotation: Json.JsonObject): Omit<Message.Source, "_tag"> => {
  const type = Json.name(annotation.type)
  const fields = type === undefined || !Json.isObject(annotation[type]) ? annotation : Json.object(annotation[type])
  const [start, end] = [Json.count(fields.start_index), Json.count(fields.end_index)]
  const isSpan = Number.isInteger(start) && Number.isInteger(end)
  return {
    provider,
    kind: type ?? "citation",
    ...Json.defined({
      id: Json.nonEmpty(fields.file_id),
      url: Json.nonEmpty(fields.url),
      title: Json.nonEmpty(fields.title) ?? Json.nonEmpty(fields.filename),
      quote: Json.nonEmpty(fields.content)
    }),
    ...(isSpan && start !== undefined && end !== undefined && { span: { start, end } }),
    json: annotation
  }
}
