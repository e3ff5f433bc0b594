import type * as Duration from "effect/Duration"
import { type Latency, longTail } from "./latency.js"
import * as Plan from "./plan.js"

/**
 * What goes wrong, how often, and how slowly.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Two runs of one seed meet the same faults. Default: 0. */
  readonly seed?: number | string | undefined
  /** The share of requests that meet the plan: 0 for none, 1 for all. Default: 1. */
  readonly rate?: number | undefined
  /** What they meet. Default: the faults of `transient`, each as likely as the other. */
  readonly plan?: Plan.Plan | undefined
  /** How long every request takes on top, whether it meets the plan or not. Default: nothing. */
  readonly latency?: Latency | undefined
}

/**
 * The faults that are over with the next attempt and show at once.
 *
 * @since 0.1.0
 * @category faults
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
 * Days that every provider has, by name. Each is a set of options: with a seed of your own it is
 * `{ ...Faults.scenarios.flaky, seed: 7 }`.
 *
 * - `flaky`: three of ten requests meet a fault that is over with the next attempt.
 * - `rateLimited`: half of the requests are told to wait for two seconds.
 * - `overloaded`: half of the requests are turned away, a quarter of those with a time to wait.
 * - `slow`: every request takes 2 seconds in the median, 10 in the 95th percentile.
 * - `silent`: two of ten requests are never answered.
 * - `malformed`: three of ten answers are none.
 * - `cutStreams`: half of the streams break off after 1 to 8 parts.
 * - `stalledStreams`: half of the streams fall silent after their third part.
 * - `brownout`: everything is slow, and every fifth request fails.
 * - `outage`: nothing works for the first 30 seconds, then everything does.
 * - `outOfCredit`: every request is refused for good.
 *
 * @since 0.1.0
 * @category scenarios
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
