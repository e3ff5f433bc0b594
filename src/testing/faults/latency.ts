import * as Duration from "effect/Duration"
import * as Check from "../../internal/check.js"

/**
 * How long something takes: always the same, or drawn from a distribution, given by its quantile function: 0.5 gives
 * the median, 0.95 the 95th percentile. `uniform` and `longTail` make such functions.
 *
 * @since 0.1.0
 * @category models
 */
export type Latency = Duration.DurationInput | ((quantile: number) => Duration.Duration)

/** Checks a latency, and makes a quantile function of it. */
export const toQuantiles = (option: string, latency: Latency): (quantile: number) => Duration.Duration => {
  if (typeof latency === "function") return latency
  const fixed = Check.duration(option, latency)
  return () => fixed
}

/**
 * Anything between two durations, each as likely as the other.
 *
 * @since 0.1.0
 * @category latencies
 */
export const uniform = (
  minimum: Duration.DurationInput,
  maximum: Duration.DurationInput
): (quantile: number) => Duration.Duration => {
  const from = Duration.toMillis(Check.duration("uniform.minimum", minimum))
  const to = Duration.toMillis(Check.duration("uniform.maximum", maximum))
  if (to < from) Check.invalidOption("uniform.maximum", "at least the minimum", Duration.format(Duration.millis(to)))
  return (quantile) => Duration.millis(from + quantile * (to - from))
}

/**
 * Mostly short, at times very long, as services are: the log-logistic distribution of this median and 95th percentile.
 * `maximum` bounds it; default: ten times the 95th percentile.
 *
 * @since 0.1.0
 * @category latencies
 */
export const longTail = (options: {
  readonly median: Duration.DurationInput
  readonly p95: Duration.DurationInput
  readonly maximum?: Duration.DurationInput | undefined
}): (quantile: number) => Duration.Duration => {
  const median = Duration.toMillis(Check.positiveDuration("longTail.median", options.median))
  const p95 = Duration.toMillis(Check.positiveDuration("longTail.p95", options.p95))
  if (p95 < median) Check.invalidOption("longTail.p95", "at least the median", Duration.format(Duration.millis(p95)))
  const maximum = options.maximum === undefined
    ? 10 * p95
    : Duration.toMillis(Check.positiveDuration("longTail.maximum", options.maximum))
  // The odds of 0.95 are 19 to 1.
  const shape = Math.log(p95 / median) / Math.log(19)
  return (quantile) => Duration.millis(Math.min(maximum, median * (quantile / (1 - quantile)) ** shape))
}
