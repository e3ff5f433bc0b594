import type * as Duration from "effect/Duration"
import { type Latency, longTail } from "./latency.js"
import * as Plan from "./plan.js"

/**
 * The faults, their rate, and the latency of all requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Runs with the same seed meet the same faults. Default: 0. */
  readonly seed?: number | string | undefined
  /** The share of requests that the plan applies to: 0 for none, 1 for all. Default: 1. */
  readonly rate?: number | undefined
  /** The plan that chooses a fault. Default: the faults of `transient`, all equally likely. */
  readonly plan?: Plan.Plan | undefined
  /** Added to every request, even to those without a fault. Default: none. */
  readonly latency?: Latency | undefined
}

/**
 * Faults that fail at once and can be retried.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.perRequest(Faults.transient) }))
 * ```
 */
export const transient: ReadonlyArray<Plan.Fault> = [
  Plan.rateLimited("1 second"),
  Plan.overloaded(),
  Plan.serverError(500),
  Plan.serverError(503),
  Plan.reset,
  Plan.malformed
]

/** Any of the transient faults. */
export const anyTransient: Plan.Plan = Plan.oneOf(transient.map((fault) => [1, fault]))

const outageOf = (time: Duration.DurationInput): Plan.Plan =>
  Plan.during({ to: time }, Plan.oneOf([[2, Plan.serverError(503)], [1, Plan.reset], [1, Plan.hang]]))

/**
 * Bad days of a provider, by name. Each is a set of options, to which a seed can be added:
 * `{ ...Faults.scenarios.flaky, seed: 7 }`.
 *
 * - `flaky`: three of ten requests meet a transient fault.
 * - `rateLimited`: half of the requests get a 429 with a Retry-After of two seconds.
 * - `overloaded`: half of the requests get a 529, a quarter of those with a Retry-After.
 * - `slow`: every request takes 2 seconds in the median, 10 in the 95th percentile.
 * - `silent`: two of ten requests are never answered.
 * - `malformed`: three of ten answers cannot be read.
 * - `cutStreams`: half of the streams break off after 1 to 8 parts.
 * - `stalledStreams`: half of the streams fall silent after their third part.
 * - `brownout`: everything is slow, and every fifth request fails.
 * - `outage`: no request is answered for the first 30 seconds, then all are.
 * - `outOfCredit`: every request is refused for good.
 *
 * @since 0.1.0
 * @category scenarios
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ ...Faults.scenarios.flaky, seed: 7 }))
 * ```
 */
export const scenarios = {
  flaky: { rate: 0.3, plan: anyTransient },
  rateLimited: { rate: 0.5, plan: Plan.always(Plan.rateLimited("2 seconds")) },
  overloaded: { rate: 0.5, plan: Plan.oneOf([[3, Plan.overloaded()], [1, Plan.overloaded("3 seconds")]]) },
  slow: { rate: 0, latency: longTail({ median: "2 seconds", p95: "10 seconds" }) },
  silent: { rate: 0.2, plan: Plan.always(Plan.hang) },
  malformed: { rate: 0.3, plan: Plan.always(Plan.malformed) },
  cutStreams: { rate: 0.5, plan: Plan.cutSomewhere() },
  stalledStreams: { rate: 0.5, plan: Plan.always(Plan.stall(3)) },
  brownout: {
    rate: 0.2,
    plan: Plan.oneOf([[2, Plan.overloaded()], [1, Plan.serverError(504)], [1, Plan.hang]]),
    latency: longTail({ median: "4 seconds", p95: "20 seconds" })
  },
  outage: { plan: outageOf("30 seconds") },
  outOfCredit: { plan: Plan.always(Plan.quotaExhausted) }
} as const satisfies Readonly<Record<string, Options>>
