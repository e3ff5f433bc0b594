/**
 * Another provider when the first one fails: an ordered list of targets, each with its own name for the model, acts as
 * one provider.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual, identity } from "effect/Function"
import * as Layer from "effect/Layer"
import { LlmError, type ReasonTag, TimedOut } from "../../domain/LlmError.js"
import type { LlmRequest, Settings } from "../../domain/LlmRequest.js"
import type { FinishReason, LlmResponse } from "../../domain/LlmResponse.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as AttemptClock from "../../runtime/attemptClock.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as TargetSpan from "../../telemetry/targetSpan.js"
import * as OpenStream from "../openStream.js"
import * as StandingAnswer from "../standingAnswer.js"
import * as TargetRequest from "../targetRequest.js"
import * as Cooldowns from "./cooldowns.js"
import * as Failover from "./failover.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The request for a target, and the failures and answers after which it is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The target's name for the model. Default: the request's. */
  readonly model?: string | undefined
  /** Settings of this target's requests, on top of the request's own. Default: none. */
  readonly settings?: Settings | undefined
  /** Other changes to the request for this target. It gets the request with the target's model and settings. */
  readonly mapRequest?: ((request: LlmRequest) => LlmRequest) | undefined
  /**
   * Whether this target is asked after a failure of one before it; the first target is asked in any case. Default: after
   * failures that another provider may not have (`LlmError.canFailOver`).
   *
   * `Fallback.on` makes a route for one kind of failure: a model with a longer context after `ContextLengthExceeded`,
   * or one with another content policy after `ContentFiltered`.
   */
  readonly canFailOver?: ((error: LlmError) => boolean) | undefined
  /**
   * Whether this target is asked after an answer of one before it: `Fallback.onFinish("refusal", "length")`, or any
   * predicate. If it fails, or takes more than nine tenths of the time that the attempt has left, that answer stands.
   * Default: after no answer.
   *
   * A streamed answer counts only if it is whole with the first parts of the stream, such as a refusal without a word:
   * later parts have already reached the caller.
   */
  readonly when?: ((answer: LlmResponse) => boolean) | undefined
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
 * Whether a failure has one of these reasons: for the `canFailOver` of a route, which then ignores other failures.
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
 * Whether an answer ended for one of these reasons: for the `when` of a target.
 *
 * @since 0.1.0
 * @category predicates
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Anthropic, Fallback, OpenAi } from "effect-llm"
 *
 * // A model that refuses is asked no longer; the other one has more room for its answer.
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Fallback.to(Anthropic.layerConfig({ apiKey: Config.redacted("ANTHROPIC_API_KEY") }), {
 *     model: "claude-haiku-4-5",
 *     settings: { maxTokens: 16_000 },
 *     when: Fallback.onFinish("refusal", "content_filter", "length")
 *   })
 * )
 * ```
 */
export const onFinish = (
  ...reasons: Arr.NonEmptyReadonlyArray<FinishReason>
): (answer: LlmResponse) => boolean => {
  const ends: ReadonlySet<FinishReason> = new Set(reasons)
  return ({ finishReason }) => ends.has(finishReason)
}

/**
 * Makes one provider of several. It has the name, the endpoint and the dialect of JSON Schema of the first one: adding a
 * target changes no cache key, and it is ready when the first one is. Embeddings come from the first one alone: vectors of different models cannot be compared.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (targets: Arr.NonEmptyReadonlyArray<BuiltTarget>): Effect.Effect<LlmProvider.Service> =>
  Effect.map(Effect.forEach(targets, member), ([first, ...others]) => ({
    ...first.provider,
    ...Failover.readiness(first),
    call: (request) =>
      failOver(first, others, request, {
        operation: "call",
        ask: (provider, asked) => provider.call(asked),
        answerOf: identity,
        discard: () => Effect.void
      }),
    stream: (request) =>
      OpenStream.choose((open) =>
        failOver(first, others, request, {
          operation: "stream",
          ask: open,
          answerOf: ({ response }) => response,
          discard: ({ close }) => close
        })
      )
  }))

interface Member extends Omit<BuiltTarget, "settings"> {
  readonly settings: Partial<LlmRequest>
  readonly cooldowns: Cooldowns.Cooldowns
}

const member = (target: BuiltTarget): Effect.Effect<Member> =>
  Effect.map(TargetRequest.checkSettings(target.settings ?? {}), (settings) => ({
    ...target,
    settings,
    cooldowns: Cooldowns.make()
  }))

/** The way to ask targets, for a call or for a stream. */
interface Asking<A> {
  readonly operation: "call" | "stream"
  readonly ask: (provider: LlmProvider.Service, request: LlmRequest) => Effect.Effect<A, LlmError>
  /** The answer, if it is known. */
  readonly answerOf: (result: A) => LlmResponse | undefined
  /** Releases a result that another one has replaced. */
  readonly discard: (result: A) => Effect.Effect<void>
}

/** An answer that stands if no later target has one. */
interface Standing<A> {
  readonly result: A
  /** Adds its cost to that of the answer that takes its place. Only once. */
  readonly spend: Effect.Effect<void>
}

/** The progress through the targets. */
interface Before<A> {
  readonly errors: ReadonlyArray<LlmError>
  readonly answered?: Standing<A> | undefined
}

/** Runs an effect the first time that it is asked to. */
const once = (self: Effect.Effect<void>): Effect.Effect<void> => {
  let hasRun = false
  return Effect.suspend(() => {
    if (hasRun) return Effect.void
    hasRun = true
    return self
  })
}

const failOver = <A>(
  first: Member,
  others: ReadonlyArray<Member>,
  request: LlmRequest,
  { answerOf, ask, discard, operation }: Asking<A>
): Effect.Effect<A, LlmError> =>
  Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
    const from = (target: Member, others: ReadonlyArray<Member>, before: Before<A>): Effect.Effect<A, LlmError> => {
      const { cooldowns, provider } = target
      const asked = TargetRequest.requestFor(target, request)
      const { model } = asked
      const sent = TargetSpan.around({ name: `${provider.name}/${model}`, provider, model })(ask(provider, asked))

      const timedOut = (limit: Duration.Duration) =>
        new LlmError({
          operation,
          model,
          attempts: 1,
          provider: provider.name,
          reason: TimedOut.make({ phase: operation === "call" ? "attempt" : "firstPart", limit }, trusted)
        }, trusted)

      /** Asks the first of the other targets that takes over, if there is one. */
      const passOn = (
        takesOver: (other: Member) => boolean,
        change: { readonly error: LlmError } | { readonly answer: LlmResponse },
        before: Before<A>
      ): Effect.Effect<A, LlmError> | undefined => {
        const index = others.findIndex(takesOver)
        const other = others[index]
        if (other === undefined) return undefined
        const to = `${other.provider.name}/${TargetRequest.requestFor(other, request).model}`
        return Effect.zipRight(
          Failover.passOn(attempt, { provider: provider.name, model, to, ...change }),
          from(other, others.slice(index + 1), before)
        )
      }

      const failed = (error: LlmError): Effect.Effect<A, LlmError> => {
        const errors = [...before.errors, ...Failover.errorsOf(error)]
        const next = passOn((other) => takesOver(other, error), { error }, { ...before, errors })
        if (next !== undefined) return next
        if (before.answered !== undefined) return Effect.succeed(before.answered.result)
        const common = { operation, provider: first.provider.name, model: request.model }
        return Effect.fail(Failover.failed(common, error, errors))
      }

      const succeeded = (result: A): Effect.Effect<A, LlmError> => {
        const { answered } = before
        const answer = answerOf(result)
        // A replaced answer was paid for, too.
        const replaced = answered === undefined
          ? Effect.void
          : Effect.zipRight(discard(answered.result), answered.spend)
        if (answer === undefined) return Effect.as(replaced, result)
        const spend = once(attempt.spent(answer))
        const next = passOn(({ when }) => when?.(answer) === true, { answer }, {
          ...before,
          answered: { result, spend }
        })
        // So was one that is lost, as another request has won or the time is over.
        return Effect.zipRight(
          replaced,
          next === undefined ? Effect.succeed(result) : Effect.onInterrupt(next, () => spend)
        )
      }

      // Equal shares for all targets that would be asked if this one took too long. The last one gets the rest, unless an
      // answer stands: it has to be given before the attempt is over.
      const inTime = (left: Duration.Duration) => {
        if (!Duration.isFinite(left)) return sent
        const successors = others.filter((other) => other.canFailOver === undefined || takesOver(other, timedOut(left)))
        if (successors.length === 0 && before.answered === undefined) return sent
        const limit = successors.length === 0
          ? StandingAnswer.patience(left)
          : Duration.times(left, 1 / (successors.length + 1))
        return AttemptClock.limited({ attempt, limit, onTimeout: () => timedOut(limit) })(sent)
      }

      return Elapsed.nowWith((now) => {
        const cooling = cooldowns.find(model, now)
        return cooling === undefined
          ? Effect.tapError(
            Effect.flatMap(attempt.left, inTime),
            (error) => Effect.map(Elapsed.now, (now) => cooldowns.start(model, error, now))
          )
          : Effect.fail(cooling)
      }).pipe(Effect.matchEffect({ onFailure: failed, onSuccess: succeeded }))
    }

    return from(first, others, { errors: [] })
  })

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Asks another provider when this one fails, each with all policies of its own layer.
 *
 * The time of the attempt is divided, so that a provider that hangs leaves the other one its share: with one target
 * after it, half of the client's `timeout` (of `firstPartTimeout` for a stream). A stream falls back only before its
 * first part.
 *
 * If no other target takes a failure, the call fails with it as it is. If all targets that were asked have failed, the
 * call fails with `AllProvidersFailed`, which has each failure in order. The client retries that if one of the failures
 * may be retried, once the first of their waits is over. The response's `provider` and `model` name the target that
 * answered; each change is reported as `FellBack`.
 *
 * With `when`, another target is also asked after some answers: a refusal, or a truncated one. Its cost is part of the
 * cost of the answer that replaces it.
 *
 * A target that asks for a wait (Retry-After) is skipped meanwhile, for a minute at most; its failure stands for its
 * answer. Embeddings come from the first target alone: vectors of different models cannot be compared.
 *
 * The layers are built once, with that of the provider. With a circuit breaker, a dead provider costs nothing; leave
 * the last target without one, so that there is always one to ask. `Fallback.on` makes a target for some failures only.
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
    // The errors and requirements of a target are among those of all targets.
    targets as Arr.NonEmptyReadonlyArray<Target<Failover.ErrorOf<T[number]>, Failover.ContextOf<T[number]>>>,
    make
  )
