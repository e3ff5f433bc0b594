/**
 * @since 0.1.0
 */
export * as Anthropic from "./providers/Anthropic.js"
export * as CacheKey from "./domain/CacheKey.js"
export * as KeyValueCache from "./stores/KeyValueCache.js"
export * as LlmCache from "./LlmCache.js"
export * as LlmClient from "./LlmClient.js"
export * as LlmError from "./domain/LlmError.js"
export * as LlmEvent from "./domain/LlmEvent.js"
export * as LlmLogger from "./LlmLogger.js"
export * as LlmProvider from "./LlmProvider.js"
export * as LlmRequest from "./domain/LlmRequest.js"
export * as LlmResponse from "./domain/LlmResponse.js"
export * as Message from "./domain/Message.js"
export * as OpenAiChat from "./providers/OpenAiChat.js"
export * as RetryPolicy from "./policy/RetryPolicy.js"
export * as SingleFlight from "./policy/SingleFlight.js"
export * as StreamPart from "./domain/StreamPart.js"
