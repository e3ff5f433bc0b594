import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

// Combinators that take an effect or a stream. Their types are conditional and not overloaded: `pipe` would see the last
// overload only. To Effect 3, an effect is a stream of one element: the question is whether it is an effect.

/** An effect or a stream. */
export type EffectOrStream = Effect.Effect<unknown, unknown, unknown> | Stream.Stream<unknown, unknown, unknown>

/** The same effect or stream, with further results, failures and requirements. */
export type With<Self, A2 = never, E2 = never, R2 = never> = [Self] extends [Effect.Effect<infer A, infer E, infer R>]
  ? Effect.Effect<A | A2, E | E2, R | R2>
  : [Self] extends [Stream.Stream<infer A, infer E, infer R>] ? Stream.Stream<A | A2, E | E2, R | R2>
  : never

/** The result of an effect, or an element of a stream. */
export type SuccessOf<T> = T extends Effect.Effect<infer A, infer _E, infer _R> ? A
  : T extends Stream.Stream<infer A, infer _E, infer _R> ? A
  : never

/** The failure of an effect or a stream. */
export type ErrorOf<T> = T extends Effect.Effect<infer _A, infer E, infer _R> ? E
  : T extends Stream.Stream<infer _A, infer E, infer _R> ? E
  : never

/** The requirements of an effect or a stream. */
export type ContextOf<T> = T extends Effect.Effect<infer _A, infer _E, infer R> ? R
  : T extends Stream.Stream<infer _A, infer _E, infer R> ? R
  : never

/** Whether it is a stream. */
export const isStream = (value: EffectOrStream): value is Stream.Stream<unknown, unknown, unknown> =>
  !Effect.isEffect(value)

/** Runs an effect or a stream with a service that is made in its own context, when it runs. */
export const provided = <I, S, R2>(
  self: EffectOrStream,
  tag: Parameters<typeof Effect.provideService<I, S>>[0],
  service: Effect.Effect<S, never, R2>
): EffectOrStream =>
  isStream(self)
    ? Stream.unwrap(Effect.map(service, (service) => Stream.provideService(self, tag, service)))
    : Effect.flatMap(service, (service) => Effect.provideService(self, tag, service))
