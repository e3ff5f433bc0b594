import * as Duration from "effect/Duration"
import * as Check from "../../internal/check.js"

/**
 * A latency: fixed, or drawn from a distribution. A distribution is its quantile function, which gives the median for 0.5
 * and the 95th percentile for 0.95; `uniform` and `longTail` make such functions.
 *
 * @since 0.1.0
 * @category models
 */
export type Latency = Duration.DurationInput | ((quantile: number) => Duration.Duration)

/** Checks a latency, and gives its quantile function. */
export const toQuantiles = (option: string, latency: Latency): (quantile: number) => Duration.Duration => {
  if (typeof latency === "function") return latency
  const fixed = Check.duration(option, latency)
  return () => fixed
}

/**
 * Latencies between two durations, all equally likely. An invalid duration is a defect.
 *
 * @since 0.1.0
 * @category latencies
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const slow = LlmTest.layerEcho.pipe(Faults.inject({ rate: 0, latency: Faults.uniform("1 second", "3 seconds") }))
 * ```
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
 * Latencies like those of real services, mostly short and sometimes very long: the log-logistic distribution with this
 * median and 95th percentile. `maximum` bounds it; default: ten times the 95th percentile. An invalid duration is a
 * defect.
 *
 * @since 0.1.0
 * @category latencies
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const latency = Faults.longTail({ median: "2 seconds", p95: "10 seconds" })
 * const slow = LlmTest.layerEcho.pipe(Faults.inject({ rate: 0, latency }))
 * ```
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
