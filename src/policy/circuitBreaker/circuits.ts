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

/** How many changes a reader may be behind; it misses the oldest after that. */
const maxBehind = 256

/**
 * What all circuit breakers of a program have to tell. Those find it by themselves that are built where it is provided.
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitsService {
  /** The circuits of all models that were asked, as they are now. */
  readonly states: Effect.Effect<ReadonlyArray<Circuit>>
  /** Each change from now on. */
  readonly changes: Stream.Stream<Circuit>
  /** Adds a breaker for as long as the scope is open. */
  readonly add: (
    states: Effect.Effect<ReadonlyArray<Circuit>>
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Tells of a change. */
  readonly tell: (circuit: Circuit) => Effect.Effect<void>
}

/**
 * What all circuit breakers of a program have to tell.
 *
 * @since 0.1.0
 * @category services
 */
export class Circuits extends Context.Tag("effect-llm/CircuitBreaker/Circuits")<Circuits, CircuitsService>() {}

/**
 * Lets a program watch its circuit breakers: provide it to their layers.
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
 * The circuits of all models that were asked, as they are now. One whose time has passed is open until the next attempt.
 *
 * @since 0.1.0
 * @category accessors
 */
export const states: Effect.Effect<ReadonlyArray<Circuit>, never, Circuits> = Effect.flatMap(
  Circuits,
  (circuits) => circuits.states
)

/**
 * Each change of a circuit, from now on.
 *
 * @since 0.1.0
 * @category accessors
 */
export const changes: Stream.Stream<Circuit, never, Circuits> = Stream.unwrap(
  Effect.map(Circuits, (circuits) => circuits.changes)
)
