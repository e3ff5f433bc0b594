import type * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"

// The facts about a candidate's text: its sources, and the probabilities of its tokens.

type Source = Omit<Message.Source, "_tag">

/** The place of a character in a text, by its place among the bytes of UTF-8, which the service counts. */
const characterAt = (text: string, byte: number): number => {
  let bytes = 0
  let at = 0
  for (const character of text) {
    if (bytes >= byte) break
    const code = character.codePointAt(0) ?? 0
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    at += character.length
  }
  return at
}

const spanOf = (text: string | undefined, start: unknown, end: unknown): Pick<Source, "span"> => {
  const last = Json.count(end)
  if (text === undefined || last === undefined) return {}
  const span = { start: characterAt(text, Json.count(start) ?? 0), end: characterAt(text, last) }
  return span.start < span.end ? { span } : {}
}

/** A piece of the web, of a store of files, of a map ...: its kind is the name of its one field. */
const chunkOf = (chunk: Json.JsonObject): Omit<Source, "provider" | "json"> => {
  const [kind = "grounding", value] = Object.entries(chunk).find(([, value]) => Json.isObject(value)) ?? []
  const fields = Json.object(value)
  return {
    kind,
    ...Json.defined({
      id: Json.nonEmpty(fields.documentName) ?? Json.nonEmpty(fields.placeId),
      url: Json.nonEmpty(fields.uri) ?? Json.nonEmpty(fields.sourceUri),
      title: Json.nonEmpty(fields.title),
      quote: Json.nonEmpty(fields.text) ?? Json.nonEmpty(Json.object(fields.ragChunk).text)
    })
  }
}

/** Pages that were read for the answer, without those that it names elsewhere. */
const readPages = (provider: string, metadata: unknown, others: ReadonlyArray<Source>): ReadonlyArray<Source> => {
  const known = new Set(others.map(({ url }) => url))
  return Json.array(Json.object(metadata).urlMetadata).map(Json.object).flatMap((page): ReadonlyArray<Source> => {
    const url = Json.nonEmpty(page.retrievedUrl)
    const isRead = page.urlRetrievalStatus === "URL_RETRIEVAL_STATUS_SUCCESS"
    return url === undefined || !isRead || known.has(url) ? [] : [{ provider, kind: "urlContext", url, json: page }]
  })
}

/**
 * The sources of an answer: each place of the text with each piece that supports it, pieces that support no place,
 * citations, and pages that were read. A `text` is given if the answer has just one, as the places count from the
 * beginning of a text.
 */
export const sourcesOf = (
  provider: string,
  { citationMetadata, groundingMetadata, urlContextMetadata }: Json.JsonObject,
  text: string | undefined
): ReadonlyArray<Source> => {
  const { groundingChunks, groundingSupports } = Json.object(groundingMetadata)
  const chunks = Json.array(groundingChunks).map(Json.object)
  const used = new Set<unknown>()
  const supported = Json.array(groundingSupports).map(Json.object).flatMap((support) =>
    Json.array(support.groundingChunkIndices).flatMap((index): ReadonlyArray<Source> => {
      const chunk = typeof index === "number" ? chunks[index] : undefined
      if (chunk === undefined) return []
      used.add(chunk)
      const { endIndex, startIndex } = Json.object(support.segment)
      return [{ provider, ...chunkOf(chunk), ...spanOf(text, startIndex, endIndex), json: { ...support, ...chunk } }]
    })
  )
  const others = chunks.filter((chunk) => !used.has(chunk)).map((chunk) => ({
    provider,
    ...chunkOf(chunk),
    json: chunk
  }))
  const { citationSources, citations } = Json.object(citationMetadata)
  const cited = Json.array(citations ?? citationSources).filter(Json.isObject).map((citation): Source => ({
    provider,
    kind: "citation",
    ...Json.defined({ url: Json.nonEmpty(citation.uri), title: Json.nonEmpty(citation.title) }),
    ...spanOf(text, citation.startIndex, citation.endIndex),
    json: citation
  }))
  const named = [...supported, ...others, ...cited]
  return [...named, ...readPages(provider, urlContextMetadata, named)]
}

const choiceOf = (value: unknown): LlmResponse.TokenChoice | undefined => {
  const { logProbability: logprob, token } = Json.object(value)
  return typeof token === "string" && typeof logprob === "number" ? { token, logprob } : undefined
}

/** The tokens of an answer with their probabilities. */
export const logprobsOf = (value: unknown): ReadonlyArray<LlmResponse.Logprob> => {
  const { chosenCandidates, topCandidates } = Json.object(value)
  const tops = Json.array(topCandidates)
  return Json.array(chosenCandidates).flatMap((candidate, at) => {
    const chosen = choiceOf(candidate)
    const top = Json.array(Json.object(tops[at]).candidates).flatMap((other) => choiceOf(other) ?? [])
    return chosen === undefined ? [] : [{ ...chosen, ...(top.length > 0 && { top }) }]
  })
}
