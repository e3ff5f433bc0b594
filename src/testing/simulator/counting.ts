import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { messages } from "./anthropic/messages.js"
import { gemini } from "./gemini/generateContent.js"
import { responses } from "./openai/responses.js"
import type { Completion, Prompt, ProtocolName } from "./prompt.js"
import { type Envelope, type Json, problem, type Protocol } from "./protocol.js"

/** The count of a request's tokens, in place of its answer. */
const counting = (
  protocol: Protocol,
  { encode, name, path, request }: {
    readonly name: ProtocolName
    readonly path: RegExp
    /** The request whose tokens are counted. */
    readonly request: (body: Json, envelope: Envelope) => readonly [unknown, Envelope]
    readonly encode: (tokens: number) => unknown
  }
): Protocol => {
  const { makeMemory: _, ...rest } = protocol
  return {
    ...rest,
    name,
    path,
    decode: (body, envelope) =>
      Either.map(
        protocol.decode(...request(isRecord(body) ? body : {}, envelope)),
        (prompt): Prompt => ({ ...prompt, protocol: name, streaming: false })
      ),
    answer: () => ({}),
    encode: ({ usage }: Completion) => encode(usage.inputTokens)
  }
}

/** Anthropic's `/v1/messages/count_tokens`, which takes no settings of the answer. */
const ofMessages: Protocol = (() => {
  const count = counting(messages, {
    name: "anthropic-count-tokens",
    path: /\/v1\/messages\/count_tokens$|\/publishers\/anthropic\/models\/count-tokens:rawPredict$/,
    request: ({ anthropic_version: version, ...body }, { headers, ...envelope }) => [
      { ...body, max_tokens: 1_000_000 },
      // On Vertex the version is in the body.
      {
        ...envelope,
        path: "/v1/messages",
        headers: version === undefined ? headers : { ...headers, "anthropic-version": String(version) }
      }
    ],
    encode: (tokens) => ({ input_tokens: tokens })
  })
  const refused = ["max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream", "metadata"]
  return {
    ...count,
    decode: (body, envelope) => {
      const field = isRecord(body) ? refused.find((name) => name in body) : undefined
      return field === undefined
        ? count.decode(body, envelope)
        : Either.left(problem(`${field}: Extra inputs are not permitted`))
    }
  }
})()

/** OpenAI's `/v1/responses/input_tokens`. */
const ofResponses = counting(responses, {
  name: "openai-count-tokens",
  path: /\/responses\/input_tokens$/,
  request: (body, envelope) => [body, envelope],
  encode: (tokens) => ({ object: "response.input_tokens", input_tokens: tokens })
})

/** Gemini's `countTokens`, of contents or of a whole request. */
const ofGemini = counting(gemini, {
  name: "gemini-count-tokens",
  path: /\/(?:models|tunedModels)\/([^/]+):countTokens$/,
  request: ({ generateContentRequest, ...contents }, envelope) => [
    generateContentRequest ?? contents,
    { ...envelope, path: envelope.path.replace(/:countTokens$/, ":generateContent") }
  ],
  encode: (tokens) => ({ totalTokens: tokens })
})

/** The counting of tokens, by the services that have it. */
export const counts: ReadonlyArray<Protocol> = [ofMessages, ofResponses, ofGemini]
