/**
 * Decides whether and when a request is sent again: a `Schedule` over `LlmError`.
 *
 * Errors that are `isRetryable` are retried with exponential back-off and jitter, but not before the server's Retry-After
 * has passed. Retries are limited to a share of all calls, so that they do not finish off a provider that is in trouble.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type LlmError, update } from "../../domain/LlmError.js"
import * as Check from "../../internal/check.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as RetryBudget from "./retryBudget.js"

/**
 * The options of a policy.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The most retries after the first attempt: an integer from 0. Default: 2. */
  readonly times?: number | undefined
  /** The wait before the first retry. Default: 1 second. */
  readonly base?: Duration.DurationInput | undefined
  /** The ratio of each wait to the previous one: at least 1. Default: 2. */
  readonly factor?: number | undefined
  /** The longest wait of the back-off. Default: 4 seconds. */
  readonly cap?: Duration.DurationInput | undefined
  /** Whether each wait is shortened at random, to between half and all of it, which spreads callers. Default: true. */
  readonly jitter?: boolean | undefined
  /** The longest Retry-After that a call waits for. A longer one fails it at once. Default: 1 minute. */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  /**
   * The retries that are allowed in proportion to calls, counted for each provider and model. `false` allows as many as
   * `times`. Default: `{ ratio: 0.2, minimum: 100 }`: 20% of the calls, or 100 if that is more.
   */
  readonly budget?:
    | {
      /** Retries per call, from 0. Default: 0.2. */
      readonly ratio?: number | undefined
      /** Retries that are always allowed, however few calls were made. Default: 100. */
      readonly minimum?: number | undefined
    }
    | false
    | undefined
}

/**
 * The decision about a failed attempt.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision {
  /** The failure of the attempt. Its `gaveUp` says why there is no further attempt although the reason allows one. */
  readonly error: LlmError
  /** Whether there is a further attempt. */
  readonly willRetry: boolean
  /** The wait before it. */
  readonly delay: Duration.Duration | undefined
}

/**
 * The facts about one call that a policy needs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Run {
  /** The budget that the retries are charged to: by convention `provider/model`. */
  readonly key: string
  /** The moment after which an answer is useless, in milliseconds of the Clock's monotone time (`currentTimeNanos`). */
  readonly deadline: () => number
  /** Is called after each failed attempt, before the wait. */
  readonly onDecision: (decision: Decision) => Effect.Effect<void>
}

/**
 * The retries of one call: for `Effect.retry(attempt, schedule)`, whose last error goes through `giveUp`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retries {
  /** Decides about each failure, and waits before each retry. */
  readonly schedule: Schedule.Schedule<unknown, LlmError>
  /** Reports the last failure, and fails with it. Its `gaveUp` says why it was not retried although its reason allows it. */
  readonly giveUp: (last: LlmError) => Effect.Effect<never, LlmError>
}

/**
 * A policy and the state of its budget.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicy {
  /** Runs an attempt until it succeeds or the policy gives up. Fails with the last error. */
  readonly retry: <A, R>(attempt: Effect.Effect<A, LlmError, R>, run: Run) => Effect.Effect<A, LlmError, R>
  /** Starts the retries of one call, for a program that composes `Effect.retry` itself. It counts as a call. */
  readonly start: (run: Run) => Retries
  /** Equal for policies whose options are equal. */
  readonly key: string
  /** The same policy with some options changed, on the same budget. Of `budget`, only `false` has an effect. */
  readonly with: (options: Options | false) => RetryPolicy
}

interface Checked {
  readonly key: string
  readonly times: number
  readonly maxRetryAfter: Duration.Duration
  readonly backoff: Schedule.Schedule<unknown>
}

/** Between half and all of the back-off's wait: AWS's "equal jitter", which keeps a floor under the wait. */
const equalJitter = { min: 0.5, max: 1 }

const names: Check.Names<Options> = {
  times: true,
  base: true,
  factor: true,
  cap: true,
  jitter: true,
  maxRetryAfter: true,
  budget: true
}

const budgetNames: Check.Names<RetryBudget.BudgetOptions> = { ratio: true, minimum: true }

const check = (options: Options): Checked => {
  Check.known(options, names, "retry.")
  const base = Check.duration("retry.base", options.base ?? "1 second")
  const factor = Check.finite("retry.factor", options.factor ?? 2, 1)
  const cap = Check.duration("retry.cap", options.cap ?? "4 seconds")
  // A union takes the shorter wait: the power, or the cap.
  const capped = Schedule.union(Schedule.exponential(base, factor), Schedule.spaced(cap))
  const times = Check.integer("retry.times", options.times ?? 2, 0)
  const maxRetryAfter = Check.duration("retry.maxRetryAfter", options.maxRetryAfter ?? "1 minute")
  return {
    key: [times, factor, options.jitter !== false, ...[base, cap, maxRetryAfter].map(Duration.toMillis)].join(" "),
    times,
    maxRetryAfter,
    backoff: options.jitter === false ? capped : Schedule.jitteredWith(capped, equalJitter)
  }
}

const checkBudget = (options: Options["budget"] = {}): RetryBudget.BudgetOptions | false => {
  if (options === false) return false
  const { minimum = 100, ratio = 0.2 } = Check.known(options, budgetNames, "retry.budget.")
  return {
    ratio: Check.finite("retry.budget.ratio", ratio, 0),
    minimum: Check.finite("retry.budget.minimum", minimum, 0)
  }
}

/** Options on top of others: an `undefined` option changes nothing. */
const merge = (below: Options, above: Options): Options => ({
  ...below,
  ...Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined))
})

/** The errors as they come, each with the number of those before it; the waits are those of the back-off. */
const retries = (
  { backoff, times }: Checked
): Schedule.Schedule<readonly [error: LlmError, before: number], LlmError> =>
  Schedule.identity<LlmError>().pipe(
    Schedule.zipLeft(backoff),
    // After the jitter, which must not undercut the server's wait.
    Schedule.modifyDelay((error, delay) => Duration.max(delay, error.retryAfter ?? Duration.zero)),
    Schedule.intersect(Schedule.recurs(times)),
    Schedule.whileOutput(([error]) => error.isRetryable)
  )

/** The reason why a call does not wait for a Retry-After. */
const unbearable = (
  error: LlmError,
  limits: { readonly maxRetryAfter: Duration.Duration; readonly left: Duration.Duration }
): string | undefined => {
  const { retryAfter } = error
  if (retryAfter === undefined) return undefined
  const asks = `the server asks to wait ${Duration.format(retryAfter)}`
  if (Duration.greaterThan(retryAfter, limits.maxRetryAfter)) {
    return `${asks}, longer than maxRetryAfter (${Duration.format(limits.maxRetryAfter)})`
  }
  return Duration.greaterThanOrEqualTo(retryAfter, limits.left)
    ? `${asks}, and only ${Duration.format(limits.left)} are left until the deadline`
    : undefined
}

/**
 * The policy as a schedule, for `Effect.retry` on any effect that fails with `LlmError`: it retries errors that are
 * `isRetryable`, with back-off, jitter, and Retry-After as the floor of each wait. A Retry-After beyond `maxRetryAfter`
 * ends it. It has no budget, which needs the state of `make`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmProvider, RetryPolicy } from "effect-llm"
 * import type { LlmRequest } from "effect-llm"
 *
 * const persistent = (request: LlmRequest.LlmRequest) =>
 *   Effect.flatMap(LlmProvider.LlmProvider, (provider) => provider.call(request)).pipe(
 *     Effect.retry(RetryPolicy.schedule({ times: 5, cap: "30 seconds" }))
 *   )
 * ```
 */
export const schedule = (options: Options = {}): Schedule.Schedule<LlmError, LlmError> => {
  const checked = check(options)
  const limits = { maxRetryAfter: checked.maxRetryAfter, left: Duration.infinity }
  return retries(checked).pipe(
    Schedule.map(([error]) => error),
    Schedule.whileOutput((error) => unbearable(error, limits) === undefined)
  )
}

const withBudget = (options: Options, budget: RetryBudget.RetryBudget): RetryPolicy => {
  const checked = check(options)
  checkBudget(options.budget)
  const schedule = retries(checked)

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
      schedule: schedule.pipe(
        Schedule.whileInputEffect((error: LlmError) =>
          Effect.map(obstacle(error, run), (found) => {
            gaveUp = found
            return found === undefined
          })
        ),
        // Outermost: it sees the delays of retries that are made, and no others.
        Schedule.modifyDelayEffect(([error], backoff) =>
          Elapsed.nowWith((now) => {
            const delay = Duration.min(backoff, Duration.millis(run.deadline() - now))
            return Effect.as(run.onDecision({ error, willRetry: true, delay: backoff }), delay)
          })
        )
      ),
      giveUp: (last) => {
        const error = gaveUp === undefined ? last : update(last, { gaveUp })
        return Effect.zipRight(run.onDecision({ error, willRetry: false, delay: undefined }), Effect.fail(error))
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
        return attempt.pipe(Effect.retry(schedule), Effect.catchAll(giveUp))
      })
  }
}

/**
 * Makes a policy, checking its options (a mistake there is a defect that names the option), with a budget of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options | false = {}): Effect.Effect<RetryPolicy> =>
  Effect.sync(() => {
    const given: Options = options === false ? { times: 0 } : options
    const budget = checkBudget(given.budget)
    return withBudget(given, budget === false ? RetryBudget.unlimited : RetryBudget.make(budget))
  })
