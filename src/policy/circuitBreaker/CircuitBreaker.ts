/**
 * Stops calling a provider that keeps failing, and probes it with one request. Calls fail (and fall back) at once instead
 * of waiting for it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { CircuitOpen, LlmError, type Operation } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmResponse } from "../../domain/LlmResponse.js"
import * as Check from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as Policy from "../Policy.js"
import { type Circuit, Circuits, type State } from "./circuits.js"
import * as CircuitState from "./circuitState.js"

export { changes, type Circuit, Circuits, type CircuitsService, layerCircuits, type State, states } from "./circuits.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * When the circuit opens: by the ratio of failures within a window of time (the default), by failures in a row
 * (`consecutive`), or by both, whichever comes first.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The share of failed attempts within the window at which it opens. More than 0, at most 1. Default: 0.5. */
  readonly failureRatio?: number | undefined
  /** How long an attempt counts. Default: 30 seconds. */
  readonly window?: Duration.DurationInput | undefined
  /** The least number of attempts within the window at which it may open. Default: 10. */
  readonly minimumThroughput?: number | undefined
  /**
   * The number of failures in a row at which it opens: for a provider that is asked too rarely for a ratio. If it is
   * set alone, it replaces the ratio. Default: failures in a row do not count.
   */
  readonly consecutive?: number | undefined
  /**
   * How long the circuit stays open at first. It doubles each time that the provider fails again, and is shortened at
   * random by up to half. Default: 10 seconds.
   */
  readonly openFor?: Duration.DurationInput | undefined
  /** The longest time that it stays open. Default: 2 minutes, or `openFor` if that is longer. */
  readonly maxOpenFor?: Duration.DurationInput | undefined
}

/**
 * A provider behind circuit breakers, one for each model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Protected extends LlmProvider.Service {
  /** The circuits of all models asked so far. */
  readonly circuits: Effect.Effect<ReadonlyArray<Circuit>>
  /** The state of a model's circuit. An open circuit whose time has passed stays `Open` until the next attempt. */
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

/** Validation would only cost time: all fields of a refusal are known to be good. */
const trusted = { disableValidation: true }

/** More models than any program has; the least recently used is forgotten. */
const maxCircuits = 1_000

interface Slot {
  state: CircuitState.State
}

/**
 * An interruption without an expiry means that no caller waits any longer. A defect is not a failure of the provider.
 */
const outcomeOf = (exit: Exit.Exit<LlmResponse, LlmError>, expired: boolean): CircuitState.Outcome => {
  if (Exit.isSuccess(exit)) return "success"
  const failed = Option.match(Cause.failureOption(exit.cause), {
    onNone: () => expired && Cause.isInterruptedOnly(exit.cause),
    onSome: (error) => error.countsAgainstBreaker
  })
  return failed ? "failure" : "neutral"
}

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

    const refusal = (operation: Operation, model: string, retryAfter: number): LlmError =>
      new LlmError({
        operation,
        model,
        attempts: 0,
        provider: provider.name,
        reason: CircuitOpen.make({ retryAfter: Duration.millis(retryAfter) }, trusted)
      }, trusted)

    const reportProbe = (attempt: LlmProvider.Attempt, model: string): Effect.Effect<void> =>
      Effect.zipRight(
        onChange({ ...circuitOf(model, CircuitState.initial), state: "HalfOpen" }),
        attempt.report(LlmEvent.CircuitHalfOpened({ provider: provider.name, model }))
      )

    const reportChange = (
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

    const guarded = Policy.around(provider, ({ model }, attempt, { operation }) =>
      Elapsed.nowWith((now) => {
        const slot = slotOf(model)
        const before = slot.state
        const admission = CircuitState.admit(settings, before, now)
        if (admission._tag === "Refused") return Effect.fail(refusal(operation, model, admission.retryAfter))
        const { era } = admission.state
        slot.state = admission.state
        return Effect.succeed({
          begin: before._tag === "Open" ? reportProbe(attempt, model) : undefined,
          settle: (exit) =>
            Effect.flatMap(Effect.all([Elapsed.now, Random.next, attempt.expired]), ([now, random, expired]) => {
              const before = slot.state
              const after = CircuitState.settle(
                settings,
                before,
                { era, outcome: outcomeOf(exit, expired) },
                now,
                random
              )
              slot.state = after
              return before._tag === after._tag ? Effect.void : reportChange(attempt, model, after, now)
            })
        })
      }))

    return {
      ...guarded,
      state: (model) => Effect.sync(() => (slots.get(model)?.state ?? CircuitState.initial)._tag),
      circuits: Effect.sync(() => Array.from(slots, ([model, { state }]) => circuitOf(model, state)))
    }
  })

/**
 * Puts circuit breakers around a provider. An invalid option is a defect that names it.
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
 * Stops calling the provider for a while when too many attempts have failed: attempts then fail at once with
 * `CircuitOpen`, whose `retryAfter` says for how long. After that a single attempt is let through, the probe. If it
 * succeeds, the circuit closes; if it fails, the circuit opens again for about twice as long. A probe that proves nothing
 * (its caller left, or it met a rate limit) makes room for the next one, and so does one that takes longer than 2 minutes,
 * such as a stream whose reader takes its time.
 *
 * Only failures that concern the provider's health count (`LlmError.countsAgainstBreaker`): those of the server and the
 * network, and answers that take too long; not an invalid request, a rate limit, or a caller that leaves. A stream
 * counts by its end. Each model has a circuit of its own. Changes are reported as `CircuitOpened`, `CircuitHalfOpened`
 * and `CircuitClosed`, and can be watched (`layerCircuits`).
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
    LlmProvider.transform(self, (provider) =>
      Effect.gen(function*() {
        const circuits = yield* Circuits
        if (circuits === undefined) return yield* make(provider, options)
        const guarded = yield* makeWith(provider, options ?? {}, circuits.tell)
        yield* circuits.add(guarded.circuits)
        return guarded
      }))
)
