// In place of declarations: a pull of Effect 4 gives arrays, ends by `Cause.Done`, and is what a stream is made of.
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Pull from "effect/Pull"

export const fromStream = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<PartFeed<A, E>, never, Scope.Scope> =>
  // `Stream.toPull` would run each pull with the services, and in the span, of the fiber that opened the stream.
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.map(
      Channel.toPullScoped(Stream.toChannel(stream), scope),
      (pull) => Pull.catchDone(pull, () => Effect.succeed(undefined))
    ))

export const toStream = <A, E, R>(
  open: Effect.Effect<PartFeed<A, E>, E, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  // A stream begins with its first pull: that of `Stream.scoped` would begin as it is turned into pulls.
  Stream.unwrap(Effect.map(open, (feed) => Stream.fromPull(Effect.succeed(emit(feed)))))

type Emitting<A, E> = Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E>

const emit = <A, E>(feed: PartFeed<A, E>): Emitting<A, E> => {
  const loop: Emitting<A, E> = Effect.flatMap(
    feed,
    (parts) => parts === undefined ? Cause.done() : Arr.isReadonlyArrayNonEmpty(parts) ? Effect.succeed(parts) : loop
  )
  return loop
}

export const emitted = <A, E, R>(
  run: (emit: (part: A) => Effect.Effect<unknown>) => Effect.Effect<unknown, E, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  Stream.callback((parts) => Effect.andThen(run((part) => Queue.offer(parts, part)), Queue.end(parts)))
