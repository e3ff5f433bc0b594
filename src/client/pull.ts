import * as Channel from "effect/Channel"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Gives the next parts, or `undefined` after the last. */
export type Pull<A, E> = Effect.Effect<Chunk.Chunk<A> | undefined, E>

/** Draws from a stream until the scope closes. */
export const fromStream = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<Pull<A, E>, never, Scope.Scope> =>
  Effect.map(
    Stream.toPull(stream),
    (pull) => Effect.catchAll(pull, (end) => Option.isNone(end) ? Effect.succeed(undefined) : Effect.fail(end.value))
  )

/**
 * A stream that opens something, draws from it, and closes it. As `Stream.unwrapScoped` and `Stream.fromPull`, each of
 * which puts an executor of its own between the pull and whoever runs the stream.
 */
export const toStream = <A, E, R>(
  open: Effect.Effect<Pull<A, E>, E, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  Stream.fromChannel(Channel.acquireUseRelease(
    Scope.make(),
    (scope) => Channel.flatMap(Channel.fromEffect(Scope.extend(open, scope)), emit),
    (scope, exit) => Scope.close(scope, exit)
  ))

type Emitting<A, E> = Channel.Channel<Chunk.Chunk<A>, unknown, E, unknown, void, unknown>

const emit = <A, E>(pull: Pull<A, E>): Emitting<A, E> => {
  const loop: Emitting<A, E> = Channel.flatMap(
    Channel.fromEffect(pull),
    (parts) => parts === undefined ? Channel.void : Channel.flatMap(Channel.write(parts), () => loop)
  )
  return loop
}
