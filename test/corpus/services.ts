import type * as HttpClient from "@effect/platform/HttpClient"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

/** A service: its provider, the protocol that it speaks, a model of it, and one for embeddings. */
export interface Service {
  readonly layer: ProviderLayer
  readonly protocol: string
  readonly model: string
  readonly embeddingModel?: string
}

const apiKey = Redacted.make("sk-corpus-0123456789abcdef")
const baseUrl = "https://llm.example.com"
const place = { project: "p-1", location: "europe-west4" }
const region = "eu-central-1"

/** Every provider, at every host that has differences of its own. */
export const services: { readonly [name: string]: Service } = {
  openAi: {
    layer: OpenAi.layer({ apiKey, organization: "org-1", project: "proj-1", headers: { "x-team": "rivers" } }),
    protocol: "Responses",
    model: "gpt-5-mini",
    embeddingModel: "text-embedding-3-small"
  },
  openAiStored: { layer: OpenAi.layer({ apiKey, store: true, heal: true }), protocol: "Responses", model: "gpt-4o" },
  openAiAzure: {
    layer: OpenAi.layer(OpenAi.azure({ apiKey, baseUrl })),
    protocol: "Responses",
    model: "my-deployment"
  },
  openAiBedrock: {
    layer: OpenAi.layer(OpenAi.bedrock({ apiKey, region })),
    protocol: "Responses",
    model: "openai.gpt-oss-120b-1:0"
  },
  openAiChat: {
    layer: OpenAiChat.layer({ apiKey }),
    protocol: "Chat Completions",
    model: "gpt-4o-mini",
    embeddingModel: "text-embedding-3-small"
  },
  groq: {
    layer: OpenAiChat.layer(OpenAiChat.groq({ apiKey })),
    protocol: "Chat Completions",
    model: "openai/gpt-oss-20b"
  },
  openRouter: {
    layer: OpenAiChat.layer(OpenAiChat.openRouter({ apiKey })),
    protocol: "Chat Completions",
    model: "anthropic/claude-sonnet-4.5"
  },
  mistral: {
    layer: OpenAiChat.layer(OpenAiChat.mistral({ apiKey })),
    protocol: "Chat Completions",
    model: "mistral-large-latest",
    embeddingModel: "mistral-embed"
  },
  deepSeek: {
    layer: OpenAiChat.layer(OpenAiChat.deepSeek({ apiKey })),
    protocol: "Chat Completions",
    model: "deepseek-chat"
  },
  together: {
    layer: OpenAiChat.layer(OpenAiChat.together({ apiKey })),
    protocol: "Chat Completions",
    model: "meta-llama/Llama-3.3-70B-Instruct-Turbo"
  },
  vllm: { layer: OpenAiChat.layer(OpenAiChat.vllm({})), protocol: "Chat Completions", model: "Qwen/Qwen3-8B" },
  lmStudio: { layer: OpenAiChat.layer(OpenAiChat.lmStudio({})), protocol: "Chat Completions", model: "qwen3-8b" },
  azure: {
    layer: OpenAiChat.layer(OpenAiChat.azure({ apiKey, baseUrl, deployment: "my-deployment" })),
    protocol: "Chat Completions",
    model: "gpt-4o"
  },
  bedrockChat: {
    layer: OpenAiChat.layer(OpenAiChat.bedrock({ apiKey, region })),
    protocol: "Chat Completions",
    model: "openai.gpt-oss-120b-1:0"
  },
  anthropic: {
    layer: Anthropic.layer({ apiKey, beta: ["context-1m-2025-08-07"], promptCache: "5m" }),
    protocol: "Messages",
    model: "claude-sonnet-4-5"
  },
  anthropicOpus: { layer: Anthropic.layer({ apiKey }), protocol: "Messages", model: "claude-opus-4-1" },
  anthropicVertex: {
    layer: Anthropic.layer(Anthropic.vertex({ apiKey, ...place })),
    protocol: "Messages",
    model: "claude-sonnet-4-5@20250929"
  },
  anthropicBedrock: {
    layer: Anthropic.layer(Anthropic.bedrock({ apiKey, region })),
    protocol: "Messages",
    model: "anthropic.claude-sonnet-4-5-20250929-v1:0"
  },
  gemini: {
    layer: Gemini.layer({ apiKey }),
    protocol: "generateContent",
    model: "gemini-2.5-flash",
    embeddingModel: "gemini-embedding-001"
  },
  gemini3: { layer: Gemini.layer({ apiKey, heal: true }), protocol: "generateContent", model: "gemini-3-pro-preview" },
  geminiVertex: {
    layer: Gemini.layer(Gemini.vertex({ apiKey, ...place })),
    protocol: "generateContent",
    model: "gemini-2.5-pro"
  },
  ollama: {
    layer: Ollama.layer({ keepAlive: "10 minutes" }),
    protocol: "Ollama",
    model: "qwen3",
    embeddingModel: "nomic-embed-text"
  }
}

/** Answers that are none, in the forms of each protocol: status, body and headers. */
export const failures: ReadonlyArray<readonly [status: number, body: unknown, headers?: Record<string, string>]> = [
  [400, {
    error: {
      message: "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
      type: "invalid_request_error",
      param: "messages",
      code: "context_length_exceeded"
    }
  }],
  [400, { type: "error", error: { type: "invalid_request_error", message: "Your credit balance is too low" } }],
  [400, { error: { code: 400, message: "API key not valid.", status: "INVALID_ARGUMENT" } }],
  [401, { error: { message: "Incorrect API key provided: sk-corpus-0123456789abcdef.", code: "invalid_api_key" } }],
  [403, { error: { code: 403, message: "Permission denied", status: "PERMISSION_DENIED" } }],
  [404, { error: "model \"qwen3\" not found, try pulling it first" }],
  [413, "<html><head><title>413 Request Entity Too Large</title></head></html>", { "content-type": "text/html" }],
  [429, { error: { message: "Rate limit reached", type: "tokens", code: "rate_limit_exceeded" } }, {
    "retry-after": "7",
    "x-request-id": "req_1",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-tokens": "1.5s"
  }],
  [429, { error: { message: "You exceeded your current quota", code: "insufficient_quota" } }],
  [429, {
    error: {
      code: 429,
      message: "Resource has been exhausted",
      status: "RESOURCE_EXHAUSTED",
      details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "19s" }]
    }
  }],
  [500, ""],
  [503, { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } }],
  [529, { type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req_2" }],
  [200, { error: { message: "Provider returned error", code: 502 } }],
  [200, "not JSON"],
  [200, {}]
]
