/**
 * Equal work that is under way is done once: everybody who asks for it meanwhile gets the one result.
 *
 * Unlike `effect/Cache`, whose look-up dies with the caller that began it, the work here belongs to all who wait for
 * it: the one who began it may leave, the last one who leaves aborts it, and nothing is kept once it is done.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"

/**
 * What came of shared work, and whether this caller began it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shared<A> {
  readonly value: A
  readonly role: "leader" | "follower"
}

/**
 * What the work itself may ask while it runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flight {
  /** The latest moment (in epoch milliseconds) until which anybody who has asked for it is ready to wait. */
  readonly deadline: () => number
}

/**
 * A set of work under way, by key.
 *
 * @since 0.1.0
 * @category models
 */
export interface SingleFlight<A, E> {
  /**
   * Joins the work under way for `key`, or begins it. Failures are shared like results. Interrupting a caller takes
   * only that one out, unless nobody else waits: then the work is interrupted, and the caller waits until it has ended.
   */
  readonly run: (
    key: string,
    options: {
      /** Until when this caller waits, in epoch milliseconds. Limiting the wait is left to the caller. */
      readonly deadline: number
      readonly work: (flight: Flight) => Effect.Effect<A, E>
    }
  ) => Effect.Effect<Shared<A>, E>
  /** How many pieces of work are under way. */
  readonly size: Effect.Effect<number>
}

interface Entry<A, E> {
  waiting: number
  deadline: number
  fiber: Fiber.RuntimeFiber<A, E> | undefined
  readonly done: Deferred.Deferred<A, E>
}

/**
 * Makes an empty set. What is still under way when the scope closes is interrupted.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SingleFlight } from "effect-llm"
 *
 * const program = Effect.gen(function*() {
 *   const flights = yield* SingleFlight.make<string, never>()
 *   const load = flights.run("page", { deadline: Infinity, work: () => Effect.succeed("loaded once") })
 *   return yield* Effect.all([load, load], { concurrency: "unbounded" })
 * })
 * ```
 */
export const make = <A, E>(): Effect.Effect<SingleFlight<A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const entries = new Map<string, Entry<A, E>>()

    const forget = (key: string, entry: Entry<A, E>): void => {
      // A later caller may have begun anew under the same key.
      if (entries.get(key) === entry) entries.delete(key)
    }

    const begin = (key: string, work: (flight: Flight) => Effect.Effect<A, E>, fiberId: FiberId.FiberId) => {
      const entry: Entry<A, E> = { waiting: 0, deadline: 0, fiber: undefined, done: Deferred.unsafeMake(fiberId) }
      entries.set(key, entry)
      const started = Effect.suspend(() => work({ deadline: () => entry.deadline })).pipe(
        Effect.interruptible,
        Effect.forkIn(scope),
        Effect.map((fiber) => {
          entry.fiber = fiber
          // An observer is told even of a fiber that is interrupted before its first step; a finalizer is not.
          fiber.addObserver((exit) => {
            forget(key, entry)
            Deferred.unsafeDone(entry.done, exit)
          })
        })
      )
      return { entry, started }
    }

    const leave = (key: string, entry: Entry<A, E>): Effect.Effect<void> =>
      Effect.suspend(() => {
        entry.waiting--
        if (entry.waiting > 0 || entry.fiber === undefined) return Effect.void
        forget(key, entry)
        return Effect.asVoid(Fiber.interrupt(entry.fiber))
      })

    const run: SingleFlight<A, E>["run"] = (key, { deadline, work }) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Effect.fiberId, (fiberId) => {
          const underWay = entries.get(key)
          const { entry, started } = underWay === undefined
            ? begin(key, work, fiberId)
            : { entry: underWay, started: Effect.void }
          entry.waiting++
          entry.deadline = Math.max(entry.deadline, deadline)
          return Effect.zipRight(
            started,
            restore(Deferred.await(entry.done)).pipe(
              Effect.map((value): Shared<A> => ({ value, role: underWay === undefined ? "leader" : "follower" })),
              Effect.onInterrupt(() => leave(key, entry))
            )
          )
        })
      )

    return { run, size: Effect.sync(() => entries.size) }
  })
