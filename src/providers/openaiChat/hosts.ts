import type { ServiceTier } from "../../domain/LlmRequest.js"
import type { OutputMode, SchemaDialect } from "../../LlmProvider.js"

/**
 * The differences between services in the requests that they take. Differences in their answers are not listed here:
 * the decoder reads all of them.
 */
export interface Capabilities {
  /** The field that limits the answer: OpenAI renamed it, most others did not. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
  /** The role of instructions. */
  readonly systemRole: "system" | "developer"
  /** The models that get temperature 0 by default: every one, or only those that are known to take it. */
  readonly sampling: "everyModel" | "knownModels"
  /** Whether `top_k` is a field of the service. */
  readonly topK: boolean
  /** The field that makes sampling repeatable. */
  readonly seedField: "seed" | "random_seed"
  /** Whether `user` is a field of the service. */
  readonly user: boolean
  /** The tool choice that makes the model call a tool. */
  readonly requiredToolChoice: "required" | "any"
  /**
   * Whether the result of a tool may have images and files. Elsewhere they follow in a message of the user, which Mistral
   * refuses there.
   */
  readonly toolResultParts: boolean
  /** The ids of tool calls that the service takes. Others are replaced, in the same way in call and result. */
  readonly toolCallIds: "any" | "nineAlphanumerics"
  /**
   * The place of the schema of the answer in a request: `json_schema`, to which the service holds the model;
   * `json_object` (any JSON) with the schema in the instructions; or the instructions only.
   */
  readonly outputSchema: "json_schema" | "json_object" | "instructions"
  /** Whether a model that is held to a schema for its answer can call tools before it. Many services refuse both. */
  readonly schemaBesideTools: boolean
  /** Whether the service has a mode for any JSON, `json_object`. */
  readonly jsonMode: boolean
  /**
   * The reasoning of earlier turns that goes back: none; its text, with each turn of a conversation with tools
   * (DeepSeek and Kimi answer 400 otherwise); or OpenRouter's `reasoning_details`, unchanged.
   */
  readonly reasoningEcho: "none" | "reasoning_content" | "reasoning_details"
  /**
   * The further fields of an answer's message that the service wants back. Others are kept in the answer, and not sent:
   * services answer 400 to fields that they do not know.
   */
  readonly messageFields: ReadonlyArray<string>
  /** Whether tool calls carry Gemini's thought signatures, which the service wants back. */
  readonly thoughtSignatures: boolean
  /** Whether a stream asks for its usage by `stream_options`. */
  readonly streamUsage: boolean
  /** Whether a stream may end with `[DONE]` and no finish reason, as with some proxies. */
  readonly doneIsTerminal: boolean
  /** The service's names of its tiers. */
  readonly serviceTiers: { readonly [Tier in ServiceTier]?: string }
  /** Whether `parallel_tool_calls` is a field of the service. */
  readonly parallelToolCalls: boolean
  /** Whether `verbosity` is a field of the service. */
  readonly verbosity: boolean
  /** The way to show the model's thoughts: by a field, in any case, or never. */
  readonly reasoningSummary: "include_reasoning" | "always" | "never"
  /** The way to cache prompts: by OpenAI's fields, by Anthropic's, or in the service's own way. */
  readonly promptCache: "openai" | "cache_control" | "own"
  /** Whether the service has OpenAI's batch API: `/files` and `/batches`. */
  readonly batches: boolean
  /** The form of vectors: base64, a quarter of the size, or the service's own. */
  readonly embeddingFormat: "base64" | "own"
}

/** A service that speaks the protocol. */
export interface Host {
  readonly name: string
  readonly baseUrl: string
  readonly capabilities: Capabilities
}

/** OpenAI's names of its tiers. */
const tiers: Capabilities["serviceTiers"] = { auto: "auto", standard: "default", flex: "flex", priority: "priority" }

/** The settings that OpenAI brought into the protocol, for a service without any of them. */
const plain = {
  serviceTiers: {},
  parallelToolCalls: false,
  verbosity: false,
  promptCache: "own"
} as const

/** The expectations of any service that speaks the protocol. */
const compatible: Capabilities = {
  maxTokensField: "max_tokens",
  systemRole: "system",
  sampling: "everyModel",
  topK: true,
  seedField: "seed",
  user: true,
  requiredToolChoice: "required",
  toolResultParts: false,
  toolCallIds: "any",
  outputSchema: "json_schema",
  schemaBesideTools: false,
  jsonMode: true,
  reasoningEcho: "none",
  messageFields: [],
  thoughtSignatures: false,
  streamUsage: true,
  doneIsTerminal: false,
  serviceTiers: tiers,
  parallelToolCalls: true,
  verbosity: true,
  reasoningSummary: "always",
  promptCache: "openai",
  batches: false,
  embeddingFormat: "own"
}

export const openAi: Host = {
  name: "openai",
  baseUrl: "https://api.openai.com/v1",
  capabilities: {
    ...compatible,
    maxTokensField: "max_completion_tokens",
    sampling: "knownModels",
    topK: false,
    schemaBesideTools: true,
    reasoningSummary: "never",
    batches: true,
    embeddingFormat: "base64"
  }
}

export const groq: Host = {
  name: "groq",
  baseUrl: "https://api.groq.com/openai/v1",
  capabilities: {
    ...compatible,
    ...plain,
    maxTokensField: "max_completion_tokens",
    topK: false,
    serviceTiers: { auto: "auto", standard: "on_demand", flex: "flex", priority: "performance" },
    parallelToolCalls: true,
    reasoningSummary: "include_reasoning",
    batches: true
  }
}

export const openRouter: Host = {
  name: "openrouter",
  baseUrl: "https://openrouter.ai/api/v1",
  capabilities: {
    ...compatible,
    reasoningEcho: "reasoning_details",
    reasoningSummary: "include_reasoning",
    promptCache: "cache_control"
  }
}

/** Answers 422 to fields that it does not know. */
export const mistral: Host = {
  name: "mistral",
  baseUrl: "https://api.mistral.ai/v1",
  capabilities: {
    ...compatible,
    ...plain,
    parallelToolCalls: true,
    topK: false,
    seedField: "random_seed",
    user: false,
    requiredToolChoice: "any",
    toolResultParts: true,
    toolCallIds: "nineAlphanumerics",
    streamUsage: false
  }
}

export const deepSeek: Host = {
  name: "deepseek",
  baseUrl: "https://api.deepseek.com",
  capabilities: {
    ...compatible,
    ...plain,
    topK: false,
    outputSchema: "json_object",
    reasoningEcho: "reasoning_content"
  }
}

export const together: Host = {
  name: "together",
  baseUrl: "https://api.together.xyz/v1",
  capabilities: { ...compatible, ...plain }
}

/** It ignores fields that it does not know. */
export const vllm: Host = {
  name: "vllm",
  baseUrl: "http://127.0.0.1:8000/v1",
  capabilities: { ...compatible, ...plain, parallelToolCalls: true, reasoningSummary: "include_reasoning" }
}

export const lmStudio: Host = {
  name: "lmstudio",
  baseUrl: "http://127.0.0.1:1234/v1",
  capabilities: { ...compatible, ...plain, jsonMode: false }
}

const gemini: Host = {
  name: "gemini",
  baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
  // The signature of an answer without calls is on the message.
  capabilities: { ...compatible, ...plain, topK: false, thoughtSignatures: true, messageFields: ["extra_content"] }
}

/** Kimi, at its two addresses. */
const moonshot: ReadonlyArray<Host> = ["https://api.moonshot.ai/v1", "https://api.moonshot.cn/v1"].map((baseUrl) => ({
  name: "moonshot",
  baseUrl,
  capabilities: { ...compatible, ...plain, topK: false, reasoningEcho: "reasoning_content" }
}))

const known: ReadonlyMap<string, Capabilities> = new Map(
  [openAi, groq, openRouter, mistral, deepSeek, together, gemini, ...moonshot].map((host) => [
    new URL(host.baseUrl).hostname,
    host.capabilities
  ])
)

/** The expectations of the service at an address. */
export const capabilitiesOf = (hostname: string): Capabilities =>
  /\.azure\.com$/.test(hostname) ? openAi.capabilities : known.get(hostname) ?? compatible

/** The dialect of JSON Schema that a service takes. */
export const schemaDialectOf = ({ outputSchema }: Capabilities): SchemaDialect =>
  outputSchema === "json_schema" ? "openai" : "plain"

/**
 * The best way to ask a model of a service for JSON that fits a schema, and the best way if it may call tools first.
 */
export const outputModeOf = (
  { outputSchema, schemaBesideTools }: Capabilities,
  ofModel: OutputMode | undefined,
  besideTools = false
): OutputMode => {
  if (besideTools && !schemaBesideTools && outputSchema !== "instructions") return "tool"
  switch (outputSchema) {
    case "json_schema":
      return ofModel ?? "native"
    case "json_object":
      return "json"
    case "instructions":
      return "prompt"
  }
}
