import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Elapsed from "./elapsed.js"
import { type Child, clockOf, forkNow, joined, observe } from "./forkNow.js"
import { setTimer } from "./timer.js"

/** Gives the next parts, or `undefined` after the last. */
export type PartFeed<A, E> = Effect.Effect<Chunk.Chunk<A> | undefined, E>

/** Draws from a stream until the scope closes. */
export const fromStream = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<PartFeed<A, E>, never, Scope.Scope> =>
  Effect.map(
    Stream.toPull(stream),
    (pull) => Effect.catchAll(pull, (end) => Option.isNone(end) ? Effect.succeed(undefined) : Effect.fail(end.value))
  )

/**
 * A stream that opens a feed, draws from it, and closes it. It does the same as `Stream.unwrapScoped` and
 * `Stream.fromPull`, each of which puts its own executor between the feed and the stream's consumer.
 */
export const toStream = <A, E, R>(
  open: Effect.Effect<PartFeed<A, E>, E, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  Stream.fromChannel(Channel.acquireUseRelease(
    Scope.make(),
    (scope) => Channel.flatMap(Channel.fromEffect(Scope.extend(open, scope)), emit),
    (scope, exit) => Scope.close(scope, exit)
  ))

type Emitting<A, E> = Channel.Channel<Chunk.Chunk<A>, unknown, E, unknown, void, unknown>

const emit = <A, E>(feed: PartFeed<A, E>): Emitting<A, E> => {
  const loop: Emitting<A, E> = Channel.flatMap(
    Channel.fromEffect(feed),
    (parts) => parts === undefined ? Channel.void : Channel.flatMap(Channel.write(parts), () => loop)
  )
  return loop
}

/** The limits of the waits of a feed's reader. */
export interface WaitLimit<B, E> {
  /** For the next parts. */
  readonly idleTimeout: Duration.Duration
  /** For all parts: a moment of `Elapsed`. */
  readonly deadline: () => number
  /** The result of a wait that took too long. */
  readonly onTimeout: (phase: "idle" | "total") => Effect.Effect<B, E>
}

/**
 * Limits each wait for the next parts. It is `Effect.timeoutFail` around a feed, with two differences: a timer is set
 * only if the reader has to wait, as it costs a dozen times as much as parts that are there already; and a reader that
 * gives up a wait loses nothing, as it gets the parts that come in the meantime at its next read. Ends with the scope.
 */
export const withWaitLimit = <A, E, B, E2>(
  feed: Effect.Effect<A, E>,
  { deadline, idleTimeout, onTimeout }: WaitLimit<B, E2>
): Effect.Effect<Effect.Effect<A | B, E | E2>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const idle = Duration.toMillis(idleTimeout)
    /** The fiber that waits for parts, if there are none. */
    let drawing: Child<A, E> | undefined

    const stop = Effect.uninterruptible(Effect.suspend(() =>
      drawing === undefined ? Effect.void : Effect.map(Fiber.interrupt(drawing.fiber), () => {
        drawing = undefined
      })
    ))

    const next: Effect.Effect<A | B, E | E2> = Effect.withFiberRuntime((reader) => {
      const child = drawing ?? forkNow(reader, feed)
      const ended = child.fiber.unsafePoll()
      drawing = ended === null ? child : undefined
      return ended === null ? wait(reader, child) : joined(child, ended)
    })

    const wait = (reader: Fiber.RuntimeFiber<unknown, unknown>, child: Child<A, E>) =>
      Effect.async<A | B, E | E2>((resume) => {
        const left = deadline() - Elapsed.unsafeNow(clockOf(reader))
        const cancel = setTimer(reader, Math.max(Math.min(idle, left), 0), () =>
          resume(Effect.zipRight(
            stop,
            Effect.suspend(() =>
              onTimeout(idle < left ? "idle" : "total")
            )
          )))
        // Calls back at once if the child has ended since it was looked at.
        const ignore = observe(child, () => {
          cancel()
          resume(next)
        })
        return Effect.sync(() => {
          cancel()
          ignore()
        })
      })

    return Effect.as(Effect.addFinalizer(() => stop), next)
  })

/**
 * A stream of the elements that an effect emits while it runs. It ends as the effect does, also with its failure,
 * defect or interruption. Closing the stream interrupts the effect, and waits for its end.
 */
export const emitted = <A, E, R>(
  run: (emit: (part: A) => Effect.Effect<unknown>) => Effect.Effect<unknown, E, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  toStream(Effect.gen(function*() {
    const parts = yield* Queue.unbounded<Option.Option<A>>()
    const running = yield* run((part) => Queue.offer(parts, Option.some(part))).pipe(
      Effect.ensuring(Queue.offer(parts, Option.none())),
      Effect.forkScoped
    )
    return Effect.flatMap(
      Queue.take(parts),
      (part) => Option.isSome(part) ? Effect.succeed(Chunk.of(part.value)) : Effect.as(Fiber.join(running), undefined)
    )
  }))

/** Fails a stream whose next parts have not come by a moment of `Elapsed`, and ends it. */
export const within = <A, E, R, E2>(
  stream: Stream.Stream<A, E, R>,
  { deadline, onTimeout }: { readonly deadline: number; readonly onTimeout: Effect.Effect<never, E2> }
): Stream.Stream<A, E | E2, Exclude<R, Scope.Scope>> =>
  toStream(Effect.gen(function*() {
    const context = yield* Effect.context<R>()
    return yield* withWaitLimit(yield* fromStream<A, E | E2>(Stream.provideContext(stream, context)), {
      idleTimeout: Duration.infinity,
      deadline: () => deadline,
      onTimeout: () => onTimeout
    })
  }))
