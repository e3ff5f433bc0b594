import * as Duration from "effect/Duration"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Check from "../../internal/check.js"
import type * as Concurrency from "./adaptiveConcurrency.js"
import type * as Queue from "./queue.js"
import type * as RateLimitStore from "./RateLimitStore.js"

/**
 * The limits of a provider. A limit that is not set does not hold.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Requests a minute. */
  readonly requestsPerMinute?: number | undefined
  /** Tokens a minute, input and output together: for OpenAI, and most others. */
  readonly tokensPerMinute?: number | undefined
  /** Input tokens a minute, without those read from the provider's prompt cache: for Anthropic. */
  readonly inputTokensPerMinute?: number | undefined
  /** Output tokens a minute: for Anthropic. */
  readonly outputTokensPerMinute?: number | undefined
  /** Requests at a time, from this process. A stream counts until its end. */
  readonly concurrency?: number | undefined
  /**
   * Requests at a time, from all processes that share a `RateLimitStore`. A request that waits for a place asks the
   * store again every 20 to 250 milliseconds. This limit does not adapt.
   */
  readonly sharedConcurrency?: number | undefined
}

/**
 * The adaptation of a limit of concurrency to the provider's capacity: while in use it grows by one for as many answers
 * as it is large, and it is cut when the provider is overloaded (`RateLimited`, `Overloaded`), once for all requests
 * that began before the cut. It is never less than one. (AIMD, as in TCP's congestion control.)
 *
 * @since 0.1.0
 * @category models
 */
export interface Adaptive {
  /** The initial limit. Default: 16, or `concurrency` if that is less. */
  readonly initial?: number | undefined
  /** The factor of a cut: more than 0, less than 1. Default: 0.7. */
  readonly decrease?: number | undefined
}

/**
 * The limits, and the options for keeping to them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Limits {
  /** Other limits for some models, by name; a limit that they leave out is the one above. */
  readonly models?: { readonly [model: string]: Limits } | undefined
  /**
   * Requests with the same key share limits: within a `RateLimitStore`, and where that is shared by several programs,
   * within its `account`. Default: the provider's name and the model, as most providers count each model by itself.
   */
  readonly key?: ((request: LlmRequest) => string) | undefined
  /**
   * The part of the limits that may be used at once after an idle time, as a duration: at most 1 minute, and less for
   * providers that count in shorter windows. Default: 1 minute, the whole limit, as in the buckets of OpenAI and
   * Anthropic.
   */
  readonly burst?: Duration.DurationInput | undefined
  /** Whether the limit of concurrency adapts, up to `concurrency` (200 where none is set). Default: false. */
  readonly adaptive?: boolean | Adaptive | undefined
  /** The most requests that may wait; further ones fail at once. Default: 1,000. */
  readonly maxQueue?: number | undefined
  /** The longest wait in the queue. Default: until the call's deadline. */
  readonly maxWait?: Duration.DurationInput | undefined
  /**
   * The wait that is worth a step of priority, so that no request waits forever: with 30 seconds, a request of priority
   * 1 goes before those of priority 0 that have waited for less than that. Default: 1 minute.
   */
  readonly aging?: Duration.DurationInput | undefined
  /**
   * The number of tokens to set aside for the answer to a request. The unused ones are given back with the answer.
   * Default: the request's `maxTokens`, or 1,024 where there is none.
   */
  readonly expectedOutputTokens?: ((request: LlmRequest) => number) | undefined
  /**
   * Whether unused tokens of an answer are given back. `false` is for providers that count all of `maxTokens` as used.
   * Default: true.
   */
  readonly refund?: boolean | undefined
  /**
   * Whether to believe the limits in the provider's headers if they are lower than those known here. They are taken as
   * limits of a minute. Default: true.
   */
  readonly learn?: boolean | undefined
  /**
   * The longest time for which a number from the provider stops requests: a Retry-After, a limit in its headers, or a
   * usage far beyond the estimate. Default: 10 minutes.
   */
  readonly maxPause?: Duration.DurationInput | undefined
}

/** The highest adaptive limit if no other is set. */
const defaultMaximum = 200

const checkConcurrency = (
  concurrency: number | undefined,
  adaptive: Options["adaptive"]
): Concurrency.Settings => {
  const limit = concurrency === undefined ? undefined : Check.integer("concurrency", concurrency, 1)
  if (adaptive === undefined || adaptive === false) {
    return { initial: limit ?? Infinity, maximum: limit ?? Infinity, decrease: 1 }
  }
  const { decrease = 0.7, initial } = adaptive === true ? {} : adaptive
  const maximum = limit ?? defaultMaximum
  return {
    initial: initial === undefined ? Math.min(16, maximum) : Math.min(
      Check.integer("adaptive.initial", initial, 1),
      maximum
    ),
    maximum,
    decrease: decrease > 0 && decrease < 1
      ? decrease
      : Check.invalidOption("adaptive.decrease", "more than 0 and less than 1", decrease)
  }
}

const checkLimits = (limits: Limits, burst: number, maxPause: number): RateLimitStore.Limits => {
  const perMinute = (option: keyof Limits, value: number | undefined) =>
    value === undefined || (Number.isFinite(value) && value > 0)
      ? value
      : Check.invalidOption(option, "a positive number", value)
  const checked = {
    requests: perMinute("requestsPerMinute", limits.requestsPerMinute),
    tokens: perMinute("tokensPerMinute", limits.tokensPerMinute),
    inputTokens: perMinute("inputTokensPerMinute", limits.inputTokensPerMinute),
    outputTokens: perMinute("outputTokensPerMinute", limits.outputTokensPerMinute)
  }
  return {
    burst,
    maxPause,
    ...(limits.sharedConcurrency !== undefined && {
      concurrency: Check.integer("sharedConcurrency", limits.sharedConcurrency, 1)
    }),
    ...(checked.requests !== undefined && { requests: checked.requests }),
    ...(checked.tokens !== undefined && { tokens: checked.tokens }),
    ...(checked.inputTokens !== undefined && { inputTokens: checked.inputTokens }),
    ...(checked.outputTokens !== undefined && { outputTokens: checked.outputTokens })
  }
}

const minute = Duration.minutes(1)

/** Checks options, and gives the settings of each model. Throws `InvalidOption`. */
export const check = (options: Options): (model: string) => Queue.Settings => {
  const burst = Check.positiveDuration("burst", options.burst ?? minute)
  if (Duration.greaterThan(burst, minute)) return Check.invalidOption("burst", "at most 1 minute", options.burst)
  const common = {
    maxQueue: Check.integer("maxQueue", options.maxQueue ?? 1_000, 0),
    maxWait: Duration.toMillis(Check.duration("maxWait", options.maxWait ?? Duration.infinity)),
    aging: Duration.toMillis(Check.duration("aging", options.aging ?? minute)),
    maxPause: Duration.toMillis(Check.positiveDuration("maxPause", options.maxPause ?? "10 minutes"))
  }
  const settings = (limits: Limits): Queue.Settings => ({
    ...common,
    limits: checkLimits(limits, Duration.toMillis(burst) / Duration.toMillis(minute), common.maxPause),
    concurrency: checkConcurrency(limits.concurrency, options.adaptive)
  })
  const general = settings(options)
  const models = new Map(
    Object.entries(options.models ?? {}).map(([model, limits]) => [
      model,
      settings({
        requestsPerMinute: limits.requestsPerMinute ?? options.requestsPerMinute,
        tokensPerMinute: limits.tokensPerMinute ?? options.tokensPerMinute,
        inputTokensPerMinute: limits.inputTokensPerMinute ?? options.inputTokensPerMinute,
        outputTokensPerMinute: limits.outputTokensPerMinute ?? options.outputTokensPerMinute,
        concurrency: limits.concurrency ?? options.concurrency,
        sharedConcurrency: limits.sharedConcurrency ?? options.sharedConcurrency
      })
    ])
  )
  return (model) => models.get(model) ?? general
}
