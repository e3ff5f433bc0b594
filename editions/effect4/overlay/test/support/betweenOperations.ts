// In place of declarations: a scheduler of Effect 4 makes the dispatchers that run tasks.

export const happeningAfter =
  (operations: number, happen: () => void) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      let ran = 0
      const scheduler = new Scheduler.MixedScheduler()
      return Effect.provideService(self, Scheduler.Scheduler, {
        executionMode: scheduler.executionMode,
        makeDispatcher: () => scheduler.makeDispatcher(),
        shouldYield: () => {
          if (++ran === operations) happen()
          return false
        }
      })
    })
