import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { persist } from "./persist.js"
import type { Mark, Recorded, Store } from "./store.js"

/** Writes the records of many chunks in few transactions. */
export interface Journal {
  /**
   * Waits until a mark is stored: its request may not be sent before. `false` if the request already has a result: it
   * may not be sent at all.
   */
  readonly mark: (mark: Mark) => Effect.Effect<boolean>
  /** Waits until a result is stored. */
  readonly record: (recorded: Recorded) => Effect.Effect<void>
}

interface Entry {
  readonly mark?: Mark
  readonly recorded?: Recorded
  /** Whether a request that is marked has no result. */
  readonly kept: Deferred.Deferred<boolean>
}

/** The most entries of a transaction, so that a statement stays within the limits of databases. */
const most = 200

/** Opens a journal. When its scope closes, its entries are written, unless the database is away. */
export const make = (
  store: Pick<Store, "record">,
  flushEvery: Duration.Duration
): Effect.Effect<Journal, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pending: Array<Entry> = []
    const signal = yield* Queue.sliding<void>(1)

    // An entry leaves the list once it is stored: writing it twice does no harm.
    const writePending = <E>(write: (effect: ReturnType<Store["record"]>) => Effect.Effect<ReadonlySet<Mark>, E>) =>
      Effect.whileLoop({
        while: () => pending.length > 0,
        body: () => {
          const entries = pending.slice(0, most)
          return Effect.flatMap(
            write(store.record(
              entries.flatMap(({ recorded }) => recorded ?? []),
              entries.flatMap(({ mark }) => mark ?? [])
            )),
            (answered) => {
              pending.splice(0, entries.length)
              return Effect.forEach(
                entries,
                ({ kept, mark }) => Deferred.succeed(kept, mark === undefined || !answered.has(mark)),
                { discard: true }
              )
            }
          )
        },
        step: () => {}
      })

    const add = (entry: Omit<Entry, "kept">): Effect.Effect<boolean> =>
      Effect.gen(function*() {
        const kept = yield* Deferred.make<boolean>()
        pending.push({ ...entry, kept })
        yield* Queue.offer(signal, undefined)
        return yield* Deferred.await(kept)
      })

    yield* Effect.addFinalizer(() => Effect.ignore(writePending((record) => record)))
    const wait = Duration.equals(flushEvery, Duration.zero) ? Effect.void : Effect.sleep(flushEvery)
    yield* Queue.take(signal).pipe(
      Effect.zipRight(wait),
      Effect.zipRight(writePending(persist)),
      Effect.forever,
      Effect.forkScoped
    )

    return {
      mark: (mark) => add({ mark }),
      record: (recorded) => Effect.asVoid(add({ recorded }))
    }
  })
