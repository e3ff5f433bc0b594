/**
 * Whoever answers requests: one attempt at a time, without any policy. Timeouts, retries, caching and logging are the
 * client's; limits, breakers and fallbacks wrap a provider in another one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { LlmError } from "./domain/LlmError.js"
import type { LlmRequest } from "./domain/LlmRequest.js"
import type { LlmResponse } from "./domain/LlmResponse.js"
import * as StreamPart from "./domain/StreamPart.js"

/**
 * What a provider can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The provider's name, as telemetry and cache keys have it: "openai", "anthropic" ... */
  readonly name: string
  /** The address that requests go to. Two endpoints never share cached answers. */
  readonly endpoint: string
  /** Sends the request once and reads the whole answer. Interrupting it aborts the request. */
  readonly call: (request: LlmRequest) => Effect.Effect<LlmResponse, LlmError>
  /**
   * Sends the request once and gives the answer as it comes: exactly one `Finish`, last, or a failure. Closing the
   * stream aborts the request.
   */
  readonly stream: (request: LlmRequest) => Stream.Stream<StreamPart.StreamPart, LlmError>
}

/**
 * Whoever answers requests.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmProvider extends Context.Tag("effect-llm/LlmProvider")<LlmProvider, Service>() {}

/**
 * Makes a provider. One without `stream` streams each answer once it is whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Omit<Service, "stream"> & { readonly stream?: Service["stream"] | undefined }
): Service => ({
  ...options,
  stream: options.stream ??
    ((request) =>
      Stream.flattenIterables(Stream.map(Stream.fromEffect(options.call(request)), StreamPart.fromResponse)))
})

/**
 * Provides a provider of your own making.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmProvider, LlmResponse, Message } from "effect-llm"
 *
 * const Shouting = LlmProvider.layer({
 *   name: "shouting",
 *   endpoint: "memory:",
 *   call: (request) =>
 *     Effect.succeed(LlmResponse.make({
 *       parts: [Message.Text.make({ text: request.prompt.toUpperCase() })],
 *       finishReason: "stop",
 *       model: request.model,
 *       provider: "shouting"
 *     }))
 * })
 * ```
 */
export const layer = (options: Parameters<typeof make>[0]): Layer.Layer<LlmProvider> =>
  Layer.succeed(LlmProvider, make(options))
