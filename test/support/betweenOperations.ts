import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"

/**
 * Runs an effect, and calls back between two of its fiber's operations, once: after as many as is said. So a test can
 * have something happen at each place where a fiber might have let others run.
 */
export const happeningAfter =
  (operations: number, happen: () => void) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      let ran = 0
      return Effect.withScheduler(self, {
        scheduleTask: (task, priority) => Scheduler.defaultScheduler.scheduleTask(task, priority),
        shouldYield: () => {
          if (++ran === operations) happen()
          return false
        }
      })
    })
