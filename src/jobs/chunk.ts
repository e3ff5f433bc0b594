import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { Answering } from "./answering.js"
import type { Halt, JobState } from "./job.js"
import type { Journal } from "./journal.js"
import { persist } from "./persist.js"
import type { Store } from "./store.js"
import * as Todo from "./todo.js"

/** A chunk, by references only. */
export interface Chunk {
  readonly job: string
  readonly generation: number
  /** The place of its first request. */
  readonly first: number
}

/** The pause between two checks whether the job was ended. */
const lookEvery = "1 second"

/** Whether a job is under way in a generation. */
export const isUnderWay = (job: Option.Option<JobState>, generation: number): job is Option.Some<JobState> =>
  Option.isSome(job) && job.value.progress.status === "running" && job.value.generation === generation

/** Runs an effect that can stop by itself: an interruption first asks it to, and interrupts it after a while. */
const untilStopped = (effect: Effect.Effect<void>, stop: Effect.Effect<void>, within: Duration.Duration) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      // A child would be interrupted with its parent. It never outlives it: this waits for its end in any case.
      const fiber = yield* Effect.forkDaemon(Effect.interruptible(effect))
      yield* restore(Fiber.join(fiber)).pipe(
        Effect.onInterrupt(() =>
          Effect.zipRight(stop, Fiber.await(fiber)).pipe(
            Effect.interruptible,
            Effect.timeoutOption(within),
            Effect.zipRight(Fiber.interrupt(fiber))
          )
        )
      )
    })
  )

/**
 * Makes a queue for each name, in which an effect waits for those before it: a cancelled chunk still has answers under
 * way when it continues in another generation.
 */
const makeTurns = () => {
  const last = new Map<string, Deferred.Deferred<void>>()
  return (name: string, effect: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const before = last.get(name)
        const own = Deferred.unsafeMake<void>(FiberId.none)
        last.set(name, own)
        return { before, own }
      }),
      ({ before }) => before === undefined ? effect : Effect.zipRight(Deferred.await(before), effect),
      ({ own }) => {
        if (last.get(name) === own) last.delete(name)
        return Deferred.succeed(own, undefined)
      }
    )
}

/** Makes the answering of a chunk. It can be repeated, with the same end, whatever interrupted it. */
export const make = (
  { answering, journal, stopWithin, store }: {
    readonly answering: Answering
    readonly journal: Journal
    readonly stopWithin: Duration.Duration
    readonly store: Store
  }
) => {
  const inTurn = makeTurns()
  return ({ first, generation, job: id }: Chunk): Effect.Effect<void> =>
    inTurn(
      `${first} ${id}`,
      Effect.scoped(Effect.gen(function*() {
        const found = yield* persist(store.find(id))
        if (!isUnderWay(found, generation)) return
        const job = found.value
        const end = Math.min(first + job.settings.chunk, job.progress.total)
        yield* persist(store.openChunk(id, first))

        let isStopped = false
        const stopped = yield* Deferred.make<void>()
        const stop = Effect.suspend(() => {
          isStopped = true
          return Effect.asVoid(Deferred.succeed(stopped, undefined))
        })
        const halt = (halt: Halt) => Effect.zipRight(stop, persist(store.end(id, "halted", { generation, halt })))
        yield* persist(store.find(id)).pipe(
          Effect.flatMap((now) => isUnderWay(now, generation) ? Effect.void : stop),
          Effect.schedule(Schedule.spaced(lookEvery)),
          Effect.forkScoped
        )

        const answered = answering({
          job,
          first,
          todo: Todo.read(store, id, first, end),
          isStopped: () => isStopped,
          stopped: Deferred.await(stopped),
          asks: ({ index }) => journal.mark({ job: id, first, index }),
          record: ({ index }, answered) => journal.record({ ...answered, job: id, index }),
          halt
        })
        yield* untilStopped(Effect.zipRight(answered, persist(store.closeChunk(id, first))), stop, stopWithin)
      }))
    )
}
