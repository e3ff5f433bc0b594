/**
 * Another provider where the first one fails: an ordered list of targets, each with its own name of the model, acts as
 * one provider.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import { LlmError, type ReasonTag, TimedOut } from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as AttemptClock from "../../runtime/attemptClock.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as OpenStream from "../openStream.js"
import * as Cooldowns from "./cooldowns.js"
import * as Failover from "./failover.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How to ask a target, and after which failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The target's name of the model. Default: the request's. */
  readonly model?: string | undefined
  /** Other changes to the request for this target. It gets the request with the target's model. */
  readonly mapRequest?: ((request: LlmRequest) => LlmRequest) | undefined
  /**
   * Whether this target is asked after a failure of one before it; the first target is asked in any case. Default: after
   * failures that another provider may not have (`LlmError.canFailOver`).
   *
   * A target for one kind of failure is a route of its own (`Fallback.on`): a model with a longer context after
   * `ContextLengthExceeded`, one with another policy after `ContentFiltered`.
   */
  readonly canFailOver?: ((error: LlmError) => boolean) | undefined
}

/**
 * A provider in its place in the order.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target<E = never, R = never> extends Options {
  readonly layer: Layer.Layer<LlmProvider.LlmProvider, E, R>
}

/**
 * A provider, already built, in its place in the order.
 *
 * @since 0.1.0
 * @category models
 */
export interface BuiltTarget extends Options {
  readonly provider: LlmProvider.Service
}

// ---------------------------------------------------------------------------------------------------------------------
// Falling back
// ---------------------------------------------------------------------------------------------------------------------

/** The fields of a time-out are known to be good. */
const trusted = { disableValidation: true }

const takesOver = ({ canFailOver }: BuiltTarget, error: LlmError): boolean =>
  (canFailOver ?? Failover.canFailOver)(error)

/**
 * Whether a failure has one of these reasons: the `canFailOver` of a route. Other failures pass it by.
 *
 * @since 0.1.0
 * @category predicates
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Fallback, Gemini, OpenAi } from "effect-llm"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Fallback.to(Gemini.layerConfig({ apiKey: Config.redacted("GEMINI_API_KEY") }), {
 *     model: "gemini-2.5-flash",
 *     canFailOver: Fallback.on("ContextLengthExceeded", "ContentFiltered")
 *   })
 * )
 * ```
 */
export const on = (...reasons: Arr.NonEmptyReadonlyArray<ReasonTag>): (error: LlmError) => boolean => {
  const tags: ReadonlySet<ReasonTag> = new Set(reasons)
  return ({ reason }) => tags.has(reason._tag)
}

/**
 * Makes one provider of several. It has the name, the endpoint and the dialect of JSON Schema of the first one: adding a
 * target changes no cache key. Embeddings come from the first one alone: vectors of different models cannot be compared.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (targets: Arr.NonEmptyReadonlyArray<BuiltTarget>): Effect.Effect<LlmProvider.Service> =>
  Effect.sync(() => {
    const [first, ...others] = Arr.map(targets, (target): Member => ({ ...target, cooldowns: Cooldowns.make() }))
    return {
      ...first.provider,
      call: (request) => failOver(first, others, "call", request, (provider, asked) => provider.call(asked)),
      stream: (request) => OpenStream.choose((open) => failOver(first, others, "stream", request, open))
    }
  })

interface Member extends BuiltTarget {
  readonly cooldowns: Cooldowns.Cooldowns
}

const failOver = <A>(
  first: Member,
  others: ReadonlyArray<Member>,
  operation: "call" | "stream",
  request: LlmRequest,
  ask: (provider: LlmProvider.Service, request: LlmRequest) => Effect.Effect<A, LlmError>
): Effect.Effect<A, LlmError> =>
  Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
    const from = (
      target: Member,
      others: ReadonlyArray<Member>,
      before: ReadonlyArray<LlmError>
    ): Effect.Effect<A, LlmError> => {
      const { cooldowns, provider } = target
      const asked = Failover.requestFor(target, request)
      const { model } = asked

      const timedOut = (limit: Duration.Duration) =>
        new LlmError({
          operation,
          model,
          attempts: 1,
          provider: provider.name,
          reason: TimedOut.make({ phase: operation === "call" ? "attempt" : "firstPart", limit }, trusted)
        }, trusted)

      const next = (error: LlmError): Effect.Effect<A, LlmError> => {
        const errors = [...before, ...Failover.errorsOf(error)]
        const index = others.findIndex((other) => takesOver(other, error))
        const other = others[index]
        if (other === undefined) {
          const common = { operation, provider: first.provider.name, model: request.model }
          return Effect.fail(Failover.failed(common, error, errors))
        }
        const to = `${other.provider.name}/${Failover.requestFor(other, request).model}`
        return Effect.zipRight(
          Failover.passOn(attempt, { provider: provider.name, model, to, error }),
          from(other, others.slice(index + 1), errors)
        )
      }

      // Equal shares for all targets that would be asked if this one took too long. The last one has all that is left.
      const inTime = (left: Duration.Duration) => {
        if (!Duration.isFinite(left)) return ask(provider, asked)
        const successors = others.filter((other) => other.canFailOver === undefined || takesOver(other, timedOut(left)))
        const limit = Duration.times(left, 1 / (successors.length + 1))
        return successors.length === 0
          ? ask(provider, asked)
          : AttemptClock.limited({ attempt, limit, onTimeout: () => timedOut(limit) })(ask(provider, asked))
      }

      return Effect.flatMap(Elapsed.now, (now) => {
        const cooling = cooldowns.find(model, now)
        return cooling === undefined
          ? Effect.tapError(Effect.flatMap(attempt.left, inTime), (error) =>
            Effect.map(Elapsed.now, (now) => cooldowns.start(model, error, now)))
          : Effect.fail(cooling)
      }).pipe(Effect.catchAll(next))
    }

    return from(first, others, [])
  })

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Asks another provider where this one fails, each with all policies of its own layer.
 *
 * The time of the attempt is divided, so that a provider that hangs leaves the other one its share: with one target
 * after it, half of the client's `timeout` (of `firstPartTimeout` for a stream). A stream falls back only before its
 * first part.
 *
 * If no other target takes a failure, the call fails with it as it is. If all targets that were asked have failed, the
 * call fails with `AllProvidersFailed`, which has each failure in order. The client retries that if one of the failures
 * may be retried, once the first of their waits is over. The response's `provider` and `model` say who answered; each
 * change is reported as `FellBack`.
 *
 * A target that asks to wait (Retry-After) is skipped meanwhile, for a minute at most; its failure stands for its answer.
 * Embeddings come from the first target alone: vectors of different models cannot be compared.
 *
 * The layers are built once, with that of the provider. A circuit breaker makes a dead provider cost nothing; the last
 * target is best left without one, so that there is always one to ask. `Fallback.on` makes a target for some failures
 * only.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Anthropic, Fallback, OpenAi } from "effect-llm"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Fallback.to(Anthropic.layerConfig({ apiKey: Config.redacted("ANTHROPIC_API_KEY") }), { model: "claude-haiku-4-5" })
 * )
 * ```
 */
export const to: {
  <E2, R2>(
    target: Layer.Layer<LlmProvider.LlmProvider, E2, R2>,
    options?: Options
  ): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E | E2, R | R2>
  <E, R, E2, R2>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    target: Layer.Layer<LlmProvider.LlmProvider, E2, R2>,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E | E2, R | R2>
} = dual(
  (args) => Layer.isLayer(args[1]),
  <E, R, E2, R2>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    target: Layer.Layer<LlmProvider.LlmProvider, E2, R2>,
    options: Options = {}
  ): Layer.Layer<LlmProvider.LlmProvider, E | E2, R | R2> =>
    Failover.combine<Target<E | E2, R | R2>, E | E2, R | R2>([{ layer: self }, { ...options, layer: target }], make)
)

/**
 * Asks several providers in order, each after the failure of those before it: `to` for more than two. The time of the
 * attempt is divided into equal shares.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Anthropic, Fallback, Ollama, OpenAi } from "effect-llm"
 *
 * const Provider = Fallback.order([
 *   { layer: OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }) },
 *   {
 *     layer: Anthropic.layerConfig({ apiKey: Config.redacted("ANTHROPIC_API_KEY") }),
 *     model: "claude-haiku-4-5",
 *     canFailOver: (error) => error.canFailOver || error.reason._tag === "ContentFiltered"
 *   },
 *   { layer: Ollama.layer(), model: "llama3.2" }
 * ])
 * ```
 */
export const order = <const T extends Arr.NonEmptyReadonlyArray<Target<unknown, unknown>>>(
  targets: T
): Layer.Layer<LlmProvider.LlmProvider, Failover.ErrorOf<T[number]>, Failover.ContextOf<T[number]>> =>
  Failover.combine(
    // The errors and needs of a target are among those of all targets.
    targets as Arr.NonEmptyReadonlyArray<Target<Failover.ErrorOf<T[number]>, Failover.ContextOf<T[number]>>>,
    make
  )
