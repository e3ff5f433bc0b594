import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Stream from "effect/Stream"
import {
  type ContextOf,
  type EffectOrStream,
  type ErrorOf,
  isStream,
  type SuccessOf,
  type With
} from "../internal/effectOrStream.js"
import { isLlmError, type LlmError, type Reason, type ReasonOf, type ReasonTag } from "./error.js"

/**
 * Handles the failures with one reason; all others pass. The handler of an effect gives an effect, and that of a stream a
 * stream, or an effect whose value is the stream's last element.
 *
 * @since 0.1.0
 * @category error handling
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { LlmClient, LlmError } from "effect-llm"
 *
 * const answer = LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   Effect.map((response) => response.text),
 *   LlmError.catchReason("ContentFiltered", () => Effect.succeed("(filtered)"))
 * )
 *
 * const streamed = LlmClient.streamText({ model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   LlmError.catchReason("StreamInterrupted", () => Stream.make(" (broken off)"))
 * )
 * ```
 */
export const catchReason: {
  <const Tag extends ReasonTag, Handled extends EffectOrStream>(
    tag: Tag,
    f: (reason: ReasonOf<Tag>, error: LlmError) => Handled
  ): <Self extends EffectOrStream>(self: Self) => Recovered<Self, Handled>
  <Self extends EffectOrStream, const Tag extends ReasonTag, Handled extends EffectOrStream>(
    self: Self,
    tag: Tag,
    f: (reason: ReasonOf<Tag>, error: LlmError) => Handled
  ): Recovered<Self, Handled>
} = dual(
  3,
  <Tag extends ReasonTag>(
    self: EffectOrStream,
    tag: Tag,
    f: (reason: ReasonOf<Tag>, error: LlmError) => EffectOrStream
  ): EffectOrStream => recover(self, (error) => hasReason(error, tag) ? f(error.reason, error) : undefined)
)

/** An effect or a stream with the results of a handler of its failures. An effect takes no handler that gives a stream. */
type Recovered<Self, Handled> = [Self] extends [Effect.Effect<unknown, unknown, unknown>]
  ? [Handled] extends [Effect.Effect<unknown, unknown, unknown>]
    ? With<Self, SuccessOf<Handled>, ErrorOf<Handled>, ContextOf<Handled>>
  : "The handler of an effect gives an effect, and not a stream"
  : With<Self, SuccessOf<Handled>, ErrorOf<Handled>, ContextOf<Handled>>

const hasReason = <Tag extends ReasonTag>(
  error: LlmError,
  tag: Tag
): error is LlmError & { readonly reason: ReasonOf<Tag> } => error.reason._tag === tag

/** Goes on with what a handler gives; a failure for which it gives nothing stays. */
const recover = (
  self: EffectOrStream,
  handle: (error: LlmError) => EffectOrStream | undefined
): EffectOrStream => {
  const handled = (error: unknown) => isLlmError(error) ? handle(error) : undefined
  if (isStream(self)) {
    return Stream.catchAll(self, (error) => {
      const next = handled(error)
      return next === undefined ? Stream.fail(error) : isStream(next) ? next : Stream.fromEffect(next)
    })
  }
  return Effect.catchAll(self, (error) => {
    const next = handled(error)
    if (next === undefined) return Effect.fail(error)
    return isStream(next) ? Effect.dieMessage("The handler of an effect gives an effect, and not a stream") : next
  })
}

type Handler<Tag extends ReasonTag> = (reason: ReasonOf<Tag>, error: LlmError) => EffectOrStream

type Handlers = { readonly [Tag in ReasonTag]?: Handler<Tag> | undefined }

/** A key that is not the name of a reason does not compile. */
type OnlyReasons<Cases> = { readonly [Key in Exclude<keyof Cases, ReasonTag>]: never }

type Handled<Cases> = {
  [Tag in keyof Cases]: Cases[Tag] extends (...args: never) => infer Result ? Result : never
}[keyof Cases]

/**
 * Handles the failures with several reasons, each by its own function; all others pass. The handlers give what that of
 * `catchReason` gives.
 *
 * @since 0.1.0
 * @category error handling
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient, LlmError } from "effect-llm"
 *
 * const answer = LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   Effect.map((response) => response.text),
 *   LlmError.catchReasons({
 *     ContentFiltered: () => Effect.succeed("(filtered)"),
 *     QuotaExhausted: (reason) => Effect.die(reason.message)
 *   })
 * )
 * ```
 */
export const catchReasons: {
  <const Cases extends Handlers>(
    cases: Cases & OnlyReasons<Cases>
  ): <Self extends EffectOrStream>(self: Self) => Recovered<Self, Handled<Cases>>
  <Self extends EffectOrStream, const Cases extends Handlers>(
    self: Self,
    cases: Cases & OnlyReasons<Cases>
  ): Recovered<Self, Handled<Cases>>
} = dual(
  2,
  (self: EffectOrStream, cases: Handlers): EffectOrStream =>
    recover(self, (error) => {
      const handler = cases[error.reason._tag] as
        | ((reason: Reason, error: LlmError) => EffectOrStream)
        | undefined
      return handler?.(error.reason, error)
    })
)
