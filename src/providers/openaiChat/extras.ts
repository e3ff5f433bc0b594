import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"

// Additions of services to the protocol: fields of the body, fields of the message, sources.

/** The fields of a body that are read elsewhere, or that do not concern the answer. */
const knownBodyFields: ReadonlySet<string> = new Set([
  "choices",
  "code",
  "created",
  "error",
  "id",
  "model",
  "obfuscation",
  "object",
  "usage",
  "x_groq"
])

/** Adds the other fields of a body, over earlier ones. */
export const addMetadata = (metadata: Map<string, unknown>, body: Json.JsonObject): void => {
  for (const field of Object.keys(body)) {
    const value = body[field]
    if (!knownBodyFields.has(field) && value !== undefined && value !== null && value !== "") metadata.set(field, value)
  }
}

/** The sources of the whole answer, as Perplexity gives them: its `search_results`, or else the addresses alone. */
export const sourcesOf = (provider: string, body: Json.JsonObject): ReadonlyArray<Omit<Message.Source, "_tag">> => {
  const results = Json.array(body.search_results).filter(Json.isObject)
  if (results.length > 0) {
    return results.map((result) => ({
      provider,
      kind: "search_result",
      ...Json.defined({
        url: Json.nonEmpty(result.url),
        title: Json.nonEmpty(result.title),
        quote: Json.nonEmpty(result.snippet)
      }),
      json: result
    }))
  }
  return Json.array(body.citations).flatMap((citation) => {
    const url = Json.nonEmpty(citation) ?? Json.nonEmpty(Json.object(citation).url)
    return url === undefined ? [] : [{ provider, kind: "citation", url, json: citation }]
  })
}

/** The fields of a message that are read, and those that are not content. */
const knownMessageFields: ReadonlySet<string> = new Set([
  "role",
  "name",
  "id",
  "content",
  "refusal",
  "tool_calls",
  "function_call",
  "reasoning",
  "reasoning_content",
  "reasoning_details",
  "annotations",
  "provider_specific_fields"
])

/** Whether a value has no content. */
export const saysNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || typeof value === "boolean" ||
  (typeof value === "object" && Object.keys(Object(value)).length === 0)

interface Field {
  /** The values that came, each once. */
  readonly values: Array<unknown>
  readonly seen: Set<string>
}

/**
 * The fields of a message that are not read. In a stream they may come in pieces: only texts can be put together; of
 * anything else all pieces are kept, and the whole is not known.
 */
export const makeFields = (provider: string) => {
  const fields = new Map<string, Field>()

  const add = (name: string, value: unknown): void => {
    if (saysNothing(value)) return
    // Warnings show it.
    const kind = Json.name(name) ?? "field"
    const field = fields.get(kind) ?? { values: [], seen: new Set<string>() }
    fields.set(kind, field)
    const json = typeof value === "string" ? undefined : JSON.stringify(value)
    // Some services repeat a value in each chunk.
    if (json !== undefined && field.seen.has(json)) return
    if (json !== undefined) field.seen.add(json)
    field.values.push(value)
  }

  return {
    add,
    /** Adds the fields of a message, or of a piece of one. */
    message: (message: Json.JsonObject): void => {
      for (const field of Object.keys(message)) if (!knownMessageFields.has(field)) add(field, message[field])
    },
    /** Takes the fields of a message that repeats all that has come. */
    repetition: (message: Json.JsonObject): void => {
      for (const field of Object.keys(message)) {
        if (knownMessageFields.has(field) || saysNothing(message[field])) continue
        fields.delete(field)
        add(field, message[field])
      }
    },
    blocks: (): ReadonlyArray<Omit<Message.Opaque, "_tag">> =>
      [...fields].map(([kind, { values }]) => {
        if (values.length === 1) return { provider, kind, json: values[0] }
        return values.every((value) => typeof value === "string")
          ? { provider, kind, json: values.join("") }
          : { provider, kind, json: values, partial: true }
      })
  }
}
