import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** How long, and how many. */
export interface Options {
  /** The most runs that are kept without a reader; the one that has waited longest makes room. */
  readonly capacity: number
  /** How long a run is kept without a reader. One that is under way is then interrupted. */
  readonly keepFor: Duration.Duration
}

/** Runs of streams that go on while their readers are away, for readers that come back. */
export interface Replays<A> {
  /** Begins a run under a new id, and reads it from its beginning. */
  readonly begin: <R>(id: string, stream: Stream.Stream<A, never, R>) => Stream.Stream<A, never, R>
  /** Reads a run from an element on: 0 is its first. If the run is not kept, another stream takes its place. */
  readonly resume: (id: string, from: number, otherwise: Stream.Stream<A>) => Stream.Stream<A>
}

interface Run<A> {
  readonly elements: Array<A>
  readers: number
  /** Completes when there is more to read, or the run is over. */
  changed: Deferred.Deferred<void>
  /** How it ended. */
  exit: Exit.Exit<void> | undefined
  fiber: Fiber.RuntimeFiber<void> | undefined
  timer: Fiber.RuntimeFiber<void> | undefined
}

/** Makes an empty set. Runs that are under way when the scope closes are interrupted. */
export const make = <A>({ capacity, keepFor }: Options): Effect.Effect<Replays<A>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope): Replays<A> => {
    // A `Map` keeps the order of insertion: a run whose last reader has left is inserted again.
    const runs = new Map<string, Run<A>>()

    const change = (run: Run<A>): void => {
      const { changed } = run
      run.changed = Deferred.unsafeMake(FiberId.none)
      Deferred.unsafeDone(changed, Effect.void)
    }

    const drop = (id: string, run: Run<A>): Effect.Effect<void> =>
      Effect.suspend(() => {
        runs.delete(id)
        return run.fiber === undefined ? Effect.void : Fiber.interruptFork(run.fiber)
      })

    const makeRoom = Effect.suspend(() => {
      const waiting = Array.from(runs).filter(([, { readers }]) => readers === 0)
      return Effect.forEach(
        waiting.slice(0, Math.max(0, waiting.length - capacity)),
        ([id, run]) =>
          Effect.zipRight(
            drop(id, run),
            run.timer === undefined ? Effect.void : Fiber.interruptFork(run.timer)
          ),
        { discard: true }
      )
    })

    const enter = (run: Run<A>) =>
      Effect.suspend(() => {
        run.readers++
        const { timer } = run
        run.timer = undefined
        return timer === undefined ? Effect.void : Fiber.interruptFork(timer)
      })

    const leave = (id: string, run: Run<A>) =>
      Effect.gen(function*() {
        if (--run.readers > 0 || runs.get(id) !== run) return
        runs.delete(id)
        runs.set(id, run)
        run.timer = yield* Effect.forkIn(Effect.interruptible(Effect.delay(drop(id, run), keepFor)), scope)
        yield* makeRoom
      })

    const read = (run: Run<A>, from: number): Stream.Stream<A> => {
      const next = (place: number): Effect.Effect<Option.Option<readonly [ReadonlyArray<A>, number]>> =>
        Effect.suspend(() => {
          const { changed, elements, exit } = run
          if (elements.length > place) return Effect.succeedSome([elements.slice(place), elements.length] as const)
          if (exit === undefined) return Effect.zipRight(Deferred.await(changed), next(place))
          return Effect.as(exit, Option.none())
        })
      return Stream.flattenIterables(Stream.unfoldEffect(from, next))
    }

    /** Begins a run, which has a reader. */
    const start = <R>(id: string, stream: Stream.Stream<A, never, R>) =>
      Effect.gen(function*() {
        const run: Run<A> = {
          elements: [],
          readers: 1,
          changed: Deferred.unsafeMake(FiberId.none),
          exit: undefined,
          fiber: undefined,
          timer: undefined
        }
        runs.set(id, run)
        const work = Stream.runForEach(stream, (element) =>
          Effect.sync(() => {
            run.elements.push(element)
            change(run)
          }))
        const end = (exit: Exit.Exit<void>) =>
          Effect.sync(() => {
            run.exit = exit
            change(run)
          })
        run.fiber = yield* Effect.forkIn(Effect.onExit(Effect.interruptible(work), end), scope)
        return run
      })

    return {
      begin: (id, stream) =>
        Stream.unwrapScoped(
          Effect.map(Effect.acquireRelease(start(id, stream), (run) => leave(id, run)), (run) => read(run, 0))
        ),
      resume: (id, from, otherwise) =>
        Stream.unwrapScoped(Effect.suspend(() => {
          const run = runs.get(id)
          return run === undefined
            ? Effect.succeed(otherwise)
            : Effect.as(Effect.acquireRelease(enter(run), () => leave(id, run)), read(run, from))
        }))
    }
  })
