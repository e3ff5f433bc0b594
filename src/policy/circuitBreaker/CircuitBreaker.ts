/**
 * Leaves a provider alone that keeps failing, so that calls fail at once (and fall back) in place of waiting for it, and
 * it can recover.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { CircuitOpen, LlmError, type Operation } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Check from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import { type Circuit, Circuits, type State } from "./circuits.js"
import * as CircuitState from "./circuitState.js"

export { changes, type Circuit, Circuits, type CircuitsService, layerCircuits, type State, states } from "./circuits.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * When the circuit opens: by the ratio of failures within a window of time (the default), by failures in a row
 * (`consecutive`), or, where both are set, by whichever comes first.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Opens when this part of the attempts within the window failed. More than 0, at most 1. Default: 0.5. */
  readonly failureRatio?: number | undefined
  /** How far back attempts are looked at. Default: 30 seconds. */
  readonly window?: Duration.DurationInput | undefined
  /** How many attempts there must be within the window before their ratio means anything. Default: 10. */
  readonly minimumThroughput?: number | undefined
  /**
   * Opens after so many failures in a row: for a provider that is asked too seldom for a ratio. Set alone, it takes the
   * place of the ratio. Default: not looked at.
   */
  readonly consecutive?: number | undefined
  /**
   * How long the circuit stays open at first. It doubles each time that the provider fails again, and is shortened at
   * random to between half and all of it. Default: 10 seconds.
   */
  readonly openFor?: Duration.DurationInput | undefined
  /** The longest that it stays open. Default: 2 minutes, or `openFor` where that is longer. */
  readonly maxOpenFor?: Duration.DurationInput | undefined
}

/**
 * A provider behind circuit breakers, one for each model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Protected extends LlmProvider.Service {
  /** The circuits of all models that were asked. */
  readonly circuits: Effect.Effect<ReadonlyArray<Circuit>>
  /** The state of a model's circuit. One whose time has passed is open until the next attempt. */
  readonly state: (model: string) => Effect.Effect<State>
}

// ---------------------------------------------------------------------------------------------------------------------
// The breaker
// ---------------------------------------------------------------------------------------------------------------------

const check = (options: Options): CircuitState.Settings => {
  const { consecutive, failureRatio, maxOpenFor, minimumThroughput, window } = options
  const isSampling = consecutive === undefined ||
    failureRatio !== undefined || window !== undefined || minimumThroughput !== undefined
  const ratio = failureRatio ?? 0.5
  const millis = (option: "openFor" | "maxOpenFor" | "window", value: Duration.DurationInput) =>
    Duration.toMillis(Check.positiveDuration(option, value))
  const openFor = millis("openFor", options.openFor ?? "10 seconds")
  const longest = maxOpenFor === undefined ? Math.max(openFor, 120_000) : millis("maxOpenFor", maxOpenFor)
  return {
    consecutive: consecutive === undefined ? undefined : Check.integer("consecutive", consecutive, 1),
    sampling: isSampling
      ? {
        ratio: ratio > 0 && ratio <= 1
          ? ratio
          : Check.invalidOption("failureRatio", "more than 0 and at most 1", ratio),
        window: millis("window", window ?? "30 seconds"),
        minimum: Check.integer("minimumThroughput", minimumThroughput ?? 10, 1)
      }
      : undefined,
    openFor,
    maxOpenFor: longest >= openFor ? longest : Check.invalidOption("maxOpenFor", "at least openFor", maxOpenFor)
  }
}

/** A refusal has to cost nothing, and all of its fields are known to be good. */
const trusted = { disableValidation: true }

/** More models than any program has; the one not used for longest goes. */
const maxCircuits = 1_000

interface Slot {
  state: CircuitState.State
}

/** An attempt that was let in. */
interface Admitted {
  /** Whether it is the first after the circuit's time has passed. */
  readonly halfOpened: boolean
  /** Takes in how it ended. Only the first time counts. */
  readonly settle: (outcome: CircuitState.Outcome) => Effect.Effect<void>
}

/** What is interrupted either took too long, or nobody waits for it any longer. A defect is no failure of the provider. */
const outcomeOf = (cause: Cause.Cause<LlmError>, expired: boolean): CircuitState.Outcome =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => expired && Cause.isInterruptedOnly(cause) ? "failure" : "neutral",
    onSome: (error) => error.countsAgainstBreaker ? "failure" : "neutral"
  })

const makeWith = (
  provider: LlmProvider.Service,
  options: Options,
  onChange: (circuit: Circuit) => Effect.Effect<void>
): Effect.Effect<Protected> =>
  Effect.sync(() => {
    const settings = check(options)
    const slots = new Map<string, Slot>()

    const slotOf = (model: string): Slot => {
      const slot = slots.get(model) ?? { state: CircuitState.initial }
      const [oldest] = slots.keys()
      if (!slots.has(model) && slots.size >= maxCircuits && oldest !== undefined) slots.delete(oldest)
      slots.delete(model)
      slots.set(model, slot)
      return slot
    }

    const circuitOf = (model: string, { _tag }: CircuitState.State): Circuit => ({
      provider: provider.name,
      endpoint: provider.endpoint,
      model,
      state: _tag
    })

    const admit = (
      { model }: LlmRequest,
      operation: Operation,
      attempt: LlmProvider.Attempt
    ): Effect.Effect<Admitted, LlmError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const slot = slotOf(model)
        const before = slot.state
        const admission = CircuitState.admit(settings, before, now)
        if (admission._tag === "Refused") {
          return Effect.fail(
            new LlmError({
              operation,
              model,
              attempts: 0,
              provider: provider.name,
              reason: CircuitOpen.make({ retryAfter: Duration.millis(admission.retryAfter) }, trusted)
            }, trusted)
          )
        }
        const { era } = admission.state
        slot.state = admission.state
        let settled = false
        const settle: Admitted["settle"] = (outcome) =>
          Effect.flatMap(Effect.zip(Clock.currentTimeMillis, Random.next), ([now, random]) => {
            if (settled) return Effect.void
            settled = true
            const before = slot.state
            const after = CircuitState.settle(settings, before, { era, outcome }, now, random)
            slot.state = after
            return before._tag === after._tag ? Effect.void : report(attempt, model, after, now)
          })
        return Effect.succeed({ halfOpened: before._tag === "Open", settle })
      })

    const report = (
      attempt: LlmProvider.Attempt,
      model: string,
      state: CircuitState.State,
      now: number
    ): Effect.Effect<void> => {
      const common = { provider: provider.name, model }
      return Effect.zipRight(
        onChange(circuitOf(model, state)),
        attempt.report(
          state._tag === "Open"
            ? LlmEvent.CircuitOpened({ ...common, openFor: Duration.millis(state.until - now) })
            : LlmEvent.CircuitClosed(common)
        )
      )
    }

    /** Reported when it is sure that the attempt will be settled. */
    const entered = ({ halfOpened }: Admitted, { model }: LlmRequest, attempt: LlmProvider.Attempt) =>
      halfOpened
        ? Effect.zipRight(
          onChange({ ...circuitOf(model, CircuitState.initial), state: "HalfOpen" }),
          attempt.report(LlmEvent.CircuitHalfOpened({ provider: provider.name, model }))
        )
        : Effect.void

    const settleWith = ({ settle }: Admitted, cause: Cause.Cause<LlmError>, attempt: LlmProvider.Attempt) =>
      Effect.flatMap(attempt.expired, (expired) => settle(outcomeOf(cause, expired)))

    const call: LlmProvider.Service["call"] = (request) =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
        Effect.acquireUseRelease(
          admit(request, "call", attempt),
          (admitted) => Effect.zipRight(entered(admitted, request, attempt), provider.call(request)),
          (admitted, exit) =>
            Exit.isSuccess(exit) ? admitted.settle("success") : settleWith(admitted, exit.cause, attempt)
        ))

    const stream: LlmProvider.Service["stream"] = (request) =>
      Stream.unwrapScoped(Effect.gen(function*() {
        const attempt = yield* LlmProvider.CurrentAttempt
        const admitted = yield* Effect.acquireRelease(
          admit(request, "stream", attempt),
          // Where the stream was closed before its end.
          (admitted) => Effect.flatMap(Effect.fiberId, (id) => settleWith(admitted, Cause.interrupt(id), attempt))
        )
        yield* entered(admitted, request, attempt)
        return provider.stream(request).pipe(
          Stream.mapChunksEffect((parts) =>
            Effect.as(
              Option.exists(Chunk.last(parts), (part) => part._tag === "Finish")
                ? admitted.settle("success")
                : Effect.void,
              parts
            )
          ),
          Stream.tapErrorCause((cause) => settleWith(admitted, cause, attempt)),
          // An answer that has an end was settled by it.
          Stream.onEnd(admitted.settle("failure"))
        )
      }))

    return {
      ...provider,
      call,
      stream,
      state: (model) => Effect.sync(() => (slots.get(model)?.state ?? CircuitState.initial)._tag),
      circuits: Effect.sync(() => Array.from(slots, ([model, { state }]) => circuitOf(model, state)))
    }
  })

/**
 * Puts circuit breakers around a provider. Options that make no sense are a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (provider: LlmProvider.Service, options: Options = {}): Effect.Effect<Protected> =>
  makeWith(provider, options, () => Effect.void)

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Leaves the provider alone for a while when too many attempts have failed: they fail with `CircuitOpen` at once, whose
 * `retryAfter` tells how long. Then one attempt is let through, the probe: if it succeeds all may pass again, and if it
 * fails the wait is about twice as long as the last. A probe that finds out nothing, because its caller left or because
 * of a rate limit, makes room for the next.
 *
 * What counts is what says something about the provider's health (`LlmError.countsAgainstBreaker`): failures of the
 * server and the network, and answers that take too long; not what is wrong with a request, nor a rate limit, nor a
 * caller that leaves. A stream counts by its end. Each model has a circuit of its own. Its changes are reported as
 * `CircuitOpened`, `CircuitHalfOpened` and `CircuitClosed`, and can be watched (`layerCircuits`).
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { CircuitBreaker, OpenAi } from "effect-llm"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   CircuitBreaker.protect({ failureRatio: 0.5, window: "30 seconds", openFor: "10 seconds" })
 * )
 * ```
 */
export const protect: {
  (options?: Options): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R>
} = dual(
  (args) => Layer.isLayer(args[0]),
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R> =>
    Layer.provide(
      Layer.scoped(
        LlmProvider.LlmProvider,
        Effect.gen(function*() {
          const provider = yield* LlmProvider.LlmProvider
          const watching = yield* Effect.serviceOption(Circuits)
          if (Option.isNone(watching)) return yield* make(provider, options)
          const { add, tell } = watching.value
          const built = yield* makeWith(provider, options ?? {}, tell)
          yield* add(built.circuits)
          return built
        })
      ),
      self
    )
)
