/**
 * The promises of every provider, as checks of an `LlmProvider` layer that run under any test runner: about calls,
 * streams, errors, secrets and interruption.
 *
 * A check makes the service behind the provider fail, break off or fall silent, and counts the requests that reach it. The
 * simulator is such a service (`simulated`). For a protocol that it does not speak, write a `Harness` that controls your
 * service. Run the checks of one harness one after the other.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmProvider } from "../LlmProvider.js"
import { batches } from "./conformance/batches.js"
import { calls } from "./conformance/calls.js"
import type { Check, Entry } from "./conformance/check.js"
import { embeddings } from "./conformance/embeddings.js"
import { errors } from "./conformance/errors.js"
import type { Harness, Situation } from "./conformance/harness.js"
import { interruption } from "./conformance/interruption.js"
import { providerTools as ofProviderTools, type ProviderToolUse } from "./conformance/providerTools.js"
import { streams } from "./conformance/streams.js"

export { type Check, Violation } from "./conformance/check.js"
export { Harness, type HarnessService, type Situation, unobserved } from "./conformance/harness.js"
export type { ProviderToolUse } from "./conformance/providerTools.js"
export { recorded, type RecordedCheck, type Recording } from "./conformance/recorded.js"
export { simulated } from "./conformance/simulated.js"

/**
 * The abilities of a provider, its model and its harness. Checks that need a missing ability are left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities {
  /** The provider streams. Default: true. */
  readonly streaming?: boolean | undefined
  /** The model calls tools. Default: true. */
  readonly tools?: boolean | undefined
  /** The model sees images in the results of its tools. Default: as `tools`. */
  readonly toolImages?: boolean | undefined
  /** The provider reports token counts. Default: true. */
  readonly usage?: boolean | undefined
  /** The model keeps to a token limit. Default: true. */
  readonly maxTokens?: boolean | undefined
  /** Equal requests get equal answers, which hardly any real model guarantees. Default: true. */
  readonly deterministic?: boolean | undefined
  /**
   * The situations that the harness can provoke. Default: all. With an empty list, only the checks of a healthy service
   * that count no requests are left.
   */
  readonly situations?: ReadonlyArray<Situation> | undefined
}

/**
 * The model and the prompt of the checks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The name of a model, as the provider calls it. */
  readonly model: string
  /** The name of a model for embeddings, as the provider calls it. Default: the checks of `embed` are left out. */
  readonly embeddingModel?: string | undefined
  /** The tools that the provider runs and the model uses, each on its own. Default: none, their checks are left out. */
  readonly providerTools?: ReadonlyArray<ProviderToolUse> | undefined
  /** Whether the provider has batches, and they end soon. Default: false, the checks of `batches` are left out. */
  readonly batches?: boolean | undefined
  /** Default: everything that a provider can do. */
  readonly capabilities?: Capabilities | undefined
  /** A prompt that is answered with a few sentences. Default: one that asks the model to repeat three. */
  readonly prompt?: string | undefined
}

const sentences = "Echo: The Elbe rises in the Giant Mountains and flows through Dresden. " +
  "It passes Magdeburg and Hamburg on its way. After a thousand kilometres it comes to the North Sea."

const weather: LlmRequest.Tool = {
  name: "weather",
  description: "The weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false
  }
}

/**
 * The checks of a provider, from plain calls to interruption.
 *
 * @since 0.1.0
 * @category checks
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { layer } from "@effect/vitest"
 * import { Layer } from "effect"
 * import { OpenAiChat } from "effect-llm"
 * import { Conformance } from "effect-llm/testing"
 * import { createServer } from "node:http"
 *
 * const provider = Conformance.simulated(({ apiKey, url }) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` })).pipe(
 *   Layer.provide(FetchHttpClient.layer),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
 * )
 *
 * layer(provider)("OpenAiChat", (it) => {
 *   for (const { check, name } of Conformance.checks({ model: "gpt-4o-mini" })) it.effect(name, () => check)
 * })
 * ```
 */
export const checks = (
  {
    batches: hasBatches = false,
    capabilities = {},
    embeddingModel,
    model,
    prompt = sentences,
    providerTools = []
  }: Options
): ReadonlyArray<Check> => {
  const { situations } = capabilities
  const able = { ...capabilities, toolImages: capabilities.toolImages ?? capabilities.tools }
  const isListed = ({ name, needs: { capability, counts = false, situation = "healthy" } }: Entry): boolean =>
    (capability === undefined || able[capability] !== false) &&
    (capabilities.streaming !== false || !name.startsWith("stream")) &&
    (situations === undefined || situation === "healthy" || situations.includes(situation)) &&
    !(counts && situations?.length === 0)

  const text: LlmRequest.Input = { model, prompt }
  const tool: LlmRequest.Input = {
    model,
    prompt: "What is the weather in Dresden? Use the tool.",
    tools: [weather],
    toolChoice: "required"
  }
  const requests = { text, tool }
  const vectors = embeddingModel === undefined ? [] : embeddings(embeddingModel)
  const served = ofProviderTools(model, providerTools)
  const batched = hasBatches ? batches({ model, prompt }) : []
  return [
    ...calls(requests),
    ...streams(requests),
    ...errors(text),
    ...interruption(text),
    ...vectors,
    ...served,
    ...batched
  ]
    .filter(isListed)
    .map(({ check, name }) => ({ check, name }))
}

/**
 * Registers each check with the `it` or `test` of a runner that takes a name and an async function: vitest, node:test,
 * bun:test, Jest. The layer is built anew for each check.
 *
 * @since 0.1.0
 * @category checks
 * @example
 * ```ts no-check
 * import { test } from "node:test"
 *
 * Conformance.register(test, provider, { model: "gpt-4o-mini" })
 * ```
 */
export const register = <E>(
  test: (name: string, run: () => Promise<void>) => unknown,
  provider: Layer.Layer<LlmProvider | Harness, E>,
  options: Options
): void => {
  for (const { check, name } of checks(options)) {
    test(name, () => Effect.runPromise(Effect.provide(check, provider)))
  }
}
