// In place of declarations: Effect 4 has no supervisors; its runtime reports the beginning and end of each fiber.
import * as Metric from "effect/Metric"

export const watch: Effect.Effect<Watch> = Effect.sync(() => {
  let running = 0
  const metrics: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => {
      running++
    },
    recordFiberEnd: () => {
      running--
    }
  }
  return {
    over: Effect.provideService(Metric.FiberRuntimeMetrics, metrics),
    running: Effect.sync(() => running)
  }
})
