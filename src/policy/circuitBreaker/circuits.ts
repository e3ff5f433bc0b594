import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * The state of a circuit: all attempts pass (`Closed`), none does (`Open`), or one at a time does, to find out whether
 * the provider has recovered (`HalfOpen`).
 *
 * @since 0.1.0
 * @category models
 */
export type State = "Closed" | "Open" | "HalfOpen"

/**
 * The circuit of a model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Circuit {
  readonly provider: string
  readonly endpoint: string
  readonly model: string
  readonly state: State
}

/** How many changes a reader may lag behind before it misses the oldest. */
const maxBehind = 256

/**
 * The circuit breakers of a program.
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitsService {
  /** The circuits of all models asked so far. */
  readonly states: Effect.Effect<ReadonlyArray<Circuit>>
  /** All changes from now on. */
  readonly changes: Stream.Stream<Circuit>
  /** Adds a breaker for as long as the scope is open. */
  readonly add: (
    states: Effect.Effect<ReadonlyArray<Circuit>>
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Announces a change. */
  readonly tell: (circuit: Circuit) => Effect.Effect<void>
}

/**
 * The circuit breakers of a program. A breaker joins it if it is provided to the breaker's layer. Default: none, and
 * breakers are not watched.
 *
 * @since 0.1.0
 * @category references
 */
export class Circuits extends Context.Reference<Circuits>()("effect-llm/CircuitBreaker/Circuits", {
  defaultValue: (): CircuitsService | undefined => undefined
}) {}

/**
 * Lets a program watch its circuit breakers. Provide it to their layers.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Effect, Layer, Stream } from "effect"
 * import { CircuitBreaker, LlmClient, OpenAi } from "effect-llm"
 *
 * const Live = LlmClient.layerDefault().pipe(
 *   Layer.provide(OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(CircuitBreaker.protect())),
 *   Layer.provideMerge(CircuitBreaker.layerCircuits)
 * )
 *
 * // Runs as long as the program, beside it.
 * const watch = CircuitBreaker.changes.pipe(
 *   Stream.runForEach(({ model, provider, state }) => Effect.logWarning(`${provider}/${model} is ${state}`))
 * )
 * ```
 */
export const layerCircuits: Layer.Layer<Circuits> = Layer.effect(
  Circuits,
  Effect.map(PubSub.sliding<Circuit>(maxBehind), (changes): CircuitsService => {
    const breakers = new Set<Effect.Effect<ReadonlyArray<Circuit>>>()
    return {
      states: Effect.suspend(() => Effect.map(Effect.all([...breakers]), (all) => all.flat())),
      changes: Stream.fromPubSub(changes),
      add: (states) =>
        Effect.acquireRelease(
          Effect.sync(() => breakers.add(states)),
          () => Effect.sync(() => breakers.delete(states))
        ),
      tell: (circuit) => PubSub.publish(changes, circuit)
    }
  })
)

/**
 * The circuits of all models asked so far. An open one whose time has passed stays `Open` until the next attempt.
 *
 * @since 0.1.0
 * @category accessors
 */
export const states: Effect.Effect<ReadonlyArray<Circuit>, never, Circuits> = Effect.flatMap(
  Circuits,
  (circuits) => circuits?.states ?? Effect.succeed([])
)

/**
 * All changes of circuits, from now on.
 *
 * @since 0.1.0
 * @category accessors
 */
export const changes: Stream.Stream<Circuit, never, Circuits> = Stream.unwrap(
  Effect.map(Circuits, (circuits) => circuits?.changes ?? Stream.never)
)
