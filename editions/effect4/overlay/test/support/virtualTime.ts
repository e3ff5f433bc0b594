// In place of declarations: Effect 4 has no scheduler that runs its tasks one by one on demand.

/** A scheduler whose tasks run when they are told to. */
const makeStepped = () => {
  const tasks: Array<() => void> = []
  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: () => false,
    makeDispatcher: () => ({
      scheduleTask: (task) => {
        tasks.push(task)
      },
      flush: () => {}
    })
  }
  const step = (): void => {
    for (const task of tasks.splice(0)) task()
  }
  return { scheduler, step, isIdle: () => tasks.length === 0 }
}

export const runVirtually = <A, E>(program: Effect.Effect<A, E>): Exit.Exit<A, E> => {
  const { isIdle, scheduler, step } = makeStepped()
  const sleepers = new Set<Sleeper>()
  let now = 0
  let order = 0
  const nanos = () => BigInt(Math.round(now * 1e6))
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeNanosUnsafe: nanos,
    monotonicTimeNanosUnsafe: nanos,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback((resume) => {
        // As a real timer: whole milliseconds.
        const at = now + Math.ceil(Duration.toMillis(duration))
        const sleeper = { at, order: order++, wake: () => resume(Effect.void) }
        sleepers.add(sleeper)
        return Effect.sync(() => void sleepers.delete(sleeper))
      })
  }
  const fiber = Effect.runFork(Effect.provideService(program, Clock.Clock, clock), { scheduler })
  for (;;) {
    while (!isIdle()) step()
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    let first: Sleeper | undefined
    for (const sleeper of sleepers) {
      if (first === undefined || sleeper.at < first.at || (sleeper.at === first.at && sleeper.order < first.order)) {
        first = sleeper
      }
    }
    if (first === undefined) throw new Error("Nobody has anything to do, and the program has not ended")
    sleepers.delete(first)
    now = first.at
    first.wake()
  }
}
