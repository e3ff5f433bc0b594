import { NodeHttpServer } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import { Simulator } from "effect-llm/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import * as Sse from "../../src/wire/sse.js"

// ---------------------------------------------------------------------------------------------------------------------
// A simulator over real HTTP
// ---------------------------------------------------------------------------------------------------------------------

export type Json = Record<string, unknown>

export const serverLayer = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

export const clientLayer = Layer.merge(
  FetchHttpClient.layer,
  Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" })
)

export const layer = (options?: Simulator.Options) =>
  // A server of its own, also within the test of another simulator.
  Layer.merge(Simulator.layer(options).pipe(Layer.provide(Layer.fresh(serverLayer))), clientLayer)

/** Runs a test against a simulator of its own. */
export const over = <A, E>(
  options: Simulator.Options,
  test: (simulator: Simulator.Service) => Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>
) => Effect.scoped(Effect.flatMap(Simulator.Simulator, test)).pipe(Effect.provide(layer(options)))

/** All requests, once they have ended: a client may have read all that counts before the server is done. */
export const allEnd = (simulator: Simulator.Service) =>
  simulator.awaitRequests((requests) => requests.every(({ outcome }) => outcome !== "pending")).pipe(
    Effect.timeout("2 seconds")
  )

/** The latest request, once it has ended. */
export const lastEnds = (simulator: Simulator.Service) =>
  simulator.awaitRequests((requests) => requests.length > 0 && requests.at(-1)?.outcome !== "pending").pipe(
    Effect.map((requests) => requests.at(-1)),
    Effect.timeout("15 seconds")
  )

// ---------------------------------------------------------------------------------------------------------------------
// Requests as they go over the wire
// ---------------------------------------------------------------------------------------------------------------------

export interface Reply {
  readonly status: number
  readonly headers: Record<string, string | undefined>
  readonly text: string
}

export const send = (
  url: string,
  body: string | Json,
  headers: Record<string, string> = {}
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError, HttpClient.HttpClient> =>
  HttpClient.post(url, {
    body: HttpBody.text(typeof body === "string" ? body : JSON.stringify(body), "application/json"),
    headers
  })

export const post = (
  url: string,
  body: string | Json,
  headers: Record<string, string> = {}
): Effect.Effect<Reply, HttpClientError.HttpClientError, HttpClient.HttpClient> =>
  Effect.flatMap(
    send(url, body, headers),
    (response) => Effect.map(response.text, (text) => ({ status: response.status, headers: response.headers, text }))
  )

export const parse = ({ text }: Pick<Reply, "text">) => JSON.parse(text)

/** The events of a stream: their names, and their JSON, or their text where they are none. */
export const eventsOf = ({ text }: Pick<Reply, "text">) =>
  Sse.decode([new TextEncoder().encode(text)]).map(({ data, event }) => ({
    event,
    data: data.startsWith("{") ? JSON.parse(data) : data
  }))

export const linesOf = ({ text }: Pick<Reply, "text">) => text.trimEnd().split("\n").map((line) => JSON.parse(line))

export const user = (content: unknown): Json => ({ role: "user", content })

/** A request in each protocol that asks for this text to be said. */
export const requests = (text: string) => ({
  "openai-chat": (stream: boolean, body: Json = {}) => ({
    path: "/v1/chat/completions",
    headers: {},
    body: { model: "gpt-4o", messages: [user(`Echo: ${text}`)], ...(stream && { stream }), ...body }
  }),
  "openai-responses": (stream: boolean, body: Json = {}) => ({
    path: "/v1/responses",
    headers: {},
    body: { model: "gpt-4o", input: `Echo: ${text}`, ...(stream && { stream }), ...body }
  }),
  "anthropic-messages": (stream: boolean, body: Json = {}) => ({
    path: "/v1/messages",
    headers: { "anthropic-version": "2023-06-01" },
    body: {
      model: "claude-sonnet-4-5",
      max_tokens: 4000,
      messages: [user(`Echo: ${text}`)],
      ...(stream && { stream }),
      ...body
    }
  }),
  gemini: (stream: boolean, body: Json = {}) => ({
    path: `/v1beta/models/gemini-2.0-flash:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    headers: {},
    body: { contents: [{ role: "user", parts: [{ text: `Echo: ${text}` }] }], ...body }
  }),
  ollama: (stream: boolean, body: Json = {}) => ({
    path: "/api/chat",
    headers: {},
    body: { model: "llama3.2", messages: [user(`Echo: ${text}`)], stream, ...body }
  })
})

export type Protocol = keyof ReturnType<typeof requests>

export const protocols: ReadonlyArray<Protocol> = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "ollama"
]

export const ask = (
  { url }: Simulator.Service,
  { body, headers, path }: { readonly path: string; readonly headers: Record<string, string>; readonly body: Json }
) => post(url + path, body, headers)

// ---------------------------------------------------------------------------------------------------------------------
// The library's own providers
// ---------------------------------------------------------------------------------------------------------------------

const apiKey = Redacted.make("simulated-key-0123456789")

/** Each protocol's provider, and models of it: one that thinks if asked, and one that does not. */
export const providers = {
  "openai-chat": {
    layer: (url: string) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` }),
    model: "gpt-4o",
    thinking: "simulated-model"
  },
  "openai-responses": {
    layer: (url: string) => OpenAi.layer({ apiKey, baseUrl: `${url}/v1` }),
    model: "gpt-4o",
    thinking: "gpt-5-mini"
  },
  "anthropic-messages": {
    layer: (url: string) => Anthropic.layer({ apiKey, baseUrl: url }),
    model: "claude-sonnet-4-5",
    thinking: "claude-sonnet-4-5"
  },
  gemini: {
    layer: (url: string) => Gemini.layer({ apiKey, baseUrl: url }),
    model: "gemini-2.0-flash",
    thinking: "gemini-3-pro-preview"
  },
  ollama: {
    layer: (url: string) => Ollama.layer({ baseUrl: url }),
    model: "llama3.2",
    thinking: "qwen3"
  }
}

/** The provider of a protocol, on a simulator. */
export const provider = (protocol: Protocol, simulator: Simulator.Service) =>
  Effect.map(Layer.build(providers[protocol].layer(simulator.url)), Context.get(LlmProvider.LlmProvider))
