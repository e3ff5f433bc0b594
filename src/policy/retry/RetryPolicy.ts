/**
 * When to send a request again, and when not: a `Schedule` over `LlmError`.
 *
 * It repeats what `isRetryable` allows, with exponential back-off and jitter, never before the server's Retry-After
 * has passed, and never beyond a share of all calls, so that retries do not finish off a provider that is in trouble.
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
 * How to retry.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How often at most, after the first attempt. An integer. Default: 2. */
  readonly times?: number | undefined
  /** The wait before the first retry. Default: 1 second. */
  readonly base?: Duration.DurationInput | undefined
  /** By how much each wait is longer than the one before. At least 1. Default: 2. */
  readonly factor?: number | undefined
  /** The longest wait that back-off comes to. Default: 4 seconds. */
  readonly cap?: Duration.DurationInput | undefined
  /** Whether each wait is shortened at random, to between half and all of it, so that callers spread. Default: true. */
  readonly jitter?: boolean | undefined
  /** The longest Retry-After that is waited for; a longer one fails at once. Default: 1 minute. */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  /**
   * How many retries are allowed in proportion to calls, counted for each provider and model; `false`: as many as
   * `times` gives. Default: `{ ratio: 0.2, minimum: 100 }`, that is 20% of the calls, or 100 where that is more.
   */
  readonly budget?:
    | {
      /** Retries a call, from 0. Default: 0.2. */
      readonly ratio?: number | undefined
      /** Retries that are allowed however few calls were made. Default: 100. */
      readonly minimum?: number | undefined
    }
    | false
    | undefined
}

/**
 * What became of a failed attempt.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision {
  /** How the attempt failed. `gaveUp` tells why there is no further one, where its reason would have allowed it. */
  readonly error: LlmError
  /** Whether there is a further attempt. */
  readonly willRetry: boolean
  /** The wait before it. */
  readonly delay: Duration.Duration | undefined
}

/**
 * The circumstances of one call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Run {
  /** Whose budget the retries are charged to: the provider and model. */
  readonly key: string
  /** The moment after which an answer is of no use: milliseconds of the Clock's monotone time. */
  readonly deadline: () => number
  /** Told of each failed attempt, before the wait. */
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
  /** Reports the last failure, and fails with it; `gaveUp` says why it was not retried, where its reason allows it. */
  readonly giveUp: (last: LlmError) => Effect.Effect<never, LlmError>
}

/**
 * A policy and the state of its budget.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicy {
  /** Runs an attempt until it succeeds or the policy ends. Fails with the last error. */
  readonly retry: <A, R>(attempt: Effect.Effect<A, LlmError, R>, run: Run) => Effect.Effect<A, LlmError, R>
  /** Starts the retries of one call, for a program that composes `Effect.retry` itself. It counts as a call. */
  readonly start: (run: Run) => Retries
  /** Equal for policies whose options are equal. */
  readonly key: string
  /** The same policy with some options changed, on the same budget: of `budget`, only `false` changes anything. */
  readonly with: (options: Options | false) => RetryPolicy
}

interface Checked {
  readonly key: string
  readonly times: number
  readonly maxRetryAfter: Duration.Duration
  readonly backoff: Schedule.Schedule<unknown>
}

/** The wait between half and all of what back-off says: AWS's "equal jitter", which keeps a floor under it. */
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
  // A union waits for whichever comes first: the power, or the cap.
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

/** Options on top of others: what is `undefined` changes nothing. */
const merge = (below: Options, above: Options): Options => ({
  ...below,
  ...Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined))
})

/** The errors as they come, each with how many came before it; the waits are those of the back-off. */
const retries = (
  { backoff, times }: Checked
): Schedule.Schedule<readonly [error: LlmError, before: number], LlmError> =>
  Schedule.identity<LlmError>().pipe(
    Schedule.zipLeft(backoff),
    // After the jitter, which must not undercut what the server asks for.
    Schedule.modifyDelay((error, delay) => Duration.max(delay, error.retryAfter ?? Duration.zero)),
    Schedule.intersect(Schedule.recurs(times)),
    Schedule.whileOutput(([error]) => error.isRetryable)
  )

/** Why a Retry-After is not waited for. */
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
 * The policy as a schedule, for use with `Effect.retry` on anything that fails with `LlmError`: what `isRetryable`
 * allows, back-off, jitter, and Retry-After as the floor of each wait. A Retry-After beyond `maxRetryAfter` ends it. The
 * budget needs state, which `make` has and this has not.
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
          Effect.flatMap(Elapsed.now, (now) => {
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
