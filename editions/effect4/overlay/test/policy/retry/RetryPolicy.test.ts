// In place of declarations: the steps of a schedule of Effect 4 are taken one by one.
import * as Pull from "effect/Pull"

const delays = (options: RetryPolicy.Options, errors: Iterable<LlmError.LlmError>) =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(RetryPolicy.schedule(options))
    const waits: Array<number> = []
    for (const error of errors) {
      const next = yield* Pull.catchDone(step(0, error), () => Effect.succeed(undefined))
      waits.push(next === undefined ? 0 : Duration.toMillis(next[1]))
      if (next === undefined) break
    }
    return waits
  })
