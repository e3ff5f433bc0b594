// In place of declarations: a schedule of Effect 4 is a step that fails with `Cause.Done` at its end.
import * as Cause from "effect/Cause"
import type * as Pull from "effect/Pull"
import * as Random from "effect/Random"

interface Checked {
  readonly key: string
  readonly times: number
  readonly maxRetryAfter: Duration.Duration
  /** The wait after a failure that this many came before. */
  readonly backoff: (before: number) => Effect.Effect<Duration.Duration>
}

const check = (options: Options): Checked => {
  Check.known(options, names, "retry.")
  const base = Check.duration("retry.base", options.base ?? "1 second")
  const factor = Check.finite("retry.factor", options.factor ?? 2, 1)
  const cap = Check.duration("retry.cap", options.cap ?? "4 seconds")
  const times = Check.integer("retry.times", options.times ?? 2, 0)
  const maxRetryAfter = Check.duration("retry.maxRetryAfter", options.maxRetryAfter ?? "1 minute")
  const capped = (before: number): number =>
    Math.min(Duration.toMillis(base) * factor ** before, Duration.toMillis(cap))
  return {
    key: [times, factor, options.jitter !== false, ...[base, cap, maxRetryAfter].map(Duration.toMillis)].join(" "),
    times,
    maxRetryAfter,
    backoff: (before) =>
      options.jitter === false
        ? Effect.succeed(Duration.millis(capped(before)))
        : Effect.map(Random.next, (random) =>
          Duration.millis(capped(before) * (equalJitter.min + (equalJitter.max - equalJitter.min) * random)))
  }
}

/** The wait before the attempt after a failure, which this many failures came before; `undefined` if there is none. */
const retries = (
  { backoff, times }: Checked
) =>
(error: LlmError, before: number): Effect.Effect<Duration.Duration | undefined> =>
  before >= times || !error.isRetryable
    ? Effect.succeed(undefined)
    // After the jitter, which must not undercut the server's wait.
    : Effect.map(backoff(before), (delay) => Duration.max(delay, error.retryAfter ?? Duration.zero))

/** A schedule of waits, by each failure and how many came before it; `undefined` ends it. */
const scheduled = <Output>(
  wait: (error: LlmError, before: number) => Effect.Effect<Duration.Duration | undefined>,
  output: (error: LlmError, before: number) => Output
): Schedule.Schedule<Output, LlmError> =>
  Schedule.fromStepWithMetadata(Effect.succeed(({ attempt, input }: Schedule.InputMetadata<LlmError>) => {
    const before = attempt - 1
    return Effect.flatMap(
      wait(input, before),
      (delay): Pull.Pull<[Output, Duration.Duration], never, Output> =>
        delay === undefined ? Cause.done(output(input, before)) : Effect.succeed([output(input, before), delay])
    )
  }))

export const schedule = (options: Options = {}): Schedule.Schedule<LlmError, LlmError> => {
  const checked = check(options)
  const limits = { maxRetryAfter: checked.maxRetryAfter, left: Duration.infinity }
  const retry = retries(checked)
  return scheduled(
    (error, before) => unbearable(error, limits) === undefined ? retry(error, before) : Effect.succeed(undefined),
    (error) => error
  )
}

const withBudget = (options: Options, budget: RetryBudget.RetryBudget): RetryPolicy => {
  const checked = check(options)
  checkBudget(options.budget)
  const retry = retries(checked)

  const obstacle = (error: LlmError, run: Run): Effect.Effect<string | undefined> =>
    Effect.map(Elapsed.now, (now) => {
      const left = Duration.millis(run.deadline() - now)
      return unbearable(error, { maxRetryAfter: checked.maxRetryAfter, left }) ??
        (budget.withdraw(run.key) ? undefined : "the retry budget is spent")
    })

  const start: RetryPolicy["start"] = (run) => {
    budget.deposit(run.key)
    let gaveUp: string | undefined
    return {
      schedule: scheduled(
        (error, before) =>
          Effect.gen(function*() {
            const backoff = yield* retry(error, before)
            if (backoff === undefined) return undefined
            gaveUp = yield* obstacle(error, run)
            if (gaveUp !== undefined) return undefined
            const now = yield* Elapsed.now
            yield* run.onDecision({ error, willRetry: true, delay: backoff })
            return Duration.min(backoff, Duration.millis(run.deadline() - now))
          }),
        (error, before) => [error, before] as const
      ),
      giveUp: (last) => {
        const error = gaveUp === undefined ? last : update(last, { gaveUp })
        return Effect.andThen(run.onDecision({ error, willRetry: false, delay: undefined }), Effect.fail(error))
      }
    }
  }

  return {
    key: `${checked.key} ${budget === RetryBudget.unlimited}`,
    with: (changes) =>
      changes === false
        ? withBudget({ ...options, times: 0 }, budget)
        : withBudget(merge(options, changes), changes.budget === false ? RetryBudget.unlimited : budget),
    start,
    retry: (attempt, run) =>
      Effect.suspend(() => {
        const { giveUp, schedule } = start(run)
        return attempt.pipe(Effect.retry(schedule), Effect.catch(giveUp))
      })
  }
}
