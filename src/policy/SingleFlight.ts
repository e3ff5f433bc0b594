/**
 * Equal work that is under way is done once: everybody who asks for it meanwhile gets the one result.
 *
 * Unlike `effect/Cache`, whose look-up dies with the caller that began it, the work here belongs to all who wait for
 * it: the one who began it may leave, the last one who leaves aborts it, and nothing is kept once it is done.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { clockOf, schedule, start } from "./fiber.js"

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
      /** Until when this caller waits, in epoch milliseconds. */
      readonly deadline: number
      /** The failure of a caller whose deadline has passed; the work goes on for the others. Default: nobody stops it. */
      readonly onDeadline?: (() => E) | undefined
      readonly work: (flight: Flight) => Effect.Effect<A, E>
    }
  ) => Effect.Effect<Shared<A>, E>
  /** How many pieces of work are under way. */
  readonly size: Effect.Effect<number>
}

interface Entry<A, E> {
  deadline: number
  /** Absent while the work runs without having waited for anything yet. */
  fiber: Fiber.RuntimeFiber<A, E> | undefined
  /** Who waits for it. */
  readonly waiting: Set<(exit: Exit.Exit<A, E>) => void>
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
  Effect.gen(function*() {
    const entries = new Map<string, Entry<A, E>>()
    let closed = false

    // What was given up, or is done, must not be joined; by then the key may be somebody else's.
    const forget = (key: string, entry: Entry<A, E>): void => {
      if (entries.get(key) === entry) entries.delete(key)
    }

    const join = (
      caller: Fiber.RuntimeFiber<unknown, unknown>,
      key: string,
      entry: Entry<A, E>,
      { deadline, onDeadline, role }: {
        readonly deadline: number
        readonly onDeadline: (() => E) | undefined
        readonly role: Shared<A>["role"]
      }
    ): Effect.Effect<Shared<A>, E> =>
      Effect.async((resume) => {
        const done = (exit: Exit.Exit<A, E>): void => {
          stop()
          resume(Exit.map(exit, (value) => ({ value, role })))
        }
        const leave = Effect.suspend(() => {
          stop()
          entry.waiting.delete(done)
          if (entry.waiting.size > 0 || entry.fiber === undefined) return Effect.void
          forget(key, entry)
          return Effect.asVoid(Fiber.interrupt(entry.fiber))
        })
        const stop = onDeadline === undefined ? () => {} : schedule(
          caller,
          Math.max(deadline - clockOf(caller).unsafeCurrentTimeMillis(), 0),
          () => resume(Effect.zipRight(leave, Effect.failSync(onDeadline)))
        )
        entry.waiting.add(done)
        return leave
      })

    const run: SingleFlight<A, E>["run"] = (key, { deadline, onDeadline, work }) =>
      Effect.withFiberRuntime((caller) => {
        const underWay = entries.get(key)
        if (closed) return Effect.interrupt
        if (underWay !== undefined) {
          underWay.deadline = Math.max(underWay.deadline, deadline)
          return join(caller, key, underWay, { deadline, onDeadline, role: "follower" })
        }
        const entry: Entry<A, E> = { deadline, fiber: undefined, waiting: new Set() }
        entries.set(key, entry)
        const fiber = start(
          caller,
          Effect.suspend(() => work({ deadline: () => entry.deadline })),
          caller.currentContext
        )
        const land = (exit: Exit.Exit<A, E>): void => {
          forget(key, entry)
          for (const done of entry.waiting) done(exit)
        }
        const exit = fiber.unsafePoll()
        if (exit !== null) {
          land(exit)
          return Exit.map(exit, (value) => ({ value, role: "leader" as const }))
        }
        entry.fiber = fiber
        fiber.addObserver(land)
        return join(caller, key, entry, { deadline, onDeadline, role: "leader" })
      })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closed = true
        return Fiber.interruptAll(Array.from(entries.values(), ({ fiber }) => fiber ?? []).flat())
      })
    )

    return { run, size: Effect.sync(() => entries.size) }
  })
