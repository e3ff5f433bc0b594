import type * as LlmRequest from "../domain/LlmRequest.js"

// The names of OpenTelemetry's semantic conventions for generative AI, v0.1.0 of
// https://github.com/open-telemetry/semantic-conventions-genai (docs/gen-ai/client-inference.md, gen-ai-token-metrics.md).
// All of them are in development there, so that they are kept here and nowhere else. Names under `effect_llm.` are ours:
// the conventions have none for them.

/** The attributes of spans and metrics. */
export const attributes = {
  operation: "gen_ai.operation.name",
  provider: "gen_ai.provider.name",
  errorType: "error.type",
  serverAddress: "server.address",
  serverPort: "server.port",
  requestModel: "gen_ai.request.model",
  temperature: "gen_ai.request.temperature",
  maxTokens: "gen_ai.request.max_tokens",
  topP: "gen_ai.request.top_p",
  topK: "gen_ai.request.top_k",
  seed: "gen_ai.request.seed",
  stopSequences: "gen_ai.request.stop_sequences",
  reasoningLevel: "gen_ai.request.reasoning.level",
  stream: "gen_ai.request.stream",
  outputType: "gen_ai.output.type",
  responseId: "gen_ai.response.id",
  responseModel: "gen_ai.response.model",
  dimensions: "gen_ai.embeddings.dimension.count",
  finishReasons: "gen_ai.response.finish_reasons",
  timeToFirstChunk: "gen_ai.response.time_to_first_chunk",
  inputTokens: "gen_ai.usage.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  cacheReadTokens: "gen_ai.usage.cache_read.input_tokens",
  cacheWriteTokens: "gen_ai.usage.cache_write.input_tokens",
  reasoningTokens: "gen_ai.usage.reasoning.output_tokens",
  modality: "gen_ai.token.modality",
  systemInstructions: "gen_ai.system_instructions",
  inputMessages: "gen_ai.input.messages",
  outputMessages: "gen_ai.output.messages",
  toolName: "gen_ai.tool.name",
  toolCallId: "gen_ai.tool.call.id",
  toolType: "gen_ai.tool.type",
  cost: "effect_llm.cost",
  queuedFor: "effect_llm.queued_for",
  contentCut: "effect_llm.content.cut",
  cacheResult: "effect_llm.cache.result",
  budgetScope: "effect_llm.budget.scope",
  target: "effect_llm.target",
  jobId: "effect_llm.job.id",
  jobPass: "effect_llm.job.pass",
  jobFirst: "effect_llm.job.chunk.first"
} as const

/** The metrics. Durations are in seconds. */
export const metrics = {
  duration: "gen_ai.client.inference.duration",
  timeToFirstChunk: "gen_ai.client.inference.time_to_first_chunk",
  timePerOutputChunk: "gen_ai.client.inference.time_per_output_chunk",
  inputTokens: "gen_ai.client.inference.usage.input_tokens",
  outputTokens: "gen_ai.client.inference.usage.output_tokens",
  cacheReadTokens: "gen_ai.client.inference.usage.cache_read.input_tokens",
  cacheWriteTokens: "gen_ai.client.inference.usage.cache_write.input_tokens",
  reasoningTokens: "gen_ai.client.inference.usage.reasoning.output_tokens",
  inputTokensOfCall: "gen_ai.client.inference.operation.input_tokens",
  outputTokensOfCall: "gen_ai.client.inference.operation.output_tokens",
  failures: "effect_llm.failures",
  retries: "effect_llm.retries",
  fallbacks: "effect_llm.fallbacks",
  queueDuration: "effect_llm.queue.duration",
  cacheLookups: "effect_llm.cache.lookups",
  sharedCalls: "effect_llm.shared_calls",
  circuitState: "effect_llm.circuit.state",
  circuitOpenings: "effect_llm.circuit.openings",
  outputRejections: "effect_llm.output.rejections",
  cost: "effect_llm.cost",
  budgetTokensLeft: "effect_llm.budget.tokens.left",
  budgetCostLeft: "effect_llm.budget.cost.left"
} as const

/** The bounds of the buckets for durations, in seconds. */
export const secondsBounds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]

/** The bounds of the buckets for tokens: powers of 4. */
export const tokenBounds = Array.from({ length: 14 }, (_, power) => 4 ** power)

/** A value that stands for all others. */
export const other = "_OTHER"

const providerNames: ReadonlyMap<string, string> = new Map([
  ["azure", "azure.ai.openai"],
  ["bedrock", "aws.bedrock"],
  ["bedrock-anthropic", "aws.bedrock"],
  ["gemini", "gcp.gemini"],
  ["mistral", "mistral_ai"],
  ["moonshot", "moonshot_ai"],
  ["vertex", "gcp.vertex_ai"],
  ["vertex-anthropic", "gcp.vertex_ai"]
])

/** The conventions' name of a provider, or its own where they have none. */
export const providerName = (name: string): string => providerNames.get(name) ?? name

/** The server at an endpoint. */
export interface Server {
  readonly address: string
  readonly port: number
}

/** The server that an endpoint leads to, if it leads to one. */
export const serverOf = (endpoint: string): Server | undefined => {
  if (!URL.canParse(endpoint)) return undefined
  const { hostname, port, protocol } = new URL(endpoint)
  if (hostname === "" || (protocol !== "https:" && protocol !== "http:")) return undefined
  return { address: hostname, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) }
}

/** The attributes of a request that a span has from its beginning, for the decision whether it is sampled. */
export const ofRequest = (
  provider: { readonly name: string; readonly endpoint: string },
  request: LlmRequest.LlmRequest
): Record<string, unknown> => {
  const server = serverOf(provider.endpoint)
  const known: Record<string, unknown> = {
    [attributes.operation]: "chat",
    [attributes.provider]: providerName(provider.name),
    [attributes.requestModel]: request.model
  }
  const add = (name: string, value: unknown): void => {
    if (value !== undefined) known[name] = value
  }
  add(attributes.serverAddress, server?.address)
  add(attributes.serverPort, server?.port)
  add(attributes.temperature, request.temperature)
  add(attributes.maxTokens, request.maxTokens)
  add(attributes.topP, request.topP)
  add(attributes.topK, request.topK)
  add(attributes.seed, request.seed)
  add(attributes.stopSequences, request.stop)
  add(attributes.reasoningLevel, request.reasoningEffort)
  if ((request.outputSchema ?? request.outputFormat) !== undefined) known[attributes.outputType] = "json"
  return known
}
