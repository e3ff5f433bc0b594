// In place of declarations: a scheduler of Effect 4 makes the dispatchers that run tasks.

const yieldingAt = (fiber: Fiber.Fiber<unknown, unknown>, step: number): Scheduler.Scheduler => {
  let steps = 0
  const scheduler = new Scheduler.MixedScheduler()
  return {
    executionMode: scheduler.executionMode,
    shouldYield: (other) => other === fiber && ++steps === step,
    makeDispatcher: () => scheduler.makeDispatcher()
  }
}
