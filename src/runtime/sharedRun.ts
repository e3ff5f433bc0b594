import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { type Child, forkNow, joined, observe } from "./forkNow.js"

/** The result of shared work, and whether this caller began it. */
export interface Shared<A> {
  readonly value: A
  readonly role: "leader" | "follower"
}

/** The part of a caller in a run. */
export interface Options<A, E, S> {
  /** The state of a run that this caller begins. */
  readonly begin: () => S
  /** Lets this caller join a run; `false` if the caller has to begin another one in its place. */
  readonly join: (state: S) => boolean
  /** The work of a run that this caller begins. */
  readonly work: (state: S) => Effect.Effect<A, E>
}

/** Runs under way, by key. `S` is the state that the callers of a run share. */
export interface SharedRuns<A, E, S> {
  /**
   * Joins the run under way for a key, or begins it. A run has its own fiber, in the context of the caller that began
   * it, and shares its failures like its results. A caller that is interrupted leaves it; the last one to leave
   * interrupts the run and waits for its end.
   */
  readonly run: (key: string, options: Options<A, E, S>) => Effect.Effect<Shared<A>, E>
  /** The number of runs under way. */
  readonly size: Effect.Effect<number>
}

interface Run<A, E, S> {
  readonly state: S
  readonly child: Child<A, E>
  /** The number of callers that wait for it. */
  callers: number
}

/** Makes an empty set. Runs that are under way when the scope closes are interrupted. */
export const make = <A, E, S>(): Effect.Effect<SharedRuns<A, E, S>, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => unsafeMake<A, E, S>()), ({ close }) => close)

/** Makes an empty set that belongs to no scope: each run ends with its last caller. */
export const unsafeMake = <A, E, S>(): SharedRuns<A, E, S> & {
  /** Interrupts the runs that are under way, and begins no other. */
  readonly close: Effect.Effect<void>
} => {
  const byKey = new Map<string, Run<A, E, S>>()
  const underWay = new Set<Run<A, E, S>>()
  let isClosed = false

  const forget = (key: string, run: Run<A, E, S>): void => {
    underWay.delete(run)
    // A caller that could not join may have put another run in its place.
    if (byKey.get(key) === run) byKey.delete(key)
  }

  const begin = (
    caller: Fiber.RuntimeFiber<unknown, unknown>,
    key: string,
    { begin, work }: Options<A, E, S>
  ): Run<A, E, S> => {
    const state = begin()
    const child = forkNow(caller, Effect.suspend(() => work(state)))
    const run: Run<A, E, S> = { state, child, callers: 0 }
    underWay.add(run)
    byKey.set(key, run)
    observe(child, () => forget(key, run))
    return run
  }

  const leave = (key: string, run: Run<A, E, S>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (--run.callers > 0) return Effect.void
      forget(key, run)
      return interrupt(run)
    })

  return {
    run: (key, options) =>
      Effect.withFiberRuntime((caller) =>
        isClosed ? Effect.interrupt : Effect.async((resume) => {
          const found = byKey.get(key)
          const leads = found === undefined || !options.join(found.state)
          const run = leads ? begin(caller, key, options) : found
          run.callers++
          const ended = (exit: Exit.Exit<Exit.Exit<A, E>>): void =>
            resume(
              leads
                // The caller keeps the FiberRefs that the work has set, as if it had done the work itself.
                ? Effect.map(joined(run.child, exit), (value) => ({ value, role: "leader" }))
                : Effect.map(Exit.flatten(exit), (value) => ({ value, role: "follower" }))
            )
          const ignore = observe(run.child, ended)
          return Effect.suspend(() => {
            ignore()
            return leave(key, run)
          })
        })
      ),
    size: Effect.sync(() => underWay.size),
    close: Effect.suspend(() => {
      isClosed = true
      return Effect.forEach(Array.from(underWay), interrupt, { concurrency: "unbounded", discard: true })
    })
  }
}

const interrupt = <A, E, S>({ child }: Run<A, E, S>): Effect.Effect<void> => Effect.asVoid(Fiber.interrupt(child.fiber))
