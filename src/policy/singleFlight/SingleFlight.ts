/**
 * Does equal work once at a time: callers that ask for work under way share its result.
 *
 * The work belongs to all callers that wait for it. If the caller that began it leaves, it continues for the others; the
 * last caller to leave aborts it. (A look-up of `effect/Cache` ends with the caller that began it.) No result is kept.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Elapsed from "../../runtime/elapsed.js"
import * as SharedRun from "../../runtime/sharedRun.js"

/**
 * The result of shared work, and whether this caller began it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shared<A> {
  readonly value: A
  readonly role: "leader" | "follower"
}

/**
 * The facts that the work may ask for while it runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flight {
  /** The latest deadline of its callers, in milliseconds of the Clock's monotone time. */
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
   * Joins the work under way for `key`, or begins it. Failures are shared like results. A caller that is interrupted
   * leaves the others alone; if it is the last, the work is interrupted, and the caller waits until it has ended.
   */
  readonly run: (
    key: string,
    options: {
      /** The deadline of this caller, in milliseconds of the Clock's monotone time (`currentTimeNanos`). */
      readonly deadline: number
      /** The failure of a caller whose deadline has passed. The work continues for the others. Default: no limit. */
      readonly onDeadline?: (() => E) | undefined
      readonly work: (flight: Flight) => Effect.Effect<A, E>
    }
  ) => Effect.Effect<Shared<A>, E>
  /** The number of pieces of work under way. */
  readonly size: Effect.Effect<number>
}

/**
 * Makes an empty set. Work that is under way when the scope closes is interrupted.
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
  Effect.map(SharedRun.make<A, E, { latest: number }>(), (runs): SingleFlight<A, E> => ({
    run: (key, { deadline, onDeadline, work }) => {
      const answer = runs.run(key, {
        begin: () => ({ latest: deadline }),
        join: (state) => {
          state.latest = Math.max(state.latest, deadline)
          return true
        },
        work: (state) => work({ deadline: () => state.latest })
      })
      return onDeadline === undefined ?
        answer :
        Elapsed.nowWith((now) =>
          Effect.timeoutFail(answer, {
            duration: Duration.millis(Math.max(deadline - now, 0)),
            onTimeout: onDeadline
          })
        )
    },
    size: runs.size
  }))
