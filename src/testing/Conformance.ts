/**
 * What every provider promises, as checks that any `LlmProvider` layer can run under any test runner: about calls,
 * streams, errors, secrets and interruption.
 *
 * A check provokes what it needs: it has the service behind the provider fail, break off or fall silent, and counts what
 * comes to it. The simulator is such a service (`simulated`); for a protocol that it does not speak, a `Harness` of your
 * own says how yours is brought to do so. Checks of one harness run one after the other, never at once.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmProvider } from "../LlmProvider.js"
import { calls } from "./conformance/calls.js"
import type { Check, Entry } from "./conformance/check.js"
import { errors } from "./conformance/errors.js"
import type { Harness, Situation } from "./conformance/harness.js"
import { interruption } from "./conformance/interruption.js"
import { streams } from "./conformance/streams.js"

export { type Check, Violation } from "./conformance/check.js"
export { Harness, type HarnessService, type Situation, unobserved } from "./conformance/harness.js"
export { simulated } from "./conformance/simulated.js"

/**
 * What a provider, its model and its harness can do. What they cannot is not checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities {
  /** It streams. Default: true. */
  readonly streaming?: boolean | undefined
  /** It calls tools. Default: true. */
  readonly tools?: boolean | undefined
  /** It tells how many tokens were used. Default: true. */
  readonly usage?: boolean | undefined
  /** It keeps to a token limit. Default: true. */
  readonly maxTokens?: boolean | undefined
  /** It gives the same answer to the same request, as models on the network hardly do. Default: true. */
  readonly deterministic?: boolean | undefined
  /**
   * What the harness can provoke. Default: everything. With none, only that is checked which holds of a service that is
   * left alone.
   */
  readonly situations?: ReadonlyArray<Situation> | undefined
}

/**
 * What is checked, and by which requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The provider's name of a model. */
  readonly model: string
  readonly capabilities?: Capabilities | undefined
  /** A prompt that is answered with a few sentences. Default: one that asks for some to be repeated. */
  readonly prompt?: string | undefined
}

const sentences = "Echo: The Elbe rises in the Giant Mountains and flows through Dresden. " +
  "It passes Magdeburg and Hamburg on its way. After a thousand kilometres it comes to the North Sea."

const weather: LlmRequest.Tool = {
  name: "weather",
  description: "Tells the weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false
  }
}

/**
 * The checks of a provider, in an order that goes from the plain to the odd.
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
export const checks = ({ capabilities = {}, model, prompt = sentences }: Options): ReadonlyArray<Check> => {
  const { situations } = capabilities
  const isListed = ({ name, needs: { capability, counts = false, situation = "healthy" } }: Entry): boolean =>
    (capability === undefined || capabilities[capability] !== false) &&
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
  return [...calls(requests), ...streams(requests), ...errors(text), ...interruption(text)]
    .filter(isListed)
    .map(({ check, name }) => ({ check, name }))
}

/**
 * Hands each check to the `it` or `test` of a runner that takes a name and a function that gives a promise: vitest,
 * node:test, bun:test, Jest. The layer is built anew for each check.
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
