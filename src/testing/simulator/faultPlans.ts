import { chance } from "../chance.js"
import { type Fault, ok } from "./faults.js"
import type { Prompt } from "./prompt.js"

/**
 * A valid request, with the facts that a plan may use. All counts start when the plan is set.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt {
  readonly prompt: Prompt
  /** The number of requests before this one. */
  readonly request: number
  /** The number of different prompts before this one. */
  readonly promptIndex: number
  /** The number of times that this prompt was sent, including this one: 1 for the first time. */
  readonly attempt: number
  /** A hash of the conversation. */
  readonly promptKey: string
}

/**
 * Chooses the fault that a request meets. Invalid requests, and those with a wrong key, are rejected before the plan is
 * asked.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultPlan = (attempt: Attempt) => Fault

const at = (faults: ReadonlyArray<Fault>, index: number): Fault => faults[index] ?? ok

/**
 * Answers every request.
 *
 * @since 0.1.0
 * @category fault plans
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.none })
 * ```
 */
export const none: FaultPlan = () => ok

/**
 * The first request meets the first fault, the second request the second fault, and so on; later requests are answered.
 *
 * @since 0.1.0
 * @category fault plans
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const plan = Simulator.sequence([Simulator.status(500), Simulator.ok, Simulator.reset])
 * ```
 */
export const sequence = (faults: ReadonlyArray<Fault>): FaultPlan => ({ request }) => at(faults, request)

/**
 * Every request meets the fault.
 *
 * @since 0.1.0
 * @category fault plans
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.always(Simulator.silence) })
 * ```
 */
export const always = (fault: Fault): FaultPlan => () => fault

/**
 * The first attempt of the first prompt meets the first fault, that of the second prompt the second fault, and so on in
 * a cycle. Later attempts are answered, so that a job that retries its failures succeeds.
 *
 * @since 0.1.0
 * @category fault plans
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.perPrompt([Simulator.status(500), Simulator.ok]) })
 * ```
 */
export const perPrompt = (faults: ReadonlyArray<Fault>): FaultPlan => ({ attempt, promptIndex }) =>
  attempt === 1 ? at(faults, promptIndex % faults.length) : ok

/**
 * Each request meets one of the faults with a probability of `rate`. The choice depends only on the seed, the prompt and
 * the attempt: the same job meets the same faults again, whatever the order of its requests.
 *
 * @since 0.1.0
 * @category fault plans
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.random({ seed: 1, rate: 0.1, faults: [Simulator.reset, Simulator.halfJson] }) })
 * ```
 */
export const random = (options: {
  readonly seed: string | number
  /** The probability of a fault: 0 for never, 1 for always. */
  readonly rate: number
  readonly faults: ReadonlyArray<Fault>
}): FaultPlan =>
({ attempt, promptKey }) => {
  const drawn = `${options.seed}/${promptKey}/${attempt}`
  return chance(drawn) < options.rate
    ? at(options.faults, Math.floor(chance(`${drawn}/which`) * options.faults.length))
    : ok
}
