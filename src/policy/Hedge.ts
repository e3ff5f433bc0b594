/**
 * A second request where the first one takes long: whichever answers first wins. It cuts off the slowest answers for a
 * bounded share of extra requests.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual, identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import * as Check from "../domain/options.js"
import * as LlmProvider from "../LlmProvider.js"
import * as AttemptTime from "./attemptTime.js"
import * as OpenStream from "./openStream.js"
import * as RetryBudget from "./retryBudget.js"

/**
 * How much to hedge.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * How many second requests there may be in proportion to attempts, from 0 to 1, for each model. They must have been
   * saved up: with 0.1, the first nine attempts have none, and no ten later ones have more than three. Default: 0.1.
   */
  readonly maxExtraLoad?: number | undefined
}

/**
 * Makes a provider that hedges its requests. Options that make no sense are a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  provider: LlmProvider.Service,
  delay: Duration.DurationInput,
  options: Options = {}
): Effect.Effect<LlmProvider.Service> =>
  Effect.sync(() => {
    const wait = Check.duration("delay", delay)
    const ratio = Check.finite("maxExtraLoad", options.maxExtraLoad ?? 0.1, 0)
    if (ratio > 1) return Check.invalidOption("maxExtraLoad", "at most 1", ratio)
    const budget = RetryBudget.make({ ratio, minimum: 0 })

    /** `discard` undoes a result that came too late to be used. */
    const hedged = <A>(
      model: string,
      send: Effect.Effect<A, LlmError>,
      discard: (result: A) => Effect.Effect<void>
    ): Effect.Effect<A, LlmError> =>
      Effect.gen(function*() {
        budget.deposit(model)
        const attempt = yield* LlmProvider.CurrentAttempt
        const time = yield* AttemptTime.make(wait)
        let isHedged = false

        const first = Effect.provideService(send, LlmProvider.CurrentAttempt, {
          ...attempt,
          // Whoever waits for a turn needs no second request; and where there is one, the attempt goes on.
          queued: <B, E, R>(turn: Effect.Effect<B, E, R>) => isHedged ? turn : time.queued(attempt.queued(turn))
        })

        const second = Effect.zipRight(
          time.passed,
          Effect.suspend(() => {
            if (!budget.withdraw(model)) return Effect.never
            isHedged = true
            return Effect.zipRight(
              attempt.countRequest,
              Effect.provideService(send, LlmProvider.CurrentAttempt, { ...attempt, queued: identity })
            )
          })
        )

        const decide = (
          exit: Exit.Exit<A, LlmError>,
          other: Fiber.Fiber<A, LlmError>
        ): Effect.Effect<A, LlmError> =>
          isHedged && Exit.isFailure(exit) && Cause.isFailure(exit.cause)
            ? Effect.flatMap(Fiber.await(other), (last) => Exit.isSuccess(last) ? last : exit)
            : Effect.flatMap(
              Fiber.interrupt(other),
              (lost) => Exit.isSuccess(lost) ? Effect.zipRight(discard(lost.value), exit) : exit
            )

        // An interruption from outside reaches both requests, and is over when they are.
        return yield* Effect.uninterruptibleMask((restore) =>
          Effect.raceWith(restore(first), restore(second), { onSelfDone: decide, onOtherDone: decide })
        )
      })

    return {
      ...provider,
      call: (request) => hedged(request.model, Effect.suspend(() => provider.call(request)), () => Effect.void),
      stream: (request) =>
        Stream.unwrapScoped(Effect.flatMap(Effect.scope, (scope) =>
          Effect.map(
            hedged(request.model, OpenStream.open(provider, request, scope), ({ close }) => close),
            ({ parts }) => parts
          )))
    }
  })

/**
 * Sends a second request where the first has no answer after `delay` (for a stream: no part of one), and takes what
 * comes first. The other one is interrupted and its connection closed before the answer is given out. Where the first
 * request fails before that, there is no second; where both fail, the failure is that which came first.
 *
 * A good delay is one that few answers exceed: the 95th percentile of the time to the first part. Both requests may be
 * billed, so it is off unless asked for, and `maxExtraLoad` bounds it. Not for requests that must not be made twice.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Hedge, OpenAi } from "effect-llm"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Hedge.after("3 seconds", { maxExtraLoad: 0.05 })
 * )
 * ```
 */
export const after: {
  (delay: Duration.DurationInput, options?: Options): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    delay: Duration.DurationInput,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R>
} = dual(
  (args) => Layer.isLayer(args[0]),
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    delay: Duration.DurationInput,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R> =>
    Layer.provide(
      Layer.effect(
        LlmProvider.LlmProvider,
        Effect.flatMap(LlmProvider.LlmProvider, (provider) => make(provider, delay, options))
      ),
      self
    )
)
