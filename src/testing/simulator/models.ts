import * as Either from "effect/Either"
import { messages } from "./anthropic/messages.js"
import { gemini } from "./gemini/generateContent.js"
import { isGoogles } from "./gemini/service.js"
import { ollama } from "./ollama/chat.js"
import { chatCompletions } from "./openai/chatCompletions.js"
import type { Prompt, ProtocolName } from "./prompt.js"
import type { Envelope, Json, Protocol } from "./protocol.js"
import { promptOf } from "./vectors.js"

const created = 1_760_000_000

const isoDate = new Date(1000 * created).toISOString()

const openAiModels = ["gpt-4o-mini", "gpt-5", "text-embedding-3-small"]
const anthropicModels = ["claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"]
const geminiModels = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"]
const ollamaModels = ["llama3.2:latest", "nomic-embed-text:latest"]

/** A list of a service: the query of its request stands in for a body. */
const listing = (
  protocol: Protocol,
  { encode, name, path, serves = () => true }: {
    readonly name: ProtocolName
    readonly path: RegExp
    readonly serves?: (envelope: Envelope) => boolean
    readonly encode: (query: Json) => unknown
  }
): Protocol => {
  const { makeMemory: _, ...rest } = protocol
  return {
    ...rest,
    name,
    path,
    method: "GET",
    serves,
    decode: (_, { query }) =>
      Either.right(promptOf({ protocol: name, request: Object.fromEntries(query), model: "", texts: [] })),
    answer: () => ({}),
    encode: (_, { request }: Prompt) => encode(request)
  }
}

/** A part of a list, by the place of its first entry and the most that it may have. */
const pageOf = (all: ReadonlyArray<string>, from: number, size: unknown) => {
  const end = from + (Number(size) > 0 ? Number(size) : all.length)
  return { entries: all.slice(from, end), hasMore: end < all.length, end }
}

const ofAnthropic = listing(messages, {
  name: "anthropic-models",
  path: /\/v1\/models$/,
  serves: ({ headers }) => "anthropic-version" in headers,
  encode: ({ after_id: after, limit }) => {
    const { entries, hasMore } = pageOf(anthropicModels, anthropicModels.indexOf(String(after)) + 1, limit)
    return {
      data: entries.map((id) => ({
        type: "model",
        id,
        display_name: id.replace(/-/g, " "),
        created_at: isoDate,
        max_input_tokens: 200_000,
        max_tokens: 64_000
      })),
      has_more: hasMore,
      first_id: entries.at(0) ?? null,
      last_id: entries.at(-1) ?? null
    }
  }
})

const ofGemini = listing(gemini, {
  name: "gemini-models",
  path: /\/v1(?:beta)?\/models$/,
  serves: isGoogles,
  encode: ({ pageSize, pageToken }) => {
    const { end, entries, hasMore } = pageOf(geminiModels, Number(pageToken ?? 0), pageSize)
    return {
      models: entries.map((id) => ({
        name: `models/${id}`,
        displayName: id.replace(/-/g, " "),
        inputTokenLimit: 1_048_576,
        outputTokenLimit: 65_536,
        supportedGenerationMethods: [id.includes("embedding") ? "embedContent" : "generateContent"]
      })),
      ...(hasMore && { nextPageToken: String(end) })
    }
  }
})

const ofOpenAi = listing(chatCompletions, {
  name: "openai-models",
  path: /\/models$/,
  encode: () => ({
    object: "list",
    data: openAiModels.map((id) => ({ id, object: "model", created, owned_by: "system" }))
  })
})

const ofOllama = listing(ollama, {
  name: "ollama-models",
  path: /\/api\/tags$/,
  encode: () => ({
    models: ollamaModels.map((name) => ({
      name,
      model: name,
      modified_at: isoDate,
      size: 2_019_393_189,
      digest: "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72",
      details: { format: "gguf", family: "llama", parameter_size: "3.2B", quantization_level: "Q4_K_M" }
    }))
  })
})

/** The lists of models. The headers distinguish those of Anthropic and Gemini from OpenAI's. */
export const models: ReadonlyArray<Protocol> = [ofAnthropic, ofGemini, ofOpenAi, ofOllama]
