/**
 * Another provider, where the first one fails: an ordered list of targets, each with a model name of its own, that looks
 * like one provider.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AllProvidersFailed, LlmError, TimedOut } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmProvider from "../LlmProvider.js"
import * as AttemptTime from "./attemptTime.js"
import * as OpenStream from "./openStream.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How a target is asked, and after which failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The target's name of the model. Default: the request's. */
  readonly model?: string | undefined
  /** What else the target needs to have changed. It gets the request with the target's model. */
  readonly mapRequest?: ((request: LlmRequest) => LlmRequest) | undefined
  /**
   * Whether this target is asked after such a failure of one before it; the first target is asked in any case. Default:
   * after failures that another provider may not have (`LlmError.canFailOver`).
   *
   * A target for one kind of failure is a route of its own: a model with a longer context after
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
 * A provider that is there already, in its place in the order.
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

/** The fields of a request or an error were checked when it was made. */
const trusted = { disableValidation: true }

const requestFor = ({ mapRequest, model }: BuiltTarget, request: LlmRequest): LlmRequest => {
  const named = model === undefined ? request : new LlmRequest({ ...request, model }, trusted)
  return mapRequest === undefined ? named : mapRequest(named)
}

const takesOver = ({ canFailOver }: BuiltTarget, error: LlmError): boolean =>
  canFailOver === undefined
    // Fallbacks may be nested: what all of the inner ones could not do, the outer one may.
    ? error.canFailOver || error.reason._tag === "AllProvidersFailed"
    : canFailOver(error)

/** What went wrong with each target, also where one of them is a fallback itself. */
const each = (error: LlmError): ReadonlyArray<LlmError> =>
  error.reason._tag === "AllProvidersFailed" ? error.reason.errors : [error]

/**
 * Makes one provider of several. It has the name, the endpoint and the dialect of JSON Schema of the first one: adding a
 * target changes no cache key.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (targets: Arr.NonEmptyReadonlyArray<BuiltTarget>): LlmProvider.Service => {
  const { name } = targets[0].provider

  const failed = (
    operation: LlmError["operation"],
    request: LlmRequest,
    last: LlmError,
    errors: ReadonlyArray<LlmError>
  ): LlmError =>
    // What is wrong with the request, and with no provider, would not gain by company.
    errors.length === 1 || !(last.canFailOver || last.reason._tag === "AllProvidersFailed") ? last : new LlmError({
      operation,
      provider: name,
      model: request.model,
      attempts: errors.reduce((sum, error) => sum + error.attempts, 0),
      // Where all ask to wait, another attempt must not come sooner; one that does not may answer it.
      shouldRetry: errors.some((error) => error.isRetryable && error.retryAfter === undefined),
      reason: AllProvidersFailed.make({ errors })
    })

  const failOver = <A>(
    operation: LlmError["operation"],
    request: LlmRequest,
    ask: (provider: LlmProvider.Service, request: LlmRequest) => Effect.Effect<A, LlmError>
  ): Effect.Effect<A, LlmError> =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
      const from = (
        target: BuiltTarget,
        others: ReadonlyArray<BuiltTarget>,
        before: ReadonlyArray<LlmError>
      ): Effect.Effect<A, LlmError> => {
        const { provider } = target
        const asked = requestFor(target, request)
        const { model } = asked

        const timedOut = (limit: Duration.Duration) =>
          new LlmError({
            operation,
            model,
            attempts: 1,
            provider: provider.name,
            reason: TimedOut.make({ phase: operation === "call" ? "attempt" : "firstPart", limit })
          })

        const next = (error: LlmError): Effect.Effect<A, LlmError> => {
          const errors = [...before, ...each(error)]
          const index = others.findIndex((other) => takesOver(other, error))
          const other = others[index]
          if (other === undefined) return Effect.fail(failed(operation, request, error, errors))
          const to = `${other.provider.name}/${requestFor(other, request).model}`
          return attempt.report(LlmEvent.FellBack({ provider: provider.name, model, to, error })).pipe(
            Effect.zipRight(attempt.countRequest),
            Effect.zipRight(from(other, others.slice(index + 1), errors))
          )
        }

        // Equal shares for all that would be asked if this one took too long. The last one has all that is left.
        const inTime = (left: Duration.Duration) => {
          if (!Duration.isFinite(left)) return ask(provider, asked)
          const share = (count: number) => Duration.times(left, 1 / count)
          const successors = others.filter((other) => takesOver(other, timedOut(left))).length
          const limit = share(successors + 1)
          return successors === 0
            ? ask(provider, asked)
            : AttemptTime.limited({ attempt, limit, onTimeout: () => timedOut(limit) })(ask(provider, asked))
        }

        return Effect.catchAll(Effect.flatMap(attempt.left, inTime), next)
      }

      return Effect.suspend(() => from(targets[0], targets.slice(1), []))
    })

  return {
    ...targets[0].provider,
    call: (request) => failOver("call", request, (provider, request) => provider.call(request)),
    stream: (request) =>
      Stream.unwrapScoped(Effect.flatMap(Effect.scope, (scope) =>
        Effect.map(
          failOver("stream", request, (provider, request) => OpenStream.open(provider, request, scope)),
          ({ parts }) => parts
        )))
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

class Targets extends Context.Tag("effect-llm/Fallback/Targets")<
  Targets,
  Arr.NonEmptyReadonlyArray<BuiltTarget>
>() {}

const built = <E, R>({ layer, ...options }: Target<E, R>): Layer.Layer<Targets, E, R> =>
  Layer.map(
    layer,
    (context) => Context.make(Targets, [{ ...options, provider: Context.get(context, LlmProvider.LlmProvider) }])
  )

const combine = <E, R>(
  [first, ...others]: Arr.NonEmptyReadonlyArray<Target<E, R>>
): Layer.Layer<LlmProvider.LlmProvider, E, R> =>
  Layer.map(
    others.reduce(
      (before, target) =>
        Layer.zipWith(before, built(target), (all, one) =>
          Context.make(Targets, [...Context.get(all, Targets), ...Context.get(one, Targets)])),
      built(first)
    ),
    (context) =>
      Context.make(LlmProvider.LlmProvider, make(Context.get(context, Targets)))
  )

/**
 * Asks another provider where this one fails, each with all policies that its own layer has.
 *
 * The time of the attempt is divided, so that a provider that hangs leaves the other one its share: with one target
 * after it, half of the client's `timeout` (of `firstPartTimeout` for a stream). A stream falls back only as long as
 * none of its parts has come.
 *
 * A failure that no other target is asked about is the call's, as it is; when all that were asked have failed, it is
 * `AllProvidersFailed`, with each failure in order. The client tries that again if one of them may be tried again and
 * asks for no wait. The response's `provider` and `model` tell who answered, and a `FellBack` event each change.
 *
 * The layers are built once, with that of the provider. A circuit breaker makes a dead provider cost nothing; the last
 * target is best left without one, so that there is always somebody to ask.
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
    combine<E | E2, R | R2>([{ layer: self }, { ...options, layer: target }])
)

type TargetError<T> = T extends Target<infer E, infer _R> ? E : never
type TargetContext<T> = T extends Target<infer _E, infer R> ? R : never

/**
 * Asks the first of several providers, and the others in their order where those before them fail: `to` for more than
 * two. The time of the attempt is divided into equal shares.
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
 *     canFailOver: (error) => error.canFailOver || error.reason._tag === "ContextLengthExceeded"
 *   },
 *   { layer: Ollama.layer(), model: "llama3.2" }
 * ])
 * ```
 */
export const order = <const Targets extends Arr.NonEmptyReadonlyArray<Target<unknown, unknown>>>(
  targets: Targets
): Layer.Layer<LlmProvider.LlmProvider, TargetError<Targets[number]>, TargetContext<Targets[number]>> =>
  combine(
    // Each target is one of its own errors and needs, and so one of all of theirs.
    targets as Arr.NonEmptyReadonlyArray<Target<TargetError<Targets[number]>, TargetContext<Targets[number]>>>
  )
