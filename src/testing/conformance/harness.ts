import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * The behaviour of the service behind a provider: it answers as it should (`healthy`), or fails
 *
 * - with an error of its protocol: `unauthorized` (401), `keyQuoted` (401 whose message quotes the key), `forbidden`
 *   (403), `unknownModel` (404), `badRequest` (400), `rateLimited` (429, Retry-After 7 seconds), `outOfCredit`,
 *   `overloaded` (503 or 529), `serverError` (500);
 * - with status 200 and no answer: `html`, `halfJson`, `emptyBody`;
 * - by breaking the connection before it answers (`reset`), or never answering (`silence`);
 * - in the middle of a stream, after at least one part: by breaking the connection (`cutStream`), ending without the
 *   protocol's end (`endlessStream`), reporting an error (`errorInStream`), or falling silent (`stalledStream`).
 *
 * @since 0.1.0
 * @category models
 */
export type Situation =
  | "healthy"
  | "unauthorized"
  | "keyQuoted"
  | "forbidden"
  | "unknownModel"
  | "badRequest"
  | "rateLimited"
  | "outOfCredit"
  | "overloaded"
  | "serverError"
  | "html"
  | "halfJson"
  | "emptyBody"
  | "reset"
  | "silence"
  | "cutStream"
  | "endlessStream"
  | "errorInStream"
  | "stalledStream"

/**
 * The service behind the provider that is checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface HarnessService {
  /** Makes the service behave like this from now on. */
  readonly provoke: (situation: Situation) => Effect.Effect<void>
  /** The number of requests that the service has received so far. */
  readonly received: Effect.Effect<number>
  /** The number of requests that the provider aborted before they were answered. */
  readonly aborted: Effect.Effect<number>
  /** Texts that no error may show: the provider's key. */
  readonly secrets: ReadonlyArray<string>
}

/**
 * The service behind the provider that is checked.
 *
 * @since 0.1.0
 * @category services
 */
export class Harness extends Context.Tag("effect-llm/testing/Conformance/Harness")<Harness, HarnessService>() {}

/**
 * The harness of a service that can be neither provoked nor watched, such as a real one. Use it with `situations: []`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Config, Layer } from "effect"
 * import { OpenAiChat } from "effect-llm"
 * import { Conformance } from "effect-llm/testing"
 *
 * const provider = OpenAiChat.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Layer.provide(FetchHttpClient.layer),
 *   Layer.merge(Conformance.unobserved)
 * )
 * const checks = Conformance.checks({ model: "gpt-4o-mini", capabilities: { deterministic: false, situations: [] } })
 * ```
 */
export const unobserved: Layer.Layer<Harness> = Layer.succeed(Harness, {
  provoke: (situation) =>
    situation === "healthy" ? Effect.void : Effect.dieMessage(`This service cannot be provoked to: ${situation}`),
  received: Effect.succeed(0),
  aborted: Effect.succeed(0),
  secrets: []
})
