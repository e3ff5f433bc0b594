import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * How the service behind a provider behaves: as it should (`healthy`), or
 *
 * - with an error of its protocol: `unauthorized` (401), `keyQuoted` (401 whose message quotes the key), `forbidden`
 *   (403), `unknownModel` (404), `badRequest` (400), `rateLimited` (429, Retry-After 7 seconds), `outOfCredit`,
 *   `overloaded` (503 or 529), `serverError` (500);
 * - with status 200 and no answer: `html`, `halfJson`, `emptyBody`;
 * - by breaking the connection before it answers (`reset`), or never answering (`silence`);
 * - in the middle of a stream, after at least one part: by breaking the connection (`cutStream`), ending without the
 *   protocol's end (`endlessStream`), telling that it failed (`errorInStream`), or falling silent
 *   (`stalledStream`).
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
  /** Has the service behave like this from now on. */
  readonly provoke: (situation: Situation) => Effect.Effect<void>
  /** How many requests it has received so far. */
  readonly received: Effect.Effect<number>
  /** How many of them the provider has left before they were answered. */
  readonly aborted: Effect.Effect<number>
  /** What no error may show: the provider's key. */
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
 * The harness of a service that can neither be provoked nor watched: the real one. Use it with `situations: []`.
 *
 * @since 0.1.0
 * @category layers
 */
export const unobserved: Layer.Layer<Harness> = Layer.succeed(Harness, {
  provoke: (situation) =>
    situation === "healthy" ? Effect.void : Effect.dieMessage(`This service cannot be provoked to: ${situation}`),
  received: Effect.succeed(0),
  aborted: Effect.succeed(0),
  secrets: []
})
