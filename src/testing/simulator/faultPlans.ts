import { sha256Hex } from "#sha256"
import { type Fault, ok } from "./faults.js"
import type { Prompt } from "./prompt.js"

/**
 * A valid request, as a plan sees it. All counts begin when the plan is set.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt {
  readonly prompt: Prompt
  /** Which request this is: 0 for the first. */
  readonly request: number
  /** Which prompt this is among the different ones: 0 for the first. */
  readonly promptIndex: number
  /** How often this prompt has come, this time included: 1 for the first time. */
  readonly attempt: number
  /** A hash of the conversation, the same for the same conversation. */
  readonly promptKey: string
}

/**
 * Decides what happens to each request. Only requests that would have been answered meet the plan: invalid ones, and
 * those with a wrong key, get their error without it.
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
 */
export const none: FaultPlan = () => ok

/**
 * The first request meets the first fault, the second the second, and so on; all further ones are answered.
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
 */
export const always = (fault: Fault): FaultPlan => () => fault

/**
 * The first attempt of the first prompt meets the first fault, that of the second prompt the second, and so on, and
 * again from the first. Every later attempt is answered: a job that repeats what failed ends well.
 *
 * @since 0.1.0
 * @category fault plans
 */
export const perPrompt = (faults: ReadonlyArray<Fault>): FaultPlan => ({ attempt, promptIndex }) =>
  attempt === 1 ? at(faults, promptIndex % faults.length) : ok

/** A number of [0, 1) that depends on nothing but the text. */
const chance = (text: string): number => parseInt(sha256Hex(text).slice(0, 12), 16) / 16 ** 12

/**
 * Each request meets one of the faults with a probability of `rate`. Which one, and whether, depends only on the seed,
 * the prompt and the attempt: the same job meets the same faults again, in whichever order its requests arrive.
 *
 * @since 0.1.0
 * @category fault plans
 */
export const random = (options: {
  readonly seed: string | number
  /** 0 for never, 1 for always. */
  readonly rate: number
  readonly faults: ReadonlyArray<Fault>
}): FaultPlan =>
({ attempt, promptKey }) => {
  const drawn = `${options.seed}/${promptKey}/${attempt}`
  return chance(drawn) < options.rate
    ? at(options.faults, Math.floor(chance(`${drawn}/which`) * options.faults.length))
    : ok
}
